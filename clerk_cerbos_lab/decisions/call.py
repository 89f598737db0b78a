"""Calls as text: the ``lab.sweep(…)`` that makes decisions again, as a person would write it."""

from __future__ import annotations

import keyword
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, RESOURCE_ID, Relation, amounts, is_number, json_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ARGUMENTS: Final = frozenset(
    {
        *("actions", "attr", RESOURCE_ID, "policy_version", "scope", "principal_policy_version"),
        *("principal_scope", "aux_data", "method", "audit", "executor", "units"),
    }
)
"""Names that ``lab.sweep`` has for itself: an attribute that is called so stands in ``attr=``."""

FEWEST_STEPS: Final = 4
"""Amounts from which evenly spaced ones are written as ``lab.amounts(…)``."""


def sweep_text(
    pdp: str,
    kind: str,
    actions: Sequence[str],
    attributes: Mapping[str, str],
    rest: Mapping[str, str],
) -> str:
    """A call of ``lab.sweep``.

    Args:
        pdp: the text of its first argument.
        kind: the resource kind.
        actions: asked about.
        attributes: for each attribute the text of its values; under ``resource_id`` the resource's own id.
        rest: the text of other arguments.
    """
    plain = {name: text for name, text in attributes.items() if is_keyword(name) and name not in ARGUMENTS}
    odd = {name: text for name, text in attributes.items() if name not in plain and name != RESOURCE_ID}
    parts = [f"actions=[{', '.join(map(python_text, actions))}]"]
    parts += [f"{name}={text}" for name, text in plain.items()]
    if attributes.get(RESOURCE_ID, "'resource'") != "'resource'":
        parts.append(f"{RESOURCE_ID}={attributes[RESOURCE_ID]}")
    if odd:
        parts.append(f"attr={dict_text(odd)}")
    parts += [f"{name}={text}" for name, text in rest.items()]
    return f"lab.sweep({pdp}, principals, {kind!r}, {', '.join(parts)})"


def what_if_text(constants: Mapping[str, Any]) -> str:
    """A call of ``lab.what_if`` that moves constants of the policies."""
    texts = {name: python_text(value) for name, value in constants.items()}
    return f"lab.what_if(pdp, {', '.join(_keywords(texts))})"


def _keywords(texts: Mapping[str, str]) -> Iterator[str]:
    """Those whose names Python does not take as keywords stand in a dict, first."""
    odd = {name: text for name, text in texts.items() if not is_keyword(name)}
    if odd:
        yield dict_text(odd)
    yield from (f"{name}={text}" for name, text in texts.items() if name not in odd)


def is_keyword(name: str) -> bool:
    """Whether a call can hold this name as a keyword: Python normalizes what it reads."""
    reserved = keyword.iskeyword(name) or name == "__debug__"
    return name.isidentifier() and not reserved and unicodedata.normalize("NFKC", name) == name


def dict_text(texts: Mapping[str, str]) -> str:
    """A dict of texts of values."""
    return f"{{{', '.join(f'{name!r}: {text}' for name, text in texts.items())}}}"


def axis_text(values: Sequence[Any], show: Callable[[Any], Any]) -> str:
    """The values of an axis: evenly spaced amounts as ``lab.amounts(…)``, else a list."""
    if len(values) >= FEWEST_STEPS and all(map(is_number, values)):
        step = _step(values)
        if step is not None:
            return amounts_text(values[0], values[-1], step)
    return f"[{', '.join(python_text(show(value)) for value in values)}]"


def _step(numbers: Sequence[float]) -> float | None:
    """The step with which ``lab.amounts`` makes exactly these numbers; None where there is none."""
    step = numbers[1] - numbers[0]
    for tried in (step, round(step, 10)):
        if not tried > 0 or not np.isclose(numbers[0] + tried * (len(numbers) - 1), numbers[-1]):
            continue
        try:
            if amounts(numbers[0], numbers[-1], step=tried) == list(numbers):
                return tried
        except InputError:
            continue
    return None


def amounts_text(low: Any, high: Any, step: Any) -> str:
    """A call of ``lab.amounts``."""
    low, high, step = (python_text(json_number(number)) for number in (low, high, step))
    return f"lab.amounts({low}, {high}, step={step})"


def fixed_text(value: Any, show: Callable[[Any], Any]) -> str:
    """A fixed value; a list is an axis of one value, which is how ``lab.sweep`` takes it."""
    shown = show(value)
    return f"[{python_text(shown)}]" if isinstance(shown, list) else python_text(shown)


def python_text(value: Any) -> str:
    """A value as Python source: ``5_000``, ``'south'``, ``lab.SELF``."""
    if value is MISSING:
        return "lab.MISSING"
    if isinstance(value, Relation):
        return f"lab.{value.value}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    if isinstance(value, list):
        return f"[{', '.join(map(python_text, value))}]"
    if isinstance(value, dict):
        return dict_text({name: python_text(item) for name, item in value.items()})
    return repr(value)

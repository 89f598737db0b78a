"""Calls as source code: the ``lab.sweep(…)`` that reproduces decisions, as a person would write it."""

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
"""Parameter names of ``lab.sweep``: an attribute with one of these names goes into ``attr=``."""

FEWEST_STEPS: Final = 4
"""Evenly spaced amounts are written as ``lab.amounts(…)`` from this many on."""


def sweep_text(
    pdp: str,
    kind: str,
    actions: Sequence[str],
    attributes: Mapping[str, str],
    rest: Mapping[str, str],
) -> str:
    """The source of a ``lab.sweep`` call.

    Args:
        pdp: the source of its first argument.
        kind: the resource kind.
        actions: the actions asked about.
        attributes: for each attribute the source of its values; ``resource_id`` for the resource's own id.
        rest: the source of the other arguments.
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
    """The source of a ``lab.what_if`` call that changes constants of the policies."""
    texts = {name: python_text(value) for name, value in constants.items()}
    return f"lab.what_if(pdp, {', '.join(_keywords(texts))})"


def _keywords(texts: Mapping[str, str]) -> Iterator[str]:
    """The arguments as source; a dict comes first, with the names that can't be Python keywords."""
    odd = {name: text for name, text in texts.items() if not is_keyword(name)}
    if odd:
        yield dict_text(odd)
    yield from (f"{name}={text}" for name, text in texts.items() if name not in odd)


def is_keyword(name: str) -> bool:
    """Whether a call can use this name as a keyword: Python normalizes identifiers."""
    reserved = keyword.iskeyword(name) or name == "__debug__"
    return name.isidentifier() and not reserved and unicodedata.normalize("NFKC", name) == name


def dict_text(texts: Mapping[str, str]) -> str:
    """The source of a dict whose values are given as source."""
    return f"{{{', '.join(f'{name!r}: {text}' for name, text in texts.items())}}}"


def axis_text(values: Sequence[Any], show: Callable[[Any], Any]) -> str:
    """The source of an axis: ``lab.amounts(…)`` for evenly spaced amounts, else a list."""
    if len(values) >= FEWEST_STEPS and all(map(is_number, values)):
        step = _step(values)
        if step is not None:
            return amounts_text(values[0], values[-1], step)
    return f"[{', '.join(python_text(show(value)) for value in values)}]"


def _step(numbers: Sequence[float]) -> float | None:
    """The step with which ``lab.amounts`` returns exactly these numbers; None if there is none."""
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
    """The source of a ``lab.amounts`` call."""
    low, high, step = (python_text(json_number(number)) for number in (low, high, step))
    return f"lab.amounts({low}, {high}, step={step})"


def fixed_text(value: Any, show: Callable[[Any], Any]) -> str:
    """The source of a fixed value; for ``lab.sweep``, a fixed list has to be an axis of one value."""
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

"""The states of an explorer as plain data: checked, compared, and written as a ``lab.sweep`` call.

A state is a dict: ``actions`` (a list), ``constants`` (a dict of the changed ones), ``policy_version``
and ``scope`` (a name each, if there are several), for each attribute a list of values, and for the
attribute across the top a dict of ``low``, ``high`` and ``step``, with ``values`` if the amounts are not in
even steps. An attribute with one of these other names appears as ``attr.scope``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions import call
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.values import amounts, clean, is_number, key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerk_cerbos_lab.explorer.envelope import Envelope

LARGEST: Final = 2**53

OWN: Final = ("actions", "constants", "look", "policy_version", "scope")
"""The keys of a state that are not attributes."""

_ATTR: Final = "attr."

_PARTS: Final = ("low", "high", "step")


def called(attribute: str) -> str:
    """The name of an attribute in a state; unique for each attribute."""
    return f"{_ATTR}{attribute}" if attribute in OWN or attribute.startswith(_ATTR) else attribute


def attribute_of(name: str) -> str:
    """The attribute that has this name in a state."""
    return name.removeprefix(_ATTR)


def checked_range(name: str, wanted: object, before: Mapping[str, Any]) -> dict[str, Any]:
    """The amounts across the top: some of ``low``, ``high`` and ``step``, or ``values``, or a list.

    Raises:
        InputError: for an unknown part, a value that is not a number, or too many amounts.
    """
    given = {"values": list(wanted)} if isinstance(wanted, (list, tuple)) else wanted
    if not isinstance(given, dict):
        msg = f"'{name}' takes a dict of low, high and step, or a list of amounts, not {wanted!r}"
        raise InputError(msg)
    unknown = sorted(set(given) - {*_PARTS, "values"})
    if unknown:
        msg = f"'{name}' has low, high, step and values, no '{unknown[0]}'{did_you_mean(unknown[0], _PARTS)}"
        raise InputError(msg)
    values = given.get("values")
    if values is not None:
        return _checked_amounts(name, [_number(name, value) for value in values], before)
    parts = {
        part: _number(f"{name}.{part}", given[part] if part in given else before[part]) for part in _PARTS
    }
    if parts["low"] > parts["high"] or parts["step"] <= 0:
        low, high, step = (label(parts[part]) for part in _PARTS)
        msg = f"'{name}' from {low} to {high} in steps of {step}: needs low <= high and step > 0"
        raise InputError(msg)
    if max(abs(parts["low"]), abs(parts["high"])) >= LARGEST:
        msg = f"'{name}' holds numbers below {LARGEST:,}, which doubles hold exactly"
        raise InputError(msg)
    count = len(amounts(parts["low"], parts["high"], step=parts["step"]))
    if count > limits.RANGE_COLUMNS:
        msg = f"'{name}' would have {count:,} values; {limits.RANGE_COLUMNS:,} at most: use a larger step"
        raise InputError(msg)
    return parts


def _checked_amounts(name: str, values: list[Any], before: Mapping[str, Any]) -> dict[str, Any]:
    _check_different(name, values)
    if len(values) > limits.RANGE_COLUMNS:
        msg = f"'{name}' would have {len(values):,} values; {limits.RANGE_COLUMNS:,} at most"
        raise InputError(msg)
    return {"low": min(values), "high": max(values), "step": before["step"], "values": values}


def _number(name: str, value: object) -> Any:
    found = clean(value, f"'{name}'")
    if not is_number(found):
        msg = f"'{name}' is a number, not {value!r}"
        raise InputError(msg)
    return found


def amounts_of(wanted: Mapping[str, Any]) -> list[Any]:
    """The amounts of a range."""
    if wanted.get("values") is not None:
        return list(wanted["values"])
    return list(amounts(wanted["low"], wanted["high"], step=wanted["step"]))


def checked_values(name: str, wanted: object) -> list[Any]:
    """The values of a choice: one, or a list of different ones.

    Raises:
        InputError: for no value, a duplicate, or a value that can't be sent.
    """
    values = [clean(v, f"'{name}'") for v in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    _check_different(name, values)
    return values


def _check_different(name: str, values: list[Any]) -> None:
    if not values:
        msg = f"'{name}' needs at least one value"
        raise InputError(msg)
    if len({key(value) for value in values}) != len(values):
        msg = f"'{name}' has a duplicate value"
        raise InputError(msg)


def checked_constants(wanted: object, known: Mapping[str, float]) -> dict[str, float]:
    """The constants whose given value differs from the policies' value.

    Raises:
        InputError: for a name that is not a unique constant of the policies, or a value that is not a number.
    """
    if not isinstance(wanted, dict):
        msg = f"'constants' takes a dict of names and numbers, not {wanted!r}"
        raise InputError(msg)
    for name in wanted:
        if name not in known:
            msg = f"no constant '{name}'{did_you_mean(str(name), known)}"
            raise InputError(msg)
    numbers = {name: _number(f"the constant {name}", value) for name, value in wanted.items()}
    return {name: value for name, value in numbers.items() if value != known[name]}


def same(one: Any, other: Any) -> bool:
    """Whether two states, or parts of them, are the same for the PDP."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return [key(value) for value in one] == [key(value) for value in other]
    return bool(one == other)


def call_of(
    kind: str,
    state: Mapping[str, Any],
    envelope: Envelope,
    default_version: str = "",
    show: Callable[[Any], Any] = lambda value: value,
) -> str:
    """The ``lab.sweep(…)`` call that makes the decisions of a state.

    Args:
        kind: the resource kind.
        state: the state.
        envelope: the other arguments of each request, with the state's version and scope.
        default_version: the policy version that an empty one means, if known.
        show: returns the value to write in place of another, such as a pseudonym.
    """
    attributes = {
        attribute_of(name): _argument(value, show) for name, value in state.items() if name not in OWN
    }
    pdp = call.what_if_text(state["constants"]) if state["constants"] else "pdp"
    rest = dict(envelope.arguments(default_version, show))
    return call.sweep_text(pdp, kind, state["actions"], attributes, rest)


def _argument(value: Any, show: Callable[[Any], Any]) -> str:
    if isinstance(value, dict) and value.get("values") is None:
        return call.amounts_text(*(value[part] for part in _PARTS))
    if isinstance(value, dict):
        return call.python_text(list(value["values"]))
    shown = [show(item) for item in value]
    return call.python_text(shown[0] if len(shown) == 1 and not isinstance(shown[0], list) else shown)

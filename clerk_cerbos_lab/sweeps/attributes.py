"""Reads the resource's attributes from a caller's arguments: axes and fixed values, all checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import check_apart, name_of, steps_of
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.values import Relation, clean, key, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: Final = ("principal", "action", "effect")
"""Columns of every frame of decisions: no axis may have one of these names."""


def read_attributes(
    attr: Mapping[str, object] | None,
    attributes: Mapping[str, object],
    resource_id: str | Sequence[str],
) -> tuple[tuple[Axis, ...], dict[str, Any]]:
    """Split the caller's attributes into axes and fixed values, and check each value.

    ``resource_id`` is returned under its own name, as an axis or as a fixed value.
    """
    both = sorted(set(attr or {}) & set(attributes))
    if both:
        msg = f"given twice, as a keyword and in attr=: {both}"
        raise InputError(msg)
    axes: list[Axis] = []
    fixed: dict[str, Any] = {}
    given: dict[str, object] = {**(attr or {}), **attributes}
    if "resource_id" in given:
        msg = "'resource_id' is the resource's id here; an attribute can't have that name"
        raise InputError(msg)
    for spelling, value in {**given, "resource_id": resource_id}.items():
        if not isinstance(spelling, str) or not spelling:
            msg = f"an attribute's name must be a non-empty string, not {spelling!r}"
            raise InputError(msg)
        name = name_of(steps_of(text(spelling, "an attribute's name")))
        if name in fixed or any(axis.name == name for axis in axes):
            msg = f"given twice, under two spellings: '{name}'"
            raise InputError(msg)
        values = _axis_values(value, name)
        if values is None:
            fixed[name] = clean(value, f"attribute '{name}'")
        elif name in COLUMNS:
            msg = f"an axis can't be called '{name}': every table of decisions has a column '{name}'"
            raise InputError(msg)
        else:
            axes.append(_axis(name, values))
    _check_resource_ids(axes, fixed)
    check_apart([axis.name for axis in axes], fixed)
    return tuple(axes), fixed


def _axis_values(value: object, name: str) -> list[object] | None:
    """The values of an axis, or None for a fixed value."""
    if isinstance(value, (list, tuple, range)):
        return list(value)
    if isinstance(value, (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        if getattr(value.dtype, "kind", "") in "mM":
            msg = f"axis '{name}': Cerbos has no type for {value.dtype}; use strings, such as .isoformat()"
            raise InputError(msg)
        values: object = np.asarray(value, dtype=object).tolist()
        return values if isinstance(values, list) else None
    if isinstance(value, (set, frozenset)):
        msg = f"axis '{name}': a set has no order; give a list"
        raise InputError(msg)
    if isinstance(value, pd.DataFrame) or hasattr(value, "__next__"):
        msg = f"axis '{name}': give a list, not a {type(value).__name__}"
        raise InputError(msg)
    return None


def _axis(name: str, given: list[object]) -> Axis:
    if not given:
        msg = f"axis '{name}' has no values"
        raise InputError(msg)
    if _plain_numbers(given):
        return Axis(name, tuple(given))
    values = [clean(value, f"axis '{name}'[{i}]") for i, value in enumerate(given)]
    seen: dict[str, int] = {}
    for i, value in enumerate(values):
        first = seen.setdefault(key(value), i)
        if first != i:
            msg = f"axis '{name}' has the value {label(value)} twice, at {first} and {i}"
            raise InputError(msg)
    return Axis(name, tuple(values))


def _plain_numbers(given: list[object]) -> bool:
    """Whether all are distinct finite numbers that doubles represent exactly: a fast check for thousands."""
    if not set(map(type, given)) <= {int, float}:
        return False
    try:
        numbers = np.array(given, dtype=np.float64)
    except OverflowError:
        return False
    exact = np.abs(numbers) < 2**53
    zeros = numbers == 0
    return (
        bool(exact.all()) and not np.signbit(numbers[zeros]).any() and len(np.unique(numbers)) == len(given)
    )


def _check_resource_ids(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> None:
    ids = [fixed["resource_id"]] if "resource_id" in fixed else list(axes[-1].values)
    for value in ids:
        if not isinstance(value, str) or isinstance(value, Relation) or not value:
            msg = f"resource_id must be a non-empty string or a list of them, not {value!r}"
            raise InputError(msg)


def checked_units(units: Mapping[str, str] | None, known: Sequence[str]) -> dict[str, str]:
    """Units by attribute, checked.

    Args:
        units: as given by the caller.
        known: the attributes that are asked about.

    Raises:
        InputError: if it is not a dict of strings, or has an unknown name.
    """
    if units is None:
        return {}
    if not isinstance(units, dict) or not all(isinstance(unit, str) and unit for unit in units.values()):
        msg = f"units must be a dict of attribute and unit, such as {{'amount': 'USD'}}, not {units!r}"
        raise InputError(msg)
    for name in units:
        if name not in known:
            msg = f"units: no attribute '{name}' is asked about{did_you_mean(str(name), known)}"
            raise InputError(msg)
    return dict(units)

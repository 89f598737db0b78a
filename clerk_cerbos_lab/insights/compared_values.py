"""Values for a sweep that meet and miss what the policies compare each resource attribute with."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import is_inside, name_of, overlap
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.policies.paths import ELEMENT
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.policies.terms import ORDERS
from clerk_cerbos_lab.sweeps.breakpoints import breakpoints_from, value_of
from clerk_cerbos_lab.values import MISSING, OTHER, RESOURCE_ID, SELF, is_number, json_number, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.analysis import Use

MOST_VALUES: Final = 10
"""Values of one principal attribute, the most frequent first."""

MOST_COMBINATIONS: Final = 20_000
"""Combinations of values; if there are more, the attributes with the most values get fewer."""

_ANOTHER: Final = "another value"


def compared_values(
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    action: str,
    given: Mapping[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Values of each attribute that the policies read.

    Args:
        pdp: for its policies.
        principals: whose attributes the policies may compare.
        kind: the resource kind.
        action: only what can matter to it is read.
        given: values that the caller gives; they are kept.

    Returns:
        The values by attribute, as ``lab.sweep`` takes them, and sentences about what was not found.
    """
    people = read_principals(principals)
    try:
        index = pdp.index
    except PDPError as error:
        return dict(given), [f"The PDP does not show its policies ({error}): only given values are swept."]
    found = index.analysis(kind, Audience((action,), None))
    if found.unreadable:
        note = f"The policies can't be read completely ({found.unreadable}): give values with attr=."
        return dict(given), [note]
    notes: list[str] = []
    made: dict[str, list[Any]] = {}
    names = [name for name in sorted(found.uses) if name != RESOURCE_ID]
    for name in names:
        inner = any(is_inside(other, name) for other in names if other != name)
        if not inner and not any(overlap(name, other) for other in given):
            made[name] = _values(name, found.uses[name], people, kind, notes)
    while math.prod(map(len, made.values())) > MOST_COMBINATIONS:
        longest = max(made, key=lambda name: len(made[name]))
        made[longest] = made[longest][: len(made[longest]) * 3 // 4]
        note = f"{longest}: not all values are swept; give your own with attr=."
        notes += [note] if note not in notes else []
    return {**made, **given}, notes


def _values(name: str, use: Use, people: PrincipalTable, kind: str, notes: list[str]) -> list[Any]:
    numbers: set[float] = set()
    values: list[Any] = []
    one = replace(people[0], attr={})
    for comparison in use.comparisons:
        path = comparison.path or ()
        if path[:2] == ("P", "id"):
            values += [SELF, OTHER]
            continue
        if path[:1] == ("R",):
            continue
        if path[:2] == ("P", "attr"):
            inside = tuple(itertools.takewhile(lambda step: step != ELEMENT, path[2:]))
            column = people.column(name_of(inside)) if inside else None
            some = [] if column is None else _frequent(column.codes, column.values)
        else:
            held = value_of(comparison, one, {}, kind)
            some = held if isinstance(held, list) else []
            if not isinstance(held, list):
                notes.append(
                    f"{name}: the policies compare it with something computed; give values with attr=."
                )
        if comparison.operator in ORDERS:
            numbers.update(breakpoints_from(some).numbers)
        values += _scalars(some)
    if use.terms or use.otherwise:
        notes.append(
            f"{name}: the policies also use it in another way than comparing it; give values with attr=."
        )
    numbers.update(value for value in values if is_number(value))
    rest = [value for value in values if not is_number(value)]
    if any(isinstance(value, bool) for value in rest) or not (numbers or rest):
        rest += [True, False]
    if any(type(value) is str for value in rest):
        rest.append(_ANOTHER)
    different = {key(value): value for value in [*_around(sorted(numbers)), *rest]}
    return [MISSING, *different.values()]  # the first are kept if there are too many


def _around(numbers: list[float]) -> list[Any]:
    """The compared numbers, one below, one between each two, and one above."""
    if not numbers:
        return []
    low, high = numbers[0], numbers[-1]
    between = [(a + b) / 2 for a, b in itertools.pairwise(numbers)]
    below, above = (low / 2 if low > 0 else low - 1), (high * 2 if high > 0 else high + 1)
    return [json_number(number) for number in dict.fromkeys([below, above, *numbers, *between])]


def _frequent(codes: Any, values: Sequence[Any]) -> list[Any]:
    counts = np.bincount(codes, minlength=len(values))
    order = np.argsort(-counts, kind="stable")
    return [values[i] for i in order if values[i] is not MISSING][:MOST_VALUES]


def _scalars(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found += _scalars(value)
        elif value is None or isinstance(value, (bool, int, float, str)):
            found.append(value)
    return found

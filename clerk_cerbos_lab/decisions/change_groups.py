"""Puts people with the same change together, so that a comparison reads like a plan."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.changes import INTERVAL, Group, Witness
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from clerk_cerbos_lab.decisions.decisions import Decisions

CENT = 0.01


def grouped(rows: pd.DataFrame, decisions: Decisions, along: str | None) -> list[Group]:
    """The rows of ``Changes.frame`` as groups, the largest first; witnesses are not asked yet.

    People who change in the same way at several values of the other axes are one group, if these values are
    all combinations of some values of each axis.
    """
    axes = [axis.name for axis in decisions.axes if axis.name != along]
    interval = list(INTERVAL) if along else []
    keys = ["change", "action", *interval, "exact"]
    people: dict[tuple[Any, ...], dict[tuple[Any, ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    columns = [rows[name].tolist() for name in [*keys, *axes, "principal"]]
    for *values, who in zip(*columns, strict=True):
        same, combination = tuple(values[: len(keys)]), tuple(values[len(keys) :])
        people[same][tuple(map(_hashable, combination))].append(who)
    found: list[Group] = []
    for (change, action, *rest), combinations in people.items():
        alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for combination, who in combinations.items():
            alike[tuple(who)].append(combination)
        span = tuple(rest[:-1]) if along else None
        for some, places in alike.items():
            for where in _together(places, decisions, axes):
                shown = {
                    name: values
                    for name, values in where.items()
                    if len(values) < len(decisions.values(name)) or len(values) == 1
                }
                number = {} if span is None or along is None else {along: inside(span)}
                witness = Witness(some[0], {**{name: values[0] for name, values in where.items()}, **number})
                found.append(Group(change, action, shown, span, some, bool(rest[-1]), witness))
    return sorted(found, key=lambda group: (-len(group.principals), group.change, group.action))


def _together(
    combinations: Sequence[tuple[Any, ...]], decisions: Decisions, axes: Sequence[str]
) -> Iterator[dict[str, tuple[Any, ...]]]:
    """The combinations as a product of values of each axis; one by one if they are none."""
    by_key = {name: {_hashable(value): value for value in decisions.values(name)} for name in axes}
    values = [list(dict.fromkeys(column)) for column in zip(*combinations, strict=True)]
    if len(set(combinations)) == math.prod(map(len, values)):
        yield {
            name: tuple(by_key[name][one] for one in column)
            for name, column in zip(axes, values, strict=True)
        }
        return
    for combination in combinations:
        yield {name: (by_key[name][one],) for name, one in zip(axes, combination, strict=True)}


def inside(interval: Sequence[Any]) -> float:
    """A number in an interval that a person would name: an end, a cent from it, or what lies between.

    Args:
        interval: lower, lower_closed, upper, upper_closed.
    """
    lower, lower_closed, upper, upper_closed = interval
    if upper_closed:
        return float(upper)
    if lower_closed:
        return float(lower)
    if math.isinf(lower) and math.isinf(upper):
        return 0.0
    if math.isinf(upper):
        return lower + CENT if lower + CENT > lower else math.nextafter(lower, math.inf)
    if math.isinf(lower):
        return upper - CENT if upper - CENT < upper else math.nextafter(upper, -math.inf)
    middle = lower + (upper - lower) / 2
    return middle if lower < middle < upper else math.nextafter(lower, math.inf)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str) else key(value)

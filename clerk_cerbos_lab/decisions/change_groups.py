"""Puts people with the same change together, so that a comparison reads like a plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.changes import INTERVAL, Group, Witness
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions

CENT = 0.01


def grouped(rows: pd.DataFrame, decisions: Decisions, along: str | None) -> list[Group]:
    """The rows of ``Changes.frame`` as groups, the largest first; witnesses are not asked yet.

    People who change in the same way at several values of the other axes are one group, if these values are
    all combinations of some values of each axis.
    """
    axes = [axis.name for axis in decisions.axes if axis.name != along]
    keys = ["change", "action", *(INTERVAL if along else ()), "exact"]
    alike: dict[tuple[int, bytes], list[int]] = {}  # a change, and who: the first rows of each combination
    people: dict[bytes, tuple[str, ...]] = {}
    same, cell = _numbered([rows[name] for name in keys]), _numbered([rows[name] for name in [*keys, *axes]])
    who, names = pd.factorize(rows["principal"])
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    for at in np.split(order, starts[1:]) if len(rows) else ():
        sign = who[at].tobytes()
        alike.setdefault((int(same[at[0]]), sign), []).append(int(at[0]))
        if sign not in people:
            people[sign] = tuple(names[who[at]].tolist())
    first = np.array([places[0] for places in alike.values()], dtype=np.intp)
    kept = [rows[name].iloc[first].tolist() for name in keys]
    columns = [rows[name].tolist() for name in axes]
    by_key = [{key(value): value for value in decisions.values(name)} for name in axes]
    found: list[Group] = []
    for ((_, sign), places), change, action, *rest in zip(alike.items(), *kept, strict=True):
        span = tuple(rest[:-1]) if along else None
        some = people[sign]
        combinations = [tuple(key(column[place]) for column in columns) for place in places]
        for values in _together(combinations, by_key):
            where = dict(zip(axes, values, strict=True))
            shown = {
                name: own
                for name, own in where.items()
                if len(own) < len(decisions.values(name)) or len(own) == 1
            }
            number = {} if span is None or along is None else {along: inside(span)}
            witness = Witness(some[0], {**{name: own[0] for name, own in where.items()}, **number})
            found.append(Group(change, action, shown, span, some, bool(rest[-1]), witness))
    return sorted(found, key=lambda group: (-len(group.principals), group.change, group.action))


def _numbered(columns: Sequence[pd.Series[Any]]) -> npt.NDArray[np.intp]:
    """For each row a number that is equal where all of the columns are."""
    number = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        values = np.asarray(column)
        if column.dtype == object:
            values = np.array(list(map(key, column)), dtype=object)
        codes, different = pd.factorize(values)
        number = pd.factorize(number * (len(different) + 1) + codes)[0].astype(np.intp)
    return number


def _together(
    combinations: Sequence[tuple[Any, ...]], by_key: Sequence[Mapping[Any, Any]]
) -> Iterator[list[tuple[Any, ...]]]:
    """The combinations as a product of values of each axis; one by one if they are none."""
    values = [list(dict.fromkeys(column)) for column in zip(*combinations, strict=True)]
    if len(set(combinations)) == math.prod(map(len, values)):
        yield [tuple(known[one] for one in column) for known, column in zip(by_key, values, strict=True)]
        return
    for combination in combinations:
        yield [(known[one],) for known, one in zip(by_key, combination, strict=True)]


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

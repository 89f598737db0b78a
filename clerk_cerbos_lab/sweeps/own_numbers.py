"""Principals whose numbers are compared with one axis only, such as a spending limit of each with the amount.

What the policies can tell of such a number is how it is ordered among the numbers that the axis is compared
with. Principals who are equal in everything else, and whose numbers are ordered alike, share a class: at
amounts that are ordered alike among *their own* numbers, every comparison has the same outcome for each of
them. So one of them is asked, in each gap and at each number of theirs, and the answers are read at the
numbers of the others. docs/architecture.md has the argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clerk_cerbos_lab.decisions.cells import OwnNumbers
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of, numbers_in
from clerk_cerbos_lab.sweeps.cuts import FARTHEST, cut, neighbour

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.identity.principals import PrincipalTable


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """Principals of one class by the order of their numbers among the breakpoints.

    Attributes:
        codes: for each of them, the number of the order.
        representatives: for each order, the position of its first principal.
        numbers: for each order, the breakpoints of its first principal, ascending.
        columns: for each of these breakpoints, the column of the own number that it is; -1 if it is the same
            for all.
    """

    codes: npt.NDArray[np.intp]
    representatives: npt.NDArray[np.intp]
    numbers: Sequence[npt.NDArray[np.float64]]
    columns: Sequence[npt.NDArray[np.intp]]


def own_numbers(people: PrincipalTable, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """``[principal, column]``: these attributes, NaN for what is not a finite number."""
    columns = [column for name in names if (column := people.column(name)) is not None]
    return np.column_stack([numbers_in(column)[column.codes] for column in columns])


def ordering(shared: Sequence[float], own: npt.NDArray[np.float64]) -> Ordering:
    """Divide principals by how their numbers are ordered.

    Args:
        shared: breakpoints that all of them have, ascending and distinct.
        own: ``[principal, column]``: their own numbers; a column that is no number of one is none of any.
    """
    fixed = np.array(shared, dtype=np.float64)
    held = np.flatnonzero(np.isfinite(own).all(axis=0))
    own = own[:, held]
    codes = dense_rows(_signs(fixed, own)) if len(held) else np.zeros(len(own), dtype=np.intp)
    representatives = first_of(codes)
    numbers, columns = [], []
    for row in representatives.tolist():
        places = dict.fromkeys(shared, -1)
        for column, number in zip(held.tolist(), own[row].tolist(), strict=True):
            places.setdefault(number, column)
        line = sorted(places)
        numbers.append(np.array(line, dtype=np.float64))
        columns.append(np.array([places[number] for number in line], dtype=np.intp))
    return Ordering(codes, representatives, numbers, columns)


def points_of(
    order: Ordering, number: int, row: int, grid: npt.NDArray[np.float64], own: npt.NDArray[np.float64]
) -> OwnNumbers:
    """What to ask a representative about, so that the effect in every segment of the line is known.

    Args:
        order: the order of the numbers of some principals.
        number: the number of the order.
        row: of the representative, who has this order.
        grid: the values of the axis.
        own: ``[principal, column]``: the own numbers of all principals.
    """
    numbers, columns = order.numbers[number].copy(), order.columns[number]
    numbers[columns >= 0] = own[row, columns[columns >= 0]]
    line = cut(numbers.tolist())
    codes = np.zeros(line.segments, dtype=np.intp)
    codes[line.segment] = np.arange(len(line.asked))
    return OwnNumbers(numbers, columns, tuple(line.asked), codes, grid, own)


def _signs(fixed: npt.NDArray[np.float64], own: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Columns of numbers that are equal for principals with the same order, and in the same gaps.

    A gap without a double between two numbers that follow each other is told from one that has some: in
    the first there is nothing to ask.
    """
    signs = []
    above = neighbour(own, math.inf)
    for column, numbers in enumerate(own.T):
        left, right = np.searchsorted(fixed, numbers), np.searchsorted(fixed, numbers, "right")
        padded = np.concatenate([fixed, [np.nan]])
        below = np.concatenate([[np.nan], fixed])
        signs += [
            left + right,
            padded[right] == above[:, column],
            neighbour(below, math.inf)[left] == numbers,
            np.sign(numbers) * (np.abs(numbers) == FARTHEST),
        ]
    if own.shape[1] > 1:
        order = np.argsort(own, axis=1, kind="stable")
        ascending = np.take_along_axis(own, order, axis=1)
        following = ascending[:, 1:]
        signs += [*order.T, *(following == ascending[:, :-1]).T]
        signs += list((following == neighbour(ascending[:, :-1], math.inf)).T)
    return np.column_stack([np.asarray(sign, dtype=np.int64) for sign in signs])

"""Counts who may decide each record, without looking at every pair of a person and a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.sweeps.rows import Groups, RowAnswers

    Places = npt.NDArray[np.intp]
    Whole = npt.NDArray[np.int64]

AT_ONCE: Final = 5_000_000
"""Elements of an intermediate array."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A principal and a record of their own, which is asked about in another row than for everybody else.

    Attributes:
        principals: positions.
        records: positions of the records.
        rows: positions of the rows that are asked about instead.
    """

    principals: Places
    records: Places
    rows: Places


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts by state: 0 denied; with two answers 1 only before, 2 only after, 3 both; with one 1 allowed.

    Attributes:
        records: ``[state, record]``: how many principals.
        people: ``[state, principal]``: how many records.
        money: ``[state, principal]``: of these records, in the smallest unit.
    """

    records: npt.NDArray[np.int32]
    people: Whole
    money: Whole


def tally(answers: Sequence[RowAnswers], groups: Groups, weights: tuple[Whole, Whole], pairs: Pairs) -> Tally:
    """Count.

    Args:
        answers: of one or two PDPs.
        groups: of all rows, of which the first are the records.
        weights: of each record, how many it stands for, and their money.
        pairs: what is different for some principals.
    """
    count = len(weights[0])
    states = 2 ** len(answers)
    kinds, sizes = _kinds(answers)
    of_kind = first_of(kinds)
    numbers = groups.numbers[:count] if len(groups.numbers) else np.zeros(count)
    order = np.lexsort((numbers, groups.codes[:count]))
    starts = np.searchsorted(groups.codes[:count][order], np.arange(len(groups) + 1))
    records = np.zeros((states, count), dtype=np.int32)
    totals = np.zeros((2, states, len(of_kind)), dtype=np.int64)
    for group in range(len(groups)):
        rows = order[starts[group] : starts[group + 1]]
        if not len(rows):
            continue
        sums = [np.concatenate([[0], np.cumsum(one[rows])]) for one in weights]
        patterns = [_pattern(one, of_kind, group) for one in answers]
        varies = np.any([(each != each[:, :1]).any(axis=1) for each in patterns], axis=0)
        same = ~varies
        state = sum((each[:, 0].astype(np.intp) << n for n, each in enumerate(patterns)), np.intp(0))
        for one in range(states):
            at = same & (state == one)
            records[one, rows] = int(sizes[at].sum())
            for n, each in enumerate(sums):
                totals[n, one, at] += each[-1]
        if varies.any():
            at = np.flatnonzero(varies)
            edges = [answer.edges[of_kind[at]] for answer in answers]
            records[:, rows] += _along(
                [each[at] for each in patterns], edges, numbers[rows], sums, sizes[at], totals, at
            )
    people, money = totals[:, :, kinds]
    _correct(answers, groups, weights, pairs, (records, people, money))
    return Tally(records, people, money)


def _kinds(answers: Sequence[RowAnswers]) -> tuple[Places, Whole]:
    """Principals who are alike in everything: a number for each, and how many have each number."""
    columns: list[npt.NDArray[Any]] = []
    for one in answers:
        columns += [one.classes, *one.edges.T]
    codes = np.zeros(len(answers[0].classes), dtype=np.intp)
    for column in columns:
        codes = dense_rows(np.column_stack([codes, np.unique(column, return_inverse=True)[1]]))
    return codes, np.bincount(codes).astype(np.int64)


def _pattern(answers: RowAnswers, principals: Places, group: int) -> npt.NDArray[np.bool_]:
    """``[principal, segment]``: the effect along the line."""
    effect = answers.effect[answers.classes[principals], group]
    return np.take_along_axis(effect, answers.segments[principals], axis=1)


def _along(  # noqa: PLR0917 - the parts of one group
    patterns: Sequence[npt.NDArray[np.bool_]],
    edges: Sequence[npt.NDArray[np.float64]],
    numbers: npt.NDArray[np.float64],
    sums: Sequence[Whole],
    sizes: Whole,
    totals: Whole,
    kinds: Places,
) -> npt.NDArray[np.int32]:
    """Count along the line of a group: between two edges nothing changes.

    Args:
        patterns: of each answer, ``[kind, segment]``.
        edges: of each answer, ``[kind, n]``.
        numbers: of the records of the group, ascending.
        sums: of the records' weights, up to each.
        sizes: how many principals are of each kind.
        totals: to which sums are added.
        kinds: their positions in ``totals``.
    """
    states, length = totals.shape[1], len(numbers)
    found = np.zeros((states, length + 1), dtype=np.int64)
    width = 4 * sum(each.shape[1] for each in edges) ** 2 + 1
    step = max(1, AT_ONCE // width)
    for begin in range(0, len(sizes), step):
        part = slice(begin, begin + step)
        cuts = [
            np.stack(
                [np.searchsorted(numbers, each[part], side) for side in ("left", "right")], axis=-1
            ).reshape(len(each[part]), -1)
            for each in edges
        ]
        every = np.sort(np.concatenate(cuts, axis=1), axis=1)
        first = np.pad(every, [(0, 0), (1, 0)])
        last = np.pad(every, [(0, 0), (0, 1)], constant_values=length)
        state = np.zeros(first.shape, dtype=np.intp)
        for n, (cut, pattern) in enumerate(zip(cuts, patterns, strict=True)):
            segment = (cut[:, None, :] <= first[:, :, None]).sum(axis=2)
            state |= np.take_along_axis(pattern[part], segment, axis=1).astype(np.intp) << n
        weight = np.broadcast_to(sizes[part, None], first.shape)
        for one in range(states):
            at = (state == one) & (first < last)
            for ends, sign in ((first, 1), (last, -1)):
                found[one] += sign * np.bincount(ends[at], weight[at], length + 1).astype(np.int64)
            for n, each in enumerate(sums):
                totals[n, one, kinds[part]] += np.where(at, each[last] - each[first], 0).sum(axis=1)
    return np.cumsum(found, axis=1)[:, :length].astype(np.int32)


def _correct(
    answers: Sequence[RowAnswers],
    groups: Groups,
    weights: tuple[Whole, Whole],
    pairs: Pairs,
    into: tuple[npt.NDArray[np.int32], Whole, Whole],
) -> None:
    """Replace what was counted for the principals to whom a record is their own."""
    records, people, money = into
    for rows, sign in ((pairs.records, -1), (pairs.rows, 1)):
        state = states_of(answers, groups, pairs.principals, rows)
        np.add.at(records, (state, pairs.records), sign)
        np.add.at(people, (state, pairs.principals), sign * weights[0][pairs.records])
        np.add.at(money, (state, pairs.principals), sign * weights[1][pairs.records])


def states_of(answers: Sequence[RowAnswers], groups: Groups, principals: Places, rows: Places) -> Places:
    """The state of each pair of a principal and a row."""
    numbers = groups.numbers[rows] if len(groups.numbers) else groups.numbers
    found = np.zeros(len(rows), dtype=np.intp)
    for n, one in enumerate(answers):
        found |= one.allowed(principals, groups.codes[rows], numbers).astype(np.intp) << n
    return found

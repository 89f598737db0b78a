"""Exact thresholds: the amounts at which an effect flips, whatever grid was swept.

The candidates of a class (see ``points``) cut the whole line of numbers into the candidates themselves
and the gaps between them. What the sweep did not ask of these is asked: each candidate, a number of each
gap, and the ends of the line; then, where the effect flips at a candidate, the doubles and cents beside it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.intervals import Intervals
from clerk_cerbos_lab.identity.pseudonyms import pseudonym
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.sweeps.ask import Batch, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import CompressedEffects, Points
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.pdp.snapshots import Source
    from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints

CENT: Final = 0.01

FARTHEST: Final = sys.float_info.max


class DisagreementError(Exception):
    """An answer is not what the others say it must be; names where."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """The line of numbers, cut at candidates into segments, in ascending order.

    Attributes:
        candidates: the numbers cut at.
        asked: numbers to ask, ascending.
        segment: for each of these, the position of its segment.
        lower, lower_closed, upper, upper_closed: the ends of each segment.
    """

    candidates: npt.NDArray[np.float64]
    asked: list[float]
    segment: npt.NDArray[np.intp]
    lower: npt.NDArray[np.float64]
    lower_closed: npt.NDArray[np.bool_]
    upper: npt.NDArray[np.float64]
    upper_closed: npt.NDArray[np.bool_]

    def segments_of(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """The segments that numbers lie in."""
        at = np.searchsorted(self.lower, numbers, "right") - 1  # the last segment that begins at or before
        begins = (self.lower[at] == numbers) & ~self.lower_closed[at]
        return np.where(begins, at - 1, at)


def cut(numbers: Sequence[float]) -> _Cut:
    """Cut the line of doubles at these numbers (ascending, finite).

    Asked are each of them, the double above it, and the ends of the line.
    """
    ends: list[tuple[float, bool, float, bool]] = []
    asked: list[float] = []
    segment: list[int] = []

    def add(low: float, low_closed: bool, high: float, high_closed: bool, *points: float) -> None:  # noqa: FBT001
        if points:
            ends.append((low, low_closed, high, high_closed))
            for point in points:
                asked.append(point)
                segment.append(len(ends) - 1)

    edges = [-np.inf, *numbers, np.inf]
    for low, high in itertools.pairwise(edges):
        above = math.nextafter(low, math.inf)
        inside = [above] if -np.inf < low and above < high else []
        if low == -np.inf:
            inside = [-FARTHEST] if high > -FARTHEST else []
        if high == np.inf and max(low, *inside, -np.inf) < FARTHEST:
            inside.append(FARTHEST)
        add(low, False, high, False, *inside)  # noqa: FBT003 - an open gap
        if high < np.inf:
            add(high, True, high, True, high)  # noqa: FBT003 - the number itself
    lower, lower_closed, upper, upper_closed = zip(*ends, strict=True)
    return _Cut(
        np.array(numbers, dtype=np.float64),
        asked,
        np.array(segment, dtype=np.intp),
        np.array(lower, dtype=np.float64),
        np.array(lower_closed, dtype=np.bool_),
        np.array(upper, dtype=np.float64),
        np.array(upper_closed, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The effects of one class at the points of an axis.

    Attributes:
        number: of the class.
        effect: ``allowed[action, *other axes, point]``.
        numbers: the points, in the order of the axis.
        compared: for each whether it is a number that the class is compared with; the others lie in gaps.
    """

    number: int
    effect: npt.NDArray[np.bool_]
    numbers: npt.NDArray[np.float64]
    compared: npt.NDArray[np.bool_]


def around(candidates: Sequence[Breakpoints | None]) -> list[float] | None:
    """An axis that meets every number compared with and every gap: each, and the doubles beside it.

    Returns:
        Ascending numbers, at least one; None where it is not known what some class is compared with.
    """
    numbers: set[float] = set()
    for some in candidates:
        if some is None:
            return None
        numbers.update(some.numbers)
    beside = {math.nextafter(number, way) for number in numbers for way in (-math.inf, math.inf)}
    return sorted(number for number in numbers | beside if math.isfinite(number)) or [0.0]


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """What exact thresholds need: whom to ask, and what each class is compared with.

    Attributes:
        source: gives a PDP on the policies of the sweep.
        cells: the answers of the sweep, to compare with.
        question: what all questions have in common.
        people: for each class, the principal who is asked about.
        candidates: by axis name, for each class, what the axis is compared with.
        points: for each class, the points of each axis.
    """

    source: Source
    cells: CompressedEffects
    question: Question
    people: Sequence[Principal]
    candidates: Mapping[str, Sequence[Breakpoints | None]]
    points: Sequence[tuple[Points, ...]]

    def knows(self, axis: str, principals: npt.NDArray[np.intp]) -> bool:
        """Whether it is known, for all of these principals, what an axis is compared with."""
        of_class = self.candidates.get(axis)
        return of_class is not None and all(
            of_class[int(number)] is not None for number in np.unique(self.cells.of[principals])
        )

    def questions(self, axis: str, principals: npt.NDArray[np.intp]) -> int:
        """About how many numbers of an axis would be asked, over the classes of these principals."""
        of_class = self.candidates[axis]
        wanted = [of_class[int(number)] for number in np.unique(self.cells.of[principals])]
        return sum(2 * len(some.numbers) + 2 for some in wanted if some is not None)

    def lines(self, axis: str) -> Iterator[Lines]:
        """What the sweep itself tells of an axis, class by class: nothing is asked.

        Whole where the axis holds, for each number that a class is compared with, the number and one on
        either side of it (see ``around``).

        Args:
            axis: one that is known for all classes.
        """
        place = [own.name for own in self.question.axes].index(axis)
        values = np.array(self.question.axes[place].values, dtype=np.float64)
        for number, points in enumerate(self.points):
            block = self.cells.blocks[int(self.cells.block[number])]
            effect = np.moveaxis(block.effect[int(self.cells.row[number])], place + 1, -1)
            codes = [own.of for at, own in enumerate(points) if at != place]
            candidates = self.candidates[axis][number]
            asked = values[points[place].asked]
            compared = np.isin(asked, candidates.numbers if candidates else ())
            yield Lines(number, effect[np.ix_(np.arange(len(effect)), *codes)], asked, compared)

    def intervals(
        self, index: Sequence[npt.NDArray[np.intp]], actions: Sequence[str], axis: str
    ) -> Intervals:
        """Intervals of equal effect along an axis, each boundary asked on both sides.

        Args:
            index: positions of the decisions wanted, one array a dimension.
            actions: their names, in the order of the index.
            axis: one that is known for all principals of the index.

        Raises:
            DisagreementError: when an answer contradicts another, or the sweep's.
            PDPError: when there is no PDP to ask any more.
        """
        place = [own.name for own in self.question.axes].index(axis)
        wanted = [_Lines(self, int(number), index, place) for number in np.unique(self.cells.of[index[0]])]
        question = dataclasses.replace(self.question, actions=tuple(actions))
        groups: dict[Any, list[_Lines]] = {}
        for lines in wanted:
            groups.setdefault(lines.key, []).append(lines)
        with self.source.open() as pdp:
            parts = [Batch([lines.person for lines in some], some[0].values) for some in groups.values()]
            total = sum(len(part.people) * part.combinations for part in parts) * len(actions)
            with (
                progress(total, "decisions") as advance,
                closing(ask(pdp, question, parts, advance)) as answers,
            ):
                for some, answer in zip(groups.values(), answers, strict=True):
                    for lines, own in zip(some, answer, strict=True):
                        lines.take(own)
            confirming = [lines for lines in wanted if lines.beside()]
            parts = [lines.confirmation for lines in confirming]
            total = sum(part.combinations for part in parts) * len(actions)
            with (
                progress(total, "decisions") as advance,
                closing(ask(pdp, question, parts, advance)) as answers,
            ):
                for lines, answer in zip(confirming, answers, strict=True):
                    lines.confirm(answer[0])
        return _table(wanted, self.cells, index, place)


class _Lines:
    """All lines of one class along the axis: one for each action and combination of the other axes."""

    def __init__(self, exact: Exact, number: int, index: Sequence[npt.NDArray[np.intp]], place: int) -> None:
        cells, axis = exact.cells, exact.question.axes[place].name
        self.number = number
        self.person = exact.people[number]
        self.place = place
        candidates = exact.candidates[axis][number]
        assert candidates is not None  # noqa: S101 - see `knows`
        self.cut = _cut_at(candidates.numbers)
        points = exact.points[number]
        self.codes: list[npt.NDArray[np.intp]] = []  # for each other axis, which of `values` each place has
        values: list[Sequence[Any]] = []
        known: list[npt.NDArray[np.intp]] = []  # the points of the sweep that `values` are
        for at, (own, of_axis) in enumerate(zip(points, exact.question.axes, strict=True)):
            if at == place:
                numbers = np.array([of_axis.values[i] for i in own.asked], dtype=np.float64)
                swept = self.cut.segments_of(numbers)
                values.append(self._needed(swept))
                known.append(np.arange(len(own.asked)))
                continue
            used, codes = np.unique(own.of[index[at + 2]], return_inverse=True)
            values.append([of_axis.values[int(own.asked[i])] for i in used])
            known.append(used.astype(np.intp))
            self.codes.append(codes.astype(np.intp))
        self.values = tuple(values)
        self.key = (
            tuple(self._need.tolist()),
            id(self.cut),
            tuple(tuple(map(int, own)) for own in known),
            id(cells.blocks[cells.block[number]]),
        )
        block = cells.blocks[int(cells.block[number])]
        held = block.effect[cells.row[number]][np.ix_(index[1], *known)]
        held = np.moveaxis(held, place + 1, -1)
        self.effect = np.zeros((*held.shape[:-1], len(self.cut.lower)), dtype=np.bool_)
        self.effect[..., swept] = held  # [action, *others, segment]
        self._name = axis

    def _needed(self, swept: npt.NDArray[np.intp]) -> list[float]:
        """The numbers to ask: the ends of the line, and those of segments that the sweep did not meet."""
        unknown = np.setdiff1d(np.arange(len(self.cut.lower)), swept)
        need = np.isin(self.cut.segment, unknown)
        need[[0, -1]] = True
        self._need = np.flatnonzero(need)
        self._new = np.isin(self.cut.segment[self._need], unknown)
        return [self.cut.asked[i] for i in self._need]

    def take(self, answer: npt.NDArray[np.bool_]) -> None:
        """Take the answers, ``allowed[action, *axes]``."""
        asked = np.moveaxis(answer, self.place + 1, -1)
        segments = self.cut.segment[self._need]
        self.effect[..., segments[self._new]] = asked[..., self._new]
        if not np.array_equal(self.effect[..., segments], asked):
            self._disagree("two numbers between which no policy can tell a difference")

    def beside(self) -> bool:
        """Find what lies beside each boundary and was not asked yet; whether there is anything."""
        flips = self.effect[..., 1:] != self.effect[..., :-1]
        combinations = np.argwhere(flips.any(axis=0))
        at = np.searchsorted(self.cut.candidates, self.cut.upper[combinations[:, -1]])
        pairs = np.unique(np.column_stack([combinations[:, :-1], at]), axis=0)
        columns: list[npt.NDArray[np.intp]] = []
        numbers: list[npt.NDArray[np.float64]] = []
        boundary = self.cut.candidates[pairs[:, -1]]
        besides = (
            np.nextafter(boundary, -np.inf),
            np.nextafter(boundary, np.inf),
            boundary - CENT,
            boundary + CENT,
        )
        for beside in besides:
            columns.append(pairs[:, :-1])
            numbers.append(beside)
        self._combinations = np.concatenate(columns) if columns else np.zeros((0, 0), dtype=np.intp)
        self._numbers = np.concatenate(numbers)
        near = self.cut.segments_of(self._numbers)
        edge = np.tile(pairs[:, -1], len(besides))
        inside = self._within(near, edge)
        self._combinations, self._numbers = self._combinations[inside], self._numbers[inside]
        return len(self._numbers) > 0

    def _within(self, near: npt.NDArray[np.intp], edge: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Whether a number lies in a gap beside its boundary, not at or past the next candidate."""
        boundary = self.cut.candidates[edge]
        left = (self.cut.upper[near] == boundary) & ~self.cut.upper_closed[near]
        right = (self.cut.lower[near] == boundary) & ~self.cut.lower_closed[near]
        inside: npt.NDArray[np.bool_] = left | right
        return inside

    @property
    def confirmation(self) -> Batch:
        """What lies beside the boundaries, as questions."""
        others = iter(range(self._combinations.shape[1]))
        columns: list[Sequence[Any]] = []
        for at, values in enumerate(self.values):
            if at == self.place:
                columns.append(self._numbers.tolist())
            else:
                column = self._combinations[:, next(others)]
                columns.append([values[int(i)] for i in column])
        return Batch([self.person], tuple(columns), listed=True)

    def confirm(self, answer: npt.NDArray[np.bool_]) -> None:
        """Compare the answers, ``allowed[action, question]``, with those of the segments they lie in."""
        segments = self.cut.segments_of(self._numbers)
        expected = self.effect[(slice(None), *self._combinations.T, segments)]
        if not np.array_equal(expected, answer.reshape(expected.shape)):
            self._disagree("the numbers beside a boundary and those farther away")

    def _disagree(self, what: str) -> None:
        msg = f"{what} have different effects, principal {pseudonym(self.person.id)}, {self._name}"
        raise DisagreementError(msg)


_known_cuts: dict[tuple[float, ...], _Cut] = {}


def _cut_at(numbers: tuple[float, ...]) -> _Cut:
    """The same cut for the same numbers, so that classes that share it are asked together."""
    if len(_known_cuts) > 10_000:
        _known_cuts.clear()
    return _known_cuts.setdefault(numbers, cut(numbers))


def _table(
    wanted: Sequence[_Lines], cells: CompressedEffects, index: Sequence[npt.NDArray[np.intp]], place: int
) -> Intervals:
    """The intervals of each principal, from those of the classes."""
    counts, columns = [], []
    base = np.zeros(len(cells.block), dtype=np.int64)  # for each class, the number of its first line
    lines_before = 0
    for lines in wanted:
        base[lines.number] = lines_before
        effect = lines.effect.reshape(-1, lines.effect.shape[-1])
        lines_before += len(effect)
        line, start = np.nonzero(np.diff(effect, axis=1, prepend=~effect[:, :1]))
        last = np.append(line[1:] != line[:-1], True)
        after = np.append(start[1:], 0)  # an interval ends where the next begins
        counts.append(np.bincount(line, minlength=len(effect)))
        columns.append(
            (
                lines.cut.lower[start],
                lines.cut.lower_closed[start],
                np.where(last, np.inf, lines.cut.lower[after]),
                ~last & ~lines.cut.lower_closed[after],
                effect[line, start],
            )
        )
    count = np.concatenate(counts)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    shape = [len(index[0]), len(index[1])]
    shape += [len(own) for at, own in enumerate(index[2:]) if at != place]
    number = np.empty(shape, dtype=np.int64)
    order = np.argsort(cells.of[index[0]], kind="stable")
    ends = np.cumsum(np.bincount(cells.of[index[0]], minlength=len(cells.block)))
    for lines in wanted:
        own = order[ends[lines.number - 1] if lines.number else 0 : ends[lines.number]]
        inner = lines.effect.shape[:-1]
        local = np.arange(int(np.prod(inner, dtype=np.int64))).reshape(inner)
        number[own] = base[lines.number] + local[np.ix_(np.arange(inner[0]), *lines.codes)]
    flat = number.ravel()
    repeats = count[flat]
    starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
    at = np.repeat(first[flat], repeats) + np.arange(int(repeats.sum())) - starts
    lower, lower_closed, upper, upper_closed, allow = (
        np.concatenate(held)[at] for held in zip(*columns, strict=True)
    )
    codes = np.unravel_index(np.repeat(np.arange(len(flat)), repeats), tuple(shape))
    return Intervals(
        codes=codes,
        columns={
            "lower": lower,
            "lower_closed": lower_closed,
            "upper": upper,
            "upper_closed": upper_closed,
            "effect": pd.array(np.where(allow, "ALLOW", "DENY"), dtype="str"),
            "exact": np.ones(len(at), dtype=np.bool_),
            "boundary": pd.array(["exact"], dtype="str").take(np.zeros(len(at), dtype=np.intp)),
        },
    )

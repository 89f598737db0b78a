"""Exact thresholds: the amounts at which an effect flips, whatever the grid.

The breakpoints of a class divide the number line into the breakpoints themselves and the gaps between them.
The first round asks each breakpoint, one number in each gap, and the ends of the line, unless the grid
includes them anyway. The second round asks the doubles and cents next to each breakpoint at which an effect
flips; these answers must agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.cells import OwnNumbers, Points
from clerk_cerbos_lab.decisions.lines import LineBlock, Lines
from clerk_cerbos_lab.sweeps.ask import Batch
from clerk_cerbos_lab.sweeps.cuts import FARTHEST, cut, neighbour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import Block, CompressedEffects
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.sweeps.cuts import Cut
    from clerk_cerbos_lab.sweeps.plan import Plan

CENT: Final = 0.01


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two answers that can't both be right if the breakpoints are complete.

    Attributes:
        person: the principal they are about.
        axis: the axis.
        what: what has different effects, in words.
    """

    person: Principal
    axis: str
    what: str


class LineQuestions:
    """What a sweep asks so that every effect is known at every number, not only on the grid.

    Args:
        question: of the sweep.
        plan: its classes and breakpoints.
        cells: the answers on the grid, filled in before ``take``.
    """

    def __init__(self, question: Question, plan: Plan, cells: CompressedEffects) -> None:
        self._question = question
        self._cells = cells
        self._groups: dict[int, list[_Group]] = {}  # by the position of the axis
        cuts: dict[tuple[float, ...], Cut] = {}
        for place, axis in enumerate(question.axes):
            each = plan.breakpoints.get(axis.name)
            if each is None or not axis.numeric:
                continue
            values = np.array(axis.values, dtype=np.float64)
            found: dict[tuple[int, int], _Group] = {}
            for number, breakpoints in enumerate(each):
                if breakpoints is None:
                    continue
                key = (id(breakpoints), int(cells.block[number]))
                group = found.get(key)
                if group is None:
                    numbers = breakpoints.numbers
                    if numbers not in cuts:
                        cuts[numbers] = cut(numbers)
                    block = cells.blocks[key[1]]
                    group = found[key] = _Group(question, place, values, cuts[numbers], block)
                group.add(number, plan.people[number], int(cells.row[number]))
            if found:
                self._groups[place] = list(found.values())

    def _every(self) -> list[_Group]:
        return [group for groups in self._groups.values() for group in groups]

    def batches(self) -> list[Batch]:
        """The first round."""
        return [group.batch() for group in self._every() if group.unasked]

    def take(self, answers: Sequence[npt.NDArray[np.bool_]]) -> Contradiction | None:
        """Store the answers of the first round; those of the grid must be there already."""
        left = iter(answers)
        wrong = [group.take(next(left) if group.unasked else None) for group in self._every()]
        return next(filter(None, wrong), None)

    def confirmations(self) -> list[Batch]:
        """The second round: the numbers next to each boundary."""
        self._confirming = [pair for group in self._every() for pair in group.confirmations()]
        return [confirmation.batch for _, confirmation in self._confirming]

    def confirm(self, answers: Sequence[npt.NDArray[np.bool_]]) -> Contradiction | None:
        """Compare the answers of the second round with their segments."""
        for (group, confirmation), answer in zip(self._confirming, answers, strict=True):
            wrong = group.confirm(confirmation, answer)
            if wrong is not None:
                return wrong
        return None

    def lines(self) -> Mapping[int, Lines]:
        """All lines, by the position of their axis."""
        return {place: _joined(groups, len(self._cells.block)) for place, groups in self._groups.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Confirmation:
    """Numbers next to the boundaries of some classes.

    Attributes:
        batch: whom and what to ask about.
        rows: of the classes in their group.
        combinations: for each number, the positions of the points on the other axes.
        segments: for each number, its segment.
    """

    batch: Batch
    rows: list[int]
    combinations: npt.NDArray[np.intp]
    segments: npt.NDArray[np.intp]


@dataclass(slots=True, eq=False)
class _Group:
    """Classes with the same breakpoints and the same points on the grid.

    Attributes:
        question: of the sweep.
        place: the position of the axis among all axes.
        axis: the axis.
        cut: the line.
        block: has the answers on the grid.
        classes: their numbers.
        people: the principals to ask about, one per class.
        rows: of the classes in the block.
    """

    question: Question
    place: int
    axis: npt.NDArray[np.float64]
    cut: Cut
    block: Block
    classes: list[int] = field(default_factory=list)
    people: list[Principal] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    effect: npt.NDArray[np.bool_] = field(init=False)
    _need: npt.NDArray[np.intp] = field(init=False)
    _new: npt.NDArray[np.bool_] = field(init=False)
    _swept: npt.NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        """Find the numbers that the grid does not ask."""
        points = self.block.points[self.place]
        own = isinstance(points, OwnNumbers)
        asked = self.axis[points.asked] if isinstance(points, Points) else points.asked
        self._swept = self.cut.segments_of(np.array(asked, dtype=np.float64))
        new = ~np.isin(self.cut.segment, self._swept)
        need = new.copy()
        if not own:
            need[[0, -1]] = True  # the ends of the line, even if the grid has a number in the same gap
        self._need = np.flatnonzero(need)
        self._new = new[self._need]

    def add(self, number: int, person: Principal, row: int) -> None:
        """Add a class."""
        self.classes.append(number)
        self.people.append(person)
        self.rows.append(row)

    def _values(self, numbers: Sequence[float]) -> list[Sequence[Any]]:
        """The values to ask on each axis."""
        return [
            numbers if place == self.place else points.values(axis)
            for place, (axis, points) in enumerate(zip(self.question.axes, self.block.points, strict=True))
        ]

    @property
    def unasked(self) -> bool:
        """Whether there are numbers of the line that the grid does not ask."""
        return len(self._need) > 0

    def batch(self) -> Batch:
        """The numbers of the line that the grid does not ask."""
        return Batch(self.people, tuple(self._values([self.cut.asked[i] for i in self._need])))

    def take(self, answer: npt.NDArray[np.bool_] | None) -> Contradiction | None:
        """Combine the grid's answers with these, ``allowed[person, action, *axes]``, into complete lines."""
        held = np.moveaxis(self.block.effect[self.rows], self.place + 2, -1)
        asked = held[..., :0] if answer is None else np.moveaxis(answer, self.place + 2, -1)
        self.effect = np.zeros((*held.shape[:-1], self.cut.segments), dtype=np.bool_)
        self.effect[..., self._swept] = held
        segments = self.cut.segment[self._need]
        self.effect[..., segments[self._new]] = asked[..., self._new]
        empty = np.setdiff1d(np.arange(self.cut.segments), [*self._swept, *segments])
        for gap in empty.tolist():  # contains no double
            self.effect[..., gap] = self.effect[..., gap - 1 if gap else 1]
        wrong = (self.effect[..., segments] != asked).reshape(len(self.rows), -1).any(axis=1)
        wrong |= (self.effect[..., self._swept] != held).reshape(len(self.rows), -1).any(axis=1)
        return self._contradiction(wrong, "two numbers that the policies cannot tell apart")

    def confirmations(self) -> list[tuple[_Group, _Confirmation]]:
        """Numbers next to each boundary that were not asked yet, grouped by classes with equal boundaries."""
        flips = (self.effect[..., 1:] != self.effect[..., :-1]).any(axis=1)  # [class, *others, segment]
        alike: dict[bytes, list[int]] = {}
        for row in range(len(flips)):
            alike.setdefault(np.packbits(flips[row]).tobytes(), []).append(row)
        found = []
        for rows in alike.values():
            at = np.argwhere(flips[rows[0]])
            pairs = np.unique(np.column_stack([at[:, :-1], at[:, -1] // 2]), axis=0)
            edge = pairs[:, -1]
            boundary = self.cut.breakpoints[edge]
            numbers = np.concatenate(
                [
                    neighbour(boundary, -math.inf),
                    neighbour(boundary, math.inf),
                    boundary - CENT,
                    boundary + CENT,
                ]
            )
            segments, beside = self.cut.segments_of(numbers), np.tile(edge, 4)
            inside = (segments == 2 * beside) | (segments == 2 * beside + 2)
            inside &= np.abs(numbers) <= FARTHEST
            if not inside.any():
                continue
            combinations = np.tile(pairs[:, :-1], (4, 1))[inside]
            batch = Batch(
                [self.people[row] for row in rows], self._columns(combinations, numbers[inside]), listed=True
            )
            found.append((self, _Confirmation(batch, rows, combinations, segments[inside])))
        return found

    def _columns(
        self, combinations: npt.NDArray[np.intp], numbers: npt.NDArray[np.float64]
    ) -> tuple[Sequence[Any], ...]:
        """The values of each axis, one per number."""
        others = iter(combinations.T)
        return tuple(
            numbers.tolist() if place == self.place else [values[i] for i in next(others)]
            for place, values in enumerate(self._values(()))
        )

    def confirm(self, asked: _Confirmation, answer: npt.NDArray[np.bool_]) -> Contradiction | None:
        """Compare answers, ``allowed[person, action, number]``, with those of their segments."""
        effect = self.effect[asked.rows]
        expected = effect[(slice(None), slice(None), *asked.combinations.T, asked.segments)]
        differs = (expected != answer.reshape(expected.shape)).reshape(len(asked.rows), -1).any(axis=1)
        wrong = np.zeros(len(self.rows), dtype=np.bool_)
        wrong[asked.rows] = differs
        return self._contradiction(wrong, "the numbers next to a boundary and those farther away")

    def _contradiction(self, wrong: npt.NDArray[np.bool_], what: str) -> Contradiction | None:
        if not wrong.any():
            return None
        return Contradiction(self.people[int(np.argmax(wrong))], self.question.axes[self.place].name, what)


def _joined(groups: Sequence[_Group], classes: int) -> Lines:
    """The lines of all groups, in blocks with equally many breakpoints and the same other points."""
    alike: dict[tuple[int, int], list[_Group]] = {}
    for group in groups:
        alike.setdefault((id(group.block), len(group.cut.breakpoints)), []).append(group)
    block, row = np.full(classes, -1, dtype=np.intp), np.zeros(classes, dtype=np.intp)
    made = []
    for number, some in enumerate(alike.values()):
        own = np.array([one for group in some for one in group.classes], dtype=np.intp)
        order = np.argsort(own, kind="stable")
        block[own[order]], row[own[order]] = number, np.arange(len(own))
        breakpoints = np.concatenate(
            [np.tile(group.cut.breakpoints, (len(group.classes), 1)) for group in some]
        )
        effect = np.concatenate([group.effect for group in some])
        points = list(some[0].block.points)
        axis = points.pop(some[0].place)
        line = axis if isinstance(axis, OwnNumbers) else None
        made.append(LineBlock(own[order], breakpoints[order], tuple(points), effect[order], line))
    return Lines(tuple(made), block, row)

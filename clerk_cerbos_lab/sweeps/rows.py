"""Asks about a list of rows, such as past records, instead of every combination of values.

The plan is that of a sweep whose axes have the values of the rows: it says which principals are alike, and
which values of an axis. Rows whose values are alike for everybody are one group, and of each group a class of
principals is asked about one row. Along one numeric axis on which people have numbers of their own, a
group is a line: it is asked about one number in each segment, and the segment of a row is found with
each principal's own numbers.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.cells import OwnNumbers, Points
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.sweeps.ask import Batch, ask
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of, members_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import OwnPoints
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.sweeps.plan import Plan

    Places = npt.NDArray[np.intp]

MOST_ANSWERS: Final = 100_000_000
"""Classes times groups times points that are kept: 100 MB."""

MOST_QUESTIONS: Final = 20_000_000
"""Questions about rows: ten minutes of requests."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows, divided into groups of rows that are alike for everybody.

    Attributes:
        codes: for each row, the number of its group.
        examples: for each group, its first row.
        line: the axis along which the rows of a group may differ; None if there is none.
        numbers: the value of each row on that axis; empty without one.
    """

    codes: Places
    examples: Places
    line: int | None
    numbers: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True, eq=False)
class RowAnswers:
    """What a PDP answers about groups of rows.

    Attributes:
        classes: for each principal, the number of their class.
        effect: ``[class, group, point]``: whether it is ALLOW.
        edges: ``[principal, n]``: their breakpoints on the line, ascending; infinite where they have fewer.
        segments: ``[principal, 2 n + 1]``: the point of each gap and breakpoint on the line.
        asked: how many questions were asked.
    """

    classes: Places
    effect: npt.NDArray[np.bool_]
    edges: npt.NDArray[np.float64]
    segments: Places
    asked: int

    def allowed(self, principals: Places, groups: Places, numbers: npt.NDArray[np.float64]) -> Any:
        """Whether each of these principals is allowed each of these rows: one effect for each pair.

        Args:
            principals: positions.
            groups: of the rows.
            numbers: of the rows, on the line; empty without a line.
        """
        point = np.zeros(len(principals), dtype=np.intp)
        if self.edges.shape[1] and len(numbers):
            edges = self.edges[principals]
            segment = (edges < numbers[:, None]).sum(axis=1) + (edges <= numbers[:, None]).sum(axis=1)
            point = self.segments[principals, segment]
        return self.effect[self.classes[principals], groups, point]


def groups_of(question: Question, places: Sequence[Places], plans: Sequence[Plan]) -> Groups:
    """Divide rows into groups.

    Args:
        question: its axes have every value of the rows.
        places: for each axis, the position of each row's value.
        plans: of each PDP that is asked.

    Raises:
        InputError: if the rows are too different to be kept.
    """
    every = [{id(own): own for plan in plans for points in plan.points for own in (points[axis],)}
             for axis in range(len(question.axes))]  # fmt: skip
    numeric = [
        axis
        for axis, points in enumerate(every)
        if any(isinstance(own, OwnNumbers) for own in points.values())
    ]
    line = max(numeric, key=lambda axis: len(question.axes[axis].values), default=None)
    columns = []
    for axis, points in enumerate(every):
        shared = [own.codes for own in points.values() if isinstance(own, Points)]
        if axis != line and len(shared) < len(points):  # texts of one's own: each value counts
            columns.append(places[axis])
        elif shared:
            columns.append(dense_rows(np.column_stack(shared))[places[axis]])
    rows = len(places[0]) if places else 1
    codes = dense_rows(np.column_stack(columns)) if columns else np.zeros(rows, dtype=np.intp)
    numbers = np.zeros(0)
    if line is not None:
        numbers = np.array(question.axes[line].values, dtype=np.float64)[places[line]] + 0.0
    return Groups(codes, first_of(codes), line, numbers)


def ask_rows(
    pdp: PDP, question: Question, plan: Plan, groups: Groups, places: Sequence[Places]
) -> RowAnswers:
    """Ask a PDP about each group of rows.

    Args:
        pdp: the PDP.
        question: with one action; its axes have every value of the rows.
        plan: of this PDP.
        groups: the rows.
        places: for each axis, the position of each row's value.

    Raises:
        InputError: if that takes too many questions.
        PDPError: if the PDP refuses or can't be restarted.
    """
    line = groups.line
    at = [column[groups.examples] for column in places]  # [axis][group]
    classes, people, points = _split(plan, line)
    blocks: dict[tuple[int, ...], list[int]] = {}
    for number, own in enumerate(points):
        alone = any(not isinstance(one, Points) for axis, one in enumerate(own) if axis != line)
        blocks.setdefault((number,) if alone else tuple(map(id, own)), []).append(number)
    most = max(_along(own, line) for own in points)
    if len(points) * len(groups) * most > MOST_ANSWERS:
        _too_many(len(points) * len(groups) * most, plan)
    batches, fills = [], []
    for numbers in blocks.values():
        own = points[numbers[0]]
        batch, back = _batch(question, own, people[numbers], at, line, plan)
        batches.append(batch)
        fills.append((numbers, back, _along(own, line)))
    asked = sum(math.prod(batch.shape) for batch in batches)
    if asked > MOST_QUESTIONS:
        _too_many(asked, plan)
    effect = np.zeros((len(points), len(groups), most), dtype=np.bool_)
    with progress(asked, "decisions") as advance, closing(ask(pdp, question, batches, advance)) as answers:
        for (numbers, back, count), answer in zip(fills, answers, strict=True):
            effect[numbers, :, :count] = answer[:, 0].reshape(len(numbers), -1, count)[:, back]
    edges, segments = _lines(classes, points, line)
    return RowAnswers(classes, effect, edges, segments, asked)


def _along(points: tuple[Points | OwnPoints, ...], line: int | None) -> int:
    """How many numbers on the line a class is asked about."""
    return 1 if line is None or isinstance(points[line], Points) else len(points[line].asked)


def _too_many(count: int, plan: Plan) -> None:
    because = f" {' '.join(plan.notes)}" if plan.notes else ""
    msg = f"{count:,} questions about different situations are too many.{because}"
    raise InputError(msg)


def _split(
    plan: Plan, line: int | None
) -> tuple[Places, npt.NDArray[Any], list[tuple[Points | OwnPoints, ...]]]:
    """Classes whose members have the same points on every axis but the line.

    Returns:
        For each principal the number of their class, and for each class a member and the points.
    """
    columns = [plan.codes]
    for own in {id(own): own for points in plan.points for i, own in enumerate(points) if i != line}.values():
        if isinstance(own, Points):
            continue
        members = np.flatnonzero(
            np.isin(plan.codes, [n for n, some in enumerate(plan.points) if own in some])
        )
        for values in own.differences(members):
            column = np.zeros(len(plan.codes), dtype=np.intp)
            column[members] = dense_rows(np.asarray(values)[:, None]) + 1
            columns.append(column)
    classes = dense_rows(np.column_stack(columns))
    first = first_of(classes)
    return classes, first, [plan.points[int(plan.codes[row])] for row in first]


def _batch(  # noqa: PLR0917 - one block of a plan
    question: Question,
    points: tuple[Points | OwnPoints, ...],
    members: Places,
    at: Sequence[Places],
    line: int | None,
    plan: Plan,
) -> tuple[Batch, Places]:
    """What to ask about the classes with these points, and for each group the position of its answer."""
    codes: list[Places] = []
    for axis, own in enumerate(points):
        if axis == line and not isinstance(own, Points):
            codes.append(np.zeros(len(at[axis]), dtype=np.intp))
        elif isinstance(own, Points):
            codes.append(own.codes[at[axis]].astype(np.intp))
        else:
            codes.append(own.codes_of(members[:1], at[axis])[0])
    stacked = np.column_stack(codes) if codes else np.zeros((1, 0), dtype=np.intp)
    back = dense_rows(stacked)
    different = stacked[first_of(back)]
    values = [own.values(axis) for axis, own in zip(question.axes, points, strict=True)]
    chosen: list[list[Any]] = [[] for _ in points]
    for row in different.tolist():
        for number in range(_along(points, line)):
            for axis, code in enumerate(row):
                chosen[axis].append(values[axis][code + number if axis == line else code])
    people = [plan.people[int(plan.codes[row])] for row in members]
    return Batch(people, tuple(chosen), listed=True), back


def _lines(
    classes: Places, points: Sequence[tuple[Points | OwnPoints, ...]], line: int | None
) -> tuple[npt.NDArray[np.float64], Places]:
    """The breakpoints of each principal on the line, and the point of each segment."""
    own = [points[number][line] if line is not None else None for number in range(len(points))]
    most = max((len(one.numbers) for one in own if isinstance(one, OwnNumbers)), default=0)
    edges = np.full((len(classes), most), math.inf)
    segments = np.zeros((len(classes), 2 * most + 1), dtype=np.intp)
    for one, members in zip(own, members_of(classes, len(points)), strict=True):
        if isinstance(one, OwnNumbers):
            count = len(one.numbers)
            edges[members, :count] = one.breakpoints(members)
            segments[np.ix_(members, np.arange(2 * count + 1))] = one.codes
    return edges, segments

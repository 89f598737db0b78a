"""The sweep that asks each different question once: classes of principals, at points of the axes.

Every effect is the PDP's answer to a cell of the sweep. What a policy analysis claims is only that
some cells must have the same answer; a sample of cells is asked besides, to notice where it is wrong.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import points as cut
from clerk_cerbos_lab.analysis import Analysis, analyse
from clerk_cerbos_lab.cel import Literal
from clerk_cerbos_lab.cells import Block, ClassCells
from clerk_cerbos_lab.classes import Classes, classes_of, each_alone, values_by_name
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.plans import planned_values
from clerk_cerbos_lab.points import Candidates, Line, Points
from clerk_cerbos_lab.questions import Part, Question
from clerk_cerbos_lab.scratch import computed_values
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.analysis import Comparison
    from clerk_cerbos_lab.decisions import Axis
    from clerk_cerbos_lab.pdp import PDP
    from clerk_cerbos_lab.plans import Planned
    from clerk_cerbos_lab.principals import People, Principal
    from clerk_cerbos_lab.snapshots import Snapshot

FEW: Final = 100
"""A draw from more than this many times what is drawn may meet the same again."""

REASONS: Final = 2
"""How many uses a note names; a policy can have hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is asked, and which answer stands for which cell.

    Attributes:
        classes: of the principals.
        people: for each class, its first principal, who is asked about.
        candidates: by axis name, for each class, the values the axis is compared with; only axes that
            are asked at points, or that no policy reads (then there are none).
        points: for each class, the points of each axis.
        notes: sentences on what is asked value by value, and why.
        clock: whether the policies read the time.
        whole: whether they use the resource as a whole, and so read every attribute.
    """

    classes: Classes
    people: Sequence[Principal]
    candidates: Mapping[str, Sequence[Candidates]]
    points: Sequence[tuple[Points, ...]]
    notes: tuple[str, ...]
    clock: bool = False
    whole: bool = False

    @property
    def questions(self) -> int:
        """How many resources are asked about, over all classes."""
        return sum(math.prod(len(points.asked) for points in of_class) for of_class in self.points)


def plan(pdp: PDP, people: People, question: Question, snapshot: Snapshot | None) -> Plan:
    """Find the classes and points of a sweep.

    Args:
        pdp: tells its policies.
        people: the principals.
        question: what is asked about each.
        snapshot: of the policies; where there is none (a PDP at an address), computed values and
            attribute schemas are not known, and what depends on them is asked value by value.

    Raises:
        PDPError: when the PDP can't be asked.
    """
    try:
        documents = pdp.documents()
    except PDPError as error:
        if snapshot is not None:
            raise
        return _each(people, question, f"the PDP does not tell its policies ({error})")
    analysis = analyse(documents, question.kind)
    why = (
        analysis.unreadable
        or _schemas(documents, snapshot)
        or _overlooked(pdp, analysis, documents, question.kind)
    )
    if why:
        return _each(people, question, why)
    classes = classes_of(people, analysis, question)
    planner = _Planner(people, question, analysis, classes, documents, snapshot)
    return planner.plan(lambda: planned_values(pdp, planner.people, question))


def _each(people: People, question: Question, why: str) -> Plan:
    """The plan of somebody who knows nothing: every value of everything, for everybody."""
    points = tuple(cut.every_value(axis) for axis in question.axes)
    note = f"Every cell is asked: {why}."
    return Plan(each_alone(people), people, {}, [points] * len(people), (note,))


def _schemas(documents: Sequence[Mapping[str, Any]], snapshot: Snapshot | None) -> str | None:
    """Why schemas make an analysis worthless, where they do: they may reject any value."""
    if not any(document.get("resourcePolicy", {}).get("schemas") for document in documents):
        return None
    if snapshot is None:
        return "the policies have schemas, and this PDP may enforce them"
    enforcement = (snapshot.config.get("schema") or {}).get("enforcement", "none")
    return None if enforcement in {"none", "warn"} else "the PDP rejects what breaks a schema"


def _overlooked(
    pdp: PDP, analysis: Analysis, documents: Sequence[Mapping[str, Any]], kind: str
) -> str | None:
    """Why the analysis can't be trusted, where Cerbos's own says that more is read."""
    _, resource = pdp.resource_attributes(kind)
    read = analysis.principal_attributes
    of_principal = set() if read is None else pdp.principal_attributes(kind) - read
    of_resource = set() if analysis.whole else resource - set(analysis.uses)
    outputs = json.dumps([_outputs(document) for document in documents])  # told of too, but decide nothing
    missed = sorted(name for name in of_principal | of_resource if json.dumps(name)[1:-1] not in outputs)
    return (
        f"Cerbos tells of attributes that the analysis does not find: {', '.join(missed)}" if missed else None
    )


def _outputs(document: Mapping[str, Any]) -> list[Any]:
    return [rule.get("output") for rule in document.get("resourcePolicy", {}).get("rules", ())]


class _Planner:
    """Cuts the axes of one sweep."""

    def __init__(  # noqa: PLR0917 - what a plan depends on
        self,
        people: People,
        question: Question,
        analysis: Analysis,
        classes: Classes,
        documents: Sequence[Mapping[str, Any]],
        snapshot: Snapshot | None,
    ) -> None:
        self._question = question
        self._analysis = analysis
        self._classes = classes
        self.people = [people[int(row)] for row in classes.first]
        self._documents = documents
        self._snapshot = snapshot
        self._sent = values_by_name(question)
        self._reasons: dict[str, list[str]] = {}
        self._read = analysis.principal_attributes

    def plan(self, planned: Callable[[], Planned]) -> Plan:
        """Cut the axes; ``planned`` gives what Cerbos's own plans compare attributes with, by class."""
        self._planned = planned
        lines = self._lines()
        found = self._candidates(lines)
        lines = {name: line for name, line in lines.items() if name not in self._reasons}
        unread = {axis.name for axis in self._question.axes if self._unread(axis)}
        fixed: dict[str, Points] = {}
        for axis in self._question.axes:
            if axis.name not in lines:
                fixed[axis.name] = cut.one_point(axis) if axis.name in unread else cut.every_value(axis)
        points = [
            tuple(
                fixed[axis.name] if axis.name in fixed else lines[axis.name].points(found[axis.name][number])
                for axis in self._question.axes
            )
            for number in range(len(self._classes))
        ]
        none = Candidates((), ())
        candidates: dict[str, Sequence[Candidates]] = {name: found[name] for name in lines}
        candidates.update({name: [none] * len(self._classes) for name in unread})
        notes = tuple(self._notes(lines, unread))
        return Plan(
            self._classes,
            self.people,
            candidates,
            points,
            notes,
            self._analysis.clock,
            bool(self._analysis.whole),
        )

    def _unread(self, axis: Axis) -> bool:
        return not self._analysis.whole and axis.name not in self._analysis.uses

    def _lines(self) -> dict[str, Line]:
        """The axes that can be cut, longest first; what they are compared with is asked value by value."""
        lines: dict[str, Line] = {}
        held: dict[str, str] = {}  # axis → the one that is compared with it
        for axis in sorted(self._question.axes, key=lambda axis: -len(axis.values)):
            use = self._analysis.uses.get(axis.name)
            if use is None and not self._analysis.whole:
                continue
            otherwise = [*self._analysis.whole, *(use.otherwise if use else ())]
            if axis.name in held:
                otherwise.append(f"'{held[axis.name]}' is compared with it")
            if use is None or otherwise:
                self._reasons[axis.name] = otherwise
                continue
            reads = {name for comparison in use.comparisons for name in comparison.reads}
            both = reads & set(lines)
            if both:
                self._reasons[axis.name] = [f"it is compared with '{min(both)}'"]
                continue
            line = Line(axis, use)
            if any(comparison.reads for comparison in use.comparisons):
                held.update(dict.fromkeys(reads, axis.name))
            lines[axis.name] = line
        return lines

    def _candidates(self, lines: Mapping[str, Line]) -> dict[str, list[Candidates]]:
        """For each line and class, what it is compared with."""
        rows = self.people
        found: dict[str, list[list[object]]] = {name: [[] for _ in rows] for name in lines}
        open_ends: dict[str, list[Comparison]] = {}
        for name, line in lines.items():
            for comparison in line.comparisons:
                each = self._values(comparison)
                if each is None:
                    open_ends.setdefault(name, []).append(comparison)
                    continue
                for own, values in zip(found[name], each, strict=True):
                    own.extend(values)
            if line.ordered:
                for own, person in zip(found[name], rows, strict=True):
                    own.extend(self._numbers(person))
        self._compute(open_ends, found)
        self._add_planned(found)
        return {name: _candidates_of(each_class) for name, each_class in found.items()}

    def _add_planned(self, found: Mapping[str, list[list[object]]]) -> None:
        """Add, for every class, what a plan compares an axis with and the text of its policies does not."""
        for number, told in self._planned().items() if found else ():
            for name, each_class in found.items():
                own = cut.candidates_from(each_class[number])
                planned = cut.candidates_from(told.get(name, ()))
                new = [*(set(planned.numbers) - set(own.numbers)), *(set(planned.texts) - set(own.texts))]
                for values in each_class if new else ():
                    values.extend(new)

    def _values(self, comparison: Comparison) -> list[list[object]] | None:
        """For each class, what the other side can be; None when only the PDP can compute it."""
        some = self.people[:1] if self._only_of_resource(comparison) else self.people
        each: list[list[object]] = []
        for person in some:
            values = cut.value_of(comparison, person, self._sent, self._question.kind)
            if not isinstance(values, list):
                return None
            each.append(values)
        return each * len(self.people) if len(some) < len(self.people) else each

    def _numbers(self, person: Principal) -> list[object]:
        """The numbers among the attributes that are read: candidates too, whatever they are compared with."""
        return [
            value
            for name, value in person.attr.items()
            if type(value) in {int, float} and (self._read is None or name in self._read)
        ]

    def _only_of_resource(self, comparison: Comparison) -> bool:
        """Whether a value is the same for all principals: a literal, a constant."""
        if comparison.path is not None:
            return comparison.path[0] == "C"
        return isinstance(comparison.other, Literal)

    def _compute(
        self, open_ends: Mapping[str, list[Comparison]], found: Mapping[str, list[list[object]]]
    ) -> None:
        """Let the PDP compute what it alone can; an axis for which it can't is asked value by value."""
        if not open_ends:
            return
        every = [comparison for comparisons in open_ends.values() for comparison in comparisons]
        told = (
            computed_values(
                self._snapshot,
                every,
                self._documents,
                self.people,
                self._sent,
                self._question.aux_data,
                cells=math.prod(len(axis.values) for axis in self._question.axes),
            )
            if self._snapshot
            else None
        )
        place = 0
        for name, comparisons in open_ends.items():
            for comparison in comparisons:
                values = [of_class[place] for of_class in told] if told else None
                place += 1
                if values is None or any(value is None for value in values):
                    file = comparison.environment.file
                    text = f"what it is compared with in {file} can't be computed in advance"
                    self._reasons.setdefault(name, []).append(text)
                    continue
                for own, value in zip(found[name], values, strict=True):
                    own.extend(value or ())

    def _notes(self, lines: Mapping[str, Line], unread: set[str]) -> Iterator[str]:
        for axis in self._question.axes:
            if len(axis.values) > 1 and axis.name not in lines and axis.name not in unread:
                yield f"Every value of {axis.name} is asked: {_some(self._reasons[axis.name])}."
        if self._classes.apart:
            yield f"Principals are kept apart by their id: {_some(self._classes.apart)}."
        if self._analysis.clock:
            yield "The policies read the clock: these decisions hold for the moment they were asked."


def _candidates_of(each_class: Sequence[Sequence[object]]) -> list[Candidates]:
    """The candidates of each class; one object for all classes that have the same."""
    known: dict[tuple[object, ...], Candidates] = {}
    made = []
    for values in each_class:
        wire = tuple(_exact(value) for value in values)
        if wire not in known:
            known[wire] = cut.candidates_from(values)
        made.append(known[wire])
    return made


def _exact(value: object) -> object:
    """Something hashable that differs for values that are cut at differently."""
    scalar = value is None or isinstance(value, (bool, int, float, str))
    return (type(value), value) if scalar else key(value)


def _some(reasons: Sequence[str]) -> str:
    different = list(dict.fromkeys(reasons))
    more = f", and {len(different) - REASONS} more" if len(different) > REASONS else ""
    return ", ".join(different[:REASONS]) + more


def parts_of(people: People, question: Question, found: Plan) -> tuple[list[Part], ClassCells]:
    """The questions of a plan, in parts of equal points; and cells whose effects are still to be filled in.

    Returns:
        The parts, and cells with one block for each, in the same order.
    """
    blocks: dict[tuple[int, ...], int] = {}
    members: list[list[int]] = []
    block = np.empty(len(found.classes), dtype=np.intp)
    row = np.empty(len(found.classes), dtype=np.intp)
    for number, points in enumerate(found.points):
        at = blocks.setdefault(tuple(map(id, points)), len(blocks))
        if at == len(members):
            members.append([])
        block[number], row[number] = at, len(members[at])
        members[at].append(number)
    parts, made = [], []
    for of_block in members:
        points = found.points[of_block[0]]
        values = tuple(
            [axis.values[i] for i in own.asked] for axis, own in zip(question.axes, points, strict=True)
        )
        who = [found.people[number] for number in of_block]
        parts.append(Part(who, values))
        shape = (len(who), len(question.actions), *(len(own.asked) for own in points))
        made.append(Block(points, np.zeros(shape, dtype=np.bool_)))
    shape = (len(people), len(question.actions), *(len(axis.values) for axis in question.axes))
    return parts, ClassCells(shape, found.classes.of, tuple(made), block, row)


# -- audit ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A cell that was answered otherwise than the one that stands for it.

    Attributes:
        principal: the row.
        action: the position.
        places: the position on each axis.
    """

    principal: int
    action: int
    places: tuple[int, ...]


def sample(shape: Sequence[int], count: int, seed: int) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Cells to be asked for real: some principals, and for each some combinations, drawn by a seed.

    Returns:
        Pairs of a row and combinations, ``[combination, axis]``, none twice; together about ``count``
        combinations, or all that there are.
    """
    random = np.random.default_rng(seed)
    combinations = math.prod(shape[2:])
    rows = min(shape[0], max(math.isqrt(count), -(-count // combinations)))
    each = min(-(-count // rows), combinations)
    drawn = []
    for row in np.sort(random.choice(shape[0], size=rows, replace=False)):
        if combinations > FEW * each:  # a second of the same is rare
            flat = np.unique(random.integers(0, combinations, size=each))
        else:
            flat = np.sort(random.choice(combinations, size=each, replace=False))
        places = np.column_stack(np.unravel_index(flat, tuple(shape[2:]))) if shape[2:] else flat[:, :0]
        drawn.append((int(row), places))
    return drawn


def differs(
    people: People,
    question: Question,
    cells: ClassCells,
    drawn: Sequence[tuple[int, npt.NDArray[np.intp]]],
    ask: Callable[[Sequence[Part]], Iterator[npt.NDArray[np.bool_]]],
) -> Mismatch | None:
    """Ask the drawn cells and compare.

    Returns:
        The first cell whose answer is another than the one that stands for it; None when all agree.
    """
    parts = [
        Part(
            [people[row]],
            tuple(
                [axis.values[int(i)] for i in column]
                for axis, column in zip(question.axes, places.T, strict=True)
            ),
            listed=True,
        )
        for row, places in drawn
    ]
    answers = ask(parts)
    for row, places in drawn:
        answer = next(answers)[0].reshape(len(question.actions), -1).T
        wrong = np.argwhere(answer != cells.of_one(row, places))
        if len(wrong):
            combination, action = wrong[0]
            return Mismatch(row, int(action), tuple(int(i) for i in places[combination]))
    return None

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
from clerk_cerbos_lab.classes import Classes, classes_of, codes_of
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.library import Audience, Library
from clerk_cerbos_lab.plans import planned_values
from clerk_cerbos_lab.points import Candidates, Line, Points, Sent
from clerk_cerbos_lab.questions import Part, Question
from clerk_cerbos_lab.scratch import computed_values
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.analysis import Comparison
    from clerk_cerbos_lab.decisions import Axis
    from clerk_cerbos_lab.pdp import PDP
    from clerk_cerbos_lab.plans import Planned
    from clerk_cerbos_lab.principals import People, Principal
    from clerk_cerbos_lab.snapshots import Snapshot

MOST_AUDIENCES: Final = 64
"""Different roles that are looked at one by one; with more, all policies are read for everybody."""

REASONS: Final = 2
"""How many uses a note names; a policy can have hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is asked, and which answer stands for which cell.

    Attributes:
        of: for each principal, the number of its class.
        people: for each class, its first principal, who is asked about.
        candidates: by axis name, for each class, the values the axis is compared with (none where no
            policy reads it); None where it is asked value by value.
        points: for each class, the points of each axis.
        notes: sentences on what is asked value by value, and why.
        clock: whether the policies read the time.
    """

    of: npt.NDArray[np.intp]
    people: Sequence[Principal]
    candidates: Mapping[str, Sequence[Candidates | None]]
    points: Sequence[tuple[Points, ...]]
    notes: tuple[str, ...]
    clock: bool = False

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
    library = Library(documents)
    everything = analyse(library, question.kind)
    why = (
        everything.unreadable
        or _schemas(documents, snapshot)
        or _overlooked(pdp, everything, documents, question.kind)
    )
    if why:
        return _each(people, question, why)
    sent = Sent(question)
    groups = [
        _Group(people, question, classes_of(people, rows, analysis, question, sent), analysis, sent)
        for rows, analysis in _audiences(pdp, people, question, library, everything)
    ]
    _compute(groups, question, documents, snapshot, sent)
    if any(group.lines for group in groups):
        _add_planned(pdp, groups, question)
    return _joined(people, groups, question)


def _audiences(
    pdp: PDP, people: People, question: Question, library: Library, everything: Analysis
) -> Iterator[tuple[npt.NDArray[np.intp], Analysis]]:
    """The principals by their roles, and what the rules read that can apply to them."""
    codes, count = codes_of(people.roles)
    if pdp.strict is not False or count > MOST_AUDIENCES:  # strict: a variable that fails denies everything
        yield np.arange(len(people), dtype=np.intp), everything
        return
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        roles = None if library.has_role_policies else people.roles.values[people.roles.codes[rows[0]]]
        analysis = analyse(library, question.kind, Audience(question.actions, roles))
        yield rows, everything if analysis.unreadable else analysis


def _joined(people: People, groups: Sequence[_Group], question: Question) -> Plan:
    """One plan of all groups, its classes numbered through."""
    of = np.empty(len(people), dtype=np.intp)
    before = 0
    for group in groups:
        of[group.classes.rows] = group.classes.of + before
        before += len(group.classes)
    candidates: dict[str, list[Candidates | None]] = {}
    for axis in question.axes:
        each: list[Candidates | None] = []
        for group in groups:
            each += group.candidates_of(axis) or [None] * len(group.people)
        candidates[axis.name] = each
    return Plan(
        of,
        [person for group in groups for person in group.people],
        candidates,
        [points for group in groups for points in group.points()],
        tuple(_notes(groups, question)),
        clock=any(group.analysis.clock for group in groups),
    )


def _notes(groups: Sequence[_Group], question: Question) -> Iterator[str]:
    """What is asked value by value, and why."""
    for axis in question.axes:
        each = [group.reasons(axis) for group in groups]
        reasons = [reason for some in each for reason in some]
        if reasons and len(axis.values) > 1:
            some = "" if all(each) else " for some roles"
            yield f"Every value of {axis.name} is asked{some}: {_some(reasons)}."
    apart = [reason for group in groups for reason in group.classes.apart]
    if apart:
        yield f"Principals are kept apart by their id: {_some(apart)}."
    if any(group.analysis.clock for group in groups):
        yield "The policies read the clock: these decisions hold for the moment they were asked."


def _compute(
    groups: Sequence[_Group],
    question: Question,
    documents: Sequence[Mapping[str, Any]],
    snapshot: Snapshot | None,
    sent: Sent,
) -> None:
    """Let the PDP compute what it alone can; an axis for which it can't is asked value by value."""
    every = [comparison for group in groups for some in group.open_ends.values() for comparison in some]
    concerned = [group for group in groups if group.open_ends]
    told = None
    if every and snapshot is not None:
        told = computed_values(
            snapshot,
            every,
            documents,
            [person for group in concerned for person in group.people],
            sent.values,
            question.aux_data,
            cells=math.prod(len(axis.values) for axis in question.axes),
        )
    person = comparison = 0
    for group in concerned:
        of_group = None if told is None else told[person : person + len(group.people)]
        count = sum(map(len, group.open_ends.values()))
        group.add_computed(
            None if of_group is None else [own[comparison : comparison + count] for own in of_group]
        )
        person += len(group.people)
        comparison += count


def _add_planned(pdp: PDP, groups: Sequence[_Group], question: Question) -> None:
    """Add what Cerbos's own plans compare an axis with and the text of the policies does not."""
    people = [person for group in groups for person in group.people]
    told = planned_values(pdp, people, question)
    before = 0
    for group in groups:
        inside = range(before, before + len(group.people))
        group.add_planned({number - before: told[number] for number in inside if number in told})
        before += len(group.people)


def _each(people: People, question: Question, why: str) -> Plan:
    """The plan of somebody who knows nothing: every value of everything, for everybody."""
    points = tuple(cut.every_value(axis) for axis in question.axes)
    note = f"Every cell is asked: {why}."
    alone = np.arange(len(people), dtype=np.intp)
    return Plan(alone, people, {}, [points] * len(people), (note,))


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


class _Group:
    """Principals to whom the same rules can apply: their classes, and what each axis is cut at.

    Attributes:
        classes: of the principals of the group.
        people: for each class, its first principal.
        analysis: what the rules read.
        lines: the axes that are asked at points only.
        open_ends: by axis, comparisons whose other side only the PDP can compute.
    """

    def __init__(
        self, people: People, question: Question, classes: Classes, analysis: Analysis, sent: Sent
    ) -> None:
        self.classes = classes
        self.people = [people[int(row)] for row in classes.first]
        self.analysis = analysis
        self.open_ends: dict[str, list[Comparison]] = {}
        self._question = question
        self._sent = sent
        self._reasons: dict[str, list[str]] = {}
        self.lines = self._lines()
        self._found = {name: self._candidates(name, line) for name, line in self.lines.items()}
        self._cut: dict[str, list[Candidates]] = {}

    def points(self) -> list[tuple[Points, ...]]:
        """For each class, the points of each axis."""
        fixed: dict[str, Points] = {}
        for axis in self._question.axes:
            if axis.name not in self.lines:
                fixed[axis.name] = self._sent.whole(axis, read=not self._unread(axis))
        found = {name: self._candidates_of(name) for name in self.lines}
        return [
            tuple(
                fixed[axis.name]
                if axis.name in fixed
                else self.lines[axis.name].scale.points(found[axis.name][number])
                for axis in self._question.axes
            )
            for number in range(len(self.people))
        ]

    def candidates_of(self, axis: Axis) -> Sequence[Candidates] | None:
        """For each class, what an axis is compared with; None when it is asked value by value."""
        if axis.name in self.lines:
            return self._candidates_of(axis.name)
        return [Candidates((), ())] * len(self.people) if self._unread(axis) else None

    def _candidates_of(self, name: str) -> list[Candidates]:
        if name not in self._cut:
            self._cut[name] = _candidates_of(self._found[name])
        return self._cut[name]

    def _unread(self, axis: Axis) -> bool:
        return not self.analysis.whole and axis.name not in self.analysis.uses

    def _lines(self) -> dict[str, Line]:
        """The axes that can be cut, longest first; what they are compared with is asked value by value."""
        lines: dict[str, Line] = {}
        held: dict[str, str] = {}  # axis → the one that is compared with it
        for axis in sorted(self._question.axes, key=lambda axis: -len(axis.values)):
            use = self.analysis.uses.get(axis.name)
            if use is None and not self.analysis.whole:
                continue
            otherwise = [*self.analysis.whole, *(use.otherwise if use else ())]
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
            line = self._sent.line(axis, use)
            if any(comparison.reads for comparison in use.comparisons):
                held.update(dict.fromkeys(reads, axis.name))
            lines[axis.name] = line
        return lines

    def _candidates(self, name: str, line: Line) -> list[list[object]]:
        """For each class, what a line is compared with, as far as that needs no PDP."""
        found: list[list[object]] = [[] for _ in self.people]
        for comparison in line.comparisons:
            each = self._values(comparison)
            if each is None:
                self.open_ends.setdefault(name, []).append(comparison)
                continue
            for own, values in zip(found, each, strict=True):
                own.extend(values)
        if line.scale.ordered:
            for own, person in zip(found, self.people, strict=True):
                own.extend(self._numbers(person))
        return found

    def add_planned(self, planned: Planned) -> None:
        """Add, for every class, what the plan of one compares an axis with and its candidates lack."""
        for number, told in planned.items():
            for name in self.lines:
                own = cut.candidates_from(self._found[name][number])
                other = cut.candidates_from(told.get(name, ()))
                new = [*(set(other.numbers) - set(own.numbers)), *(set(other.texts) - set(own.texts))]
                for values in self._found[name] if new else ():
                    values.extend(new)

    def _values(self, comparison: Comparison) -> list[list[object]] | None:
        """For each class, what the other side can be; None when only the PDP can compute it."""
        some = self.people[:1] if self._only_of_resource(comparison) else self.people
        each: list[list[object]] = []
        for person in some:
            values = cut.value_of(comparison, person, self._sent.values, self._question.kind)
            if not isinstance(values, list):
                return None
            each.append(values)
        return each * len(self.people) if len(some) < len(self.people) else each

    def _numbers(self, person: Principal) -> list[object]:
        """The numbers among the attributes that are read: candidates too, whatever they are compared with."""
        read = self.analysis.principal_attributes
        return [
            value
            for name, value in person.attr.items()
            if type(value) in {int, float} and (read is None or name in read)
        ]

    def _only_of_resource(self, comparison: Comparison) -> bool:
        """Whether a value is the same for all principals: a literal, a constant."""
        if comparison.path is not None:
            return comparison.path[0] == "C"
        return isinstance(comparison.other, Literal)

    def add_computed(self, told: Sequence[Sequence[list[object] | None]] | None) -> None:
        """Add what the PDP computed: for each class, the values of each open comparison in order.

        An axis whose comparison could not be computed for a class is asked value by value.
        """
        place = 0
        for name, comparisons in self.open_ends.items():
            for comparison in comparisons:
                values = [of_class[place] for of_class in told] if told is not None else [None]
                place += 1
                if any(value is None for value in values):
                    file = comparison.environment.file
                    text = f"what it is compared with in {file} can't be computed in advance"
                    self._reasons.setdefault(name, []).append(text)
                    self.lines.pop(name, None)
                    continue
                for own, value in zip(self._found[name], values, strict=True):
                    own.extend(value or ())

    def reasons(self, axis: Axis) -> Sequence[str]:
        """Why an axis is asked value by value, in words; empty when it is not."""
        return () if axis.name in self.lines else self._reasons.get(axis.name, ())


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
    block = np.empty(len(found.people), dtype=np.intp)
    row = np.empty(len(found.people), dtype=np.intp)
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
    return parts, ClassCells(shape, found.of, tuple(made), block, row)

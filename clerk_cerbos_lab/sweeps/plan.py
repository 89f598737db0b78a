"""Plans a sweep that asks each distinct question once: classes of principals at points on the axes.

Every effect is the PDP's answer for a cell of the sweep. The policy analysis only claims that some cells
must have the same answer. A sample of other cells is asked as well, to detect errors in the analysis.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import steps_of
from clerk_cerbos_lab.decisions.cells import Block, CompressedEffects
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.policies.analysis import Analysis
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.sweeps import axis_points
from clerk_cerbos_lab.sweeps.ask import Batch
from clerk_cerbos_lab.sweeps.audience import Group
from clerk_cerbos_lab.sweeps.axis_points import Sent
from clerk_cerbos_lab.sweeps.classes import codes_of
from clerk_cerbos_lab.sweeps.computed_values import computed_values
from clerk_cerbos_lab.sweeps.outcomes import outcomes_of
from clerk_cerbos_lab.sweeps.planned_values import planned_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import OwnPoints, Points
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal, PrincipalTable
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.snapshots import Snapshot
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.terms import Term
    from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints

MOST_AUDIENCES: Final = 64
"""Sets of roles that are analysed one by one; if there are more, the rules of all roles are read."""

REASONS: Final = 2
"""How many uses a note lists; a policy can have hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is asked, and which cell gets which answer.

    Attributes:
        codes: for each principal, the number of their class.
        people: for each class, its first principal, who is asked about.
        breakpoints: by axis name, for each class, the values the axis is compared with (none if no
            policy reads it); None if it is asked value by value.
        points: for each class, the points of each axis.
        notes: sentences about what is asked value by value, and why.
        clock: whether the policies read the time.
        own: whether members of a class differ in what they compare an axis with.
        limits: if the same rules can apply to everybody: by attribute whose numbers are compared with an axis
            of numbers and with what is the same for all, and read in no other way, the name of the axis.
    """

    codes: npt.NDArray[np.intp]
    people: Sequence[Principal]
    breakpoints: Mapping[str, Sequence[Breakpoints | None]]
    points: Sequence[tuple[Points | OwnPoints, ...]]
    notes: tuple[str, ...]
    clock: bool = False
    own: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def questions(self) -> int:
        """How many resources are asked about, summed over all classes."""
        return sum(math.prod(len(points.asked) for points in of_class) for of_class in self.points)


def plan(
    pdp: PDP,
    people: PrincipalTable,
    question: Question,
    snapshot: Snapshot | None,
    *,
    any_role: bool = False,
) -> Plan:
    """Find the classes and points of a sweep.

    Args:
        pdp: the PDP, for its policies.
        people: the principals.
        question: what is asked about each.
        snapshot: of the policies; without one (a PDP at an address), computed values and attribute
            schemas are unknown, and everything that depends on them is asked value by value.
        any_role: whether also rules matter whose roles nobody has, as in an explanation.

    Raises:
        PDPError: if the PDP can't be asked.
    """
    try:
        index = pdp.index
    except PDPError as error:
        if snapshot is not None:
            raise
        return _each(people, question, f"the PDP does not disclose its policies ({error})")
    everything = index.analysis(question.kind)
    nothing_understood = everything.unreadable and not everything.not_understood
    why = (
        (everything.unreadable if nothing_understood else None)
        or _schemas(index, snapshot)
        or _overlooked(pdp, everything, index, question.kind)
    )
    if why:
        return _each(people, question, why)
    audiences = list(_audiences(pdp, people, question, index, any_role=any_role))
    not_understood = [analysis.unreadable for _, analysis in audiences if analysis.unreadable]
    if not_understood and len(not_understood) == len(audiences):
        return _each(people, question, not_understood[0])
    audiences = [(rows, _by_value(analysis)) for rows, analysis in audiences]
    sent = Sent(question)
    if snapshot is not None:
        terms = [term for _, analysis in audiences for term in _terms(analysis)]
        sent.outcomes |= outcomes_of(pdp, snapshot, terms, people, question)
    groups = [Group(people, rows, question, analysis, sent) for rows, analysis in audiences]
    _compute(groups, question, index.documents, snapshot, sent)
    if any(group.lines for group in groups):
        _add_planned(pdp, groups, question)
    for group in groups:
        group.divide()
    return _joined(people, groups, question)


def _terms(analysis: Analysis) -> Iterator[Term]:
    """The expressions that read attributes which are read in no other way, apart from comparisons."""
    compared = analysis.only_compared()
    yield from (term for term in analysis.terms if not compared.keys().isdisjoint(term.names))
    for use in analysis.uses.values():
        if not use.otherwise and not analysis.whole:
            yield from use.terms


def _audiences(
    pdp: PDP, people: PrincipalTable, question: Question, index: PolicyIndex, *, any_role: bool
) -> Iterator[tuple[npt.NDArray[np.intp], Analysis]]:
    """The principals by their roles, and what the rules that can apply to them read."""
    everything = index.analysis(question.kind)
    every_row = np.arange(len(people), dtype=np.intp)
    codes, count = codes_of(people.roles)
    if pdp.strict is not False:  # in strict evaluation a failing variable denies everything
        yield every_row, everything
        return
    if any_role or count > MOST_AUDIENCES:
        yield every_row, index.analysis(question.kind, Audience(question.actions, None))
        return
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        roles = (
            None if index.policy_set.has_role_policies else people.roles.values[people.roles.codes[rows[0]]]
        )
        analysis = index.analysis(question.kind, Audience(question.actions, roles))
        yield rows, analysis


def _by_value(analysis: Analysis) -> Analysis:
    """The analysis, or if it is not complete, one in which every value of everything matters."""
    if analysis.unreadable is None:
        return analysis
    why = analysis.unreadable
    return Analysis(principal_attributes=None, whole=[why], identity=[why], named=analysis.named)


def _joined(people: PrincipalTable, groups: Sequence[Group], question: Question) -> Plan:
    """One plan for all groups, with consecutive class numbers."""
    codes = np.empty(len(people), dtype=np.intp)
    before = 0
    for group in groups:
        codes[group.classes.rows] = group.classes.codes + before
        before += len(group.classes)
    breakpoints: dict[str, list[Breakpoints | None]] = {}
    for axis in question.axes:
        each: list[Breakpoints | None] = []
        for group in groups:
            each += group.breakpoints_of(axis) or [None] * len(group.people)
        breakpoints[axis.name] = each
    return Plan(
        codes,
        [person for group in groups for person in group.people],
        breakpoints,
        [points for group in groups for points in group.points()],
        tuple(_notes(groups, question)),
        clock=any(group.analysis.clock for group in groups),
        own=any(group.own for group in groups),
        limits=groups[0].limits if len(groups) == 1 else {},
    )


def _notes(groups: Sequence[Group], question: Question) -> Iterator[str]:
    """Sentences about what is asked value by value, and why."""
    for axis in question.axes:
        each = [group.reasons(axis) for group in groups]
        reasons = [reason for some in each for reason in some]
        if reasons and len(axis.values) > 1:
            some = "" if all(each) else " for some roles"
            yield f"Every value of {axis.name} is asked{some}: {_some(reasons)}."
    apart = [reason for group in groups for reason in group.classes.apart]
    if apart:
        yield f"Principals are distinguished by their id: {_some(apart)}."
    if any(group.analysis.clock for group in groups):
        yield "The policies read the clock: these decisions are those of the moment of the requests."


def _compute(
    groups: Sequence[Group],
    question: Question,
    documents: Sequence[Mapping[str, Any]],
    snapshot: Snapshot | None,
    sent: Sent,
) -> None:
    """Let the PDP compute what only it can; if it can't, the axis is asked value by value."""
    every = [comparison for group in groups for some in group.open_ends.values() for comparison in some]
    concerned = [group for group in groups if group.open_ends]
    computed = None
    if every and snapshot is not None:
        computed = computed_values(
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
        of_group = None if computed is None else computed[person : person + len(group.people)]
        count = sum(map(len, group.open_ends.values()))
        group.add_computed(
            None if of_group is None else [own[comparison : comparison + count] for own in of_group]
        )
        person += len(group.people)
        comparison += count


def _add_planned(pdp: PDP, groups: Sequence[Group], question: Question) -> None:
    """Add values that Cerbos's own plans compare an axis with and that the analysis did not find."""
    people = [person for group in groups for person in group.people]
    planned = planned_values(pdp, people, question)
    before = 0
    for group in groups:
        inside = range(before, before + len(group.people))
        group.add_planned({number - before: planned[number] for number in inside if number in planned})
        before += len(group.people)


def _each(people: PrincipalTable, question: Question, why: str) -> Plan:
    """The plan without any knowledge of the policies: every value of everything, for everybody."""
    points = tuple(axis_points.every_value(axis) for axis in question.axes)
    note = f"Every cell is asked: {why}."
    alone = np.arange(len(people), dtype=np.intp)
    return Plan(alone, people, {}, [points] * len(people), (note,))


def _schemas(index: PolicyIndex, snapshot: Snapshot | None) -> str | None:
    """Why schemas make an analysis useless, if they do: they may reject any value."""
    if not index.has_schemas:
        return None
    if snapshot is None:
        return "the policies have schemas, and this PDP may enforce them"
    enforcement = (snapshot.config.get("schema") or {}).get("enforcement", "none")
    return None if enforcement in {"none", "warn"} else "the PDP rejects requests that violate a schema"


def _overlooked(pdp: PDP, analysis: Analysis, index: PolicyIndex, kind: str) -> str | None:
    """Why the analysis can't be trusted, if Cerbos's inspection finds attributes that it misses."""
    _, resource = pdp.resource_attributes(kind)
    read = analysis.principal_attributes
    of_principal = (
        set()
        if read is None
        else pdp.principal_attributes(kind) - _first_of({*read, *analysis.principal_presence})
    )
    of_resource = set() if analysis.whole else resource - _first_of(analysis.uses)
    missed = sorted(
        name
        for name in of_principal | of_resource
        if json.dumps(name)[1:-1] not in index.outputs
        and not any(name in text for text in analysis.not_understood)
    )
    return (
        f"Cerbos reports attributes that the analysis does not find: {', '.join(missed)}" if missed else None
    )


def _first_of(names: Iterable[str]) -> set[str]:
    """The attributes that these are or are inside of: Cerbos reports no more."""
    return {steps_of(name)[0] for name in names}


def _some(reasons: Sequence[str]) -> str:
    different = list(dict.fromkeys(reasons))
    more = f", and {len(different) - REASONS} more" if len(different) > REASONS else ""
    return ", ".join(different[:REASONS]) + more


def parts_of(
    people: PrincipalTable, question: Question, found: Plan
) -> tuple[list[Batch], CompressedEffects]:
    """The questions of a plan, in parts with equal points, and cells whose effects are to be filled in.

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
        values = tuple(own.values(axis) for axis, own in zip(question.axes, points, strict=True))
        who = [found.people[number] for number in of_block]
        parts.append(Batch(who, values))
        shape = (len(who), len(question.actions), *(len(own.asked) for own in points))
        made.append(Block(points, np.zeros(shape, dtype=np.bool_)))
    shape = (len(people), len(question.actions), *(len(axis.values) for axis in question.axes))
    return parts, CompressedEffects(shape, found.codes, tuple(made), block, row)

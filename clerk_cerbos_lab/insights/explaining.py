"""Decisions with the explanations of all their situations: a pickle or a page then needs no PDP."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from clerk_cerbos_lab.decisions.cells import OwnNumbers, Points
from clerk_cerbos_lab.decisions.explanations import SLOT, ExplainedCells, Explanations, templates_of
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.slots import Slots
from clerk_cerbos_lab.insights.why import explain_with_misfits, required_of, unknown_pdp
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data
from clerk_cerbos_lab.sweeps.codes import dense_rows, members_of
from clerk_cerbos_lab.sweeps.cuts import cut
from clerk_cerbos_lab.sweeps.plan import plan
from clerk_cerbos_lab.values import is_number, json_type, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.sweeps.plan import Plan

MOST: Final = 50_000
"""Situations of one action that are explained: about as many as can be asked in some minutes."""


_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?")


def explain_all(decisions: Decisions, *, aux_data: Any = None, names: bool = False) -> Decisions:
    """A copy of decisions with all explanations; ``Decisions.explain`` documents it."""
    source = decisions.source
    if not isinstance(source, Instrumented):
        raise InputError(unknown_pdp(source))
    if any(SLOT.search(str(one)) for one in source.index.documents):
        msg = "the policies contain private characters of Unicode that explanations use themselves"
        raise InputError(msg)
    jwt = hidden_aux_data(aux_data)
    if decisions.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    disclosure = decisions.shown(names=names)
    slots = Slots(decisions.question)
    templates: dict[str, int] = {}
    made: list[Explanation] = []
    cells = {}
    people = read_principals(decisions.principals)
    for place, action in enumerate(decisions.actions):
        question = replace(decisions.question, actions=(action,), aux_data=jwt)
        of_action = _Action(decisions, place, question, people, disclosure, slots)
        cells[action] = of_action.explained(templates, made)
    explained = decisions.with_explanations(Explanations(tuple(made), tuple(slots.paths), cells, names))
    _check(explained)
    return explained


def _check(explained: Decisions) -> None:
    """Compare the effect of every explanation with the decision that has it.

    Raises:
        PDPError: if one differs.
    """
    known = explained.explanations
    if known is None:
        return
    allowed = np.array([one.effect == "ALLOW" for one in known.templates])
    for action in explained.actions:
        for places, templates in templates_of(known.cells[action], explained.index, explained.axes):
            one = explained.of(np.array(places[:1], dtype=np.intp)).sel(action=action)
            if not np.array_equal(one.allowed()[0, 0], allowed[templates]):
                msg = (
                    f"some explanations of '{action}' have another effect than the decisions: the policies "
                    "depend on something outside the request, such as the time, or this is an error of "
                    "clerk-cerbos-lab. decisions.why(…) explains one decision"
                )
                raise PDPError(msg)


Found: TypeAlias = "tuple[Explanation, list[Misfit]]"


@dataclass(frozen=True, slots=True)
class _Point:
    """What stands for the values of an axis that are alike.

    Attributes:
        code: the same for everybody with the same ``_Kind.base``.
        place: the position of a value on the axis; -1 for a number that is not on it.
        value: that value.
    """

    code: object
    place: int
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """People who have the same explanations at the same values of the axes.

    Attributes:
        base: people of the same base share explanations, perhaps at other values.
        members: their positions.
        places: for each axis, which of its points each value has; None for an axis that is cut.
        points: of each axis; None for one without any number.
        cuts: for each axis that is cut, the cuts; empty: those of each member.
    """

    base: tuple[object, ...]
    members: npt.NDArray[np.intp]
    places: tuple[npt.NDArray[np.intp] | None, ...]
    points: tuple[tuple[_Point | None, ...], ...]
    cuts: tuple[tuple[float, ...] | None, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether it can't be divided further."""
        return bool(self.cuts) or self.base[0] == "alone"

    def situations(self) -> Iterator[tuple[tuple[object, ...], tuple[_Point, ...]]]:
        """Each combination of points, with a key that is equal where explanations are shared."""
        there = ([point for point in of_axis if point is not None] for of_axis in self.points)
        for at in itertools.product(*there):
            yield (*self.base, *(point.code for point in at)), at


class _Action:
    """The situations of one action."""

    def __init__(  # noqa: PLR0917 - what explanations are made of
        self,
        decisions: Decisions,
        place: int,
        question: Question,
        people: PrincipalTable,
        disclosure: Disclosure,
        slots: Slots,
    ) -> None:
        self._decisions = decisions
        self._place = place
        self._question = question
        self._people = people
        self._disclosure = disclosure
        self._slots = slots
        self._source: Instrumented = decisions.source
        self._required = required_of(decisions)
        pdp, snapshot = self._source.original
        with pdp.asking():
            self._plan: Plan = plan(pdp, people, question, snapshot, any_role=True)

    def explained(self, templates: dict[str, int], made: list[Explanation]) -> ExplainedCells:
        """Explain every situation; equal explanations are kept once, in ``made``."""
        waiting, done = list(self._kinds()), []
        numbers: dict[tuple[object, ...], int] = {}
        while waiting:
            found = self._asked(waiting)
            again: list[_Kind] = []
            for kind in waiting:
                keys = [situation for situation, _ in kind.situations()]
                finer = list(self._divided(kind, [misfit for one in keys for misfit in found[one][1]]))
                if finer:
                    again += finer
                    continue
                for situation in keys:
                    if situation not in numbers:
                        numbers[situation] = _kept(found[situation][0], templates, made)
                done.append((kind, [numbers[situation] for situation in keys]))
            waiting = again
        return self._cells(done)

    # -- situations ---------------------------------------------------------------------------------

    def _kinds(self) -> Iterator[_Kind]:
        """People whom the policies can't tell apart, with values of equal types, and their points."""
        columns = self._people.attributes.values()
        signs = [self._plan.codes, *(_codes(map(_shape, one.values))[one.codes] for one in columns)]
        for base, members in enumerate(_members(np.column_stack(signs))):
            yield from self._kinds_of(base, members)

    def _kinds_of(self, base: int, members: npt.NDArray[np.intp]) -> Iterator[_Kind]:
        """One kind for each way in which the own texts of these people match the values of an axis."""
        number = int(self._plan.codes[members[0]])
        codes: list[npt.NDArray[np.intp] | None] = []  # [member, value] or [value]
        for axis, own in zip(self._question.axes, self._plan.points[number], strict=True):
            if self._cuts(axis.name, number, int(members[0])) is not None:
                codes.append(None)
                continue
            every = np.arange(len(axis.values), dtype=np.intp)
            of_axis = own.codes if isinstance(own, Points) else own.codes_of(members, every)
            shapes = _codes(map(_shape, axis.values))
            codes.append(of_axis.astype(np.intp) * (int(shapes.max()) + 1) + shapes)
        ways = [own for own in codes if own is not None and own.ndim == 2]
        for some in _members(np.hstack(ways)) if ways else [np.arange(len(members))]:
            one = [own if own is None or own.ndim == 1 else own[some[0]] for own in codes]
            yield self._kind(base, members[some], one)

    def _kind(
        self, base: int, members: npt.NDArray[np.intp], codes: Sequence[npt.NDArray[np.intp] | None]
    ) -> _Kind:
        number = int(self._plan.codes[members[0]])
        places: list[npt.NDArray[np.intp] | None] = []
        points: list[tuple[_Point | None, ...]] = []
        for axis, own in zip(self._question.axes, codes, strict=True):
            if own is None:
                cuts = self._cuts(axis.name, number, int(members[0])) or ()
                places.append(None)
                points.append(_segments(cuts, axis.values))
                continue
            different, first, of_value = np.unique(own, return_index=True, return_inverse=True)
            places.append(of_value.astype(np.intp))
            each = zip(different.tolist(), first.tolist(), strict=True)
            points.append(tuple(_Point(code, at, axis.values[at]) for code, at in each))
        return _Kind((base,), members, tuple(places), tuple(points))

    def _cuts_of(self, at: int, principal: int) -> tuple[float, ...] | None:
        return self._cuts(self._question.axes[at].name, int(self._plan.codes[principal]), principal)

    def _cuts(self, axis: str, number: int, principal: int) -> tuple[float, ...] | None:
        """The numbers at which an axis is cut for a principal; None if it is not cut."""
        at = next(i for i, one in enumerate(self._question.axes) if one.name == axis)
        own = self._plan.points[number][at]
        if isinstance(own, OwnNumbers):
            return tuple(own.breakpoints(np.array([principal]))[0].tolist())
        each = self._plan.breakpoints.get(axis)
        known = None if each is None else each[number]
        return known.numbers if known is not None and self._question.axes[at].numeric else None

    def _divided(self, kind: _Kind, misfits: Sequence[Misfit]) -> Iterator[_Kind]:
        """Finer kinds where a value does not fit; none if every value does.

        Whether a repaired value would be allowed depends on what the policies compare it with. So people with
        broken data share explanations only if all their values are equal, and every value of an axis is
        asked, along a line also every number in the policies and among their own.
        """
        if kind.fine or not any(map(self._matters, misfits)):
            return
        profiles: dict[tuple[str, ...], list[int]] = {}
        columns = list(self._people.attributes.values())
        for member in kind.members.tolist():
            own = tuple(key(column.values[column.codes[member]]) for column in columns)
            profiles.setdefault(own, []).append(member)
        for own, members in profiles.items():
            who = np.array(members, dtype=np.intp)
            cuts: list[tuple[float, ...] | None] = []
            places, points = list(kind.places), list(kind.points)
            for at, axis in enumerate(self._question.axes):
                if places[at] is None:
                    cuts.append(self._every_number(axis.name, members[0]))
                    points[at] = _segments(cuts[at] or (), axis.values)
                    continue
                cuts.append(None)
                places[at] = np.arange(len(axis.values), dtype=np.intp)
                points[at] = tuple(_Point(i, i, value) for i, value in enumerate(axis.values))
            yield _Kind(("alone", *kind.base, *own), who, tuple(places), tuple(points), tuple(cuts))

    def _matters(self, misfit: Misfit) -> bool:
        """Whether a value may have to be repaired."""
        required = misfit.owner == "principal" and misfit.attribute in self._required
        return misfit.state == "mistyped" or required

    def _every_number(self, axis: str, principal: int) -> tuple[float, ...]:
        """The numbers that an axis or a repaired value may be compared with, for a principal."""
        found = set(self._cuts(axis, int(self._plan.codes[principal]), principal) or ())
        found.update(self._source.index.literals.numbers)
        found.update(_numbers_in(list(self._people[principal].attr.values())))
        return tuple(sorted(found))

    # -- asking -------------------------------------------------------------------------------------

    def _asked(self, kinds: Sequence[_Kind]) -> dict[tuple[object, ...], Found]:
        """The explanation of each situation."""
        asked: dict[tuple[object, ...], tuple[int, tuple[_Point, ...]]] = {}
        for kind in kinds:
            for situation, at in kind.situations():
                asked.setdefault(situation, (int(kind.members[0]), at))
                if len(asked) > MOST:
                    msg = (
                        f"there are more than {MOST:,} situations to explain; select fewer people or values "
                        "with .sel(…), or ask decisions.why(…) about one decision"
                    )
                    raise InputError(msg)
        cases = [self._case(who, at) for who, at in asked.values()]
        found = explain_with_misfits(self._source, cases, self._disclosure, self._required, self._slots)
        return dict(zip(asked, found, strict=True))

    def _case(self, who: int, at: Sequence[_Point]) -> tuple[Request, bool | None]:
        """The request of a person at some points, and its effect in the decisions if it is among them."""
        decisions, question = self._decisions, self._question
        values = dict(question.fixed)
        values |= {axis.name: point.value for axis, point in zip(question.axes, at, strict=True)}
        request = Request(
            principal=self._people[who],
            action=question.actions[0],
            kind=question.kind,
            resource_id=str(values.pop("resource_id")),
            attributes=values,
            resource=question.resource,
            who=question.principal,
            aux_data=question.aux_data,
        )
        if any(point.place < 0 for point in at):
            return request, None
        index = decisions.index
        cell = [own[[point.place]] for own, point in zip(index[2:], at, strict=True)]
        taken = decisions.cube.take([index[0][[who]], index[1][[self._place]], *cell])
        return request, bool(taken.item())

    # -- the answer ---------------------------------------------------------------------------------

    def _cells(self, done: Sequence[tuple[_Kind, Sequence[int]]]) -> ExplainedCells:
        """Which explanation each cell has, by positions in the cube."""
        index, shape = self._decisions.index, self._decisions.cube.shape
        kinds = np.full(shape[0], -1, dtype=np.intp)
        points, tables = [], []
        cuts: dict[tuple[float, ...], int] = {}
        lines: dict[int, npt.NDArray[np.intp]] = {}
        for number, (kind, numbers) in enumerate(done):
            kinds[index[0][kind.members]] = number
            table = np.full([len(one) for one in kind.points], -1, dtype=np.intp)
            there = [[i for i, point in enumerate(one) if point is not None] for one in kind.points]
            table[np.ix_(*there)] = np.reshape(numbers, [len(one) for one in there])
            tables.append(table)
            whole: list[npt.NDArray[np.intp] | None] = []
            for at, codes in enumerate(kind.places):
                if codes is None:
                    whole.append(None)
                    line = lines.setdefault(at, np.full(shape[0], -1, dtype=np.intp))
                    for member in kind.members.tolist():
                        own = kind.cuts[at] if kind.cuts else self._cuts_of(at, member)
                        line[index[0][member]] = cuts.setdefault(own or (), len(cuts))
                else:
                    full = np.full(shape[at + 2], -1, dtype=np.intp)
                    full[index[at + 2]] = codes
                    whole.append(full)
            points.append(tuple(whole))
        return ExplainedCells(kinds, tuple(points), lines, tuple(cuts), tuple(tables))


def _kept(explanation: Explanation, templates: dict[str, int], made: list[Explanation]) -> int:
    """The number of a template; equal ones are kept once."""
    one = replace(explanation, rules=tuple(_slotted(rule) for rule in explanation.rules))
    parts = (one.effect, one.sentence, one.cause, one.policy, one.scope, one.rules, one.notes, one.also)
    number = templates.setdefault(repr(parts), len(made))
    if number == len(made):
        made.append(one)
    return number


def _slotted(part: Any) -> Any:
    """A part of an explanation in which a value with a slot as its label is the slot."""
    if isinstance(part, tuple):
        return tuple(map(_slotted, part))
    if not hasattr(part, "__dataclass_fields__"):
        return part
    changed = {name: _slotted(getattr(part, name)) for name in part.__dataclass_fields__}
    if SLOT.fullmatch(str(changed.get("label", ""))):
        changed["value"] = changed["label"]
    return replace(part, **changed)


def _segments(cuts: tuple[float, ...], values: Sequence[Any]) -> tuple[_Point | None, ...]:
    """The segments of a line, each with a value of the axis in it, or another number."""
    line = cut(cuts)
    found: list[_Point | None] = [None] * line.segments
    for number, segment in zip(line.asked, line.segment.tolist(), strict=True):
        found[segment] = _Point(segment, -1, number)
    segments = line.segments_of(np.array(values, dtype=np.float64))
    for at, segment in reversed(list(enumerate(segments.tolist()))):
        found[segment] = _Point(segment, at, values[at])
    return tuple(found)


def _numbers_in(value: Any) -> Iterator[float]:
    """Every finite number in a value, also in texts."""
    if isinstance(value, str):
        for found in _NUMBER.findall(value.replace(",", "").replace("_", "")):
            yield float(found)
    elif is_number(value):
        if math.isfinite(value):
            yield float(value)
    elif isinstance(value, dict):
        yield from _numbers_in([*value, *value.values()])
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _numbers_in(one)


def _codes(values: Iterable[object]) -> npt.NDArray[np.intp]:
    """A number for each value, equal for equal ones."""
    different: dict[object, int] = {}
    codes = [different.setdefault(value, len(different)) for value in values]
    return np.array(codes, dtype=np.intp)


def _members(rows: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """The positions of equal rows."""
    codes = dense_rows(rows)
    return members_of(codes, int(codes.max(initial=-1)) + 1)


def _shape(value: Any) -> str:
    """The types in a value."""
    if is_number(value) and not math.isfinite(value):
        return key(value)
    if isinstance(value, list):
        return f"[{','.join(sorted(set(map(_shape, value))))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{name!r}:{_shape(one)}' for name, one in sorted(value.items()))}}}"
    return type(value).__name__ if isinstance(value, str) and type(value) is not str else json_type(value)

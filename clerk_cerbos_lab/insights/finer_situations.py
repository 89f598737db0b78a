"""The situations of an action that explanations can tell apart: finer than those in which effects are equal.

Rules whose roles nobody has matter here, too. Then every part of every condition has one outcome in each
situation.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import steps_of
from clerk_cerbos_lab.decisions.cells import OwnNumbers, Points
from clerk_cerbos_lab.identity.quality import folded
from clerk_cerbos_lab.insights.why import required_of
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.policies.rules import overlap, read_together
from clerk_cerbos_lab.sweeps.codes import dense_rows, members_of
from clerk_cerbos_lab.sweeps.cuts import cut
from clerk_cerbos_lab.sweeps.own_numbers import ordering, points_of
from clerk_cerbos_lab.sweeps.plan import plan
from clerk_cerbos_lab.values import RESOURCE_ID, is_number, is_text, json_type, key, number_written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Column, PrincipalTable
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.pdp.instrumented import Instrumented
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.sweeps.own_numbers import Ordering
    from clerk_cerbos_lab.sweeps.plan import Plan

_ROLES: Final = ("P", "roles")

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Point:
    """What stands for the values of an axis that are alike.

    Attributes:
        code: the same for everybody with the same ``Kind.base``.
        place: the position of a value on the axis; -1 for a number that is not on it.
        value: that value.
    """

    code: object
    place: int
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """People who have the same explanations at the same values of the axes.

    Attributes:
        base: people of the same base share explanations, perhaps at other values.
        members: their positions.
        places: for each axis, which of its points each value has; None for an axis that is cut.
        points: of each axis; None for one without any number.
        cuts: for each axis that is cut anew, where; None or empty: as in the sweep.
        fine: whether these people are divided already because a value does not fit.
    """

    base: tuple[object, ...]
    members: npt.NDArray[np.intp]
    places: tuple[npt.NDArray[np.intp] | None, ...]
    points: tuple[tuple[Point | None, ...], ...]
    cuts: tuple[OwnNumbers | None, ...] = ()
    fine: bool = False

    def situations(self) -> Iterator[tuple[tuple[object, ...], tuple[Point, ...]]]:
        """Each combination of points, with a key that is equal where explanations are shared."""
        there = ([point for point in of_axis if point is not None] for of_axis in self.points)
        for at in itertools.product(*there):
            yield (*self.base, *(point.code for point in at)), at


class FinerSituations:
    """The situations of one action.

    Args:
        decisions: with a source that explains them.
        question: theirs, about this action only.
        people: their principals.

    Raises:
        PDPError: if a PDP does not start.
    """

    def __init__(self, decisions: Decisions, question: Question, people: PrincipalTable) -> None:
        self._question = question
        self._numeric = [axis.numeric for axis in question.axes]
        self._people = people
        self._source: Instrumented = decisions.source
        self._required = required_of(decisions)
        pdp, snapshot = self._source.original
        with pdp.asking():
            self._plan: Plan = plan(pdp, people, question, snapshot, any_role=True)
        inside = any(len(steps_of(name)) > 1 for name in self._plan.limits)
        limits = {} if inside else {steps_of(name)[0]: axis for name, axis in self._plan.limits.items()}
        self._limits = limits  # by attribute, the axis that it is compared with
        self._written = {name: _written(people.attributes[name]) for name in limits}
        self._numbers = itertools.count()
        self._odd = _misspelled(people, question, self._source.index)

    # -- situations ---------------------------------------------------------------------------------

    def kinds(self) -> Iterator[Kind]:
        """People whom the policies can't tell apart, with values of equal types, and their points.

        Who has a text that may be misspelled shares explanations only with those who have the same.
        """
        columns = self._people.attributes.values()
        signs = [self._plan.codes, *(_codes(map(_shape, one.values))[one.codes] for one in columns)]
        signs += [codes for codes, _ in self._odd]
        for base, members in enumerate(_members(np.column_stack(signs))):
            yield from self._kinds_of(base, members)

    def _kinds_of(self, base: int, members: npt.NDArray[np.intp]) -> Iterator[Kind]:
        """One kind for each way in which the own texts of these people match the values of an axis."""
        number = int(self._plan.codes[members[0]])
        codes: list[npt.NDArray[np.intp] | None] = []  # [member, value] or [value]
        every_axis = zip(self._question.axes, self._plan.points[number], strict=True)
        for at, (axis, own) in enumerate(every_axis):
            if self._cuts(at, number, int(members[0])) is not None:
                codes.append(None)
                continue
            every = np.arange(len(axis.values), dtype=np.intp)
            of_axis = own.codes if isinstance(own, Points) else own.codes_of(members, every)
            odd = {text for own, texts in self._odd if (text := texts[own[members[0]]])}
            shapes = _codes(_as_spelled(value, odd) for value in axis.values)
            codes.append(of_axis.astype(np.intp) * (int(shapes.max()) + 1) + shapes)
        ways = [own for own in codes if own is not None and own.ndim == 2]
        for some in _members(np.hstack(ways)) if ways else [np.arange(len(members))]:
            one = [own if own is None or own.ndim == 1 else own[some[0]] for own in codes]
            yield self._kind(base, members[some], one)

    def _kind(
        self, base: int, members: npt.NDArray[np.intp], codes: Sequence[npt.NDArray[np.intp] | None]
    ) -> Kind:
        number = int(self._plan.codes[members[0]])
        places: list[npt.NDArray[np.intp] | None] = []
        points: list[tuple[Point | None, ...]] = []
        for at, (axis, own) in enumerate(zip(self._question.axes, codes, strict=True)):
            if own is None:
                cuts = self._cuts(at, number, int(members[0])) or ()
                places.append(None)
                points.append(_segments(cuts, axis.values))
                continue
            different, first, of_value = np.unique(own, return_index=True, return_inverse=True)
            places.append(of_value.astype(np.intp))
            each = zip(different.tolist(), first.tolist(), strict=True)
            points.append(tuple(Point(code, place, axis.values[place]) for code, place in each))
        return Kind((base,), members, tuple(places), tuple(points))

    def cuts_of(self, kind: Kind, at: int, principal: int) -> tuple[float, ...]:
        """The numbers at which an axis is cut for a member of a kind."""
        own = kind.cuts[at] if kind.cuts else None
        if own is None:
            return self._cuts(at, int(self._plan.codes[principal]), principal) or ()
        return tuple(own.breakpoints(np.array([principal]))[0].tolist())

    def every_cuts(self, kind: Kind, at: int, members: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """``[member, n]``: the numbers at which an axis is cut for members of a kind; one row if equal."""
        anew = kind.cuts[at] if kind.cuts else None
        own = self._plan.points[int(self._plan.codes[kind.members[0]])][at] if anew is None else anew
        if isinstance(own, OwnNumbers):
            return own.breakpoints(members)
        return np.array([self.cuts_of(kind, at, int(members[0]))], dtype=np.float64)

    def _cuts(self, at: int, number: int, principal: int) -> tuple[float, ...] | None:
        """The numbers at which an axis is cut for a principal of a class; None if it is not cut."""
        own = self._plan.points[number][at]
        if isinstance(own, OwnNumbers):
            return tuple(own.breakpoints(np.array([principal]))[0].tolist())
        each = self._plan.breakpoints.get(self._question.axes[at].name)
        known = None if each is None else each[number]
        return known.numbers if known is not None and self._numeric[at] else None

    def divided(self, kind: Kind, misfits: Iterable[Misfit]) -> Iterator[Kind]:
        """Finer kinds where a value does not fit; none if every value does.

        Whether a repaired value would be allowed depends on what the policies compare it with. So people with
        broken data share explanations only if these values and what is read together with them are equal,
        and every value of such an axis is asked, along a line also every number in the policies and among
        their own. Everything else has the same outcomes after a repair as before.

        Of a limit, which is only compared with an axis of numbers, nothing matters but how it is ordered
        among what the axis is compared with, as a number or as the number that a text was meant to be.
        """
        paths = {_path(misfit) for misfit in misfits if self._matters(misfit)}
        if kind.fine or not paths:
            return
        read = (
            None
            if self._source.strict or _ROLES in paths
            else read_together(
                self._source.index.rules, self._question.kind, self._question.actions[0], paths
            )
        )
        beside = any(path[:2] != ("P", "attr") or path[2] not in self._limits for path in paths)
        profiles: dict[tuple[object, ...], list[int]] = {}
        columns, written = [], []
        for name, column in self._people.attributes.items():
            if name in self._limits:
                written.append(np.isfinite(self._written[name]))
            elif _is_read(("P", "attr", name), read):
                columns.append(column)
        for member in kind.members.tolist():
            own = (key(column.values[column.codes[member]]) for column in columns)
            profiles.setdefault((*own, *(bool(one[member]) for one in written)), []).append(member)
        moved = [beside and _is_read(_path_of(axis), read) for axis in self._question.axes]
        for members in profiles.values():
            yield from self._alike(kind, np.array(members, dtype=np.intp), moved)

    def _alike(self, kind: Kind, members: npt.NDArray[np.intp], moved: Sequence[bool]) -> Iterator[Kind]:
        """One kind for each order of the limits of people who are equal in everything else.

        Args:
            kind: theirs.
            members: they.
            moved: for each axis, whether the repair of something else than a limit may change its points.
        """
        orders: dict[int, tuple[Ordering, npt.NDArray[np.float64]]] = {}
        for at, axis in enumerate(self._question.axes):
            own = [self._written[name] for name, of in self._limits.items() if of == axis.name]
            if kind.places[at] is None and (own or moved[at]):
                numbers = np.column_stack(own) if own else np.empty((len(self._people), 0))
                shared = self._shared(at, int(members[0]), len(own), every=moved[at])
                orders[at] = ordering(shared, numbers[members]), numbers
        codes = [order.codes for order, _ in orders.values()]
        for some in _members(np.column_stack(codes)) if codes else [np.arange(len(members))]:
            first = int(some[0])
            cuts: list[OwnNumbers | None] = [None] * len(moved)
            places, points = list(kind.places), list(kind.points)
            for at, axis in enumerate(self._question.axes):
                if at in orders:
                    order, numbers = orders[at]
                    grid = np.array(axis.values, dtype=np.float64)
                    row = int(members[first])
                    anew = points_of(order, int(order.codes[first]), row, grid, numbers)
                    cuts[at] = anew
                    points[at] = _segments(tuple(anew.numbers.tolist()), axis.values)
                elif places[at] is not None and moved[at]:
                    places[at] = np.arange(len(axis.values), dtype=np.intp)
                    points[at] = tuple(Point(i, i, value) for i, value in enumerate(axis.values))
                elif places[at] is None:
                    own_cuts = self._cuts(at, int(self._plan.codes[members[first]]), int(members[first]))
                    points[at] = _segments(own_cuts or (), axis.values)
            base = ("alone", *kind.base, next(self._numbers))
            yield Kind(base, members[some], tuple(places), tuple(points), tuple(cuts), fine=True)

    def _shared(self, at: int, principal: int, limits: int, *, every: bool) -> tuple[float, ...]:
        """The numbers at which an axis is cut for everybody with the same profile but for their limits.

        Args:
            at: the position of the axis.
            principal: one of them.
            limits: how many limits are compared with the axis.
            every: whether a value may be repaired so that any number in the policies and the profile matters.
        """
        number = int(self._plan.codes[principal])
        own = self._plan.points[number][at]
        if isinstance(own, OwnNumbers):
            found = set(own.numbers[own.columns < 0].tolist())
            others = own.own.shape[1] > limits  # numbers of their own that are no limits
        else:
            found, others = set(self._cuts(at, number, principal) or ()), False
        if every:
            found.update(self._source.index.literals.numbers)
        if every or others:
            profile = self._people[principal].attr.items()
            found.update(_numbers_in([value for name, value in profile if name not in self._limits]))
        return tuple(sorted(found))

    def _matters(self, misfit: Misfit) -> bool:
        """Whether a value may have to be repaired."""
        required = misfit.owner == "principal" and misfit.attribute in self._required
        return misfit.state in {"mistyped", "misspelled"} or required

    # -- asking -------------------------------------------------------------------------------------

    def request(self, who: int, values: Sequence[Any]) -> Request:
        """The request of a person at a value of each axis."""
        question = self._question
        given = dict(question.fixed)
        given |= {axis.name: value for axis, value in zip(question.axes, values, strict=True)}
        return Request(
            principal=self._people[who],
            action=question.actions[0],
            kind=question.kind,
            resource_id=str(given.pop("resource_id")),
            attributes=given,
            resource=question.resource,
            who=question.principal,
            aux_data=question.aux_data,
        )


def _path(misfit: Misfit) -> tuple[str, ...]:
    """The path of what does not fit."""
    if misfit.is_role:
        return _ROLES
    return ("P" if misfit.owner == "principal" else "R", "attr", *steps_of(misfit.attribute))


def _misspelled(
    people: PrincipalTable, question: Question, index: PolicyIndex
) -> list[tuple[npt.NDArray[np.intp], list[str]]]:
    """Texts that differ only in case or spaces from one in the policies, the question or another attribute.

    Returns:
        For roles and each attribute that is read, a number for each principal, equal for equal values and 0
        for any that is not odd; and for each number the text without case and spaces, for roles empty.
    """
    analysis, spelled = index.analysis(question.kind), index.literals.texts
    read = None if analysis.unreadable else analysis.principal_attributes
    names = None if read is None else {steps_of(name)[0] for name in read}
    columns = [one for name, one in people.attributes.items() if names is None or name in names]
    asked = [*question.fixed.values(), *(value for axis in question.axes for value in axis.values)]
    texts = [_texts_in(one.values) for one in columns]
    found = []
    for at, column in enumerate([people.roles, *columns]):
        others = [spelled] if at == 0 else [spelled, _texts_in(asked), *texts[: at - 1], *texts[at:]]
        alike: dict[str, set[str]] = {}
        for text in set().union(*others):
            alike.setdefault(folded(text), set()).add(text)
        different: dict[object, int] = {None: 0}
        meant = [""]
        numbers = []
        for value in column.values:
            odd = any(
                text not in spelled and alike.get(folded(text), set()) - {text} for text in _texts_in([value])
            )
            mark = None if not odd else value if isinstance(value, tuple) else key(value)
            numbers.append(different.setdefault(mark, len(different)))
            if numbers[-1] == len(meant):
                meant.append(folded(value) if isinstance(value, str) else "")
        if len(meant) > 1:
            found.append((np.array(numbers, dtype=np.intp)[column.codes], meant))
    return found


def _texts_in(values: Iterable[Any]) -> set[str]:
    """Texts among values, and in roles."""
    each = (value if isinstance(value, tuple) else (value,) for value in values)
    return {one for some in each for one in some if is_text(one)}


def _as_spelled(value: Any, odd: Collection[str]) -> tuple[str, str]:
    """The types in a value of an axis, and the value if it is like one of these texts."""
    like = isinstance(value, str) and folded(value) in odd
    return _shape(value), value if like else ""


def _path_of(axis: Axis) -> tuple[str, ...]:
    return ("R", "id") if axis.name == RESOURCE_ID else ("R", "attr", *steps_of(axis.name))


def _is_read(path: tuple[str, ...], read: frozenset[tuple[str, ...]] | None) -> bool:
    """Whether a path, or something around or inside it, is among these; None stands for everything."""
    return read is None or any(overlap(path, one) for one in read)


def _segments(cuts: tuple[float, ...], values: Sequence[Any]) -> tuple[Point | None, ...]:
    """The segments of a line, each with a value of the axis in it, or another number."""
    line = cut(cuts)
    found: list[Point | None] = [None] * line.segments
    for number, segment in zip(line.asked, line.segment.tolist(), strict=True):
        found[segment] = Point(segment, -1, number)
    segments = line.segments_of(np.array(values, dtype=np.float64))
    for at, segment in reversed(list(enumerate(segments.tolist()))):
        found[segment] = Point(segment, at, values[at])
    return tuple(found)


def _written(column: Column) -> npt.NDArray[np.float64]:
    """For each principal their number, or the one that a value was meant to be; NaN if there is none."""
    meant = [_meant(value) for value in column.values]
    found = np.array([math.nan if number is None else number for number in meant], dtype=np.float64)
    return np.where(np.isfinite(found), found + 0.0, math.nan)[column.codes]


def _meant(value: Any) -> float | None:
    """The number that a value is, or would be after its repair as in ``cause_of_deny``."""
    if is_text(value):
        return number_written(str(value))
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    return float(one) if is_number(one) else None


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

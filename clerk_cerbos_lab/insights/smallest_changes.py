"""The search for the smallest changes of a request that turn its effect around; every effect is asked."""

from __future__ import annotations

import dataclasses
import itertools
import math
from contextlib import closing
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import nested, overlap, steps_of
from clerk_cerbos_lab.insights.what_may_vary import CENT, nearest_on_grid
from clerk_cerbos_lab.pdp.messages import Entries, principal_message
from clerk_cerbos_lab.values import MISSING, OTHER_ID, is_number, json_number, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from cerbos.engine.v1 import engine_pb2

    from clerk_cerbos_lab.insights.what_may_vary import Variable
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.messages import Entry, Request

    Places = Sequence[int]

MOST_QUESTIONS: Final = 100_000
"""Requests to ask for one decision."""

MOST_PAIRS_OF_NUMBERS: Final = 3
"""Ways to change two numbers at once that are told for each choice of the rest."""

_PIECES: Final = 256


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers for which the effect is the same."""

    lower: float
    lower_closed: bool
    upper: float
    upper_closed: bool

    @property
    def is_one(self) -> bool:
        """Whether it is a single number."""
        return self.lower == self.upper


@dataclass(frozen=True, slots=True)
class Hit:
    """Changes that turn the effect around, while no part of them does.

    Attributes:
        values: by the position of the variable, the value.
        intervals: the same for numbers: where the effect stays the same.
        on_axis: the nearest numbers of an axis.
        together: whether all numbers on their axes at once turn the effect around, too.
    """

    values: Mapping[int, Any]
    intervals: Mapping[int, Interval]
    on_axis: Mapping[int, float]
    together: bool


class Search:
    """Asks a PDP about changes of one request.

    Args:
        pdp: the PDP to ask.
        request: what is changed.
        variables: what may be changed.
        wanted: the effect that is looked for, True for ALLOW.
        on_asked: called after each answer with how many requests were answered.
    """

    def __init__(
        self,
        pdp: PDP,
        request: Request,
        variables: Sequence[Variable],
        *,
        wanted: bool,
        on_asked: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._pdp = pdp
        self._request = request
        self._variables = variables
        self._wanted = wanted
        self._on_asked = on_asked
        self._known: dict[frozenset[tuple[int, str]], bool] = {}
        self.candidates = [[*one.values, *map(json_number, one.line)] for one in variables]
        self.left_out: list[tuple[int, ...]] = []

    @property
    def asked(self) -> int:
        """How many requests were answered."""
        return len(self._known)

    def turns(self, changes: Sequence[Mapping[int, Any]]) -> list[bool]:
        """Whether the PDP gives the wanted effect after each of these changes."""
        keys = [frozenset((place, _key(value)) for place, value in one.items()) for one in changes]
        new = {name: one for name, one in zip(keys, changes, strict=True) if name not in self._known}
        by_principal: dict[tuple[tuple[int, str], ...], list[frozenset[tuple[int, str]]]] = {}
        for name in new:
            own = tuple(sorted(part for part in name if self._variables[part[0]].owner != "R"))
            by_principal.setdefault(own, []).append(name)
        order = [name for names in by_principal.values() for name in names]
        batches = self._batches([[new[name] for name in names] for names in by_principal.values()])
        with closing(self._pdp.check(batches, self._request.aux_data)) as answers:
            names = iter(order)
            for answer in answers:
                for allowed in answer[:, 0].tolist():
                    self._known[next(names)] = bool(allowed) == self._wanted
                self._on_asked(self.asked)
        return [self._known[name] for name in keys]

    def _batches(
        self, groups: Sequence[Sequence[Mapping[int, Any]]]
    ) -> Iterator[tuple[engine_pb2.Principal, list[Entry]]]:
        request = self._request
        (version, scope), (own_version, own_scope) = request.resource, request.who
        for group in groups:
            principal = changed(request, self._variables, group[0]).principal
            message = principal_message(principal, policy_version=own_version, scope=own_scope)
            for start in range(0, len(group), limits.RESOURCES_PER_REQUEST):
                some = group[start : start + limits.RESOURCES_PER_REQUEST]
                entries = Entries(
                    [
                        (request.resource_id, nested(changed(request, self._variables, one).attributes))
                        for one in some
                    ],
                    kind=request.kind,
                    actions=[request.action],
                    policy_version=version,
                    scope=scope,
                    other=OTHER_ID,
                )
                yield message, entries.for_principal(principal.id)

    # -- from one change to several -------------------------------------------------------------------

    def hits(self, most: int) -> Iterator[Hit]:
        """The smallest changes: those of one thing first.

        Two numbers that would each be enough if it changed further are not changed together.

        Args:
            most: how many things may be changed at once.
        """
        found: dict[tuple[int, ...], npt.NDArray[np.bool_]] = {}
        alone: set[tuple[int, bool]] = set()
        for count in range(1, most + 1):
            each = [
                places
                for places in itertools.combinations(range(len(self._variables)), count)
                if not self._overlap(places)
            ]
            each.sort(key=lambda places: (math.prod(len(self.candidates[place]) for place in places), places))
            asked: list[tuple[tuple[int, ...], npt.NDArray[np.intp]]] = []
            for places in each:
                by_less = self._by_less(places, found)
                at = np.argwhere(~by_less)
                if self.asked + sum(len(some) for _, some in asked) + len(at) > MOST_QUESTIONS:
                    self.left_out.append(places)
                    continue
                asked.append((places, at))
                found[places] = np.zeros_like(by_less)
            for places, at in asked:
                changes = [
                    {place: self.candidates[place][i] for place, i in zip(places, row, strict=True)}
                    for row in at.tolist()
                ]
                turned = np.array(self.turns(changes), dtype=np.bool_)
                found[places][tuple(at[turned].T)] = True
            for places, _ in sorted(asked, key=lambda one: one[0]):
                for hit in self._nearest(places, found[places]):
                    moves = self._moves(hit.values)
                    if len(moves) < 2 or not moves <= alone:
                        yield hit
                    if count == 1:
                        alone |= moves

    def _moves(self, values: Mapping[int, Any]) -> set[tuple[int, bool]]:
        """The numbers among changes, and whether they would be more."""
        return {
            (place, not is_number(self._variables[place].now) or value > self._variables[place].now)
            for place, value in values.items()
            if is_number(value) and self._variables[place].line
        }

    def _overlap(self, places: Places) -> bool:
        """Whether one of these variables is inside another."""
        some = [self._variables[place] for place in places]
        return any(
            a.owner == b.owner and overlap(a.attribute, b.attribute)
            for a, b in itertools.combinations(some, 2)
        )

    def _by_less(
        self, places: tuple[int, ...], found: Mapping[tuple[int, ...], npt.NDArray[np.bool_]]
    ) -> npt.NDArray[np.bool_]:
        """``[candidate, …]``: whether some of the changes are enough."""
        by_less = np.zeros([len(self.candidates[place]) for place in places], dtype=np.bool_)
        for count in range(1, len(places)):
            for some in itertools.combinations(range(len(places)), count):
                part = found.get(tuple(places[i] for i in some))
                if part is not None:
                    by_less |= np.expand_dims(part, [i for i in range(len(places)) if i not in some])
        return by_less

    def _nearest(self, places: tuple[int, ...], turned: npt.NDArray[np.bool_]) -> Iterator[Hit]:
        """Every choice of values; of numbers the nearest on either side, of several the nearest together."""
        groups: dict[tuple[int, ...], list[dict[int, float]]] = {}
        for row in np.argwhere(turned).tolist():
            line = {}
            for place, i in zip(places, row, strict=True):
                if i >= len(self._variables[place].values):
                    line[place] = self.candidates[place][i]
            group = tuple(-1 if place in line else i for place, i in zip(places, row, strict=True))
            groups.setdefault(group, []).append(line)
        for group, lines in groups.items():
            fixed = {
                place: self.candidates[place][i] for place, i in zip(places, group, strict=True) if i >= 0
            }
            for numbers in self._closest(lines):
                yield self._hit({**fixed, **numbers})

    def _closest(self, lines: list[dict[int, float]]) -> list[dict[int, float]]:
        """Of numbers that do: the nearest below and above; of several at once, those that none undercuts."""
        places = list(lines[0])
        now = [self._variables[place].now for place in places]
        start = [value if is_number(value) else 0 for value in now]
        if len(places) == 1:
            (place,), (here,) = places, start
            below = [line for line in lines if line[place] < here]
            above = [line for line in lines if line[place] >= here]
            nearest = [min(some, key=lambda line: abs(line[place] - here)) for some in (below, above) if some]
            return nearest if is_number(now[0]) else nearest[-1:]
        if not places:
            return [{}]
        moves = np.array(
            [[abs(line[place] - at) for place, at in zip(places, start, strict=True)] for line in lines]
        )
        cost = (moves / np.maximum(np.abs(start), 1)).sum(axis=1)
        chosen: list[int] = []
        for i in np.argsort(cost, kind="stable").tolist():
            if not any((moves[k] <= moves[i]).all() for k in chosen):
                chosen.append(i)
        return [lines[i] for i in chosen[:MOST_PAIRS_OF_NUMBERS]]

    # -- exact intervals ------------------------------------------------------------------------------

    def _hit(self, values: dict[int, Any]) -> Hit:
        intervals: dict[int, Interval] = {}
        on_axis: dict[int, float] = {}
        for place in sorted(values):
            variable = self._variables[place]
            if not is_number(values[place]) or not variable.line:
                continue
            intervals[place] = interval = self._interval(values, place)
            rounded = _to_the_cent(interval, variable.now, values[place])
            if rounded != values[place] and self.is_smallest({**values, place: rounded}):
                values = {**values, place: rounded}
            for number in nearest_on_grid(variable, interval.lower, interval.upper):
                if self.is_smallest({**values, place: json_number(number)}):
                    on_axis[place] = json_number(number)
                    break
        together = len(on_axis) == len(intervals) and self.is_smallest({**values, **on_axis})
        return Hit(values, intervals, on_axis, together)

    def is_smallest(self, values: Mapping[int, Any]) -> bool:
        """Whether changes turn the effect around, and no part of them does."""
        parts = [
            {place: values[place] for place in some}
            for count in range(len(values))
            for some in itertools.combinations(values, count)
        ]
        whole, *less = self.turns([values, *parts])
        return whole and not any(less)

    def _interval(self, values: Mapping[int, Any], place: int) -> Interval:
        """Around a number, where the effect stays the same while the other changes are made."""
        variable, at = self._variables[place], values[place]
        others = {other: value for other, value in values.items() if other != place}
        line = sorted({*variable.line, float(at)})
        turned = dict(zip(line, self.turns([{**others, place: json_number(x)} for x in line]), strict=True))
        if is_number(variable.now):
            turned[float(variable.now)] = self.turns([others])[0]
        line = sorted(turned)
        first = last = line.index(float(at))
        while first > 0 and turned[line[first - 1]]:
            first -= 1
        while last < len(line) - 1 and turned[line[last + 1]]:
            last += 1
        lower, lower_closed = variable.low, math.isfinite(variable.low)
        if first > 0:
            lower, lower_closed = self._edge(others, place, line[first], line[first - 1])
        upper, upper_closed = variable.high, math.isfinite(variable.high)
        if last < len(line) - 1:
            upper, upper_closed = self._edge(others, place, line[last], line[last + 1])
        return Interval(lower, lower_closed, upper, upper_closed)

    def _edge(
        self, others: Mapping[int, Any], place: int, inside: float, outside: float
    ) -> tuple[float, bool]:
        """The number between two others at which the effect turns, and whether it is inside."""

        def turned(numbers: Sequence[float]) -> list[bool]:
            return self.turns([{**others, place: json_number(x)} for x in numbers])

        while math.nextafter(inside, outside) != outside:
            after, before = math.nextafter(inside, outside), math.nextafter(outside, inside)
            if not turned([after])[0]:
                return inside, True
            if turned([before])[0]:
                return outside, False
            between = np.linspace(after, before, _PIECES).tolist()
            effects = turned(between)
            i = effects.index(False)
            inside, outside = between[i - 1], between[i]
        rounder = len(repr(outside)) < len(repr(inside))
        return (outside, False) if rounder else (inside, True)


def changed(request: Request, variables: Sequence[Variable], changes: Mapping[int, Any]) -> Request:
    """The request after changes."""
    attributes, own = dict(request.attributes), dict(request.principal.attr)
    roles = request.principal.roles
    for place, value in changes.items():
        variable = variables[place]
        if variable.owner == "R":
            _set(attributes, variable.attribute, value)
        elif variable.owner == "P":
            _put(own, steps_of(variable.attribute), value)
        else:
            roles = value
    principal = dataclasses.replace(request.principal, attr=own, roles=roles)
    return dataclasses.replace(request, principal=principal, attributes=attributes)


def _set(attributes: dict[str, Any], name: str, value: Any) -> None:
    """Set an attribute by name: in a map that is given whole, inside it."""
    steps = steps_of(name)
    whole = attributes.get(steps[0])
    if name not in attributes and len(steps) > 1 and isinstance(whole, dict):
        _put(attributes, steps, value)
    else:
        attributes[name] = value


def _put(held: dict[str, Any], steps: tuple[str, ...], value: Any) -> None:
    """Set what is inside maps, which are copied, or remove it."""
    first, *inside = steps
    if inside:
        below = held.get(first, {})
        held[first] = made = dict(below) if isinstance(below, dict) else {}
        _put(made, tuple(inside), value)
    elif value is MISSING:
        held.pop(first, None)
    else:
        held[first] = value


def _key(value: Any) -> str:
    return f"roles {value!r}" if isinstance(value, tuple) else key(value)


def _to_the_cent(interval: Interval, now: Any, value: float) -> float:
    """The whole number of cents in an interval that is nearest to the present value."""
    above = not is_number(now) or interval.lower > now
    near = interval.lower if above else interval.upper
    closed = interval.lower_closed if above else interval.upper_closed
    if not math.isfinite(near):
        return value
    cents = Decimal(repr(near)).quantize(CENT, rounding=ROUND_CEILING if above else ROUND_FLOOR)
    if float(cents) == near and not closed:
        cents += CENT if above else -CENT
    inside = interval.lower <= float(cents) <= interval.upper
    return json_number(float(cents)) if inside else value

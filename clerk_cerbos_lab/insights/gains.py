"""What repairs of profiles would allow, asked of the PDP."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import overlap, steps_of, value_at
from clerk_cerbos_lab.errors import LabWarning
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.identity.quality import is_missing
from clerk_cerbos_lab.insights.seen_conditions import ROLES
from clerk_cerbos_lab.insights.what_may_vary import Sources, variables_of
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.sweeps.name_checks import actions_asked
from clerk_cerbos_lab.sweeps.sweep import sweep
from clerk_cerbos_lab.values import MISSING, RESOURCE_ID, is_number, key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.principals import Principal, PrincipalTable
    from clerk_cerbos_lab.insights.repairs import Repair
    from clerk_cerbos_lab.insights.what_may_vary import Variable
    from clerk_cerbos_lab.pdp.client import PDP

MOST_NUMBERS: Final = 50
"""Different numbers of the people whose repairs are asked about together."""

MOST_CELLS: Final = 100_000
"""Combinations of resource attributes to ask about."""

MOST_SWEEPS: Final = 4
"""Of the same people, with the numbers of an attribute apart from its other values."""

_MISSING, _PRIVATE = -100, 10
"""Of requests that are gained, one with few attributes is the example, and without values of profiles."""

AS_PROFILE: Final = "as in the profile"


@dataclass(frozen=True, slots=True)
class Gain:
    """What a repair would allow.

    Attributes:
        needs: what is needed.
        actions: that are denied now for some resource and would be allowed.
        example: such a request of the first of them, without values of profiles.
        weight: how long and how private the example is; of several that of the least weight is told.
    """

    needs: str
    actions: tuple[str, ...]
    example: str
    weight: int


def gains_of(
    pdp: PDP, principals: pd.DataFrame, people: PrincipalTable, kind: str, repairs: Sequence[Repair]
) -> dict[tuple[str, str], Gain]:
    """By principal and attribute, what a repair would allow.

    Each person is asked about twice, as they are and repaired, with every combination of the resource's
    attributes that the policies can tell apart, as far as the values are known from the policies.
    """
    found: dict[tuple[str, str], Gain] = {}
    with progress(len(repairs), "repairs") as advance:
        for some in _together(people, repairs):
            found |= _gains_together(pdp, principals, people, kind, some)
            advance(len(some))
    return found


def _together(people: PrincipalTable, repairs: Sequence[Repair]) -> Iterator[list[Repair]]:
    """Repairs of people with few different numbers: those of one are asked about for all of them."""
    of_person = [_numbers_of(people[repair.row], repair) for repair in repairs]
    order = sorted(range(len(repairs)), key=lambda i: sorted(of_person[i]))
    some: list[Repair] = []
    numbers: set[float] = set()
    for i in order:
        if some and len(numbers | of_person[i]) > MOST_NUMBERS:
            yield some
            some, numbers = [], set()
        some.append(repairs[i])
        numbers |= of_person[i]
    if some:
        yield some


def _numbers_of(person: Principal, repair: Repair) -> set[float]:
    values = [*person.attr.values(), *repair.values]
    return {float(value) for value in values if is_number(value) and math.isfinite(value)}


def _gains_together(
    pdp: PDP, principals: pd.DataFrame, people: PrincipalTable, kind: str, repairs: Sequence[Repair]
) -> dict[tuple[str, str], Gain]:
    """The gains of some repairs."""
    rows: list[dict[str, Any]] = []
    pairs: list[tuple[int, int, Repair]] = []
    broken: set[str] = set()
    for repair in repairs:
        own = _as_row(people[repair.row])
        broken.add(key(value_at(own, steps_of(repair.attribute))))
        for value in repair.values:
            changed = {**own, repair.attribute: value}
            first, *inside = steps_of(repair.attribute)
            if inside:
                changed = {**own, first: _put(own.get(first), inside, value)}
            pairs.append((len(rows), len(rows) + 1, repair))
            rows += [own, changed]
    frame = pd.DataFrame(
        [{"id": row["id"], **{name: row.get(name, MISSING) for name in principals.columns}} for row in rows],
        dtype=object,
    )
    variables = _variables(pdp, kind, read_principals(frame))
    unique, where = _without_repeats(frame)
    asked = [(where[a], where[b], repair) for a, b, repair in pairs]
    found: dict[tuple[str, str], Gain] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)
        for attributes in _sweeps(variables, broken):
            decisions = sweep(pdp, unique, kind, audit=0, attr=attributes)
            for name, gain in _gains(decisions, asked, variables).items():
                found[name] = _both(found.get(name), gain, decisions.actions)
    return found


def _sweeps(variables: Sequence[Variable], broken: set[str]) -> Iterator[dict[str, list[Any]]]:
    """The values of the attributes to sweep: numbers apart from others, as an axis of numbers costs little.

    Args:
        variables: the attributes.
        broken: keys of the values that are repaired; an attribute that is a number is not given one of these.
    """
    parts: dict[str, list[list[Any]]] = {}
    for name, values in _few({one.attribute: [*one.values, *one.line, MISSING] for one in variables}).items():
        numbers = [value for value in values if value is not MISSING and is_number(value)]
        others = [value for value in values if value is MISSING or not is_number(value)]
        if numbers:
            others = [value for value in others if key(value) not in broken]
        parts[name] = [some for some in (numbers, others) if some]
    if math.prod(map(len, parts.values())) > MOST_SWEEPS:
        parts = {name: [[value for some in each for value in some]] for name, each in parts.items()}
    for some in itertools.product(*parts.values()):
        yield dict(zip(parts, some, strict=True))


def _both(known: Gain | None, more: Gain, actions: Sequence[str]) -> Gain:
    """What either says."""
    if known is None or not (known.actions and more.actions):
        return more if known is None or more.actions else known
    allowed = tuple(action for action in actions if action in {*known.actions, *more.actions})
    told = min((one for one in (known, more) if one.actions[0] == allowed[0]), key=lambda one: one.weight)
    return dataclasses.replace(told, actions=allowed)


def _as_row(person: Principal) -> dict[str, Any]:
    return {"id": person.id, ROLES: person.roles, **person.attr}


def _put(held: Any, inside: Sequence[str], value: Any) -> dict[str, Any]:
    first, *below = inside
    made = dict(held) if isinstance(held, dict) else {}
    made[first] = _put(made.get(first), below, value) if below else value
    return made


def _without_repeats(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """The different rows, and for each row its position among them."""
    numbers: dict[str, int] = {}
    first: list[int] = []
    where = []
    for place, row in enumerate(frame.to_dict("records")):
        mark = repr([_mark(value) for value in row.values()])
        if mark not in numbers:
            numbers[mark] = len(first)
            first.append(place)
        where.append(numbers[mark])
    return frame.iloc[first].reset_index(drop=True), where


def _mark(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    return "MISSING" if is_missing(value) else key(value)


def _variables(pdp: PDP, kind: str, people: PrincipalTable) -> list[Variable]:
    """The resource attributes that the rules of a kind read, with the values to ask about."""
    by_name: dict[str, Variable] = {}
    index, actions = pdp.index, actions_asked(pdp, kind, None, {"policy_version": "", "scope": ""})
    seen: set[str] = set()
    for person in people:
        mark = repr(sorted((name, key(value)) for name, value in person.attr.items()))
        if mark in seen:
            continue
        seen.add(mark)
        for action in actions:
            request = Request(person, action, kind, "resource", {}, ("", ""), ("", ""))
            for one in variables_of(Sources(request, index, (), frozenset(), {}), None)[0]:
                if one.owner == "R" and one.attribute != RESOURCE_ID:
                    by_name[one.attribute] = _joined(by_name.get(one.attribute), one)
    return list(by_name.values())


def _joined(known: Variable | None, more: Variable) -> Variable:
    """A variable with the values of both; what is public for one of them is not private."""
    if known is None:
        return more
    values = {key(value): value for value in [*known.values, *more.values]}
    public = {key(value) for value in [*known.values, *known.line]} - known.private
    public |= {key(value) for value in [*more.values, *more.line]} - more.private
    return dataclasses.replace(
        known,
        values=tuple(values.values()),
        line=tuple(sorted({*known.line, *more.line})),
        private=(known.private | more.private) - public,
    )


def _few(attributes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """So many values that there are not too many combinations: every other of the longest list."""
    made = {
        name: values
        for name, values in attributes.items()
        if not any(overlap(name, other) for other in attributes if other != name)
    }
    while made and math.prod(map(len, made.values())) > MOST_CELLS:
        longest = max(made, key=lambda name: len(made[name]))
        made[longest] = made[longest][-1::-2][::-1]
    return made


def _gains(
    decisions: Decisions, pairs: Sequence[tuple[int, int, Repair]], variables: Sequence[Variable]
) -> dict[tuple[str, str], Gain]:
    codes, first = decisions.classes()
    places = [np.arange(n, dtype=np.intp) for n in decisions.shape[1:]]
    private = _private(decisions, variables)
    known: dict[tuple[int, int], Gain] = {}
    found: dict[tuple[str, str], Gain] = {}
    for before, after, repair in pairs:
        at = (int(codes[before]), int(codes[after]))
        if at not in known:
            was, would = (decisions.cube.take([first[[code]], *places])[0] for code in at)
            known[at] = _gain(decisions, would & ~was, private)
        name = (repair.principal, repair.attribute)
        held = found.get(name)
        if held is None or len(known[at].actions) > len(held.actions):
            found[name] = dataclasses.replace(known[at], needs=repair.needs)
    return found


def _private(decisions: Decisions, variables: Sequence[Variable]) -> list[list[bool]]:
    """For each axis, whether a value is only known from profiles."""
    by_name = {one.attribute: one for one in variables}
    return [
        [by_name[axis.name].is_private(value) or _near(by_name[axis.name], value) for value in axis.values]
        for axis in decisions.axes
    ]


def _near(variable: Variable, value: Any) -> bool:
    """Whether a number is a cent from one that is private."""
    return is_number(value) and any(variable.is_private(round(value + cent, 2)) for cent in (-0.01, 0.01))


def _gain(decisions: Decisions, gained: Any, private: list[list[bool]]) -> Gain:
    """The actions that are gained, and one request, if possible without what is private."""
    actions = tuple(action for action, some in zip(decisions.actions, gained, strict=True) if some.any())
    if not actions:
        return Gain("", (), "", 0)
    weights = np.zeros(gained.shape[1:], dtype=np.int64)
    for dim, flags in enumerate(private):
        shape = [1] * weights.ndim
        shape[dim] = len(flags)
        each = [
            _MISSING if value is MISSING else _PRIVATE * flag + (is_number(value) and value % 1 != 0)
            for value, flag in zip(decisions.axes[dim].values, flags, strict=True)
        ]
        weights = weights + np.array(each, dtype=np.int64).reshape(shape)
    action = decisions.actions.index(actions[0])
    best = np.where(gained[action], weights, np.iinfo(np.int64).max)
    place = np.unravel_index(int(best.argmin()), best.shape) if best.ndim else ()
    shown = decisions.shown()
    told = [
        f"{axis.name} {AS_PROFILE if flags[i] else shown.value(axis.values[i])}"
        for axis, flags, i in zip(decisions.axes, private, place, strict=True)
        if axis.values[i] is not MISSING
    ]
    example = ", ".join([f"{actions[0]} {decisions.kind}", *told])
    return Gain("", actions, example, int(weights[place]))

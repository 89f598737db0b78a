"""Data problems that change decisions: what would be allowed if a profile were repaired, asked of the PDP."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import overlap, steps_of, value_at
from clerk_cerbos_lab.errors import LabWarning
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.identity.quality import ABSENT, MISTYPED, _folded, is_missing
from clerk_cerbos_lab.insights.what_may_vary import Sources, roles_known, variables_of
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.sweeps.name_checks import actions_asked
from clerk_cerbos_lab.sweeps.sweep import sweep
from clerk_cerbos_lab.values import MISSING, RESOURCE_ID, is_number, is_text, json_type, key, number_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.principals import Principal, PrincipalTable
    from clerk_cerbos_lab.identity.quality import Row
    from clerk_cerbos_lab.insights.what_may_vary import Variable
    from clerk_cerbos_lab.pdp.client import PDP

UNUSUAL: Final = "unusual value"

ROLES: Final = "roles"

MOST_REPAIRS: Final = 12
"""Values of others to try for one attribute."""

MOST_CELLS: Final = 100_000
"""Combinations of resource attributes to ask about."""

_MISSING, _PRIVATE = -100, 10
"""Of requests that are gained, one with few attributes is the example, and without values of profiles."""

AS_PROFILE: Final = "as in the profile"


@dataclass(frozen=True, slots=True)
class Repair:
    """A value that an attribute may have been meant to have.

    Attributes:
        principal: the id.
        row: of the principal in the frame.
        attribute: its name, or ``roles``.
        values: to try instead.
        needs: what is needed, in words without values of profiles.
    """

    principal: str
    row: int
    attribute: str
    values: tuple[Any, ...]
    needs: str


@dataclass(frozen=True, slots=True)
class Gain:
    """What a repair would allow.

    Attributes:
        needs: what is needed.
        actions: that are denied now for some resource and would be allowed.
        example: such a request, without values of profiles.
    """

    needs: str
    actions: tuple[str, ...]
    example: str


def read_by_kind(pdp: PDP, kind: str) -> frozenset[str] | None:
    """The principal attributes that rules of a kind can use; None if that is not known."""
    found = pdp.index.analysis(kind)
    if found.unreadable or found.principal_attributes is None:
        return None
    return frozenset({steps_of(name)[0] for name in found.principal_attributes | found.principal_presence})


def repairs_of(
    principals: pd.DataFrame, people: PrincipalTable, lines: Sequence[Row], pdp: PDP, kind: str
) -> list[Repair]:
    """For each line of the report, what may have been meant; nothing where that can't be known."""
    types, texts = pdp.compared_types(), texts_compared(pdp, kind)
    known = roles_known(pdp.index, kind)
    rows: dict[str, int] = {}
    for row, own in enumerate(people.ids):
        rows.setdefault(own, row)
    made = []
    for line in lines:
        row, name = rows[line["principal"]], line["attribute"]
        if name == ROLES:
            roles = people[row].roles
            twins = tuple({_twin(role, known) or role: None for role in roles})
            if twins != roles:
                made.append(
                    Repair(line["principal"], row, ROLES, (twins,), "a role as the policies spell it")
                )
        elif steps_of(name)[0] in principals:
            repair = _repair(people, row, line, types.get(name), texts.get(name, ()))
            if repair is not None:
                made.append(repair)
    return made


def _twin(text: str, known: Sequence[str]) -> str | None:
    """The known text that differs only in case and spaces."""
    if text in known:
        return None
    return next((one for one in known if _folded(one) == _folded(text)), None)


def _repair(
    people: PrincipalTable, row: int, line: Row, wanted: str | None, texts: Sequence[str]
) -> Repair | None:
    name, problem = line["attribute"], line["problem"]
    first, *inside = steps_of(name)
    value = value_at(people[row].attr.get(first, MISSING), tuple(inside))
    others = _of_others(people, name)
    if problem == UNUSUAL:
        if is_number(value) and value < 0:
            return Repair(line["principal"], row, name, (-value,), "a number that is not below 0")
        if not is_text(value):
            return None
        of_policies = _twin(value, texts)
        twin = of_policies or _twin(value, [one for one in others if one != value and is_text(one)])
        if twin is None:
            return None
        by = "the policies" if of_policies else "others"
        return Repair(line["principal"], row, name, (twin,), f"the value as {by} spell it")
    if problem not in {MISTYPED, ABSENT}:
        return None
    usual = wanted or _usual(others)
    values = _converted(value, usual) or [one for one in others if usual is None or json_type(one) == usual]
    needs = usual or "a value"
    return Repair(line["principal"], row, name, tuple(values[:MOST_REPAIRS]), needs) if values else None


def _of_others(people: PrincipalTable, name: str) -> list[Any]:
    """The values of an attribute, the most common first; of numbers the greatest comes first."""
    column = people.column(name)
    if column is None:
        return []
    counts = np.bincount(column.codes, minlength=len(column.values))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i] and column.values[i] is not MISSING]
    values = list({key(column.values[i]): column.values[i] for i in order}.values())
    numbers = [value for value in values if is_number(value)]
    return [max(numbers), *(value for value in values if value != max(numbers))] if numbers else values


def _usual(values: Sequence[Any]) -> str | None:
    types = Counter(map(json_type, values))
    return types.most_common(1)[0][0] if types else None


def _converted(value: Any, wanted: str | None) -> list[Any]:
    """The value in the type that is wanted, if it can be read so."""
    if isinstance(value, list) and wanted in {"a string", "a number"}:
        return [one for one in value if json_type(one) == wanted]
    if wanted == "a number" and isinstance(value, str):
        number = number_written(value)
        return [] if number is None else [number]
    if wanted == "a string" and is_number(value):
        return [str(value)]
    return [[value]] if wanted == "a list" and value is not MISSING and value is not None else []


# -- asking -------------------------------------------------------------------------------------------


def gains_of(
    pdp: PDP, principals: pd.DataFrame, people: PrincipalTable, kind: str, repairs: Sequence[Repair]
) -> dict[tuple[str, str], Gain]:
    """By principal and attribute, what a repair would allow.

    Each person is asked about twice, as they are and repaired, with every combination of the resource's
    attributes that the policies can tell apart, as far as the values are known from the policies.
    """
    if not repairs:
        return {}
    rows: list[dict[str, Any]] = []
    pairs: list[tuple[int, int, Repair]] = []
    for repair in repairs:
        own = _as_row(people[repair.row])
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)
        attributes = {one.attribute: [*one.values, *one.line, MISSING] for one in variables}
        decisions = sweep(pdp, unique, kind, audit=0, attr=_few(attributes))
    return _gains(decisions, [(where[a], where[b], repair) for a, b, repair in pairs], variables)


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
        made[longest] = made[longest][::2]
    return made


def _gains(
    decisions: Decisions, pairs: Sequence[tuple[int, int, Repair]], variables: Sequence[Variable]
) -> dict[tuple[str, str], Gain]:
    codes, first = decisions.classes()
    places = [np.arange(n, dtype=np.intp) for n in decisions.shape[1:]]
    private = _private(decisions, variables)
    known: dict[tuple[int, int], tuple[tuple[str, ...], str]] = {}
    found: dict[tuple[str, str], Gain] = {}
    for before, after, repair in pairs:
        at = (int(codes[before]), int(codes[after]))
        if at not in known:
            was, would = (decisions.cube.take([first[[code]], *places])[0] for code in at)
            known[at] = _gain(decisions, would & ~was, private)
        actions, example = known[at]
        name = (repair.principal, repair.attribute)
        held = found.get(name)
        if held is None or (actions and len(actions) > len(held.actions)):
            found[name] = Gain(repair.needs, actions, example)
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


def _gain(decisions: Decisions, gained: Any, private: list[list[bool]]) -> tuple[tuple[str, ...], str]:
    """The actions that are gained, and one request, if possible without what is private."""
    actions = tuple(action for action, some in zip(decisions.actions, gained, strict=True) if some.any())
    if not actions:
        return (), ""
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
    return actions, ", ".join([f"{actions[0]} {decisions.kind}", *told])


def texts_compared(pdp: PDP, kind: str) -> dict[str, list[str]]:
    """By principal attribute, the texts that rules of a kind compare it with."""
    actions = actions_asked(pdp, kind, None, {"policy_version": "", "scope": ""})
    found = pdp.index.compared(kind, Audience(tuple(actions), None))
    return {
        name: [value for value in group.values if is_text(value)]
        for (owner, name), group in found.groups.items()
        if owner == "P"
    }


def spelled_otherwise(
    people: PrincipalTable, texts: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Who has a text that differs only in case and spaces from one that the policies compare it with."""
    for name, some in texts.items():
        column = people.column(name)
        if column is not None and some:
            odd = [is_text(value) and _twin(value, some) is not None for value in column.values]
            yield from ((people.ids[row], name) for row, code in enumerate(column.codes) if odd[code])

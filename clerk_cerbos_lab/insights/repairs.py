"""What the values in profiles that are data problems may have been meant to be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import steps_of, value_at
from clerk_cerbos_lab.identity.quality import ABSENT, MISTYPED, UNUSUAL
from clerk_cerbos_lab.insights.seen_conditions import ROLES
from clerk_cerbos_lab.insights.spelling import twin
from clerk_cerbos_lab.insights.what_may_vary import roles_known
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.sweeps.name_checks import actions_asked
from clerk_cerbos_lab.values import MISSING, is_number, is_text, json_type, key, number_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from clerk_cerbos_lab.identity.principals import Principal, PrincipalTable
    from clerk_cerbos_lab.identity.quality import Row
    from clerk_cerbos_lab.pdp.client import PDP

MOST_REPAIRS: Final = 12
"""Values of others to try for one attribute."""


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
    others: dict[str, list[Any]] = {}
    for line in lines:
        row, name = rows[line["principal"]], line["attribute"]
        if name == ROLES:
            roles = people[row].roles
            twins = tuple({twin(role, known) or role: None for role in roles})
            if twins != roles:
                made.append(
                    Repair(line["principal"], row, ROLES, (twins,), "a role as the policies spell it")
                )
        elif steps_of(name)[0] in principals:
            if name not in others:
                others[name] = _of_others(people, name)
            repair = _repair(people[row], row, line, types.get(name), texts.get(name, ()), others[name])
            if repair is not None:
                made.append(repair)
    return made


def _repair(  # noqa: PLR0917 - all that a repair depends on
    person: Principal, row: int, line: Row, wanted: str | None, texts: Sequence[str], others: Sequence[Any]
) -> Repair | None:
    name, problem = line["attribute"], line["problem"]
    first, *inside = steps_of(name)
    value = value_at(person.attr.get(first, MISSING), tuple(inside))
    if problem == UNUSUAL:
        if is_number(value) and value < 0:
            return Repair(line["principal"], row, name, (-value,), "a number that is not below 0")
        if not is_text(value):
            return None
        of_policies = twin(value, texts)
        meant = of_policies or twin(value, [one for one in others if one != value and is_text(one)])
        if meant is None:
            return None
        by = "the policies" if of_policies else "others"
        return Repair(line["principal"], row, name, (meant,), f"the value as {by} spell it")
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
    greatest = max(numbers, default=None)
    return values if greatest is None else [greatest, *(value for value in values if value != greatest)]


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
            odd = [is_text(value) and twin(value, some) is not None for value in column.values]
            yield from ((people.ids[row], name) for row, code in enumerate(column.codes) if odd[code])

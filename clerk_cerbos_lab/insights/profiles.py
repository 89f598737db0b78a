"""Which people have other roles or attributes in one answer than in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.values import MISSING, key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions


def other_profiles(before: Decisions, after: Decisions, both: Sequence[str]) -> list[str]:
    """A sentence about the people whose roles or attributes differ; none if nobody's do.

    Args:
        before: the first answer.
        after: the second.
        both: the labels of those who are in both.
    """
    rows = []
    tables = []
    for decisions in (before, after):
        place = {name: row for row, name in enumerate(decisions.names)}
        rows.append([place[name] for name in both])
        tables.append(read_principals(decisions.principals))
    names = ["roles", *dict.fromkeys(name for table in tables for name in table.attributes)]
    counts: dict[str, int] = {}
    who: set[int] = set()
    for name in names:
        signs = [_signs(table, name, own) for table, own in zip(tables, rows, strict=True)]
        others = [n for n, (one, other) in enumerate(zip(*signs, strict=True)) if one != other]
        if others:
            counts[name] = len(others)
            who |= set(others)
    if not who:
        return []
    shown = after.shown()
    told = ", ".join(f"{shown.text(name)} of {count:,}" for name, count in counts.items())
    verb = "has" if len(who) == 1 else "have"
    return [f"{len(who):,} of {len(both):,} people {verb} another profile: {told}."]


def _signs(table: Any, name: str, rows: Sequence[int]) -> list[str]:
    """The value of each person, as a text that is equal exactly for values that are sent alike."""
    if name != "roles" and name not in table.attributes:
        return [key(MISSING)] * len(rows)
    column = table.roles if name == "roles" else table.attributes[name]
    known = [key(list(value) if name == "roles" else value) for value in column.values]
    codes = column.codes.tolist()
    return [known[codes[row]] for row in rows]

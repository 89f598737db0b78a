"""What a page of decisions would disclose, before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.identity import taken
from clerk_cerbos_lab.identity.principals import RESERVED

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

COLUMNS = ["what", "count", "disclosed"]


def discloses(decisions: Decisions, *, names: bool) -> pd.DataFrame:
    """The table; ``Decisions.discloses`` documents it."""
    shown = decisions.shown(names=names)
    people = decisions.principals
    hidden = [str(name) for name in people.columns if name not in {*RESERVED, *shown.attributes}]
    held = {role for roles in people["roles"] for role in roles}
    rows = [
        ("people", len(people), "their ids" if shown.by_id else "pseudonyms instead of their ids"),
        ("roles", len(held), shown.text(", ".join(sorted(held)))),
        ("attributes", len(shown.attributes), _attributes(decisions, shown)),
        ("attributes left out", len(hidden), shown.text(", ".join(hidden))),
        ("values asked about", len(decisions.axes) + len(decisions.fixed), _asked(decisions, shown)),
        ("policy texts", len(decisions.policies or {}), _policies(decisions, shown)),
        ("data problems", _problems(people), "who has them, which attribute, and in what way"),
        ("reasons", *_reasons(decisions, shown)),
        ("source", 1, shown.text(taken.said(people))),
    ]
    return pd.DataFrame([row for row in rows if row[1]], columns=COLUMNS)


def in_a_line(decisions: Decisions) -> str:
    """The same in a line, for the output of a command."""
    rows = discloses(decisions, names=False).itertuples(index=False, name=None)
    return "the page discloses " + "; ".join(f"{what} ({count:,}): {told}" for what, count, told in rows)


def _attributes(decisions: Decisions, shown: Disclosure) -> str:
    """Each attribute that is shown, with how many different values it has."""
    dim = {name: decisions.principals[name] for name in shown.attributes}
    parts = []
    for name, column in dim.items():
        values = {shown.value(value) for value in column.dropna().tolist()}
        parts.append(f"{shown.text(name)} ({len(values):,} values)")
    return ", ".join(parts)


def _asked(decisions: Decisions, shown: Disclosure) -> str:
    parts = []
    for axis in decisions.axes:
        if axis.numeric:
            low, high = number_label(min(axis.values)), number_label(max(axis.values))
            parts.append(f"{axis.name} {low} to {high}")
        else:
            parts.append(f"{axis.name} {', '.join(plain_text.labels(decisions, shown, axis.name, 6))}")
    parts += [f"{name} {shown.value(value)}" for name, value in decisions.fixed.items()]
    return "; ".join(parts)


def _policies(decisions: Decisions, shown: Disclosure) -> str:
    return ", ".join(shown.file(name) for name in decisions.policies or {})


def _problems(people: pd.DataFrame) -> int:
    ids = set(people["id"])
    return sum(line["principal"] in ids for line in people.attrs.get("problems", ()))


def _reasons(decisions: Decisions, shown: Disclosure) -> tuple[int, str]:
    known = decisions.explanations
    if known is None or known.names != shown.names:
        return 0, ""
    return len(known.templates), "rules, conditions and the values that they compare"

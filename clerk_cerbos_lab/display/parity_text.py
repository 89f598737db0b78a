"""A comparison of principals: how many people were sent as the mapping makes them, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.parity import Parity

SHOWN: Final = 20

COLUMNS: Final = ["principal", "attribute", "kind", "directory", "sent", "requests", "last"]

_TOLD: Final = {
    "missing": "not sent",
    "extra": "sent, but the directory has none",
    "null": "sent as null, but the directory has none",
    "other value": "another value",
    "other roles": "other than in the directory",
    "stale roles": "the directory's only in some requests: a token that is not refreshed?",
}


def text_of(parity: Parity) -> str:
    """The comparison as lines of text."""
    return "\n".join([headline(parity), *sentences(parity), *parity.notes])


def html_of(parity: Parity) -> str:
    """The comparison as HTML."""
    rows = parity.frame().head(SHOWN)
    rows["last"] = rows["last"].dt.strftime("%Y-%m-%d %H:%M").fillna("")
    return render(
        "parity.html.j2",
        headline=headline(parity),
        sentences=sentences(parity),
        columns=COLUMNS,
        rows=rows[COLUMNS].to_numpy().tolist(),
        rest=max(len(parity) - SHOWN, 0),
        notes=parity.notes,
    )


def headline(parity: Parity) -> str:
    """Such as "1,204 requests of 37 people: 33 were sent as the mapping makes them, 4 were not."."""
    people = len(parity.sent)
    other = parity.rows["principal"].nunique()
    who = "1 person" if people == 1 else f"{people:,} people"
    many = "1 request" if parity.requests == 1 else f"{parity.requests:,} requests"
    if not other:
        return f"{many} of {who}: all were sent as the mapping makes them."
    first, second = ("was" if count == 1 else "were" for count in (people - other, other))
    return (
        f"{many} of {who}: {people - other:,} {first} sent as the mapping makes them, {other:,} {second} not."
    )


def sentences(parity: Parity) -> list[str]:
    """What differs: "approval_limit: a string for a number; 3 people."."""
    shown = parity.shown()
    found = []
    groups = parity.rows.groupby(["attribute", "kind"], sort=False)
    for place, some in sorted(groups, key=lambda one: -one[1]["principal"].nunique()):
        attribute, kind = map(str, place)
        people = some["principal"].nunique()
        who = "1 person" if people == 1 else f"{people:,} people"
        if kind == "not in the directory":
            found.append(f"{who} not in the directory.")
        elif kind == "other type":
            types = dict.fromkeys(
                f"{json_type(sent)} for {json_type(held)}"
                for held, sent in zip(some["directory"], some["sent"], strict=True)
            )
            found.append(f"{shown.text(attribute)}: {', '.join(types)}; {who}.")
        else:
            found.append(f"{shown.text(attribute)}: {_TOLD[kind]}; {who}.")
    return found

"""A replay of a decision log: how many decisions, and which would be decided otherwise now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.log_replay import LogReplay

SHOWN: Final = 20


def text_of(replay: LogReplay) -> str:
    """The replay as lines of text."""
    return "\n".join([headline(replay), *sentences(replay), *replay.notes])


def html_of(replay: LogReplay) -> str:
    """The replay as HTML."""
    return render(
        "replay.html.j2",
        headline=headline(replay),
        sentences=sentences(replay),
        months=[],
        moved=[],
        rest=0,
        notes=replay.notes,
    )


def headline(replay: LogReplay) -> str:
    """Such as "1,204 decisions of 37 people, 2026-11-01 to 2026-11-27: 12 would be decided otherwise now"."""
    rows = replay.rows
    days = [f"{day:%Y-%m-%d}" for day in (rows["time"].min(), rows["time"].max())]
    when = days[0] if days[0] == days[1] else " to ".join(days)
    count = int((rows["recorded"] != rows["now"]).sum())
    told = "all would be decided the same now" if not count else f"{count:,} would be decided otherwise now"
    people = len(replay.principals)
    return f"{len(rows):,} decisions of {people:,} {'person' if people == 1 else 'people'}, {when}: {told}."


def sentences(replay: LogReplay) -> list[str]:
    """What is decided otherwise: "8 approve of expense: ALLOW then, DENY now, of 3 people."."""
    shown = replay.shown()
    rows = replay.rows[replay.rows["recorded"] != replay.rows["now"]]
    found = []
    groups = rows.groupby(["kind", "action", "recorded", "now"], sort=False)
    for key, some in sorted(groups, key=lambda one: -len(one[1]))[:SHOWN]:
        kind, action, recorded, now = map(str, key)
        people = some["principal"].nunique()
        who = "1 person" if people == 1 else f"{people:,} people"
        found.append(
            f"{len(some):,} {shown.text(action)} of {shown.text(kind)}: {recorded} then, {now} now; {who}."
        )
    return found

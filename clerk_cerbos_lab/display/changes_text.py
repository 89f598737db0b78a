"""A comparison of two answers as a plan: the verdict, then who gains and who loses what, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.changes import GAINED, LOST
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import json_number

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.changes import Changes, Group
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

SHOWN: Final = 20
"""Groups that are shown; ``frame()`` has everything."""

NAMED: Final = 5
"""People of a group who are named."""

VERSION: Final = 1
"""The version of the form of ``Changes.to_dict``."""

MARKS: Final = {GAINED: "+", LOST: "-"}


class _People:
    """How people are called, and their roles: as before the change, or as after it if they joined."""

    def __init__(self, changes: Changes, shown: Disclosure) -> None:
        self.shown = shown
        self._sides: list[tuple[Disclosure, dict[str, tuple[str, tuple[str, ...]]]]] = []
        for side, own in ((changes.before, shown), (changes.after, changes.after.shown(names=shown.names))):
            frame = side.principals
            rows = zip(frame["id"].tolist(), frame["roles"].tolist(), strict=True)
            self._sides.append((own, dict(zip(side.names, rows, strict=True))))

    def name(self, label: str) -> str:
        shown, rows = self._side(label)
        return shown.principal(rows[label][0], label)

    def roles(self, label: str) -> tuple[str, ...]:
        return self._side(label)[1][label][1]

    def _side(self, label: str) -> tuple[Disclosure, dict[str, tuple[str, tuple[str, ...]]]]:
        return next(side for side in self._sides if label in side[1])


def text_of(changes: Changes) -> str:
    """The plan as lines of text."""
    shown = changes.before.shown()
    known = _People(changes, shown)
    lines = [headline(changes), *between(changes), scope_line(changes, shown)]
    for group in changes.groups[:SHOWN]:
        lines += ["", f"{MARKS[group.change]} {sentence(changes, group, shown)}"]
        lines += [f"    {line}" for line in [people(group, known), *reasons(group)]]
    return "\n".join([*lines, *left_out(changes), *map(shown.text, changes.notes)])


def markdown_of(changes: Changes) -> str:
    """The plan as Markdown."""
    shown = changes.before.shown()
    known = _People(changes, shown)
    return render(
        "changes.md.j2",
        changes=changes,
        headline=headline(changes),
        scope=" ".join([*between(changes), scope_line(changes, shown)]),
        groups=[
            (
                MARKS[group.change],
                sentence(changes, group, shown),
                people(group, known),
                reasons(group),
            )
            for group in changes.groups[:SHOWN]
        ],
        left_out=left_out(changes),
        notes=list(map(shown.text, changes.notes)),
    )


def html_of(changes: Changes, *, names: bool = False) -> str:
    """The plan as HTML; every mark is also a word."""
    shown = changes.before.shown(names=names)
    known = _People(changes, shown)
    return render(
        "changes.html.j2",
        changes=changes,
        headline=headline(changes),
        scope=" ".join([*between(changes), scope_line(changes, shown)]),
        groups=[
            {
                "change": group.change,
                "mark": MARKS[group.change].replace("-", "−"),  # noqa: RUF001 - as wide as the plus sign
                "sentence": sentence(changes, group, shown),
                "people": people(group, known),
                "reasons": reasons(group),
            }
            for group in changes.groups[:SHOWN]
        ],
        left_out=left_out(changes),
        notes=list(map(shown.text, changes.notes)),
    )


def data_of(changes: Changes) -> dict[str, Any]:
    """The comparison as data, with people by pseudonyms; infinite ends are None."""
    shown = changes.before.shown()
    known = _People(changes, shown)
    return {
        "version": VERSION,
        "verdict": changes.verdict,
        "scope": scope_line(changes, shown),
        "before": _side(changes.before),
        "after": _side(changes.after),
        "along": changes.along,
        "gained": len(changes.gained),
        "lost": len(changes.lost),
        "groups": [
            {
                "change": group.change,
                "action": shown.text(group.action),
                "where": {axis: list(map(shown.value, values)) for axis, values in group.where.items()},
                **_interval(group),
                "exact": group.exact,
                "people": len(group.principals),
                "principals": list(map(known.name, group.principals)),
                "witness": {
                    "principal": known.name(group.witness.principal),
                    "values": {
                        axis: shown.value(value) if axis != changes.along else json_number(value)
                        for axis, value in group.witness.values.items()
                    },
                    "before": group.witness.before,
                    "after": group.witness.after,
                    "why_before": group.witness.why_before,
                    "why_after": group.witness.why_after,
                },
            }
            for group in changes.groups
        ],
        "notes": list(map(shown.text, changes.notes)),
    }


# -- sentences ------------------------------------------------------------------------------------


def headline(changes: Changes) -> str:
    """The verdict: "Only more: 9 of 96 people gain, nobody loses."."""
    return f"{changes.verdict.capitalize()}: {who_changes(changes)}."


def who_changes(changes: Changes) -> str:
    """``9 of 96 people gain, nobody loses``."""
    total, gained, lost = len(changes.everybody), len(changes.gained), len(changes.lost)
    if len(changes.never_allowed) == len(changes.before.actions):
        return "nobody is allowed anything, before or after"
    if not gained and not lost:
        return f"nothing changes for {_people(total)}"
    told = f"{_of(gained, total)} gain{'s' if gained == 1 else ''}"
    told += f", {lost or 'nobody'} lose{'s' if lost < 2 else ''}"
    if not gained:
        told = f"{_of(lost, total)} lose{'s' if lost == 1 else ''}, nobody gains"
    return told


def between(changes: Changes) -> list[str]:
    """A line about versions of Cerbos and modes of evaluation, if both sides do not have the same."""
    one, other = (made.provenance for made in (changes.before, changes.after))
    same = (one.pdp_version, one.evaluation) == (other.pdp_version, other.evaluation)
    if same or ("unknown" in {one.evaluation, other.evaluation} and one.pdp_version == other.pdp_version):
        return []
    sides = " and ".join(f"Cerbos {side.pdp_version} ({side.evaluation})" for side in (one, other))
    known = one.policy_digest is not None and other.policy_digest is not None
    alike = "the same" if one.policy_digest == other.policy_digest else "different"
    return [f"Between {sides}" + (f", with {alike} policies." if known else ".")]


def _side(decisions: Decisions) -> dict[str, Any]:
    made = decisions.provenance
    return {"cerbos": made.pdp_version, "evaluation": made.evaluation, "policies": made.policy_digest}


def scope_line(changes: Changes, shown: Disclosure) -> str:
    """Of what the verdict is true: people, actions and attributes."""
    before = changes.before
    parts = [f"{shown.text(before.kind)}: {', '.join(map(shown.text, before.actions))}"]
    for axis in before.axes:
        if axis.name == changes.along:
            parts.append(f"every {shown.text(before.question.heading(axis.name))}")
        elif len(axis.values) <= NAMED:
            parts.append(f"{shown.text(axis.name)} {', '.join(map(shown.value, axis.values))}")
        else:
            parts.append(f"{len(axis.values):,} values of {shown.text(axis.name)}")
    parts += [
        f"{shown.text(name)} {shown.value(value)}"
        for name, value in before.fixed.items()
        if name != "resource_id"
    ]
    return f"For {_people(len(changes.everybody))}; {'; '.join(parts)}."


def sentence(changes: Changes, group: Group, shown: Disclosure) -> str:
    """``9 people gain approve for 5,000 < amount ≤ 7,500 in region south``."""
    count = len(group.principals)
    verb = {GAINED: "gain", LOST: "lose"}[group.change] + ("s" if count == 1 else "")
    told = f"{_people(count)} {verb} {shown.text(group.action)}"
    if group.interval is not None and changes.along is not None:
        told += f" for {interval_text(group.interval, shown.text(changes.along))}"
    where = [
        f"{shown.text(axis)} {_either(list(map(shown.value, values)))}"
        for axis, values in group.where.items()
    ]
    approximate = "" if group.exact else " (amounts of the grid)"
    return f"{told}{' with ' if where else ''}{', '.join(where)}{approximate}"


def interval_text(interval: tuple[float, bool, float, bool], name: str) -> str:
    """``5,000 < amount ≤ 7,500``, ``amount > 50,000``, ``any amount``."""
    lower, lower_closed, upper, upper_closed = interval
    low, high = (number_label(json_number(end)) for end in (lower, upper))
    if lower == float("-inf"):
        return f"any {name}" if upper == float("inf") else f"{name} {'≤' if upper_closed else '<'} {high}"
    if upper == float("inf"):
        return f"{name} {'≥' if lower_closed else '>'} {low}"
    if lower == upper:
        return f"{name} = {low}"
    return f"{low} {'≤' if lower_closed else '<'} {name} {'≤' if upper_closed else '<'} {high}"


def people(group: Group, known: _People) -> str:
    """Who: the first few by name, and the roles that all of them have."""
    some = [known.name(one) for one in group.principals[:NAMED]]
    more = len(group.principals) - len(some)
    told = ", ".join(some) + (f" and {more:,} more" if more else "")
    held = {known.roles(one) for one in group.principals}
    shared = sorted(set.intersection(*map(set, held)))
    return f"{told} (all {', '.join(map(known.shown.text, shared))})" if shared else told


def reasons(group: Group) -> list[str]:
    """What both PDPs said of the witness."""
    witness = group.witness
    return [
        f"{when}: {told}"
        for when, told in (("before", witness.why_before), ("after", witness.why_after))
        if told
    ]


def left_out(changes: Changes) -> list[str]:
    """A line about groups that are not shown."""
    more = len(changes.groups) - SHOWN
    return ["", f"{more:,} more groups; .frame() has every row."] if more > 0 else []


def _interval(group: Group) -> dict[str, Any]:
    if group.interval is None:
        return {}
    lower, lower_closed, upper, upper_closed = group.interval
    ends = [None if abs(end) == float("inf") else json_number(end) for end in (lower, upper)]
    return {"lower": ends[0], "lower_closed": lower_closed, "upper": ends[1], "upper_closed": upper_closed}


def _either(values: list[str]) -> str:
    return " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _of(count: int, total: int) -> str:
    return f"{count:,} of {_people(total)}" if count != total else f"all {_people(total)}"

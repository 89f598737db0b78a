"""Counterfactuals as text: one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.counterfactual import Changed, Counterfactual, Counterfactuals

MOST_SHOWN: Final = 12
"""Sentences that are shown; ``.frame()`` has all of them."""

_TIMES: Final = {1: "one thing was", 2: "up to two things were", 3: "up to three things were"}


def text_of(found: Counterfactuals) -> str:
    """The counterfactuals as lines of text."""
    lines = [question_line(found), *(sentence for sentence, _ in shown(found)), *rest_line(found)]
    return "\n".join([*lines, about_line(found), *found.notes])


def question_line(found: Counterfactuals) -> str:
    """What was asked, and its effect, in one line."""
    who = f"{found.action} {found.kind} by {found.principal} ({', '.join(found.roles)})"
    return "; ".join(
        [f"{found.effect}: {who}", *(f"{name} {value}" for name, value in found.attributes.items())]
    )


def shown(found: Counterfactuals) -> list[tuple[str, Counterfactual]]:
    """The first sentences; those that differ only in the value of one thing are one sentence."""
    merged = _merged(found)
    return [(_sentence(some), some[0]) for some in merged[:MOST_SHOWN]]


def rest_line(found: Counterfactuals) -> list[str]:
    """How many sentences are not shown, if there are any."""
    count = len(_merged(found)) - MOST_SHOWN
    return [f"… and {count:,} more: .frame() has all of them."] if count > 0 else []


def about_line(found: Counterfactuals) -> str:
    """What was varied, and how the answers are known."""
    other = "ALLOW" if found.effect == "DENY" else "DENY"
    varied = ", ".join(found.varied) or "nothing"
    none = "" if found.found else f"No change to {other} was found. "
    many = _TIMES[found.most]
    return (
        f"{none}Varied: {varied}; {many} changed at once. {found.asked:,} requests were asked. "
        f"With each change the PDP gives {other}, and without any part of it {found.effect}."
    )


def _merged(found: Counterfactuals) -> list[list[Counterfactual]]:
    """Counterfactuals that are equal apart from the value of one and the same thing, in one list each."""
    groups: list[list[Counterfactual]] = []
    for one in found.found:
        for group in groups:
            places = {place for other in [*group, one] for place in _differing(group[0], other)}
            if places <= {-1} or (len(places) == 1 and -1 not in places):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _differing(first: Counterfactual, other: Counterfactual) -> set[int]:
    """The places of the changes that differ in a value that is no number; ``{-1, -2}`` if more differs."""
    mine, theirs = first.changes, other.changes
    if [change.what for change in mine] != [change.what for change in theirs]:
        return {-1, -2}
    places = {i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a.label != b.label}
    plain = all(_told(one, i) in one.sentence for one in (first, other) for i in places)
    texts = all(_is_text(mine[i]) and _is_text(theirs[i]) for i in places)
    return places if texts and plain else {-1, -2}


def _told(one: Counterfactual, place: int) -> str:
    """How the sentence tells a value."""
    return f" {one.changes[place].label} ({one.changes[place].now}"


def _is_text(change: Changed) -> bool:
    return isinstance(change.value, (str, tuple, int, float)) and change.lower is None


def _sentence(some: list[Counterfactual]) -> str:
    if len(some) == 1:
        return some[0].sentence
    place = next(iter({i for one in some for i in _differing(some[0], one)}))
    labels = [one.changes[place].label for one in some]
    first = some[0].changes[place]
    listed = f"{', '.join(labels[:-1])} or {labels[-1]}"
    return some[0].sentence.replace(_told(some[0], place), f" {listed} ({first.now}", 1)

"""Why a selected cell is what it is, as the browser draws it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.display.explanation_nodes import Nodes
from clerk_cerbos_lab.display.selection import decision
from clerk_cerbos_lab.errors import LabError
from clerk_cerbos_lab.values import json_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.identity.disclosure import Disclosure


def told(
    decisions: Decisions, payload: Payload, shown: Disclosure, question: Mapping[str, Any]
) -> dict[str, Any]:
    """The explanation of a cell; if there is none, the error in words, so that a reader sees it.

    Args:
        decisions: that are shown.
        payload: their payload.
        shown: what may be shown.
        question: of the browser: ``place`` of the cell, ``people`` (the positions of a group of equal rows),
            and ``amount``, if the cell is an interval: an amount in it.

    Returns:
        ``nodes`` (see ``explanation_nodes``) and for a group ``people`` (about whom each explanation is, in
        words), or ``error``.
    """
    place, amount = question["place"], question.get("amount")
    chosen = decision(payload, place, {dim: decisions.values(dim) for dim in decisions.dims})
    segments = payload.segments
    amounts = {}
    if segments is not None and amount is not None:
        amounts[decisions.dims[segments.dim]] = json_number(amount)
    who, *rest = place["index"]
    people = question.get("people") or [who]
    try:
        found = drawn_by("why at")(
            decisions, people, rest, shown, amounts=amounts, allowed=chosen["effect"] == "ALLOW"
        )
    except LabError as error:
        return {"error": shown.text(str(error))}
    except Exception as error:  # noqa: BLE001 - a callback's error would be lost, and the browser would wait
        return {"error": shown.text(f"{type(error).__name__}: {error}")}
    return _grouped(found, several=len(people) > 1)


def told_both(
    changes: Changes, payload: Payload, question: Mapping[str, Any], *, names: bool
) -> dict[str, Any]:
    """The explanations of a cell of a comparison, before and after; of a group, those of one person.

    Args:
        changes: what is shown.
        payload: its payload; its principals are ``changes.everybody``.
        question: as in ``told``.
        names: show principals by their ids.

    Returns:
        As ``told``.
    """
    index = list(question["place"]["index"])
    segments, amount = payload.segments, question.get("amount")
    who = changes.everybody[index[0]]
    segment = question["place"].get("segment")
    nodes = Nodes()
    people: list[str] = []
    for when, decisions, cells in (
        ("Before", changes.before, payload.past),
        ("After", changes.after, payload.small),
    ):
        if who not in decisions.names or cells is None:
            continue
        allowed = replace(payload, small=cells).effect(index, None if segment is None else int(segment[0]))
        amounts = {}
        if segments is not None and amount is not None:
            amounts[decisions.dims[segments.dim]] = json_number(amount)
        shown = decisions.shown(names=names)
        try:
            ((_, explanation),) = drawn_by("why at")(
                decisions,
                [decisions.names.index(who)],
                index[1:],
                shown,
                amounts=amounts,
                allowed=allowed,
            )
        except LabError as error:
            return {"error": shown.text(f"{when}: {error}")}
        except Exception as error:  # noqa: BLE001 - as in told
            return {"error": shown.text(f"{when}: {type(error).__name__}: {error}")}
        place = nodes.add(explanation)
        if place == len(people):  # the same before and after is said once
            people.append(f"{when}:")
        else:
            people[place] = "Before and after:"
    return {"nodes": nodes.to_dict(), "people": people}


def _grouped(found: Sequence[tuple[int, Explanation]], *, several: bool) -> dict[str, Any]:
    """One explanation for each different cause, or sentence of an ALLOW, with how many people have it."""
    first: dict[tuple[str, ...], Explanation] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for count, explanation in found:
        cause = explanation.cause
        told = (explanation.sentence,) if cause is None else (cause.kind, cause.rule, *cause.attributes)
        first.setdefault(told, explanation)
        counts[told] += count
    nodes, people = Nodes(), []
    for told, count in counts.most_common():
        nodes.add(first[told])
        who = first[told].principal
        people.append(f"{count:,} principals, such as {who}:" if count > 1 else f"{who}:")
    return {"nodes": nodes.to_dict(), **({"people": people} if several else {})}

"""Why a selected cell is what it is, as the browser draws it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.display.explanation_nodes import Nodes
from clerk_cerbos_lab.display.selection import decision
from clerk_cerbos_lab.errors import LabError
from clerk_cerbos_lab.formatting import number_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.identity.disclosure import Disclosure


def told(
    decisions: Decisions, payload: Payload, shown: Disclosure, place: Mapping[str, Any]
) -> dict[str, Any]:
    """The explanation of a cell; if there is none, the error in words, so that a reader sees it.

    Args:
        decisions: that are shown.
        payload: their payload.
        shown: what may be shown.
        place: of the cell, as the browser reports it.

    Returns:
        ``nodes`` (see ``explanation_nodes``), ``people`` (about whom each explanation is, if the cell is
        that of a group), and ``at`` (the amount that stands for an interval), in words; or ``error``.
    """
    chosen = decision(payload, place, {dim: decisions.values(dim) for dim in decisions.dims})
    segments = payload.segments
    amounts, at = {}, ""
    if segments is not None and "lower" in chosen:
        axis = decisions.dims[segments.dim]
        amounts[axis] = chosen[axis]
        if chosen["lower"] != chosen["upper"]:
            at = f"{shown.text(decisions.question.heading(axis))} {number_label(chosen[axis])}"
    who, *rest = place["index"]
    people = place.get("people") or [who]
    try:
        found = drawn_by("why at")(
            decisions, people, rest, shown, amounts=amounts, allowed=chosen["effect"] == "ALLOW"
        )
    except LabError as error:
        return {"error": shown.text(str(error))}
    except Exception as error:  # noqa: BLE001 - a callback's error would be lost, and the browser would wait
        return {"error": shown.text(f"{type(error).__name__}: {error}")}
    return {"at": at, **_grouped(found, several=len(people) > 1)}


def _grouped(found: Sequence[tuple[int, Explanation]], *, several: bool) -> dict[str, Any]:
    """Explanations of some people: one for each different sentence, with how many people it is true of."""
    first: dict[str, Explanation] = {}
    counts: Counter[str] = Counter()
    for count, explanation in found:
        first.setdefault(explanation.sentence, explanation)
        counts[explanation.sentence] += count
    nodes, people = Nodes(), []
    for sentence, count in counts.most_common():
        nodes.add(first[sentence])
        who = first[sentence].principal
        people.append(f"{count:,} principals, such as {who}:" if count > 1 else f"{who}:")
    return {"nodes": nodes.to_dict(), **({"people": people} if several else {})}

"""Why a selected cell is what it is, and what it would take to turn it around, as the browser draws it."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.display import counterfactual_text, explanation_text
from clerk_cerbos_lab.display.explanation_nodes import Nodes
from clerk_cerbos_lab.display.selection import decision
from clerk_cerbos_lab.errors import LabError
from clerk_cerbos_lab.values import json_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.counterfactual import Counterfactuals
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.identity.disclosure import Disclosure

SECONDS_BETWEEN: Final = 0.5
"""A search that takes longer says how far it is."""

PRIVATE: Final = "A request with a value that may be personal is asked only with names=True."

REMEMBERED: Final = 8
"""Cells whose changes are kept, for the buttons that ask them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is asked about.

    Attributes:
        decisions: that it belongs to.
        people: the positions of the principals: one, or those of a group of equal rows.
        places: its position on each dimension after the first.
        shown: what may be shown.
        amounts: by axis, an amount in it that need not be among the values of the axis.
        allowed: its effect.
        aux_data: a JWT, if the decisions need one and whoever shows them holds it.
    """

    decisions: Decisions
    people: Sequence[int]
    places: Sequence[int]
    shown: Disclosure
    amounts: Mapping[str, float]
    allowed: bool
    aux_data: Any = field(default=None, repr=False)


def cell_of(decisions: Decisions, payload: Payload, shown: Disclosure, question: Mapping[str, Any]) -> Cell:
    """The cell that a browser asks about.

    Args:
        decisions: that are shown.
        payload: their payload.
        shown: what may be shown.
        question: of the browser: ``place`` of the cell, ``people`` (the positions of a group of equal rows),
            and ``amount``, if the cell is an interval: an amount in it.
    """
    place, amount = question["place"], question.get("amount")
    chosen = decision(payload, place, {dim: decisions.values(dim) for dim in decisions.dims})
    segments = payload.segments
    amounts = {}
    if segments is not None and amount is not None:
        amounts[decisions.dims[segments.dim]] = json_number(amount)
    who, *rest = place["index"]
    people = question.get("people") or [who]
    return Cell(decisions, people, rest, shown, amounts, allowed=chosen["effect"] == "ALLOW")


def told(
    decisions: Decisions, payload: Payload, shown: Disclosure, question: Mapping[str, Any]
) -> dict[str, Any]:
    """The explanation of a cell; if there is none, the error in words, so that a reader sees it.

    Args:
        decisions: as in ``cell_of``.
        payload: as in ``cell_of``.
        shown: as in ``cell_of``.
        question: as in ``cell_of``.

    Returns:
        ``nodes`` (see ``explanation_nodes``) and for a group ``people`` (about whom each explanation is, in
        words), or ``error``.
    """
    return _in_words(lambda: why_told(cell_of(decisions, payload, shown, question)), shown)


def _in_words(make: Callable[[], dict[str, Any]], shown: Disclosure) -> dict[str, Any]:
    """An answer, or the error in words."""
    try:
        return make()
    except LabError as error:
        return {"error": shown.text(str(error))}
    except Exception as error:  # noqa: BLE001 - a callback's error would be lost, and the browser would wait
        return {"error": shown.text(f"{type(error).__name__}: {error}")}


def why_told(cell: Cell) -> dict[str, Any]:
    """Why a cell is what it is: ``nodes``, and ``people`` for a group."""
    found = drawn_by("why at")(
        cell.decisions,
        cell.people,
        cell.places,
        cell.shown,
        amounts=cell.amounts,
        allowed=cell.allowed,
        aux_data=cell.aux_data,
    )
    return _grouped(found, several=len(cell.people) > 1)


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


class _Found(NamedTuple):
    """What would turn a cell around, and for each change a function that asks it, if it may be shown."""

    found: Counterfactuals
    asks: list[Callable[[], Explanation] | None]


class Conversation:
    """Answers what a browser asks about the cells of one widget; every question gets an answer.

    Args:
        widget: that the browser shows.
        cell: returns the cell of a question.
        shown: returns what may be shown.
    """

    def __init__(
        self, widget: Any, cell: Callable[[Mapping[str, Any]], Cell], shown: Callable[[], Disclosure]
    ) -> None:
        self._widget = widget
        self._cell = cell
        self._shown = shown
        self._found: dict[str, _Found] = {}
        widget.on_msg(self._on_message)

    def _on_message(self, _: object, content: Any, __: object) -> None:
        answers = {"why": self._why, "changes": self._changes, "changed": self._changed}
        if not isinstance(content, dict) or content.get("kind") not in answers:
            return
        answer = _in_words(lambda: answers[content["kind"]](content), self._shown())
        self._send(content, answer)

    def _send(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self._widget.send({"kind": "why", "request": question.get("request"), **answer})

    def _why(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return why_told(self._cell(question))

    def _changes(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What would turn the cell around: sentences, which of them can be asked, and what to know."""
        found, asks = self._search(question)
        most = counterfactual_text.MOST_SHOWN
        pairs = zip(found.found[:most], asks, strict=False)
        rest = len(found) - most
        more = [f"… and {rest:,} more: decisions.counterfactuals(…) has all of them."] if rest > 0 else []
        other = "ALLOW" if found.effect == "DENY" else "DENY"
        none = [] if len(found) else [f"No change to {other} was found."]
        private = [PRIVATE] if any(ask is None for ask in asks[:most]) else []
        return {
            "changes": [[one.sentence, ask is not None] for one, ask in pairs],
            "lines": [*none, *more, *private, *found.notes],
            "about": counterfactual_text.about_line(found),
        }

    def _changed(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a changed request: what was asked, in words, and its explanation."""
        found, asks = self._search(question)
        number = int(question["number"])
        ask = asks[number]
        if ask is None:
            return {"error": PRIVATE}
        explanation = ask()
        nodes = Nodes()
        nodes.add(explanation)
        cell = f"{found.found[number].sentence} · asked: {explanation_text.question_line(explanation)}"
        return {"nodes": nodes.to_dict(), "cell": cell}

    def _search(self, question: Mapping[str, Any]) -> _Found:
        """What would turn a cell around; kept for the last cells."""
        place = question["place"]
        parts = [place.get(name) for name in ("index", "number", "segment", "amount")]
        mark = json.dumps([*parts, question.get("amount")])
        if mark not in self._found:
            self._found[mark] = self._searched(question)
            for old in list(self._found)[:-REMEMBERED]:
                del self._found[old]
        return self._found[mark]

    def _searched(self, question: Mapping[str, Any]) -> _Found:
        cell, last = self._cell(question), time.monotonic()

        def tell(asked: int) -> None:
            nonlocal last
            if time.monotonic() > last + SECONDS_BETWEEN:
                last = time.monotonic()
                self._send(question, {"asked": asked})

        return _Found(
            *drawn_by("changes at")(
                cell.decisions,
                cell.people[0],
                cell.places,
                cell.shown,
                amounts=cell.amounts,
                allowed=cell.allowed,
                aux_data=cell.aux_data,
                on_asked=tell,
            )
        )

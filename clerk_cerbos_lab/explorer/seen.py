"""An answer that a page shows, or showed a moment ago: its decisions, and what can be asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.display.reasons import Cell
from clerk_cerbos_lab.display.selection import decision
from clerk_cerbos_lab.explorer import state as states
from clerk_cerbos_lab.values import json_number, key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.explorer.answers import Known
    from clerk_cerbos_lab.identity.disclosure import Disclosure


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer.

    Attributes:
        payload: what the browser drew.
        state: of the controls.
        known: the answers that it was made of.
        values: the values of each attribute.
        grid: the amounts of the attribute across the top.
    """

    payload: Payload
    state: Mapping[str, Any]
    known: Known
    values: Mapping[str, Sequence[Any]]
    grid: Sequence[Any]

    @property
    def number(self) -> int:
        """The number of the answer."""
        return int(self.payload.header["number"])

    def selected(self, place: Mapping[str, Any]) -> dict[str, Any]:
        """The decision of a cell, as ``Matrix.selected``."""
        values: dict[str, Sequence[Any]] = {
            states.attribute_of(name): states.amounts_of(value) if isinstance(value, dict) else value
            for name, value in self.state.items()
            if name not in states.OWN
        }
        values |= {"action": self.state["actions"], "principal": self.known.latest.names}
        return decision(self.payload, place, values)

    def cell(self, question: Mapping[str, Any], shown: Disclosure) -> Cell:
        """The cell that a browser asks about.

        What it would take to turn it around is looked for among all values of the controls. Why it is what it
        is says the sweep that answered it, which knows whom the policies can tell apart.

        Args:
            question: as in ``display.reasons.cell_of``.
            shown: what may be shown.
        """
        place = question["place"]
        chosen = self.selected(place)
        who = place["index"][0]
        known, own = self.known, [chosen[name] for name in self.known.names]
        amounts = {}
        if known.axis is not None:
            amount = question.get("amount")
            amounts[known.axis] = json_number(chosen[known.axis] if amount is None else amount)
        if question["kind"] == "why":
            decisions = known.sweeps[chosen["action"], *map(key, own)]
        else:
            decisions = known.decisions(self.state["actions"], self.values, self.grid)
        return Cell(
            decisions,
            question.get("people") or [who],
            [decisions.actions.index(chosen["action"]), *_places(decisions, chosen, known.axis)],
            shown,
            amounts,
            allowed=chosen["effect"] == "ALLOW",
            aux_data=known.envelope.aux_data,
        )


def _places(decisions: Decisions, chosen: Mapping[str, Any], line: str | None) -> list[int]:
    """The positions of a decision on the axes; along a line any, since the amount is given apart."""
    return [
        0 if axis.name == line else list(map(key, axis.values)).index(key(chosen[axis.name]))
        for axis in decisions.axes
    ]

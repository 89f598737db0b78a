"""A comparison as a live table in which the cells that changed are marked."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.display import assets, reasons
from clerk_cerbos_lab.display.changes_payload import changes_payload
from clerk_cerbos_lab.display.changes_text import html_of, text_of
from clerk_cerbos_lab.display.following import Following
from clerk_cerbos_lab.display.matrix import Matrix
from clerk_cerbos_lab.display.view_state import START, VIEWS
from clerk_cerbos_lab.display.widget import bundle
from clerk_cerbos_lab.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.pdp.client import PDP

CHANGED: Final = "Policies changed at {when}: comparing with new decisions. Run the cell again to keep them."


class ChangesMatrix(Matrix):
    """A comparison as an interactive table; ``changes.show()`` makes one.

    A cell that is allowed only after the change is marked ``+``, one that was allowed only before with a
    minus.
    Everything else is as in a ``Matrix`` of the decisions after the change.

    Attributes:
        changes: the comparison that is shown.
    """

    def __init__(
        self,
        changes: Changes,
        *,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        view: str = "matrix",
        only_changed: bool = False,
        names: bool = False,
        follow: bool = True,
    ) -> None:
        if view not in VIEWS:
            msg = f"no view '{view}'{did_you_mean(view, VIEWS)}"
            raise InputError(msg)
        self.changes, self.decisions = changes, changes.after
        self._names, self._layout, self._follow = names, (rows, columns), follow
        self._now = changes
        self._make(changes)
        self._payload = self._live[1]
        if view == "thresholds":
            self._need_thresholds()
        after = changes.after
        self._values = {dim: after.values(dim) for dim in after.dims} | {"principal": changes.everybody}
        effect = "changed" if only_changed else "any"
        self._state = {**copy.deepcopy(START), "view": view, "effect": effect}
        self._widget = None
        self._watchers = []

    def _make(self, changes: Changes) -> None:
        """The payload of a comparison."""
        ids = frozenset(changes.before.principals["id"]) | frozenset(changes.after.principals["id"])
        shown = tuple(one.shown(names=self._names, ids=ids) for one in (changes.before, changes.after))
        made = changes_payload(changes, (shown[0], shown[1]), rows=self._layout[0], columns=self._layout[1])
        self._now, self._shown = changes, shown[1]
        self._live = changes.after, made, shown[1]

    def _begin_to_answer(self) -> None:
        self._widget.on_msg(self._on_message)

    def _on_message(self, _: object, content: Any, __: object) -> None:
        """Answer the browser, which asks why a cell is what it is: before and after."""
        if isinstance(content, dict) and content.get("kind") == "why":
            told = reasons.told_both(self._now, self._live[1], content, names=self._names)
            self._widget.send({"kind": "why", "request": content.get("request"), **told})

    def _begin_to_follow(self) -> None:
        """Follow the PDP that decided after the change."""
        after = self.changes.after
        pdp = getattr(after.source, "decided", None)
        if self._follow and pdp is not None and pdp.is_still(after.provenance.policy_digest):
            Following(self._widget, pdp, self._draw, note=CHANGED, hide=self._shown.text)

    def _draw(self, pdp: PDP) -> bool:
        """Compare with what a PDP decides now; returns whether it has other policies than at first."""
        old, new = self.changes.after.provenance.policy_digest, pdp.digest
        if new != self._now.after.provenance.policy_digest:
            again = drawn_by("compared again")
            self._make(self.changes if new == old else again(self.changes, pdp))
            self._widget.payload = self._live[1].to_bytes()
        return bool(new != old)

    def __repr__(self) -> str:
        return text_of(self.changes)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """A live table, the plan, which reads without scripts, and plain text, for a notebook."""
        state = {name: value for name, value in self.state.items() if value != START[name]}
        return bundle(self, assets.stored(html_of(self.changes), self._payload.to_bytes(), state))

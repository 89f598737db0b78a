"""The decision matrix as a live table; besides the explorer, the only code that makes a widget."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.display import (
    assets,
    broken_stretches,
    plain_text,
    reasons,
    static_html,
    threshold_strips,
)
from clerk_cerbos_lab.display.following import Following
from clerk_cerbos_lab.display.payload import first_look, payload
from clerk_cerbos_lab.display.selection import decision
from clerk_cerbos_lab.display.view_state import START, VIEWS, checked_look
from clerk_cerbos_lab.display.widget import bundle, widget_class
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.files import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.pdp.client import PDP

CHANGED: Final = "Policies changed at {when}: showing new decisions. Run the cell again to keep them."


class Matrix:
    """Decisions as an interactive table; ``decisions.show()`` makes one.

    As the last line of a cell it is live: rows can be sorted, searched, filtered and selected in the browser.
    The notebook stores a table that reads without scripts; where scripts may run, it becomes interactive
    without a kernel.

    While it is open in a kernel, it follows an edit of the policies of the PDP that decided: a note says so,
    and it shows what that PDP decides now. ``decisions``, and what the notebook stores, stay what they were.

    Attributes:
        decisions: the decisions that are shown.
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        view: str = "matrix",
        names: bool = False,
        follow: bool = True,
    ) -> None:
        if view not in VIEWS:
            msg = f"no view '{view}'{did_you_mean(view, VIEWS)}"
            raise InputError(msg)
        self.decisions = decisions
        self._shown: Disclosure = decisions.shown(names=names)
        self._names, self._layout, self._follow = names, (rows, columns), follow
        self._payload: Payload = payload(decisions, self._shown, rows=rows, columns=columns)
        self._live = decisions, self._payload, self._shown
        if view == "thresholds":
            self._need_thresholds()
        self._values = {dim: decisions.values(dim) for dim in decisions.dims}
        self._state = {**copy.deepcopy(START), "view": view, **first_look(self._payload)}
        self._widget: Any = None
        self._watchers: list[Callable[[dict[str, Any]], object]] = []

    # -- state and selection --------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """How the matrix is shown, as a copy; assign a dict with some of the keys to change them.

        ``view`` (``"matrix"``, ``"thresholds"``), ``exact`` (columns as exact thresholds; None: whichever
        fits), ``search``, ``sort`` (``"given"``, ``"label"``, ``"share"``, ``"threshold"``), ``descending``,
        ``grouped``, ``effect`` (``"any"``, ``"some"``, ``"none"``, ``"mixed"``, ``"all"``, ``"broken"``,
        ``"changed"``), ``problem``, ``filters`` (attribute or dimension → labels kept; of several actions
        down the side the first is kept at first), ``scale`` (``"linear"``, ``"log"``).
        """
        known = self._state if self._widget is None else {**START, **self._widget.state}
        return copy.deepcopy(known)

    @state.setter
    def state(self, patch: dict[str, Any]) -> None:
        self._state = {**self.state, **checked_look(patch)}
        if self._widget is not None:
            self._widget.state = self._state

    @property
    def selected(self) -> dict[str, Any] | None:
        """The decision that was last selected, by click or key; None if none was.

        A dict with a value for each dimension (``principal`` as ``decisions.sel`` takes it), ``effect``
        (``"ALLOW"`` or ``"DENY"``), and if a whole interval of an exact axis was selected, ``lower``,
        ``lower_closed``, ``upper``, ``upper_closed``; the axis then has an amount inside it.
        """
        place = None if self._widget is None else self._widget.place
        return None if not place else decision(self._live[1], place, self._values)

    def on_select(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``selected`` whenever a cell is selected.

        Returns:
            A function that removes the callback.
        """
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def _on_place(self, change: Any) -> None:
        if change["new"]:
            for watcher in list(self._watchers):
                watcher(decision(self._live[1], change["new"], self._values))

    # -- showing ----------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The underlying ipywidget, for custom layouts.

        Raises:
            InputError: if anywidget is not installed.
        """
        if self._widget is None:
            self._widget = widget_class()(payload=self._payload.to_bytes(), state=self._state)
            self._widget.observe(self._on_place, names="place")
            self._begin_to_follow()
            self._begin_to_answer()
        return self._widget

    def _begin_to_answer(self) -> None:
        """Answer the browser, which asks why a cell is what it is, and what would turn it around."""
        self._conversation = reasons.Conversation(
            self._widget,
            lambda question: reasons.cell_of(*self._live, question),
            lambda: self._live[2],
        )

    def _begin_to_follow(self) -> None:
        """Follow the PDP that decided, if it is here and its policies are still those of the decisions."""
        pdp = getattr(self.decisions.source, "decided", None)
        digest = self.decisions.provenance.policy_digest
        if self._follow and pdp is not None and pdp.is_still(digest):
            Following(self._widget, pdp, self._draw, note=CHANGED, hide=self._shown.text)

    def _draw(self, pdp: PDP) -> bool:
        """Show what a PDP decides now; returns whether it has other policies than the decisions."""
        old, new = self.decisions.provenance.policy_digest, pdp.digest
        if new != self._live[0].provenance.policy_digest:
            now = self.decisions if new == old else drawn_by("asked again")(self.decisions, pdp)
            shown = now.shown(names=self._names)
            made = payload(now, shown, rows=self._layout[0], columns=self._layout[1])
            self._live = now, made, shown
            self._widget.payload = made.to_bytes()
        return bool(new != old)

    @property
    def svg(self) -> str:
        """The thresholds as a picture (SVG): one line per class of principals, with labelled boundaries.

        Raises:
            InputError: if no numeric axis is across the top.
        """
        self._need_thresholds()
        return threshold_strips.svg(self._payload, self._broken)

    def to_svg(self, path: str | os.PathLike[str]) -> None:
        """Write ``svg`` to a file."""
        with whole_file(path) as fresh:
            fresh.write_text(self.svg, encoding="utf-8")

    @property
    def _broken(self) -> broken_stretches.Find | None:
        """What finds where somebody is denied because of broken data, along the axis across the top."""
        return broken_stretches.finder(self.decisions, self._shown, self._payload.header["columns"][0])

    def _need_thresholds(self) -> None:
        across = self._payload.header["columns"]
        numeric = [axis.name for axis in self.decisions.axes if axis.numeric]
        if across not in [[name] for name in numeric]:
            near = did_you_mean(across[0], numeric)
            msg = f"thresholds need one numeric axis across the top, not {across}{near}"
            raise InputError(msg)

    def __repr__(self) -> str:
        if self.state["view"] == "thresholds":
            lines = [
                " · ".join([s.who, *s.labels, s.words()])
                for s in threshold_strips.strips(self._payload, self._broken)
            ]
            return "\n".join([self._payload.header["title"], *lines, self._payload.header["caption"]])
        return plain_text.text_of(self.decisions, self._shown)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """A live table, a table that reads without scripts, and plain text, for a notebook."""
        static = static_html.html(self.decisions, self._shown)
        if self.state["view"] == "thresholds":
            static = f"{self.svg}{threshold_strips.table(self._payload, self._broken)}"
        state = {name: value for name, value in self.state.items() if value != START[name]}
        data = self._payload.to_bytes()
        if "why" in self._payload.header and not assets.fits(data):
            data = self._payload.without_explanations().to_bytes()
        return bundle(self, assets.stored(static, data, state))

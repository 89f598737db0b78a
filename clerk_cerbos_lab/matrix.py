"""The decision matrix as a live table: the one door to widgets, beside the explorer's."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import browser, strips, view
from clerk_cerbos_lab.decisions import whole_file
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.payload import payload

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from clerk_cerbos_lab.decisions import Decisions
    from clerk_cerbos_lab.payload import Payload
    from clerk_cerbos_lab.pseudonyms import Shown

VIEWS: Final = ("matrix", "thresholds")
WIDGET: Final = "application/vnd.jupyter.widget-view+json"

START: Final[dict[str, Any]] = {
    "view": "matrix",
    "exact": None,
    "search": "",
    "sort": "given",
    "descending": False,
    "grouped": False,
    "effect": "any",
    "problem": False,
    "filters": {},
    "scale": "linear",
}
"""What a reader can change, and how it is at first: the same as START in js/src/model/state.js."""


@cache
def widget_class() -> type[Any]:
    """The widget: traits and display only.

    Raises:
        InputError: when anywidget is not installed.
    """
    try:
        import anywidget  # noqa: PLC0415 - Jupyter's part is loaded where something is shown
        import traitlets  # noqa: PLC0415
    except ImportError:
        msg = "live tables need anywidget: pip install 'clerk-cerbos-lab[notebooks]'"
        raise InputError(msg) from None

    class DecisionMatrix(anywidget.AnyWidget):
        _esm = browser.module()
        payload = traitlets.Bytes().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        place = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
        kind = traitlets.Unicode("matrix").tag(sync=True)
        controls = traitlets.Dict().tag(sync=True)
        choice = traitlets.Dict().tag(sync=True)
        answer = traitlets.Dict().tag(sync=True)

    return DecisionMatrix


class Matrix:
    """Decisions as an interactive table; ``decisions.show()`` makes one.

    Shown as the last line of a cell, it is live: sorted, searched, filtered and selected in the browser.
    Stored with the notebook is a table that reads without scripts, and where scripts run comes to life
    without a kernel.

    Attributes:
        decisions: what is shown.
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        view: str = "matrix",
        names: bool = False,
    ) -> None:
        if view not in VIEWS:
            msg = f"no view '{view}'{did_you_mean(view, VIEWS)}"
            raise InputError(msg)
        self.decisions = decisions
        self._shown: Shown = decisions.shown(names=names)
        self._payload: Payload = payload(decisions, self._shown, rows=rows, columns=columns)
        if view == "thresholds":
            self._need_thresholds()
        self._values = {dim: decisions.values(dim) for dim in decisions.dims}
        self._state = {**copy.deepcopy(START), "view": view}
        self._widget: Any = None
        self._watchers: list[Callable[[dict[str, Any]], object]] = []

    # -- what a reader did ----------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """How it is shown: a copy; assign a dict of some of it to change them.

        ``view`` (``"matrix"``, ``"thresholds"``), ``exact`` (columns as exact thresholds; None: whatever
        fits), ``search``, ``sort`` (``"given"``, ``"label"``, ``"share"``, ``"threshold"``), ``descending``,
        ``grouped``, ``effect`` (``"any"``, ``"some"``, ``"none"``, ``"mixed"``, ``"all"``), ``problem``,
        ``filters`` (attribute or dimension → labels kept), ``scale`` (``"linear"``, ``"log"``).
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
        """The decision that was selected last, by click or key; None before.

        A dict with a value for each dimension (``principal`` as ``decisions.sel`` takes it), ``effect``
        (``"ALLOW"`` or ``"DENY"``), and where a whole interval of an exact axis was selected ``lower``,
        ``lower_closed``, ``upper``, ``upper_closed``; the axis then has an amount inside it.
        """
        place = None if self._widget is None else self._widget.place
        return None if not place else decision(self._payload, place, self._values)

    def on_select(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``selected`` whenever a cell is selected.

        Returns:
            A function that ends this.
        """
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def _on_place(self, change: Any) -> None:
        if change["new"]:
            for watcher in list(self._watchers):
                watcher(decision(self._payload, change["new"], self._values))

    # -- showing ----------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidget behind it, for layouts of one's own.

        Raises:
            InputError: when anywidget is not installed.
        """
        if self._widget is None:
            self._widget = widget_class()(payload=self._payload.to_bytes(), state=self._state)
            self._widget.observe(self._on_place, names="place")
        return self._widget

    @property
    def svg(self) -> str:
        """The thresholds as a picture (SVG): a line for each class of principals, its boundaries labelled.

        Raises:
            InputError: when no numeric axis stands across the top.
        """
        self._need_thresholds()
        return strips.svg(self._payload)

    def to_svg(self, path: str | os.PathLike[str]) -> None:
        """Write ``svg`` to a file."""
        with whole_file(path) as fresh:
            fresh.write_text(self.svg, encoding="utf-8")

    def _need_thresholds(self) -> None:
        across = self._payload.header["columns"]
        numeric = [axis.name for axis in self.decisions.axes if axis.numeric]
        if across not in [[name] for name in numeric]:
            near = did_you_mean(across[0], numeric)
            msg = f"thresholds need one numeric axis across the top, not {across}{near}"
            raise InputError(msg)

    def __repr__(self) -> str:
        if self.state["view"] == "thresholds":
            lines = [" · ".join([s.who, *s.labels, s.words()]) for s in strips.strips(self._payload)]
            return "\n".join([self._payload.header["title"], *lines, self._payload.header["caption"]])
        return view.text(self.decisions, self._shown)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook shows: a live table, one that reads without scripts, and plain text."""
        static = view.html(self.decisions, self._shown)
        if self.state["view"] == "thresholds":
            static = f"{self.svg}{strips.table(self._payload)}"
        state = {name: value for name, value in self.state.items() if value != START[name]}
        return bundle(self, browser.stored(static, self._payload.to_bytes(), state))


_CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "view": VIEWS,
    "effect": ("any", "some", "none", "mixed", "all"),
    "scale": ("linear", "log"),
    "exact": (None, True, False),
    "descending": (True, False),
    "grouped": (True, False),
    "problem": (True, False),
}
_SORTS: Final = ("given", "label", "share", "threshold")


def checked_look(patch: object) -> dict[str, Any]:
    """A copy of a part of the state of a matrix (see ``Matrix.state``).

    Raises:
        InputError: for a name that is not there, or a value that it can't have.
    """
    if not isinstance(patch, dict):
        msg = f"the state of a matrix is a dict, not {patch!r}"
        raise InputError(msg)
    for name, value in patch.items():
        if name not in START:
            msg = f"no '{name}' in the state of a matrix{did_you_mean(str(name), START)}"
            raise InputError(msg)
        allowed = _CHOICES.get(name)
        if allowed is not None and not any(value is one or value == one for one in allowed):
            msg = f"'{name}' can't be {value!r}; it is one of {', '.join(map(repr, allowed))}"
            raise InputError(msg)
        if name == "search" and not isinstance(value, str):
            msg = f"'search' is a text, not {value!r}"
            raise InputError(msg)
        if name == "sort" and value not in _SORTS and not str(value).startswith(("column:", "segment:")):
            msg = f"no sort {value!r}{did_you_mean(str(value), _SORTS)}"
            raise InputError(msg)
        lists = isinstance(value, dict) and all(isinstance(kept, list) for kept in value.values())
        if name == "filters" and not lists:
            msg = f"'filters' is a dict of lists of labels, not {value!r}"
            raise InputError(msg)
    return copy.deepcopy(patch)


def bundle(shown: Any, html: str) -> dict[str, Any]:
    """The three representations of something that has a widget; without anywidget, two."""
    made: dict[str, Any] = {"text/plain": repr(shown), "text/html": html}
    with suppress(InputError):
        made[WIDGET] = shown.widget._repr_mimebundle_()[0][WIDGET]
    return made


def decision(
    payload: Payload, place: Mapping[str, Any], values: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """The decision at a place that the browser names: a value for each dimension, and the effect.

    Args:
        payload: that the browser showed.
        place: ``index`` (a position on each dimension), ``segment`` (first and last of a run, or None), and
            ``amount`` where the browser made the amounts itself.
        values: by dimension, in the order of the payload's labels.
    """
    index = [int(i) for i in place["index"]]
    names = [dim["name"] for dim in payload.header["dims"]]
    segments = payload.segments
    made = place.get("amount")
    found: dict[str, Any] = {}
    for dim, (name, i) in enumerate(zip(names, index, strict=True)):
        own = made is not None and segments is not None and dim == segments.dim
        found[name] = made if own else values[name][i]
    if segments is None or (made is None and place.get("segment") is None):
        return {**found, "effect": "ALLOW" if payload.effect(index) else "DENY"}
    if place.get("segment") is None:
        segment = int(segments.of([float(str(made))])[0])
        return {**found, "effect": "ALLOW" if payload.effect(index, segment) else "DENY"}
    first, last = (int(i) for i in place["segment"])
    ends = segments.ends(first, last)
    effect = "ALLOW" if payload.effect(index, first) else "DENY"
    return {**found, names[segments.dim]: inside(ends), **ends, "effect": effect}


def inside(ends: dict[str, Any]) -> float:
    """A number inside an interval: an end that belongs to it, else the double beside one that does not."""
    if ends["upper_closed"]:
        return float(ends["upper"])
    if ends["lower_closed"]:
        return float(ends["lower"])
    if math.isfinite(ends["lower"]):
        return math.nextafter(ends["lower"], math.inf)
    return math.nextafter(ends["upper"], -math.inf) if math.isfinite(ends["upper"]) else 0.0

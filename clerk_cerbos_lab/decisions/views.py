"""The views of decisions: their interfaces, and the table of functions that draw them.

Decisions are data. Their methods that show something look up the function that draws it here; the package's
façade (``clerk_cerbos_lab/__init__.py``) fills the table, so that nothing here depends on a display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    import pandas as pd

_DRAWN_BY: dict[str, Callable[[], Callable[..., Any]]] = {}


def register(views: Mapping[str, Callable[[], Callable[..., Any]]]) -> None:
    """Register the functions that draw views.

    Args:
        views: for each method of ``Decisions``, a loader that is called when the view is first needed. It
            returns the function to call with the decisions and the method's arguments.
    """
    _DRAWN_BY.update(views)


def drawn_by(method: str) -> Callable[..., Any]:
    """The function that draws a view."""
    return _DRAWN_BY[method]()


class MatrixView(Protocol):
    """What ``Decisions.show`` returns; ``lab.Matrix`` documents each member."""

    @property
    def state(self) -> dict[str, Any]:
        """The state of the view; assign a dict with some of its entries to change them."""

    @state.setter
    def state(self, patch: dict[str, Any]) -> None: ...

    @property
    def selected(self) -> dict[str, Any] | None:
        """The decision selected last."""

    @property
    def widget(self) -> Any:
        """The ipywidget behind it."""

    @property
    def svg(self) -> str:
        """The thresholds as a picture."""

    def on_select(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function whenever a cell is selected."""

    def to_svg(self, path: str | os.PathLike[str]) -> None:
        """Write the thresholds as a picture."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]: ...


class LongTableView(Protocol):
    """What ``Decisions.long_table`` returns."""

    def frame(self) -> pd.DataFrame:
        """The rows."""

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the table as a page."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]: ...

"""The views of decisions: what they offer, and the one table that says who draws them.

Decisions are data. Their methods that show something look up here who draws it; the package's façade
(``clerk_cerbos_lab/__init__.py``) fills the table in, so that nothing here has to know a display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    import pandas as pd

_DRAWN_BY: dict[str, Callable[[], Callable[..., Any]]] = {}


def register(views: Mapping[str, Callable[[], Callable[..., Any]]]) -> None:
    """Say who draws what.

    Args:
        views: for each method of ``Decisions`` a function that loads, when it is first needed, the function
            that is called with the decisions and the method's arguments.
    """
    _DRAWN_BY.update(views)


def drawn_by(method: str) -> Callable[..., Any]:
    """The function that draws a view."""
    return _DRAWN_BY[method]()


class MatrixView(Protocol):
    """What ``Decisions.show`` returns; ``lab.Matrix`` says what each part is."""

    @property
    def state(self) -> dict[str, Any]:
        """How it is shown; assign a dict of some of it to change them."""

    @state.setter
    def state(self, patch: dict[str, Any]) -> None: ...

    @property
    def selected(self) -> dict[str, Any] | None:
        """The decision that was selected last."""

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

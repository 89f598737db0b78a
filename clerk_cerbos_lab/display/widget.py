"""The widget: the traits that Python and the browser share, and one ES module."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, Final

from clerk_cerbos_lab.display import assets
from clerk_cerbos_lab.errors import InputError

WIDGET: Final = "application/vnd.jupyter.widget-view+json"


@cache
def widget_class() -> type[Any]:
    """The widget: traits and display only.

    Raises:
        InputError: if anywidget is not installed.
    """
    try:
        import anywidget  # noqa: PLC0415 - Jupyter's part is loaded where something is shown
        import traitlets  # noqa: PLC0415
    except ImportError:
        msg = "live tables need anywidget: pip install 'clerk-cerbos-lab[notebooks]'"
        raise InputError(msg) from None

    class DecisionMatrix(anywidget.AnyWidget):
        _esm = assets.module()
        payload = traitlets.Bytes().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        place = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
        kind = traitlets.Unicode("matrix").tag(sync=True)
        controls = traitlets.Dict().tag(sync=True)
        choice = traitlets.Dict().tag(sync=True)
        answer = traitlets.Dict().tag(sync=True)
        kept = traitlets.Dict().tag(sync=True)
        act = traitlets.Dict().tag(sync=True)
        followed = traitlets.Dict().tag(sync=True)

    return DecisionMatrix


def bundle(shown: Any, html: str) -> dict[str, Any]:
    """The three representations of an object that has a widget; two without anywidget."""
    made: dict[str, Any] = {"text/plain": repr(shown), "text/html": html}
    with suppress(InputError):
        made[WIDGET] = shown.widget._repr_mimebundle_()[0][WIDGET]
    return made

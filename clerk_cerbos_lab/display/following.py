"""A view that follows its policies: while it is open, the kernel's event loop looks at their files.

No thread does this. A look compares the times and sizes of the policy files; only after an edit is the PDP
asked. A cell that is running is not interrupted: the view follows when it ends.
"""

from __future__ import annotations

import asyncio
import datetime
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerk_cerbos_lab.pdp.client import PDP

SECONDS: Final = 0.1
"""Between two looks."""

LAST: Final = "these are the decisions of the last text that compiled"

STILL: Final = "Policies changed at {when}; this is still what was before."


class Following:
    """Draws a widget anew whenever the policies of a PDP have changed, as long as a view of it is open.

    Args:
        widget: with a trait ``followed``, a dict with the ``text`` of a note and whether what is shown is
            ``old``. Each view in a browser sends it ``{"kind": "view", "open": True}``, and False at its end.
        pdp: the PDP; a view that is open does not keep it alive.
        draw: draws what the PDP answers now; returns whether that is something else than at first.
        note: what to say then; ``{when}`` stands for the time.
        hide: makes a text fit to be shown.
    """

    def __init__(
        self,
        widget: Any,
        pdp: PDP,
        draw: Callable[[PDP], bool],
        *,
        note: str,
        hide: Callable[[str], str],
    ) -> None:
        self._widget = widget
        self._pdp = weakref.ref(pdp)
        self._draw = draw
        self._note = note
        self._hide = hide
        self._views = 0
        self._next: asyncio.TimerHandle | None = None
        self._seen: object = self._state(pdp)
        widget.on_msg(self._on_message)

    @staticmethod
    def _state(pdp: PDP) -> object:
        return pdp.signature, pdp.held_back

    def _on_message(self, _: object, content: Any, __: object) -> None:
        """A view was opened or closed in a browser."""
        if isinstance(content, dict) and content.get("kind") == "view":
            self._views = max(0, self._views + (1 if content.get("open") else -1))
            if self._views and self._next is None:
                self._look()

    def _look(self) -> None:
        self._next = None
        pdp = self._pdp()
        if pdp is None or not pdp.is_open or pdp.signature is None or not self._views:
            return
        state = self._state(pdp)
        if state != self._seen:
            self._seen = state  # before it is drawn: an edit meanwhile is seen by the next look
            self._follow(pdp)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # not in a kernel
            return
        self._next = loop.call_later(SECONDS, self._look)

    def _follow(self, pdp: PDP) -> None:
        when = f"{datetime.datetime.now().astimezone():%H:%M:%S}"
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")  # a warning outside a cell has no place but the note
                changed = self._draw(pdp)
        except LabError as error:
            self._tell(f"{STILL.format(when=when)}\n{error}", old=True)
            return
        except Exception as error:
            self._tell(f"{STILL.format(when=when)} ({type(error).__name__})", old=True)
            raise
        said = [self._note.format(when=when)] if changed and pdp.held_back is None else []
        said += [str(one.message) for one in heard]
        if pdp.held_back is not None:
            self._tell("\n".join([f"Edited at {when}; {LAST}.", str(pdp.held_back), *said]), old=True)
        else:
            self._tell("\n".join(said), old=False)

    def _tell(self, text: str, *, old: bool) -> None:
        self._widget.followed = {"text": self._hide(text), "old": old}

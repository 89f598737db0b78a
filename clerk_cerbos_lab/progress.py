"""Progress bars: shown only for work that takes over a second, gone when it is done, never stored.

A bar depends on how fast the machine is, so an output that is compared or kept must not contain one. In a
notebook it is drawn only when somebody is watching: JupyterLab, Notebook and VS Code tell the kernel that it
can ask for input, and whatever runs a notebook to store it (nbval, nbclient, papermill,
``jupyter nbconvert --execute``) tells it that it can't. When the work is done the bar's output is emptied,
and JupyterLab leaves the empty output out of the file (see saving.py). Outside a notebook, a bar is drawn in
a terminal but not into a pipe or a file.
"""

from __future__ import annotations

import io
import os
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from tqdm.std import tqdm

from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BAR: Final = "clerk-cerbos-lab-progress"
"""The metadata key of an output that contains, or contained, a progress bar."""

DELAY: Final = 1.0
"""Seconds of work before a bar appears."""

_TEXT: Final = "{n_fmt} of {total_fmt}{unit} · {rate_fmt} · {remaining} left"

_TEXT_WITHOUT_TOTAL: Final = "{n_fmt}{unit} · {rate_fmt}"


@contextmanager
def progress(total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar that appears after a second and leaves nothing behind.

    Args:
        total: how much there is to do; None if unknown.
        unit: what is counted, such as ``"decisions"``.

    Yields:
        A function to call with how much was done since the last call. ``TQDM_DISABLE=1`` hides every bar.
    """
    options: dict[str, Any] = {
        "total": total,
        "unit": f" {unit}",
        "delay": DELAY,
        "leave": False,
        "unit_scale": True,
    }
    hidden = bool(os.environ.get("TQDM_DISABLE"))  # tqdm itself reads it only on import
    shell = _shell_of_kernel()
    if shell is None:
        with tqdm(**options, disable=hidden or None) as bar:  # None: only in a terminal
            yield bar.update
        return
    with _NotebookBar(shell.display_pub.publish, disable=hidden or not _watched(shell), **options) as bar:
        yield bar.update


def _shell_of_kernel() -> Any:
    """The shell of the Jupyter kernel that runs this code; None outside a kernel."""
    ipython = sys.modules.get("IPython")  # a kernel has always imported it
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None


def _watched(shell: Any) -> bool:
    """Whether the running cell shows its output to a person who can be asked for input."""
    from IPython.core.displaypub import CapturingDisplayPublisher  # noqa: PLC0415 - only inside a kernel

    if isinstance(shell.display_pub, CapturingDisplayPublisher):  # %%capture stores what is published
        return False
    request = shell.kernel.get_parent(
        "shell"
    )  # the request of this thread, in a subshell too; a widget's request has no allow_stdin
    return bool(request.get("content", {}).get("allow_stdin", False))


class _NotebookBar(tqdm):  # type: ignore[type-arg] # can't be subscripted at run time
    """A tqdm bar in one output of the cell, updated in place and emptied at the end."""

    monitor_interval = 0  # no tqdm thread that redraws an idle bar: it would publish outside the cell

    def __init__(self, publish: Callable[..., object], **options: Any) -> None:
        self._publish = publish
        self._id = uuid.uuid4().hex
        self._shown = False
        super().__init__(file=io.StringIO(), mininterval=0.2, miniters=0, dynamic_ncols=False, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002 - tqdm's own
        """Draw the current bar; tqdm calls this whenever a redraw is due."""
        if msg is None:
            self._show({"text/html": _html(self.format_dict), "text/plain": ""})

    def refresh(self, *_: object, **__: object) -> None:
        """Draw now, without taking tqdm's lock: an interrupt would leave it locked."""
        if not self.disable:
            self.display()

    def close(self) -> None:
        """Empty the output, however the work ended."""
        super().close()
        if self._shown:
            self._show({})

    def _show(self, data: dict[str, str]) -> None:
        update, self._shown = self._shown, True  # set before sending, in case an interrupt comes in between
        self._publish(data, {BAR: True}, transient={"display_id": self._id}, update=update)


def _html(state: Mapping[str, Any]) -> str:
    """The bar as HTML, with speed and remaining time."""
    total = state["total"]
    text = tqdm.format_meter(**{**state, "bar_format": _TEXT if total else _TEXT_WITHOUT_TOTAL})
    share = f"{min(state['n'] / total, 1) * 100:.1f}" if total else None
    return render("progress.html.j2", text=text, share=share)

"""One door to progress bars: shown only for work of over a second, gone when it is done, stored nowhere.

A bar depends on how fast the machine is, so no output that is compared or kept may hold one. In a notebook
it is drawn only where a person sits before it: a notebook that is run to be stored (nbval, nbclient,
papermill, ``jupyter nbconvert --execute``) tells its kernel that nobody can be asked for input, JupyterLab,
Notebook and VS Code tell it the opposite. When the work is done the bar's output is emptied, and
JupyterLab leaves what remains of it out of the file (see saving.py). Elsewhere a bar is drawn in a
terminal, and nothing into a pipe or a file.
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
"""What the metadata of an output that holds a progress bar, or held one, have as a key."""

DELAY: Final = 1.0
"""Seconds of work before a bar appears."""

_TEXT: Final = "{n_fmt} of {total_fmt}{unit} · {rate_fmt} · {remaining} left"

_TEXT_WITHOUT_TOTAL: Final = "{n_fmt}{unit} · {rate_fmt}"


@contextmanager
def progress(total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar that appears after a second and leaves nothing behind.

    Args:
        total: how much there is to do, None where that is not known.
        unit: of what, such as ``"decisions"``.

    Yields:
        A function to call with how much more is done. ``TQDM_DISABLE=1`` hides every bar.
    """
    options: dict[str, Any] = {
        "total": total,
        "unit": f" {unit}",
        "delay": DELAY,
        "leave": False,
        "unit_scale": True,
    }
    hidden = bool(os.environ.get("TQDM_DISABLE"))  # tqdm reads it once, when it is imported
    shell = _shell_of_kernel()
    if shell is None:
        with tqdm(**options, disable=hidden or None) as bar:  # None: only in a terminal
            yield bar.update
        return
    with _NotebookBar(shell.display_pub.publish, disable=hidden or not _watched(shell), **options) as bar:
        yield bar.update


def _shell_of_kernel() -> Any:
    """The shell of the Jupyter kernel that runs this code; None outside of one."""
    ipython = sys.modules.get("IPython")  # where it was never imported, there is none
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None


def _watched(shell: Any) -> bool:
    """Whether the cell that runs was sent by a person who can be asked for input, and shows its output."""
    from IPython.core.displaypub import CapturingDisplayPublisher  # noqa: PLC0415 - only inside a kernel

    if isinstance(shell.display_pub, CapturingDisplayPublisher):  # %%capture keeps what is published
        return False
    request = shell.kernel.get_parent(
        "shell"
    )  # of this thread, a subshell's too; a widget's has no such word
    return bool(request.get("content", {}).get("allow_stdin", False))


class _NotebookBar(tqdm):  # type: ignore[type-arg] # can't be subscripted at run time
    """A tqdm bar in one output of the cell, which is changed in place and emptied at the end."""

    monitor_interval = (
        0  # tqdm's thread that redraws a bar that stands still: it would publish without a cell
    )

    def __init__(self, publish: Callable[..., object], **options: Any) -> None:
        self._publish = publish
        self._id = uuid.uuid4().hex
        self._shown = False
        super().__init__(file=io.StringIO(), mininterval=0.2, miniters=0, dynamic_ncols=False, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002 - tqdm's own
        """Draw the bar as it stands; tqdm calls this whenever it is time to."""
        if msg is None:
            self._show({"text/html": _html(self.format_dict), "text/plain": ""})

    def refresh(self, *_: object, **__: object) -> None:
        """Draw now. Without tqdm's lock, which an interrupt would leave held."""
        if not self.disable:
            self.display()

    def close(self) -> None:
        """Empty the output, however the work ended."""
        super().close()
        if self._shown:
            self._show({})

    def _show(self, data: dict[str, str]) -> None:
        update, self._shown = self._shown, True  # before it is sent: an interrupt may come meanwhile
        self._publish(data, {BAR: True}, transient={"display_id": self._id}, update=update)


def _html(state: Mapping[str, Any]) -> str:
    """The bar as HTML, with how fast it goes and how long it will take."""
    total = state["total"]
    text = tqdm.format_meter(**{**state, "bar_format": _TEXT if total else _TEXT_WITHOUT_TOTAL})
    share = f"{min(state['n'] / total, 1) * 100:.1f}" if total else None
    return render("progress.html.j2", text=text, share=share)

"""A progress bar is for a person who waits: it is gone when the work is done, and is stored nowhere."""

# nbformat says that it is typed, yet what makes its cells is not.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from clerk_cerbos_lab.display.jupyter_server import drop_live_views
from clerk_cerbos_lab.progress import BAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

# Sleeps are lower bounds: a busy machine only makes the work slower, and a bar is due all the more.
SLOW = """
import time
from clerk_cerbos_lab import progress

def work(total=100, unit="decisions", seconds=None):
    seconds = 1.3 * progress.DELAY if seconds is None else seconds
    with progress.progress(total, unit) as advance:
        for _ in range(13):
            time.sleep(seconds / 13)
            advance(5)
"""

SOON = f"{SLOW}\nprogress.DELAY = 0.2"

Output = dict[str, Any]


class Kernel:
    """A real IPython kernel, asked as a notebook's front end asks it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.bars: list[str] = []  # each picture of a bar that the last cell showed

    def run(
        self, code: str, *, person: bool = True, on_bar: Callable[[], object] | None = None
    ) -> list[Output]:
        """Run a cell; return its outputs at the end, as JupyterLab keeps them."""
        self.bars = []
        outputs: list[Output] = []
        ids: dict[str, Output] = {}

        def hear(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                if outputs and outputs[-1].get("name") == content["name"]:
                    outputs[-1]["text"] += content["text"]
                else:
                    outputs.append({"output_type": kind, **content})
            elif kind == "error":
                outputs.append({"output_type": kind, "ename": content["ename"]})
            elif kind in {"display_data", "execute_result", "update_display_data"}:
                shown = {"data": content["data"], "metadata": content["metadata"]}
                own = content.get("transient", {}).get("display_id")
                if kind == "update_display_data":
                    ids[own].update(shown)
                else:
                    outputs.append({"output_type": kind, **shown})
                    ids[own] = outputs[-1]
                if BAR in content["metadata"] and content["data"]:
                    self.bars.append(content["data"]["text/html"])
                    if on_bar:
                        on_bar()

        self.client.execute_interactive(code, allow_stdin=person, output_hook=hear, timeout=120)
        return outputs

    def stored(self, code: str, **more: Any) -> list[Output]:
        """Run a cell; return what stands in the file after JupyterLab has saved it."""
        notebook = {"cells": [{"cell_type": "code", "outputs": self.run(code, **more)}]}
        drop_live_views(notebook)
        outputs: Any = notebook["cells"][0]["outputs"]
        return list(outputs)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """Return a kernel that can work slowly."""
    manager, client = start_new_kernel()
    try:
        own = Kernel(manager, client)
        assert own.run(SOON) == []
        yield own
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def texts(outputs: list[Output]) -> list[str]:
    return [str(output.get("text", output.get("ename", output.get("data")))) for output in outputs]


# -- a person sits before it ------------------------------------------------------------------


def test_a_person_sees_the_progress_and_none_of_it_is_stored(kernel: Kernel) -> None:
    (left,) = kernel.run("work()")
    assert left == {"output_type": "display_data", "data": {}, "metadata": {BAR: True}}
    assert kernel.bars
    assert all('role="progressbar"' in bar and " of 100 decisions" in bar for bar in kernel.bars)
    assert re.search(r">\d+(\.\d+)? of 100 decisions · [\d.]+ decisions/s · \d\d:\d\d left<", kernel.bars[-1])


def test_work_of_unknown_length_shows_how_much_is_done(kernel: Kernel) -> None:
    assert kernel.stored("work(None, unit='users')") == []
    assert kernel.bars
    assert re.search(r">\d+(\.\d+)? users · [\d.]+ users/s<", kernel.bars[-1])


def test_quick_work_shows_no_bar(kernel: Kernel) -> None:
    assert kernel.run("with progress.progress(10, 'users') as advance: advance(10)") == []


def test_output_before_between_and_after_bars_stays(kernel: Kernel) -> None:
    code = "print('one')\nwork()\nprint('two')\nwork(7)\nprint('three')\n4"
    shown = kernel.run(code)
    assert sum(BAR in output.get("metadata", ()) for output in shown) == 2
    assert texts(kernel.stored(code)) == ["one\ntwo\nthree\n", "{'text/plain': '4'}"]


def test_nested_bars_and_bars_in_threads_all_disappear(kernel: Kernel) -> None:
    inside = "with progress.progress(3, 'users') as outer:\n    for _ in range(3): work(); outer(1)"
    assert kernel.stored(inside) == []
    threads = (
        "import threading\nboth = [threading.Thread(target=work) for _ in range(2)]\n"
        "[one.start() for one in both]\n[one.join() for one in both]\nprint('done')"
    )
    assert texts(kernel.stored(threads)) == ["done\n"]
    assert kernel.bars


def test_an_error_in_the_work_leaves_the_error_alone(kernel: Kernel) -> None:
    code = "with progress.progress(3, 'users'):\n    work()\n    1 / 0"
    assert texts(kernel.stored(code)) == ["ZeroDivisionError"]
    assert kernel.bars


def test_an_interrupt_leaves_no_bar_and_the_next_cell_has_one(kernel: Kernel) -> None:
    interrupted = threading.Event()

    def interrupt() -> None:
        if not interrupted.is_set():
            interrupted.set()
            kernel.manager.interrupt_kernel()

    outputs = kernel.stored("print('begun')\nwork(seconds=20)", on_bar=interrupt)
    assert texts(outputs) == ["begun\n", "KeyboardInterrupt"]
    assert kernel.stored("work()") == []
    assert kernel.bars


def test_captured_output_contains_no_bar(kernel: Kernel) -> None:
    assert kernel.run("%%capture held\nwork()\nprint('kept')") == []
    assert texts(kernel.run("print(len(held.outputs), held.stdout)")) == ["0 kept\n\n"]


def test_the_environment_hides_bars_even_after_tqdm_was_imported(kernel: Kernel) -> None:
    try:
        assert kernel.run("import os\nos.environ['TQDM_DISABLE'] = '1'\nwork()") == []
    finally:
        kernel.run("del os.environ['TQDM_DISABLE']")
    kernel.run("work()")
    assert kernel.bars


def test_a_notebook_saved_while_a_bar_moves_does_not_contain_it() -> None:
    bar = {"output_type": "display_data", "metadata": {BAR: True}, "data": {"text/html": "<div>half</div>"}}
    text = {"output_type": "stream", "name": "stdout", "text": "begun\n"}
    cell: dict[str, Any] = {"cell_type": "code", "outputs": [text, bar]}
    drop_live_views({"cells": [cell, {"cell_type": "markdown"}]})
    assert cell["outputs"] == [text]


# -- nobody sits before it --------------------------------------------------------------------


def test_there_is_no_bar_if_nobody_can_be_asked_for_input(kernel: Kernel) -> None:
    assert kernel.run("work()", person=False) == []
    assert texts(kernel.run("print('one')\nwork()\nprint('two')", person=False)) == ["one\ntwo\n"]
    kernel.run("work()")  # it is the request that counts, not the kernel
    assert kernel.bars


def slow_notebook() -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in (SLOW, "work()", "print('a')\nwork()\n7")]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_slow_notebook_run_to_be_stored_contains_no_bar_and_passes_strict_nbval(tmp_path: Path) -> None:
    notebook = slow_notebook()
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert [texts(cell.outputs) for cell in notebook.cells] == [[], [], ["a\n", "{'text/plain': '7'}"]]
    nbformat.write(notebook, tmp_path / "slow.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "slow.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout


# -- without a notebook -----------------------------------------------------------------------


def test_a_bar_is_drawn_in_a_terminal_and_wiped() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-c", f"{SLOW}\nwork()"], stderr=theirs):
        os.close(theirs)
        drawn = b""
        try:
            while more := os.read(ours, 4096):
                drawn += more
        except OSError:  # Linux's word for the end of a terminal
            pass
    os.close(ours)
    assert b"/100 [" in drawn
    assert re.search(rb"\r +\r$", drawn)


def test_no_bar_is_drawn_into_a_pipe() -> None:
    command = [sys.executable, "-c", f"{SLOW}\nwork()\nprint('done')"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")

"""Runs notebooks and writes them as pages that open anywhere: offline, light and dark, printable."""

from __future__ import annotations

import asyncio
import copy
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display.jupyter_server import drop_live_views
from clerk_cerbos_lab.errors import InputError, LabError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.disclosure import masker
from clerk_cerbos_lab.report.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from clerk_cerbos_lab.identity.masking import Masker

_MARKUP: Final = {"text/html", "image/svg+xml"}

_PACKED: Final = {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"}


class ReportError(LabError):
    """A notebook failed: names the notebook, the cell and the error. No page was replaced."""


def notebook_files(folder: Path) -> list[Path]:
    """The notebooks of a folder, by name.

    Raises:
        InputError: if there is none.
    """
    found = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    if not found:
        msg = f"there is no notebook in {folder}"
        raise InputError(msg)
    return found


def code_cells(path: Path) -> int:
    """How many code cells a notebook has."""
    notebook = nbformat.read(path, as_version=4)
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)


def run_notebook(path: Path, on_cell: Callable[[], object] | None = None, *, ids: Path | None = None) -> Any:
    """Run a notebook from top to bottom in a fresh kernel, in its own folder.

    Args:
        path: the notebook; the file is not changed.
        on_cell: called after each code cell.
        ids: a file to which the kit in that kernel writes the ids it reads (see ``handed_over``); then no
            display of the kit names anybody, whatever the notebook asks for.

    Returns:
        The notebook with its outputs and execution counts 1…n, and without times.

    Raises:
        ReportError: if a cell raises (unless it is tagged ``nbval-raises-exception``) or the kernel
            dies; names the cell.
    """
    notebook = nbformat.read(path, as_version=4)
    _allow_errors(notebook)
    done = 0

    def executed(**_: object) -> None:
        nonlocal done
        done += 1
        if on_cell:
            on_cell()

    client = NotebookClient(
        notebook,
        timeout=limits.CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=executed,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=40"],
    )
    environment = {**os.environ, "TQDM_DISABLE": "1"}  # a progress bar would make runs differ
    environment.pop(handed_over.VARIABLE, None)
    if ids is not None:
        environment[handed_over.VARIABLE] = str(ids)
        client.extra_arguments += ["--IPKernelApp.extra_extensions=clerk_cerbos_lab.report.kernel"]
    try:
        with ThreadPoolExecutor(1) as pool:  # its own event loop, whatever the caller runs
            pool.submit(asyncio.run, client.async_execute(env=environment)).result()
    except CellExecutionError as error:
        trouble = f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        trouble = f"took longer than {limits.CELL_SECONDS} s"
    except DeadKernelError:
        trouble = "the kernel died"
    else:
        _allow_errors(notebook, undo=True)
        drop_live_views(notebook)
        return notebook
    msg = f"{path.name}, code cell {done}: {trouble}"
    raise ReportError(msg)


def _allow_errors(notebook: Any, *, undo: bool = False) -> None:
    """Translate nbval's tag for cells that are meant to raise into nbclient's tag."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "nbval-raises-exception" in tags:
            others = [tag for tag in tags if tag != "raises-exception"]
            cell.metadata.tags = others if undo else [*others, "raises-exception"]


def to_page(
    notebook: Any, name: str, *, names: bool = False, ids: Iterable[str] = (), words: Iterable[str] = ()
) -> Page:
    """A notebook that was run, as a page without addresses of other hosts.

    Args:
        notebook: the notebook with its outputs.
        name: the name of the page's file.
        names: keep ids; by default each becomes its pseudonym.
        ids: the ids to replace, in addition to anything that looks like one (see ``masking``).
        words: names with another meaning, such as roles and actions: an id equal to one of them stays.
    """
    if not names:
        mask = masker(frozenset(ids), frozenset(words))
        notebook, name = masked_notebook(notebook, mask), mask.file(name)
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.exclude_anchor_links = True
    body, _ = exporter.from_notebook_node(notebook)
    body = re.sub(r'href="([\w.-]+)\.ipynb"', r'href="\1.html"', body)  # link to the neighbouring page
    first = next((c.source for c in notebook.cells if c.cell_type == "markdown"), "")
    heading = re.search(r"^#\s+(.+)$", first, flags=re.MULTILINE)
    rest = first[heading.end() :].strip() if heading else ""
    answer = re.sub(r"[*`\\]", "", rest.split("\n\n")[0].replace("\n", " "))
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    title = heading[1].replace("\\", "").strip() if heading else name
    return Page(name, title, name.replace("_", " "), answer, body, cells)


def masked_notebook(notebook: Any, mask: Masker) -> Any:
    """A copy of a notebook without ids, made before escaping and colouring; pictures stay unchanged."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        cell.source = mask(cell.source)
        for output in cell.get("outputs", ()):
            for part in ("text", "ename", "evalue"):
                if part in output:
                    output[part] = mask.terminal(output[part])
            if "traceback" in output:
                output.traceback = [mask.terminal(line) for line in output.traceback]
            for mime, content in output.get("data", {}).items():
                output.data[mime] = _masked_data(mime, content, mask)
    return made


def _masked_data(mime: str, content: Any, mask: Masker) -> Any:
    if isinstance(content, dict):
        return {mask(name): _masked_data(mime, part, mask) for name, part in content.items()}
    if isinstance(content, list):
        return [_masked_data(mime, part, mask) for part in content]
    if not isinstance(content, str) or mime in _PACKED:
        return content
    return mask.html(content) if mime in _MARKUP else mask.terminal(content)

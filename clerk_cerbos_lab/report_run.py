"""``make report``: run every notebook, show how far it is, write the site as a whole."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clerk_cerbos_lab import report
from clerk_cerbos_lab.pdp import PDP

if TYPE_CHECKING:
    from pathlib import Path


def write_report(notebooks: Path, policies: Path, output: Path) -> Path:
    """Run every notebook of a folder and write the pages; the old ones stay if a notebook fails.

    Returns:
        The path of the index.

    Raises:
        ReportError: when a notebook fails; names the notebook and the cell.
        InputError, PolicyError, PDPError: when there is nothing to run, or no PDP to run it on.
    """
    report.check_output(output.absolute())
    paths = [path.absolute() for path in report.notebook_files(notebooks)]
    with PDP(policies) as pdp:  # before anything is run: are the policies and the PDP fine?
        about = {
            "PDP": f"Cerbos {pdp.version}, {pdp.engine}",
            "policies": f"{policies.name}, SHA-256 {pdp.digest or 'not known, a PDP at an address'}",
            "verified": "every cell shown is an answer of the PDP",
        }
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console()
    pages = []
    with Progress(*columns, console=console) as bar:
        for path in paths:
            task = bar.add_task(path.stem, total=report.code_cells(path))
            notebook = report.run_notebook(path, on_cell=lambda task=task: bar.advance(task))  # type: ignore[misc]
            pages.append(report.to_page(notebook, path.stem))
    now = datetime.datetime.now(datetime.UTC)
    report.write_site(output.absolute(), pages, about, now=now)
    return output / "index.html"

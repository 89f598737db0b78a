"""``make report``: run every notebook, show how far it is, write the site as a whole."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clerk_cerbos_lab import report
from clerk_cerbos_lab.pdp import PDP
from clerk_cerbos_lab.policies import contents
from clerk_cerbos_lab.policies import policy_folder as policies_folder
from clerk_cerbos_lab.pseudonyms import masked
from clerk_cerbos_lab.view import WARNING

if TYPE_CHECKING:
    from pathlib import Path


def write_report(notebooks: Path, policies: Path, output: Path, *, names: bool = False) -> Path:
    """Run every notebook of a folder and write the pages; the old ones stay if a notebook fails.

    Args:
        notebooks: their folder.
        policies: the folder of the policies that the footer shows.
        output: the folder to write to; replaced.
        names: leave Clerk ids and e-mail addresses in the pages, with a warning in each; by default each is
            its pseudonym.

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
            "evaluation": "lenient, Cerbos's default, where a table does not say otherwise",
            "mapping": "as each notebook shows it; without one, roles from public_metadata.role",
            "verified": "as it stands below each table: an answer of the PDP, or proven equal to one",
            "principals are called": "as the notebooks call them" if names else "by pseudonyms, a keyed hash",
        }
        texts = {
            name: content.decode("utf-8", "replace")
            for name, content in contents(policies_folder(policies)).items()
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
            pages.append(report.to_page(notebook, path.stem, names=names))
    now = datetime.datetime.now(datetime.UTC)
    report.write_site(
        output.absolute(),
        pages,
        about,
        now=now,
        policies=texts if names else {file: masked(text) for file, text in texts.items()},
        warning=WARNING if names else None,
    )
    return output / "index.html"

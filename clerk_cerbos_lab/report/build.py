"""``make report``: run every notebook, show the progress, and write the site as a whole."""

from __future__ import annotations

import datetime
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clerk_cerbos_lab.display.plain_text import WARNING
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.disclosure import masker
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.policies.disk import contents
from clerk_cerbos_lab.policies.disk import policy_folder as policies_folder
from clerk_cerbos_lab.policies.people_named import PolicyNames, names_in_files
from clerk_cerbos_lab.report import execution, kernel, pages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.progress import TaskID

PSEUDONYMS: Final = (
    "by pseudonyms, a keyed hash of the id; an attribute that may be personal reads "
    f"'{kernel.NOT_SHOWN}' (see lab.shareable)"
)

AT_ONCE: Final = 2
"""Notebooks that run at the same time: each has a kernel and a PDP, which take turns waiting."""


def write_report(notebooks: Path, policies: Path, output: Path, *, names: bool = False) -> Path:
    """Run every notebook of a folder and write the pages; the old ones stay if a notebook fails.

    Args:
        notebooks: the folder of the notebooks.
        policies: the folder of the policies that the footer shows.
        output: the folder to write to; replaced.
        names: show ids and attributes as the notebooks do, with a warning in each page; by default every
            id that a notebook reads or a policy names becomes a pseudonym, and so does anything like one.

    Returns:
        The path of the index.

    Raises:
        ReportError: if a notebook fails; names the notebook and the cell.
        InputError, PolicyError, PDPError: if there is nothing to run, or no PDP to run it on.
    """
    pages.check_output(output.absolute())
    paths = [path.absolute() for path in execution.notebook_files(notebooks)]
    with PDP(policies) as pdp:  # check the policies and the PDP before anything runs
        about = {
            "PDP": f"Cerbos {pdp.version}, {pdp.engine}",
            "policies": f"{policies.name}, SHA-256 {pdp.digest or 'not known, a PDP at an address'}",
            "evaluation": "lenient, Cerbos's default, unless a table says otherwise",
            "mapping": "as shown in each notebook; by default, roles come from public_metadata.role",
            "verified": "as stated below each table: an answer of the PDP, or proven equal to one",
            "principals are named": "as in the notebooks" if names else PSEUDONYMS,
        }
        texts = {
            name: content.decode("utf-8", "replace")
            for name, content in contents(policies_folder(policies)).items()
        }
        named = _named(pdp, texts)
    run, ids, words = _run(paths, names=names)
    ids, words = ids | named.people, words | named.words
    mask = masker(frozenset(ids), frozenset(words))
    made = [
        execution.to_page(one, path.stem, names=names, ids=ids, words=words)
        for path, one in zip(paths, run, strict=True)
    ]
    pages.write_site(
        output.absolute(),
        made,
        about if names else {name: mask(text) for name, text in about.items()},
        now=datetime.datetime.now(datetime.UTC),
        policies=texts if names else {mask.file(file): mask(text) for file, text in texts.items()},
        warning=WARNING if names else None,
    )
    return output / "index.html"


def _named(pdp: PDP, texts: Mapping[str, str]) -> PolicyNames:
    """The people that the policies name, and the policies' other words."""
    try:
        found = pdp.index.names
    except PDPError:
        return names_in_files(tuple(texts.values()))
    rest = names_in_files(tuple(text for text in texts.values() if "disabled" in text))
    return PolicyNames(found.people | rest.people, found.words | rest.words)


def _run(paths: Sequence[Path], *, names: bool) -> tuple[list[Any], set[str], set[str]]:
    """Run notebooks, two at a time, with progress bars; also returns the ids and words handed over."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    ids: set[str] = set()
    words: set[str] = set()
    with (
        tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as private,
        Progress(*columns, console=Console()) as bar,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        running = []
        for number, path in enumerate(paths):
            file = Path(private, f"{number}.jsonl")
            file.touch(mode=0o600)
            task = bar.add_task(path.stem, total=execution.code_cells(path), start=False)
            running.append((pool.submit(_run_one, path, bar, task, None if names else file), file))
        try:
            made = [future.result() for future, _ in running]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after a failure no other is begun
        for _, file in running:
            more_ids, more_words = handed_over.handed_over(file)
            ids |= more_ids
            words |= more_words
    return made, ids, words


def _run_one(path: Path, bar: Progress, task: TaskID, ids: Path | None) -> Any:
    bar.start_task(task)
    return execution.run_notebook(path, on_cell=lambda: bar.advance(task), ids=ids)

"""Checks and writes the report's pages."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pygments.formatters import HtmlFormatter

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.templates import render, static_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

MARKER: Final = ".clerk-cerbos-lab"


@dataclass(frozen=True, slots=True)
class Page:
    """A notebook as a page.

    Attributes:
        name: the file name without suffix, for the notebook and the page.
        title: the question, the notebook's first heading.
        short: the title in the navigation.
        answer: the first paragraph below it.
        body: the HTML of the cells.
        cells: how many code cells were run.
    """

    name: str
    title: str
    short: str
    answer: str
    body: str
    cells: int


def check_output(folder: Path) -> None:
    """Raise ``InputError`` for a folder that holds anything but an earlier report, since it is replaced."""
    if folder.is_dir() and ((folder / MARKER).exists() or not any(folder.iterdir())):
        return
    if folder.exists() or folder.is_symlink():
        msg = f"{folder} exists, is not an earlier report, and would be replaced: name another folder"
        raise InputError(msg)


def write_site(
    folder: Path,
    pages: Sequence[Page],
    about: dict[str, str],
    *,
    now: datetime.datetime,
    policies: Mapping[str, str] | None = None,
    warning: str | None = None,
) -> Path:
    """Write an index and one file per page; the old site is replaced as a whole.

    Args:
        folder: the folder to write to; created if it does not exist.
        pages: the pages, in the order of the index.
        about: lines of the footer about the decisions' source, label to text.
        now: the time of the report.
        policies: the text of policy files by path, for the footer.
        warning: a line at the top of each page.

    Returns:
        The path of the index.

    Raises:
        InputError: if the folder holds anything but an earlier report.
    """
    code = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    css = static_text("report.css") + static_text("notebooks.css")
    style = f"{css}\n{code}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"
    check_output(folder)
    common = {
        "pages": pages,
        "style": style,
        "policies": policies or {},
        "warning": warning,
        "about": {
            **about,
            "clerk-cerbos-lab": version("clerk-cerbos-lab"),
            "made": now.strftime("%Y-%m-%d %H:%M UTC"),
        },
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".site-") as scratch:
        fresh = Path(scratch, "site")
        fresh.mkdir(mode=0o755)
        for page in pages:
            html = render("page.html.j2", page=page, **common)
            (fresh / f"{page.name}.html").write_text(html, encoding="utf-8")
        html = render("index.html.j2", **common)
        (fresh / "index.html").write_text(html, encoding="utf-8")
        (fresh / MARKER).write_text("Written by clerk-cerbos-lab report, replaced by the next.\n", "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return folder / "index.html"

"""`make docs`: a site whose links lead somewhere, which asks no other host for anything, light and dark."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from browser import axe

if TYPE_CHECKING:
    from browser import Visit

ROOT = Path(__file__).parents[2]
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "link": "href"}


class Links(HTMLParser):
    """The links, the anchors, and the addresses that a browser fetches, of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in FETCHED and FETCHED[tag] in given:
            self.fetched.append(given[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built as `make docs` does, without a warning."""
    output = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "setup" / "build_docs.py"), str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return output


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {path.resolve(): Links(path.read_text("utf-8")) for path in site.rglob("*.html")}


def broken(pages: dict[Path, Links]) -> list[str]:
    """Return the links that lead to no file or no anchor, each with its page."""
    found = []
    for path, page in pages.items():
        for link in page.links + page.fetched:
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            if parts.scheme:
                bad = parts.scheme not in {"http", "https", "mailto"} or not (parts.netloc or parts.path)
            else:
                file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                bad = not file.is_file() or (
                    file in pages and unquote(parts.fragment) not in pages[file].anchors
                )
            if bad:
                found.append(f"{path.name}: {link}")
    return found


def test_every_link_leads_to_a_page_and_an_anchor(pages: dict[Path, Links]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 1_000
    assert broken(pages) == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    text = (
        '<a href="absent.html">1</a><a href="#absent">2</a><a href="#here" id="here">3</a><img src="x.png">'
    )
    page = tmp_path / "page.html"
    page.write_text(text, encoding="utf-8")
    assert broken({page.resolve(): Links(text)}) == [
        f"page.html: {x}" for x in ("absent.html", "#absent", "x.png")
    ]


def test_nothing_is_fetched_from_another_host(pages: dict[Path, Links]) -> None:
    fetched = {one for page in pages.values() for one in page.fetched}
    assert [one for one in fetched if urlsplit(one).netloc] == []


def test_each_markdown_page_and_notebook_is_in_the_site(site: Path) -> None:
    sources = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert len(sources) > 30
    for path in sources:
        assert (site / path.relative_to(ROOT)).with_suffix(".html").is_file(), path


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    code = "import runpy; print(runpy.run_path('setup/write_cli_reference.py')['page'](), end='')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "command-line.md").read_text("utf-8") == done.stdout
    assert len(re.findall(r"^## ", done.stdout, flags=re.MULTILINE)) > 10


def test_a_stored_notebook_shows_its_matrix_light_and_dark_and_it_works(
    site: Path, offline_page: Visit
) -> None:
    page = offline_page.page
    page.emulate_media(color_scheme="dark")
    page.goto((site / "notebooks" / "02_founding_question.html").as_uri())
    grid = page.locator("[role=grid]").first
    grid.wait_for()
    background = "one => getComputedStyle(one).backgroundColor"
    cell = grid.locator("[role=gridcell]").first
    dark = cell.evaluate(background)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "([one, dark]) => getComputedStyle(one).backgroundColor !== dark", arg=[cell.element_handle(), dark]
    )
    rows = grid.locator("[role=row]").count()
    page.get_by_role("searchbox").first.fill("finance")
    page.wait_for_function(
        "([one, rows]) => one.querySelectorAll('[role=row]').length < rows", arg=[grid.element_handle(), rows]
    )
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert (offline_page.requests, offline_page.errors) == ([], [])


def test_search_works_on_the_files_themselves(site: Path, offline_page: Visit) -> None:
    page = offline_page.page
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/docs/index.html")
    page.get_by_role("textbox", name="Search").fill("pseudonyms")
    page.keyboard.press("Enter")
    page.locator("#search-results li a", has_text="Share").first.click()
    page.wait_for_url("**/docs/sharing.html*")
    assert "pseudonyms" in page.inner_text("article")
    assert (offline_page.requests, offline_page.errors) == ([], [])
    assert axe(page, "article") == []

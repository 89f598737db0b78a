"""The long table shows every row it claims to show, sorts numbers as numbers, and runs no data as code."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import long_table_samples
import numpy as np
import pytest
from browser import Visit, axe, open_notebook, run_all, write_notebook
from html_table import Table
from hypothesis import given
from long_table_samples import HOSTILE, IMAGE, SCRIPT, hostile, some
from made_decisions import Mapped, made, mapped

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display import plain_text, static_html
from clerk_cerbos_lab.display.long_table import LongTable
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.formatting import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from browser import LabServer
    from playwright.sync_api import Browser, Dialog, Page

WIDGET = "application/vnd.jupyter.widget-view+json"
KINDS = [True, 1, "1", None, lab.MISSING, lab.SELF, "SELF", [1, "a"], {"a": None}, 2.5, 10, 9, 1e20, 1e-7]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of these tests")


def many(*shape: int) -> lab.Decisions:
    """Return decisions of this shape, of which at most 200,000 may ever be expanded."""
    random = np.random.default_rng(7)
    maps = tuple(random.integers(0, 3, n) for n in shape)
    cells = Few(random.random([3] * len(shape)) < 0.5, maps)
    return made(cells, {f"axis{i}": range(n) for i, n in enumerate(shape[2:])})


@dataclass(frozen=True)
class Few(Mapped):
    def take(self, index: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
        assert np.prod([len(places) for places in index], dtype=np.int64) <= 200_000
        return super().take(index)


# -- rows -------------------------------------------------------------------------------------


@given(mapped())
def test_the_rows_are_those_of_the_decisions(cells: Mapped) -> None:
    decisions = made(cells, {"a": [10 * i for i in range(cells.shape[2])], "b": KINDS[: cells.shape[3]]})
    shown, frame = LongTable(decisions, names=True).frame(), decisions.frame()
    assert list(shown.columns) == list(frame.columns)
    marks = {"ALLOW": "✓ ALLOW", "DENY": "✗ DENY"}
    for name in ("principal", "action", "a", "b"):
        assert shown[name].tolist() == [label(value) for value in frame[name]]
    assert shown["effect"].tolist() == [marks[effect] for effect in frame["effect"]]


def test_a_column_tells_apart_and_orders_whatever_the_pdp_tells_apart() -> None:
    frame = LongTable(made(np.ones((1, 1, len(KINDS)), bool), {"value": KINDS})).frame()
    assert frame["value"].tolist() == [label(value) for value in KINDS]
    assert frame.sort_values("value")["value"].tolist() == [
        *("1e-07", "1", "2.5", "9", "10", label(1e20)),
        *('"1"', '"SELF"', '[1, "a"]', "MISSING", "null", "SELF", "true", '{"a": null}'),
    ]


def test_of_billions_of_decisions_only_what_is_shown_is_expanded() -> None:
    for shape in ((2, 5, 1_000_000, 1), (300_000, 1, 1)):
        decisions = many(*shape)
        table = LongTable(decisions)
        frame = table.frame()
        assert len(frame) == 100_000
        last = np.unravel_index(99_999, shape)
        where = {dim: [decisions.values(dim)[i]] for dim, i in zip(decisions.dims, last, strict=True)}
        assert [str(text) for text in frame.iloc[-1]][2:] == [
            *(f"{place:,}" for place in last[2:]),
            {"ALLOW": "✓ ALLOW", "DENY": "✗ DENY"}[decisions.sel(**where).effect()],
        ]
        assert f"the first 20 of {len(decisions):,} rows" in repr(table)
        assert "decisions.sel(…)" in repr(table)
        assert "to_csv" in repr(table)


def test_a_part_of_decisions_is_a_table_of_that_part() -> None:
    part = some().sel(principal="bob", amount=[500, 5000])
    frame = LongTable(part, names=True).frame()
    assert frame["principal"].unique().tolist() == ["bob"]
    assert frame["amount"].unique().tolist() == ["500", "5,000"]
    assert frame["effect"].str[2:].tolist() == part.frame()["effect"].tolist()


def test_decisions_about_nobody_are_an_empty_table(tmp_path: Path) -> None:
    table = LongTable(some().head(0))
    assert len(table.frame()) == 0
    assert "0 decisions" in repr(table)
    table.to_html(tmp_path / "empty.html")


# -- a notebook -------------------------------------------------------------------------------


def test_a_notebook_stores_the_same_bytes_in_every_run() -> None:
    first, second = (LongTable(some())._repr_mimebundle_(include=None, exclude=None) for _ in range(2))
    assert set(first) == {"text/plain", "text/html", WIDGET}
    for kind in ("text/plain", "text/html"):
        assert first[kind] == second[kind]
        assert "0x" not in str(first[kind])
    assert len(str(first["text/html"])) < 15_000


def test_the_stored_table_shows_the_first_rows_in_words_and_says_so() -> None:
    table = LongTable(some(), names=True)
    page = str(table._repr_mimebundle_()["text/html"])
    parsed = Table(page)
    assert parsed.rows == [list(table.frame().columns), *table.frame().head(20).to_numpy().tolist()]
    assert parsed.tags <= {"div", "table", "caption", "strong", "br", "thead", "tbody", "tr", "th", "td", "p"}
    counts = some().counts()
    for text in (page, repr(table)):
        assert f"360 decisions: {counts['ALLOW']} ALLOW" in text
        assert "the first 20 of 360 rows" in text
        assert some().provenance.caption() in text
    assert "Shown" not in repr(LongTable(some().sel(principal="ann", action="view", amount=500)))


def test_nothing_hostile_is_markup_in_the_stored_table() -> None:
    for names in (True, False):
        page = str(LongTable(hostile(), names=names)._repr_mimebundle_()["text/html"])
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page
        Table(page)


def test_ids_and_addresses_are_shown_only_with_names(tmp_path: Path) -> None:
    names = ["user_2abcdefghijklmnopqrstu", "ann@example.com"]
    effects = np.ones((2, 1, 3), bool)
    decisions = made(effects, {"owner": [names[0], {"by": names[1]}, "x"]}, names=names)
    for shows in (True, False):
        table = LongTable(decisions, names=shows)
        bundle = table._repr_mimebundle_()
        table.to_html(tmp_path / "page.html")
        said = [str(bundle["text/plain"]), str(bundle["text/html"]), read(tmp_path / "page.html")]
        said.append(str(table._widget.get_state()))
        for text in said:
            assert [name in text for name in names] == [shows, shows]
            assert (plain_text.WARNING in text) == shows
        assert (lab.pseudonym(names[0]) in said[0]) is not shows


def test_the_table_is_loaded_without_jupyter_and_without_itables() -> None:
    code = """
import sys
import clerk_cerbos_lab.display.long_table
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"IPython", "ipywidgets", "itables", "jinja2"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_itables_a_notebook_shows_the_stored_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itables.widget", None)
    assert set(LongTable(some())._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_the_colours_are_those_of_the_matrix() -> None:
    css = (files("clerk_cerbos_lab") / "static" / "long_table" / "table.css").read_text("utf-8")
    for name, colour in (("allow", static_html.ALLOW), ("deny", static_html.DENY)):
        assert f"td.ccl-{name}{{{colour};}}" in css.replace(" ", "").replace("\n", "")


# -- a page -----------------------------------------------------------------------------------


def read(path: Path) -> str:
    """Return a page with its unpacked contents."""
    text = path.read_text("utf-8")
    packed = re.findall(r'<script type="text/plain" id="ccl-options">([^<]+)<', text)
    return text + zlib.decompress(base64.b64decode(packed[0])).decode()


def test_without_itables_no_page_is_written_and_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "itables.javascript", None)
    (tmp_path / "page.html").write_text("the old one")
    with pytest.raises(InputError, match=r"clerk-cerbos-lab\[notebooks\]"):
        LongTable(some()).to_html(tmp_path / "page.html")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["the old one"]


def test_a_page_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its folder does not exist"):
        LongTable(some()).to_html(tmp_path / "none" / "page.html")


def test_a_page_is_the_same_bytes_whatever_the_settings_of_itables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import itables.options  # noqa: PLC0415

    pages = []
    for settings in ({}, {"allow_html": True, "maxBytes": 100, "footer": True, "column_filters": "footer"}):
        for name, value in settings.items():
            monkeypatch.setattr(itables.options, name, value)
        LongTable(some()).to_html(tmp_path / "page.html")
        pages.append((tmp_path / "page.html").read_bytes())
    assert pages[0] == pages[1]
    assert b"http" not in re.sub(rb"http-equiv|id=\"ccl-itables\">[^<]*", b"", pages[0])


# -- a page in a browser ----------------------------------------------------------------------

ROWS = """() => [...document.querySelectorAll("#ccl-table tbody tr")].map(
    row => [...row.cells].map(cell => cell.textContent))"""


def opened(seen: Visit, tmp_path: Path, table: LongTable) -> Page:
    path = tmp_path / "page.html"
    table.to_html(path)
    seen.page.goto(path.as_uri())
    seen.page.locator("#ccl-live tbody tr").first.wait_for()
    return seen.page


def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(ROWS)
    return found


def wait_for_rows(page: Page, count: int) -> None:
    page.wait_for_function(f"() => / of {count:,} rows/.test(document.querySelector('.dt-info').textContent)")


def head(page: Page, name: str) -> Any:
    return page.locator("#ccl-table thead tr").first.locator("th", has_text=name)


@pytest.fixture
def quiet(offline_page: Visit) -> Iterator[Visit]:
    """Return a page; after the test, it must have made no request, logged no error, and run no data."""
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    offline_page.page.on("dialog", dismiss)
    yield offline_page
    assert offline_page.page.evaluate("() => window.pwned") is None
    assert (dialogs, offline_page.requests, offline_page.errors) == ([], [], [])


def test_a_page_shows_every_row_of_the_frame(quiet: Visit, tmp_path: Path) -> None:
    table = LongTable(some())
    page = opened(quiet, tmp_path, table)
    frame = table.frame()
    assert rows(page) == frame.head(25).to_numpy().tolist()
    page.get_by_label("rows per page").select_option("500")
    assert rows(page) == frame.to_numpy().tolist()
    counts = some().counts()
    assert f"360 decisions: {counts['ALLOW']} ALLOW" in page.locator("main").inner_text()
    assert some().provenance.caption() in page.locator("footer").inner_text()


def test_a_click_on_a_head_sorts_and_numbers_sort_by_size(quiet: Visit, tmp_path: Path) -> None:
    table = LongTable(some())
    page = opened(quiet, tmp_path, table)
    frame = table.frame()
    for name in ("amount", "principal", "region", "effect"):
        for direction in ("ascending", "descending"):
            head(page, name).locator(".dt-column-title").click()
            page.locator(f"#ccl-table th[aria-sort={direction}]", has_text=name).wait_for()
            ordered = frame.sort_values(name, ascending=direction == "ascending", kind="stable")
            assert [row[frame.columns.get_loc(name)] for row in rows(page)] == ordered[name].head(25).tolist()
    assert frame["amount"].sort_values().unique().tolist()[:4] == ["0", "99.5", "500", "1,000"]


def test_the_keyboard_sorts_and_turns_pages(quiet: Visit, tmp_path: Path) -> None:
    table = LongTable(some())
    page = opened(quiet, tmp_path, table)
    head(page, "amount").get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.locator("#ccl-table th[aria-sort=ascending]").wait_for()
    page.get_by_role("link", name="Next").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.dt-info').textContent.startsWith('Showing 26')")
    assert rows(page) == table.frame().sort_values("amount", kind="stable")[25:50].to_numpy().tolist()


def test_searches_and_filters_find_what_the_frame_has(quiet: Visit, tmp_path: Path) -> None:
    table = LongTable(some())
    page = opened(quiet, tmp_path, table)
    frame, amounts = table.frame(), some().frame()["amount"]

    page.get_by_label("Search all columns").fill("r&d")
    wait_for_rows(page, int((frame["region"] == "R&D").sum()))
    page.get_by_label("Search all columns").fill("")

    page.get_by_label("Show only: amount").fill("5,000")
    wait_for_rows(page, int((amounts == 5000).sum()))
    page.get_by_label("How to compare amount").select_option("greaterOrEqual")
    wait_for_rows(page, int((amounts >= 5000).sum()))
    page.get_by_label("Show only: amount").fill("99.4")
    wait_for_rows(page, int((amounts >= 99.4).sum()))
    page.get_by_label("Show only: amount").fill("")

    page.get_by_label("Choose values of region").click()
    page.get_by_role("dialog").get_by_role("button", name="R&D").click()
    page.get_by_role("dialog").get_by_role("button", name="null").click()
    wait_for_rows(page, int(frame["region"].isin(["R&D", "null"]).sum()))
    page.get_by_label("Show only: effect").fill("deny")
    wait_for_rows(page, int((frame["region"].isin(["R&D", "null"]) & (frame["effect"] == "✗ DENY")).sum()))


def test_a_search_for_words_and_one_for_quotes_find_what_is_there(quiet: Visit, tmp_path: Path) -> None:
    page = opened(quiet, tmp_path, LongTable(some(), names=True))
    page.get_by_label("Search all columns").fill("approve bob")
    wait_for_rows(page, 60)
    page = opened(quiet, tmp_path, LongTable(some(["5", 5, "5!", {"a": "b c"}]), names=True))
    for text, count in (('"5"', 120), ('{"a": "b', 120), ("5!", 120), ("!", 120)):
        page.get_by_label("Search all columns").fill(text)
        wait_for_rows(page, count)
    page.get_by_label("Search all columns").fill("")
    page.get_by_label("Show only: region").fill('"5"')
    wait_for_rows(page, 120)


def test_hostile_texts_are_shown_and_never_run(quiet: Visit, tmp_path: Path) -> None:
    table = LongTable(hostile(), names=True)
    page = opened(quiet, tmp_path, table)
    page.get_by_label("rows per page").select_option("500")
    frame = table.frame()
    assert rows(page) == frame.to_numpy().tolist()
    assert page.locator("h1").inner_text() == f"Decisions about {SCRIPT}"
    assert page.locator("#ccl-table thead tr").first.locator("th").all_inner_texts() == list(frame.columns)
    for place in range(len(frame.columns)):
        page.locator("#ccl-table thead tr").first.locator("th").nth(place).click()
        page.locator(f"#ccl-table th[data-dt-column='{place}'][aria-sort=ascending]").wait_for()
    for text in (SCRIPT, IMAGE, "let dt_args", "___NaN___", "&lt;i&gt;", "$&"):
        page.get_by_label("Search all columns").fill(text)
        wait_for_rows(page, int(frame.map(lambda cell, part=text: part in cell).any(axis=1).sum()))
    page.get_by_label("Search all columns").fill("")
    buttons = page.locator(".dtcc-button_dropdown")
    for place in range(buttons.count()):
        buttons.nth(place).click()
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
    page.locator(".dtcc-button_dropdown").nth(2).click()
    page.get_by_role("dialog").get_by_role("button", name=HOSTILE[2], exact=True).click()
    wait_for_rows(page, 4)


def test_a_page_forbids_what_would_run(offline_page: Visit, tmp_path: Path) -> None:
    page = opened(offline_page, tmp_path, LongTable(some()))
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", IMAGE)
    page.evaluate("() => fetch('https://example.com').catch(() => {})")
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.pwned") is None
    assert offline_page.requests == []
    assert any("Content Security Policy" in error for error in offline_page.errors)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_a_page_is_accessible_in_light_and_dark(
    quiet: Visit, tmp_path: Path, scheme: Any, width: int
) -> None:
    quiet.page.emulate_media(color_scheme=scheme)
    quiet.page.set_viewport_size({"width": width, "height": 900})
    page = opened(quiet, tmp_path, LongTable(some(), names=True))
    assert page.evaluate("() => document.documentElement.classList.contains('dark')") == (scheme == "dark")
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert plain_text.WARNING in page.locator("main").inner_text()
    page.get_by_label("Choose values of region").click()
    page.get_by_role("dialog").wait_for()
    assert axe(page, "html") == []


def test_without_scripts_the_counts_and_the_first_rows_are_read(chromium: Browser, tmp_path: Path) -> None:
    table = LongTable(some())
    table.to_html(tmp_path / "page.html")
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        text = page.locator("main").inner_text()
        shown = page.locator("#ccl-still tbody tr")
        assert "360 decisions" in text
        assert "The first 20 of 360 rows" in text
        assert shown.count() == 20
        assert shown.first.locator("td").all_inner_texts() == table.frame().iloc[0].tolist()
        assert not page.locator("#ccl-live").is_visible()
    finally:
        context.close()


def test_where_itables_can_not_start_the_page_says_so(offline_page: Visit, tmp_path: Path) -> None:
    LongTable(some()).to_html(tmp_path / "page.html")
    offline_page.page.add_init_script("delete window.DecompressionStream")
    offline_page.page.goto((tmp_path / "page.html").as_uri())
    offline_page.page.get_by_text("not interactive").wait_for()
    assert offline_page.page.locator("#ccl-still tbody tr").count() == 20


def test_a_page_has_a_hundred_thousand_rows_and_a_note_on_the_rest(quiet: Visit, tmp_path: Path) -> None:
    decisions = many(40_000, 3, 2_000)
    page = opened(quiet, tmp_path, LongTable(decisions))
    assert (tmp_path / "page.html").stat().st_size < 2_000_000
    assert "the first 100,000 of 240,000,000 rows" in page.locator(".ccl-warn").inner_text()
    assert "decisions.sel(…)" in page.locator(".ccl-warn").inner_text()
    wait_for_rows(page, 100_000)
    head(page, "axis0").click()
    head(page, "axis0").click()
    page.locator("#ccl-table th[aria-sort=descending]").wait_for()
    assert {row[2] for row in rows(page)} == {"1,999"}


NOTEBOOK = f"""
import sys
sys.path.insert(0, {str(Path(long_table_samples.__file__).parent)!r})
from long_table_samples import hostile, some
from clerk_cerbos_lab.display.long_table import LongTable
"""


def test_in_jupyterlab_the_table_is_a_widget(lab_page: Visit, lab_server: LabServer) -> None:
    write_notebook(
        lab_server.folder / "rows.ipynb",
        [NOTEBOOK, "LongTable(some(), names=True)", "LongTable(hostile(), names=True)"],
    )
    page = lab_page.page
    open_notebook(page, lab_server, "rows.ipynb")
    run_all(page)
    outputs = page.locator(".jp-OutputArea-output table.dataTable")
    outputs.nth(1).wait_for()
    outputs.nth(0).locator("thead th", has_text="amount").click()
    outputs.nth(0).locator("th[aria-sort=ascending]").wait_for()
    ordered = LongTable(some(), names=True).frame().sort_values("amount", kind="stable")
    shown = outputs.nth(0).locator("tbody tr").first.locator("td").all_inner_texts()
    assert shown == ordered.iloc[0].tolist()
    assert "360 decisions" in page.locator(".ccl-said").first.inner_text()
    assert some().provenance.caption() in page.locator(".ccl-notes").first.inner_text()
    assert outputs.nth(1).locator("tbody tr").count() == 25
    assert page.evaluate("() => window.pwned") is None
    assert axe(page, ".jp-OutputArea-output .dt-container") == []

"""JupyterLab with a kernel: a reader's actions reach Python, and Python's changes reach the page."""

# nbformat says that it is typed, yet what writes a notebook is not.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from browser import (
    SLOW,
    LabServer,
    Visit,
    axe,
    close_widgets,
    command,
    open_notebook,
    open_tools,
    run_all,
    save,
    set_theme,
    write_notebook,
)
from playwright.sync_api import expect

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

USERS = Path(lab.__file__).parents[1] / "data" / "clerk_users.json"


START = """
import json, pathlib
import clerk_cerbos_lab as lab
if "pdp" not in globals():  # an earlier notebook of this kernel has them
    root = pathlib.Path(lab.__file__).parents[1]
    pdp = lab.PDP(root / "policies")
    principals = lab.load_principals(root / "data" / "clerk_users.json")

def told(name, value):
    path = pathlib.Path(name)
    path.with_suffix(".part").write_text(json.dumps(value, default=str))
    path.with_suffix(".part").replace(path)
"""

MATRIX = """
decisions = lab.sweep(pdp, principals, "expense", actions="approve", amount=[5_000, 10_000, 50_000],
                      region=["northeast", "south"], owner=lab.OTHER, status="OPEN")
matrix = decisions.show()
matrix.on_select(lambda cell: told("selected.json", cell))
wide = decisions.matrix(rows=["principal", "region"], columns="amount")
told("frame.json", wide.to_numpy().ravel().tolist())
matrix
"""

EXPLORER = """
explorer = lab.explore(pdp, principals, "expense", region=["northeast", "south"], department="sales",
                       amount=lab.amounts(0, 60_000, step=500))
def changed(state):
    lines = repr(explorer).split("Explorer of ")[0].splitlines()
    told("state.json", {"call": explorer.call, "counts": explorer.counts(), "asked": explorer.asked,
                        "headline": lines,
                        "same": eval(explorer.call).counts() == explorer.counts()})
explorer.on_change(changed)
explorer.on_select(lambda cell: told("cell.json", cell))
explorer
"""


@pytest.fixture(scope="module")
def kernel(lab_server: LabServer) -> Iterator[str]:
    with lab_server.kernel() as started:
        yield started


@pytest.fixture
def shown(lab_page: Visit, lab_server: LabServer, kernel: str) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a notebook of these cells in Lab and runs it."""
    page = lab_page.page
    joined = []

    def show(name: str, *cells: str, own_kernel: bool = False) -> Page:
        path = f"{name}.ipynb"
        write_notebook(lab_server.folder / path, [START, *cells])
        if not own_kernel:
            lab_server.join(path, kernel)
            joined.append(path)
        open_notebook(page, lab_server, path)
        run_all(page)
        page.locator(".ccl table[role=grid]").first.wait_for()
        return page

    yield show
    if joined:
        close_widgets(page)


def read(page: Page, path: Path, until: Callable[[Any], bool] = bool) -> Any:
    """The kernel's output, once it meets a condition."""
    end = time.monotonic() + SLOW / 1_000
    while time.monotonic() < end:
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            if until(found):
                return found
        page.wait_for_timeout(50)
    raise AssertionError(path.read_text("utf-8") if path.exists() else f"{path.name} was not written")


def marks(page: Page) -> list[str]:
    """The visible cells, row by row."""
    rows: list[str] = page.locator(".ccl tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent).join(''))"
    )
    return rows


def run_cell(page: Page, number: int) -> None:
    """Run one cell again, by Lab's own command."""
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(number).click()
    command(page, "notebook:run-cell")


def test_a_cell_clicked_in_lab_is_selected_in_python(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("select", MATRIX)
    page.get_by_label("group equal rows").uncheck()
    effects = read(page, lab_server.folder / "frame.json")
    expected = ["".join("✓" if e == "ALLOW" else "✗" for e in effects[i : i + 3]) for i in range(0, 48, 3)]
    assert marks(page) == expected
    page.locator(".ccl tbody tr").nth(7).locator("td").nth(1).click()
    cell = read(page, lab_server.folder / "selected.json")
    frame = lab.load_principals(USERS)
    assert cell == {
        "principal": frame["id"].iloc[3],
        "action": "approve",
        "amount": 10_000,
        "region": "south",
        "effect": effects[22],
    }
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert read(page, lab_server.folder / "selected.json", lambda c: c["amount"] == 50_000)
    assert page.locator('.ccl td[aria-selected="true"]').count() == 1
    assert lab_page.errors == []


def test_a_stored_notebook_shows_itself_without_a_kernel(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("stored", MATRIX, own_kernel=True)
    save(page)
    text = (lab_server.folder / "stored.ipynb").read_text("utf-8")
    assert "application/vnd.jupyter.widget-view+json" not in text
    assert not re.search(r"user_[0-9A-Za-z]{20,}", json.dumps(json.loads(text)["cells"][1]["outputs"]))
    lab_server.tidy()
    open_notebook(page, lab_server, "stored.ipynb", kernel=False)
    page.locator(".ccl table[role=grid]").wait_for()  # trusted: it was run here
    assert "model not found" not in page.content()
    before = page.locator(".ccl-counts").inner_text()
    page.get_by_label("search rows").fill("finance northeast")
    page.wait_for_function("before => document.querySelector('.ccl-counts').innerText !== before", arg=before)
    assert page.locator(".ccl table").get_attribute("aria-rowcount") != str(96 * 2 + 1)
    page.get_by_role("button", name="Thresholds").click()
    assert page.locator(".ccl td.ccl-stripcell").first.get_attribute("aria-label") is not None


def test_a_notebook_that_is_not_trusted_shows_a_table(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("foreign", MATRIX, own_kernel=True)
    save(page)
    path = lab_server.folder / "foreign.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("from elsewhere"))  # another signature
    other = lab_server.folder / "mailed.ipynb"
    nbformat.write(notebook, other)
    lab_server.tidy()
    open_notebook(page, lab_server, "mailed.ipynb", kernel=False)
    table = page.locator(".jp-RenderedHTMLCommon table").first
    table.wait_for()
    assert page.locator(".ccl table[role=grid]").count() == 0
    assert "✓ ALLOW" in table.inner_text()
    colours = table.locator("td").evaluate_all("cells => cells.map(c => c.style.background)")
    assert "rgba(0, 114, 178" in "".join(colours)


def test_controls_ask_only_what_is_new_and_python_follows(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("explore", EXPLORER)
    state = lab_server.folder / "state.json"
    controls = page.locator(".ccl-controls")
    controls.get_by_label("west", exact=True).check()
    first = read(page, state)
    assert first["same"]
    assert "'west'" in first["call"]
    assert page.locator(".ccl-call").inner_text() == first["call"]
    counts = first["counts"]
    assert f"✓ {counts['ALLOW']:,} ALLOW" in page.locator(".ccl-about").inner_text()  # among the details
    lines = page.locator(".ccl-top > .ccl-headline p")
    assert lines.all_inner_texts()[:3] == first["headline"][:3]
    assert any("west" in line for line in first["headline"])
    controls.get_by_label("west", exact=True).uncheck()
    second = read(page, state, lambda s: "'west'" not in s["call"])
    assert second["asked"] == first["asked"]
    page.get_by_role("button", name="undo").click()  # the same choice as before the last
    third = read(page, state, lambda s: "'west'" in s["call"])
    assert third == first
    assert lab_page.errors == []


def test_a_handle_that_is_dragged_moves_columns_and_counts(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("drag", EXPLORER)
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    grid = page.locator(".ccl table[role=grid]")
    assert grid.get_attribute("aria-colcount") == str(121 + 2)
    handle = page.locator(".ccl-controls .ccl-high").bounding_box()
    track = page.locator(".ccl-controls .ccl-track").bounding_box()
    assert handle is not None
    assert track is not None
    low, high = 0, 120_000  # the track reaches from the lowest to beyond the highest tick
    start = track["x"] + track["width"] * 60_000 / high
    middle = track["y"] + track["height"] / 2
    page.mouse.move(start, middle)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 30_000 / high, middle, steps=12)
    page.mouse.up()
    page.wait_for_function("!document.querySelector('.ccl').hasAttribute('aria-busy')")
    top_now = page.locator(".ccl-controls input[data-part=high]").input_value()
    state = lab_server.folder / "state.json"
    told = read(page, state, lambda s: f"{int(top_now):_}" in s["call"])
    found = re.search(r"lab\.amounts\((\d+), ([\d_]+), step=500\)", told["call"])
    assert found is not None
    assert int(found[1]) == low
    top = int(found[2].replace("_", ""))
    assert 20_000 <= top <= 40_000
    assert told["same"]
    page.wait_for_function(
        "n => document.querySelector('.ccl table').ariaColCount === n", arg=str(top // 500 + 3)
    )
    assert f"✓ {told['counts']['ALLOW']:,} ALLOW" in page.locator(".ccl-counts").inner_text()
    page.locator(".ccl-controls .ccl-high").press("ArrowLeft")
    assert lab_page.errors == []


def test_state_set_in_python_shows_in_the_page_and_two_explorers_keep_in_step(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    other = "other = lab.explore(pdp, principals, 'expense')\nend = explorer.link(other)\nother"
    change = (
        "other.state = {'region': ['midwest'], 'status': ['OPEN', 'PAID']}\nexplorer.undo()\nexplorer.redo()"
    )
    page = shown("python", EXPLORER, other, "None")
    cell = page.locator(".jp-CodeCell .cm-content").nth(3)
    cell.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(change)
    command(page, "notebook:run-cell")
    told = read(page, lab_server.folder / "state.json", lambda s: "'midwest'" in s["call"])
    assert told["same"]
    for controls in page.locator(".ccl-controls").all():
        assert controls.get_by_label("midwest", exact=True).is_checked()
        assert controls.get_by_label("PAID", exact=True).is_checked()
        assert not controls.get_by_label("south", exact=True).is_checked()


def test_undo_in_the_page_and_in_python_go_through_one_history(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("history", EXPLORER, "None")
    state = lab_server.folder / "state.json"
    controls = page.locator(".ccl-controls")
    undo = page.get_by_role("button", name="undo")
    assert undo.is_disabled()
    controls.get_by_label("west", exact=True).check()
    read(page, state, lambda s: "'west'" in s["call"])
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    cell = page.locator(".jp-CodeCell .cm-content").nth(2)
    for code in ("explorer.undo()", "explorer.undo()"):  # how it is shown, then what was chosen
        cell.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.insert_text(code)
        command(page, "notebook:run-cell")
    read(page, state, lambda s: "'west'" not in s["call"])
    expect(undo).to_be_disabled()
    redo = page.get_by_role("button", name="redo")
    redo.click()
    read(page, state, lambda s: "'west'" in s["call"])
    expect(controls.get_by_label("west", exact=True)).to_be_checked()
    assert lab_page.errors == []


def test_an_impossible_choice_shows_an_error_and_the_state_stays(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("wrong", EXPLORER)
    step = page.locator(".ccl-controls input[data-part=step]")
    step.fill("0")
    step.press("Enter")
    alert = page.locator(".ccl [role=alert]")
    alert.wait_for()
    assert "step" in alert.inner_text()
    page.wait_for_function("document.querySelector('.ccl-controls input[data-part=step]').value === '500'")
    counts = page.locator(".ccl-counts").inner_text()
    box = page.locator(".ccl-controls").get_by_label("approve", exact=True)
    box.click()  # the last action stays chosen
    assert box.is_checked()
    assert page.locator(".ccl-counts").inner_text() == counts


def test_lab_output_is_accessible_in_light_and_dark(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("axe", MATRIX, EXPLORER)
    page.locator(".ccl-controls").wait_for()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        set_theme(page, theme)
        dark = "dark" if theme.endswith("Dark") else "light"
        page.wait_for_function("t => document.querySelector('.ccl').dataset.cclTheme === t", arg=dark)
        assert axe(page, ".ccl") == []


def test_a_changed_policy_limit_shows_how_many_people_and_decisions_change(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("limit", EXPLORER)
    before = page.locator(".ccl-counts").inner_text()
    number = page.get_by_label("cross_region_manager_limit", exact=True)
    number.fill("7500")
    number.press("Enter")
    moved = "lab.what_if(pdp, cross_region_manager_limit=7_500)"
    told = read(page, lab_server.folder / "state.json", lambda s: moved in s["call"])
    assert told["same"]
    change = page.locator(".ccl-change")
    change.wait_for()
    gained = told["counts"]["ALLOW"] - int(re.sub(r"\D", "", before.split("✓")[1].split("ALLOW")[0]))
    assert re.fullmatch(r"Moved limits: \d+ of 96 people gain, nobody loses\.", change.inner_text())
    page.get_by_text("who gains, who loses").click()
    expect(page.locator(".ccl-top li").last).to_have_text(
        f"Of {sum(told['counts'].values()):,} decisions: {gained:,} gained, 0 lost."
    )
    expect(page.locator(".ccl-top li").first).to_contain_text(
        " people gain approve for 5,000 < amount ≤ 7,500 "
    )
    assert page.locator(".ccl td.ccl-gained").first.inner_text() == "+"
    assert page.locator(".ccl td.ccl-lost").count() == 0
    assert "allowed before and after" in page.locator(".ccl-legend").inner_text()
    page.get_by_role("button", name="was 5,000").click()
    change.wait_for(state="hidden")
    assert page.locator(".ccl td.ccl-gained").count() == 0
    assert page.locator(".ccl-counts").inner_text() == before
    slider = page.get_by_label("finance_limit, slider")
    for _ in range(5):
        slider.press("ArrowLeft")  # faster than a PDP starts
    page.wait_for_function("!document.querySelector('.ccl').hasAttribute('aria-busy')")
    settled = read(page, lab_server.folder / "state.json", lambda s: "finance_limit=45_000" in s["call"])
    assert settled["same"]
    assert f"✓ {settled['counts']['ALLOW']:,} ALLOW" in page.locator(".ccl-counts").inner_text()
    assert lab_page.errors == []


def test_a_choice_that_changes_nothing_leaves_the_controls_alive(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("nothing", EXPLORER)
    controls = page.locator(".ccl-controls")
    controls.get_by_role("button", name="Reset controls").click()
    controls.get_by_label("only approve", exact=True).click(force=True)
    controls.get_by_label("only approve", exact=True).click(force=True)
    assert page.locator(".ccl-explorer").get_attribute("aria-busy") is None
    controls.get_by_label("west", exact=True).check()
    page.wait_for_function("document.querySelector('.ccl-call').textContent.includes('west')")
    assert read(page, lab_server.folder / "state.json", lambda s: "'west'" in s["call"])["same"]


def test_thresholds_stay_where_they_are_however_far_the_amounts_reach(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("window", EXPLORER)
    page.get_by_role("button", name="Thresholds").click()
    words = "rows => rows.map(row => row.querySelector('td').ariaLabel)"
    before = page.locator(".ccl tbody tr").evaluate_all(words)
    assert any("up to 5,000" in text for text in before)
    assert any("up to 10,000" in text for text in before)
    field = page.locator(".ccl-controls input[data-part=high]")
    for high in ("3000", "100", "90000"):
        field.fill(high)
        field.press("Enter")
        page.wait_for_function("!document.querySelector('.ccl').hasAttribute('aria-busy')")
        assert page.locator(".ccl tbody tr").evaluate_all(words) == before


def test_what_is_refused_is_taken_back_from_the_grid_too(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("refused", EXPLORER)
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    table = page.locator(".ccl table")
    counts = page.locator(".ccl-counts").inner_text()
    step = page.locator(".ccl-controls input[data-part=step]")
    for wrong in ("0", "10", "-1"):
        step.fill(wrong)
        step.press("Enter")
        page.locator(".ccl [role=alert]:not([hidden])").wait_for()
        page.wait_for_function(
            "document.querySelector('.ccl-controls input[data-part=step]').value === '500'"
        )
        assert table.get_attribute("aria-colcount") == str(121 + 2)
        assert page.locator(".ccl-counts").inner_text() == counts


def test_a_cell_selected_after_the_grid_was_made_finer_is_that_cell(
    shown: Callable[..., Page], lab_server: LabServer
) -> None:
    page = shown("finer", EXPLORER)
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    step = page.locator(".ccl-controls input[data-part=step]")
    step.fill("1250")
    step.press("Enter")
    page.locator(".ccl th[title='amount 5,000']").wait_for()
    page.locator(".ccl tbody tr").nth(1).locator("td").nth(4).click()
    cell = read(page, lab_server.folder / "cell.json", lambda c: c["amount"] == 5_000)
    assert cell["action"] == "approve"
    assert (cell["effect"] == "ALLOW") == (
        page.locator(".ccl tbody tr").nth(1).locator("td").nth(4).inner_text() == "✓"
    )


def test_a_cell_of_the_explorer_is_explained_for_the_controls(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("why", EXPLORER)
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    panel, answer = page.locator(".ccl-why"), page.locator(".ccl-why-answer")
    step = page.locator(".ccl-controls input[data-part=step]")
    step.fill("2000")
    step.press("Enter")
    page.locator(".ccl th[title='amount 6,000']").wait_for()
    cell = page.locator(".ccl tbody tr:nth-child(2) td").nth(3)  # the first principal, south, 6,000
    cell.click()
    limit = "amount 6,000 ≤ cross_region_manager_limit 5,000 is false"
    expect(answer).to_contain_text(limit)
    page.get_by_role("button", name="What would it take?").click()
    page.locator(".ccl-why-more li button").first.click()
    expect(answer).to_contain_text("ALLOW by ")
    assert axe(page, ".ccl-why") == []
    page.get_by_role("button", name="← back to the selected decision").click()
    expect(answer).to_contain_text(limit)
    number = page.get_by_label("cross_region_manager_limit", exact=True)
    number.fill("5500")
    number.press("Enter")
    expect(panel).to_be_hidden()  # it explained the decision before
    page.locator(".ccl-change").wait_for()
    cell.click()
    expect(answer).to_contain_text("amount 6,000 ≤ cross_region_manager_limit 5,500 is false")
    field = page.locator(".ccl-controls input[data-part=high]")
    field.fill("3000")
    field.press("Enter")  # changes the columns without a question
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="undo").click()
    assert lab_page.errors == []


def test_a_cell_selected_while_an_answer_is_on_its_way_is_explained(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    busy = "import time; explorer.on_change(lambda state: time.sleep(2))"
    page = shown("waiting", EXPLORER, busy)
    open_tools(page)
    page.get_by_role("button", name="Grid").click()
    explorer = page.locator(".ccl-explorer")
    step = page.locator(".ccl-controls input[data-part=step]")
    for value, third in ("2000", "6,000"), ("3000", "9,000"):
        step.fill(value)
        step.press("Enter")
        page.locator(f".ccl th[title='amount {third}']").wait_for()
        if value == "2000":
            expect(explorer).not_to_have_attribute("aria-busy", "true")  # now the kernel sleeps
    cell = page.locator(".ccl tbody tr:nth-child(2) td").nth(3)
    cell.click()
    expect(explorer).to_have_attribute("aria-busy", "true")
    expect(explorer).not_to_have_attribute("aria-busy", "true")
    said = page.locator(".ccl-why-answer")
    expect(said).to_contain_text("amount 9,000 ≤ cross_region_manager_limit 5,000 is false")
    expect(cell).to_have_attribute("aria-selected", "true")
    seen = read(page, lab_server.folder / "cell.json", lambda c: c["amount"] == 9_000)
    assert seen["effect"] == "DENY"
    expect(page.locator(".ccl-ask input")).to_have_count(0)  # a closed question box costs nothing
    page.locator(".ccl-ask > summary").click()
    expect(page.locator(".ccl-ask-answer")).to_contain_text(" of 96 may approve")
    assert lab_page.errors == []


def hidden_answer(page: Page, height: int) -> list[str]:
    """The sentences above the matrix that are out of sight, or covered by the drawer."""
    hidden: list[str] = page.evaluate(
        """height => {
          const side = document.querySelector(".ccl-side");
          const drawer = side.hidden ? null : side.firstElementChild.getBoundingClientRect();
          const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1;
          const lines = [...document.querySelectorAll(".ccl-top p")].filter((p) => p.checkVisibility());
          return lines.filter((p) => {
            const range = document.createRange();
            range.selectNodeContents(p);
            return [...range.getClientRects()].some((box) => box.top < 0 || box.bottom > height ||
              box.right > innerWidth || (drawer && !apart(box, drawer)));
          }).map((p) => p.textContent);
        }""",
        height,
    )
    return hidden


SIZES = [(1280, 800), (900, 700), (390, 844)]


def test_the_answer_stays_in_sight_whatever_control_is_turned(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("drawer", EXPLORER)
    headline, controls = page.locator(".ccl-headline").first, page.locator(".ccl-controls")
    opened = page.get_by_role("button", name="Controls", exact=True)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        narrow = width < 1000
        expect(controls).to_be_visible(visible=not narrow)
        expect(opened).to_have_attribute("aria-expanded", str(not narrow).lower())
        page.locator(".ccl-explorer").evaluate("e => e.scrollIntoView({block: 'start'})")
        if narrow:
            opened.click()
        for name in ("west",) if narrow else ("west", "PAID"):
            before = headline.inner_text()
            box = controls.get_by_label(name, exact=True)
            box.click()
            now = "document.querySelector('.ccl-headline').innerText"
            page.wait_for_function(f"before => {now} !== before", arg=before)
            assert hidden_answer(page, height) == []
            box.click()
            page.wait_for_function(f"before => {now} === before", arg=before)
        if narrow:
            controls.get_by_label("west", exact=True).press("Escape")
            expect(controls).to_be_hidden()
            assert opened.evaluate("e => e === document.activeElement")
    assert lab_page.errors == []


def test_any_other_value_can_be_typed_and_typing_errors_stand_apart(
    shown: Callable[..., Page], lab_server: LabServer, lab_page: Visit
) -> None:
    page = shown("typed", EXPLORER)
    state = lab_server.folder / "state.json"
    controls = page.locator(".ccl-controls")
    assert controls.get_by_label("nothwest", exact=True).is_hidden()
    controls.get_by_text("unusual in the data (3)").click()
    assert controls.get_by_label("nothwest", exact=True).is_visible()
    field = controls.get_by_label("another value of region")
    field.fill("east")
    field.press("Enter")
    told = read(page, state, lambda s: "'east'" in s["call"])
    assert told["same"]
    expect(controls.get_by_label("east", exact=True)).to_be_checked()
    assert controls.get_by_label("another value of region").evaluate("e => e === document.activeElement")
    page.get_by_role("button", name="undo").click()
    read(page, state, lambda s: "'east'" not in s["call"])
    assert controls.get_by_label("another value of department").is_hidden()  # no rule of approve reads it
    assert "No rule of approve reads department" in controls.inner_text()
    assert lab_page.errors == []

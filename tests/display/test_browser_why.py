"""A selected cell is explained beside the table: by the kernel in JupyterLab, without one in a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import axe, open_notebook, open_tools, run_all, set_theme, write_notebook
from playwright.sync_api import expect

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import LabServer, Visit
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[2]
PEOPLE = lab.load_principals(ROOT / "data" / "clerk_users.json")

SWEEP = f"""import clerk_cerbos_lab as lab
people = lab.load_principals({str(ROOT / "data" / "clerk_users.json")!r})
pdp = lab.PDP({str(ROOT / "policies")!r})
decisions = lab.sweep(pdp, people, "expense", actions="approve", amount=[5_000, 12_000],
                      region=["northeast", "south"], owner=[lab.OTHER], status="OPEN")"""

ANSWER = ".ccl-why-answer"


def cell(page: Page, row: int, column: int) -> Locator:
    return page.locator(f".ccl-table tbody tr:nth-child({row}) td").nth(column)


@pytest.fixture(scope="module")
def explained() -> Iterator[lab.Decisions]:
    scope: dict[str, lab.Decisions] = {}
    exec(SWEEP, scope)
    yield scope["decisions"].explain()
    scope["decisions"].source.close()
    scope["pdp"].close()  # type: ignore[attr-defined]


def show_every_row(page: Page) -> None:
    """A matrix with every row on its own: a page opens with groups, and thresholds."""
    page.locator(".ccl-live").get_by_role("button", name="Matrix", exact=True).click()
    page.get_by_label("group equal rows").uncheck()


def test_a_cell_in_jupyterlab_is_explained_by_click_and_key(lab_page: Visit, lab_server: LabServer) -> None:
    page = lab_page.page
    write_notebook(lab_server.folder / "why.ipynb", [SWEEP, "decisions"])
    open_notebook(page, lab_server, "why.ipynb")
    run_all(page)
    panel = page.locator(".ccl-why").first
    expect(panel).to_be_hidden()
    page.get_by_label("group equal rows").uncheck()
    cell(page, 1, 1).click()
    answer = panel.locator(ANSWER)
    expect(answer).to_contain_text("DENY: no rule allows it. Closest: ")
    expect(panel).not_to_have_attribute("aria-busy", "true")
    denied = answer.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(answer).to_have_text("ALLOW by manager-approves-in-any-region.")
    assert panel.locator("details[open] > summary").count() == 1
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    cell(page, 1, 1).click()
    expect(answer).to_have_text(denied)
    page.get_by_role("button", name="What would it take?").press("Enter")
    changes = page.locator(".ccl-why-more li button")
    expect(changes.first).to_be_focused()
    words = changes.first.inner_text()
    assert words.startswith("ALLOW if ")
    page.keyboard.press("Enter")
    back = page.get_by_role("button", name="← back to the selected decision")
    expect(back).to_be_focused()
    expect(answer).to_contain_text("ALLOW by ")
    expect(page.locator(".ccl-why-cell")).to_contain_text(f"{words} · asked: approve expense by p-")
    set_theme(page, "JupyterLab Dark")
    assert axe(page, ".ccl-why") == []
    page.keyboard.press("Enter")
    expect(answer).to_have_text(denied)
    expect(changes.first).to_be_focused()
    expect(back).to_be_hidden()
    assert axe(page, ".ccl-why") == []
    cell(page, 1, 0).click()
    expect(answer).to_contain_text("ALLOW by ")
    expect(page.get_by_role("button", name="What would take it away?")).to_be_visible()
    expect(changes).to_have_count(0)
    assert lab_page.errors == []


def test_an_error_of_the_kernel_is_shown(lab_page: Visit, lab_server: LabServer) -> None:
    page = lab_page.page
    copied = "import pickle\npickle.loads(pickle.dumps(decisions))"
    write_notebook(lab_server.folder / "lost.ipynb", [SWEEP, copied])
    open_notebook(page, lab_server, "lost.ipynb")
    run_all(page)
    cell(page, 1, 1).click()
    expect(page.locator(".ccl-why .ccl-warning")).to_contain_text("do not know their PDP")


def test_an_offline_page_explains_every_cell(
    offline_page: Visit, explained: lab.Decisions, tmp_path: Path
) -> None:
    page = offline_page.page
    explained.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    show_every_row(page)
    open_tools(page)
    page.locator(".ccl-live").get_by_role("button", name="Grid", exact=True).click()
    for row, who in ((1, 0), (3, 1), (5, 2)):
        for column, amount in enumerate((5_000, 12_000)):
            cell(page, row, column).click()
            why = explained.why(principal=explained.names[who], amount=amount, region="northeast")
            expect(page.locator(ANSWER)).to_have_text(why.sentence)
            assert page.locator(".ccl-why summary").count() == len(why.rules)
    assert axe(page, ".ccl-live") == []
    page.set_viewport_size({"width": 600, "height": 900})
    grid, panel = page.locator(".ccl-live .ccl-grid").bounding_box(), page.locator(".ccl-why").bounding_box()
    assert grid is not None
    assert panel is not None
    assert panel["y"] >= grid["y"] + grid["height"]
    assert (offline_page.errors, offline_page.requests) == ([], [])


def test_a_selected_cell_stays_visible_beside_and_above_the_panel(
    offline_page: Visit, tmp_path: Path
) -> None:
    page = offline_page.page
    amounts = lab.amounts(1_000, 20_000, step=1_000)
    with lab.PDP(ROOT / "policies") as pdp:
        wide = lab.sweep(
            pdp, PEOPLE.head(20), "expense", actions="approve", amount=amounts, owner=lab.OTHER, status="OPEN"
        ).explain()
    wide.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    page.set_viewport_size({"width": 1100, "height": 500})
    show_every_row(page)
    open_tools(page)
    page.locator(".ccl-live").get_by_role("button", name="Grid", exact=True).click()
    page.locator(".ccl-live tbody tr:nth-child(15) td").nth(7).click()
    expect(page.locator(ANSWER)).to_be_in_viewport()
    chosen = page.locator('.ccl-live td[aria-selected="true"]')
    expect(chosen).to_be_in_viewport(ratio=1)
    grid, own = page.locator(".ccl-live .ccl-box").bounding_box(), chosen.bounding_box()
    assert grid is not None
    assert own is not None
    assert own["x"] + own["width"] <= grid["x"] + grid["width"] + 1
    assert page.locator(".ccl-why-more button").count() == 0  # nothing to ask without a PDP
    page.get_by_role("button", name="close the explanation").click()
    page.set_viewport_size({"width": 700, "height": 700})
    page.evaluate("scrollTo(0, 0)")
    page.locator(".ccl-live tbody tr:nth-child(9) td").first.click()
    expect(page.locator(ANSWER)).to_be_in_viewport()
    expect(chosen).to_be_in_viewport(ratio=1)


def test_broken_data_has_a_mark_of_its_own_and_a_boundary_names_its_rule(
    offline_page: Visit, explained: lab.Decisions, tmp_path: Path
) -> None:
    page = offline_page.page
    explained.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    show_every_row(page)
    open_tools(page)
    page.locator(".ccl-live").get_by_role("button", name="Exact", exact=True).click()
    titles = page.locator(".ccl-live thead [data-head]").evaluate_all("all => all.map(one => one.title)")
    assert any("≤ 10,000 · manager-approves-in-own-region · regional_manager_limit" in one for one in titles)
    page.get_by_label("filter by effect").select_option("broken")
    broken = page.locator(".ccl-live td.ccl-broken")
    expect(broken.first).to_have_text("?")
    expect(broken.first).to_have_attribute("aria-label", "DENY because of broken data")
    broken.first.click()
    expect(page.locator(ANSWER)).to_contain_text("DENY, but the data is broken: ")
    expect(page.locator(".ccl-legend")).to_contain_text("denied because of broken data")
    page.get_by_role("button", name="close the explanation").click()
    expect(page.locator(".ccl-why")).to_be_hidden()
    page.locator(".ccl-live").get_by_role("button", name="Thresholds", exact=True).click()
    odd = page.locator('.ccl-live .ccl-stripcell[aria-label*="? DENY because of broken data over 10,000;"]')
    expect(odd.first.locator(".ccl-strip-broken")).to_have_count(1)
    page.get_by_label("filter by effect").select_option("any")
    page.locator(".ccl-live .ccl-stripcell").first.hover(position={"x": 30, "y": 15})
    expect(page.locator(".ccl-tip")).to_contain_text("≤ 5,000 · manager-approves-in-any-region · cross")


def test_a_group_is_explained(offline_page: Visit, explained: lab.Decisions, tmp_path: Path) -> None:
    page = offline_page.page
    explained.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".ccl-live").get_by_role("button", name="Matrix", exact=True).click()
    page.locator(".ccl-live tr.ccl-group td.ccl-deny").first.click()
    expect(page.locator(ANSWER).first).to_contain_text("principals, such as p-")

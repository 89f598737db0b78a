"""Tune in a real JupyterLab: limits are moved with the keyboard, undone, set in Python, and stored."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from browser import LabServer, Visit, axe, command, open_notebook, save, set_theme, write_notebook
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = """
import json, pathlib
import clerk_cerbos_lab as lab
root = pathlib.Path(lab.__file__).parents[1]
pdp = lab.PDP(root / "policies")
principals = lab.load_principals(root / "data" / "clerk_users.json")
tune = lab.tune(pdp, principals, "expense", actions="approve", amount=lab.amounts(0, 60_000, step=500),
                region=["northeast", "south"], owner=lab.OTHER, status="OPEN", department="sales",
                records=root / "data" / "expenses.csv", replay={"status": "OPEN", "date": "submitted_at"})
tune
"""

TELL = """
pathlib.Path("tuned.json").write_text(json.dumps([tune.moved, repr(tune.changes).splitlines()[0],
                                                  str(tune.draft().diff())]))
"""

MOVE = 'tune.values = {"finance_limit": 40_000}'


def run_cell(page: Page, number: int) -> None:
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(number).click()
    command(page, "notebook:run-cell")


def picture(page: Page, name: str) -> None:
    """Write a picture into the folder that LAB_PICTURES names, for somebody to look at."""
    if folder := os.environ.get("LAB_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")
        page.locator(".ccl-effects").first.scroll_into_view_if_needed()
        page.locator(".ccl-effects").last.scroll_into_view_if_needed()
        page.screenshot(path=f"{folder}/{name}-below.png")


def test_limits_are_moved_undone_set_in_python_and_stored(  # noqa: PLR0915 - one visit
    lab_server: LabServer, lab_page: Visit
) -> None:
    page = lab_page.page
    write_notebook(lab_server.folder / "tune.ipynb", [START, TELL, MOVE])
    open_notebook(page, lab_server, "tune.ipynb")
    run_cell(page, 0)
    view = page.locator(".ccl").first
    limits = view.get_by_role("form", name="limits")
    effects = view.get_by_role("region", name="who gains and who loses")
    records = view.get_by_role("region", name="past records")
    expect(view.get_by_role("status").filter(has_text="Equivalent: nothing changes")).to_be_visible()
    slider = limits.get_by_role("slider", name="manager-approves-in-any-region")
    number = limits.get_by_role("spinbutton", name="manager-approves-in-any-region")
    expect(number).to_have_value("5000")
    expect(limits).to_contain_text("limits.yaml:10 · cross_region_manager_limit")
    picture(page, "start")

    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(number).to_have_value("5300")
    expect(effects).to_contain_text("gain approve for 5,000 < amount ≤ 5,300")
    expect(effects).to_contain_text("after: ALLOW by manager-approves-in-any-region")  # after a rest
    expect(records).to_contain_text("would move")
    expect(limits.get_by_role("button", name="was 5,000")).to_be_visible()

    number.fill("7500")
    number.press("Enter")
    expect(effects).to_contain_text("gain approve for 5,000 < amount ≤ 7,500")
    expect(records).to_contain_text(
        "2,400 records of expense, 12,710,010.34 USD: 119 would move, 742,977.34 USD"
    )
    picture(page, "moved")
    assert axe(page, ".ccl") == []

    status = limits.get_by_role("textbox", name="V.is_open")
    status.fill("PAID")
    status.press("Enter")
    expect(effects).to_contain_text("lose approve")
    view.get_by_role("button", name="Undo").click()
    expect(status).to_have_value("OPEN")
    view.get_by_role("button", name="Undo").click()
    expect(number).to_have_value("5300")
    view.get_by_role("button", name="Undo").click()
    expect(number).to_have_value("5000")  # moves of one limit without a rest are one step
    view.get_by_role("button", name="Redo").click()
    view.get_by_role("button", name="Redo").click()
    expect(number).to_have_value("7500")
    expect(effects).to_contain_text("after: ALLOW by manager-approves-in-any-region")

    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    expect(view).to_contain_text("the past records follow")
    page.wait_for_timeout(1_000)
    expect(view).to_contain_text("the past records follow")  # a slider that is held has only paused
    page.mouse.up()
    expect(view).not_to_contain_text("the past records follow")
    view.get_by_role("button", name="Undo").click()
    expect(number).to_have_value("7500")
    expect(effects).to_contain_text("after: ALLOW by manager-approves-in-any-region")

    run_cell(page, 1)
    page.wait_for_function("() => !document.querySelector('.jp-CodeCell.jp-mod-running')")
    path = lab_server.folder / "tuned.json"
    for _ in range(100):
        if path.exists() and path.read_text():
            break
        page.wait_for_timeout(100)
    moved, verdict, diff = json.loads(path.read_text())
    assert list(moved.values()) == [7_500]
    assert verdict.startswith("Only more: ")
    assert "+    cross_region_manager_limit: 7500" in diff

    run_cell(page, 2)
    finance = limits.get_by_role("spinbutton", name="finance-approves-in-any-region")
    expect(finance).to_have_value("40000")
    expect(view.get_by_role("status").filter(has_text="More and less:")).to_be_visible()
    limits.get_by_role("button", name="Reset limits").click()
    expect(number).to_have_value("5000")
    expect(view.get_by_role("status").filter(has_text="Equivalent")).to_be_visible()

    set_theme(page, "JupyterLab Dark")
    number.fill("7500")
    number.press("Enter")
    expect(effects).to_contain_text("after: ALLOW")
    picture(page, "dark")
    set_theme(page, "JupyterLab Light")
    page.set_viewport_size({"width": 700, "height": 900})
    picture(page, "narrow")
    save(page)
    text = (lab_server.folder / "tune.ipynb").read_text("utf-8")
    stored = json.loads(text)["cells"][0]["outputs"][0]["data"]["text/html"]
    assert "Saved view" in "".join(stored)
    assert "user_" not in text
    assert lab_page.errors == []

"""The choice of a policy version and scope in JupyterLab: by keyboard, in either theme, with undo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from browser import LabServer, Visit, axe, open_notebook, run_all, set_theme, write_notebook
from playwright.sync_api import expect
from small_policies import resource_policy, rule, write

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(300)

CELL = """
import json, pathlib
import pandas as pd
import clerk_cerbos_lab as lab
people = pd.DataFrame({"id": ["ann", "bob", "eve"], "roles": [("user",)] * 3, "limit": [50, 500, 5_000]})
pdp = lab.PDP("store")
explorer = lab.explore(pdp, people, "thing", attr={"scope": ["north", "south"]},
                       amount=lab.amounts(0, 600, step=100))
principals = people
def changed(state):
    part = pathlib.Path("told.part")
    part.write_text(json.dumps({
        "call": explorer.call, "counts": explorer.counts(), "asked": explorer.asked,
        "version": state["policy_version"], "scope": state["scope"], "actions": state["actions"],
        "same": eval(explorer.call).counts() == explorer.counts()}))
    part.replace("told.json")
explorer.on_change(changed)
explorer
"""


def policies(folder: Path) -> None:
    limit = "R.attr.amount <= P.attr.limit && R.attr.scope in ['north', 'south']"
    write(
        folder,
        plain=resource_policy(rule(limit), rule(actions=["close"])),
        below=resource_policy(rule("R.attr.amount > 200", effect="DENY"), scope="acme"),
        deeper=resource_policy(rule("R.attr.scope == 'north'", effect="DENY"), scope="acme.hr"),
        staging=resource_policy(rule("R.attr.amount < 100"), rule(actions=["publish"]), version="staging"),
    )


@pytest.fixture
def page(lab_page: Visit, lab_server: LabServer) -> Page:
    """An explorer of policies with two versions and three scopes."""
    policies(lab_server.folder / "store")
    write_notebook(lab_server.folder / "variants.ipynb", [CELL])
    (lab_server.folder / "told.json").unlink(missing_ok=True)
    open_notebook(lab_page.page, lab_server, "variants.ipynb")
    run_all(lab_page.page)
    lab_page.page.locator(".ccl-controls").wait_for()
    return lab_page.page


def told(page: Page, folder: Path, call: str = "", **wanted: Any) -> Any:
    """The kernel's output, once it meets a condition and the page has drawn it."""
    path = folder / "told.json"
    for _ in range(200):
        found = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if found and call in found["call"] and all(found[name] == value for name, value in wanted.items()):
            break
        page.wait_for_timeout(50)
    else:
        raise AssertionError(found)
    page.wait_for_function(
        "call => document.querySelector('.ccl-call').textContent === call", arg=found["call"]
    )
    page.wait_for_function("!document.querySelector('.ccl').hasAttribute('aria-busy')")
    assert f"✓ {found['counts']['ALLOW']:,} ALLOW" in page.locator(".ccl-counts").inner_text()
    assert found["same"]
    return found


def test_a_scope_is_chosen_by_key_and_known_scopes_ask_nothing(
    page: Page, lab_server: LabServer, lab_page: Visit
) -> None:
    scope = page.get_by_label("scope of the policies", exact=True)
    assert scope.locator("option").all_inner_texts() == ["(none)", "acme", "acme.hr"]
    scope.focus()
    page.keyboard.press("ArrowDown")
    first = told(page, lab_server.folder, scope="acme")
    page.keyboard.press("ArrowDown")  # the focus is where it was
    second = told(page, lab_server.folder, scope="acme.hr")
    assert second["asked"] > first["asked"]
    assert "scope acme.hr" in page.locator(".ccl-title").inner_text()
    page.keyboard.press("ArrowUp")
    third = told(page, lab_server.folder, scope="acme")
    assert third["asked"] == second["asked"]
    assert third["call"] == first["call"]
    page.get_by_role("button", name="undo").click()
    told(page, lab_server.folder, scope="acme.hr")
    page.get_by_role("button", name="Reset controls").click()
    told(page, lab_server.folder, scope="")
    assert scope.evaluate("select => select.selectedIndex") == 0
    south = page.locator("fieldset").filter(has=page.get_by_text("attr.scope", exact=True))
    south.get_by_label("south", exact=True).uncheck()  # the attribute of that name, beside it
    told(page, lab_server.folder, call="attr={'scope': 'north'}", scope="")
    assert lab_page.errors == []


def test_actions_that_a_version_does_not_have_can_not_be_chosen_there(
    page: Page, lab_server: LabServer, lab_page: Visit
) -> None:
    controls = page.locator(".ccl-controls")
    assert controls.get_by_label("publish", exact=True).is_disabled()
    controls.get_by_label("close", exact=True).check()
    controls.get_by_label("approve", exact=True).uncheck()
    told(page, lab_server.folder, actions=["close"])
    page.get_by_label("policy version", exact=True).select_option("staging")
    told(page, lab_server.folder, version="staging", actions=["approve"])
    note = page.locator(".ccl-note:not([hidden])")
    assert "no action 'close'" in note.inner_text()
    assert "no action 'close'" in page.locator(".ccl-about").inner_text()
    assert controls.get_by_label("close", exact=True).is_disabled()
    controls.get_by_label("publish", exact=True).check()
    told(page, lab_server.folder, actions=["approve", "publish"])
    page.get_by_role("button", name="undo").click()
    page.get_by_role("button", name="undo").click()
    told(page, lab_server.folder, version="default", actions=["close"])
    assert controls.get_by_label("publish", exact=True).is_disabled()
    assert lab_page.errors == []


def test_the_choice_is_accessible_in_light_and_dark_and_in_a_narrow_window(page: Page) -> None:
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        set_theme(page, theme)
        dark = "dark" if theme.endswith("Dark") else "light"
        page.wait_for_function("t => document.querySelector('.ccl').dataset.cclTheme === t", arg=dark)
        for width in (1280, 480):
            page.set_viewport_size({"width": width, "height": 900})
            opened = page.get_by_role("button", name="Controls", exact=True)
            expect(opened).to_have_attribute("aria-expanded", str(width > 1000).lower(), timeout=20_000)
            if width < 1000:  # a drawer, where it is narrow
                opened.click()
            assert axe(page, ".ccl") == []
            box = page.locator(".ccl-controls").bounding_box()
            for name in ("policy version", "scope of the policies"):
                inside = page.get_by_label(name, exact=True).bounding_box()
                assert box is not None
                assert inside is not None
                assert box["x"] <= inside["x"]
                assert inside["x"] + inside["width"] <= box["x"] + box["width"]

"""Retake README's pictures in a real JupyterLab, light and dark: `make screenshots`. Needs Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import browser  # noqa: E402 - it also drives Lab for the tests

import clerk_cerbos_lab as lab  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = ROOT / "docs"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
START = """
import clerk_cerbos_lab as lab
pdp = lab.PDP("policies")
principals = lab.load_principals("data/clerk_users.json")
explorer = lab.explore(pdp, principals, "expense", region=["northeast", "south"])
explorer
"""


TUNE = """
import clerk_cerbos_lab as lab
pdp = lab.PDP("policies")
principals = lab.load_principals("data/clerk_users.json")
tune = lab.tune(pdp, principals, "expense", actions="approve", amount=lab.amounts(0, 60_000, step=500),
                region=["northeast", "south"], owner=lab.OTHER, status="OPEN", department="sales",
                records="data/expenses.csv", replay={"status": "OPEN", "date": "submitted_at"})
tune.values = {"cross_region_manager_limit": 7_500}
tune
"""


def pictures_of_tune(page: Page, server: browser.LabServer) -> None:
    """A moved limit in Lab: controls, the marked matrix, who gains."""
    browser.write_notebook(server.folder / "tune.ipynb", [TUNE])
    browser.open_notebook(page, server, "tune.ipynb")
    browser.run_all(page)
    page.locator(".ccl-controls").wait_for()
    for theme in ("light", "dark"):
        take_theme(page, theme)
        page.locator(".ccl-explorer").scroll_into_view_if_needed()
        box = page.locator(".ccl-explorer").bounding_box()
        if box is None:
            msg = "tune is not on the screen"
            raise RuntimeError(msg)
        page.screenshot(
            path=DOCS / f"tune-{theme}.png",
            clip={"x": box["x"], "y": box["y"], "width": box["width"], "height": 1_020},  # without the months
        )


def pictures_of_comparison(chromium: Browser, folder: Path) -> None:
    """The page of a comparison: the plan, and the table with marks."""
    principals = lab.load_principals(ROOT / "data" / "clerk_users.json")
    path = folder / "change.html"
    with lab.PDP(ROOT / "policies") as pdp:
        decisions = lab.sweep(
            pdp,
            principals,
            "expense",
            actions="approve",
            amount=lab.amounts(0, 60_000, step=500),
            region=["northeast", "south"],
            owner=lab.OTHER,
            status="OPEN",
            department="sales",
        )
        with lab.what_if(pdp, cross_region_manager_limit=7_500, finance_limit=40_000) as moved:
            lab.compare(decisions, moved).to_html(path)
    for theme in ("light", "dark"):
        page = chromium.new_page(viewport={"width": 1160, "height": 980}, color_scheme=theme)
        page.goto(path.as_uri())
        page.locator(".ccl table").first.wait_for()
        page.screenshot(path=DOCS / f"compare-{theme}.png")


def pictures_of_lab(page: Page, server: browser.LabServer) -> None:
    """The explorer in Lab, as a matrix and as thresholds."""
    browser.write_notebook(server.folder / "explore.ipynb", [START])
    browser.open_notebook(page, server, "explore.ipynb")
    browser.run_all(page)
    page.locator(".ccl-controls").wait_for()
    for theme in ("light", "dark"):
        take_theme(page, theme)
        page.locator(".ccl-explorer").screenshot(path=DOCS / f"explorer-{theme}.png")
    page.get_by_role("button", name="Thresholds").click()
    page.get_by_label("group equal rows").check()
    for theme in ("dark", "light"):
        take_theme(page, theme)
        page.locator(".ccl-main").screenshot(path=DOCS / f"thresholds-{theme}.png")


def take_theme(page: Page, theme: str) -> None:
    """Switch Lab's theme and wait until Lab and the output have followed; Lab shows its splash in between."""
    browser.set_theme(page, f"JupyterLab {theme.title()}")
    page.wait_for_function("t => document.querySelector('.ccl').dataset.cclTheme === t", arg=theme)
    page.wait_for_function("!document.getElementById('jupyterlab-splash')")


def write_page(folder: Path) -> Path:
    """A page with a what-if slider for the cross-region limit."""
    principals = lab.load_principals(ROOT / "data" / "clerk_users.json")
    found = {}
    with lab.PDP(ROOT / "policies") as pdp:
        for limit in (5_000, 7_500, 10_000):
            found[f"limit {limit:,}"] = lab.sweep(
                lab.what_if(pdp, cross_region_manager_limit=limit),
                principals,
                "expense",
                actions="approve",
                amount=lab.amounts(0, 60_000, step=500),
                region=["northeast", "south"],
                owner=lab.OTHER,
                status="OPEN",
            )
    first, *others = found
    path = folder / "page.html"
    found[first].to_html(path, scenario=first, scenarios={name: found[name] for name in others})
    return path


def main() -> None:
    """Start Lab and Chromium, take the pictures."""
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch)
        chromium = playwright.chromium.launch(executable_path=browser.find_chromium(), args=OPTIONS)
        with browser.run_lab(home) as server:
            for name in ("data", "policies", "pseudonyms.key"):
                (server.folder / name).symlink_to(ROOT / name)
            page = chromium.new_page(viewport={"width": 1360, "height": 1560}, device_scale_factor=1.5)
            pictures_of_lab(page, server)
            narrow = chromium.new_page(viewport={"width": 1360, "height": 1560})
            pictures_of_tune(narrow, server)
        pictures_of_comparison(chromium, home)
        address = write_page(home).as_uri()
        for theme in ("light", "dark"):
            shared = chromium.new_page(
                viewport={"width": 1160, "height": 980}, device_scale_factor=1.5, color_scheme=theme
            )
            shared.goto(address)
            shared.locator(".ccl-scenario input").press("ArrowRight")
            shared.screenshot(path=DOCS / f"page-{theme}.png")
        chromium.close()
    for path in sorted(DOCS.glob("*.png")):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

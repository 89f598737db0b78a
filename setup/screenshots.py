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
    from playwright.sync_api import Page

DOCS = ROOT / "docs"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
START = """
import clerk_cerbos_lab as lab
pdp = lab.PDP("policies")
principals = lab.load_principals("data/clerk_users.json")
explorer = lab.explore(pdp, principals, "expense", region=["northeast", "south"])
explorer
"""


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

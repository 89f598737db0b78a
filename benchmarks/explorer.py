"""Measures the explorer end to end in JupyterLab: part of `make bench`. Writes benchmarks/explorer.md.

A thousand users (the sample profiles repeated), 200 amounts, 4 regions. From the moment a control changes
to the frame after the cells are drawn, through the kernel where it takes part. Needs Chromium on PATH.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import browser  # noqa: E402 - it also drives Lab for the tests

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ROUNDS = 40
PEOPLE = """
import pandas as pd, pathlib
import clerk_cerbos_lab as lab
root = pathlib.Path(lab.__file__).parents[1]
pdp = lab.PDP(root / "policies")
sample = lab.load_principals(root / "data" / "clerk_users.json")
people = pd.concat([sample.drop(columns="id")] * 11, ignore_index=True).head(1_000)
people.insert(0, "id", [f"user_{i}" for i in range(1_000)])
LIMITS
"""
START = f"""{PEOPLE}
explorer = lab.explore(pdp, people, "expense", amount=lab.amounts(0, 59_700, step=300), department="sales",
                       region=["south", "northeast", "midwest", "west"], status=["OPEN"], owner=[lab.OTHER])
explorer
"""
OWN = """
people["approval_limit"] = [5_000 + 7 * i for i in range(1_000)]
people["roles"] = [("manager",)] * 1_000
"""

TUNE = f"""{PEOPLE}
tune = lab.tune(pdp, people, "expense", actions="approve", amount=lab.amounts(0, 59_700, step=300),
                region=["south", "northeast", "midwest", "west"], status="OPEN", owner=lab.OTHER,
                department="sales")
tune
"""

# Move a slider of tune, wait until who gains and who loses is told anew, then for a frame.
SLIDE = """async ([rounds]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const effects = () => document.querySelector(".ccl-effects").textContent;
  const slider = document.querySelector("input[type=range]");
  const times = [];
  for (let i = 0; i < rounds; i++) {
    await new Promise((done) => setTimeout(done, 1500));  // until it has settled
    const before = effects();
    const start = performance.now();
    slider.value = 5_100 + 100 * i;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    let n = 0;
    while (effects() === before && n++ < 600) await frame();
    await frame();
    times.push(performance.now() - start);
  }
  return times;
}"""

# Change a control, wait until the counts change and Python has answered if it was asked, then for a frame.
TURN = """async ([kind, label, rounds, asks]) => {
  const root = document.querySelector(".ccl-explorer");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const counts = () => root.querySelector(".ccl-counts").textContent;
  const times = [];
  const handle = root.querySelector(".ccl-controls .ccl-high");
  const boxes = [...root.querySelectorAll(".ccl-controls input[type=checkbox]")];
  const box = boxes.filter((b) => b.value === label).pop();
  for (let i = 0; i < rounds; i++) {
    while (root.hasAttribute("aria-busy")) await frame();
    await frame();
    const before = counts();
    const start = performance.now();
    if (kind === "range") {
      handle.value = 30_000 + ((i * 7_919) % 29_000);
      handle.dispatchEvent(new Event("input", { bubbles: true }));
    } else box.click();
    let n = 0;
    while ((counts() === before || (asks && root.hasAttribute("aria-busy"))) && n++ < 600) await frame();
    await frame();
    times.push(performance.now() - start);
  }
  return times;
}"""


def p95(times: list[float]) -> float:
    """The 95th percentile, in milliseconds."""
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def measure(page: Page) -> list[tuple[str, list[float]]]:
    """Change controls of the explorer on the page."""
    browser.open_tools(page)
    page.get_by_role("button", name="Grid").click()
    new = [
        ("new questions: status DRAFT is added", page.evaluate(TURN, ["box", "DRAFT", 1, True])),
        ("new questions: owner SELF is added", page.evaluate(TURN, ["box", "SELF", 1, True])),
        ("new questions: status PAID is added", page.evaluate(TURN, ["box", "PAID", 1, True])),
    ]
    for label in ("DRAFT", "SELF", "PAID"):
        page.evaluate(TURN, ["box", label, 1, True])
    return [
        ("the amount's handle, up to 200 columns", page.evaluate(TURN, ["range", "", ROUNDS, False])),
        ("a region off and on: known, through Python", page.evaluate(TURN, ["box", "west", ROUNDS, True])),
        *new,
    ]


def main() -> None:
    """Measure with few classes and with a class for each user, and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find_chromium(), args=OPTIONS)
        with browser.run_lab(Path(scratch)) as server:
            for who, limits in (("sample profiles", ""), ("each with their own limit", OWN)):
                page = chromium.new_page(viewport={"width": 1400, "height": 1000})
                browser.write_notebook(server.folder / "a.ipynb", [START.replace("LIMITS", limits)])
                browser.open_notebook(page, server, "a.ipynb")
                browser.run_all(page)
                page.locator(".ccl-controls").wait_for()
                rows += [(who, what, times) for what, times in measure(page)]
                page.close()
                server.tidy()
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            browser.write_notebook(server.folder / "a.ipynb", [TUNE.replace("LIMITS", "")])
            browser.open_notebook(page, server, "a.ipynb")
            browser.run_all(page)
            page.locator(".ccl-effects").first.wait_for()
            times = page.evaluate(SLIDE, [ROUNDS])
            rows.append(
                ("sample profiles", "a slider of `lab.tune`: who gains, who loses, the matrix", times)
            )
            page.close()
        chromium.close()
    lines = [
        "# The explorer, end to end in JupyterLab",
        "",
        "Measured by `make bench`: 1,000 users × 200 amounts × 4 regions, from changing a control to the",
        "frame after the cells are drawn, in JupyterLab and Chromium; 2 cores, milliseconds.",
        "",
        "| users | what is changed | times | median | 95th percentile |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {who} | {what} | {len(times)} | {statistics.median(times):.0f} | {p95(times):.0f} |"
        for who, what, times in rows
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "explorer.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

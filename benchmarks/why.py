"""Measures a click on a cell until its explanation is drawn: part of `make bench`. Writes benchmarks/why.md.

A thousand users (the sample profiles repeated, and each with their own limit), 200 amounts, 4 regions: in
JupyterLab, where the kernel asks the PDP, and in an offline page, which holds the explanations. Needs
Chromium on PATH.
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
from explorer import OPTIONS, OWN, PEOPLE, p95  # type: ignore[import-not-found]  # noqa: E402 - beside this file

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROUNDS = 60
START = f"""{PEOPLE}
decisions = lab.sweep(pdp, people, "expense", actions="approve", amount=lab.amounts(0, 59_700, step=300),
                      department="sales", region=["south", "northeast", "midwest", "west"], status="OPEN",
                      owner=lab.OTHER)
"""

# Click on different cells in view; each time wait until the panel is drawn and Python has answered.
CLICK = """async (rounds) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const panel = document.querySelector(".ccl-why");
  const asked = () => panel.querySelector(".ccl-why-cell")?.textContent ?? "";
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const rows = [...document.querySelectorAll(".ccl-table tbody tr")];
    const cells = rows[(i * 5) % rows.length].querySelectorAll("td");
    const td = cells[(i * 3 + Math.floor(i / rows.length)) % cells.length];
    const before = asked();
    await frame();
    const start = performance.now();
    for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
      td.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, view: window }));
    let n = 0;
    while ((asked() === before || panel.getAttribute("aria-busy") === "true") && n++ < 600) await frame();
    if (asked() === before) continue;
    await frame();
    times.push(performance.now() - start);
  }
  return times;
}"""


def clicks(page: Page) -> list[float]:
    """Milliseconds of each click, the first one first."""
    matrix = page.get_by_role("button", name="Matrix", exact=True).first
    if matrix.is_visible():
        matrix.click()
    box = page.get_by_label("group equal rows").first
    if box.is_checked():
        box.uncheck()
    page.locator(".ccl-table tbody td").first.wait_for()
    times: list[float] = page.evaluate(CLICK, ROUNDS)
    if len(times) < ROUNDS / 2:
        msg = f"only {len(times)} of {ROUNDS} clicks were explained"
        raise RuntimeError(msg)
    return times


def main() -> None:
    """Measure in JupyterLab and in a page, and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find_chromium(), args=OPTIONS)
        offline = Path(scratch) / "page.html"
        kinds = [
            ("sample profiles", "", [f"decisions.explain().to_html({str(offline)!r})"]),
            ("each with their own limit", OWN, []),
        ]
        with browser.run_lab(Path(scratch)) as server:
            for who, limits, more in kinds:
                page = chromium.new_page(viewport={"width": 1400, "height": 1000})
                cells = [START.replace("LIMITS", limits), *more, "decisions"]
                browser.write_notebook(server.folder / "a.ipynb", cells)
                browser.open_notebook(page, server, "a.ipynb")
                browser.run_all(page)
                rows.append((f"JupyterLab, {who}", clicks(page)))
                page.close()
                server.tidy()
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(offline.as_uri())
        rows.append(("an offline page, sample profiles", clicks(page)))
        chromium.close()
    lines = [
        "# From a click to the explanation",
        "",
        "Measured by `make bench`: 1,000 users × 200 amounts × 4 regions, from the click on a cell to the",
        "frame after its explanation is drawn; 2 cores, milliseconds.",
        "",
        "| where | clicks | the first | median of the others | 95th percentile of the others |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {where} | {1 + len(others)} | {first:.0f} | {statistics.median(others):.0f} | {p95(others):.0f} |"
        for where, (first, *others) in rows
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "why.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Measures the live matrix in Chromium: part of `make bench`, writes benchmarks/browser.md.

Each page is what `decisions.to_html` writes or a notebook stores, opened from a file without a network. The
clock starts with the page's script, before the data is unpacked, and stops when a frame with
cells is painted.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from made_decisions import Mapped, made  # noqa: E402 - where the tests make decisions

from clerk_cerbos_lab import limits  # noqa: E402
from clerk_cerbos_lab.identity.principals import shareable  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    import clerk_cerbos_lab as lab

ROUNDS = 7
CLASSES = 40
STORED_LIMIT = limits.STORED_CHARACTERS

Bars = dict[str, float]
SMALL: Bars = {"first cell": 250, "sort": 60, "search": 60, "filter": 60}
LARGE: Bars = {"first cell": 600, "sort": 400, "search": 400, "filter": 400}

# The script records its start; a timer set in the first frame with cells fires after it was painted.
BEGIN = "window.began = performance.now();\n"
WATCH = """
new MutationObserver((_, observer) => {
    if (window.painted || !document.querySelector(".ccl-live td")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
}).observe(document, {childList: true, subtree: true});
"""

# Do something, and return how many ms later the next frame has been painted.
ACT = """async ([work, ...given]) => {
    const live = document.querySelector(".ccl-live");
    const change = (element, value, event) => {
        element.value = value;
        element.dispatchEvent(new Event(event));
    };
    const menu = (label) => live.querySelector(`select[aria-label='${label}']`);
    const choose = (label, value) => change(menu(label), value, "change");
    const works = {
        sort: (how) => choose("sort by", how),
        search: (text) => change(live.querySelector(".ccl-search"), text, "input"),
        effect: (effect) => choose("filter by effect", effect),
        filter: (label) => live.querySelector(`.ccl-panel input[value='${label}']`).click(),
        group: () => live.querySelector(".ccl-bar input[type=checkbox]").click(),
        scroll: (x, y) => live.querySelector(".ccl-box").scrollBy(x, y),
    };
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const start = performance.now();
    works[work](...given);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
}"""

# How long drawing takes within a frame while the box scrolls.
SCROLL = """async () => {
    const box = document.querySelector(".ccl-live .ccl-box");
    const took = [];
    for (let i = 0; i < 60; i++) {
        box.scrollBy(i % 3 ? 0 : 240, i % 3 ? 600 : 0);
        const start = await new Promise(done => requestAnimationFrame(() => done(performance.now())));
        box.getBoundingClientRect();
        await new Promise(done => setTimeout(done));
        took.push(performance.now() - start);
    }
    return took;
}"""


def different(people: int, amounts: int) -> lab.Decisions:
    """Everybody with their own limit: no two rows are the same, and an attribute distinguishes them."""
    random = np.random.default_rng(7)
    limits = random.permutation(people) * amounts // people
    effects = np.arange(amounts) < limits[:, None]
    digits = (
        np.arange(people)[:, None] >> np.arange(people.bit_length()) & 1
    )  # each row's number, in its cells
    effects[:, : digits.shape[1]] = digits
    if len(np.unique(effects, axis=0)) != people:
        msg = "two rows are the same"
        raise AssertionError(msg)
    decisions = made(effects.reshape(people, 1, amounts), {"amount": range(amounts)}, actions=["approve"])
    return _with_attributes(decisions, (random.permutation(people) * 100).tolist())


def of_classes(people: int, amounts: int) -> lab.Decisions:
    """The same size, with forty classes."""
    small = np.tri(CLASSES, dtype=np.bool_).reshape(CLASSES, 1, CLASSES)
    maps = (np.arange(people) % CLASSES, np.zeros(1, dtype=np.intp), np.arange(amounts) * CLASSES // amounts)
    decisions = made(Mapped(small, maps), {"amount": range(amounts)}, actions=["approve"])
    return _with_attributes(decisions, [i % CLASSES * 1_000 for i in range(people)])


def _with_attributes(decisions: lab.Decisions, limits: list[int]) -> lab.Decisions:
    people = decisions._principals  # noqa: SLF001 - of a made cube
    regions = ["south", "northeast", "midwest", "west"]
    people = people.assign(approval_limit=limits, region=[regions[i % 4] for i in range(len(people))])
    decisions._principals = shareable(people, "approval_limit", "region")  # noqa: SLF001
    return decisions


def measure(chromium: Browser, path: Path) -> dict[str, float]:
    """Medians in milliseconds by action: the first time in a page, and later."""
    first: list[float] = []
    took: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        page.add_init_script(WATCH)
        page.goto(path.as_uri())
        page.wait_for_function("() => window.painted")
        first.append(page.evaluate("() => window.painted - window.began"))
        last = number == ROUNDS - 1
        for turn in ("first", *["again"] * (ROUNDS if last else 0)):
            for what, steps in STEPS.items():
                for at, step in enumerate(steps):
                    if step[0] == "filter" and page.locator(".ccl-panel").first.is_hidden():
                        page.get_by_role("button", name="Filters", exact=True).click()
                    took.setdefault((what, f"{turn} {at}"), []).append(page.evaluate(ACT, list(step)))
                if what == "filter":
                    page.get_by_role("button", name="Filters").first.click()
        if last:
            scrolled = page.evaluate(SCROLL)
        page.close()
    slowest = {
        what: max(statistics.median(ms) for (step, _), ms in took.items() if step == what) for what in STEPS
    }
    return {
        "first cell": statistics.median(first),
        **slowest,
        "scroll, a frame": statistics.median(scrolled),
    }


STEPS: dict[str, list[tuple[Any, ...]]] = {
    "sort": [("sort", "label"), ("sort", "share"), ("sort", "threshold"), ("sort", "given")],
    "search": [("search", "p-1"), ("search", "p-1a"), ("search", "south 7"), ("search", "")],
    "filter": [("filter", "south"), ("filter", "south"), ("effect", "mixed"), ("effect", "any")],
    "group": [("group",), ("group",)],
}


def written(decisions: lab.Decisions, folder: Path) -> list[tuple[str, Path]]:
    """The page, and a notebook's stored output if it is interactive; the clock starts with the script."""
    decisions.to_html(folder / "page.html")
    stored = str(decisions.show()._repr_mimebundle_()["text/html"])
    texts = {"page": (folder / "page.html").read_text("utf-8")}
    if "<script" in stored:
        texts["stored"] = f"<!doctype html><meta charset='utf-8'><body>{stored}</body>"
    made_files = []
    for name, text in texts.items():
        path = folder / f"{name}.html"
        path.write_text(
            text.replace('<script type="module">\n', f'<script type="module">\n{BEGIN}', 1), "utf-8"
        )
        made_files.append((name, path))
    return made_files


def main() -> None:
    """Measure, and write the table."""
    os.environ.setdefault("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of this benchmark")
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    rows = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        version = chromium.version
        for people, amounts, bars in ((1_000, 200, SMALL), (10_000, 1_000, LARGE)):
            for what, decisions in (
                ("every row different", different(people, amounts)),
                (f"{CLASSES} classes", of_classes(people, amounts)),
            ):
                for form, path in written(decisions, Path(folder)):
                    size = path.stat().st_size
                    times = measure(chromium, path)
                    missed = [name for name, bar in bars.items() if times[name] > bar]
                    print(
                        people,
                        amounts,
                        what,
                        form,
                        json.dumps({k: round(v) for k, v in times.items()}),
                        missed,
                    )
                    cells = [
                        f"{times[name]:.0f}" + (f" (bar {bars[name]:.0f})" if name in bars else "")
                        for name in ("first cell", "sort", "search", "filter", "group", "scroll, a frame")
                    ]
                    rows.append((f"{people:,} × {amounts:,}", what, f"{form}, {size / 1000:,.0f} kB", *cells))
        chromium.close()
    head = ("cells", "rows", "form", "first cell", "sort", "search", "filter", "group", "scroll, a frame")
    lines = [head, ("---",) * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    text = f"""# The live matrix draws only what is visible

Measured by `make bench` in Chromium {version}, {os.cpu_count()} cores: medians of {ROUNDS} in milliseconds.
*First cell*: from the start of the page's script, before its data is unpacked, until a frame with cells is
painted. *Sort*, *search*, *filter*, *group*: from the event until the next frame is painted, which alone
takes up to 17 ms: the slowest of several kinds of each, the first time in a page or later; *scroll*: the time
a frame takes beyond waiting for it.
In the first kind of rows no two have the same effects; the second kind is typical of people with the same
attributes. *Page*: written by `to_html`; *stored*: in a notebook, if it is not too large for one.

{table}
"""
    (ROOT / "benchmarks" / "browser.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

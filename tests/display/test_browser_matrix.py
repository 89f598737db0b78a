"""The live matrix in a real browser: each cell is the decision, and each control does what it says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from browser import axe, open_tools, visit
from made_decisions import made
from playwright.sync_api import expect

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.formatting import number_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from browser import Visit
    from playwright.sync_api import Browser, Locator, Page

KEY = "a key of these tests"
LIVE = ".ccl-live .ccl-table"
MINUS = "\N{MINUS SIGN}"

CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", {value: {writeText: async text => { window.copied = text; }}});
"""

FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

# Scroll through the whole grid and keep the label of every cell that is drawn on the way.
READ = """async () => {
    const box = document.querySelector(".ccl-live .ccl-box");
    const table = box.querySelector("table");
    const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const cells = {}, heads = {};
    for (let y = 0; ; y += 400) {
        for (let x = 0; ; x += Math.max(40, box.clientWidth / 4)) {
            box.scrollTo(x, y);
            await frame();
            for (const tr of table.tBodies[0].rows)
                for (const cell of tr.querySelectorAll("td"))
                    cells[`${tr.ariaRowIndex},${cell.ariaColIndex}`] = cell.ariaLabel;
            for (const th of table.tHead.querySelectorAll("tr:last-child [data-head]"))
                heads[th.ariaColIndex] = th.title;
            if (x >= box.scrollWidth - box.clientWidth) break;
        }
        if (y >= box.scrollHeight - box.clientHeight) break;
    }
    return {cells, heads, rows: +table.ariaRowCount, columns: +table.ariaColCount};
}"""


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", KEY)
        yield


@dataclass
class Live:
    """A page with a live matrix, and what it shows."""

    seen: Visit
    decisions: lab.Decisions

    @property
    def page(self) -> Page:
        return self.seen.page

    def button(self, name: str) -> Locator:
        return self.page.locator(".ccl-live").get_by_role("button", name=name, exact=True)

    def frame(self) -> None:
        self.page.evaluate(FRAME)

    def head_count(self) -> int:
        return len(self.decisions.sides()[0])

    def copied(self) -> pd.DataFrame:
        """The text that "Copy" copies: every row and column that is shown, in that order."""
        self.button("Copy").click()
        self.page.wait_for_function("() => window.copied !== undefined")
        text = self.page.evaluate("() => { const text = window.copied; delete window.copied; return text; }")
        head, *lines = [line.split("\t") for line in text.split("\n")]
        return pd.DataFrame(lines, columns=head)

    def counts(self) -> str:
        return self.page.locator(".ccl-counts").inner_text()

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).select_option(value)

    def focused(self) -> tuple[int, int]:
        """Row and column of the focused cell, as ARIA counts them."""
        place = (
            "() => [+document.activeElement.parentElement.ariaRowIndex, +document.activeElement.ariaColIndex]"
        )
        row, column = self.page.evaluate(place)
        return row, column

    def start_again(self) -> None:
        open_tools(self.page)
        self.button("Reset").click()
        if self.button("Matrix").is_visible():
            self.button("Matrix").click()
            self.button("Grid").click()
        self.ungroup()

    def ungroup(self) -> None:
        """Show every row on its own, in a matrix: a page opens with groups, strips, and the first action."""
        self.frame()
        for part in self.page.locator(".ccl-live").all():
            for name in ("group equal rows", "all actions", "Matrix"):
                group = name == "group equal rows"
                control = part.get_by_label(name) if group else part.get_by_role("button", name=name)
                if control.is_visible():
                    control.uncheck() if group else control.click()


def matrix_of(decisions: lab.Decisions) -> pd.DataFrame:
    """The same table from the frame: headers as shown, and one column per amount."""
    shown = decisions.shown()
    down, across = decisions.sides()
    wide = decisions.matrix().set_axis([shown.value(v) for v in decisions.values(across[0])], axis=1)
    labels = [
        [shown.principal(n, n) for n in decisions.names]
        if dim == "principal"
        else [shown.value(v) for v in decisions.values(dim)]
        for dim in down
    ]
    heads = pd.DataFrame(list(itertools.product(*labels)), columns=down)
    return pd.concat([heads, wide.reset_index(drop=True)], axis=1)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    assert one.to_numpy(dtype=object).tolist() == other.to_numpy(dtype=object).tolist()


def open_page(seen: Visit, path: Path, decisions: lab.Decisions, **more: Any) -> Live:
    decisions.to_html(path, **more)
    return open_file(seen, path, decisions)


def open_file(seen: Visit, path: Path, decisions: lab.Decisions) -> Live:
    seen.page.add_init_script(CLIPBOARD)
    seen.page.goto(path.as_uri())
    seen.page.wait_for_selector(f"{LIVE} td")
    live = Live(seen, decisions)
    open_tools(seen.page)
    live.ungroup()
    return live


def people() -> pd.DataFrame:
    return lab.load_principals("data/clerk_users.json").head(24)


@pytest.fixture(scope="module")
def swept(pdp: lab.PDP) -> lab.Decisions:
    amounts = [20_000, 0, 500, 1_000, 2_500, 5_000, 5_000.01, 7_500, -10, 10_000, 50_000, 60_000.5]
    return lab.sweep(
        pdp,
        people(),
        "expense",
        actions=["view", "approve"],
        amount=amounts,
        region=["south", "west"],
        owner=lab.OTHER,
        status="OPEN",
    )


@pytest.fixture(scope="module")
def exported(
    chromium: Browser, swept: lab.Decisions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    with visit(chromium) as seen:
        yield open_page(seen, tmp_path_factory.mktemp("exported") / "page.html", swept)
        assert seen.requests == []
        assert seen.errors == []
        assert seen.warnings == []


@pytest.fixture
def live(exported: Live) -> Live:
    """The same page for each test, in its initial state."""
    exported.page.set_viewport_size({"width": 1280, "height": 900})
    exported.page.emulate_media(media="screen", color_scheme="light")
    exported.start_again()
    for name in ("Filters", "help: keys"):
        if exported.button(name).get_attribute("aria-expanded") == "true":
            exported.button(name).click()
    exported.page.evaluate("() => document.querySelector('.ccl-live .ccl-box').scrollTo(0, 0)")
    exported.frame()
    return exported


# -- every cell -------------------------------------------------------------------------------------


def grid_equals_frame(live: Live) -> None:
    found = live.page.evaluate(READ)
    wanted = live.decisions.matrix().to_numpy()
    heads = live.head_count()
    assert found["rows"] == len(wanted) + 1
    assert found["columns"] == wanted.shape[1] + heads
    for (r, c), effect in np.ndenumerate(wanted):
        assert found["cells"][f"{r + 2},{c + heads + 1}"] == effect
    assert len(found["cells"]) == wanted.size


def exact_equals_thresholds(live: Live) -> None:
    """Each cell of the exact columns matches the interval of ``thresholds`` that contains it."""
    found = live.page.evaluate(READ)
    table = live.decisions.thresholds("amount")
    keys = sorted(
        {
            (low, 0 if closed else 1)
            for low, closed in zip(table["lower"], table["lower_closed"], strict=True)
            if np.isfinite(low)
        }
    )
    down, _ = live.decisions.sides()
    heads = len(down)
    assert found["columns"] == len(keys) + 1 + heads
    for r, (_, lines) in enumerate(table.groupby(down, sort=False)):
        at = [
            (low, 0 if closed else 1)
            for low, closed in zip(lines["lower"], lines["lower_closed"], strict=True)
        ]
        for c, key in enumerate([(-np.inf, 1), *keys]):
            effect = lines["effect"].iloc[sum(start <= key for start in at) - 1]
            assert found["cells"][f"{r + 2},{c + heads + 1}"] == effect
    for c, (number, open_) in enumerate(keys):
        assert f"{'over' if open_ else 'from'} {number_label(number)}" in found["heads"][str(c + heads + 2)]


def test_every_cell_of_the_grid_is_that_of_the_frame(live: Live) -> None:
    grid_equals_frame(live)


def test_every_cell_of_exact_columns_is_that_of_the_thresholds(live: Live) -> None:
    live.button("Exact").click()
    exact_equals_thresholds(live)


def test_what_a_notebook_stores_comes_to_life_with_the_same_cells(
    chromium: Browser, swept: lab.Decisions, tmp_path: Path
) -> None:
    stored = swept.show()._repr_mimebundle_()["text/html"]
    (tmp_path / "notebook.html").write_text(
        f"<!doctype html><meta charset='utf-8'><body>{stored}{stored}</body>", encoding="utf-8"
    )
    with visit(chromium) as seen:
        live = open_file(seen, tmp_path / "notebook.html", swept)
        assert seen.page.locator(LIVE).count() == 2  # each of two that are the same
        assert not seen.page.locator(".ccl-static").first.is_visible()
        seen.page.evaluate("() => document.querySelectorAll('[data-ccl]')[1].remove()")
        grid_equals_frame(live)
        assert seen.requests == []
        assert seen.errors == []


def test_a_page_of_two_million_decisions_is_small_and_each_of_them_is_right(
    chromium: Browser, pdp: lab.PDP, tmp_path: Path
) -> None:
    sample = lab.load_principals("data/clerk_users.json")
    many = pd.concat([sample.drop(columns="id")] * 11, ignore_index=True).head(1_000)
    many.insert(0, "id", [f"user_{i}" for i in range(1_000)])
    regions = ["south", "northeast", "midwest", "west"]
    swept = lab.sweep(
        pdp,
        many,
        "expense",
        actions=["view", "approve", "delete"],
        amount=range(0, 60_000, 300),
        region=regions,
        owner=lab.OTHER,
        status="OPEN",
    )
    assert len(swept) == 2_400_000
    with visit(chromium) as seen:
        live = open_page(seen, tmp_path / "page.html", swept)
        assert (tmp_path / "page.html").stat().st_size < 1_500_000
        live.button("Grid").click()
        assert live.counts().startswith(f"2,400,000 decisions: ✓ {swept.counts()['ALLOW']:,} ALLOW")
        live.button("Filters").click()
        box = seen.page.locator("fieldset", has=seen.page.locator("legend", has_text="action"))
        for action in swept.actions:
            box.get_by_role("button", name="none").click()
            box.get_by_label(action, exact=True).check()
            part = swept.sel(action=action)
            found = live.copied()
            assert len(found) == 4_000
            assert (found["action"] == action).all()
            heads = [live.decisions.shown().principal(n, n) for n in swept.names]
            assert found["principal"].tolist() == [head for head in heads for _ in regions]
            assert found["region"].tolist() == regions * 1_000
            effects = found.iloc[:, 3:].to_numpy() == "ALLOW"
            assert np.array_equal(effects, part.table(["principal", "region"], ["amount"]))
        live.button("Reset").click()
        live.ungroup()
        every = swept.table(["principal", "action", "region"], ["amount"])
        for row, column in np.random.default_rng(3).integers(0, [12_000 - 16, 200 - 8], (25, 2)).tolist():
            drawn = seen.page.evaluate(
                """async ([row, column]) => {
                    const box = document.querySelector(".ccl-live .ccl-box");
                    const width = box.querySelector("td").getBoundingClientRect().width;
                    box.scrollTo(column * width, row * 30);
                    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
                    const place = td => [+td.parentElement.ariaRowIndex - 2, +td.ariaColIndex - 4];
                    return [...box.querySelectorAll("td")].map(td => [...place(td), td.textContent === "✓"]);
                }""",
                [row, column],
            )
            assert len(drawn) > 50
            assert [r for r, c, allow in drawn if every[r, c] != allow] == []
            assert any(abs(r - row) < 17 for r, _, _ in drawn)
        assert seen.requests == []
        assert seen.errors == []


# -- sort, search, filter, group ----------------------------------------------------------------------------


def test_it_says_which_dimension_stands_across(live: Live) -> None:
    assert live.counts().endswith("24 people · across: amount")


def test_copy_takes_what_is_shown_as_the_frame_has_it(live: Live) -> None:
    same(live.copied(), matrix_of(live.decisions))
    expect(live.page.locator(".ccl-note")).to_contain_text("Copied 96 rows and 12 columns.")


def test_ctrl_c_in_the_grid_copies_too(live: Live) -> None:
    live.page.locator(f"{LIVE} td").first.focus()
    live.page.keyboard.press("Control+c")
    live.page.wait_for_function("() => window.copied !== undefined")
    assert live.page.evaluate("() => window.copied").count("\n") == 96


def sorted_rows(frame: pd.DataFrame, by: pd.Series[Any], *, descending: bool) -> pd.DataFrame:
    order = by.sort_values(kind="stable", ascending=not descending).index
    return frame.loc[order]


@pytest.mark.parametrize("descending", [True, False])
def test_rows_sort_as_pandas_sorts_them(live: Live, descending: bool) -> None:  # noqa: FBT001
    frame = matrix_of(live.decisions)
    cells = frame.iloc[:, live.head_count() :]
    allow = live.decisions.thresholds("amount").query("effect == 'ALLOW'")
    tops = allow.groupby(live.decisions.sides()[0])["upper"].max()
    keys = pd.MultiIndex.from_product([live.decisions.values(dim) for dim in live.decisions.sides()[0]])
    turn = live.page.get_by_role(
        "button", name="descending; sort ascending" if not descending else "ascending; sort descending"
    )
    for how, by in (
        ("share", (cells == "ALLOW").sum(axis=1)),
        ("threshold", tops.reindex(keys, fill_value=-np.inf).reset_index(drop=True)),
    ):
        live.choose("sort by", how)  # descending at first
        if not descending:
            turn.click()
        same(live.copied(), sorted_rows(frame, by, descending=descending))
    live.choose("sort by", "label")
    if descending:
        turn.click()
    heads = live.decisions.sides()[0]
    same(live.copied(), frame.sort_values(heads, kind="stable", ascending=not descending))
    live.choose("sort by", "given")
    if descending:
        turn.click()
    same(live.copied(), frame.iloc[::-1] if descending else frame)


def test_a_column_head_sorts_by_its_effect_then_the_other_way_then_not_at_all(live: Live) -> None:
    frame = matrix_of(live.decisions)
    head = live.page.locator(f"{LIVE} thead th", has_text="2,500")
    head.click()
    expect(head).to_have_attribute("aria-sort", "descending")
    same(live.copied(), sorted_rows(frame, frame["2,500"] == "ALLOW", descending=True))
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    same(live.copied(), sorted_rows(frame, frame["2,500"] == "ALLOW", descending=False))
    head.click()
    expect(head).to_have_attribute("aria-sort", "none")
    same(live.copied(), frame)


def test_rows_stay_sorted_by_the_same_amount_when_columns_are_filtered(live: Live) -> None:
    frame = matrix_of(live.decisions)
    live.page.locator(f"{LIVE} thead th", has_text="1,000").click()
    live.button("Filters").click()
    fieldset(live, "amount").get_by_label("20,000", exact=True).uncheck()
    expect(live.page.locator(f"{LIVE} thead th", has_text="1,000")).to_have_attribute(
        "aria-sort", "descending"
    )
    same(live.copied(), sorted_rows(frame, frame["1,000"] == "ALLOW", descending=True).drop(columns="20,000"))


def test_labels_that_are_numbers_sort_by_value(chromium: Browser, tmp_path: Path) -> None:
    values = [5_000, 40, -3, 1e20, 0.5, 700]
    decisions = made(np.eye(6).reshape(1, 1, 6, 6), {"limit": values, "amount": range(6)})
    decisions.to_html(tmp_path / "page.html", columns="amount")
    with visit(chromium) as seen:
        live = open_file(seen, tmp_path / "page.html", decisions)
        live.choose("sort by", "label")
        assert live.copied()["limit"].tolist() == ["-3", "0.5", "40", "700", "5,000", "1e+20"]


def search(live: Live, text: str) -> None:
    live.page.get_by_label("search rows").fill(text)


def test_a_search_keeps_rows_with_every_word_in_label_or_attribute(live: Live) -> None:
    frame = matrix_of(live.decisions)
    search(live, "approve SOUTH")
    people = live.decisions.principals
    in_attributes = [
        any(
            "south" in str(value).lower()
            for value in [*row["roles"], row.get("region"), row.get("department")]
        )
        for _, row in people.iterrows()
    ]
    of_person = np.repeat(in_attributes, 4)
    same(live.copied(), frame[(frame["action"] == "approve") & (of_person | (frame["region"] == "south"))])
    name = frame["principal"].iloc[8]
    search(live, name.upper())
    same(live.copied(), frame[frame["principal"] == name])
    search(live, "nobody is called so")
    expect(live.page.locator(".ccl-empty")).to_be_visible()
    assert live.counts().startswith("0 of 1,152 decisions: ✓ 0 ALLOW, ✗ 0 DENY")
    live.page.get_by_label("search rows").press("Escape")
    same(live.copied(), frame)


def fieldset(live: Live, name: str) -> Locator:
    return live.page.locator(".ccl-panel fieldset").filter(
        has=live.page.locator("legend").get_by_text(name, exact=True)
    )


def test_under_the_table_a_line_says_what_is_shown_and_goes_on(live: Live) -> None:
    line = live.page.locator(".ccl-live .ccl-beyond")
    expect(line).to_contain_text(f"rows 1 to 16 of {len(live.copied())}")
    line.get_by_role("button", name="more rows").click()
    expect(line).to_contain_text("rows 17 to 32 of")
    search(live, "nobody is called so")
    expect(line).to_be_hidden()


def test_filters_keep_attributes_values_and_effects_and_counts_follow(live: Live) -> None:
    frame = matrix_of(live.decisions)
    live.button("Filters").click()
    box = fieldset(live, "their roles")
    box.get_by_role("button", name="none").click()
    box.locator("input[value='manager']").check()
    managers = np.repeat([list(roles) == ["manager"] for roles in live.decisions.principals["roles"]], 4)
    fieldset(live, "expense region").get_by_label("west", exact=True).uncheck()
    fieldset(live, "amount").get_by_label("0", exact=True).uncheck()
    wanted = frame[managers & (frame["region"] == "south")].drop(columns="0")
    same(live.copied(), wanted)
    expect(live.button("Filters (3)")).to_be_visible()
    cells = wanted.iloc[:, 3:]
    allow = int((cells == "ALLOW").to_numpy().sum())
    assert live.counts().startswith(f"{cells.size:,} of 1,152 decisions: ✓ {allow:,} ALLOW")
    live.choose("filter by effect", "mixed")
    mixed = (cells == "ALLOW").any(axis=1) & (cells == "DENY").any(axis=1)
    same(live.copied(), wanted[mixed])
    for effect, keep in (
        ("some", (cells == "ALLOW").any(axis=1)),
        ("none", (cells == "DENY").all(axis=1)),
        ("all", (cells == "ALLOW").all(axis=1)),
    ):
        live.choose("filter by effect", effect)
        if keep.any():
            same(live.copied(), wanted[keep])
        else:
            expect(live.page.locator(".ccl-empty")).to_be_visible()
    live.button("Reset").click()
    live.button("all actions").click()
    same(live.copied(), frame)


def test_the_handles_of_a_number_filter_and_its_boxes_say_the_same(live: Live) -> None:
    live.button("Filters").click()
    box = fieldset(live, "amount")
    low = box.get_by_label("amount, numbers, lowest")
    low.fill("5000")
    checked = box.locator("input[type=checkbox]:checked")
    assert [one.get_attribute("value") for one in checked.all()] == [
        "5,000",
        "5,000.01",
        "7,500",
        "10,000",
        "20,000",
        "50,000",
        "60,000.5",
    ]
    live.button("undo").click()
    assert low.input_value() == "-10"
    expect(checked).to_have_count(12)
    live.button("redo").click()
    assert low.input_value() == "5000"
    live.button("Reset").click()
    live.button("all actions").click()
    assert low.input_value() == "-10"
    expect(checked).to_have_count(12)


def test_only_rows_with_a_data_problem_are_kept_when_asked(live: Live) -> None:
    frame = matrix_of(live.decisions)
    report = live.decisions.principals.attrs["problems"]
    odd = {line["principal"] for line in report} & set(live.decisions.names)
    assert odd
    live.page.get_by_label(f"data problem ({len(odd)})").check()
    of_odd = np.repeat([name in odd for name in live.decisions.names], 4)
    same(live.copied(), frame[of_odd])
    assert live.page.locator(f"{LIVE} tbody .ccl-odd").count() > 0


def test_equal_rows_are_grouped_with_their_number_and_open_and_close(live: Live) -> None:
    live.page.get_by_label("group equal rows").check()
    frame = live.decisions.thresholds("amount").astype({"upper": str, "lower": str})
    marks = frame.groupby(live.decisions.sides()[0], sort=False)[["lower", "lower_closed", "effect"]].apply(
        lambda part: str(part.to_numpy().tolist())
    )
    table = marks.reset_index(name="mark")
    ends = live.decisions.thresholds("amount").query("effect == 'ALLOW'")
    top = ends.groupby(live.decisions.sides()[0])["upper"].max()
    dims = live.decisions.sides()[0]
    table["top"] = [top.get(tuple(row), -np.inf) for row in table[dims].to_numpy().tolist()]
    allow = (live.decisions.matrix() == "ALLOW").sum(axis=1)
    table["allow"] = [allow[tuple(row)] for row in table[dims].to_numpy().tolist()]
    order = {value: i for dim in ("action", "region") for i, value in enumerate(live.decisions.values(dim))}
    found = table.groupby(["action", "region", "mark"], sort=False).agg(
        size=("top", "size"), top=("top", "first"), allow=("allow", "first")
    )
    found = found.reset_index().sort_values(
        ["action", "region", "top", "allow"],
        key=lambda column: column.map(order) if column.name in {"action", "region"} else -column,
        kind="stable",
    )
    sizes = found["size"].tolist()
    rows = live.page.locator(f"{LIVE} tbody tr")
    names = [row.locator(".ccl-name").inner_text() for row in rows.all()]
    wanted = [f"▸ {n} people" if n > 1 else None for n in sizes][: len(names)]
    assert [name if name.startswith("▸") else None for name in names] == wanted
    assert live.page.locator(LIVE).get_attribute("aria-rowcount") == str(len(sizes) + 1)
    group = live.page.locator(f"{LIVE} tr.ccl-group th[aria-expanded]").first
    size = next(n for n in sizes if n > 1)
    group.click()
    expect(group).to_have_attribute("aria-expanded", "true")
    assert live.page.locator(LIVE).get_attribute("aria-rowcount") == str(len(sizes) + 1 + size)
    assert live.page.locator(f"{LIVE} tr.ccl-member").count() == min(
        size, 16 - names.index(f"▸ {size} people") - 1
    )
    same(live.copied(), matrix_of(live.decisions))
    group.click()
    expect(group).to_have_attribute("aria-expanded", "false")
    group.press("Enter")
    expect(group).to_have_attribute("aria-expanded", "true")


def test_a_cell_of_a_group_is_selected_apart_from_that_of_its_first_member(live: Live) -> None:
    live.page.get_by_label("group equal rows").check()
    live.page.locator(f"{LIVE} tr.ccl-group th").first.click()
    group = live.page.locator(f"{LIVE} tr.ccl-group td").first
    member = live.page.locator(f"{LIVE} tr.ccl-member td").first
    chosen = live.page.locator(f"{LIVE} td[aria-selected='true']")
    for cell, other in ((group, member), (member, group)):
        cell.click()
        expect(cell).to_have_attribute("aria-selected", "true")
        expect(other).to_have_attribute("aria-selected", "false")
        expect(chosen).to_have_count(1)
    live.page.get_by_label("group equal rows").uncheck()
    expect(chosen).to_have_count(1)


def test_undo_redo_and_reset_by_button_and_key(live: Live) -> None:
    frame = matrix_of(live.decisions)
    south = frame[frame["region"] == "south"]
    search(live, "sout")
    search(live, "south")  # typed on: one step
    live.choose("sort by", "share")
    live.button("undo").click()
    assert live.page.get_by_label("sort by").input_value() == "given"
    live.page.locator(f"{LIVE} td").first.focus()
    live.page.keyboard.press("Control+z")
    expect(live.page.get_by_label("search rows")).to_have_value("")
    same(live.copied(), frame)
    live.page.locator(f"{LIVE} td").first.focus()
    live.page.keyboard.press("Control+y")
    expect(live.page.get_by_label("search rows")).to_have_value("south")
    live.page.keyboard.press("Control+Shift+z")
    assert live.page.get_by_label("sort by").input_value() == "share"
    expect(live.button("redo")).to_be_disabled()
    live.button("Reset").click()
    live.button("all actions").click()
    same(live.copied(), frame)
    live.button("undo").click()
    live.choose("sort by", "given")
    assert set(live.copied()["principal"]) >= set(south["principal"])


# -- keyboard and pointer ------------------------------------------------------------------------------------


def test_the_keys_of_the_grid_pattern_move_one_focus_and_select(live: Live) -> None:
    live.page.locator(f"{LIVE} td").first.click()
    heads = live.head_count()
    first, last = (2, heads + 1), (97, heads + 12)
    assert live.focused() == first
    steps = [
        ("ArrowRight", (2, heads + 2)),
        ("ArrowDown", (3, heads + 2)),
        ("End", (3, heads + 12)),
        ("ArrowRight", (3, heads + 12)),
        ("Home", (3, heads + 1)),
        ("PageDown", (18, heads + 1)),
        ("PageUp", (3, heads + 1)),
        ("Control+End", last),
        ("ArrowDown", last),
        ("PageDown", last),
        ("ArrowLeft", (97, heads + 11)),
        ("Control+Home", first),
        ("ArrowLeft", (2, 1)),
        ("ArrowRight", first),
        ("ArrowUp", (1, heads + 1)),
        ("ArrowDown", first),
    ]
    for key, place in steps:
        live.page.keyboard.press(key)
        assert live.focused() == place, key
        assert live.page.locator(f"{LIVE} [tabindex='0']").count() == 1, key
    live.page.keyboard.press("ArrowDown")
    live.page.keyboard.press("Enter")
    chosen = live.page.locator(f"{LIVE} [aria-selected='true']")
    assert chosen.count() == 1
    assert chosen.evaluate("cell => cell === document.activeElement")
    expect(live.page.locator(".ccl-detail")).to_contain_text("amount 20,000")
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press(" ")
    assert chosen.count() == 1
    expect(live.page.locator(".ccl-detail")).to_contain_text("amount 0")


def test_the_focus_is_on_one_cell_while_the_grid_scrolls_under_it(live: Live) -> None:
    live.page.locator(f"{LIVE} td").first.click()
    box = live.page.locator(".ccl-live .ccl-box")
    box.evaluate("box => box.scrollTo(0, 60)")
    live.frame()
    box.evaluate("box => box.scrollTo(0, 0)")
    live.frame()
    assert live.focused() == (2, live.head_count() + 1)
    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    live.frame()
    live.page.keyboard.press("ArrowDown")
    assert live.focused() == (3, live.head_count() + 1)


def test_a_head_is_sorted_by_with_enter_and_slash_goes_to_the_search(live: Live) -> None:
    live.page.locator(f"{LIVE} td").first.click()
    live.page.keyboard.press("ArrowUp")
    live.page.keyboard.press("Enter")
    expect(live.page.locator(f"{LIVE} thead th[data-head='0']")).to_have_attribute("aria-sort", "descending")
    live.page.keyboard.press("/")
    assert live.page.evaluate("document.activeElement.type") == "search"


def test_a_tooltip_tells_who_what_how_much_and_how_far(live: Live) -> None:
    frame = matrix_of(live.decisions)
    people = live.decisions.principals
    row = next(
        i for i in range(96) if frame["2,500"].iloc[i] == "ALLOW" and frame["action"].iloc[i] == "approve"
    )
    search(live, f"{frame['principal'].iloc[row]} approve")
    line = [
        i
        for i in range(96)
        if frame["principal"].iloc[i] == frame["principal"].iloc[row] and frame["action"].iloc[i] == "approve"
    ].index(row)
    live.page.locator(f"{LIVE} tbody tr").nth(line).locator("td").nth(4).hover()
    tip = live.page.locator(".ccl-tip")
    expect(tip).to_be_visible()
    told = tip.inner_text()
    found = live.decisions.thresholds("amount")
    who = live.decisions.names[row // 4]
    around = found[
        (found["principal"] == who)
        & (found["action"] == "approve")
        & (found["region"] == frame["region"].iloc[row])
    ]
    (upper,) = around[(around["lower"] < 2_500) & (around["upper"] > 2_500)]["upper"]
    for text in (
        "✓ ALLOW",
        frame["principal"].iloc[row],
        "approve",
        "2,500",
        "principal.roles",
        people["roles"].iloc[row // 4][0],
        f"up to {upper:,.0f}",
    ):
        assert text in told
    box = tip.bounding_box()
    assert box is not None
    assert 0 <= box["x"] <= 1280 - box["width"]
    live.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


# -- thresholds ----------------------------------------------------------------------------------------------


def strips(live: Live) -> Locator:
    return live.page.locator(f"{LIVE} tbody .ccl-strip")


def test_strips_are_labelled_with_the_boundaries_in_view_on_any_scale(live: Live) -> None:
    live.button("Thresholds").click()
    table = live.decisions.thresholds("amount").query("effect == 'ALLOW'")
    cells = live.page.locator(f"{LIVE} tbody td")
    down = live.decisions.sides()[0]
    for scale in ("Linear", "Log"):
        live.button(scale).click()
        places = []
        for r, (_, lines) in enumerate(live.decisions.thresholds("amount").groupby(down, sort=False)):
            if r >= cells.count():
                break
            allow = lines[lines["effect"] == "ALLOW"]
            words = cells.nth(r).get_attribute("aria-label") or ""
            finite = allow[np.isfinite(allow["upper"])]["upper"]
            assert all(number_label(x) in words for x in finite)
            assert ("✗ DENY at any amount" in words) == allow.empty
            drawn = strips(live).nth(r)
            assert drawn.locator(".ccl-strip-allow").count() == len(allow)
            labels = drawn.locator("text").all_text_contents()
            assert all(any(number_label(x) in label for label in labels) for x in finite)
            places += drawn.locator(".ccl-strip-edge").evaluate_all(
                "lines => lines.map(line => +line.getAttribute('x1'))"
            )
        assert places
        assert len(set(places)) == len(
            {x for x in table["upper"] if np.isfinite(x)} & _drawn(live, cells.count())
        )


def _drawn(live: Live, rows: int) -> set[float]:
    groups = list(live.decisions.thresholds("amount").groupby(live.decisions.sides()[0], sort=False))[:rows]
    return {
        x
        for _, lines in groups
        for x, effect in zip(lines["upper"], lines["effect"], strict=True)
        if effect == "ALLOW" and np.isfinite(x)
    }


def ticks(live: Live) -> list[str]:
    return live.page.locator(f"{LIVE} .ccl-axis text").all_text_contents()


def test_the_axis_zooms_by_button_key_and_wheel_and_is_dragged(live: Live) -> None:
    live.button("Thresholds").click()
    live.button("Linear").click()
    whole = ticks(live)
    live.button("zoom in").click()
    first = ticks(live)
    assert first != whole
    live.page.locator(f"{LIVE} td").nth(2).click()
    live.page.keyboard.press("+")
    second = ticks(live)
    assert second != first
    box = live.page.locator(f"{LIVE} td").nth(3).bounding_box()
    assert box is not None
    live.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    live.page.keyboard.down("Control")
    live.page.mouse.wheel(0, -120)
    live.page.keyboard.up("Control")
    live.page.wait_for_function(
        "before => document.querySelector('.ccl-live .ccl-axis').textContent !== before.join('')", arg=second
    )
    third = ticks(live)
    selected = live.page.locator(".ccl-detail").inner_text()
    live.page.mouse.down()
    live.page.mouse.move(box["x"] + box["width"] / 2 + 300, box["y"] + 10, steps=4)
    live.page.mouse.up()
    assert ticks(live) != third
    assert live.page.locator(".ccl-detail").inner_text() == selected  # a drag is no click
    live.page.locator(f"{LIVE} td").nth(2).focus()
    live.page.keyboard.press("0")
    assert ticks(live) == whole
    live.button("zoom in").click()
    live.button("show all").click()
    assert ticks(live) == whole
    live.button("zoom out").click()
    assert ticks(live) == whole


def test_a_band_is_selected_with_keys_and_announced(live: Live) -> None:
    live.button("Thresholds").click()
    live.choose("sort by", "threshold")
    live.page.locator(f"{LIVE} td").first.focus()
    live.page.keyboard.press("Home")
    live.page.keyboard.press("Enter")
    assert live.page.locator(f"{LIVE} .ccl-strip-chosen").count() == 1
    expect(live.page.locator(f"{LIVE} td[aria-selected='true']")).to_have_count(1)
    expect(live.page.locator(".ccl-detail")).to_contain_text("exact")


# -- scenarios -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenarios(pdp: lab.PDP, swept: lab.Decisions) -> dict[str, lab.Decisions]:
    def with_limit(limit: int) -> lab.Decisions:
        axes: dict[str, Any] = {axis.name: list(axis.values) for axis in swept.axes}
        given: dict[str, Any] = {"owner": lab.OTHER, "status": "OPEN", **axes}
        return lab.sweep(
            pdp, people().assign(approval_limit=limit), "expense", actions=["view", "approve"], **given
        )

    return {"limit 1,000": with_limit(1_000), "limit 50,000": with_limit(50_000)}


@pytest.fixture(scope="module")
def several(
    chromium: Browser,
    swept: lab.Decisions,
    scenarios: dict[str, lab.Decisions],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Live]:
    with visit(chromium) as seen:
        yield open_page(
            seen,
            tmp_path_factory.mktemp("several") / "page.html",
            swept,
            scenarios=scenarios,
            scenario="today",
        )
        assert seen.requests == []
        assert seen.errors == []


def test_the_slider_shows_the_decisions_of_each_scenario_and_keeps_the_filters(
    several: Live, scenarios: dict[str, lab.Decisions]
) -> None:
    slider = several.page.get_by_label("what if")
    every = {"today": several.decisions, **scenarios}
    assert len({one.counts()["ALLOW"] for one in every.values()}) == 3
    search(several, "approve")
    several.button("Filters").click()
    fieldset(several, "expense region").get_by_label("west", exact=True).uncheck()
    for i, (name, one) in enumerate(every.items()):
        slider.fill(str(i))
        expect(several.page.locator(".ccl-scenario-name")).to_have_text(name)
        part = one.sel(action="approve", region="south")
        assert several.counts().startswith(
            f"{len(part):,} of {len(one):,} decisions: ✓ {part.counts()['ALLOW']:,} ALLOW"
        )
        frame = matrix_of(one)
        same(several.copied(), frame[(frame["action"] == "approve") & (frame["region"] == "south")])
        more = one.counts()["ALLOW"] - several.decisions.counts()["ALLOW"]
        change = several.page.locator(".ccl-scenario .ccl-soft").inner_text()
        sign = "+" if more > 0 else MINUS
        assert change == ("" if i == 0 else f"{sign}{abs(more):,} ALLOW compared with today")
    assert not fieldset(several, "expense region").get_by_label("west", exact=True).is_checked()
    several.button("Reset").click()
    several.button("all actions").click()
    several.button("today").click()
    assert several.counts().startswith(f"1,152 decisions: ✓ {several.decisions.counts()['ALLOW']:,} ALLOW")
    assert slider.input_value() == "0"
    several.button("Filters").click()


# -- everybody can read it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_seriously_wrong_for_assistive_technology(live: Live, theme: Any) -> None:
    live.page.emulate_media(color_scheme=theme)
    root = live.page.locator(".ccl-live > .ccl")
    expect(root).to_have_attribute("data-ccl-theme", theme)
    assert axe(live.page, "body") == []
    live.button("Filters").click()
    live.button("help: keys").click()
    assert axe(live.page, ".ccl-live") == []
    live.button("Filters").click()
    live.button("help: keys").click()
    live.page.get_by_label("group equal rows").check()
    live.page.locator(f"{LIVE} tr.ccl-group th").first.click()
    live.page.locator(f"{LIVE} td").nth(3).click()
    assert axe(live.page, ".ccl-live") == []
    live.button("Thresholds").click()
    assert axe(live.page, ".ccl-live") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scenarios_are_as_accessible(several: Live, theme: Any) -> None:
    several.page.emulate_media(color_scheme=theme)
    expect(several.page.locator(".ccl-live > .ccl")).to_have_attribute("data-ccl-theme", theme)
    assert axe(several.page, ".ccl-live") == []


@pytest.mark.parametrize("width", [320, 420, 700])
def test_a_narrow_window_keeps_heads_and_cells_in_sight(live: Live, width: int) -> None:
    live.page.set_viewport_size({"width": width, "height": 800})
    live.frame()
    assert live.page.evaluate("document.documentElement.scrollWidth") <= width
    cells: Sequence[Any] = (
        live.page.locator(f"{LIVE} tbody tr")
        .first.locator("th, td")
        .evaluate_all("cells => cells.map(cell => [cell.tagName, cell.getBoundingClientRect().right])")
    )
    right = live.page.locator(".ccl-live .ccl-box").evaluate(
        "box => box.getBoundingClientRect().left + box.clientWidth"
    )
    assert any(tag == "TD" and end <= right + 1 for tag, end in cells)
    grid_equals_frame(live)
    live.button("Thresholds").click()
    live.frame()
    strip = live.page.locator(f"{LIVE} td").first.bounding_box()
    assert strip is not None
    assert strip["x"] < right - 60
    assert live.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 900])
def test_the_tools_are_one_row_and_the_lesser_ones_open_below(live: Live, width: int) -> None:
    live.page.set_viewport_size({"width": width, "height": 800})
    more = live.button("… More")
    more.click()
    expect(more).to_have_attribute("aria-expanded", "false")
    shown = "tools => tools.filter(tool => tool.checkVisibility()).map(tool => tool.getBoundingClientRect())"
    boxes = live.page.locator(".ccl-live .ccl-bar > *").evaluate_all(shown)
    middles = [box["y"] + box["height"] / 2 for box in boxes]
    assert len(boxes) >= 6
    assert max(middles) - min(middles) < 4
    expect(live.page.get_by_label("sort by", exact=True)).to_be_hidden()
    more.press("Enter")
    live.choose("filter by effect", "none")
    expect(live.page.locator(".ccl-live .ccl-bar")).to_contain_text("… More (1)")
    live.page.get_by_label("filter by effect").press("Escape")
    again = live.button("… More (1)")
    expect(again).to_have_attribute("aria-expanded", "false")
    assert again.evaluate("e => e === document.activeElement")


def test_one_action_at_a_time_fits_and_its_column_is_left_out(live: Live) -> None:
    tabs = live.page.get_by_role("group", name="action", exact=True)
    assert tabs.get_by_role("button").all_inner_texts() == ["view", "approve", "all actions"]
    every = live.decisions.matrix(rows=["principal", "action", "region"])
    head = live.page.locator(f"{LIVE} th.ccl-corner", has_text="action")
    expect(head).to_be_visible()
    for action in ("approve", "view"):
        tab = tabs.get_by_role("button", name=action, exact=True)
        tab.focus()
        live.page.keyboard.press("Enter")
        expect(tab).to_have_attribute("aria-pressed", "true")
        expect(head).to_be_hidden()
        found = live.copied()
        assert set(found["action"]) == {action}
        wanted = every.xs(action, level="action").to_numpy()
        cells = found.to_numpy(dtype=object)[:, 3:]
        assert cells.tolist() == wanted.tolist()
        expect(live.button("Filters")).to_be_visible()  # a tab says which: it is not counted as a filter
    live.button("undo").click()
    expect(tabs.get_by_role("button", name="approve")).to_have_attribute("aria-pressed", "true")
    live.button("Reset").click()  # as the page began
    expect(tabs.get_by_role("button", name="view")).to_have_attribute("aria-pressed", "true")
    assert axe(live.page, ".ccl-live") == []


def test_where_nothing_matches_a_button_shows_all_rows_again(live: Live) -> None:
    rows = live.page.locator(LIVE).get_attribute("aria-rowcount")
    live.page.get_by_label("search rows").fill("nobody is called so")
    message = live.page.locator(".ccl-live .ccl-empty")
    expect(message).to_contain_text("No rows match. Clear the search or a filter, or")
    message.get_by_role("button").click()
    expect(message).to_be_hidden()
    assert live.page.evaluate("!!document.activeElement.closest('.ccl-live table')")
    live.ungroup()
    assert live.page.locator(LIVE).get_attribute("aria-rowcount") == rows


def test_the_escape_key_closes_panels(live: Live) -> None:
    live.button("help: keys").click()
    live.page.keyboard.press("Escape")
    expect(live.button("… More")).to_have_attribute("aria-expanded", "false")
    assert live.button("… More").evaluate("e => e === document.activeElement")
    live.page.keyboard.press("Enter")
    expect(live.button("help: keys")).to_have_attribute("aria-expanded", "false")


def test_a_filter_of_thousands_of_values_draws_a_few_and_finds_the_rest(
    chromium: Browser, tmp_path: Path
) -> None:
    decisions = made(np.ones((3_000, 1, 2)), {"amount": [1, 2]})
    people = decisions._principals.assign(limit=[f"value {i}" for i in range(3_000)])
    decisions._principals = lab.shareable(people, "limit")
    with visit(chromium) as seen:
        live = open_page(seen, tmp_path / "page.html", decisions)
        live.button("Filters").click()
        box = fieldset(live, "their limit")
        assert box.locator("input[type=checkbox]").count() == 200
        expect(box).to_contain_text("and 2,800 more: use the search field")
        box.get_by_label("find a value of their limit").fill("value 2999")
        box.get_by_role("button", name="none").click()
        box.get_by_label("value 2999", exact=False).check()
        assert len(live.copied()) == 1


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
def test_an_axis_may_be_called_as_javascript_calls_its_own(
    chromium: Browser, tmp_path: Path, name: str
) -> None:
    decisions = made(np.eye(2).reshape(1, 1, 2, 2), {name: ["a", "b"], "amount": [1, 2]})
    with visit(chromium) as seen:
        live = open_page(seen, tmp_path / "page.html", decisions)
        live.button("Filters").click()
        fieldset(live, f"thing {name}").last.get_by_label("a", exact=True).uncheck()
        assert live.copied()[name].tolist() == ["b"]
        live.button("undo").click()
        assert live.copied()[name].tolist() == ["a", "b"]
        assert seen.errors == []

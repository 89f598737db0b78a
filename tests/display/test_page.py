"""A page of decisions is readable without scripts and on paper, and runs nothing but its own module."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import visit
from made_decisions import made
from playwright.sync_api import expect
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display import assets, page, plain_text, static_html
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browser import Visit
    from playwright.sync_api import Browser, Dialog, Page

HOSTILE = [
    "<script>window.pwned=1</script>",
    '<img src=x onerror="window.pwned=1">',
    '"><svg onload="window.pwned=1">',
    "'><b onmouseover='window.pwned=1'>",
    "</script><script>window.pwned=1</script>",
    "</style><script>window.pwned=1</script>",
    "<!--<script>",
    "javascript:window.pwned=1",
    "${window.pwned=1}",
    "`${window.pwned=1}`",
    "$name $& {{ 7 * 7 }}",
    "\\u003cscript>\\\\",
    "a\u2028b\u2029c",
    "\u202egnihton",
    "שלום עולם",
    "😀👩‍👩‍👧",
    "\u200b",
    "a\nb\tc",
    "&lt;i&gt; R&D",
    "constructor",
    "__proto__",
    "x" * 5_000,
]


NO_ID = "<script>window.pwned=2</script>"
"""Occurs only in the policies: the other texts are also ids."""


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of these tests")
        yield


def hostile() -> lab.Decisions:
    """Decisions in which every text that a customer chooses is hostile."""
    count = len(HOSTILE)
    effects = np.random.default_rng(5).random((count, 3, count, 4)) < 0.5
    axes: dict[str, Any] = {HOSTILE[1]: HOSTILE, HOSTILE[0]: [3, -1.5, 1e20, 7]}
    decisions = made(
        effects,
        axes,
        names=HOSTILE,
        actions=[HOSTILE[0], HOSTILE[1], HOSTILE[-1]],
        kind=HOSTILE[4],
        fixed={"resource_id": HOSTILE[0], HOSTILE[4]: HOSTILE[4]},
        policies={text[:40]: "\n".join([*HOSTILE, NO_ID]) for text in HOSTILE[:6]},
    )
    attributes: Any = {name[:60]: HOSTILE[i:] + HOSTILE[:i] for i, name in enumerate(HOSTILE[:6])}
    people = decisions._principals.assign(**attributes)
    people["roles"] = [(text,) for text in HOSTILE]
    people.attrs["problems"] = [{"principal": HOSTILE[0], "attribute": HOSTILE[1], "problem": HOSTILE[2]}]
    decisions._principals = people
    return decisions


def heads() -> list[str]:
    return ["principal", "action", HOSTILE[1]]


def open_file(seen: Visit, path: Path) -> Page:
    seen.page.goto(path.as_uri())
    return seen.page


def looks_whole(tab: Page, decisions: lab.Decisions) -> None:
    """Use every control once; no foreign code ran, and nothing overflows."""
    live = tab.locator(".ccl-live")
    live.get_by_role("button", name="all actions", exact=True).click()  # a page begins with the first
    expect(live.locator(".ccl-counts")).to_contain_text(f"✓ {decisions.counts()['ALLOW']:,} ALLOW")
    live.get_by_role("button", name="Matrix", exact=True).click()
    assert live.locator("td").count() > 16
    live.get_by_role("button", name="Filters", exact=True).click()
    live.get_by_label("group equal rows").check()
    live.locator("tbody td").nth(2).hover()
    assert live.locator(".ccl-tip").bounding_box() is not None
    live.locator("tbody td").nth(2).click()
    live.locator("thead th").nth(3).click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    live.get_by_role("button", name="Thresholds", exact=True).click()
    live.locator("tbody td").nth(2).hover()
    assert live.locator(".ccl-stripcell").count() > 3
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    assert tab.evaluate("() => window.pwned === undefined && ({}).pwned === undefined")
    assert live.locator("script, img, iframe, a").count() == 0
    handlers = """() => [...document.querySelectorAll("*")]
        .flatMap(element => [...element.attributes])
        .filter(attribute => attribute.name.startsWith("on")).length"""
    assert tab.evaluate(handlers) == 0


@pytest.mark.parametrize("names", [False, True])
def test_nothing_that_customers_write_runs_or_breaks_the_page(
    chromium: Browser,
    tmp_path: Path,
    names: bool,  # noqa: FBT001
) -> None:
    decisions = hostile()
    decisions.to_html(
        tmp_path / "page.html",
        names=names,
        rows=heads(),
        title=HOSTILE[0],
        scenarios={HOSTILE[1]: decisions, HOSTILE[2]: decisions},
        scenario=HOSTILE[4],
    )
    dialogs: list[str] = []
    with visit(chromium) as seen:

        def refuse(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        seen.page.on("dialog", refuse)
        tab = open_file(seen, tmp_path / "page.html")
        looks_whole(tab, decisions)
        tab.get_by_label("what if").fill("2")
        assert tab.title() == HOSTILE[0]
        tab.locator("footer summary").first.click()
        policy = tab.locator("footer pre").first.inner_text()
        assert NO_ID in policy
        assert (HOSTILE[0] in policy) is names
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
        assert tab.evaluate("() => window.pwned") is None
        assert seen.requests == []
        assert seen.errors == []
    assert dialogs == []


@pytest.mark.parametrize("which", ["matrix", "thresholds"])
@pytest.mark.parametrize("names", [False, True])
def test_nothing_runs_in_what_a_notebook_stores(
    chromium: Browser,
    tmp_path: Path,
    which: Any,
    names: bool,  # noqa: FBT001
) -> None:
    decisions = hostile()
    shown = decisions.show(rows=heads(), view=which, names=names)
    shown.state = {"search": ""}
    html = shown._repr_mimebundle_()["text/html"]
    (tmp_path / "stored.html").write_text(
        f"<!doctype html><meta charset='utf-8'><body>{html}", encoding="utf-8"
    )
    with visit(chromium) as seen:
        tab = open_file(seen, tmp_path / "stored.html")
        tab.wait_for_selector(".ccl-live td")
        if which == "thresholds":
            assert tab.locator(".ccl-live .ccl-stripcell").count() > 3
            tab.get_by_role("button", name="Matrix", exact=True).click()
        looks_whole(tab, decisions)
        assert seen.requests == []
        assert seen.errors == []


def test_a_state_that_somebody_wrote_runs_nothing(chromium: Browser, tmp_path: Path) -> None:
    shown = hostile().show(rows=heads())
    for text in HOSTILE[:12]:
        shown.state = {"search": text, "filters": {text: [text]}}
        html = shown._repr_mimebundle_()["text/html"]
        assert html.count("<script") == 1
        assert html.count("</script") == 1
    (tmp_path / "stored.html").write_text(f"<meta charset='utf-8'>{html}", encoding="utf-8")
    with visit(chromium) as seen:
        tab = open_file(seen, tmp_path / "stored.html")
        tab.wait_for_selector(".ccl-live table")
        assert tab.get_by_label("search rows").input_value() == HOSTILE[11]
        assert tab.evaluate("() => window.pwned") is None
        assert seen.errors == []


# -- a plain page -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(pdp: lab.PDP) -> lab.Decisions:
    people = lab.load_principals("data/clerk_users.json").head(12)
    axes: dict[str, Any] = {"amount": [0, 500, 5_000, 20_000], "region": ["south", "west"]}
    return lab.sweep(
        pdp, people, "expense", actions=["approve", "view"], status="OPEN", owner=lab.OTHER, **axes
    )


@pytest.fixture(scope="module")
def path(swept: lab.Decisions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "page.html"
    swept.to_html(target)
    return target


def test_totals_table_and_provenance_are_there_without_scripts(
    chromium: Browser, swept: lab.Decisions, path: Path
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(path.as_uri())
        lines = [row.locator("th, td").all_inner_texts() for row in tab.locator(".ccl-totals tbody tr").all()]
        wanted = []
        for action in swept.actions:
            for region in ("south", "west"):
                part = swept.sel(action=action, region=region)
                allow, n = part.counts()["ALLOW"], len(part)
                wanted.append([action, region, f"{n}", f"{allow}", f"{allow / n:.1%}", f"{n - allow}"])
        assert lines == wanted
        assert tab.locator(".ccl-static").is_visible()
        table = tab.locator(".ccl-static table").last
        cells = [cell.split()[1] for cell in table.locator("tbody td").all_inner_texts()]
        assert cells == swept.matrix().to_numpy().ravel().tolist()[: len(cells)]
        assert len(cells) == 40 * 4
        foot = tab.locator("footer").inner_text()
        told = swept.provenance
        for text in (
            told.pdp_version,
            told.policy_digest,
            told.evaluation,
            told.verified,
            "pseudonyms",
            "2,026"[-3:],
        ):
            assert text is not None
            assert text in foot
        assert tab.locator("details").count() == len(swept.policies or {}) > 3
        tab.locator("summary", has_text="expense.yaml").click()
        assert (swept.policies or {})["expense.yaml"].strip() == tab.locator(
            "details[open] pre"
        ).inner_text().strip()
    finally:
        context.close()


def test_paper_gets_the_static_part(offline_page: Visit, path: Path) -> None:
    tab = open_file(offline_page, path)
    tab.wait_for_selector(".ccl-live td")
    assert not tab.locator(".ccl-static").is_visible()
    tab.emulate_media(media="print")
    assert tab.locator(".ccl-static svg").is_visible()
    assert tab.locator(".ccl-static table").first.is_visible()
    assert not tab.locator(".ccl-live").is_visible()
    assert tab.pdf(format="A4")[:5] == b"%PDF-"
    tab.emulate_media(media="screen")
    assert tab.locator(".ccl-live").is_visible()


def test_the_static_part_of_a_page_looks_as_in_a_notebook(
    chromium: Browser, swept: lab.Decisions, path: Path, tmp_path: Path
) -> None:
    """A notebook's output has each style inline; in a page those that occur again have a class."""
    assert path.read_text("utf-8").count('style="padding') < 4
    inline = tmp_path / "inline.html"
    inline.write_text(f"<!doctype html><meta charset='utf-8'>{static_html.html(swept, swept.shown())}")
    looks = []
    context = chromium.new_context(java_script_enabled=False)
    for file in (inline, path):
        tab = context.new_page()
        tab.goto(file.as_uri())
        looks.append(
            tab.locator("table:has(td:text('ALLOW'))").last.evaluate(
                """table => [...table.querySelectorAll("th, td")].map(cell => {
                  const style = getComputedStyle(cell);
                  return ["padding", "border-top-width", "border-left-style", "background-color",
                          "text-align", "font-weight", "white-space", "vertical-align"].map(
                            name => style.getPropertyValue(name));
                })"""
            )
        )
    context.close()
    assert looks[0] == looks[1]
    assert len(looks[0]) > 160


def test_the_same_decisions_make_the_same_page(swept: lab.Decisions, path: Path, tmp_path: Path) -> None:
    swept.to_html(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_a_page_holds_its_module_as_it_is_and_no_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert assets.offline_module() in text
    assert text.count("<script") == text.count("</script") == 1
    assert (
        re.findall(r"\b(?:src|href|action)=|@import|url\(", text.replace(assets.offline_module(), "")) == []
    )
    assert plain_text.WARNING not in text


def test_people_are_written_once_for_all_scenarios(swept: lab.Decisions, tmp_path: Path) -> None:
    swept.to_html(tmp_path / "one.html")
    swept.to_html(tmp_path / "many.html", scenarios={f"s{i}": swept for i in range(8)})
    assert (tmp_path / "many.html").stat().st_size < 1.3 * (tmp_path / "one.html").stat().st_size


def test_each_scenario_has_its_own_policies_and_provenance_and_says_once_what_is_the_same(
    chromium: Browser, tmp_path: Path
) -> None:
    folder = write(tmp_path / "policies", thing=up_to(100), other=resource_policy(rule(), kind="other"))
    with lab.PDP(folder) as pdp:
        question: dict[str, Any] = {"actions": "approve", "amount": [50, 150, 250]}
        low = lab.sweep(pdp, users(2), "thing", **question)
        write(folder, thing=up_to(200))
        high = lab.sweep(pdp, users(2), "thing", **question)
    low.to_html(tmp_path / "page.html", scenario="up to 100", scenarios={"up to 200": high, "again": high})
    with visit(chromium) as seen:
        tab = open_file(seen, tmp_path / "page.html")
        named = tab.locator("footer summary").all_inner_texts()
        texts = tab.locator("footer pre").all_text_contents()
        assert sorted(named) == [
            "policy other.yaml",
            "policy thing.yaml (up to 100)",
            "policy thing.yaml (up to 200, again)",
        ]
        assert [("100" in text, "200" in text) for text in sorted(texts, key=len)].count((True, False)) == 1
        foot = tab.locator("footer").inner_text()
        for one in (low, high):
            assert (one.provenance.policy_digest or "?") in foot
        assert tab.locator("footer h3.ccl-scenario-of").all_inner_texts() == [
            "up to 100",
            "up to 200",
            "again",
        ]
        assert foot.count(low.provenance.pdp_version) == 1
        assert seen.errors == []


def test_a_scenario_of_what_if_shares_the_policies_that_it_does_not_change(
    pdp: lab.PDP, swept: lab.Decisions, tmp_path: Path
) -> None:
    people = lab.load_principals("data/clerk_users.json").head(12)
    with lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
        axes: dict[str, Any] = {"amount": [0, 500, 5_000, 20_000], "region": ["south", "west"]}
        actions = ["approve", "view"]
        then = lab.sweep(moved, people, "expense", actions=actions, status="OPEN", owner=lab.OTHER, **axes)
    swept.to_html(tmp_path / "page.html", scenario="now", scenarios={"then": then})
    named = re.findall(r"<summary>policy (.*?)</summary>", (tmp_path / "page.html").read_text("utf-8"))
    others = [name for name in swept.policies or {} if name != "limits.yaml"]
    assert sorted(named) == sorted([*others, "limits.yaml (now)", "limits.yaml (then)"])


def test_scenarios_need_names_of_their_own_and_the_same_dimensions(
    swept: lab.Decisions, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="two scenarios are called 'a'"):
        swept.to_html(tmp_path / "page.html", scenarios={"a": swept}, scenario="a")
    other = made(np.ones((1, 1, 2)), {"amount": [1, 2]})
    with pytest.raises(InputError, match="the scenario 'b' is a different question: its kind"):
        swept.to_html(tmp_path / "page.html", scenarios={"b": other})
    assert not (tmp_path / "page.html").exists()


def test_many_lines_of_totals_are_cut_and_say_so() -> None:
    many = made(np.ones((1, 4, 20)), {"region": [f"r{i}" for i in range(20)]})
    _, lines, more = page._totals({"one": many}, many.shown())
    assert len(lines) == limits.TOTALS_LINES
    assert more == "The first 60 of 80 lines."


def test_decisions_too_many_for_a_notebook_are_stored_as_a_table_with_a_note() -> None:
    random = np.random.default_rng(1).random((1_200, 1, 1_200)) < 0.5
    html = made(random, {"amount": range(1_200)}).show()._repr_mimebundle_()["text/html"]
    assert "Too large to be interactive in a stored notebook" in html
    assert "<script" not in html
    assert len(html) < 200_000


def test_a_page_of_a_comparison_marks_what_changed(offline_page: Visit, tmp_path: Path) -> None:
    who = users(3, limit=50)
    asked: dict[str, Any] = {"amount": [1, 60, 150]}
    one = write(tmp_path / "a", thing=resource_policy(rule("R.attr.amount <= 100")))
    other = write(tmp_path / "b", thing=resource_policy(rule("R.attr.amount > 100 || R.attr.amount < 50")))
    changes = lab.compare(one, other, who, "thing", **asked)
    path = tmp_path / "change.html"
    changes.to_html(path)
    offline_page.page.goto(path.as_uri())
    cells = offline_page.page.locator(".ccl-live .ccl-table td.ccl-cell")
    cells.first.wait_for()
    assert cells.all_text_contents()[:3] == ["✓", "\N{MINUS SIGN}", "+"]
    assert cells.nth(1).get_attribute("aria-label") == "DENY, lost"
    assert offline_page.page.locator(".ccl-legend").get_by_text("gained").count() == 1
    assert offline_page.page.get_by_label("filter by effect").input_value() == "changed"
    offline_page.page.get_by_role("button", name="Thresholds").click()
    strip = offline_page.page.locator(".ccl-live td.ccl-stripcell").first
    strip.locator(".ccl-strip-gained").wait_for(state="attached")
    assert "(gained)" in str(strip.get_attribute("aria-label"))
    assert offline_page.errors == []

"""A page as somebody reads it who is sent it: the answer first, a question box, and nothing unexplained."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import axe, open_tools, visit
from playwright.sync_api import expect

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browser import Visit
    from playwright.sync_api import Browser, Page

SIZES = [(1280, 800), (900, 700), (390, 844)]
NOTE = "Ana Ruiz, finance; <please check>"


@pytest.fixture(scope="module")
def explained(pdp: lab.PDP) -> lab.Decisions:
    people = lab.load_principals("data/clerk_users.json")
    asked: dict[str, Any] = {
        "amount": lab.amounts(0, 60_000, step=500),
        "region": ["northeast", "south"],
        "owner": [lab.SELF, lab.OTHER],
    }
    swept = lab.sweep(
        pdp, people, "expense", actions=["approve"], status="OPEN", units={"amount": "USD"}, **asked
    )
    return swept.explain()


@pytest.fixture(scope="module")
def path(explained: lab.Decisions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("reading") / "page.html"
    explained.to_html(target, note=NOTE)
    return target


@pytest.fixture(scope="module")
def seen(chromium: Browser) -> Iterator[Visit]:
    with visit(chromium) as seen:
        yield seen
        assert seen.requests == []
        assert seen.errors == []


@pytest.fixture
def page(seen: Visit, path: Path) -> Page:
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    seen.page.goto(path.as_uri())
    seen.page.wait_for_selector(".ccl-live td")
    return seen.page


def ask(page: Page, who: str, amount: float, region: str, owner: str) -> str:
    """The answer of the question box."""
    box = page.locator(".ccl-ask")
    if box.get_attribute("open") is None:
        box.locator("summary").click()
    box.get_by_label("who").fill(who)
    box.get_by_label("amount").fill(str(amount))
    box.get_by_label("expense region").select_option(region)
    box.get_by_label("expense owner").select_option(owner)
    box.get_by_label("amount").press("Tab")
    for closed in box.locator(".ccl-ask-answer details:not([open]) summary").all():
        closed.click()
    return box.locator(".ccl-ask-answer").inner_text()


def test_the_answer_comes_first_and_fills_the_first_screen_of_a_phone(page: Page) -> None:
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "How many people may approve, by amount (USD)",
        "Who may approve, and up to what",
        "Problems in people's data",
        "What this is made from, when, and how reliable it is",
        "What the words mean",
        "Details",
    ]
    assert "people may approve up to" in page.locator(".ccl-said").first.inner_text()
    assert page.locator(".ccl-live .ccl-stripcell").count() > 3
    page.set_viewport_size({"width": 390, "height": 844})
    last = page.locator(".ccl-said").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] < 844
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_question_box_answers_as_the_decisions_do(page: Page, explained: lab.Decisions) -> None:
    random = np.random.default_rng(15)
    shown = explained.shown()
    for _ in range(12):
        who = int(random.integers(len(explained.names)))
        amount = float(random.choice([0, 500, 7_500, 20_000, 60_000]))
        region, owner = str(random.choice(["northeast", "south"])), str(random.choice(["SELF", "OTHER"]))
        cell = {"amount": amount, "region": region, "owner": getattr(lab, owner)}
        effect = explained.effect(principal=explained.names[who], **cell)
        name = shown.principal(explained.principals["id"].iloc[who], explained.names[who])
        answer = ask(page, name, amount, region, owner)
        assert answer.startswith("✓ Yes" if effect == "ALLOW" else "✗ No"), (name, cell, answer)
        assert f"Because: {effect}" in answer
        if effect == "DENY" and owner == "OTHER":
            assert "of these rules would have to apply. What is not true now:" in answer
    part = explained.sel(amount=7_500, region="south", owner=lab.OTHER)
    may = part.counts()["ALLOW"]
    assert ask(page, "everybody", 7_500, "south", "OTHER").startswith(f"{may} of 96 may")
    assert "Limits: " in page.locator(".ccl-ask-answer").inner_text()
    assert ask(page, "", 7_500, "south", "OTHER").startswith(f"{may} of 96 may")
    assert ask(page, "role finance", 100_001, "south", "OTHER").startswith("None of these 11 may approve")
    assert ask(page, "nobody is called so", 7_500, "south", "OTHER").startswith("Nobody is called so")


def test_a_part_of_a_name_offers_who_may_be_meant(page: Page, explained: lab.Decisions) -> None:
    assert ask(page, "everybody", 7_500, "south", "OTHER")
    page.locator(".ccl-ask").get_by_label("who").fill("finance")  # and the focus stays there
    expect(page.locator(".ccl-ask-answer")).to_contain_text("Whom do you mean? ")
    page.locator(".ccl-ask-answer").get_by_role("button", name="role finance", exact=True).click()
    assert page.locator(".ccl-ask").get_by_label("who").input_value() == "role finance"
    said = page.locator(".ccl-ask-answer").inner_text()
    people = explained.principals["roles"]
    own = explained.sel(action="approve", amount=7_500, region="south", owner=lab.OTHER)
    having = np.array(["finance" in roles for roles in people])
    assert having.sum() > sum(roles == ("finance",) for roles in people)  # some have other roles, too
    may = int(own.allowed()[having].sum())
    assert said.startswith(f"{may} of {having.sum()} may approve, ")


def test_the_question_box_begins_where_the_answers_differ_most(page: Page, explained: lab.Decisions) -> None:
    page.reload()
    page.locator(".ccl-ask-answer p").first.wait_for()
    amount = float(page.locator(".ccl-ask input[type=number]").input_value())
    first = {axis.name: axis.values[0] for axis in explained.axes if axis.name != "amount"}
    part = explained.sel(action=explained.actions[0], **{**first, "owner": lab.OTHER})
    amounts = next(axis.values for axis in part.axes if axis.name == "amount")
    allowed = part.allowed().reshape(len(part.names), len(amounts)).sum(axis=0)
    uneven = np.abs(2 * allowed - len(part.names))
    assert amount == max(value for value, by in zip(amounts, uneven, strict=True) if by == uneven.min())


def test_the_question_box_marks_who_can_not_sign_in(page: Page) -> None:
    answer = ask(page, "everybody", 7_500, "south", "OTHER")
    marked = re.findall(r"(p-\w+) ⊘", answer)
    assert f"⊘ {len(marked)} of those who may can't sign in." in answer
    assert "But they can't sign in: " in ask(page, marked[0], 7_500, "south", "OTHER")


def test_reasons_between_swept_amounts_are_those_of_the_pdp_or_none(
    page: Page, explained: lab.Decisions
) -> None:
    shown = explained.shown()
    for who in range(0, 96, 8):
        name = shown.principal(explained.principals["id"].iloc[who], explained.names[who])
        answer = ask(page, name, 7_777.5, "south", "OTHER")
        assert "Because: " in answer or "choose one of the swept amounts" in answer


def test_people_who_cannot_sign_in_and_data_problems_are_named_first_where_they_matter(page: Page) -> None:
    rows = page.locator(".ccl-problems tbody tr").all_inner_texts()
    marked = [next((place for place, mark in enumerate("⚠⊘") if mark in row), 2) for row in rows]
    assert marked == sorted(marked)
    assert set(marked) == {0, 1, 2}
    assert any("may not approve in some cases because of it; needed: a number" in row for row in rows)
    (role,) = [row for row in rows if "unusual value: roles" in row]
    assert "may not approve in some cases because of it; needed: a role as the policies spell it" in role
    assert any("⊘ is allowed all the same" in row for row in rows)
    assert page.locator(".ccl-origin li").first.inner_text() == f"Sent by: {NOTE}"
    origin = page.locator(".ccl-origin").inner_text()
    for text in ("Clerk users in the file clerk_users.json", "none guessed", "distinct questions cover all"):
        assert text in origin


def test_whose_region_it_is_is_said_everywhere(page: Page) -> None:
    page.get_by_role("button", name="Matrix", exact=True).click()
    heads = page.locator(".ccl-live thead th.ccl-corner").all_inner_texts()
    assert heads == ["person", "expense region", "expense owner"]
    shared = page.locator(".ccl-live .ccl-who .ccl-more").all_inner_texts()
    assert any(text.startswith("their region ") for text in shared)
    assert not any(text.startswith("region ") for text in shared)
    first = page.locator(".ccl-live thead th.ccl-colhead").first
    assert first.get_attribute("data-axis") == "amount (USD)"
    title = page.locator(".ccl-live tbody th", has_text="OTHER").first.get_attribute("title")
    assert title is not None
    assert "somebody else" in title


def test_on_a_phone_values_and_strips_are_whole(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Thresholds", exact=True).click()
    cut = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"
    assert page.locator(".ccl-live tbody th", has_text="northeast").count() > 0
    assert page.locator(".ccl-live tbody th:not(:first-child)").evaluate_all(cut) == []
    box = page.locator(".ccl-live .ccl-box")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 1


def test_reset_forgets_the_selection_and_scrolls_back(page: Page) -> None:
    page.get_by_role("button", name="Matrix", exact=True).click()
    page.get_by_label("group equal rows").uncheck()
    page.locator(".ccl-live .ccl-box").evaluate("box => box.scrollTo(0, 900)")
    page.locator(".ccl-live td.ccl-cell").nth(20).click()
    expect(page.locator('.ccl-live td[aria-selected="true"]')).to_have_count(1)
    open_tools(page)
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.locator('.ccl-live td[aria-selected="true"]')).to_have_count(0)
    assert page.locator(".ccl-live .ccl-box").evaluate("box => box.scrollTop") == 0
    assert page.get_by_label("group equal rows").is_checked()
    assert page.locator(".ccl-why").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_size_has_serious_accessibility_problems(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert axe(page, "body") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(color_scheme="light")


def test_what_would_be_disclosed_is_said_before(explained: lab.Decisions) -> None:
    told = {what: (count, text) for what, count, text in explained.discloses().to_numpy().tolist()}
    assert told["people"] == (96, "pseudonyms instead of their ids")
    assert told["policy texts"][0] == len(explained.policies or {})
    assert "amount 0 to 60,000" in told["values asked about"][1]
    assert "approval_limit" in told["attributes"][1]
    assert told["reasons"][0] > 0
    named = {what: text for what, _, text in explained.discloses(names=True).to_numpy().tolist()}
    assert named["people"] == "their ids"
    assert "reasons" not in named
    assert not any(one in str(told) for one in explained.principals["id"])

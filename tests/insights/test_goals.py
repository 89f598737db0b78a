"""The smallest and largest value of a limit that reaches a goal, against a scan of cents."""

import itertools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.insights.tuning import Tuning

Make = Callable[..., Path]

CENTS = [cent / 100 for cent in range(-3, 64)]
"""Everything that the policies below compare with lies among these values."""

EVERY = int(os.environ.get("LAB_GOALS", "17"))
"""Of how many of them one is tried, beside those that an answer names."""

AMOUNTS = [half / 200 for half in range(1, 101)]
"""Every half cent above 0 up to 0.5: a line that is cut at cents has no other stretch."""

PEOPLE = pd.DataFrame(
    [
        {"id": "u0", "roles": ("user",), "limit": 0.2, "level": 0.1},
        {"id": "u1", "roles": ("user",), "limit": 0.355, "level": 0.3},
        {"id": "u2", "roles": ("user", "boss"), "limit": 0.5, "level": 0.5},
    ],
    dtype=object,
)

CONSTANT = "apiVersion: api.cerbos.dev/v1\nexportConstants: {name: limits, definitions: {top: 0.25}}\n"


def importing(*rules: str) -> str:
    """Return a policy that sees the constant."""
    return resource_policy(*rules).replace("  rules:", "  constants: {import: [limits]}\n  rules:")


BOSS = rule("R.attr.amount < 0.45", roles=["boss"])
OWN = rule("R.attr.amount <= P.attr.limit")

POLICIES: dict[str, tuple[dict[str, str], str, bool]] = {
    "a limit that adds": ({"thing": resource_policy(rule("R.attr.amount <= 0.25"), OWN)}, "<= 0.25", True),
    "below it only": ({"thing": resource_policy(rule("0.25 > R.attr.amount"), BOSS)}, "0.25 >", True),
    "beside another": (
        {
            "thing": resource_policy(
                rule("R.attr.amount < 0.1 || R.attr.amount <= 0.25 && P.attr.level > 0.2")
            )
        },
        "<= 0.25",
        True,
    ),
    "a denial": (
        {"thing": resource_policy(OWN, BOSS, rule("R.attr.amount > 0.25", effect="DENY"))},
        "> 0.25",
        True,
    ),
    "a level": ({"thing": resource_policy(rule("P.attr.level >= 0.25"), OWN)}, ">= 0.25", True),
    "a constant": (
        {"thing": importing(rule("R.attr.amount <= C.top"), OWN), "limits": CONSTANT},
        "top",
        True,
    ),
    "up and down": (
        {
            "thing": importing(
                rule("R.attr.amount <= C.top"),
                rule("C.top > P.attr.limit && R.attr.amount < 0.1", effect="DENY"),
            ),
            "limits": CONSTANT,
        },
        "top",
        False,
    ),
    "equality": ({"thing": resource_policy(rule("!(R.attr.amount == 0.25)"), OWN)}, "== 0.25", False),
    "none": (
        {
            "thing": resource_policy(OWN, rule("R.attr.amount <= 0.25", roles=["boss"])).replace(
                'match: {expr: "R.attr.amount <= 0.25"}',
                'match: {none: {of: [{expr: "R.attr.amount <= 0.25"}]}}',
            )
        },
        "<= 0.25",
        False,
    ),
}


def fewest(tuning: Tuning, address: str, values: Iterable[float]) -> dict[float, int]:
    """For each value the fewest people who may approve an amount, from every cell."""
    found = {}
    for value in sorted(values):
        moved = tuning.moved({address: value})
        cells = lab.sweep(moved, PEOPLE, "thing", actions="approve", amount=AMOUNTS, method="every-cell")
        found[value] = int(cells.allowed().sum(axis=0).min())
    return found


LEVELS = {name: (1, 2, 3) if EVERY == 1 else (1 + place % 3,) for place, name in enumerate(POLICIES)}
"""How many people there have to be: all of these in `make long-goals`, one for each policy in `make test`."""


@pytest.mark.parametrize("name", POLICIES)
def test_it_is_what_a_scan_of_cents_finds(write: Make, name: str) -> None:
    files, part, monotone = POLICIES[name]
    with lab.PDP(write(**files)) as pdp:
        decisions = lab.sweep(pdp, PEOPLE, "thing", actions="approve", amount=[0, 1])
        tuning = Tuning(pdp, decisions)
        address = next(
            limit.address for limit in tuning.limits if part in limit.text or part == limit.constant
        )
        goals = list(itertools.product(LEVELS[name], (lab.smallest, lab.largest)))
        found = [search(pdp, decisions, address, at_least=at_least, up_to=0.5) for at_least, search in goals]
        named = {value for one in found for value in (one.value, one.beside) if value is not None}
        by_value = fewest(tuning, address, {*CENTS[::EVERY], CENTS[-1], *named})
        for (at_least, search), one in zip(goals, found, strict=True):
            expected = [value for value, people in by_value.items() if people >= at_least]
            assert one.monotone == monotone
            low = CENTS[0] if search is lab.smallest else CENTS[-1]
            if one.value is None:
                assert (low in expected) == ("every value" in one.reason)
                assert expected == [] or low in expected
            else:
                best = min(expected) if search is lab.smallest else max(expected)
                assert one.value == best
                assert one.beside == round(best + (-0.01 if search is lab.smallest else 0.01), 2)
                assert low not in expected
                assert one.missing
        tuning.close()


def test_two_approvers_in_every_region_of_the_sample_up_to_20_000(pdp: lab.PDP) -> None:
    who = lab.load_principals("data/clerk_users.json")
    asked: dict[str, Any] = {"owner": lab.OTHER, "status": "OPEN", "department": "sales"}
    regions = ["northeast", "south", "midwest", "west"]
    decisions = lab.sweep(pdp, who, "expense", actions="approve", amount=[0, 60_000], region=regions, **asked)
    found = lab.smallest(pdp, decisions, "cross_region_manager_limit", at_least=40, by="region", up_to=20_000)
    for value, reached in ((found.value, True), (found.beside, False)):
        with lab.what_if(pdp, cross_region_manager_limit=value) as moved:
            gaps = lab.sweep(
                moved, who, "expense", actions="approve", amount=[0, 60_000], region=regions, **asked
            ).gaps("amount", by="region", at_least=40)
        inside = gaps[(gaps["upper"] > 0) & (gaps["lower"] < 20_000)]
        assert inside.empty == reached
    assert (found.now, found.step, found.monotone) == (5_000, 0.01, True)


def test_every_record_has_somebody(write: Make) -> None:
    records = pd.DataFrame({"id": ["a", "b", "c"], "amount": ["10.00", "99.99", "250.50"], "team": "x"})
    with lab.PDP(write(thing=resource_policy(rule('R.attr.amount <= 100.0 && R.attr.team == "x"')))) as pdp:
        decisions = lab.sweep(pdp, PEOPLE, "thing", actions="approve", amount=[0, 100], team="x")
        found = lab.smallest(pdp, decisions, "amount <= 100.0", at_least=1, records=records)
        assert (found.value, found.beside, found.monotone) == (250.5, 250.49, True)
        assert found.missing == "1 record has too few people, 250.50"
        two = lab.smallest(
            pdp,
            decisions,
            "amount <= 100.0",
            goal=lambda replay: (replay.after > 0).sum() >= 2,
            records=records,
        )
        assert (two.value, two.beside, two.monotone) == (99.99, 99.98, False)
        assert two.stretches == ((99.99, 250.51),)
        cents = pd.DataFrame({"amount": [1_000, 9_999, 25_050], "team": "x"})
        same = lab.smallest(
            pdp, decisions, "amount <= 100.0", at_least=1, records=cents, replay={"cents": True}
        )
        assert same.value == 250.5


def test_a_function_of_decisions_and_whole_numbers(write: Make) -> None:
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount <= 100")))) as pdp:
        decisions = lab.sweep(pdp, PEOPLE, "thing", actions="approve", amount=[50.5, 120, 300])
        found = lab.smallest(
            pdp, decisions, "amount <= 100", goal=lambda decisions: decisions.counts()["ALLOW"] >= 3
        )
        assert (found.value, found.beside, found.step) == (51, 50, 1)
        tens = lab.smallest(pdp, decisions, "amount <= 100", at_least=3, up_to=133, step=10)
        assert (tens.value, tens.beside) == (140, 130)
        none = lab.smallest(pdp, decisions, "amount <= 100", at_least=4, up_to=133)
        assert none.value is None
        assert repr(none).startswith("No smallest value: no value reaches it: fewer than 4 for")
        assert "fewer than 4" in none._repr_html_()
        every = lab.largest(pdp, decisions, "amount <= 100", at_least=3, up_to=133)
        assert every.reason == "every value from 134 upwards reaches it"


def test_what_is_not_only_compared_is_refused(write: Make) -> None:
    policy = resource_policy(
        rule("R.attr.amount * 2 <= 100"),
        rule("R.attr.amount <= P.attr.limit * 3", actions=["pay"]),
        rule("R.attr.amount <= 7", actions=["pay"]),
        rule('R.attr.team == "x"', actions=["view"]),
    )
    with lab.PDP(write(thing=policy)) as pdp:
        asked: dict[str, Any] = {"amount": [50, 120], "team": "x"}
        approve, pay, view = (
            lab.sweep(pdp, PEOPLE, "thing", actions=action, **asked) for action in ("approve", "pay", "view")
        )
        with pytest.raises(lab.InputError, match="only the PDP can compute"):
            lab.smallest(pdp, approve, "rule-001: amount * 2 <= 100 (100)", at_least=1, up_to=10)
        with pytest.raises(lab.InputError, match="is not only compared"):
            lab.smallest(pdp, approve, "rule-001: amount * 2 <= 100 (2)", at_least=1, up_to=10)
        with pytest.raises(lab.InputError, match="only the PDP can compute"):
            lab.smallest(pdp, pay, "amount <= 7", at_least=1, up_to=10)
        with pytest.raises(lab.InputError, match="is not a number"):
            lab.smallest(pdp, view, 'team == "x"', at_least=1, up_to=10)
        with pytest.raises(lab.InputError, match="change these decisions"):
            lab.smallest(pdp, view, "amount <= 7", at_least=1, up_to=10)
        for wrong, said in (
            ({}, "say what to reach"),
            ({"at_least": 0, "up_to": 1}, "1 or more"),
            ({"at_least": 1, "up_to": -1}, "must be above"),
            ({"at_least": 1, "up_to": 1, "step": 0}, "step must be"),
            ({"at_least": 1, "step": 0.5}, "whole"),
            ({"goal": bool, "up_to": 3}, "belong to"),
        ):
            with pytest.raises(lab.InputError, match=said):
                lab.smallest(pdp, pay, "amount <= 7", **wrong)

"""Where actions read different things, each is swept alone: one odd rule costs the other actions nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.sweeps import sweep as sweeps


@pytest.fixture(autouse=True)
def _any_number_is_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "MANY", 100)


def people(count: int) -> pd.DataFrame:
    random = np.random.default_rng(5)
    limits = {f"limit{k}": (random.permutation(count) + k / 10).tolist() for k in range(4)}
    ids = [f"u{i}" for i in range(count)]
    return pd.DataFrame({"id": ids, "roles": [("user",)] * count, **limits}, dtype=object)


def test_six_limits_in_different_actions_cost_a_few_questions(write: Callable[..., Path]) -> None:
    rules = [rule(f"R.attr.amount <= P.attr.limit{k}", actions=[f"a{k}"]) for k in range(4)]
    given: dict[str, Any] = {"amount": range(0, 80, 5), "region": ["x", "y"]}
    with lab.PDP(write(thing=resource_policy(*rules))) as pdp:
        swept = lab.sweep(pdp, people(60), "thing", **given)
        every = lab.sweep(pdp, people(60), "thing", **given, method="every-cell")
    assert swept.actions == ("a0", "a1", "a2", "a3")
    assert np.array_equal(swept.allowed(), every.allowed())
    assert swept.counts() == every.counts()
    assert swept.provenance.asked < 40
    assert "4 actions" not in swept.provenance.verified
    told = swept.thresholds("amount")
    assert told["exact"].all()
    for k in range(4):
        mine = told[(told["action"] == f"a{k}") & (told["region"] == "x") & (told["effect"] == "ALLOW")]
        assert mine["upper"].tolist() == people(60)[f"limit{k}"].tolist()


def test_one_odd_rule_makes_only_its_action_slow(write: Callable[..., Path]) -> None:
    odd = rule("string(R.attr.amount) != string(P.attr.limit0)", actions=["odd"])
    rules = [rule("R.attr.amount <= P.attr.limit0", actions=["approve", "view"]), odd]
    with lab.PDP(write(thing=resource_policy(*rules))) as pdp:
        swept = lab.sweep(pdp, people(40), "thing", amount=range(30))
        every = lab.sweep(pdp, people(40), "thing", amount=range(30), method="every-cell")
    assert np.array_equal(swept.allowed(), every.allowed())
    (note,) = [note for note in swept.provenance.notes if "amount" in note]
    assert note.startswith("For odd: Every value of amount is asked")
    assert "thing.yaml, line" in note
    assert swept.thresholds("amount", action="approve")["exact"].all()
    assert not swept.thresholds("amount", action="odd")["exact"].any()
    assert not swept.thresholds("amount")["exact"].all()


def test_an_audit_of_everything_says_that_all_agree(write: Callable[..., Path]) -> None:
    rules = [rule(f"R.attr.amount <= P.attr.limit{k}", actions=[f"a{k}"]) for k in range(4)]
    with lab.PDP(write(thing=resource_policy(*rules))) as pdp:
        swept = lab.sweep(pdp, people(60), "thing", amount=range(0, 80, 5), audit="all")
    assert swept.provenance.verified == sweeps.ALL_AGREE

"""Only the rules that make an effect flip at a number are named there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from explained import a_rule, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.boundaries import boundaries
from clerk_cerbos_lab.decisions.explanations import slot_of

if TYPE_CHECKING:
    from pathlib import Path


def named(folder: Path, rules: list[dict[str, Any]], *limits: int, **more: Any) -> list[tuple[str, Any, str]]:
    """For what is approved by amount: rule, number (None for a person's own), and what it is called."""
    rows = [{"id": f"u{i}", "roles": ("user",), "limit": limit} for i, limit in enumerate(limits or (500,))]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit")
    made = swept(write(folder / "policies", thing=thing(*rules, **more)), who, amount=[1, 200, 900])
    known = made.explain().explanations
    assert known is not None
    slot = slot_of(known.slots.index(("R", "attr", "amount")))
    found = boundaries(known, "approve", {slot: 0})
    made.source.close()
    return sorted((one.rule, None if isinstance(one.other, str) else one.other, one.name) for one in found)


def test_of_two_rules_that_compare_the_same_number_only_the_one_that_flips_is_named(tmp_path: Path) -> None:
    rules = [
        a_rule("makes-it", "R.attr.amount <= 100"),
        a_rule("of-others", "R.attr.amount <= 100", roles=["boss"]),
        a_rule("never", {"all": {"of": [{"expr": "R.attr.amount <= 100"}, {"expr": "P.attr.limit == 1"}]}}),
        a_rule("other-action", "R.attr.amount <= 100", actions=["view"]),
    ]
    assert named(tmp_path, rules) == [("makes-it", 100, "")]


def test_a_rule_whose_change_does_not_change_the_effect_is_not_named(tmp_path: Path) -> None:
    rules = [a_rule("small", "R.attr.amount <= 100"), a_rule("large", "R.attr.amount <= P.attr.limit")]
    assert named(tmp_path, rules) == [("large", None, "limit")]


def test_a_deny_rule_is_named_where_it_takes_away_what_another_still_allows(tmp_path: Path) -> None:
    rules = [
        a_rule("open", "R.attr.amount <= 900"),
        a_rule("wall", "R.attr.amount > C.most", effect="DENY"),
    ]
    assert named(tmp_path, rules, constants={"local": {"most": 100}}) == [("wall", 100, "most")]


def test_an_allow_rule_that_ends_where_another_goes_on_makes_no_boundary(tmp_path: Path) -> None:
    rules = [
        a_rule("open", "R.attr.amount <= 900"),
        a_rule("small", "R.attr.amount <= 100"),
        a_rule("wall", "R.attr.amount > 100 && R.attr.amount <= 900", effect="DENY"),
    ]
    assert named(tmp_path, rules) == [("wall", 100, "")]


def test_each_is_named_for_those_for_whom_it_makes_the_boundary(tmp_path: Path) -> None:
    """The page says for whom: the same number is a limit of one person, and of no use to another."""
    rules = [
        a_rule("own", "R.attr.amount <= P.attr.limit"),
        a_rule("all", "R.attr.amount <= 500", roles=["boss"]),
    ]
    rows = [
        {"id": "a", "roles": ("user",), "limit": 100},
        {"id": "b", "roles": ("boss",), "limit": 100},
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit")
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), who, amount=[1, 200, 900])
    shown: Any = made.show(causes=True)
    why = shown._payload.header["why"]
    breaks = {words: (how, kinds) for _, how, _, words, kinds in why["breaks"]}
    kinds = why["cells"][0]["kinds"]
    assert breaks == {"own · limit": ("slot", [[kinds[0]]]), "all": ("number", [[kinds[1]]])}
    assert kinds[0] != kinds[1]
    made.source.close()

"""Conditions that Cerbos takes for one another: asked alone, and explained as they were decided."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explained import a_rule, person, policy, thing
from small_policies import USER, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.insights.agreement import agreement

SMALL = {"expr": 'R.attr.owner < "u5"'}

OPPOSITE = {"none": {"of": [SMALL]}}

OUTPUT = {"output": {"when": {"ruleActivated": "'hello'"}}}

NEITHER = {"output": {"when": {"conditionNotMet": "'hello'"}}}

BOTH = ["see", "do"]


def test_an_action_is_asked_alone_where_cerbos_can_take_conditions_for_one_another(tmp_path: Path) -> None:
    rules = [a_rule("a", OPPOSITE, actions=["see"]), a_rule("b", SMALL, actions=BOTH)]
    with lab.PDP(write(tmp_path / "policies", thing=thing(*rules))) as pdp:
        made = lab.sweep(pdp, person(), "thing", actions=BOTH, owner=["u1", "u9"], audit="all")
        for owner in ("u1", "u9"):
            alone = pdp.is_allowed("do", USER, "thing", {"owner": owner})
            assert made.effect(action="do", owner=owner) == ("ALLOW" if alone else "DENY")
            assert made.why(action="do", owner=owner).notes == ()
        assert any("same expressions" in note for note in made.provenance.notes)
        made.source.close()


@pytest.mark.parametrize(
    ("rules", "confused"),
    [
        ([a_rule("a", SMALL), a_rule("b", SMALL)], False),
        ([a_rule("a", SMALL), a_rule("b", {"all": {"of": [SMALL]}})], False),
        ([a_rule("a", SMALL), a_rule("b", OPPOSITE)], True),
        ([a_rule("a", SMALL), a_rule("b", derivedRoles=["other"])], True),
        ([a_rule("a", derivedRoles=["own"]), a_rule("b", derivedRoles=["other"])], True),
        ([a_rule("a", {"all": {"of": [SMALL, OPPOSITE]}}), a_rule("b", SMALL)], False),
    ],
)
def test_which_conditions_can_be_confused(
    rules: list[dict[str, Any]],
    confused: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    roles = [
        {"name": name, "parentRoles": ["user"], "condition": {"match": match}}
        for name, match in {"own": SMALL, "other": OPPOSITE}.items()
    ]
    files = {
        "roles": policy("derivedRoles", name="roles", definitions=roles),
        "thing": thing(*rules, importDerivedRoles=["roles"]),
    }
    with lab.PDP(write(tmp_path / "policies", **files)) as pdp:
        assert pdp.index.has_confused_conditions("thing") == confused


@pytest.mark.parametrize("one", [{}, OUTPUT, NEITHER])
@pytest.mark.parametrize("other", [{}, OUTPUT, NEITHER])
def test_the_copy_that_explains_confuses_what_the_policies_confuse(
    one: Mapping[str, Any], other: Mapping[str, Any], tmp_path: Path
) -> None:
    """Only conditions of rules with the same outputs are taken for one another."""
    rules = [a_rule("a", OPPOSITE, **one), a_rule("b", SMALL, **other)]
    with lab.PDP(write(tmp_path / "policies", thing=thing(*rules))) as pdp:
        made = lab.sweep(pdp, person(), "thing", actions=["approve"], owner=["u1", "u9"], audit=0)
    for owner in ("u1", "u9"):
        assert not [note for note in made.why(owner=owner).notes if "instrumented copy" in note]
    made.source.close()


def of_kind(kind: str, match: Any, **more: Any) -> str:
    """A resource policy of a kind with one rule."""
    rule = a_rule("a", match, **more.pop("rule", {}))
    return policy("resourcePolicy", **{"resource": kind, "version": "default", "rules": [rule], **more})


DENIES = {"rule": {"effect": "DENY"}}


@pytest.mark.parametrize(
    ("mine", "other", "confused"),
    [
        (of_kind("thing", SMALL), of_kind("other", OPPOSITE), ("other",)),
        (of_kind("thing", SMALL), of_kind("thing", OPPOSITE, version="v2"), ("thing",)),
        (of_kind("thing", SMALL), of_kind("other", OPPOSITE, rule={"actions": ["do"]}), ("other",)),
        (of_kind("thing", SMALL), of_kind("other", SMALL), ()),
        (of_kind("thing", SMALL), of_kind("other", OPPOSITE, rule=OUTPUT), ()),
        (of_kind("thing", SMALL), of_kind("other", OPPOSITE, **DENIES), ()),
        (of_kind("other", SMALL), of_kind("another", OPPOSITE), ()),
    ],
)
def test_which_policies_can_be_confused(
    mine: str, other: str, confused: tuple[str, ...], tmp_path: Path
) -> None:
    with lab.PDP(write(tmp_path / "policies", mine=mine, other=other)) as pdp:
        assert pdp.index.kinds_confused_with("thing") == confused


def test_a_condition_confused_with_that_of_another_kind_is_decided_as_the_pdp_does_and_said(
    tmp_path: Path,
) -> None:
    """Cerbos gives one of two kinds the condition of the other, in whatever request."""
    files = {"a": of_kind("other", SMALL), "b": of_kind("thing", OPPOSITE)}
    wrong = 0
    with lab.PDP(write(tmp_path / "policies", **files)) as pdp:
        for kind, other, condition in (("thing", "other", (False, True)), ("other", "thing", (True, False))):
            made = lab.sweep(pdp, person(), kind, actions=["approve"], owner=["u1", "u9"], audit="all")
            assert any(f"about '{other}'" in note for note in made.provenance.notes)
            for owner, right in zip(("u1", "u9"), condition, strict=True):
                alone = pdp.is_allowed("approve", USER, kind, {"owner": owner})
                assert made.effect(action="approve", owner=owner) == ("ALLOW" if alone else "DENY")
                found = made.why(owner=owner)
                assert found.effect == ("ALLOW" if alone else "DENY")
                said = [note for note in found.notes if note.startswith("By its conditions this is")]
                assert bool(said) == (alone != right), found.notes
                assert not [note for note in found.notes if "an error of clerk-cerbos-lab" in note]
                wrong += alone != right
            made.source.close()
        found_by_doctor = agreement(pdp)
        assert found_by_doctor is not None
        assert found_by_doctor.differing == ()
    assert wrong == 2, "this Cerbos tells the conditions apart: remove what is done about it"


def test_a_replay_says_that_conditions_are_confused(tmp_path: Path) -> None:
    files = {"a": of_kind("other", SMALL), "b": of_kind("thing", OPPOSITE)}
    with lab.PDP(write(tmp_path / "policies", **files)) as pdp:
        records = pd.DataFrame({"amount": [5], "owner": ["u1"]})
        found = lab.replay(pdp, person(), records, "thing", action="approve")
        assert any("about 'other'" in note for note in found.notes)


def test_a_comparison_and_coverage_say_that_conditions_are_confused(tmp_path: Path) -> None:
    files = {"a": of_kind("other", SMALL), "b": of_kind("thing", OPPOSITE)}
    with lab.PDP(write(tmp_path / "policies", **files)) as pdp:
        both = [
            lab.sweep(pdp, person(), kind, actions=["approve"], owner=["u1", "u9"], audit=0)
            for kind in ("thing", "other")
        ]
        changes = lab.compare(both[0], pdp)
        assert any("about 'other'" in note for note in changes.notes)
        covered = [lab.coverage(pdp, one) for one in both]
        said = [any("not what the conditions say" in note for note in one.notes) for one in covered]
        assert sum(said) == 1
        wrong = said.index(True)
        assert not [note for one in covered for note in one.notes if "instrumented copy" in note]
        (unknown,) = [row for row in both[wrong].causes().to_dict("records") if row["cause"] == "not known"]
        assert "one condition for another" in unknown["detail"]
        for one in both:
            one.source.close()

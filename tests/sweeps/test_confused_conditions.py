"""Conditions that Cerbos takes for one another: asked alone, and explained as they were decided."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from explained import a_rule, person, policy, thing
from small_policies import USER, write

import clerk_cerbos_lab as lab

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

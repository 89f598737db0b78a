"""Decisions and changes as native Cerbos test suites."""

import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp.compiler import passed_tests
from clerk_cerbos_lab.pdp.engines import find_engine


def run(folder: Path, *, strict: bool = False) -> int:
    """Return the exit code of ``cerbos compile``."""
    command = find_engine().test_command(folder, strict=strict)
    return subprocess.run(command, capture_output=True, check=False).returncode


def decisions_of(pdp: lab.PDP, who: pd.DataFrame, **more: Any) -> lab.Decisions:
    return lab.sweep(pdp, who, "thing", **more)


def test_a_suite_has_both_sides_of_each_boundary_and_a_case_for_each_situation(tmp_path: Path) -> None:
    deny = rule("R.attr.owner == P.id", effect="DENY")
    policies = write(
        tmp_path / "p", thing=resource_policy(rule('R.attr.amount <= 50 && R.attr.region == "a"'), deny)
    )
    with lab.PDP(policies) as pdp:
        found = decisions_of(
            pdp, users(30), amount=range(0, 100, 10), region=["a", "b", "c"], owner=[lab.SELF, lab.OTHER]
        )
        suite = found.to_tests(policies / "thing_test.yaml")
    assert repr(suite) == f"{policies / 'thing_test.yaml'}: 5 cases of 1 person; cerbos compile passes."
    data = yaml.safe_load((policies / "thing_test.yaml").read_text())
    amounts = {one["attr"]["amount"] for one in data["resources"].values() if one["attr"]["region"] == "a"}
    assert {50, 50.01} <= amounts
    assert run(policies) == 0
    text = (policies / "thing.yaml").read_text()
    for edited in ("<= 50.01", "<= 49.99", "< 50", ">= 50"):
        (policies / "thing.yaml").write_text(text.replace("<= 50", edited))
        assert run(policies) == 4, edited
    (policies / "thing.yaml").write_text(text.replace("EFFECT_DENY", "EFFECT_ALLOW"))
    assert run(policies) == 4


def test_a_change_is_pinned_and_fails_before_it(pdp: lab.PDP, tmp_path: Path) -> None:
    who = lab.load_principals("data/clerk_users.json")
    asked: dict[str, Any] = {
        "amount": lab.amounts(0, 60_000, step=500),
        "status": "OPEN",
        "department": "sales",
    }
    found = lab.sweep(pdp, who, "expense", actions=["approve"], region=["south"], owner=lab.OTHER, **asked)
    with lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
        suite = lab.compare(found, moved).to_tests(tmp_path / "limit_test.yaml")
        with pytest.raises(lab.InputError, match="nothing changes"):
            lab.compare(found, found).to_tests(tmp_path / "none_test.yaml")
    assert suite.checked
    folder = tmp_path / "p"
    folder.mkdir()
    for file in Path("policies").glob("*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "limit_test.yaml").write_bytes((tmp_path / "limit_test.yaml").read_bytes())
    assert run(folder) == 4
    limits = (folder / "limits.yaml").read_text()
    moved_text = limits.replace("cross_region_manager_limit: 5000", "cross_region_manager_limit: 7500")
    assert moved_text != limits
    (folder / "limits.yaml").write_text(moved_text)
    assert run(folder) == 0


def test_a_suite_names_nobody_unless_it_may(tmp_path: Path) -> None:
    who = users(2, team="blue")
    policies = write(
        tmp_path / "p", thing=resource_policy(rule('P.attr.team == "blue" && R.attr.owner == P.id'))
    )
    with lab.PDP(policies) as pdp:
        found = decisions_of(pdp, who, owner=[lab.SELF, lab.OTHER])
        with pytest.raises(lab.InputError, match="may be personal: 'team'"):
            found.to_tests(tmp_path / "a_test.yaml")
        assert not (tmp_path / "a_test.yaml").exists()
        found.to_tests(tmp_path / "names_test.yaml", names=True)
        shareable = decisions_of(pdp, lab.shareable(who, "team"), owner=[lab.SELF, lab.OTHER])
        shareable.to_tests(tmp_path / "b_test.yaml")
    assert "u0" in (tmp_path / "names_test.yaml").read_text()
    text = (tmp_path / "b_test.yaml").read_text()
    assert "u0" not in text
    assert lab.pseudonym("u0") in text


def test_policies_that_name_people_need_their_names(tmp_path: Path) -> None:
    policies = write(tmp_path / "p", thing=resource_policy(rule('P.id == "u1"')))
    with lab.PDP(policies) as pdp:
        found = decisions_of(pdp, users(3))
        with pytest.raises(lab.InputError, match=r"only 1 of 2 cases pass .* use names=True"):
            found.to_tests(tmp_path / "a_test.yaml")
        assert found.to_tests(tmp_path / "a_test.yaml", names=True).checked


def test_what_a_suite_can_not_pin_is_said(tmp_path: Path) -> None:
    with lab.PDP(write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= 3")))) as pdp:
        found = decisions_of(pdp, users(), amount=[1, 5])
        with pytest.raises(lab.InputError, match=r"ends in _test.yaml"):
            found.to_tests(tmp_path / "expense.yaml")
        with pytest.raises(lab.InputError, match="folder does not exist"):
            found.to_tests(tmp_path / "no" / "a_test.yaml")


def test_strict_evaluation_versions_scopes_and_missing_attributes_are_in_the_suite(tmp_path: Path) -> None:
    policy = resource_policy(rule('has(R.attr.region) && R.attr.region != "x"'), version="v2", scope="acme")
    base = resource_policy(rule("R.attr.amount < 7"), version="v2")
    with lab.PDP(
        write(tmp_path / "p", a=policy, b=base), config={"engine": {"strictEvaluation": True}}
    ) as pdp:
        found = decisions_of(
            pdp,
            users(),
            amount=[1, 9],
            region=[lab.MISSING, "x", "y", None, 5],
            policy_version="v2",
            scope="acme",
        )
        suite = found.to_tests(tmp_path / "a_test.yaml")
    assert suite.checked
    assert "--strict-evaluation" in repr(suite)


def test_a_suite_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", thing=resource_policy(rule()))
    (folder / "bad_test.yaml").write_text("name: bad\ntests: [{name: x, input: {principals: [nobody]}}]\n")
    with pytest.raises(lab.PDPError, match=r"bad_test\.yaml"):
        passed_tests(find_engine().test_command(folder, strict=False))

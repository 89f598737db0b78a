"""Moved limits: what is decided, who gains and loses, and which records would move."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_policies import resource_policy, rule, users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.insights.tuning import Tuning

QUESTION: dict[str, Any] = {
    "actions": ["approve"],
    "amount": lab.amounts(0, 59_500, step=500),
    "region": ["northeast", "south"],
    "owner": lab.OTHER,
    "status": "OPEN",
    "department": "sales",
}
LIMIT = "manager-approves-in-any-region: amount <= 5000"


@pytest.fixture(scope="module")
def principals() -> pd.DataFrame:
    return lab.load_principals("data/clerk_users.json")


@pytest.fixture(scope="module")
def tuning(pdp: lab.PDP, principals: pd.DataFrame) -> Iterator[Tuning]:
    """The sample policies, with the sample's past expenses."""
    replayed = {"status": "OPEN", "date": "submitted_at"}
    decisions = lab.sweep(pdp, principals, "expense", **QUESTION)
    made = Tuning(pdp, decisions, records="data/expenses.csv", replayed=replayed)
    yield made
    made.close()


@pytest.mark.parametrize(
    "values",
    [
        {LIMIT: 7_500},
        {"cross_region_manager_limit": 4_999.99, "finance_limit": 60_000},
        {"V.is_positive: amount > 0": 100},
        {'V.is_open: status == "OPEN"': "PAID"},
    ],
)
def test_moved_limits_decide_as_a_pdp_that_is_started_on_them(
    tuning: Tuning, pdp: lab.PDP, principals: pd.DataFrame, values: dict[str, Any]
) -> None:
    with lab.what_if(pdp, values) as other:
        expected = lab.sweep(other, principals, "expense", **QUESTION)
        changes = lab.compare(tuning.before, other)
        replayed = lab.replay(
            pdp, principals, "data/expenses.csv", "expense", status="OPEN", date="submitted_at", against=other
        )
    assert (tuning.decisions(values).allowed() == expected.allowed()).all()
    quick = tuning.quick_changes(values)
    pd.testing.assert_frame_equal(quick.frame(), changes.frame())
    assert {group.witness.before for group in quick.groups} == {None}
    assert repr(tuning.changes(values)) == repr(changes)
    assert tuning.quick_changes(values) is tuning.changes(values)
    found = tuning.replay(values)
    assert found is not None
    assert found.frame().equals(replayed.frame())


def test_going_back_asks_nothing(tuning: Tuning, pdp: lab.PDP, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tuning.decisions({LIMIT: 7_500}), tuning.decisions({LIMIT: 8_000})
    changes = tuning.changes({LIMIT: 7_500})
    assert not tuning.is_known({LIMIT: 8_000})
    monkeypatch.setattr(Tuning, "moved", None)
    monkeypatch.setattr(lab.PDP, "check", None)
    assert tuning.decisions({"cross_region_manager_limit": 7_500}) is first
    assert tuning.decisions({LIMIT: 8_000}) is second
    assert tuning.changes({LIMIT: 7_500}) is changes
    assert tuning.decisions({LIMIT: 5_000}) is tuning.before
    assert tuning.quick_changes({}).verdict == "equivalent"


def test_a_limit_that_passes_no_other_number_asks_nothing_while_it_moves(
    pdp: lab.PDP, principals: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Tuning(pdp, lab.sweep(pdp, principals, "expense", **QUESTION))) as tuning:
        asked: list[dict[str, Any]] = []

        def noted(self: Tuning, values: dict[str, Any], move: Any = Tuning.moved) -> lab.PDP:
            asked.append(values)
            return move(self, values)  # type: ignore[no-any-return]

        monkeypatch.setattr(Tuning, "moved", noted)
        for value in (5_500, 7_499.99, 6_000, 4_000, 0.01):
            quick = tuning.quick_changes({LIMIT: value})
            assert not asked
            assert quick.after.provenance.asked == 0
            assert "until the slider rests" in quick.after.provenance.caption()
            found = tuning.decisions({LIMIT: value})
            assert asked
            assert quick.after.provenance.policy_digest == found.provenance.policy_digest
            assert (quick.after.allowed() == found.allowed()).all()
            assert quick.after.thresholds("amount").equals(found.thresholds("amount"))
            asked.clear()
        quick = tuning.quick_changes({LIMIT: 8_000})  # some may approve 7,500 themselves
        assert asked == [{LIMIT: 8_000}]
        assert "; 8 people were asked about" in quick.after.provenance.verified
        found = tuning.decisions({LIMIT: 8_000})
        assert (quick.after.allowed() == found.allowed()).all()
        assert quick.after.thresholds("amount").equals(found.thresholds("amount"))
        assert len(asked) == 2
        tuning.quick_changes({LIMIT: 8_500})
        assert len(asked) == 2
        tuning.quick_changes({LIMIT: 8_500, 'V.is_open: status == "OPEN"': "PAID"})
        assert len(asked) == 3


def test_nothing_is_read_where_cerbos_may_take_one_condition_for_another(write: Callable[..., Path]) -> None:
    parts = "[{{expr: R.attr.amount <= {limit}}}, {{expr: R.attr.x > 5}}]"
    form = "      condition: {{match: {{{block}: {{of: " + parts + "}}}}}}"
    thing = resource_policy(rule() + "\n" + form.format(block="all", limit=100))
    other = resource_policy(rule() + "\n" + form.format(block="any", limit=200), kind="other")
    question: dict[str, Any] = {"amount": [50, 150], "x": 6}
    for policies, readable in (({"thing": thing}, True), ({"thing": thing, "other": other}, False)):
        with lab.PDP(write(**policies)) as pdp, lab.tune(pdp, users(2), "thing", **question) as tune:
            for value in (200, 120):  # with 200, both have the same expressions
                read = tune._tuning._read_from_kept({"rule-001: amount <= 100": value})
                assert (read is not None) == readable


def test_only_limits_that_can_matter_are_offered_and_any_can_be_moved(tuning: Tuning) -> None:
    assert [(limit.owner, limit.value) for limit in tuning.limits] == [
        ("manager-approves-in-any-region", 5_000),
        ("manager-approves-in-own-region", 10_000),
        ("finance-approves-in-any-region", 50_000),
        ("V.has_owner", ""),
        ("V.is_open", "OPEN"),
        ("V.is_positive", 0),
    ]
    assert tuning.checked({"claimant-deletes-draft: status": "OPEN"}) == {
        'claimant-deletes-draft: status == "DRAFT"': "OPEN"
    }
    with pytest.raises(lab.InputError, match="is a number, not a string"):
        tuning.checked({LIMIT: "7500"})


def test_an_edit_of_the_policies_is_followed(principals: pd.DataFrame, tmp_path: Path) -> None:
    folder = shutil.copytree("policies", tmp_path / "policies")
    with lab.PDP(folder) as pdp:
        tuning = Tuning(pdp, lab.sweep(pdp, principals, "expense", **QUESTION))
        assert not tuning.follow()
        tuning.decisions({"finance_limit": 60_000})
        text = (folder / "limits.yaml").read_text()
        (folder / "limits.yaml").write_text(text.replace("manager_limit: 5000", "manager_limit: 6000"))
        moved = tuning.decisions({"finance_limit": 60_000})
        assert tuning.limits[0].value == 6_000
        with lab.what_if(pdp, finance_limit=60_000) as other:
            expected = lab.sweep(other, principals, "expense", **QUESTION)
        assert (moved.allowed() == expected.allowed()).all()
        tuning.close()
        with pytest.raises(lab.InputError, match="closed"):
            tuning.decisions({"finance_limit": 70_000})


def test_a_text_that_does_not_compile_is_refused_and_what_was_decided_remains(
    write: Callable[..., Path],
) -> None:
    policy = resource_policy(rule('R.attr.code.matches("^a+$") && R.attr.amount <= 100'))
    with lab.PDP(write(thing=policy)) as pdp:
        tuning = Tuning(pdp, lab.sweep(pdp, users(2), "thing", amount=[50, 150, 250], code="aa"))
        more = tuning.decisions({"amount <= 100": 200})
        assert more.counts()["ALLOW"] == 4
        with pytest.raises(lab.PolicyError):
            tuning.decisions({'code.matches("^a+$")': "["})
        assert tuning.decisions({"amount <= 100": 300}).counts()["ALLOW"] == 6
        assert tuning.decisions({"amount <= 100": 99.5}).counts()["ALLOW"] == 2  # an int becomes a double
        tuning.close()


def test_records_are_needed_to_say_how_to_read_them(pdp: lab.PDP, tuning: Tuning) -> None:
    with pytest.raises(lab.InputError, match="records="):
        Tuning(pdp, tuning.before, replayed={"status": "OPEN"})
    with pytest.raises(lab.InputError, match="must be a PDP"):
        Tuning("policies", tuning.before)  # type: ignore[arg-type]

"""Comparisons of two answers: exact intervals, who gains and who loses, and a witness for each claim."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import generated_policies
import numpy as np
import pytest
from compared import people
from compared_changes import assert_changes
from small_policies import resource_policy, rule
from small_policies import write as write_to

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.change_groups import inside

GRID: dict[str, Any] = {"amount": lab.amounts(0, 60_000, step=500), "status": "OPEN", "department": "sales"}
Write = Callable[..., Path]


@pytest.fixture
def decisions(pdp: lab.PDP) -> lab.Decisions:
    """Who may approve sample expenses of others, in two regions."""
    who = lab.load_principals("data/clerk_users.json")
    asked: dict[str, Any] = {**GRID, "region": ["northeast", "south"], "owner": lab.OTHER}
    return lab.sweep(pdp, who, "expense", actions=["approve"], **asked)


def test_a_moved_limit_is_a_plan_with_exact_amounts(pdp: lab.PDP, decisions: lab.Decisions) -> None:
    with lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
        changes = lab.compare(decisions, moved)
    assert changes.verdict == "only more"
    assert changes.lost == ()
    lines = repr(changes).splitlines()
    assert lines[0] == f"Only more: {len(changes.gained)} of 96 people gain, nobody loses."
    assert "every amount; region northeast, south" in lines[1]
    first = next(line for line in lines if line.startswith("+ "))
    assert "gain approve for 5,000 < amount ≤ 7,500 with region northeast" in first
    frame = changes.frame()
    assert set(zip(frame["lower"], frame["upper"], strict=True)) == {(5_000.0, 7_500.0)}
    assert not frame["lower_closed"].any()
    assert frame["upper_closed"].all()
    for group in changes.groups:
        assert (group.witness.before, group.witness.after) == ("DENY", "ALLOW")
        assert group.witness.why_after == "ALLOW by manager-approves-in-any-region."
        assert group.witness.values["amount"] == 7_500


def test_the_same_in_reverse_is_lost(pdp: lab.PDP, decisions: lab.Decisions) -> None:
    with lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
        changes = lab.compare(moved, decisions)
    assert changes.verdict == "only less"
    assert repr(changes).splitlines()[0].endswith("people lose, nobody gains.")


def test_a_comparison_names_nobody_and_is_data_and_markdown_too(
    pdp: lab.PDP, decisions: lab.Decisions
) -> None:
    with lab.what_if(pdp, cross_region_manager_limit=7_500, finance_limit=40_000) as moved:
        changes = lab.compare(decisions, moved)
    assert changes.verdict == "more and less"
    data = json.loads(json.dumps(changes.to_dict()))
    assert (data["version"], data["verdict"], data["along"]) == (1, "more and less", "amount")
    assert data["gained"] == len(changes.gained)
    assert {group["change"] for group in data["groups"]} == {"gained", "lost"}
    texts = [repr(changes), changes._repr_html_(), changes.to_markdown(), json.dumps(data)]
    for text in texts:
        assert "user_" not in text
        assert "p-" in text
    assert "&lt;" in changes._repr_html_()
    assert changes.to_markdown().count("\n- `") == len(changes.groups)


def test_equal_answers_are_equivalent(decisions: lab.Decisions) -> None:
    changes = lab.compare(decisions, decisions)
    assert changes.verdict == "equivalent"
    assert changes.frame().empty
    assert repr(changes).startswith("Equivalent: nothing changes for 96 people.")


def test_folders_revisions_and_evaluation_modes_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    who = people(limit=[5, 50, "x"])
    write_to(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, cwd=tmp_path)
    both = [rule("R.attr.amount <= P.attr.limit"), rule("R.attr.amount < 7")]
    write_to(tmp_path / "p", thing=resource_policy(*both))
    changes = lab.compare("main:p", "p", who, "thing", amount=[0, 100])
    assert changes.verdict == "only more"
    assert [(one.principals, one.interval) for one in changes.groups] == [
        (("u0",), (5.0, False, 7.0, False)),
        (("u2",), (float("-inf"), False, 7.0, False)),
    ]
    with lab.PDP("p") as lenient, lab.PDP("p", strict=True) as strict:
        changes = lab.compare(lenient, strict, who, "thing", amount=[0, 100])
    assert changes.verdict == "only less"
    assert changes.lost == ("u2",)
    for wrong, message in (("nowhere", "is no folder"), ("main:q", "git can't read"), ("x:p", "git can't")):
        with pytest.raises(lab.InputError, match=message):
            lab.compare("p", wrong, who, "thing", amount=[0, 100])


def test_answers_to_different_questions_are_refused(small: lab.PDP) -> None:
    who = people(x=[1, 2, 3])
    one = lab.sweep(small, who, "thing", amount=[1, 2], unit="a")
    for other, message in (
        (lab.sweep(small, who, "thing", amount=[1, 3], unit="a"), "different values of amount"),
        (lab.sweep(small, who, "thing", amount=[1, 2], unit="b"), "'unit' is a in the first answer"),
        (lab.sweep(small, who, "thing", amount=[1, 2]), "'unit' is a in the first answer and not given"),
        (lab.sweep(small, who, "thing", amount=[1, 2], unit=["a", "b"]), "axes"),
    ):
        with pytest.raises(lab.InputError, match=message):
            lab.compare(one, other)
    assert (
        lab.compare(one, lab.sweep(small, who[::-1], "thing", amount=[2, 1], unit="a")).verdict
        == "equivalent"
    )
    with pytest.raises(lab.InputError, match="leave out kind"):
        lab.compare(one, small, None, "thing")
    with pytest.raises(lab.InputError, match="say whom"):
        lab.compare(small, small)
    with pytest.raises(lab.InputError, match="'unit' is not a numeric axis"):
        lab.compare(one, one, along="unit")


def test_the_same_people_with_other_attributes_are_compared(write: Write) -> None:
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))) as pdp:
        before = lab.sweep(pdp, people(limit=[5, 50, 7]), "thing", amount=[0, 100])
        after = lab.sweep(pdp, people(limit=[5, 20, 9]), "thing", amount=[0, 100])
        changes = lab.compare(before, after)
    assert [(one.change, one.principals, one.interval) for one in changes.groups] == [
        ("gained", ("u2",), (7.0, False, 9.0, True)),
        ("lost", ("u1",), (20.0, False, 50.0, True)),
    ]
    assert [(one.witness.before, one.witness.after) for one in changes.groups] == [
        ("DENY", "ALLOW"),
        ("ALLOW", "DENY"),
    ]


@pytest.mark.parametrize("amounts", [[0, 100], 3])
def test_who_joined_gains_and_who_left_loses(write: Write, amounts: Any) -> None:
    who = people(limit=[5, 50, 7, 1]).assign(id=["ann", "bob", "cyd", "dee"])
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))) as pdp:
        before = lab.sweep(pdp, who.iloc[[0, 1, 3]], "thing", amount=amounts, size=[1, 2])
        after = lab.sweep(pdp, who.iloc[[2, 1, 3]], "thing", amount=amounts, size=[1, 2])
        changes = lab.compare(before, after, along=None if amounts == 3 else "amount")
    assert (changes.gained, changes.lost) == (("cyd",), ("ann",))
    assert changes.notes[0].startswith("1 joined and 1 left")
    assert [(one.change, one.witness.before, one.witness.after) for one in changes.groups] == [
        ("gained", None, "ALLOW"),
        ("lost", "ALLOW", None),
    ]
    assert repr(changes).startswith("More and less: 1 of 4 people gains, 1 loses.")
    assert "ann" not in repr(changes)


def test_two_dates_of_a_list_of_people_are_compared(write: Write) -> None:
    monday = people(limit=[5, 50, 7, 1], phone=["1", "2", "3", "4"]).assign(id=["ann", "bob", "cyd", "dee"])
    friday = monday.iloc[1:].assign(limit=[50.0, 9, 1], phone=["2", "3", "5"])
    friday["roles"] = [("boss",), ("user",), ("user",)]
    again = monday.assign(limit=[5.0, 50.0, 7.0, 1.0])
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))) as pdp:
        changes = lab.compare_people(pdp, monday, friday, "thing", amount=[0, 100])
        same = lab.compare_people(pdp, monday, again, "thing", amount=[0])
    assert [(one.change, one.principals) for one in changes.groups] == [
        ("gained", ("cyd",)),
        ("lost", ("bob",)),
        ("lost", ("ann",)),
    ]
    assert "0 joined and 1 left" in changes.notes[0]
    assert changes.notes[1] == "3 of 3 people have another profile: roles of 1, limit of 1, phone of 1."
    assert not any(name in repr(changes) for name in ("ann", "bob", "cyd"))
    assert (same.verdict, same.notes) == ("equivalent", ())


def test_without_a_numeric_axis_cells_are_compared(write: Write) -> None:
    who = people(team=["a", "b", "c"])
    with lab.PDP(write(thing=resource_policy(rule("R.attr.team == P.attr.team")))) as pdp:
        before = lab.sweep(pdp, who, "thing", team=["a", "b", "d"])
        write(thing=resource_policy(rule("R.attr.team == P.attr.team || R.attr.team == 'd'")))
        after = lab.sweep(pdp, who, "thing", team=["a", "b", "d"])
    changes = lab.compare(before, after)
    assert [(one.where, one.principals, one.interval) for one in changes.groups] == [
        ({"team": ("d",)}, ("u0", "u1", "u2"), None)
    ]


def test_nothing_changes_between_two_numbers_without_one_between_them(write: Write) -> None:
    who = people(limit=[100.01, 7])
    beyond = float(np.nextafter(100.01, np.inf))
    below = f"R.attr.amount < {beyond!r} && R.attr.amount != P.attr.limit"
    with lab.PDP(write(thing=resource_policy(rule(below)))) as pdp:
        before = lab.sweep(pdp, who, "thing", amount=[0, 200])
        write(thing=resource_policy(rule("R.attr.amount < 100")))
        changes = lab.compare(before, pdp)
    rows = changes.frame()
    lost = rows[rows["change"] == "lost"]
    assert list(zip(lost["principal"], lost["lower"], lost["upper"], strict=True)) == [
        ("u0", 100.0, 100.01),
        ("u1", 100.0, beyond),
    ]


def test_nothing_lies_beyond_the_largest_number(write: Write) -> None:
    largest = 1.7976931348623157e308
    with lab.PDP(write(thing=resource_policy(rule(f"R.attr.amount <= {largest!r}")))) as pdp:
        before = lab.sweep(pdp, people(x=[1, 2]), "thing", amount=[0, largest])
        write(thing=resource_policy(rule(f"R.attr.amount != {largest!r}")))
        changes = lab.compare(before, pdp)
    assert [one.interval for one in changes.groups] == [(largest, True, float("inf"), False)]


def test_a_text_is_not_the_value_that_it_looks_like(write: Write) -> None:
    same = "R.attr.team == null || R.attr.team == '5.0' || R.attr.team == true"
    with lab.PDP(write(thing=resource_policy(rule("false")))) as pdp:
        teams = ["null", None, "5.0", 5, True, "true"]
        before = lab.sweep(pdp, people(x=[1, 2]), "thing", team=teams)
        write(thing=resource_policy(rule(same)))
        changes = lab.compare(before, lab.sweep(pdp, people(x=[1, 2]), "thing", team=teams))
    assert [one.where for one in changes.groups] == [{"team": (None, "5.0", True)}]
    assert changes.groups[0].principals == ("u0", "u1")


def test_thousands_of_different_changes_take_seconds_and_say_what_was_asked_again(write: Write) -> None:
    who = people(limit=[100 + n / 4 for n in range(3_000)])
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount < P.attr.limit")))) as pdp:
        before = lab.sweep(pdp, who, "thing", amount=[0, 60_000])
        write(thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))
        start = time.process_time()
        changes = lab.compare(before, pdp)
        assert time.process_time() - start < 10
    assert len(changes.groups) == 3_000
    assert changes.groups[7].interval == (101.75, True, 101.75, True)
    assert "200 largest of 3,000 groups were asked again" in changes.notes[0]
    assert [one.witness.after for one in changes.groups[199:201]] == ["ALLOW", None]


@pytest.mark.parametrize(
    ("interval", "number"),
    [
        ((5_000, False, 7_500, True), 7_500),
        ((5_000, True, 7_500, False), 5_000),
        ((5_000, False, 7_500, False), 6_250),
        ((5_000, False, np.inf, False), 5_000.01),
        ((-np.inf, False, 7.0, False), 6.99),
        ((-np.inf, False, np.inf, False), 0),
        ((1e300, False, np.inf, False), np.nextafter(1e300, np.inf)),
    ],
)
def test_a_witness_is_inside_its_interval(interval: tuple[float, bool, float, bool], number: float) -> None:
    assert inside(interval) == number


FINER = sorted({value + d for value in generated_policies.AMOUNTS for d in (-0.005, 0, 0.005, 1.5)})


FIRST, STOP = map(int, os.environ.get("LAB_COMPARED", "500:510").split(":"))
"""Which generated policies are compared."""


@pytest.mark.parametrize("start", range(FIRST, STOP, 10))
def test_changes_of_generated_policies_are_those_of_every_cell(tmp_path: Path, start: int) -> None:
    asked = generated_policies.batch(tmp_path / "a", range(start, start + 10))
    generated_policies.batch(tmp_path / "b", range(start + 3_000, start + 3_010))
    for path in (tmp_path / "b").glob("*.json"):
        renamed = path.read_text(encoding="utf-8").replace("kind35", "kind5")
        path.unlink()
        (tmp_path / "b" / path.name.replace("kind35", "kind5")).write_text(renamed, encoding="utf-8")
    who = generated_policies.people()
    with lab.PDP(tmp_path / "a") as one, lab.PDP(tmp_path / "b") as other:
        for kind, given in list(asked.items())[: len(asked) if STOP > 510 else 2]:
            given.pop("scope", None)
            sent = {**given, "actions": ["see", "do"]}
            then, now = (lab.sweep(pdp, who, kind, audit=0, **sent) for pdp in (one, other))
            changes = lab.compare(then, now, along="amount")
            lines_known = all(one.thresholds("amount")["exact"].all() for one in (then, now))
            exact = {"amount": FINER} if lines_known else {}
            cells = [
                lab.sweep(pdp, who, kind, method="every-cell", **{**sent, **exact}) for pdp in (one, other)
            ]
            assert_changes(changes, *cells)


def test_a_folder_in_a_revision_is_that_of_the_repository_wherever_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's archive alone would leave out what is not below the same path as the working directory."""
    for folder, limit in (("p", 5), ("p/sub", 7), ("sub", 9)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        kind = "thing" if folder == "p" else folder.replace("/", "-")
        write_to(tmp_path / folder, thing=resource_policy(rule(f"R.attr.amount <= {limit}"), kind=kind))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "thing.yaml").symlink_to("../p/thing.yaml")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, cwd=tmp_path)
    who = people(limit=[5])
    for place, given in ((".", "p"), ("sub", "p"), ("sub", "../p"), ("p", "."), ("p", "./."), ("p/sub", "p")):
        monkeypatch.chdir(tmp_path / place)
        changes = lab.compare(f"main:{given}", tmp_path / "p", who, "thing", amount=[0, 100])
        assert changes.verdict == "equivalent", (place, given)
    with pytest.raises(lab.InputError, match=r"'thing\.yaml', which is a link to a place outside"):
        lab.compare("main:linked", tmp_path / "p", who, "thing", amount=[0, 100])


def test_a_text_where_the_policies_have_numbers_is_told(tmp_path: Path) -> None:
    with lab.PDP(write_to(tmp_path, thing=resource_policy(rule("R.attr.amount <= 5")))) as pdp:
        changes = lab.compare(pdp, pdp, people(limit=[5]), "thing", amount="0:60000")
    assert "The policies compare amount with numbers, but it was sent as text" in changes.notes[-1]

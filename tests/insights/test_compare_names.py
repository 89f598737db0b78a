"""Comparisons of policies of which only one side has an action, a kind, a version or a scope."""

from pathlib import Path
from typing import Any

import pytest
from compared import people
from small_policies import resource_policy, rule
from small_policies import write as write_to

import clerk_cerbos_lab as lab

APPROVE = rule("R.attr.amount <= P.attr.limit", actions=["approve"])
VIEW = rule("R.attr.amount < 7", actions=["view"])
NO_ACTION = "no action 'approve' in the policies of 'thing'"
WHO = people(limit=[5, 50])
ASKED: dict[str, Any] = {"amount": [0, 100]}


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Write policies of two actions, and the same without the rule about one of them."""
    before = write_to(tmp_path / "before", thing=resource_policy(APPROVE, VIEW), other=_other())
    after = write_to(tmp_path / "after", thing=resource_policy(VIEW), other=_other())
    return before, after


def _other(*, scope: str = "") -> str:
    return resource_policy(rule("true"), kind="other", scope=scope)


def test_who_could_do_what_no_rule_names_any_more_loses_it(sides: tuple[Path, Path]) -> None:
    for changes in (lab.compare(*sides, WHO, "thing", **ASKED), _of_decisions(*sides)):
        assert changes.verdict == "only less"
        assert [(one.action, one.principals, one.interval) for one in changes.groups] == [
            ("approve", ("u0",), (float("-inf"), False, 5.0, True)),
            ("approve", ("u1",), (float("-inf"), False, 50.0, True)),
        ]
        assert [(one.witness.before, one.witness.after) for one in changes.groups] == [("ALLOW", "DENY")] * 2
        assert changes.notes == (f"After the change: {NO_ACTION}; the PDP was asked all the same.",)
        assert changes.groups[0].witness.why_after == "DENY: no rule allows the action."
    back = lab.compare(*sides[::-1], WHO, "thing", **ASKED)
    assert (back.verdict, back.after.actions) == ("only more", ("view", "approve"))
    assert back.notes[0].startswith("Before the change: no action 'approve'")


def _of_decisions(before: Path, after: Path) -> lab.Changes:
    with lab.PDP(before) as pdp, lab.PDP(after) as other:
        return lab.compare(lab.sweep(pdp, WHO, "thing", **ASKED), other)


def test_an_action_that_is_new_is_gained_and_decisions_say_what_they_leave_out(
    sides: tuple[Path, Path],
) -> None:
    after, before = sides
    with lab.PDP(before) as pdp, lab.PDP(after) as other:
        old = lab.sweep(pdp, WHO, "thing", **ASKED)
        changes = lab.compare(old, other)
        assert changes.verdict == "equivalent"
        assert changes.notes == ("Named on one side only, and not compared: approve.",)
        new = lab.sweep(other, WHO, "thing", **ASKED)
        with pytest.raises(lab.InputError, match=r"lab\.compare\(before, pdp\) asks a PDP about both"):
            lab.compare(old, new)
        assert {one.action for one in lab.compare(pdp, new).groups} == {"approve"}


def test_a_kind_a_version_or_a_scope_of_one_side_is_compared(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    east = resource_policy(VIEW, scope="east")
    write_to(whole, thing=resource_policy(APPROVE), two=resource_policy(APPROVE, version="2"), east=east)
    write_to(
        whole, other=_other(), other_east=_other(scope="east"), more=resource_policy(APPROVE, kind="gone")
    )
    write_to(part, thing=resource_policy(APPROVE), other=_other(), other_east=_other(scope="east"))
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        ("gone", {}, "approve", "no policy is about the resource kind 'gone'"),
        ("thing", {"policy_version": "2"}, "approve", "'thing' has no policy version '2'"),
        ("thing", {"scope": "east"}, "view", "no action 'view' in the policies of 'thing'"),
    ]
    for kind, where, action, why in cases:
        changes = lab.compare(whole, part, WHO, kind, **ASKED, **where)
        assert (changes.verdict, changes.lost) == ("only less", ("u0", "u1")), kind
        assert {one.action for one in changes.groups} == {action}
        assert changes.notes == (f"After the change: {why}; the PDP was asked all the same.",)
        assert all((one.witness.before, one.witness.after) == ("ALLOW", "DENY") for one in changes.groups)
    (part / "other_east.yaml").unlink()
    changes = lab.compare(whole, part, WHO, "thing", **ASKED, scope="east")
    assert changes.lost == ("u0", "u1")
    assert "has no policy in the scope 'east'" in changes.notes[0]


def test_a_name_that_neither_side_has_is_refused(sides: tuple[Path, Path]) -> None:
    for kind, more, message in (
        ("thing", {"actions": "aprove"}, "no action 'aprove' in the policies of 'thing'; did you mean 'appr"),
        ("thin", {}, "no policy is about the resource kind 'thin'; did you mean 'thing'"),
        ("thing", {"policy_version": "3"}, "'thing' has no policy version '3'"),
        ("thing", {"scope": "east"}, "'thing' has no policy in the scope 'east'"),
    ):
        with pytest.raises(lab.InputError, match=message):
            lab.compare(*sides, WHO, kind, **ASKED, **more)


def test_an_open_table_follows_an_edit_that_removes_an_action(sides: tuple[Path, Path]) -> None:
    before, _ = sides
    with lab.PDP(before) as pdp:
        old = lab.sweep(pdp, WHO, "thing", **ASKED)
        changes = lab.compare(old, pdp)
        shown: Any = changes.show()
        assert shown.widget.kind
        write_to(before, thing=resource_policy(VIEW))
        assert shown._draw(pdp)
        assert shown._now.lost == ("u0", "u1")
        assert shown._now.notes[0].startswith("After the change: no action 'approve'")

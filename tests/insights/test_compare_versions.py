"""Comparisons of versions of Cerbos, and of its modes of evaluation, under the same policies."""

from pathlib import Path
from typing import Any

import pytest
from compared import people
from older import VERSION, older_binary
from small_policies import resource_policy, rule
from small_policies import write as write_to

import clerk_cerbos_lab as lab

WHO = people(limit=[5, 50, "x"])
ASKED: dict[str, Any] = {"amount": [0, 100], "tag": ["a", lab.MISSING]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a policy with a condition that fails in the older version only, if ``tag`` is not sent."""
    return write_to(
        tmp_path / "p",
        thing=resource_policy(rule("!(R.attr.tag in []) && R.attr.amount <= P.attr.limit")),
    )


def test_a_newer_version_that_decides_otherwise_is_a_verdict_with_both_versions(folder: Path) -> None:
    with lab.PDP(folder, binary=older_binary()) as old, lab.PDP(folder) as new:
        assert (old.version, new.version) == (VERSION, "0.55.0")
        assert old.engine == "embedded, a given binary"
        changes = lab.compare(old, new, WHO, "thing", **ASKED)
        back = lab.compare(new, old, WHO, "thing", **ASKED)
    assert (changes.verdict, changes.gained) == ("only more", ("u0", "u1"))
    assert [(one.where, one.interval) for one in changes.groups] == [
        ({"tag": (lab.MISSING,)}, (float("-inf"), False, 5.0, True)),
        ({"tag": (lab.MISSING,)}, (float("-inf"), False, 50.0, True)),
    ]
    witness = changes.groups[0].witness
    assert (witness.before, witness.after) == ("DENY", "ALLOW")
    assert witness.why_before.startswith("DENY")
    assert "ALLOW by" in witness.why_after
    told = f"Between Cerbos {VERSION} (lenient) and Cerbos 0.55.0 (lenient), with the same policies."
    assert repr(changes).splitlines()[:2] == ["Only more: 2 of 3 people gain, nobody loses.", told]
    assert told in changes.to_markdown()
    assert told in changes._repr_html_()
    assert [changes.to_dict()[side]["cerbos"] for side in ("before", "after")] == [VERSION, "0.55.0"]
    assert (back.verdict, back.lost) == ("only less", ("u0", "u1"))


def test_what_is_made_from_an_older_pdp_has_its_version(folder: Path, tmp_path: Path) -> None:
    with lab.PDP(folder, binary=older_binary()) as old:
        every = lab.sweep(old, WHO, "thing", method="every-cell", **ASKED)
        found = lab.sweep(old, WHO, "thing", audit="all", **ASKED)
        assert (found.allowed() == every.allowed()).all()
        why = found.why(principal="u0", action="approve", amount=0, tag=lab.MISSING)
        assert why.effect == "DENY"
        found.to_tests(tmp_path / "thing_test.yaml", names=True)  # run by the older cerbos compile
        with lab.draft(old).pdp as draft:
            assert draft.version == VERSION


def test_strict_evaluation_is_compared_with_lenient(folder: Path) -> None:
    with lab.PDP(folder) as lenient, lab.PDP(folder, strict=True) as strict:
        changes = lab.compare(lenient, strict, WHO, "thing", **ASKED)
        same = lab.compare(lenient, lenient, WHO, "thing", **ASKED)
    told = "Between Cerbos 0.55.0 (lenient) and Cerbos 0.55.0 (strict), with the same policies."
    assert repr(changes).splitlines()[1] == told
    assert "Between" not in repr(same)


def test_a_program_that_can_not_be_used_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="binary= must be the path of a Cerbos program"):
        lab.PDP(folder, binary=tmp_path / "nowhere")
    with pytest.raises(lab.InputError, match="binary= are for a PDP that is started here"):
        lab.PDP(address="localhost:3593", binary=older_binary())
    with pytest.raises(lab.PDPError, match="field strictEvaluation not found"):
        lab.PDP(folder, binary=older_binary(), strict=True)

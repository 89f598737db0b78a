"""The copy of the policies that explains decisions decides as they do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from generated_policies import batch
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli.doctor import examine
from clerk_cerbos_lab.insights.agreement import agreement
from clerk_cerbos_lab.pdp.instrumented import Instrumented


def test_the_copy_of_the_sample_policies_agrees() -> None:
    with lab.PDP("policies") as pdp:
        found = agreement(pdp)
    assert found is not None
    assert found.asked == 180
    assert found.differing == ()


@pytest.mark.parametrize("strict", [False, True])
def test_the_copy_of_generated_policies_agrees(tmp_path: Path, *, strict: bool) -> None:
    batch(tmp_path / "policies", range(40, 48))
    with lab.PDP(tmp_path / "policies", strict=strict) as pdp:
        found = agreement(pdp)
    assert found is not None
    assert found.asked >= 480
    assert found.differing == ()


def test_doctor_reports_a_copy_that_decides_otherwise(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(thing=resource_policy(rule("R.attr.amount <= 5", actions=["approve"])))
    (said,) = [one for one in examine(folder) if one.what == "Explanations"]
    assert (said.mark, said.found) == (
        "✓",
        "60 made-up requests have the same effects in the copy of the policies that explains",
    )
    real = Instrumented._flow_files

    def wrong(self: Instrumented) -> dict[str, bytes]:
        files = {name: json.loads(text) for name, text in real(self).items()}
        for document in files.values():
            for one in document["resourcePolicy"]["rules"]:
                one["effect"] = "EFFECT_DENY"
        return {name: json.dumps(document).encode() for name, document in files.items()}

    monkeypatch.setattr(Instrumented, "_flow_files", wrong)
    (said,) = [one for one in examine(folder) if one.what == "Explanations"]
    assert said.mark == "✗"
    assert "differ in the copy of the policies that explains: thing, approve" in said.found

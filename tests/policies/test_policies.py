"""The sample policies pass their own Cerbos tests and answer the founding question."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp.engines import installed_binary

POLICIES = Path(__file__).parents[2] / "policies"
SUITES = {"Contact", "Document", "Expense"}
ASKED = [5_000, 10_000, 50_000]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Return what ``cerbos compile`` reports, tests included."""
    command = [str(installed_binary()), "compile", str(POLICIES), "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def results(node: Any) -> Iterator[str]:
    """The result of every test below a node of the report."""
    if isinstance(node, dict):
        if isinstance(node.get("result"), str):
            yield node["result"]
        for part in node.values():
            yield from results(part)
    elif isinstance(node, list):
        for part in node:
            yield from results(part)


def test_every_cerbos_suite_runs_and_every_test_passes(report: dict[str, Any]) -> None:
    assert {suite["name"] for suite in report["suites"]} == SUITES
    found = list(results(report["suites"]))
    assert len(found) > 1_000
    assert set(found) == {"RESULT_PASSED"}
    assert report["summary"]["overallResult"] == "RESULT_PASSED"


def test_no_suite_and_no_test_is_skipped(report: dict[str, Any]) -> None:
    assert "SKIPPED" not in json.dumps(report)
    for suite in report["suites"]:
        tallies = {tally["result"] for tally in suite["summary"]["resultCounts"]}
        assert tallies == {"RESULT_PASSED"}


def person(name: str, role: str, **attributes: object) -> dict[str, object]:
    return {"id": name, "roles": (role,), **attributes}


GROUPS = pd.DataFrame(
    [
        person("manager of the northeast", "manager", region="northeast"),
        person("manager of the south", "manager", region="south"),
        person("manager of the south up to 25,000", "manager", region="south", approval_limit=25_000),
        person("finance", "finance", region="northeast"),
        person("employee", "employee", region="south"),
        person("admin", "admin", region="south"),
        person("without a role", "user", region="south"),
    ],
    dtype=object,
).fillna(lab.MISSING)


def test_the_founding_question_is_answered_for_each_group_without_one_group_per_amount(
    pdp: lab.PDP,
) -> None:
    answer = lab.sweep(
        pdp,
        GROUPS,
        "expense",
        actions="approve",
        amount=ASKED,
        region="south",
        owner=lab.OTHER,
        status="OPEN",
    ).matrix()
    assert (answer == "ALLOW").to_numpy().tolist() == [
        [True, False, False],  # the northeast approves 5,000 of the south, and no more
        [True, True, False],  # in one's own region 10,000
        [True, True, False],  # 25,000 is a person's own, and no group
        [True, True, True],  # finance approves all three
        [False, False, False],
        [False, False, False],
        [False, False, False],
    ]


def test_each_limit_is_inclusive_to_the_cent(pdp: lab.PDP) -> None:
    amounts = [0, 0.01, 5_000, 5_000.01, 10_000, 10_000.01, 25_000, 25_000.01, 50_000, 50_000.01]
    decisions = lab.sweep(
        pdp, GROUPS, "expense", actions="approve", amount=amounts, region="south", owner="x", status="OPEN"
    )
    allowed = decisions.thresholds("amount").query("effect == 'ALLOW'").set_index("principal")
    assert allowed["upper"].to_dict() == {
        "manager of the northeast": 5_000,
        "manager of the south": 10_000,
        "manager of the south up to 25,000": 25_000,
        "finance": 50_000,
    }
    assert set(allowed["lower"]) == {0}
    assert not allowed["lower_closed"].any()
    assert allowed["upper_closed"].all()
    assert allowed["exact"].all()


def test_nobody_approves_their_own_expense(pdp: lab.PDP) -> None:
    own = lab.sweep(
        pdp, GROUPS, "expense", actions="approve", amount=ASKED, owner=lab.SELF, region="south", status="OPEN"
    )
    assert own.counts()["ALLOW"] == 0

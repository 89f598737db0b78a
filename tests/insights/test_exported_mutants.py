"""Suites made from decisions: green on the policies that decided, red on almost any edit of them."""

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from policy_mutants import Mutant, mutants, renamed, written
from small_policies import resource_policy, rule, users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp.engines import find_engine

EVERY = int(os.environ.get("LAB_EXPORTED_MUTANTS", "40"))
"""Of how many mutants one is tried."""

FAILED = 4
"""The exit code of ``cerbos compile`` after a test has failed."""

NAMES = ("expense", "derived_roles", "limits")
QUESTION: dict[str, Any] = {
    "amount": lab.amounts(0, 60_000, step=5_000),
    "region": ["northeast", "south"],
    "department": ["sales", "legal"],
    "status": ["OPEN", "DRAFT", "APPROVED", "PAID"],
    "owner": [lab.SELF, lab.OTHER],
}


@pytest.fixture(scope="module")
def decisions(pdp: lab.PDP) -> lab.Decisions:
    return lab.sweep(pdp, lab.load_principals("data/clerk_users.json"), "expense", **QUESTION)


def sample() -> list[dict[str, Any]]:
    return [yaml.safe_load(Path(f"policies/{name}.yaml").read_text(encoding="utf-8")) for name in NAMES]


def changing(folder: Path, decisions: lab.Decisions, some: list[Mutant]) -> list[Mutant]:
    """The mutants that decide anything else in the sweep, at any amount."""
    for number, one in enumerate(some):
        written(renamed(one.policies, f"m{number}"), folder, f"m{number}")
    wanted = signature(decisions)
    with lab.PDP(folder) as running:
        found = []
        for number, one in enumerate(some):
            try:
                made = lab.sweep(running, decisions.principals, f"expensem{number}", audit=0, **QUESTION)
            except lab.InputError:  # no rule is left
                continue
            if signature(made) != wanted:
                found.append(one)
    return found


def signature(decisions: lab.Decisions) -> bytes:
    table = decisions.thresholds("amount").drop(columns=["boundary"])
    return table.to_csv(index=False).encode()


def test_the_suite_of_a_sweep_fails_on_almost_every_edit(tmp_path: Path, decisions: lab.Decisions) -> None:
    made = decisions.to_tests(tmp_path / "expense_test.yaml")
    assert made.checked
    suite = made.path.read_text(encoding="utf-8")
    assert "user_" not in suite
    some = changing(tmp_path / "kinds", decisions, list(mutants(sample()))[::EVERY])
    survived: Counter[str] = Counter()
    for number, one in enumerate(some):
        folder = tmp_path / f"mutant{number}"
        written(one.policies, folder, "policy")
        (folder / "expense_test.yaml").write_text(suite, encoding="utf-8")
        done = subprocess.run(
            find_engine().test_command(folder, strict=False), capture_output=True, check=False
        )
        assert done.returncode in {0, FAILED}, (one.place, done.stderr, done.stdout[-500:])
        survived[f"{one.edit}: {one.place}"] += done.returncode == 0
    killed = 1 - survived.total() / len(some)
    sys.stdout.write(f"\n{made.cases:,} cases fail on {killed:.1%} of {len(some)} mutants\n")
    assert killed >= 0.95, [place for place, many in survived.items() if many]


def test_a_suite_has_both_sides_of_each_boundary_and_one_case_of_anything_else(
    tmp_path: Path, decisions: lab.Decisions
) -> None:
    made = decisions.sel(action=["approve", "view"]).to_tests(tmp_path / "expense_test.yaml")
    suite = yaml.safe_load(made.path.read_text(encoding="utf-8"))
    lines: dict[str, dict[float, str]] = {}
    for test in suite["tests"]:
        for part in test["expected"]:
            for name in part["resources"]:
                attr = dict(suite["resources"][name]["attr"])
                amount = attr.pop("amount")
                line = lines.setdefault(json.dumps([test["name"], attr], sort_keys=True), {})
                line[amount] = str(part["actions"])
    assert sum(map(len, lines.values())) == made.cases
    for line in lines.values():
        effects = [effect for _, effect in sorted(line.items())]
        flips = sum(one != other for one, other in itertools.pairwise(effects))
        assert len(effects) <= max(1, 2 * flips)


def test_a_suite_of_a_line_without_a_boundary_asks_where_others_have_the_other_effect(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    text = "R.attr.amount > 0 && R.attr.amount <= 100 && R.attr.open"
    with lab.PDP(write(thing=resource_policy(rule(text)))) as pdp:
        decisions = lab.sweep(pdp, users(), "thing", amount=[0, 500], open=[True, False])
        made = decisions.to_tests(tmp_path / "thing_test.yaml")
    suite = yaml.safe_load(made.path.read_text(encoding="utf-8"))
    asked = [(one["attr"]["open"], one["attr"]["amount"]) for one in suite["resources"].values()]
    assert asked == [(True, 0), (True, 0.01), (True, 100), (True, 100.01), (False, 100)]

"""What can reach what: policies in which everything does, compared with every cell, and broken on purpose."""

import os
import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reaching_mutants import MUTANTS
from reaching_policies import ACTIONS, AMOUNTS, REGIONS, SCOPES, Store, people

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.policies import index
from clerk_cerbos_lab.sweeps import exact_thresholds, sweep

pytestmark = [
    pytest.mark.filterwarnings("ignore:no policy names the action"),
    pytest.mark.filterwarnings("ignore:only role policies"),
]

KINDS = 8
"""Resource kinds, each a policy in up to three scopes, of one generated store."""

FIRST, LAST = map(int, os.environ.get("LAB_REACHING", "0:3").split(":"))

CAUGHT_IN = {
    "derived_roles_have_no_parents_by_pattern": 1,
    "derived_roles_are_not_read": 1,
    "rules_of_derived_roles_do_not_apply": 1,
    "a_backslash_means_itself": 7,
    "patterns_are_names": 7,
    "principal_policies_are_not_read": 23,
    "role_policies_are_not_read": 27,
    "scopes_are_not_read": 36,
    "who_is_named_is_nobody_special": 90,
    "runtime_is_never_read": 242,
    "actions_are_asked_together": 242,
    "runtime_is_read_by_the_own_rules_only": 392,
    "runtime_is_not_read_by_principal_and_role_policies": 392,
    "role_policies_give_no_roles": 392,
    "runtime_is_not_read_through_variables": 511,
}
"""The generated policy, counted over all stores, that first shows each error."""


def question(pdp: lab.PDP, kind: str) -> dict[str, Any] | None:
    """Return a sweep of a kind, with actions in some order and some scope; None if nothing can be asked."""
    made = random.Random(kind)
    actions, scope = made.sample(ACTIONS, len(ACTIONS)), made.choice(SCOPES)
    try:
        reached = pdp.reached(kind, scope=scope)
    except lab.InputError:
        return None
    known = [action for action in actions if can_be_asked(reached, action)]
    return {"actions": known, "scope": scope} if known else None


def can_be_asked(reached: Any, action: str) -> bool:
    """Return whether a policy can match an action."""
    try:
        reached.check_action(action)
    except lab.InputError:
        return False
    return True


def wrongly_exact(pdp: lab.PDP, kind: str, swept: lab.Decisions, asked: dict[str, Any]) -> list[str]:
    """Return the exact intervals that are wrong at, beside or between their ends, asking actions alone."""
    table = swept.thresholds("amount")
    assert table["exact"].all()
    made = random.Random(kind)
    wrong = []
    for row in made.sample(table.to_dict("records"), min(12, len(table))):
        person = swept.principals.loc[row["principal"]].to_dict()
        for end, closed in ((row["lower"], row["lower_closed"]), (row["upper"], row["upper_closed"])):
            beside = np.nextafter(end, -np.inf if end == row["upper"] else np.inf)
            for number in ([end] if closed else []) + [beside]:
                if np.isfinite(number) and row["lower"] <= number <= row["upper"]:
                    effect = pdp.is_allowed(
                        row["action"],
                        person,
                        kind,
                        {"amount": float(number), "region": row["region"]},
                        scope=asked["scope"],
                    )
                    if effect != (row["effect"] == "ALLOW"):
                        wrong.append(f"{kind} {row} at {number}")
    return wrong


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_sweeps_of_generated_policies_equal_every_cell(tmp_path: Path, seed: int) -> None:
    store = Store(seed, KINDS)
    with lab.PDP(store.write(tmp_path / "policies")) as pdp:
        for number, kind in enumerate(store.kinds):
            asked = question(pdp, kind)
            if asked is None:
                continue
            given = {**asked, "amount": AMOUNTS, "region": REGIONS}
            every = lab.sweep(pdp, people(), kind, method="every-cell", **given)
            swept = lab.sweep(pdp, people(), kind, audit=0, **given)
            assert (swept.allowed() == every.allowed()).all(), (kind, swept.provenance.notes)
            if number % 4 == 0:
                assert wrongly_exact(pdp, kind, swept, asked) == []


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_errors_about_what_can_matter_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seed, number = divmod(CAUGHT_IN[name], KINDS)
    store = Store(seed, KINDS)
    with lab.PDP(store.write(tmp_path / "policies")) as pdp:
        forget(pdp)  # other tests read the same policies, some of them wrong
        kind = store.kinds[number]
        asked = question(pdp, kind)
        assert asked
        given = {**asked, "amount": AMOUNTS, "region": REGIONS}
        every = lab.sweep(pdp, people(), kind, method="every-cell", **given).allowed()
        assert (lab.sweep(pdp, people(), kind, audit=0, **given).allowed() == every).all()
        MUTANTS[name](monkeypatch)
        forget(pdp)
        assert wrong_or_contradictory(pdp, people(), kind, given, every)


def forget(pdp: lab.PDP) -> None:
    """Clear the cached indexes: those from before the analysis was broken are right."""
    index._KEPT.clear()
    pdp._index = None


def wrong_or_contradictory(
    pdp: lab.PDP, some: pd.DataFrame, kind: str, given: dict[str, Any], right: Any
) -> bool:
    """Return whether a sweep without an audit is wrong, or contradicts itself along an axis."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", lab.LabWarning)
        swept = lab.sweep(pdp, some, kind, audit=0, **given)
    contradictory = any("have different effects" in str(one.message) for one in told)
    return contradictory or bool((swept.allowed() != right).any())


# -- the audit ----------------------------------------------------------------------------------

MANY_REGIONS = [*REGIONS, "north", *(f"r{i}" for i in range(4))]
MANY_AMOUNTS = list(range(601))


def crowd(seed: int, count: int = 48) -> pd.DataFrame:
    """Return many principals, including those whom policies name."""
    made = random.Random(seed)
    rows = people().to_dict("records")
    roles: Sequence[tuple[str, ...]] = [
        ("employee",),
        ("boss",),
        ("employee", "boss"),
        ("intern",),
        ("auditor",),
        ("visitor",),
    ]
    rows += [
        {
            "id": f"p{i}",
            "roles": made.choice(roles),
            "limit": made.choice([10, 100, 250.5, 400, 77, 333, 820]),
            "region": made.choice(MANY_REGIONS),
            "team": made.choice("abc"),
        }
        for i in range(count - len(rows))
    ]
    return pd.DataFrame(rows, dtype=object)


def found_by_audits(folder: Path, seeds: Sequence[int], count: int = KINDS) -> tuple[int, int]:
    """Break the analysis in every way on generated policies.

    Returns:
        Of how many sweeps with a wrong cell the default audit noticed; how many there were.
    """
    noticed = total = 0
    for seed in seeds:
        store, some = Store(seed, KINDS), crowd(seed)
        with lab.PDP(store.write(folder / str(seed))) as pdp:
            for kind in store.kinds[:count]:
                forget(pdp)
                asked = question(pdp, kind)
                if asked is None:
                    continue
                given = {
                    "actions": asked["actions"][:2],
                    "scope": asked["scope"],
                    "amount": MANY_AMOUNTS,
                    "region": MANY_REGIONS,
                }
                right = lab.sweep(pdp, some, kind, audit=0, **given).allowed()
                assert right[:, 0].size >= 100_000
                for name, patch in MUTANTS.items():
                    if name == "actions_are_asked_together":  # its audit is asked the same way
                        continue
                    with pytest.MonkeyPatch.context() as broken:
                        patch(broken)
                        forget(pdp)
                        broken.setattr(
                            exact_thresholds._Group, "_contradiction", lambda *_: None
                        )  # the audit alone
                        wrong = lab.sweep(pdp, some, kind, audit=0, **given).allowed() != right
                        if not wrong.any():
                            continue
                        total += 1
                        noticed += warned(broken, pdp, some, kind, given)
    return noticed, total


def warned(
    broken: pytest.MonkeyPatch, pdp: lab.PDP, some: pd.DataFrame, kind: str, given: dict[str, Any]
) -> bool:
    """Return whether the default audit notices, without then asking every cell."""

    def stop(self: Any, *_: object) -> Any:
        raise StopIteration

    broken.setattr(sweep._Answers, "_fallen_back", stop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lab.LabWarning)
        try:
            lab.sweep(pdp, some, kind, **given)
        except StopIteration:
            return True
    return False


@pytest.mark.long
def test_the_audit_notices_nearly_every_broken_analysis(tmp_path: Path) -> None:
    noticed, total = found_by_audits(tmp_path, range(FIRST, LAST))
    assert total >= 5 * (LAST - FIRST)
    assert noticed >= 0.95 * total, f"{noticed} of {total}"


def test_the_audit_notices_a_broken_analysis(tmp_path: Path) -> None:
    noticed, total = found_by_audits(tmp_path, [0], 2)
    assert (noticed, total) == (total, total)
    assert total

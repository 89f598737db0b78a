"""Comparisons of policies with the same policies after one edit, against every cell of both."""

import math
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import generated_policies
import numpy as np
import pandas as pd
import pytest
import situations
import yaml
from compared_changes import assert_changes
from policy_mutants import Mutant, Policy, mutants, numbers_in, renamed, written

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.sweeps.name_checks import NamedElsewhere
from clerk_cerbos_lab.values import key

EVERY = int(os.environ.get("LAB_COMPARED_MUTANTS", "150"))
"""Of how many mutants one is compared."""

PARTS = 1 if EVERY > 20 else 20
"""Each part has two PDPs, with a resource kind for each mutant."""

FIRST, STOP = map(int, os.environ.get("LAB_COMPARED_PARTS", f"0:{PARTS}").split(":"))
"""Which parts are compared."""

SCOPES = "SCOPE_PERMISSIONS_OVERRIDE_PARENT"
API = "api.cerbos.dev/v1"
VERDICTS = {
    (False, False): "equivalent",
    (True, False): "only more",
    (False, True): "only less",
    (True, True): "more and less",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Policies of one kind, and a question about it."""

    kind: str
    policies: list[Policy]
    people: pd.DataFrame
    asked: dict[str, Any]


def sample_sources() -> Iterator[Source]:
    """The sample policies, about people with each combination of roles, and managers with limits."""
    who = lab.load_principals("data/clerk_users.json")
    limited = who[[isinstance(limit, (int, float)) for limit in who["approval_limit"]]]
    some = pd.concat([who.loc[~who["roles"].duplicated()], limited.head(4)])
    some = some[~some["id"].duplicated()].reset_index(drop=True)
    owners = {"owner": [lab.SELF, lab.OTHER, ""]}
    expense = {
        "amount": [0, 1_000, 5_000, 20_000, 60_000],
        "region": ["northeast", "south"],
        "status": ["OPEN", "DRAFT", "PAID"],
        "department": "sales",
        **owners,
    }
    for kind, names, asked in (
        ("expense", ("expense", "derived_roles", "limits"), expense),
        ("document", ("document", "record_roles"), {"amount": [1, 2], **owners}),
        ("contact", ("contact", "record_roles"), {"amount": [1, 2], **owners}),
    ):
        files = [Path(f"policies/{name}.yaml").read_text(encoding="utf-8") for name in names]
        yield Source(kind, list(map(yaml.safe_load, files)), some, asked)


def generated_sources() -> Iterator[Source]:
    """Generated policies of both kinds, some of them in a scope."""
    for seed in range(900, 920):
        maker = generated_policies.Maker(seed, f"kind{seed}", SCOPES)
        policies = [{"apiVersion": API, **policy} for policy in maker.policies()]
        asked = maker.asked(scoped=len(policies) == 3)
        yield Source(maker.kind, policies, generated_policies.people(), asked)
    for seed in range(920, 940):
        one = situations.Maker(seed, SCOPES)
        policies = [{"apiVersion": API, **policy} for policy in one.policies()]
        scoped = any(policy.get("resourcePolicy", {}).get("scope") for policy in policies)
        case = one.case(scoped=scoped, versioned=False)
        yield Source(case.kind, policies, case.people, {**case.given, "amount": case.amounts})


@cache
def everything() -> list[tuple[Source, Mutant]]:
    """Every mutant of the sample, and seven of each generated policy; of each edit, some."""
    found = [(source, one) for source in sample_sources() for one in mutants(source.policies)]
    for source in generated_sources():
        every = list(mutants(source.policies))
        drawn = random.Random(source.kind)
        by_edit = {one.edit: one for one in drawn.sample(every, len(every))}
        chosen = drawn.sample(sorted(by_edit.values(), key=lambda one: one.place), min(7, len(by_edit)))
        if "another scope" in by_edit:
            chosen[-1] = by_edit["another scope"]
        found += [(source, one) for one in chosen]
    return found


COUNTED: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    sys.stdout.write(f"\nmutants: {dict(COUNTED)}\n")


@pytest.mark.parametrize("part", range(FIRST, STOP))
def test_an_edit_changes_what_every_cell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(
        "clerk_cerbos_lab.insights.compare.EXPLAINED", 0
    )  # an explanation starts a PDP of its own
    chosen = everything()[::EVERY][part::PARTS]
    batch = {f"m{number}": one for number, one in enumerate(chosen)}
    before, after = tmp_path / "before", tmp_path / "after"
    for name, (source, mutant) in batch.items():
        written(renamed(source.policies, name), before, name)
        written(renamed(mutant.policies, name), after, name)
    for folder in (before, after):
        written([_elsewhere(scope) for scope in ("", "acme", "elsewhere")], folder, "other")
    refused = _refused(after)
    COUNTED["do not compile"] += len(refused)
    for name in refused:
        for folder in (before, after):
            for path in folder.glob(f"{name}_*.json"):
                path.unlink()
    with lab.PDP(before) as one, lab.PDP(after) as other:
        for name, (source, mutant) in batch.items():
            if name not in refused:
                _tried([one, other], name, source, mutant)


def _tried(pdps: Sequence[lab.PDP], name: str, source: Source, mutant: Mutant) -> None:
    try:
        changes = _compared(pdps, name, source, mutant)
    except AssertionError as error:
        msg = f"{source.kind}: {mutant.edit} at {mutant.place}"
        raise AssertionError(msg) from error
    COUNTED["compared"] += 1
    COUNTED[changes.verdict] += 1
    COUNTED["witnesses"] += len(changes.groups)
    COUNTED["that leave no rule about an action"] += any("no action" in note for note in changes.notes)


def _compared(pdps: Sequence[lab.PDP], name: str, source: Source, mutant: Mutant) -> lab.Changes:
    sent = {"actions": ["see", "do"], **source.asked} if source.kind.startswith("kind") else source.asked
    kind = source.kind + name
    then = lab.sweep(pdps[0], source.people, kind, audit=0, **sent)
    sent = {**sent, "actions": NamedElsewhere(then.actions)}  # an edit may leave no rule about one of them
    now = lab.sweep(pdps[1], source.people, kind, audit=0, **sent)
    missing = "No action" in " ".join(now.provenance.notes)
    changes = lab.compare(then, pdps[1] if missing else now, along="amount")
    known = all(one.thresholds("amount")["exact"].all() for one in (then, now))
    amounts = list(sent["amount"])
    if known:
        numbers = numbers_in(mutant.policies, source.policies) | {float(x) for x in amounts}
        for column in source.people:
            numbers |= {float(x) for x in source.people[column] if type(x) in {int, float}}
        amounts = [x for n in sorted(numbers) for x in (n - 0.005, n, n + 0.005, math.nextafter(n, math.inf))]
    grid = sorted({x + 0.0 for x in amounts if math.isfinite(x)})  # no -0.0
    witnesses = {group.witness.values["amount"] for group in changes.groups}
    everything = {**sent, "amount": sorted({*grid, *witnesses})}
    cells = [lab.sweep(pdp, source.people, kind, method="every-cell", **everything) for pdp in pdps]
    compared = [one.sel(amount=grid) for one in cells]
    assert_changes(changes, *compared)
    old, new = (one.allowed() for one in cells)
    places = [_place(cells[0], group.witness, group.action) for group in changes.groups]
    effects = [(old[at], new[at]) for at in places]
    effects += list(zip(*(one.allowed().ravel() for one in compared), strict=True))
    pairs = set(map(tuple, np.unique(np.array(effects), axis=0).tolist()))
    assert changes.verdict == VERDICTS[(False, True) in pairs, (True, False) in pairs]
    for at, group in zip(places, changes.groups, strict=True):
        assert (bool(old[at]), bool(new[at])) == (group.change == "lost", group.change == "gained")
        assert (group.witness.before == "ALLOW", group.witness.after == "ALLOW") == (old[at], new[at])
    return changes


def _place(decisions: lab.Decisions, witness: Any, action: str) -> tuple[int, ...]:
    found = [decisions.names.index(witness.principal), decisions.actions.index(action)]
    found += [list(map(key, axis.values)).index(key(witness.values[axis.name])) for axis in decisions.axes]
    return tuple(found)


def _elsewhere(scope: str) -> Policy:
    """A policy that makes a scope exist."""
    body = {"resource": "other", "version": "default", "rules": []}
    return {
        "apiVersion": API,
        "resourcePolicy": {**body, **({"scope": scope, "scopePermissions": SCOPES} if scope else {})},
    }


def _refused(folder: Path) -> set[str]:
    """The mutants that do not compile, such as those that compare an int with a fraction."""
    try:
        with lab.PDP(folder):
            return set()
    except lab.PolicyError as error:
        names = {path.name.split("_")[0] for path in folder.glob("m*.json") if path.name in str(error)}
        if not names:
            raise
        return names


def test_there_are_enough_mutants_of_every_kind() -> None:
    edits = Counter(mutant.edit for _, mutant in everything())
    assert edits.total() >= 300
    for edit in ("a constant by a cent", "<= to <", "a dropped condition", "a swapped role"):
        assert edits[edit] >= 5, edits
    for edit in ("a removed rule", "ALLOW to DENY", "another scope", "a derived role's condition"):
        assert edits[edit] >= 5, edits
    assert np.all([edits[edit] for edit in edits])

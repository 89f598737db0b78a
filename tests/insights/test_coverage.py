"""``lab.coverage``: every label as written by hand, and every count as if each cell had been asked."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import generated_policies
import pandas as pd
import pytest
from explained import a_rule, person, policy, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.coverage import COVERED, IMPOSSIBLE, NOBODY, NOT_REACHED, PARTLY, Coverage
from clerk_cerbos_lab.decisions.explanation import APPLIED, UNMET, Condition

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[2] / "data"

FIRST, LAST = map(int, os.environ.get("LAB_COVERED", "0:3").split(":"))
"""Which generated policies are counted."""

Label = tuple[str, int, int, int, int]
"""Status, and in cells: true, false, error, not evaluated."""


@dataclass(frozen=True)
class Case:
    """Policies, who is asked, and the label of each part: ``part:rule`` or ``atom:rule:text``."""

    files: dict[str, str]
    labels: dict[str, Label]
    asked: dict[str, Any] = field(default_factory=dict)
    people: pd.DataFrame = field(default_factory=person)
    config: dict[str, Any] = field(default_factory=dict)
    strict: bool = False


def people(*rows: dict[str, Any]) -> pd.DataFrame:
    """A principals frame; what a row does not give is missing."""
    names = dict.fromkeys(name for row in rows for name in row)
    table = [{name: row.get(name, lab.MISSING) for name in names} for row in rows]
    return pd.DataFrame(table, dtype=object)


def derived(**roles: Any) -> str:
    """A set of derived roles of users, each with a condition or None."""
    definitions = [
        {
            "name": name,
            "parentRoles": ["user"],
            **({} if match is None else {"condition": {"match": {"expr": match}}}),
        }
        for name, match in roles.items()
    ]
    return policy("derivedRoles", name="roles", definitions=definitions)


NEST = {
    "all": {
        "of": [
            {"any": {"of": [{"expr": "R.attr.a == 1"}, {"expr": "R.attr.a == 2"}]}},
            {"none": {"of": [{"expr": "R.attr.b == 1"}]}},
        ]
    }
}

CASES: dict[str, Case] = {
    "a nest of all, any and none": Case(
        {"thing": thing(a_rule("nest", NEST))},
        {
            "rule:nest": (COVERED, 4, 5, 0, 0),
            "atom:nest:R.attr.a == 1": (COVERED, 3, 6, 0, 0),
            "atom:nest:R.attr.a == 2": (COVERED, 3, 6, 0, 0),
            "atom:nest:R.attr.b == 1": (COVERED, 3, 3, 3, 0),
        },
        {"a": [1, 2, 3], "b": [0, 1, lab.MISSING]},
    ),
    "errors in an all block and in an expression": Case(
        {
            "thing": thing(
                a_rule("block", {"all": {"of": [{"expr": "R.attr.a > 1"}, {"expr": "R.attr.b > 1"}]}}),
                a_rule("text", "R.attr.a > 1 && R.attr.b > 1"),
            )
        },
        {
            "rule:block": (COVERED, 1, 2, 1, 0),
            "atom:block:R.attr.a > 1": (COVERED, 2, 2, 0, 0),
            "atom:block:R.attr.b > 1": (PARTLY, 2, 0, 2, 0),
            "rule:text": (COVERED, 1, 2, 1, 0),
            "atom:text:R.attr.a > 1": (COVERED, 2, 2, 0, 0),
            "atom:text:R.attr.b > 1": (PARTLY, 2, 0, 2, 0),
        },
        {"a": [1, 2], "b": [2, "x"]},
    ),
    "derived roles with conditions": Case(
        {
            "roles": derived(owner="R.attr.owner == P.id", anybody=None, unused="R.attr.a == 1"),
            "thing": thing(
                a_rule("own", "R.attr.a == 1", derivedRoles=["owner"]),
                a_rule("any", derivedRoles=["anybody"]),
                importDerivedRoles=["roles"],
            ),
        },
        {
            "derived role:owner": (COVERED, 2, 2, 0, 2),
            "atom:owner:R.attr.owner == P.id": (COVERED, 2, 2, 0, 2),
            "derived role:anybody": (COVERED, 4, 0, 0, 2),
            "derived role:unused": (IMPOSSIBLE, 0, 0, 0, 6),
            "atom:unused:R.attr.a == 1": (IMPOSSIBLE, 0, 0, 0, 6),
            "rule:own": (COVERED, 1, 1, 0, 4),
            "atom:own:R.attr.a == 1": (COVERED, 1, 1, 0, 4),
            "rule:any": (COVERED, 4, 0, 0, 2),
        },
        {"a": [1, 2], "attr": {"owner": ["u0"]}},
        people(
            {"id": "u0", "roles": ("user",)}, {"id": "u1", "roles": ("user",)}, {"id": "v", "roles": ("x",)}
        ),
    ),
    "a derived role that can never be held": Case(
        {
            "roles": derived(never="1 == 2 && R.attr.a == 1"),
            "thing": thing(
                a_rule("behind", "R.attr.a == 1", derivedRoles=["never"]),
                importDerivedRoles=["roles"],
            ),
        },
        {
            "derived role:never": (IMPOSSIBLE, 0, 2, 0, 0),
            "atom:never:1 == 2": (IMPOSSIBLE, 0, 2, 0, 0),
            "atom:never:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
            "rule:behind": (IMPOSSIBLE, 0, 0, 0, 2),
            "atom:behind:R.attr.a == 1": (IMPOSSIBLE, 0, 0, 0, 2),
        },
        {"a": [1, 2]},
    ),
    "variables of variables": Case(
        {
            "thing": thing(
                a_rule("one", "V.small"),
                a_rule("two", "R.attr.a <= V.limit", actions=["view"]),
                variables={
                    "local": {
                        "limit": "P.attr.limit * 2.0",
                        "small": "R.attr.a <= V.limit && R.attr.b == 1",
                        "unused": "R.attr.b == 2",
                    }
                },
            )
        },
        {
            "rule:one": (COVERED, 1, 4, 1, 6),
            "atom:one:V.small": (COVERED, 1, 4, 1, 6),
            "variable:small": (COVERED, 1, 4, 1, 6),
            "atom:small:R.attr.a <= V.limit": (COVERED, 2, 2, 2, 6),
            "atom:small:R.attr.b == 1": (COVERED, 3, 3, 0, 6),
            "variable:limit": (COVERED, 0, 0, 0, 0),
            "variable:unused": (IMPOSSIBLE, 0, 0, 0, 12),
            "rule:two": (COVERED, 2, 2, 2, 6),
            "atom:two:R.attr.a <= V.limit": (COVERED, 2, 2, 2, 6),
        },
        {"actions": ["approve", "view"], "a": [10, 30, lab.MISSING], "b": [1, 2]},
        person(limit=10),
    ),
    "constants": Case(
        {
            "thing": thing(
                a_rule("always", "1 == 1 && R.attr.a == 1"),
                a_rule("limits", "C.low < C.high || R.attr.a == 1"),
                a_rule("never", {"all": {"of": [{"expr": "V.off"}, {"expr": "R.attr.a == 1"}]}}),
                constants={"local": {"low": 1, "high": 2}},
                variables={"local": {"off": "C.low > C.high"}},
            )
        },
        {
            "rule:always": (COVERED, 1, 1, 0, 0),
            "atom:always:1 == 1": (IMPOSSIBLE, 2, 0, 0, 0),
            "atom:always:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
            "rule:limits": (COVERED, 2, 0, 0, 0),
            "atom:limits:C.low < C.high": (IMPOSSIBLE, 2, 0, 0, 0),
            "atom:limits:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
            "rule:never": (IMPOSSIBLE, 0, 2, 0, 0),
            "atom:never:V.off": (IMPOSSIBLE, 0, 2, 0, 0),
            "atom:never:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
            "variable:off": (IMPOSSIBLE, 0, 2, 0, 0),
        },
        {"a": [1, 2]},
    ),
    "scopes, of which the narrower one decides first": Case(
        {
            "root": thing(a_rule("root", "R.attr.a == 1")),
            "acme": thing(a_rule("acme", "R.attr.b == 1"), scope="acme"),
            "other": thing(a_rule("other", "R.attr.b == 1"), scope="other"),
        },
        {
            "rule:acme": (COVERED, 2, 2, 0, 0),
            "atom:acme:R.attr.b == 1": (COVERED, 2, 2, 0, 0),
            "rule:root": (COVERED, 1, 1, 0, 2),
            "atom:root:R.attr.a == 1": (COVERED, 1, 1, 0, 2),
            "rule:other": (NOT_REACHED, 0, 0, 0, 4),
            "atom:other:R.attr.b == 1": (NOT_REACHED, 0, 0, 0, 4),
        },
        {"a": [1, 2], "b": [1, 2], "scope": "acme"},
    ),
    "a scope that requires consent": Case(
        {
            "root": thing(a_rule("root")),
            "acme": thing(
                a_rule("acme", "R.attr.b == 1"),
                scope="acme",
                scopePermissions="SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS",
            ),
        },
        {
            "rule:acme": (COVERED, 1, 1, 0, 0),
            "atom:acme:R.attr.b == 1": (COVERED, 1, 1, 0, 0),
            "rule:root": (COVERED, 1, 0, 0, 1),
        },
        {"b": [1, 2], "scope": "acme"},
    ),
    "versions": Case(
        {
            "old": thing(a_rule("old", "R.attr.a == 1"), version="old"),
            "new": thing(a_rule("new", "R.attr.a == 1"), version="new"),
        },
        {
            "rule:new": (COVERED, 1, 1, 0, 0),
            "atom:new:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
            "rule:old": (NOT_REACHED, 0, 0, 0, 2),
            "atom:old:R.attr.a == 1": (NOT_REACHED, 0, 0, 0, 2),
        },
        {"a": [1, 2], "policy_version": "new"},
    ),
    "principal policies": Case(
        {
            "thing": thing(a_rule("thing", "R.attr.a == 1")),
            "mine": policy(
                "principalPolicy",
                principal="u0",
                version="default",
                rules=[
                    {
                        "resource": "thing",
                        "actions": [
                            {
                                "action": "approve",
                                "name": "mine",
                                "effect": "EFFECT_DENY",
                                "condition": {"match": {"expr": "R.attr.a == 2"}},
                            }
                        ],
                    }
                ],
            ),
            "theirs": policy(
                "principalPolicy",
                principal="z9",
                version="default",
                rules=[
                    {
                        "resource": "*",
                        "actions": [{"action": "approve", "name": "theirs", "effect": "EFFECT_ALLOW"}],
                    }
                ],
            ),
        },
        {
            "rule:mine": (COVERED, 1, 1, 0, 2),
            "atom:mine:R.attr.a == 2": (COVERED, 1, 1, 0, 2),
            "rule:theirs": (NOBODY, 0, 0, 0, 4),
            "rule:thing": (COVERED, 2, 1, 0, 1),
            "atom:thing:R.attr.a == 1": (COVERED, 2, 1, 0, 1),
        },
        {"a": [1, 2]},
        people({"id": "u0", "roles": ("user",)}, {"id": "u1", "roles": ("user",)}),
    ),
    "role policies, which refuse and give parent roles": Case(
        {
            "intern": policy(
                "rolePolicy",
                role="intern",
                parentRoles=["user"],
                rules=[
                    {
                        "resource": "thing",
                        "allowActions": ["approve"],
                        "condition": {"match": {"expr": "R.attr.a < 3"}},
                    }
                ],
            ),
            "roles": derived(owner="R.attr.a == 1"),
            "thing": thing(
                a_rule("plain", "R.attr.b == 1"),
                a_rule("own", "R.attr.b == 2", derivedRoles=["owner"]),
                importDerivedRoles=["roles"],
            ),
        },
        {
            "rule:rule-001": (COVERED, 4, 2, 0, 0),
            "atom:rule-001:R.attr.a < 3": (COVERED, 4, 2, 0, 0),
            "derived role:owner": (COVERED, 2, 2, 0, 2),
            "atom:owner:R.attr.a == 1": (COVERED, 2, 2, 0, 2),
            "rule:plain": (COVERED, 2, 2, 0, 2),
            "atom:plain:R.attr.b == 1": (COVERED, 2, 2, 0, 2),
            "rule:own": (COVERED, 1, 1, 0, 4),
            "atom:own:R.attr.b == 2": (COVERED, 1, 1, 0, 4),
        },
        {"a": [1, 2, 3], "b": [1, 2]},
        person(("intern",)),
    ),
    "a DENY before an ALLOW": Case(
        {
            "thing": thing(
                a_rule("first", "R.attr.a == 1", effect="DENY"),
                a_rule("second", "R.attr.b == 1"),
                a_rule("wall", effect="DENY", roles=["*"]),
                a_rule("after", "R.attr.b == 1"),
            )
        },
        {
            "rule:first": (COVERED, 2, 2, 0, 0),
            "atom:first:R.attr.a == 1": (COVERED, 2, 2, 0, 0),
            "rule:second": (COVERED, 1, 1, 0, 2),
            "atom:second:R.attr.b == 1": (COVERED, 1, 1, 0, 2),
            "rule:wall": (COVERED, 2, 0, 0, 2),
            "rule:after": (IMPOSSIBLE, 0, 0, 0, 4),
            "atom:after:R.attr.b == 1": (IMPOSSIBLE, 0, 0, 0, 4),
        },
        {"a": [1, 2], "b": [1, 2]},
    ),
    "a rule behind a role that nobody has, and an action that is not asked": Case(
        {
            "thing": thing(
                a_rule("queen", "R.attr.a == 1", roles=["queen"]),
                a_rule("other", "R.attr.a == 1", actions=["other"]),
                a_rule("seen", "R.attr.a == 1"),
            )
        },
        {
            "rule:queen": (NOBODY, 0, 0, 0, 2),
            "atom:queen:R.attr.a == 1": (NOBODY, 0, 0, 0, 2),
            "rule:other": (NOT_REACHED, 0, 0, 0, 2),
            "atom:other:R.attr.a == 1": (NOT_REACHED, 0, 0, 0, 2),
            "rule:seen": (COVERED, 1, 1, 0, 0),
            "atom:seen:R.attr.a == 1": (COVERED, 1, 1, 0, 0),
        },
        {"a": [1, 2]},
    ),
    "macros, negation and a choice": Case(
        {
            "thing": thing(
                a_rule("list", "P.attr.regions.exists(r, r == R.attr.region && r != 'x')"),
                a_rule("not", "!(R.attr.region in ['north', 'south'])"),
                a_rule("if", "has(P.attr.limit) ? R.attr.a <= P.attr.limit : R.attr.a == 0"),
            )
        },
        {
            "rule:list": (COVERED, 2, 2, 0, 0),
            "atom:list:P.attr.regions.exists(r, r == R.attr.region && r != 'x')": (COVERED, 2, 2, 0, 0),
            "rule:not": (COVERED, 2, 2, 0, 0),
            "atom:not:R.attr.region in ['north', 'south']": (COVERED, 2, 2, 0, 0),
            "rule:if": (COVERED, 2, 2, 0, 0),
            "atom:if:has(P.attr.limit)": (PARTLY, 4, 0, 0, 0),
            "atom:if:R.attr.a <= P.attr.limit": (COVERED, 2, 2, 0, 0),
            "atom:if:R.attr.a == 0": (PARTLY, 0, 4, 0, 0),
        },
        {"region": ["north", "west"], "a": [5, 15]},
        person(regions=["north", "east"], limit=10),
    ),
    "strict evaluation, where an error ends everything": Case(
        {
            "roles": derived(owner="R.attr.b == 1"),
            "thing": thing(
                a_rule("first", "R.attr.a == 1"),
                a_rule("second", "R.attr.c == 1"),
                a_rule("third", "R.attr.b == 2", derivedRoles=["owner"]),
                importDerivedRoles=["roles"],
            ),
        },
        {
            "rule:first": (COVERED, 2, 2, 2, 0),
            "atom:first:R.attr.a == 1": (COVERED, 2, 2, 2, 0),
            "rule:second": (COVERED, 4, 0, 0, 2),
            "atom:second:R.attr.c == 1": (PARTLY, 4, 0, 0, 2),
            "derived role:owner": (COVERED, 3, 3, 0, 0),
            "atom:owner:R.attr.b == 1": (COVERED, 3, 3, 0, 0),
            "rule:third": (PARTLY, 0, 2, 0, 4),
            "atom:third:R.attr.b == 2": (PARTLY, 0, 2, 0, 4),
        },
        {"a": [1, 2, lab.MISSING], "b": [1, 2], "c": 1},
        strict=True,
    ),
    "strict evaluation of a block, in which an error comes before what is false": Case(
        {
            "thing": thing(
                a_rule("block", {"all": {"of": [{"expr": "R.attr.a > 1"}, {"expr": "R.attr.b > 1"}]}}),
                a_rule("after"),
            )
        },
        {
            "rule:block": (PARTLY, 0, 2, 2, 0),
            "atom:block:R.attr.a > 1": (PARTLY, 0, 2, 2, 0),
            "atom:block:R.attr.b > 1": (COVERED, 2, 2, 0, 0),
            "rule:after": (COVERED, 2, 0, 0, 2),
        },
        {"a": [1, lab.MISSING], "b": [1, 2]},
        strict=True,
    ),
    "two roles, each of which is evaluated on its own": Case(
        {
            "thing": thing(
                a_rule("deny-a", "R.attr.a == 1", effect="DENY", roles=["a"]),
                a_rule("both", "R.attr.b == 1", roles=["a", "b"]),
                a_rule("only-a", "R.attr.b == 2", roles=["a"]),
            )
        },
        {
            "rule:deny-a": (COVERED, 2, 2, 0, 0),
            "atom:deny-a:R.attr.a == 1": (COVERED, 2, 2, 0, 0),
            "rule:both": (COVERED, 2, 2, 0, 0),
            "atom:both:R.attr.b == 1": (COVERED, 2, 2, 0, 0),
            "rule:only-a": (COVERED, 1, 1, 0, 2),
            "atom:only-a:R.attr.b == 2": (COVERED, 1, 1, 0, 2),
        },
        {"a": [1, 2], "b": [1, 2]},
        person(("a", "b")),
    ),
}


@dataclass(frozen=True)
class Covered:
    """A case and its PDP, with decisions for which each question was asked once, and their coverage."""

    case: Case
    pdp: lab.PDP
    made: lab.Decisions
    coverage: Coverage


def asked(case: Case, pdp: lab.PDP, **more: Any) -> lab.Decisions:
    """The decisions of a case."""
    return lab.sweep(pdp, case.people, "thing", **{"actions": ["approve"], "audit": 0, **case.asked, **more})


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def covered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covered]:
    """Return each case in turn."""
    case: Case = request.param
    folder = write(tmp_path_factory.mktemp("case") / "policies", **case.files)
    with lab.PDP(folder, config=case.config, strict=case.strict) as pdp:
        made = asked(case, pdp)
        yield Covered(case, pdp, made, lab.coverage(made))
        made.source.close()


def labels(coverage: Coverage) -> dict[str, Label]:
    """The label of each part."""
    return {
        ":".join([one.part, one.rule, *([one.text] if one.part == "atom" else [])]): (
            one.status,
            one.cells.true,
            one.cells.false,
            one.cells.error,
            one.cells.unreached,
        )
        for one in coverage.parts
    }


def test_every_label_is_as_written_by_hand(covered: Covered) -> None:
    found = covered.coverage
    assert labels(found) == covered.case.labels
    assert not found.notes
    assert all(one.cells.unknown == 0 for one in found.parts)


# -- counts, compared with every cell ---------------------------------------------------------------


def test_counts_are_those_of_every_cell_explained_alone(covered: Covered) -> None:
    found = covered.coverage
    cells, persons = by_explaining(covered.made)
    for one in found.parts:
        if one.part not in {"rule", "atom"} or (one.part, one.rule) not in cells:
            elsewhere = one.part not in {"rule", "atom"} or one.policy.startswith("derived")
            assert elsewhere or one.reached == 0 or (one.part, one.rule) == ("atom", "small"), one
            continue
        key = one.text if one.part == "atom" else ""
        for outcome in ("true", "false", "error"):
            if one.part == "rule" and outcome != "true":
                continue  # which of the two it is has labels of its own
            assert getattr(one.cells, outcome) == cells[one.part, one.rule][key, outcome], (one, outcome)
            assert getattr(one.people, outcome) == len(persons[one.part, one.rule].get((key, outcome), ())), (
                one
            )


Pair = tuple[str, str]


def by_explaining(
    made: lab.Decisions,
) -> tuple[dict[Pair, Counter[Pair]], dict[Pair, dict[Pair, set[str]]]]:
    """What each rule and each atom of its own was in each cell, by ``why`` alone."""
    cells: dict[Pair, Counter[Pair]] = {}
    persons: dict[Pair, dict[Pair, set[str]]] = {}
    for values in itertools.product(*map(made.values, made.dims)):
        row = dict(zip(made.dims, values, strict=True))
        told = made.why(names=True, **row)
        for rule in told.rules:
            found = [("rule", "", "true" if rule.status == APPLIED else "false")]
            found += [("atom", atom.source, atom.outcome) for atom in own_atoms(rule.condition)]
            for part, text, outcome in found:
                counter = cells.setdefault((part, rule.name), Counter())
                own = persons.setdefault((part, rule.name), {})
                if rule.status in {APPLIED, UNMET} or (failed(rule.condition) and stopped(told, rule)):
                    counter[text, outcome] += 1
                    own.setdefault((text, outcome), set()).add(row["principal"])
    return cells, persons


def own_atoms(condition: Condition | None) -> list[Condition]:
    """The atoms that stand in a rule itself; a variable is one of them."""
    if condition is None:
        return []
    if condition.form in {"atom", "variable", "unread"}:
        return [condition]
    return [atom for part in condition.parts for atom in own_atoms(part)]


def failed(condition: Condition | None) -> bool:
    return condition is not None and any(part.outcome == "error" for part in condition.walk())


def stopped(told: Any, rule: Any) -> bool:
    """Whether strict evaluation ended at a rule."""
    cause = told.cause
    return cause is not None and cause.kind == "error in strict evaluation" and cause.rule == rule.name


def test_situations_stand_for_exactly_the_cells_that_they_say(covered: Covered) -> None:
    every = asked(covered.case, covered.pdp, method="every-cell")
    pd.testing.assert_frame_equal(covered.coverage.frame(), lab.coverage(every).frame())


def test_the_sample_has_the_same_counts_for_situations_and_for_every_cell(pdp: lab.PDP) -> None:
    everybody = lab.load_principals(DATA / "clerk_users.json")
    asked: dict[str, Any] = {
        "actions": ["approve", "view"],
        "amount": [0, 4_000, 5_000, 5_001, 9_000, 25_000, 50_000, 60_000] if LAST > 3 else [0, 5_000, 5_001],
        "region": ["northeast", "south"],
        "owner": [lab.SELF, lab.OTHER],
        "status": "OPEN",
    }
    frames = [
        lab.coverage(lab.sweep(pdp, everybody, "expense", method=method, **asked)).frame()
        for method in ("auto", "every-cell")
    ]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    table = frames[0]
    approver = table[(table["part"] == "rule") & (table["rule"] == "manager-approves-in-any-region")].iloc[0]
    managers = int(everybody["roles"].map(lambda own: "manager" in own).sum())
    assert approver["people"] == managers
    assert approver["unreached"] == len(everybody) - managers


def test_part_of_the_decisions_is_covered_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("one", "R.attr.a <= P.attr.limit")))
    who = people(*({"id": f"u{i}", "roles": ("user",), "limit": 10 * i} for i in range(6)))
    made = swept(folder, who, a=list(range(0, 60, 7)))
    for part in (made, made.sel(principal=["u1", "u4"]), made.sel(a=slice(10, 40)), made.head(3)):
        (rule,) = [one for one in lab.coverage(part).parts if one.part == "rule"]
        effects = part.frame()
        allowed = effects[effects["effect"] == "ALLOW"]
        assert rule.cells.true == len(allowed)
        assert rule.people.true == allowed["principal"].nunique()
        assert rule.cells.false == len(effects) - len(allowed)
        assert rule.people.false == effects[effects["effect"] == "DENY"]["principal"].nunique()
    made.source.close()


@pytest.mark.parametrize("start", range(FIRST, LAST, 10))
def test_generated_policies_have_the_same_counts_for_situations_and_for_every_cell(
    start: int, tmp_path: Path
) -> None:
    asked = generated_policies.batch(tmp_path / "policies", range(start, min(start + 10, LAST)))
    with lab.PDP(tmp_path / "policies", strict=start % 40 == 30) as pdp:
        for kind, given in asked.items():
            who = generated_policies.people().head(6)
            found = [
                lab.coverage(
                    lab.sweep(pdp, who, kind, actions=["see", "do"], method=method, audit=0, **given)
                )
                for method in ("auto", "every-cell")
            ]
            pd.testing.assert_frame_equal(found[0].frame(), found[1].frame())
            assert not found[0].notes
            assert not any("alone" in one.note for one in found[0].parts)

"""Whatever reads the derived roles themselves, wherever it stands: every derived role counts."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clerk_cerbos_lab as lab

API = {"apiVersion": "api.cerbos.dev/v1"}
READS = '"band" in runtime.effectiveDerivedRoles'


def when(text: str) -> dict[str, Any]:
    """Return a condition."""
    return {"condition": {"match": {"expr": text}}}


def rule(action: str, *, derived: str | None = None, roles: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a rule that allows an action."""
    who = {"derivedRoles": [derived]} if derived else {"roles": [roles or "employee"]}
    return {"actions": [action], "effect": "EFFECT_ALLOW", **who, **more}


def derived_roles(trusted: dict[str, Any]) -> dict[str, Any]:
    """Return a set with a role of the amounts between 100 and 200, and another."""
    band = {"name": "band", "parentRoles": ["employee"], **when("R.attr.amount > 100 && R.attr.amount < 200")}
    definitions = [band, {"name": "trusted", "parentRoles": ["employee"], **trusted}]
    return {**API, "derivedRoles": {"name": "set", "definitions": definitions}}


def resource(*rules: dict[str, Any], scope: str = "", **more: Any) -> dict[str, Any]:
    """Return a resource policy that imports the set."""
    body = {"resource": "thing", "version": "default", "scope": scope, "importDerivedRoles": ["set"]}
    return {**API, "resourcePolicy": {**body, "rules": list(rules), **more}}


NAMES_BAND = rule("other", derived="band")
PLACES: dict[str, list[dict[str, Any]]] = {
    "a rule": [derived_roles({}), resource(NAMES_BAND, rule("approve", **when(READS)))],
    "a derived role": [derived_roles(when(READS)), resource(NAMES_BAND, rule("approve", derived="trusted"))],
    "a variable": [
        derived_roles({}),
        resource(NAMES_BAND, rule("approve", **when("V.told")), variables={"local": {"told": READS}}),
    ],
    "an exported variable": [
        derived_roles({}),
        {**API, "exportVariables": {"name": "names", "definitions": {"told": READS}}},
        resource(NAMES_BAND, rule("approve", **when("V.told")), variables={"import": ["names"]}),
    ],
    "a variable of the derived roles": [
        {
            **API,
            "derivedRoles": {
                **derived_roles(when("V.told"))["derivedRoles"],
                "variables": {"local": {"told": READS}},
            },
        },
        resource(NAMES_BAND, rule("approve", derived="trusted")),
    ],
    "a parent scope": [
        derived_roles({}),
        resource(NAMES_BAND, rule("approve", **when(READS))),
        resource(rule("nothing"), scope="acme", scopePermissions="SCOPE_PERMISSIONS_OVERRIDE_PARENT"),
    ],
    "a role policy": [
        derived_roles({}),
        resource(NAMES_BAND, rule("approve")),
        {
            **API,
            "rolePolicy": {
                "role": "intern",
                "parentRoles": ["employee"],
                "rules": [{"resource": "thing", "allowActions": ["approve", "other"], **when(READS)}],
            },
        },
    ],
    "a principal policy": [
        derived_roles({}),
        resource(NAMES_BAND, rule("view"), rule("approve")),
        {
            **API,
            "principalPolicy": {
                "principal": "ann",
                "version": "default",
                "rules": [
                    {
                        "resource": "thing",
                        "actions": [{"action": "approve", "effect": "EFFECT_DENY", **when(f"!({READS})")}],
                    }
                ],
            },
        },
    ],
}


def people() -> pd.DataFrame:
    """Return an employee whom a principal policy names, another, and an intern."""
    rows = [("ann", "employee"), ("ben", "employee"), ("ida", "intern")]
    return pd.DataFrame([{"id": one, "roles": (role,)} for one, role in rows], dtype=object)


def written(folder: Path, place: str) -> Path:
    """Write the policies in which a place reads the derived roles."""
    folder.mkdir()
    for number, document in enumerate(PLACES[place]):
        (folder / f"{number}.json").write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_every_derived_role_matters_if_anything_reads_them(tmp_path: Path, place: str) -> None:
    with lab.PDP(written(tmp_path / "p", place)) as pdp:
        scopes = ["", "acme"] if place == "a parent scope" else [""]
        for scope in scopes:
            asked: dict[str, Any] = {
                "actions": ["other", "approve"],
                "amount": range(0, 300, 10),
                "scope": scope,
            }
            swept = lab.sweep(pdp, people(), "thing", audit=0, **asked)
            every = lab.sweep(pdp, people(), "thing", method="every-cell", **asked)
            assert (swept.allowed() == every.allowed()).all()
            assert any("asked in a separate request" in note for note in swept.provenance.notes)
            table = swept.thresholds("amount", action="approve")
            assert table["exact"].all()
            for row in table.to_dict("records"):
                inside = {max(row["lower"], -1e6) + 1, min(row["upper"], 1e6) - 1}
                for amount in inside:
                    person = swept.principals.loc[row["principal"]].to_dict()
                    answer = pdp.is_allowed("approve", person, "thing", {"amount": amount}, scope=scope)
                    assert answer == (row["effect"] == "ALLOW"), (row, amount)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("R.attr.runtime > 90", False),
        ("R.attr.amount > 1 && [.runtime][0].effectiveDerivedRoles.size() > 0", True),
        ("size(runtime.effectiveDerivedRoles) > 0", True),
        ("R.attr.amount > 1 &&\nruntime.effectiveDerivedRoles.size() > 0", True),
    ],
)
def test_an_attribute_of_that_name_is_something_else(tmp_path: Path, text: str, *, read: bool) -> None:
    (tmp_path / "thing.json").write_text(
        json.dumps(
            {
                **API,
                "resourcePolicy": {
                    "resource": "runtime-image",
                    "version": "default",
                    "rules": [rule("view", **when(text)), rule("edit")],
                },
            }
        )
    )
    with lab.PDP(tmp_path) as pdp:
        notes = lab.sweep(pdp, people(), "runtime-image", runtime=[1, 91], amount=1).provenance.notes
        assert any("asked in a separate request" in note for note in notes) == read


def test_the_smallest_case_is_allowed_as_by_the_pdp(tmp_path: Path) -> None:
    with lab.PDP(written(tmp_path / "p", "a derived role")) as pdp:
        swept = lab.sweep(pdp, people(), "thing", actions="approve", amount=[50, 150, 250])
        assert swept.sel(principal="ben").allowed().ravel().tolist() == [False, True, False]


@pytest.mark.parametrize("method", ["auto", "every-cell"])
def test_an_action_has_one_answer_whatever_others_are_asked_about(tmp_path: Path, method: Any) -> None:
    ann = people().iloc[0]
    with lab.PDP(written(tmp_path / "p", "a principal policy")) as pdp:
        alone = pdp.is_allowed("approve", ann, "thing", {"amount": 150})
        for actions in (["approve"], ["view", "approve"], ["approve", "view"], ["other", "view", "approve"]):
            swept = lab.sweep(pdp, people(), "thing", actions=actions, amount=[150, 151], method=method)
            effect = swept.effect(principal="ann", action="approve", amount=150)
            assert effect == ("ALLOW" if alone else "DENY")
            if method == "auto":
                row = swept.sel(principal="ann").thresholds("amount", action="approve").set_index("lower")
                assert set(row["effect"]) == {effect}

"""An expression that is not understood matters only to the questions whose rules can use it."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from reaching_policies import ACTIONS, AMOUNTS, REGIONS, Store
from reaching_policies import people as reaching_people
from small_policies import HEAD, resource_policy, rule, write

import clerk_cerbos_lab as lab

pytestmark = [
    pytest.mark.filterwarnings("ignore:no policy names the action"),
    pytest.mark.filterwarnings("ignore:only role policies"),
]

ODD = "['o'].exists(x, R.attr.region.replace(x, 'a') == 'sauth') && R.attr.size <= 2"
"""It compiles, but the analysis takes ``replace`` for a macro that it does not know."""

PLAIN = "R.attr.amount <= P.attr.limit"

PEOPLE = pd.DataFrame(
    [
        {"id": f"u{i}", "roles": roles, "limit": 10 + i % 2}
        for i, roles in enumerate([("user",)] * 4 + [("boss",)] * 2 + [("user", "boss")])
    ],
    dtype=object,
)

AXES: dict[str, Any] = {"amount": range(8, 18), "region": ["south", "west"], "size": [2, 3]}
CELLS = 10 * 2 * 2
FEW = 30
"""More than a readable policy needs for everybody, and less than all cells of one person."""


def derived(condition: str, *, parents: str = '["boss"]') -> str:
    """Return the derived role ``odd``."""
    role = f"{{name: odd, parentRoles: {parents}, condition: {{match: {{expr: {json.dumps(condition)}}}}}}}"
    return f"{HEAD}derivedRoles:\n  name: roles\n  definitions: [{role}]\n"


def importing(policy: str, *, variables: str = "") -> str:
    """Return the policy with derived roles and variables."""
    inserted = f"  importDerivedRoles: [roles]\n{variables}"
    return policy.replace("  rules:", f"{inserted}  rules:")


def by_derived(action: str) -> str:
    """Return a rule for the derived role."""
    return rule(actions=[action]).replace('roles: ["user"]', "derivedRoles: [odd]")


VARIABLES = f"""  variables:
    local:
      odd: {json.dumps(ODD)}
      even: R.attr.amount <= 15
"""

PRINCIPAL = f"""{HEAD}principalPolicy:
  principal: u0
  version: default
  rules:
    - resource: thing
      actions:
        - action: @
          effect: EFFECT_DENY
          condition: {{match: {{expr: {json.dumps(ODD)}}}}}
"""

OUTPUT = f"""
    - actions: [approve]
      roles: [user]
      effect: EFFECT_ALLOW
      condition: {{match: {{expr: R.attr.amount <= 5}}}}
      output: {{when: {{ruleActivated: {json.dumps(ODD)}}}}}"""

EVERYBODY = rule(PLAIN, roles=["user", "boss"])

UNREACHED: dict[str, dict[str, str]] = {
    "a rule of another action": {"thing": resource_policy(EVERYBODY, rule(ODD, actions=["delete"]))},
    "a rule of a role that nobody has": {"thing": resource_policy(EVERYBODY, rule(ODD, roles=["auditor"]))},
    "a derived role that only another action uses": {
        "thing": importing(resource_policy(EVERYBODY, by_derived("delete"))),
        "roles": derived(ODD),
    },
    "a derived role of a role that nobody has": {
        "thing": importing(resource_policy(EVERYBODY, by_derived("approve"))),
        "roles": derived(ODD, parents='["auditor"]'),
    },
    "a variable that no rule uses": {
        "thing": importing(resource_policy(EVERYBODY, rule("V.even")), variables=VARIABLES),
        "roles": derived(PLAIN),
    },
    "a variable that another action uses": {
        "thing": importing(
            resource_policy(EVERYBODY, rule("V.odd", actions=["delete"])), variables=VARIABLES
        ),
        "roles": derived(PLAIN),
    },
    "an output": {"thing": resource_policy(EVERYBODY, OUTPUT)},
    "a principal policy about another action": {
        "thing": resource_policy(EVERYBODY),
        "ann": PRINCIPAL.replace("@", "delete"),
    },
    "another kind": {
        "thing": resource_policy(EVERYBODY),
        "other": resource_policy(rule(ODD), kind="other"),
    },
}

REACHED: dict[str, dict[str, str]] = {
    "a rule": {"thing": resource_policy(EVERYBODY, rule(ODD))},
    "a rule of every action": {"thing": resource_policy(EVERYBODY, rule(ODD, actions=["*"]))},
    "a rule of every role": {"thing": resource_policy(EVERYBODY, rule(ODD, roles=["*"], effect="DENY"))},
    "a rule of one role": {"thing": resource_policy(EVERYBODY, rule(ODD, roles=["boss"]))},
    "a derived role": {
        "thing": importing(resource_policy(EVERYBODY, by_derived("approve"))),
        "roles": derived(ODD),
    },
    "a derived role in the runtime": {
        "thing": importing(
            resource_policy(rule('"odd" in runtime.effectiveDerivedRoles', roles=["*"]), by_derived("delete"))
        ),
        "roles": derived(ODD),
    },
    "a variable": {
        "thing": importing(resource_policy(EVERYBODY, rule("V.odd")), variables=VARIABLES),
        "roles": derived(PLAIN),
    },
    "a variable of a derived role": {
        "thing": importing(resource_policy(EVERYBODY, by_derived("approve"))),
        "roles": derived("V.odd").replace("  definitions", f"{VARIABLES}  definitions"),
    },
    "a parent scope": {
        "thing": resource_policy(EVERYBODY, scope="acme"),
        "parent": resource_policy(rule(ODD, roles=["*"], effect="DENY")),
    },
    "a principal policy": {"thing": resource_policy(EVERYBODY), "ann": PRINCIPAL.replace("@", "'*'")},
}


def swept(
    folder: Path,
    files: dict[str, str],
    actions: list[str],
    *,
    axes: dict[str, Any] = AXES,
    strict: bool = False,
) -> lab.Decisions:
    """Sweep, compare with every cell, and return the decisions."""
    scope = "acme" if "parent" in files else ""
    with lab.PDP(write(folder, **files), strict=strict) as pdp:
        asked = {"actions": actions, "scope": scope, **axes}
        found = lab.sweep(pdp, PEOPLE, "thing", audit=0, **asked)
        every = lab.sweep(pdp, PEOPLE, "thing", method="every-cell", **asked)
        assert (found.allowed() == every.allowed()).all()
        assert 0 < every.counts()["ALLOW"] < len(every)
        return found


@pytest.mark.parametrize("where", UNREACHED)
def test_it_does_not_matter_where_no_rule_can_use_it(tmp_path: Path, where: str) -> None:
    found = swept(tmp_path / "policies", UNREACHED[where], ["approve"])
    assert found.provenance.asked < FEW
    assert not any("Every" in note for note in found.provenance.notes)
    assert found.thresholds("amount")["exact"].all()


@pytest.mark.parametrize("where", REACHED)
def test_where_a_rule_can_use_it_every_value_is_asked(tmp_path: Path, where: str) -> None:
    found = swept(tmp_path / "policies", REACHED[where], ["approve"])
    assert found.provenance.asked >= CELLS * 3
    assert any("may be a macro that is not known here" in note for note in found.provenance.notes)


def test_it_costs_only_the_roles_that_it_is_about(tmp_path: Path) -> None:
    found = swept(tmp_path / "policies", REACHED["a rule of one role"], ["approve"])
    bosses = sum("boss" in roles for roles in PEOPLE["roles"])
    assert CELLS * bosses <= found.provenance.asked < CELLS * bosses + FEW
    assert any(
        note.startswith("Every value of amount is asked for some roles") for note in found.provenance.notes
    )


def test_it_costs_only_the_actions_that_it_is_about(tmp_path: Path) -> None:
    actions = [f"action{i}" for i in range(12)]
    rules = [rule(PLAIN, actions=[action], roles=["user", "boss"]) for action in actions[1:]]
    files = {"thing": resource_policy(*rules, rule(ODD, actions=actions[:1]))}
    found = swept(tmp_path / "policies", files, actions, axes={**AXES, "amount": range(100)})
    assert found.provenance.asked < 10 * CELLS * len(PEOPLE) + 12 * FEW


def test_in_strict_evaluation_it_matters_to_all(tmp_path: Path) -> None:
    found = swept(
        tmp_path / "policies", UNREACHED["a variable that another action uses"], ["approve"], strict=True
    )
    assert found.provenance.asked == CELLS * len(PEOPLE)
    assert found.provenance.notes[-1].startswith("Every cell is asked: ")


FIRST, LAST = map(int, os.environ.get("LAB_NOT_UNDERSTOOD", "0:2").split(":"))


class OddStore(Store):
    """Policies in which everything reaches everything, and some conditions are not understood."""

    def _plain(self) -> str:
        text = super()._plain()
        return f"['o'].exists(x, 'o'.replace(x, 'a') == 'a' && ({text}))" if self.chance(0.1) else text


def test_generated_policies_that_are_partly_not_understood_have_the_answers_of_every_cell(
    tmp_path: Path,
) -> None:
    partly = fewer = 0
    for seed in range(FIRST, LAST):
        store = OddStore(seed, 10)
        with lab.PDP(store.write(tmp_path / str(seed))) as pdp:
            for kind in store.kinds:
                for action in ACTIONS[:2]:
                    given: dict[str, Any] = {"actions": [action], "amount": AMOUNTS, "region": REGIONS}
                    try:
                        every = lab.sweep(pdp, reaching_people(), kind, method="every-cell", **given)
                    except lab.InputError:  # no policy can match this action
                        continue
                    found = lab.sweep(pdp, reaching_people(), kind, audit=0, **given)
                    assert (found.allowed() == every.allowed()).all(), (kind, found.provenance.notes)
                    odd = any("not known here" in note for note in found.provenance.notes)
                    partly += odd
                    fewer += odd and found.provenance.asked < every.provenance.asked
    assert partly > fewer > 0

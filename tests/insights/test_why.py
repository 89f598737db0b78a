"""``decisions.why`` says why: in one sentence, then down to the values that Cerbos saw."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explained import a_rule, condition_of, explaining, outcomes, person, policy, swept, the_rule, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.explanation import APPLIED, NOT_HELD, SILENT, UNMET

CONSENT = "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"

CLOSEST = "DENY: no rule allows it. Closest: "
BROKEN = "DENY, but the data is broken: "

Explain = Callable[..., Any]


@pytest.fixture(scope="module")
def explain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explain]:
    """Return a function that explains one request about policies."""
    with explaining(tmp_path_factory.mktemp("why")) as explain:
        yield explain


# -- the sample policies --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(pdp: lab.PDP) -> Iterator[lab.Decisions]:
    """Return decisions about a few people of the sample policies."""
    rows = [
        {"id": "mgr", "roles": ("manager",), "region": "south", "approval_limit": lab.MISSING},
        {"id": "txt", "roles": ("manager",), "region": "south", "approval_limit": "20000"},
        {"id": "emp", "roles": ("employee",), "region": "south", "approval_limit": lab.MISSING},
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "region", "approval_limit")
    made = lab.sweep(
        pdp,
        who,
        "expense",
        actions=["approve", "view"],
        amount=[5_000, 7_500, 12_000],
        region=["south", "west"],
        owner=[lab.SELF, lab.OTHER],
        status="OPEN",
    )
    yield made
    made.source.close()


SENTENCES = [
    (
        {"principal": "mgr", "amount": 12_000, "region": "south", "owner": lab.OTHER},
        (CLOSEST + "manager-approves-in-own-region: amount 12,000 ≤ regional_manager_limit 10,000 is false."),
    ),
    (
        {"principal": "mgr", "amount": 7_500, "region": "west", "owner": lab.OTHER},
        (
            CLOSEST + "manager-approves-in-any-region: "
            "amount 7,500 ≤ cross_region_manager_limit 5,000 is false."
        ),
    ),
    ({"principal": "mgr", "amount": 5_000, "owner": lab.SELF}, "DENY by nobody-approves-own-expense."),
    (
        {"principal": "txt", "amount": 12_000, "region": "south", "owner": lab.OTHER},
        (BROKEN + 'approval_limit is the text "20000", the rule compares it as a number.'),
    ),
    (
        {"principal": "emp", "amount": 5_000, "owner": lab.OTHER},
        (CLOSEST + "manager-approves-in-any-region, which needs the role manager, not employee."),
    ),
    (
        {"principal": "mgr", "amount": 7_500, "region": "south", "owner": lab.OTHER},
        "ALLOW by manager-approves-in-own-region.",
    ),
]


@pytest.mark.parametrize(("cell", "sentence"), SENTENCES)
def test_one_sentence_is_the_answer(sample: lab.Decisions, cell: dict[str, Any], sentence: str) -> None:
    found = sample.why(action="approve", **{"region": "west", **cell})
    assert found.sentence == sentence
    assert found.notes == ()
    assert repr(found).startswith(sentence)


def test_each_effect_is_that_of_the_decisions(sample: lab.Decisions) -> None:
    for row in sample.frame().itertuples():
        cell = {dim: getattr(row, dim) for dim in sample.dims}
        found = sample.why(**cell)
        assert found.effect == row.effect == sample.effect(**cell)
        assert (found.cause is None) == (row.effect == "ALLOW")
        assert found.notes == ()


def test_the_tree_has_the_roles_the_values_and_the_lines(sample: lab.Decisions) -> None:
    found = sample.why(principal="mgr", action="approve", amount=7_500, region="west", owner=lab.OTHER)
    own = the_rule(found, "manager-approves-in-own-region")
    assert (own.status, own.held) == (NOT_HELD, False)
    (role,) = own.roles
    assert (role.name, role.held, role.parent_roles, role.parent_held) == (
        "regional_manager",
        False,
        ("manager",),
        True,
    )
    assert role.condition is not None
    assert role.condition.sentence == "principal's region south = resource's region west"
    folder = Path(__file__).parents[2] / "policies"
    for rule in found.rules:
        assert rule.line is not None
        assert f"name: {rule.name}" in (folder / rule.file).read_text("utf-8").splitlines()[rule.line - 1]
        atoms = [part for part in (rule.condition.walk() if rule.condition else ()) if part.form == "atom"]
        for atom in atoms:
            assert atom.line is not None
            assert (
                atom.source.split()[0] in (folder / atom.file).read_text("utf-8").splitlines()[atom.line - 1]
            )


def test_an_explanation_is_plain_data(sample: lab.Decisions) -> None:
    found = sample.why(principal="mgr", action="approve", amount=12_000, region="south", owner=lab.OTHER)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["sentence"] == found.sentence
    assert data["rules"][0]["name"] == "manager-approves-in-own-region"
    assert pickle.loads(pickle.dumps(found)) == found


def test_more_than_one_decision_is_refused(sample: lab.Decisions) -> None:
    with pytest.raises(lab.InputError, match=r"12 decisions are left; choose a value for: amount \(3\)"):
        sample.why(principal="mgr", action="approve")


def test_decisions_from_a_pickle_say_that_they_do_not_know_their_pdp(sample: lab.Decisions) -> None:
    again = pickle.loads(pickle.dumps(sample))
    with pytest.raises(lab.InputError, match="do not know their PDP"):
        again.why(principal="mgr", action="approve", amount=5_000, region="west", owner=lab.OTHER)


def test_html_escapes_everything_and_opens_what_decided(explain: Explain) -> None:
    files = {"thing": thing(a_rule("first"), a_rule("second", 'R.attr.text == "<b>&"', effect="DENY"))}
    page = explain(files, text="<b>&")._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page
    assert page.count("<details open>") == 2
    assert 'aria-label="true"' in page


# -- what policies can say ------------------------------------------------------------------------


def test_a_scope_that_overrides_is_the_one_that_decided(explain: Explain) -> None:
    files = {
        "base": thing(a_rule("base", effect="DENY")),
        "scoped": thing(a_rule("scoped", "R.attr.amount > 5"), scope="acme"),
    }
    found = explain(files, scope="acme", amount=9)
    assert found.sentence == "ALLOW by scoped."
    assert (found.policy, found.scope) == ("resource.thing.vdefault/acme", "acme")
    assert the_rule(found, "base").status == SILENT
    denied = explain(files, scope="acme", amount=1)
    assert denied.sentence == "DENY by base."
    assert the_rule(denied, "scoped").status == UNMET


def test_a_scope_that_requires_consent_does_not_apply_when_its_condition_is_not_met(explain: Explain) -> None:
    files = {
        "base": thing(a_rule("base", "R.attr.amount < 100")),
        "scoped": thing(a_rule("scoped", "R.attr.amount > 5"), scope="acme", scopePermissions=CONSENT),
    }
    denied = explain(files, scope="acme", amount=1)
    assert denied.sentence == CLOSEST + "scoped: amount 1 > 5 is false."
    assert the_rule(denied, "scoped").status == UNMET
    above = explain(files, scope="acme", amount=200)
    assert above.sentence == CLOSEST + "base: amount 200 < 100 is false."
    assert the_rule(above, "scoped").status == APPLIED
    assert explain(files, scope="acme", amount=50).sentence == "ALLOW by scoped and base."


def test_an_allow_without_the_consent_that_its_scope_requires_is_explained(explain: Explain) -> None:
    base = thing(a_rule("other", actions=["view"]))
    scoped = [a_rule("plain"), a_rule("owners", "true", derivedRoles=["owner"])]
    names = {"scope": "acme", "scopePermissions": CONSENT, "importDerivedRoles": ["roles"]}
    files = {"roles": ROLES, "base": base, "scoped": thing(*scoped, **names)}
    found = explain(files, scope="acme", owner="x")
    assert found.sentence == (
        "DENY: plain allows it, but no rule of a parent scope does, as its scope requires."
    )
    assert [rule.status for rule in found.rules] == [APPLIED, NOT_HELD]


def test_the_policy_version_of_the_request_is_explained(explain: Explain) -> None:
    files = {
        "old": thing(a_rule("old")),
        "new": thing(a_rule("new", 'R.attr.status == "OPEN"'), version="2"),
    }
    found = explain(files, policy_version="2", status="PAID")
    assert found.sentence == CLOSEST + "new: status PAID = OPEN is false."
    assert [rule.version for rule in found.rules] == ["2"]


def principal_policy(effect: str, match: str = "true", principal: str = "u0") -> str:
    action = {"action": "approve", "effect": f"EFFECT_{effect}", "name": "personal"}
    rules = [{"resource": "thing", "actions": [{**action, "condition": {"match": {"expr": match}}}]}]
    return policy("principalPolicy", principal=principal, version="default", rules=rules)


def test_a_principal_policy_is_explained_to_its_principal_only(explain: Explain) -> None:
    files = {"thing": thing(a_rule("base")), "own": principal_policy("DENY", "R.attr.amount > 5")}
    found = explain(files, amount=9)
    assert found.sentence == "DENY by personal of a principal policy."
    assert the_rule(found, "base").status == SILENT
    assert explain(files, amount=1).sentence == "ALLOW by base."
    files["own"] = principal_policy("DENY", principal="somebody")
    assert [rule.name for rule in explain(files, amount=9).rules] == ["base"]


def test_a_role_policy_that_refuses_is_named(explain: Explain) -> None:
    rules = [{"resource": "thing", "allowActions": ["view"]}]
    files = {"thing": thing(a_rule("base")), "role": policy("rolePolicy", role="user", rules=rules)}
    found = explain(files)
    assert found.cause.kind == "refused by a role policy"
    assert found.sentence == "DENY: refused by the role policy user, which does not list approve."
    assert found.policy == "role.user.vdefault"


def test_the_condition_of_a_role_policy_is_explained(explain: Explain) -> None:
    own = {"match": {"expr": "R.attr.amount > 5"}}
    rules = [{"resource": "thing", "name": "limited", "allowActions": ["approve"], "condition": own}]
    files = {"thing": thing(a_rule("base")), "role": policy("rolePolicy", role="user", rules=rules)}
    found = explain(files, amount=1)
    assert found.sentence == "DENY: refused by limited: amount 1 > 5 is false."
    assert explain(files, amount=9).sentence == "ALLOW by base."


def role_policy(role: str, *parents: str, actions: tuple[str, ...] = ("approve",)) -> str:
    rules = [{"resource": "thing", "allowActions": list(actions)}]
    return policy("rolePolicy", role=role, parentRoles=list(parents), rules=rules)


GIVEN = {
    "intern": role_policy("intern", "user"),
    "trainee": role_policy("trainee", "intern"),
    "roles": policy(
        "derivedRoles",
        name="roles",
        definitions=[
            {
                "name": "own",
                "parentRoles": ["user"],
                "condition": {"match": {"expr": 'R.attr.amount < 3 && !("user" in P.roles)'}},
            },
        ],
    ),
    "thing": thing(
        a_rule("small", "R.attr.amount < 5"),
        a_rule("own", "R.attr.amount < 4", derivedRoles=["own"]),
        a_rule("boss", "R.attr.amount < 9", roles=["boss"]),
        a_rule("named", '"user" in P.roles'),
        importDerivedRoles=["roles"],
    ),
}
"""Roles that role policies give; ``P.roles`` are those of the request."""


@pytest.mark.parametrize("role", ["intern", "trainee"])
def test_a_role_that_a_role_policy_gives_is_held(role: str, explain: Explain) -> None:
    found = explain(GIVEN, person((role,)), amount=7)
    assert found.sentence == "DENY: no rule allows it. Closest: small: amount 7 < 5 is false."
    assert {rule.name: rule.status for rule in found.rules if rule.type == "resource"} == {
        "small": UNMET,
        "own": NOT_HELD,
        "boss": NOT_HELD,
        "named": UNMET,
    }
    (own,) = the_rule(found, "own").roles
    assert (own.held, own.parent_held) == (False, True)
    assert [one.held for one in the_rule(found, "small").roles] == [True]
    found = explain(GIVEN, person((role,)), amount=2)
    assert found.sentence == "ALLOW by small and own."
    assert found.notes == ()
    assert [one.held for one in the_rule(found, "own").roles] == [True]


def test_a_role_policy_of_a_role_that_another_one_gives_refuses(explain: Explain) -> None:
    files = {**GIVEN, "intern": role_policy("intern", "user", actions=("view",))}
    found = explain(files, person(("trainee",)), amount=1)
    assert found.sentence == "DENY: refused by the role policy intern, which does not list approve."


ROLES = policy(
    "derivedRoles",
    name="roles",
    definitions=[
        {"name": "owner", "parentRoles": ["user"], "condition": {"match": {"expr": "R.attr.owner == P.id"}}},
        {
            "name": "senior",
            "parentRoles": ["*"],
            "condition": {"match": {"expr": "'owner' in runtime.effectiveDerivedRoles || V.old"}},
        },
    ],
    variables={"local": {"old": "P.attr.years >= 10"}},
)


def test_a_derived_role_is_explained_by_its_condition(explain: Explain) -> None:
    files = {
        "roles": ROLES,
        "thing": thing(a_rule("owners", derivedRoles=["owner"]), importDerivedRoles=["roles"]),
    }
    found = explain(files, owner="x")
    assert found.sentence == CLOSEST + "owners: owner x = principal's id p-" + (
        lab.pseudonym("u0").removeprefix("p-") + " is false."
    )
    assert explain(files, owner=lab.SELF).sentence == "ALLOW by owners."


def test_a_derived_role_whose_condition_uses_variables_is_explained(explain: Explain) -> None:
    rule = a_rule("seniors", derivedRoles=["senior"])
    files = {"roles": ROLES, "thing": thing(rule, importDerivedRoles=["roles"])}
    found = explain(files, person(years=3), owner="x")
    (role,) = the_rule(found, "seniors").roles
    assert outcomes(role.condition)["P.attr.years >= 10"] == "false"
    assert found.cause.kind == "condition not met"
    assert explain(files, person(years=12), owner="x").sentence == "ALLOW by seniors."


def test_a_derived_role_that_reads_the_derived_roles_is_said_to_be_odd(explain: Explain) -> None:
    odd = ROLES.replace("'owner' in runtime", "!('senior' in runtime").replace("|| V.old", ") || V.old")
    rule = a_rule("seniors", derivedRoles=["senior"])
    files = {"roles": odd, "thing": thing(rule, importDerivedRoles=["roles"])}
    found = explain(files, person(years=3), owner="x")
    assert found.cause.kind == "condition not met"
    assert "senior is not held, although its condition is true" in found.notes[0]


def test_a_role_held_by_the_second_role_of_a_person_only_is_held(explain: Explain) -> None:
    rule = a_rule("seniors", "R.attr.amount > 5", derivedRoles=["senior"])
    files = {
        "roles": ROLES.replace('["*"]', '["boss"]'),
        "thing": thing(a_rule("users", "R.attr.amount > 5"), rule, importDerivedRoles=["roles"]),
    }
    found = explain(files, person(("user", "boss"), years=12), amount=1)
    assert [(rule.name, rule.held, rule.status) for rule in found.rules] == [
        ("users", True, UNMET),
        ("seniors", True, UNMET),
    ]


def test_variables_of_variables_are_followed_to_their_values(explain: Explain) -> None:
    variables = {
        "local": {"base": "P.attr.limit", "double": "V.base * 2.0", "ok": "R.attr.amount <= V.double"}
    }
    files = {"thing": thing(a_rule("limited", "V.ok"), variables=variables)}
    found = explain(files, person(limit=10), amount=25)
    assert found.sentence == CLOSEST + "limited: amount 25 ≤ double 20 is false."
    atom = next(part for part in condition_of(found, "limited").walk() if part.form == "atom")
    (base,) = atom.values[1].parts
    assert (base.source, base.label, base.parts[0].source) == ("V.base", "10", "P.attr.limit")
    assert "· V.base: 10" in repr(found)


def test_an_error_inside_a_variable_is_followed_to_what_is_missing(explain: Explain) -> None:
    variables = {"local": {"base": "P.attr.limit", "double": "V.base * 2.0"}}
    files = {"thing": thing(a_rule("limited", "R.attr.amount <= V.double"), variables=variables)}
    found = explain(files, amount=25)
    assert found.sentence == CLOSEST + "limited: limit is missing."


def test_constants_that_are_imported_have_their_names_and_values(explain: Explain) -> None:
    files = {
        "limits": policy("exportConstants", name="limits", definitions={"top": 500}),
        "thing": thing(a_rule("limited", "R.attr.amount <= C.top"), constants={"import": ["limits"]}),
    }
    found = explain(files, amount=501)
    assert found.sentence == CLOSEST + "limited: amount 501 ≤ top 500 is false."


def test_variables_that_are_imported_are_explained(explain: Explain) -> None:
    files = {
        "shared": policy("exportVariables", name="shared", definitions={"open": 'R.attr.status == "OPEN"'}),
        "thing": thing(a_rule("opened", "V.open"), variables={"import": ["shared"]}),
    }
    found = explain(files, status="PAID")
    assert found.sentence == CLOSEST + "opened: status PAID = OPEN is false."


def test_outputs_of_rules_are_shown(explain: Explain) -> None:
    output = {"when": {"ruleActivated": '"yes"', "conditionNotMet": '"only " + string(R.attr.amount)'}}
    files = {"thing": thing(a_rule("first", "R.attr.amount > 5", output=output))}
    ((when, value),) = the_rule(explain(files, amount=1), "first").outputs
    assert (when, value.value) == ("conditionNotMet", "only 1")
    ((when, value),) = the_rule(explain(files, amount=9), "first").outputs
    assert (when, value.value) == ("ruleActivated", "yes")


def test_strict_evaluation_names_the_condition_with_the_error(explain: Explain) -> None:
    files = {
        "thing": thing(
            a_rule("open", "R.attr.amount > 5"), a_rule("broken", "R.attr.nope > 5", effect="DENY")
        )
    }
    found = explain(files, strict=True, amount=9)
    assert found.cause.kind == "error in strict evaluation"
    assert found.sentence == "DENY: evaluation is strict, and broken can't be evaluated: nope is missing."
    assert explain(files, amount=9).sentence == "ALLOW by open."


def test_blocks_in_blocks_are_explained_part_by_part(explain: Explain) -> None:
    big, open_, nope = (
        {"expr": text} for text in ("R.attr.amount > 5", 'R.attr.status == "OPEN"', "R.attr.x > 1")
    )
    match = {"all": {"of": [{"any": {"of": [big, nope]}}, {"none": {"of": [nope, open_]}}]}}
    files = {"thing": thing(a_rule("nested", match))}
    found = explain(files, amount=9, status="OPEN")
    condition = condition_of(found, "nested")
    assert outcomes(condition) == {
        "R.attr.amount > 5": "true",
        "R.attr.x > 1": "error",
        'R.attr.status == "OPEN"': "true",
    }
    assert [part.outcome for part in condition.parts] == ["true", "false"]
    assert found.sentence == CLOSEST + "nested: status OPEN = OPEN is true."
    assert explain(files, amount=9, status="PAID").sentence == "ALLOW by nested."
    condition = condition_of(explain(files, amount=9, status="PAID"), "nested")
    assert [part.outcome for part in condition.parts] == ["true", "true"]


def test_logical_operators_are_explained_part_by_part(explain: Explain) -> None:
    text = '!(R.attr.amount > 5 || R.attr.status == "PAID") && (R.attr.vip ? R.attr.amount < 3 : true)'
    files = {"thing": thing(a_rule("first", text))}
    found = explain(files, amount=4, status="OPEN", vip=True)
    assert found.sentence == CLOSEST + "first: amount 4 < 3 is false."
    assert explain(files, amount=9, status="OPEN", vip=False).sentence == (
        CLOSEST + "first: amount 9 > 5 is true."
    )


def test_macros_are_atoms_with_the_values_that_they_read(explain: Explain) -> None:
    files = {"thing": thing(a_rule("tagged", "P.attr.tags.exists(t, t == R.attr.tag)"))}
    found = explain(files, person(tags=["a", "b"]), tag="c")
    assert found.sentence == (
        CLOSEST + 'tagged: P.attr.tags.exists(t, t == R.attr.tag) (with tags ["a", "b"], tag c) is false.'
    )


def test_a_schema_that_rejects_is_the_cause(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    text = thing(a_rule("base"), schemas={"resourceSchema": {"ref": "cerbos:///thing.json"}})
    folder = write(tmp_path / "policies", thing=text)
    (folder / "_schemas").mkdir()
    (folder / "_schemas" / "thing.json").write_text(json.dumps(schema))
    found = swept(folder, config={"schema": {"enforcement": "reject"}}, amount="5").why()
    assert found.cause is not None
    assert (found.cause.kind, found.cause.attributes) == ("schema rejection", ("resource.amount",))
    assert found.sentence == (
        "DENY: a schema refuses the request: resource/amount: expected number, but got string."
    )


def test_an_expression_that_can_not_be_read_is_asked_as_a_whole(explain: Explain) -> None:
    files = {
        "thing": thing(
            a_rule("odd", "[1].exists(R, .R.attr.amount > 9.0)"), a_rule("other", "R.attr.amount > 5")
        )
    }
    found = explain(files, amount=1)
    condition = condition_of(found, "odd")
    assert (condition.form, condition.outcome) == ("unread", "false")
    assert "asked as a whole" in repr(found)


# -- values that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (lab.MISSING, CLOSEST + "limited: limit is missing."),
        ("900", BROKEN + 'limit is the text "900", the rule compares it as a number.'),
        (None, BROKEN + "limit is null, the rule compares it as a number."),
        ([900], BROKEN + "limit is the list [900], the rule compares it as a number."),
        (True, BROKEN + "limit is the boolean true, the rule compares it as a number."),
        (5, CLOSEST + "limited: amount 9 ≤ limit 5 is false."),
        (
            "5",
            CLOSEST + 'limited: limit is the text "5", the rule compares it as a number.',
        ),
    ],
)
def test_a_value_of_another_type_is_broken_data_if_its_repair_allows(
    explain: Explain, limit: Any, sentence: str
) -> None:
    files = {"thing": thing(a_rule("limited", "R.attr.amount <= P.attr.limit"))}
    assert explain(files, person(limit=limit), amount=9).sentence == sentence


@pytest.mark.parametrize(
    ("org", "sentence"),
    [
        ({"limit": "900"}, BROKEN + 'org.limit is the text "900", the rule compares it as a number.'),
        ({"limit": 5}, CLOSEST + "limited: money.amount 9 ≤ org.limit 5 is false."),
        ({}, CLOSEST + "limited: org.limit is missing."),
        (7, CLOSEST + "limited: org.limit is missing."),
    ],
)
def test_what_is_inside_maps_is_explained(explain: Explain, org: Any, sentence: str) -> None:
    files = {"thing": thing(a_rule("limited", "R.attr.money.amount <= P.attr.org.limit"))}
    assert explain(files, person(org=org), attr={"money.amount": 9}).sentence == sentence


def test_a_list_where_a_text_is_compared_is_broken_data(explain: Explain) -> None:
    files = {"thing": thing(a_rule("local", "P.attr.region == R.attr.region"))}
    found = explain(files, person(region=["south"]), region="south")
    assert found.sentence == (BROKEN + 'region is the list ["south"], the rule compares it as a string.')
    assert found.cause.attributes == ("principal.region",)
    other = explain(files, person(region=["west"]), region="south")
    assert other.cause.kind == "condition not met"


def test_the_resource_is_broken_where_its_value_is_the_odd_one(explain: Explain) -> None:
    files = {"thing": thing(a_rule("local", "P.attr.region == R.attr.region"))}
    found = explain(files, person(region="south"), region=[["south"]])
    assert found.cause.attributes == ("resource.region",)


# -- what may be shown ----------------------------------------------------------------------------


def test_an_explanation_contains_no_id_and_no_personal_value(explain: Explain) -> None:
    who = pd.DataFrame([{"id": "user-of-k.lee", "roles": ("user",), "salary": 123_457, "ward": "ward-seven"}])
    files = {
        "thing": thing(
            a_rule("paid", "R.attr.amount < P.attr.salary * 2.0 && R.attr.owner == P.id"),
            a_rule("ward", 'P.attr.ward.startsWith(R.attr.text) || "x" + P.attr.ward == "y"'),
            a_rule("whole", "size(P.attr) > 50"),
        )
    }
    found = explain(files, who, amount=1e9, owner=lab.SELF, text="user-of-k.lee")
    told = json.dumps(found.to_dict()) + repr(found) + found._repr_html_()
    for secret in ("k.lee", "123457", "123,457", "246914", "246,914", "ward-seven"):
        assert secret not in told, secret
    assert "(not shown)" in told
    assert found.principal == lab.pseudonym("user-of-k.lee")


# -- without policies, and when something changes ---------------------------------------------------


def test_at_an_address_without_policies_only_the_policy_that_decided_is_known(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("first", "R.attr.amount > 5")))
    with lab.PDP(folder) as own, lab.PDP(address=own.address) as pdp:
        with pytest.warns(lab.LabWarning):
            made = lab.sweep(pdp, person(), "thing", actions=["approve"], amount=[1, 9])
        found = made.why(amount=9)
        assert found.sentence == "ALLOW by the policy resource.thing.vdefault."
        assert "does not disclose its policies" in found.notes[0]
        assert found.rules == ()
        assert made.why(amount=1).effect == "DENY"


def test_at_an_address_with_policies_they_are_explained_without_its_configuration(tmp_path: Path) -> None:
    schemas = {"resourceSchema": {"ref": "cerbos:///thing.json"}}
    folder = write(tmp_path / "policies", thing=thing(a_rule("first", "R.attr.amount > 5"), schemas=schemas))
    (folder / "_schemas").mkdir()
    (folder / "_schemas" / "thing.json").write_text('{"type": "object"}')
    with lab.PDP(folder) as own, lab.PDP(address=own.address, admin=("cerbos", "cerbosAdmin")) as pdp:
        made = lab.sweep(pdp, person(), "thing", actions=["approve"], amount=[1, 9])
    found = made.why(amount=1)
    assert found.sentence == CLOSEST + "first: amount 1 > 5 is false."
    assert len(found.notes) == 1
    assert "does not report its configuration" in found.notes[0]
    assert made.causes()["cause"].tolist() == ["condition not met"]
    made.source.close()


def test_an_explanation_that_does_not_reproduce_the_effect_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("first", "R.attr.amount > 5")))
    made = swept(folder, amount=[1, 9])
    other = swept(write(folder, thing=thing(a_rule("first", "R.attr.amount > 50"))), amount=[1, 9])
    made.source = other.source
    found = made.why(amount=9)
    assert found.effect == "ALLOW"
    assert "gives DENY here, and the PDP gave ALLOW" in found.notes[0]


def test_an_attribute_inside_a_map_is_seen_where_it_is(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("small", "R.attr.money.amount <= 5")))
    made = swept(folder, attr={"money.amount": [3, 9], "money": {"currency": "USD"}})
    low: dict[str, Any] = {"money.amount": 3}
    high: dict[str, Any] = {"money.amount": 9}
    assert made.why(**low).notes == ()
    assert made.why(**high).sentence.endswith("Closest: small: money.amount 9 ≤ 5 is false.")
    assert made.causes()["detail"].tolist() == ["money.amount 9 ≤ 5 is false"]
    made.source.close()

"""Kinds, versions, scopes and actions are refused exactly when no policy can mean them, as the PDP shows."""

import itertools
import json
import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cerbos.request.v1 import request_pb2
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import Principal
from clerk_cerbos_lab.pdp import messages

API = {"apiVersion": "api.cerbos.dev/v1"}
KINDS = ["doc", "mail", "leave:request", "a-b", "x::y"]
VERSIONS = ["default", "v2"]
SCOPES = ["", "acme", "acme.hr", "beta", "gamma"]
ACTIONS = ["view", "view:*", "edit", "*", "sign\\*", "view:own"]
ASKED_KINDS = [*KINDS, "leave_request", "a_b", "docs", "x_y", "leave:sick"]
ASKED_VERSIONS = ["", "default", "v2", "v3"]
ASKED_SCOPES = ["", ".", "acme", "acme.hr", "acme.hr.eu", "acme.it", "beta", "beta.x", "gamma", "delta"]
ASKED_ACTIONS = ["view", "view:own", "view:a:b", "edit", "edti", "sign*", "signed"]
WHO: Sequence[tuple[str, tuple[str, ...]]] = [
    ("x", ("user",)),
    ("y", ("intern",)),
    ("sally", ("user",)),
    ("auth0|5", ("user",)),
]


def store(made: random.Random) -> list[dict[str, Any]]:
    """Return policies that allow everything they name, with the scopes above each that Cerbos demands."""
    some: dict[tuple[str, ...], dict[str, Any]] = {}

    def resource(kind: str, version: str, scope: str) -> None:
        rules = [
            {
                "actions": made.sample(ACTIONS, made.choice([1, 1, 2])),
                "roles": ["*"],
                "effect": "EFFECT_ALLOW",
            }
            for _ in range(made.choice([0, 1, 1]))
        ]
        body = {"resource": kind, "version": version, "scope": scope, "rules": rules}
        some.setdefault(("resource", kind, version, scope), {**API, "resourcePolicy": body})

    def principal(one: str, version: str, scope: str) -> None:
        rules = [
            {"resource": kind, "actions": [{"action": made.choice(ACTIONS), "effect": "EFFECT_ALLOW"}]}
            for kind in made.sample([*KINDS, "leave:*", "*", "lea*"], made.choice([0, 1, 2]))
        ]
        body = {"principal": one, "version": version, "scope": scope, "rules": rules}
        some.setdefault(("principal", one, version, scope), {**API, "principalPolicy": body})

    for _ in range(made.randint(1, 5)):
        kind, version, scope = made.choice(KINDS), made.choice(VERSIONS), made.choice(SCOPES)
        for above in {scope, scope.rpartition(".")[0], ""}:
            resource(kind, version, above)
    for _ in range(made.randint(0, 2)):
        one, version, scope = made.choice(["sally", "auth0|5"]), made.choice(VERSIONS), made.choice(SCOPES)
        for above in {scope, scope.rpartition(".")[0], ""}:
            principal(one, version, above)
    for scope in made.sample(SCOPES, made.choice([0, 0, 1, 2])):
        rules = [{"resource": made.choice([*KINDS, "*"]), "allowActions": made.sample(ACTIONS, 1)}]
        some["role", scope] = {**API, "rolePolicy": {"role": "intern", "scope": scope, "rules": rules}}
    return list(some.values())


def answers(pdp: lab.PDP, kind: str, version: str, scope: str) -> dict[str, set[tuple[str, bool]]]:
    """Return for each action which policy answered somebody, and whether it allowed."""
    found: dict[str, set[tuple[str, bool]]] = {action: set() for action in ASKED_ACTIONS}
    entries = messages.Entries(
        [("r", {})], kind=kind, actions=ASKED_ACTIONS, policy_version=version, scope=scope, other="other"
    )
    for one, roles in WHO:
        principal = messages.principal_message(Principal(one, roles, {}), policy_version=version, scope=scope)
        request = request_pb2.CheckResourcesRequest(
            request_id="x", include_meta=True, principal=principal, resources=entries.messages
        )
        result = pdp._connection.stub.CheckResources(request).results[0]
        for action in ASKED_ACTIONS:
            matched = result.meta.actions[action].matched_policy
            found[action].add((matched, result.actions[action] == messages.ALLOW))
    return found


FEW = [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))]


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize("lenient", [False, True])
def test_every_combination_in_a_generated_store_is_refused_if_no_policy_matches_it(
    tmp_path: Path, seed: int, *, lenient: bool
) -> None:
    documents = store(random.Random(seed))
    for number, document in enumerate(documents):
        (tmp_path / f"{number}.json").write_text(json.dumps(document))
    only_in_role_policies = refused = kept = 0
    with lab.PDP(tmp_path, config={"engine": {"lenientScopeSearch": lenient}}) as pdp:
        for kind, version, scope in itertools.product(ASKED_KINDS, ASKED_VERSIONS, ASKED_SCOPES):
            theirs = answers(pdp, kind, version, scope)
            reached = any(policy != "NO_MATCH" for each in theirs.values() for policy, _ in each)
            try:
                found = pdp.reached(kind, policy_version=version, scope=scope)
            except lab.InputError:
                refused += 1
                assert not reached, (kind, version, scope)
                continue
            kept += 1
            named = any(policy.type == "principal" for policy in found.policies)
            assert reached or named, (
                kind,
                version,
                scope,
            )  # a principal policy may name none of these actions
            for action, each in theirs.items():
                allowed = any(allow for _, allow in each)
                try:
                    found.check_action(action)
                except lab.InputError:
                    assert not allowed, (kind, version, scope, action)
                else:
                    only_in_role_policies += not allowed
                    by_role = any(policy.type == "role" for policy in found.policies)
                    assert allowed or by_role, (kind, version, scope, action)
    assert refused
    assert kept


def principal_policy(one: str, resource: str, action: str = "view", **more: str) -> str:
    """Return a principal policy of one rule."""
    body = {
        "principal": one,
        "version": "default",
        "rules": [{"resource": resource, "actions": [{"action": action, "effect": "EFFECT_ALLOW"}]}],
        **more,
    }
    return json.dumps({**API, "principalPolicy": body})


def warned(call: Any) -> list[str]:
    """Return the kit's warnings of a call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    return [str(one.message) for one in seen if issubclass(one.category, lab.LabWarning)]


def test_a_name_that_only_a_rule_about_everything_matches_warns_with_the_nearest(tmp_path: Path) -> None:
    both = resource_policy(rule(actions=["approve", "view:*"]), rule(actions=["*"], roles=["boss"]))
    folder = write(tmp_path / "p", thing=both, sally=principal_policy("sally", "*"))
    with lab.PDP(folder) as pdp:
        for call in (
            lambda: lab.sweep(pdp, users(), "thing", actions="aprove", amount=[1]),
            lambda: pdp.is_allowed("aprove", {"id": "u0", "roles": ("user",)}, "thing"),
        ):
            (told,) = warned(call)
            assert "no policy names the action 'aprove'" in told
            assert "did you mean 'approve'" in told
        swept = warned(lambda: lab.sweep(pdp, users(), "thng", actions="view", amount=[1]))
        assert len(swept) == 1
        assert "no policy names the kind 'thng'" in swept[0]
        assert "did you mean 'thing'" in swept[0]
        quiet: Mapping[str, str] = {"approve": "thing", "view:own": "thing"}
        for action, kind in quiet.items():
            assert warned(lambda a=action, k=kind: lab.sweep(pdp, users(), k, actions=a, amount=[1])) == []
        with pytest.warns(lab.LabWarning):
            notes = lab.sweep(pdp, users(), "thing", actions="aprove", amount=[1]).provenance.notes
        assert any(note.startswith("No policy names the action 'aprove'") for note in notes)


def test_a_name_with_one_wrong_letter_warns_if_only_a_pattern_matches_it(tmp_path: Path) -> None:
    both = resource_policy(
        rule(actions=["approve"]), rule(actions=["?*"], roles=["boss"]), kind="leave_request"
    )
    folder = write(tmp_path / "p", thing=both, sally=principal_policy("sally", "leave*"))
    with lab.PDP(folder) as pdp:
        (told,) = warned(lambda: lab.sweep(pdp, users(), "leave_request", actions="aprove", amount=[1]))
        assert told == "no policy names the action 'aprove', only patterns; did you mean 'approve'?"
        told, *_ = warned(lambda: lab.sweep(pdp, users(), "leave_reqest", actions="view", amount=[1]))
        assert told == "no policy names the kind 'leave_reqest', only patterns; did you mean 'leave_request'?"


def test_a_name_that_only_a_role_policy_has_warns_because_it_allows_nothing(tmp_path: Path) -> None:
    body = {"role": "auditor", "rules": [{"resource": "*", "allowActions": ["approve", "aprove"]}]}
    folder = write(tmp_path / "p", v2=up_to(5, version="v2"), role=json.dumps({**API, "rolePolicy": body}))
    with lab.PDP(folder) as pdp:
        (told,) = warned(lambda: lab.sweep(pdp, users(), "thing", actions="approve", amount=[1]))
        assert told == "only role policies are about 'thing' here, and they allow nothing by themselves"
    write(folder, one=up_to(5))
    with lab.PDP(folder) as pdp:
        (told,) = warned(lambda: lab.sweep(pdp, users(), "thing", actions="aprove", amount=[1]))
        assert told == "only role policies name the action 'aprove', and they allow nothing by themselves"
        assert warned(lambda: lab.sweep(pdp, users(), "thing", actions="approve", amount=[1])) == []


def test_a_scope_of_another_kind_or_a_role_policy_is_searched_upwards(tmp_path: Path) -> None:
    role = {
        **API,
        "rolePolicy": {
            "role": "intern",
            "scope": "beta",
            "rules": [{"resource": "doc", "allowActions": ["approve"]}],
        },
    }
    folder = write(
        tmp_path / "p",
        doc=up_to(10, kind="doc"),
        mail=up_to(5, kind="mail"),
        acme=up_to(5, kind="mail", scope="acme"),
        intern=json.dumps(role),
    )
    with lab.PDP(folder) as pdp:
        for scope in ("acme", "beta"):
            swept = lab.sweep(pdp, users(), "doc", actions="approve", amount=[5, 10, 11], scope=scope)
            assert swept.counts() == {"ALLOW": 2, "DENY": 1}
        with pytest.raises(
            lab.InputError, match=r"'doc' has no policy in the scope 'acne'; did you mean 'acme'"
        ):
            lab.sweep(pdp, users(), "doc", actions="approve", amount=[5], scope="acne")


def test_an_unknown_scope_of_another_version_is_refused_with_the_version(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", one=up_to(5), two=up_to(5, version="v2"), three=up_to(9, scope="acme"))
    with lab.PDP(folder) as pdp:
        with pytest.raises(lab.InputError, match=r"'thing', version 'v2', has no policy in the scope 'acne'"):
            pdp.actions("thing", policy_version="v2", scope="acne")
        assert pdp.actions("thing", policy_version="v2", scope="acme") == (
            "approve",
        )  # and upward to v2's own


def test_notes_on_attributes_ignore_policies_that_the_question_cannot_reach(tmp_path: Path) -> None:
    other = {
        **API,
        "principalPolicy": {
            "principal": "sally",
            "version": "v2",
            "rules": [
                {
                    "resource": "*",
                    "actions": [
                        {
                            "action": "*",
                            "effect": "EFFECT_ALLOW",
                            "condition": {"match": {"expr": "R.attr.dev_record == true"}},
                        }
                    ],
                }
            ],
        },
    }
    v2 = resource_policy(rule("R.attr.region == 'x'"), version="v2")
    folder = write(tmp_path / "p", one=up_to(5), two=v2, sally=json.dumps(other))
    with lab.PDP(folder) as pdp:
        asked: dict[str, Any] = {"actions": "approve", "amount": [1]}
        assert lab.sweep(pdp, users(), "thing", **asked).provenance.notes == ()
        notes = lab.sweep(pdp, users(), "thing", region="x", **asked).provenance.notes
        assert notes == ("No policy that applies here reads region.",)
        notes = lab.sweep(pdp, users(), "thing", policy_version="v2", **asked).provenance.notes
        assert notes == (
            "No policy that applies here reads amount.",
            "Read by the policies of thing, but not sent: dev_record, region.",
        )


def test_with_a_rejecting_schema_no_note_says_that_an_attribute_makes_no_difference(
    tmp_path: Path,
) -> None:
    folder = write(
        tmp_path / "p",
        thing=resource_policy(rule("R.attr.amount <= 5")).rstrip()
        + """
  schemas: {resourceSchema: {ref: "cerbos:///thing.json"}}
""",
    )
    (folder / "_schemas").mkdir()
    schema = {"type": "object", "properties": {"region": {"enum": ["south"]}}}
    (folder / "_schemas" / "thing.json").write_text(json.dumps(schema))
    for enforcement, note in (
        ("reject", "No condition reads region; the PDP may still reject it by a schema."),
        ("none", "No policy reads region."),
    ):
        with lab.PDP(folder, config={"schema": {"enforcement": enforcement}}) as pdp:
            swept = lab.sweep(pdp, users(), "thing", actions="approve", amount=[1], region=["south", "x"])
            assert note in swept.provenance.notes
            assert swept.effect(region="x") == ("DENY" if enforcement == "reject" else "ALLOW")

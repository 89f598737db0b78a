"""What the analysis finds in policies: what an attribute is compared with, and its other uses."""

from typing import Any

import pytest

from clerk_cerbos_lab.policies.analysis import Analysis, analyse
from clerk_cerbos_lab.policies.cel import Literal
from clerk_cerbos_lab.policies.policy_set import PolicySet


def of(*expressions: str, **more: Any) -> Analysis:
    """Analyse a policy with these conditions."""
    rules = [{"actions": ["do"], "condition": {"match": {"expr": text}}} for text in expressions]
    body = {"resource": "thing", "rules": rules, **more}
    return analyse(PolicySet([{"resourcePolicy": body, "metadata": {"sourceFile": "thing.yaml"}}]), "thing")


@pytest.mark.parametrize(
    "expression",
    [
        "R.attr.amount <= 5",
        "5 > R.attr.amount",
        'R.attr["amount"] == P.attr.limit',
        "request.resource.attr.amount != C.high",
        "!(R.attr.amount < 5) || R.attr.amount >= P.attr.limit * 2.0",
        "P.attr.boss ? R.attr.amount < 5 : R.attr.amount < 10",
        "R.attr.amount in [1, 2] && has(R.attr.amount)",
        "double(R.attr.amount) < 5.0",
        "P.attr.limits.exists(l, R.attr.amount <= l)",
        "P.attr.grants.exists(g, g.on && R.attr.amount <= g.limit)",
        "V.alias < 5",
        "V.open && variables.big",
        "R.attr.amount <= P.attr.limits.map(l, l * 2.0)[0]",
    ],
)
def test_a_comparison_with_something_independent_of_the_attribute_is_recorded_as_one(expression: str) -> None:
    variables = {"alias": "R.attr.amount", "open": 'R.attr.status == "OPEN"', "big": "R.attr.amount > 7.0"}
    found = of(expression, variables={"local": variables}, constants={"local": {"high": 9}})
    use = found.uses["amount"]
    assert found.unreadable is None
    assert use.comparisons
    assert use.otherwise == []


@pytest.mark.parametrize(
    "expression",
    [
        "R.attr.amount * 2.0 < 5.0",
        'string(R.attr.amount) == "5"',
        "int(R.attr.amount) % 2 == 0",
        "R.attr.amount < R.attr.amount / 2.0",
        "R.attr.amount",
        "[R.attr.amount][0] < 5.0",
        "(P.attr.a ? R.attr.amount : 5.0) < 4.0",
        "5.0 in R.attr.amount",
        "R.attr.amount.cents < 5",
        "R.attr.amount < (V.big ? 5.0 : 10.0)",
        "P.attr.limits.exists(l, R.attr.amount <= l * 2.0)",
        "[1.0, 2.0].exists(l, R.attr.amount <= l)",
        "[R.attr.amount].exists(a, a < 5.0)",
        "P.attr.limits.exists(P, R.attr.amount <= P) && R.attr.amount + 1.0 > 2.0",
        "R.attr.amount <= double(timestamp(P.attr.since).getFullYear()) && R.attr.amount < now().getHours()",
        'R.attr.amount < ("x" in runtime.effectiveDerivedRoles ? 5.0 : 6.0)',
        "R.attr.amount == R.scope",
    ],
)
def test_any_other_use_is_named(expression: str) -> None:
    found = of(expression, variables={"local": {"big": "R.attr.amount > 7.0"}})
    assert found.unreadable is None
    use = found.use_of("amount")
    assert use is not None
    said = [*use.otherwise, *(term.where for term in use.terms)]
    assert said
    assert all(text.endswith("in thing.yaml") for text in said)


@pytest.mark.parametrize(
    "expression",
    [
        "size(R.attr) > 1",
        '"a" in R.attr',
        "R.attr[P.attr.key] == 1",
        "R.attr == P.attr",
        "dyn(R).x",
        "dyn(request).x",
    ],
)
def test_using_the_whole_resource_counts_as_reading_every_attribute(expression: str) -> None:
    assert of(expression).whole


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("P.attr.a == 1 && request.principal.attr.b", {"a", "b"}),
        ('P.attr["a"].b > 1', {"a.b"}),
        ('P.attr["a.b"] > 1', {'["a.b"]'}),
        ("has(P.attr.a)", set()),
        ("P.attr.teams.exists(t, t == R.attr.team)", {"teams"}),
        ("P.attr.teams.exists(P, P == R.attr.team)", {"teams"}),
        ("P.id == R.attr.owner", set()),
        ('"a" in P.attr', None),
        ("P.attr.exists(k, k == R.attr.x)", None),
        ("P.attr[R.attr.key] == 1", None),
        ("dyn(P).id", None),
        ("P.attr.?a.orValue(P.attr[?'b'].?c.orValue(1)) == 1", {"a", "b"}),
        ("[1, ?P.attr.?a] == [] || {?'k': P.attr.?b} == {}", {"a", "b"}),
        ("P.attr.a.?b.hasValue()", {"a"}),
        ("P.attr.a.b[?'c'].hasValue()", {"a.b"}),
        ("P.?attr.hasValue()", None),
        ("request.?principal.hasValue()", None),
        ("P.attr.`b-c` == .P.attr.d", {"b-c", "d"}),
        ("google.protobuf.Value{string_value: P.attr.a} == 'x'", {"a"}),
        ("cel.bind(P, P.attr.a, P == 1)", {"a"}),
        ("cel.bind(x, P.attr.a, x == 1 && P.attr.b)", {"a", "b"}),
        ("cel.bind(x, P, x.attr.b == 1)", None),
        ("V.?alias.hasValue()", {"level"}),
        ("V.alias == 1", {"level"}),
    ],
)
def test_the_attributes_of_the_principal_are_those_that_are_read(
    expression: str, read: set[str] | None
) -> None:
    found = of(expression, variables={"local": {"alias": "P.attr.level"}})
    assert found.principal_attributes == read
    presence = {"a", "level"} if expression == "has(P.attr.a)" else {"level"}
    assert found.principal_presence == presence  # a variable that fails is an error in strict evaluation


@pytest.mark.parametrize(
    "expression",
    [
        "P.id == R.attr.owner",
        "R.attr.owner != request.principal.id",
        'P.id in ["a", "b"]',
        'P.id == "a\\u0062"',
        "P.id in R.attr.owners",
        "R.attr.owners.exists(o, o == P.id)",
        "R.attr.owners.all(o, o != P.id) && P.attr.boss == P.id",
        "V.me == R.attr.owner",
        'R.attr.owner == null || R.attr.owner == ""',
        "has(R.attr.owner)",
        "C.staff.exists(s, s == P.id)",
    ],
)
def test_an_id_that_is_only_compared_for_equality_can_be_exchanged(expression: str) -> None:
    found = of(expression, variables={"local": {"me": "P.id"}}, constants={"local": {"staff": ["u1"]}})
    assert found.unreadable is None
    assert found.identity == []
    assert [text for use in found.uses.values() for text in use.not_equality] == []


@pytest.mark.parametrize(
    "expression",
    [
        'P.id.startsWith("u")',
        'P.id + "" == R.attr.owner',
        "P.id < R.attr.owner",
        "[P.id][0] == R.attr.owner",
        "{P.id: 1} == R.attr.owners",
        'P.id == P.attr.first + "." + P.attr.last',
        "P.id == request.auxData.jwt.sub",
        "P.id == G.admin",
        'P.id == b"ab"',
        'P.id == P.attr.?boss.orValue("u1")',
        "dyn(P) == R.attr.owner",
        "P.attr.exists(name, name == P.id)",
        "hasIntersection([P.id], R.attr.owners)",
        "R.attr.names[P.id] == 1",
    ],
)
def test_any_other_use_of_an_id_is_named(expression: str) -> None:
    assert of(expression).identity


@pytest.mark.parametrize(
    "expression",
    [
        'R.attr.owner.matches("^u")',
        "size(R.attr.owner) > 3",
        'R.attr.owner + "" == P.id',
        "R.attr.owner > P.id",
    ],
)
def test_any_other_use_of_an_owner_is_named(expression: str) -> None:
    use = of(expression).use_of("owner")
    assert use is not None
    assert use.not_equality


def test_a_string_is_found_wherever_it_is_in_the_policies() -> None:
    policies: list[dict[str, Any]] = [
        {"exportVariables": {"name": "shared", "definitions": {"small": "R.attr.amount < 3"}}},
        {"exportConstants": {"name": "limits", "definitions": {"high": 7, "who": "u7"}}},
        {
            "derivedRoles": {
                "name": "roles",
                "definitions": [
                    {"name": "near", "condition": {"match": {"expr": "R.attr.region == P.attr.region"}}}
                ],
            }
        },
        {
            "derivedRoles": {
                "name": "others",
                "definitions": [{"name": "far", "condition": {"match": {"expr": "R.attr.elsewhere == 1"}}}],
            }
        },
        {
            "resourcePolicy": {
                "resource": "thing",
                "importDerivedRoles": ["roles"],
                "variables": {"import": ["shared"]},
                "constants": {"import": ["limits"]},
                "rules": [
                    {"condition": {"match": {"all": {"of": [{"none": {"of": [{"expr": "V.small"}]}}]}}}}
                ],
            }
        },
        {
            "resourcePolicy": {
                "resource": "other",
                "rules": [{"condition": {"match": {"expr": "R.attr.no > 1"}}}],
            }
        },
        {
            "principalPolicy": {
                "principal": "u5",
                "rules": [
                    {
                        "resource": "thin*",
                        "actions": [{"condition": {"match": {"expr": "R.attr.seen == 1"}}}],
                    },
                    {"resource": "other", "actions": [{"condition": {"match": {"expr": "R.attr.not == 1"}}}]},
                ],
            }
        },
        {
            "rolePolicy": {
                "role": "auditor",
                "rules": [{"resource": "thing", "condition": {"match": {"expr": "R.attr.audited == 1"}}}],
            }
        },
    ]
    found = analyse(PolicySet(policies), "thing")
    assert sorted(found.uses) == ["amount", "audited", "region", "seen"]
    assert found.principal_attributes == {"region"}
    assert found.named == {"u5"}
    assert "u7" in found.strings
    (compared,) = found.uses["amount"].comparisons
    assert compared.other == Literal(3)


@pytest.mark.parametrize(
    "policy",
    [
        {"resourcePolicy": {"resource": "thing", "rules": [{"condition": {"script": "x"}}]}},
        {"resourcePolicy": {"resource": "thing", "rules": [{"condition": {"match": {"some": {"of": []}}}}]}},
        {"resourcePolicy": {"resource": "thing", "rules": [{"condition": {"match": {"expr": "P.id =="}}}]}},
        {
            "resourcePolicy": {
                "resource": "thing",
                "rules": [{"condition": {"match": {"expr": "unknown > 1"}}}],
            }
        },
        {"resourcePolicy": {"resource": "thing", "variables": {"import": ["nowhere"]}}},
        {"newPolicy": {"resource": "thing"}},
        {
            "resourcePolicy": {
                "resource": "thing",
                "rules": [{"condition": {"match": {"expr": "P.attr.a.each(C, C.b)"}}}],
            }
        },
    ],
)
def test_what_is_not_understood_is_reported(policy: dict[str, Any]) -> None:
    assert analyse(PolicySet([policy]), "thing").unreadable


def test_the_clock_is_noticed() -> None:
    assert of("now() < timestamp(P.attr.until)").clock
    assert of(
        "V.late", variables={"local": {"late": "timestamp(R.attr.at).timeSince() > duration('1h')"}}
    ).clock
    assert not of("R.attr.at < P.attr.until").clock

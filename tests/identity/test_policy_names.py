"""The people that policies name are found wherever a string can be the id of a principal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_policies import HEAD, resource_policy, rule, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.policies.people_named import names_in, names_in_files

if TYPE_CHECKING:
    from pathlib import Path

NAMES = """  variables:
    local:
      vips: '["vip"] + ["vic"]'
      boss: C.deep.boss
  constants:
    local:
      listed: [lia, lou]
      limits: {mia: gold}
      people: [{id: pia, team: SALES}]
      deep: {boss: bea}
"""


@pytest.mark.parametrize(
    ("condition", "people"),
    [
        ('P.id == "sally"', {"sally"}),
        ('"tom" != request.principal.id', {"tom"}),
        ('P.id in ["a1", "b2"]', {"a1", "b2"}),
        ('R.attr.owner == P.id && R.attr.owner == "zoe" && R.attr.status == "OPEN"', {"zoe"}),
        ('R.attr.checker == "cara" && R.attr.checker in [R.attr.owner] && R.attr.owner != P.id', {"cara"}),
        ('P.attr.boss == R.attr.owner && R.attr.owner == P.id && P.attr.boss == "bob"', {"bob"}),
        ('["q1", "q2"].exists(one, one == P.id && R.attr.kind == "KIND")', {"q1", "q2"}),
        ('P.id == (R.attr.status == "NEW" ? "t1" : "t2")', {"t1", "t2"}),
        ('{"mk": 5}[P.id] > 3', {"mk"}),
        ('hasIntersection([P.id], ["hal"])', {"hal"}),
        ('P.id == "o\\"brien"', {'o"brien'}),
        (r'P.id == "a\x62"', {"ab"}),
        ('P.id == R.attr.?owner.orValue("sally")', {"sally"}),
        ('P.id in [?R.attr.?checker, "tom",] && R.attr.checker == "cara"', {"tom", "cara"}),
        ('{"mk": 5}[?P.id].hasValue()', {"mk"}),
        ('{?"mk": R.attr.?size}[P.id] == 5', {"mk"}),
        ('optional.of("ann") == P.?id', {"ann"}),
        ('google.protobuf.Value{string_value: "val"} == P.id', {"val"}),
        ('cel.bind(one, "ann", one == P.id)', {"ann"}),
        ('R.attr.owner == .P.id && R.attr.?owner.optMap(one, one == "ann").orValue(false)', {"ann"}),
        ("P.id in V.vips", {"vip", "vic"}),
        ("V.vips.exists(one, one == P.id)", {"vip", "vic"}),
        ("P.id in C.listed", {"lia", "lou"}),
        ("P.id in C.limits", {"mia"}),
        ("C.limits[R.attr.region] == P.id", {"gold"}),
        ("C.people.exists(one, one.id == P.id)", {"pia"}),
        ("P.id == V.boss", {"bea"}),
        ('[{"n": "wim"}].exists(one, one.n == P.id)', {"wim"}),
        (
            'R.attr.items.exists(i, i.by == P.id) && R.attr.items.exists(j, j.by == "jan" && j.as == "AS")',
            {"jan"},
        ),
        ('R.attr.region == "south" && P.attr.region == R.attr.region', set()),
        ('P.id.startsWith("svc-") && R.attr.status in ["OPEN"]', set()),
    ],
)
def test_a_string_that_is_compared_with_an_id_names_somebody(
    tmp_path: Path, condition: str, people: set[str]
) -> None:
    text = resource_policy(rule(condition)).replace("  rules:", f"{NAMES}  rules:")
    with lab.PDP(write(tmp_path / "policies", thing=text)) as pdp:
        assert names_in(pdp.documents()).people == people
    assert names_in_files((text,)).people == people


def test_principal_policies_and_outputs_name_somebody_even_if_disabled() -> None:
    rules = "rules: [{resource: thing, actions: [{action: view, effect: EFFECT_ALLOW}]}]"
    policy = (
        f"{HEAD}disabled: true\nprincipalPolicy: {{principal: 'acct:1/bob', version: default, {rules}}}\n"
    )
    output = resource_policy(rule()) + "      output: {when: {ruleActivated: 'P.id == \"olga\"'}}\n"
    assert names_in_files((policy, output)).people == {"acct:1/bob", "olga"}


def test_what_cannot_be_read_counts_as_naming_somebody() -> None:
    expression = 'P.id == "ann" || R.attr.?x.orValue(1) == 1'
    assert names_in_files((resource_policy(rule(expression), rule('R.attr.a == "b" ||')),)).people == {"ann"}


def test_names_of_roles_actions_and_attributes_are_words() -> None:
    text = resource_policy(rule('P.attr.region == "south" && C.top > 1', roles=["boss"], actions=["sign"]))
    text = text.replace("  rules:", "  constants: {local: {top: 1}}\n  rules:")
    assert {"region", "boss", "sign", "thing", "top"} <= names_in_files((text,)).words
    assert "south" not in names_in_files((text,)).words

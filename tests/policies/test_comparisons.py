"""The report knows the type that policies compare an attribute with, if their text shows it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.policies.attribute_types import compared_types

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("P.attr.level >= 3", {"level": "a number"}),
        ("3 <= P.attr.level", {"level": "a number"}),
        ("'a' == request.principal.attr['dep']", {"dep": "a string"}),
        ("P.attr.on == true", {"on": "a boolean"}),
        ("P.attr.limit >= C.most", {"limit": "a number"}),
        ("P.attr.a == R.attr.b && R.attr.b == R.attr.c || R.attr.c != 'x'", {"a": "a string"}),
        ("V.limit < 3", {"limit": "a number"}),
        ("P.attr.limit == C.by.region", {"limit": "a string"}),
        ("P.attr.m == 1 || P.attr.m == 'x'", {}),
        ("P.attr.m == P.attr.n", {}),
        ("P.attr.map.key == 3", {"map.key": "a number"}),
        ("P.attr.text.size() > 3", {}),
        ("size(P.attr.text) > 3", {}),
        ("P.attr.limit >= C.unknown", {}),
        ("P.attr.limit * 2.0 >= 3.0", {}),
        ("P.attr.?limit == 3", {}),
    ],
)
def test_a_comparison_gives_an_attribute_its_type(text: str, types: dict[str, str]) -> None:
    body = {
        "resource": "thing",
        "constants": {"local": {"most": 5.0, "by": {"region": "x"}}},
        "variables": {"local": {"limit": "P.attr.limit"}},
        "rules": [{"condition": {"match": {"any": {"of": [{"expr": text}]}}}}],
    }
    assert compared_types([{"resourcePolicy": body}]) == types


def test_a_mistyped_value_is_reported_even_if_everybody_has_it(tmp_path: Path) -> None:
    policy = resource_policy(rule("R.attr.amount <= 5000"), rule("P.attr.limit >= R.attr.amount"))
    (tmp_path / "thing.yaml").write_text(policy)
    people = pd.DataFrame({"id": ["a", "b", "c"], "roles": [("user",)] * 3, "limit": ["1", "2", "3"]})
    assert lab.problems(people).empty
    with lab.PDP(tmp_path) as pdp:
        told = lab.problems(people, pdp)
    assert told["problem"].tolist() == ["mistyped attribute"] * 3
    assert set(told["detail"]) == {"a string, and policies compare it with a number"}


def test_a_value_that_was_already_reported_is_reported_once(pdp: lab.PDP) -> None:
    root = Path(__file__).parents[2]
    principals = lab.load_principals(root / "data" / "clerk_users.json")
    told = lab.problems(principals, pdp)
    limits = told[(told["problem"] == "mistyped attribute") & (told["attribute"] == "approval_limit")]
    assert len(limits) == limits["principal"].nunique() == 3
    assert all(detail.endswith("; policies compare it with a number") for detail in limits["detail"])

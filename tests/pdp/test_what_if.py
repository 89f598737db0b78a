"""What is moved is named as a reader names it, and in the copy only its bytes differ."""

import difflib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_policies import HEAD, USER, resource_policy, rule, users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.errors import InputError, LabWarning, PolicyError
from clerk_cerbos_lab.pdp.snapshots import snapshot_of

Write = Callable[..., Path]

LIMITS = f"""{HEAD}# who approves what
resourcePolicy:
  resource: thing
  version: default
  constants:
    local:
      top: 900  # dollars
      regions: [south, "west"]
      tiers: {{gold: 50, silver: 20}}
  variables:
    local:
      is_small: R.attr.amount < 100
  rules:
    - name: small-ones  # anybody's
      actions: [approve]
      roles: [user]
      effect: EFFECT_ALLOW
      condition:
        match:
          all:
            of:
              - expr: V.is_small
              - expr: 'P.attr.level >= 3 && R.attr.status in [''OPEN'', ''NEW'']'
    - actions: [approve, view]
      roles: [user]
      effect: EFFECT_ALLOW
      condition:
        match:
          any:
            of:
              - expr: |
                  R.attr.amount <= 500.0 && // five hundred
                  R.attr.amount > -5
              - expr: R.attr.amount * 2 <= C.top
              - expr: R.attr.email.endsWith("@example.com") || uint(R.attr.tags) == 3u
              - expr: R.attr.amount <= C.tiers.gold && R.attr.region in C.regions
    - name: twice
      actions: [view]
      roles: [user]
      effect: EFFECT_DENY
      condition:
        match:
          expr: R.attr.amount == 7 || (R.attr.x == 1 && R.attr.amount == 7)
"""


def diff(before: lab.PDP, after: lab.PDP) -> list[str]:
    """Return the changed lines of all files, in their order."""
    one, other = snapshot_of(before), snapshot_of(after)
    assert one is not None
    assert other is not None
    assert one.files.keys() == other.files.keys()
    changed: list[str] = []
    for name, content in one.files.items():
        before_lines, after_lines = content.decode().splitlines(), other.files[name].decode().splitlines()
        changed += difflib.unified_diff(before_lines, after_lines, n=0)
    return [line for line in changed if line[:2] not in {"--", "++", "@@"}]


@pytest.fixture(scope="module")
def thing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "thing.yaml").write_text(LIMITS)
    with lab.PDP(folder) as pdp:
        yield pdp


def test_the_issues_example_moves_the_constant_of_the_sample(pdp: lab.PDP) -> None:
    with lab.what_if(pdp, {"manager-approves-in-any-region: amount <= 5000": 7_500}) as moved:
        assert diff(pdp, moved) == [
            "-    cross_region_manager_limit: 5000",
            "+    cross_region_manager_limit: 7500",
        ]


def test_everything_that_is_compared_with_has_one_address(thing: lab.PDP) -> None:
    table = lab.movable(thing)
    assert list(table.index) == [
        "small-ones: P.attr.level >= 3",
        "small-ones: status in ['OPEN', 'NEW']",
        "rule-002: amount <= 500.0",
        "rule-002: amount > -5",
        "rule-002: amount * 2 <= 900 (2)",
        "rule-002: amount * 2 <= 900 (900)",
        'rule-002: email.endsWith("@example.com")',
        "rule-002: uint(tags) == 3u",
        "rule-002: amount <= 50",
        'rule-002: region in ["south", "west"]',
        "twice: amount == 7 (from character 18)",
        "twice: x == 1",
        "twice: amount == 7 (from character 58)",
        "V.is_small: amount < 100",
        "tiers",
        "tiers.silver",
    ]
    row = table.loc["rule-002: amount <= 50"]
    assert row.to_dict() == {
        "rule": "rule-002",
        "attribute": "amount",
        "operator": "<=",
        "value": 50.0,
        "constant": "tiers.gold",
        "file": "thing.yaml",
        "line": 10,
    }
    lines = dict(table["line"])
    text = LIMITS.splitlines()
    assert "500.0" in text[lines["rule-002: amount <= 500.0"] - 1]
    assert "-5" in text[lines["rule-002: amount > -5"] - 1]


@pytest.mark.parametrize(
    ("address", "value", "lines"),
    [
        ("small-ones: P.attr.level >= 3", 4, [("level >= 3", "level >= 4")]),
        ("small-ones: level", 4, [("level >= 3", "level >= 4")]),
        ("V.is_small: amount < 100", 200, [("amount < 100", "amount < 200")]),
        ("small-ones: amount < 100", 200, [("amount < 100", "amount < 200")]),  # through the variable
        ("is_small: amount", 99.5, [("amount < 100", "amount < 99.5")]),
        ("rule-002: R.attr.amount<=500.0", 600, [("<= 500.0", "<= 600.0")]),
        ("rule-002: amount ≤ 500.0", 600.25, [("<= 500.0", "<= 600.25")]),
        ("amount > -5", 0, [("> -5", "> 0")]),
        ("amount > -5", -6, [("> -5", "> -6")]),
        ("rule-002: amount * 2 <= 900 (2)", 3, [("amount * 2", "amount * 3")]),
        ("top", 800, [("top: 900", "top: 800")]),
        ("C.top", 800, [("top: 900", "top: 800")]),
        ("thing.yaml: top", 800, [("top: 900", "top: 800")]),
        ("tiers.gold", 60, [("gold: 50", "gold: 60")]),
        ("tiers", {"gold": 50, "silver": 21}, [("silver: 20", "silver: 21")]),
        ("regions", ["south", "east", "west"], [('[south, "west"]', '[south, east, "west"]')]),
        ("small-ones: status", ["OPEN", "it's"], [("[''OPEN'', ''NEW'']", "[''OPEN'', ''it\\''s'']")]),
        ("rule-002: email", "@b.org", [("@example.com", "@b.org")]),
        ("tags", 4, [("3u", "4u")]),
        (
            "twice: amount == 7 (from character 58)",
            8,
            [("1 && R.attr.amount == 7", "1 && R.attr.amount == 8")],
        ),
    ],
)
def test_a_value_moves_in_its_line_alone(
    thing: lab.PDP, address: str, value: Any, lines: list[tuple[str, str]]
) -> None:
    with lab.what_if(thing, {address: value}) as moved:
        expected = LIMITS
        for old, new in lines:
            assert expected.count(old) == 1
            expected = expected.replace(old, new)
        snapshot = snapshot_of(moved)
        assert snapshot is not None
        assert snapshot.files["thing.yaml"].decode() == expected


def test_several_values_of_one_expression_move_together(thing: lab.PDP) -> None:
    wanted = {"rule-002: amount <= 500.0": 6000, "rule-002: amount > -5": 10, "top": 5.5}
    with lab.what_if(thing, wanted) as moved:
        assert len(diff(thing, moved)) == 6
        asked = [moved.is_allowed("approve", USER, "thing", {"amount": x}) for x in (10, 11, 6000, 6001)]
    assert asked == [False, True, True, False]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            {"rule-002: amount": 5},
            "may mean several; write one of these:\n  rule-002: amount <= 500.0  .thing.yaml:3",
        ),
        ({"rule-002: amuont > -5": 5}, "did you mean 'rule-002: amount > -5'"),
        ({"rule-002: amount > -5": "5"}, "is a number, not a string"),
        ({"rule-002: email": 5}, "is a string, not a number"),
        ({"small-ones: status": ["OPEN", 3]}, "is a list whose items are a string, not a number"),
        ({"small-ones: status": "OPEN"}, "is a list, not a string"),
        ({"rule-002: uint(R.attr.tags) == 3u": -1}, "-1 can't be written in place of 3u"),
        ({"rule-002: uint(R.attr.tags) == 3u": 1.5}, "1.5 can't be written in place of 3u"),
        ({"top": 1, "rule-002: amount * 2 <= 900 (900)": 2}, "are the same value: leave one out"),
        ({"tiers": {"gold": 1, "silver": 1}, "tiers.gold": 2}, "are the same value: leave one out"),
        ({"twice: amount == 7": 8}, "may mean several"),
    ],
)
def test_what_is_not_one_value_of_this_type_is_refused(
    thing: lab.PDP, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        lab.what_if(thing, wanted)


def test_a_constant_of_two_policies_is_named_with_its_file(write: Write) -> None:
    body = resource_policy(rule("R.attr.amount <= C.top")).replace(
        "  rules:", "  constants: {local: {top: 5}}\n  rules:"
    )
    folder = write(a=body, b=body.replace('"thing"', '"other"'))
    with lab.PDP(folder) as pdp:
        with pytest.raises(InputError, match=r"several policies define a constant 'top'.*'a\.yaml: top'"):
            lab.what_if(pdp, top=6)
        with lab.what_if(pdp, {"b.yaml: top": 6}) as moved:
            assert [line[0] for line in diff(pdp, moved)] == ["-", "+"]
            assert moved.is_allowed("approve", USER, "other", {"amount": 6})
            assert not moved.is_allowed("approve", USER, "thing", {"amount": 6})
        assert list(lab.movable(pdp).index) == [
            "a.yaml: rule-001: amount <= 5",
            "b.yaml: rule-001: amount <= 5",
        ]


def test_a_file_that_can_not_be_edited_becomes_json_and_the_kit_says_so(write: Write) -> None:
    text = resource_policy(rule("R.attr.amount <= C.one"), rule("R.attr.amount <= C.two", actions=["view"]))
    text = text.replace("  rules:", "  constants: {local: {one: &l 5, two: *l}}  # shared\n  rules:")
    with lab.PDP(write(thing=text)) as pdp:
        with pytest.warns(LabWarning, match="in the copy, thing.yaml is JSON.*through an anchor"):
            moved = lab.what_if(pdp, two=9)
        with moved:
            snapshot = snapshot_of(moved)
            assert snapshot is not None
            local = json.loads(snapshot.files["thing.yaml"])["resourcePolicy"]["constants"]["local"]
            assert local == {"one": 5, "two": 9}
            assert moved.is_allowed("view", USER, "thing", {"amount": 9})
            assert not moved.is_allowed("approve", USER, "thing", {"amount": 9})


def test_a_number_of_another_cel_type_is_an_error_at_its_line(write: Write) -> None:
    with lab.PDP(write(thing=resource_policy(rule("size(R.attr.tags) == 3")))) as pdp:
        with pytest.raises(PolicyError, match=r"thing\.yaml:\d+:\d+: .*no matching overload"):
            lab.what_if(pdp, {"rule-001: size(R.attr.tags) == 3": 3.5})
        with lab.what_if(pdp, {"rule-001: size(R.attr.tags) == 3": 4.0}) as moved:
            assert moved.is_allowed("approve", USER, "thing", {"tags": [1, 2, 3, 4]})


def test_nothing_warns_when_files_are_edited_in_place(pdp: lab.PDP) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.what_if(pdp, finance_limit=60_000).close()


def test_principal_and_role_policies_and_derived_roles_are_listed(write: Write) -> None:
    principal = (
        HEAD
        + """principalPolicy:
  principal: someone
  version: default
  rules:
    - resource: thing
      actions:
        - action: view
          effect: EFFECT_ALLOW
          condition: {match: {expr: R.attr.amount < 10}}
"""
    )
    roles = (
        HEAD
        + """derivedRoles:
  name: set
  definitions:
    - name: senior
      parentRoles: [user]
      condition: {match: {none: {of: [{expr: P.attr.level < 3}]}}}
"""
    )
    exported = (
        HEAD
        + """exportVariables:
  name: shared
  definitions:
    cheap: R.attr.amount < 20
"""
    )
    main = resource_policy(rule("V.cheap")).replace("  rules:", "  variables: {import: [shared]}\n  rules:")
    with lab.PDP(write(principal=principal, roles=roles, exported=exported, thing=main)) as pdp:
        assert sorted(lab.movable(pdp).index) == [
            "V.cheap: amount < 20",
            "rule-001: amount < 10",
            "senior: P.attr.level < 3",
        ]
        wanted = {"rule-001: amount < 10": 11, "senior: level": 4, "rule-001: amount < 20": 21}
        with lab.what_if(pdp, wanted) as moved:
            assert len(diff(pdp, moved)) == 6


def test_equal_constants_in_one_rule_are_told_apart(write: Callable[..., Path]) -> None:
    policy = resource_policy(rule("R.attr.amount <= C.one || R.attr.amount <= C.other"))
    other = resource_policy(rule("R.attr.amount > C.one"), kind="other")
    constants = "  constants: {local: {one: 100, other: 100}}\n"
    with lab.PDP(write(thing=policy + constants, other=other + constants)) as pdp:
        assert list(lab.movable(pdp).query("attribute == 'amount'").index) == [
            "rule-001: amount > 100",
            "rule-001: amount <= 100 (one)",
            "rule-001: amount <= 100 (other)",
        ]
        with lab.what_if(pdp, {"rule-001: amount <= 100 (other)": 200}) as moved:
            found = lab.sweep(moved, users(1), "thing", amount=[150, 250])
        assert found.counts() == {"ALLOW": 1, "DENY": 1}
        with lab.tune(pdp, users(1), "thing", amount=[150, 250]) as tune:  # and not the other kind's constant
            assert list(tune.values) == ["rule-001: amount <= 100 (one)", "rule-001: amount <= 100 (other)"]

"""A sweep that asks each distinct question once has every cell's answer, and says what it can't merge."""

import importlib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import generated_policies
import numpy as np
import pandas as pd
import pytest
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.sweeps import audit, breakpoints, executors, outcomes
from clerk_cerbos_lab.sweeps.axis_points import Scale

FIRST, STOP = map(int, os.environ.get("LAB_POLICIES", "0:12").split(":"))
"""Which generated policies are tried; `make long` tries 2,000, in parts."""

BATCH = 10
Write = Callable[..., Path]


@pytest.mark.parametrize("start", range(FIRST, STOP, BATCH))
def test_sweeps_of_generated_policies_equal_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    if start % (2 * BATCH):
        monkeypatch.setattr(outcomes, "FEW", 0)
    people = generated_policies.people()
    asked = generated_policies.batch(tmp_path / "policies", range(start, start + BATCH))
    strict = start % (4 * BATCH) == 3 * BATCH
    with lab.PDP(tmp_path / "policies", strict=strict) as pdp:
        for kind, given in asked.items():
            some = lab.sweep(pdp, people, kind, actions=["see", "do"], audit=0, **given)
            every = lab.sweep(pdp, people, kind, actions=["see", "do"], method="every-cell", **given)
            assert np.array_equal(some.allowed(), every.allowed()), (kind, given, some.provenance.notes)
            assert some.counts() == every.counts()
            assert some.provenance.asked <= every.provenance.asked
            pd.testing.assert_frame_equal(some.frame(), every.frame())


def thing(write: Write, *conditions: str, **files: str) -> Path:
    """Write a policy with one rule per condition, each for anybody."""
    return write(thing=resource_policy(*(rule(text, roles=["*"]) for text in conditions)), **files)


# -- classes ----------------------------------------------------------------------------------


def classes(folder: Path, people: pd.DataFrame, **given: Any) -> lab.Decisions:
    """Sweep, compare with every cell, and return the decisions."""
    with lab.PDP(folder) as pdp:
        some = lab.sweep(pdp, people, "thing", audit=0, **given)
        every = lab.sweep(pdp, people, "thing", method="every-cell", **given)
        assert np.array_equal(some.allowed(), every.allowed())
        return some


def test_principals_with_equal_roles_and_read_attributes_are_asked_about_once(write: Write) -> None:
    people = users(50).assign(region=["south", "west"] * 25, unread=range(50))
    condition = "R.attr.amount <= 10 && P.attr.region != R.attr.region"
    swept = classes(thing(write, condition), people, amount=range(40), region=["south"])
    assert swept.provenance.classes == 2
    assert swept.provenance.asked == 2 * 3  # below, at and above the limit
    assert len(swept) == 50 * 40


def test_values_of_different_types_are_different_classes_even_if_equal_in_python(write: Write) -> None:
    people = pd.concat([users(5), users(2).assign(id=["x", "y"])], ignore_index=True)
    people["limit"] = pd.Series([1, True, "1", 1.0, None, lab.MISSING, 1], dtype=object)
    swept = classes(thing(write, "P.attr.limit == R.attr.limit"), people, limit=[1, True, "1", None])
    assert swept.provenance.classes == 5


def test_owners_that_are_only_compared_with_the_id_make_people_equal(write: Write) -> None:
    owner = [lab.SELF, lab.OTHER]
    swept = classes(thing(write, "R.attr.owner == P.id"), users(30), owner=owner)
    assert (swept.provenance.classes, swept.provenance.asked) == (1, 2)
    assert swept.counts()["ALLOW"] == 30


@pytest.mark.parametrize(
    ("condition", "given", "expected"),
    [
        ("R.attr.owner == P.id", {"owner": ["u3", "u5"]}, 3),  # u3, u5 and the others
        ('R.attr.owner == P.id || P.id == "u7"', {"owner": [lab.SELF]}, 2),
        ("R.attr.owner in P.attr.reports", {"owner": [lab.SELF]}, 2),  # everybody reports u1
        ("P.id in R.attr.owners", {"attr": {"owners": [[lab.SELF, "u2"], ["u3"]]}}, 3),
        ('P.id.endsWith("1")', {"owner": [lab.SELF]}, 10),
        ("size(R.attr.owner) == 2", {"owner": [lab.SELF, lab.OTHER]}, 10),
        ("size(R.attr.owner) == 2", {"owner": [lab.OTHER]}, 1),
    ],
)
def test_an_id_that_makes_a_difference_has_its_own_class(
    write: Write, condition: str, given: dict[str, Any], expected: int
) -> None:
    people = users(10, reports=["u1"])
    swept = classes(thing(write, condition), people, **given)
    assert swept.provenance.classes == expected
    apart = any("distinguished by their id" in note for note in swept.provenance.notes)
    assert apart == (expected == 10)


def test_a_person_named_by_a_principal_policy_has_their_own_class(write: Write) -> None:
    named = """apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: u3
  version: default
  rules:
    - resource: thing
      actions: [{action: approve, effect: EFFECT_DENY}]
"""
    swept = classes(thing(write, "R.attr.amount <= 5", named=named), users(10), amount=range(10))
    assert swept.provenance.classes == 2
    assert swept.sel(principal="u3").counts()["ALLOW"] == 0


ROLES = """apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: roles
  definitions:
    - {name: near, parentRoles: [boss], condition: {match: {expr: R.attr.region == P.attr.region}}}
    - {name: anybody, parentRoles: ["*"], condition: {match: {expr: R.attr.size < 5}}}
"""


def by_roles(write: Write, *more: str, **files: str) -> Path:
    """Write rules that can't apply to everybody."""
    rules = [
        rule("R.attr.amount <= P.attr.limit", roles=["boss"]),
        rule("R.attr.amount <= 9", actions=["view"]),
        rule("R.attr.color == 'red'", actions=["view"], roles=["clerk"]),
        *more,
    ]
    policy = resource_policy(*rules).replace("  rules:", "  importDerivedRoles: [roles]\n  rules:")
    return write(thing=policy, roles=ROLES, **files)


STAFF = pd.DataFrame(
    {
        "id": [f"u{i}" for i in range(30)],
        "roles": [("boss",), ("user",), ("clerk", "user")] * 10,
        "limit": range(30),
        "region": ["south", "west"] * 15,
    }
)
GRID: dict[str, Any] = {
    "amount": range(40),
    "region": ["south", "west"],
    "size": [1, 9],
    "color": ["red", "blue"],
}


def test_what_the_rules_of_other_roles_and_actions_read_makes_no_difference(write: Write) -> None:
    swept = classes(by_roles(write), STAFF, actions="approve", **GRID)
    assert swept.provenance.classes == 3  # by roles: limits matter by their order
    assert swept.thresholds("amount").query("principal == 'u1'")["effect"].tolist() == ["DENY"] * 8
    swept = classes(by_roles(write), STAFF, actions="view", **GRID)
    assert swept.provenance.classes == 3
    assert swept.provenance.asked == 1 + 3 + 3 * 2


def test_derived_roles_are_read_for_those_who_can_have_them(write: Write) -> None:
    derived = """
    - actions: [approve]
      derivedRoles: [near]
      effect: EFFECT_ALLOW"""
    swept = classes(by_roles(write, derived), STAFF, actions="approve", **GRID)
    assert swept.provenance.classes == 3
    asked = rule('"anybody" in runtime.effectiveDerivedRoles', roles=["user"])
    named = derived.replace("near", "anybody").replace("approve", "approve, see")
    named = named.replace("ALLOW", "DENY") + "\n      condition: {match: {expr: 'R.attr.amount > 30'}}"
    swept = classes(by_roles(write, asked, named), STAFF, actions="approve", **GRID)
    small = swept.sel(principal="u1", size=1)
    assert small.counts() == {"ALLOW": 31 * 4, "DENY": 9 * 4}
    assert swept.sel(principal="u1", size=9).counts()["ALLOW"] == 0


def test_a_role_policy_gives_roles_that_nobody_names(write: Write) -> None:
    policy = """apiVersion: api.cerbos.dev/v1
rolePolicy:
  role: clerk
  version: default
  parentRoles: [boss]
  rules:
    - {resource: thing, allowActions: ["*"]}
"""
    swept = classes(by_roles(write, clerk=policy), STAFF, actions="approve", **GRID)
    assert swept.provenance.classes == 3  # any of them may be a boss


def test_in_strict_evaluation_every_rule_is_read(write: Write) -> None:
    with lab.PDP(by_roles(write), strict=True) as pdp:
        some = lab.sweep(pdp, STAFF, "thing", actions="approve", audit=0, **GRID)
        every = lab.sweep(pdp, STAFF, "thing", actions="approve", method="every-cell", **GRID)
    assert np.array_equal(some.allowed(), every.allowed())
    assert some.provenance.classes == 7


def test_an_axis_used_in_another_way_for_some_roles_is_cut_for_the_others(write: Write) -> None:
    odd = rule("int(R.attr.amount) % 2 == 0", roles=["clerk"])
    swept = classes(by_roles(write, odd), STAFF, actions="approve", **GRID)
    assert "Every value of amount is asked for some roles: `int(R.attr.amount)" in swept.provenance.notes[-1]
    assert swept.sel(principal=["u0", "u1"]).thresholds("amount")["exact"].all()
    mixed = swept.thresholds("amount")
    assert mixed.groupby("principal")["exact"].agg(["all", "any"]).drop_duplicates().shape == (2, 2)
    assert not mixed[mixed["principal"] == "u2"]["exact"].any()
    assert mixed[mixed["principal"] == "u1"]["exact"].all()
    assert mixed["principal"].drop_duplicates().tolist() == STAFF["id"].tolist()
    whole = pd.concat([swept.sel(principal=one).thresholds("amount") for one in STAFF["id"]])
    assert mixed.equals(whole.reset_index(drop=True))


# -- points -----------------------------------------------------------------------------------


def test_an_attribute_that_no_policy_reads_needs_no_question(write: Write) -> None:
    swept = classes(
        thing(write, "R.attr.amount <= 5"), users(2), amount=range(10), color=[f"c{i}" for i in range(50)]
    )
    assert swept.provenance.asked == 3
    assert "No policy reads color." in swept.provenance.notes


def test_strings_that_match_no_comparison_are_asked_once(write: Write) -> None:
    regions = ["south", "north", "west", "east", "mid"]
    people = users(2).assign(region=["south", "south"])
    swept = classes(thing(write, "R.attr.region == P.attr.region"), people, region=regions)
    assert swept.provenance.asked == 2


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('string(R.attr.amount) == "7"', '`string(R.attr.amount) == "7"` in thing.yaml, line 10'),
        ("5.0 > R.attr.amount * 2.0", "`5.0 > R.attr.amount * 2.0` in thing.yaml, line 10"),
        ('P.id != "x" && [R.attr.amount][0] < 5.0', "`[R.attr.amount][0] < 5.0` in thing.yaml, line 10"),
        ("size(R.attr) == 2", "`size(R.attr) == 2` in thing.yaml, line 10"),
    ],
)
def test_an_axis_used_in_another_way_is_asked_at_each_value_and_the_note_says_why(
    write: Write, condition: str, words: str
) -> None:
    swept = classes(thing(write, condition), users(2), amount=range(12))
    assert swept.provenance.notes == (f"Every value of amount is asked: {words}.",)


def test_a_comparison_with_another_axis_cuts_the_longer_one_at_its_values(write: Write) -> None:
    swept = classes(
        thing(write, "R.attr.amount <= R.attr.budget"), users(3), amount=range(100), budget=[3, 70]
    )
    assert swept.provenance.asked == 5 * 2
    assert swept.provenance.notes == ("Every value of budget is asked: 'amount' is compared with it.",)


def test_a_value_that_only_the_pdp_can_compute_is_computed_by_it(write: Write) -> None:
    people = users(3).assign(limit=[10, 20.5, lab.MISSING])
    condition = "R.attr.amount <= P.attr.limit * 1.5 || R.attr.amount > C.top[P.attr.level]"
    policy = resource_policy(rule(condition)).replace(
        "  rules:", "  constants: {local: {top: {a: 77, b: 88}}}\n  rules:"
    )
    swept = classes(write(thing=policy), people.assign(level=["a", "b", "c"]), amount=range(100))
    assert swept.provenance.asked <= 3 * 7
    assert swept.thresholds("amount").query("effect == 'ALLOW'")["upper"].tolist() == [
        15,
        np.inf,
        30.75,
        np.inf,
    ]


COMPUTED = "R.attr.amount <= P.attr.limit * 1.5"


@pytest.mark.parametrize(
    ("condition", "engine", "more"),
    [
        (COMPUTED, {"defaultPolicyVersion": "v2"}, {"version": "v2"}),
        (COMPUTED, {"defaultScope": "acme"}, {"scope": "acme"}),
        ("R.attr.amount in [int(P.attr.big)]", {}, {}),
        ("R.attr.amount in P.attr.m.map(k, int(P.attr.big))", {}, {}),
        ('R.attr.amount <= P.attr.m["[]"]', {}, {}),
        ("R.attr.amount == R.attr.amount / 1.0", {}, {}),
        ("P.attr.groups.exists(C, R.attr.amount in C.limits.map(l, l * 1.0))", {}, {}),
        ("P.attr.groups.exists(V, R.attr.amount in V.limits.map(l, l))", {}, {}),
        ("optional.of(P.attr.m).optFlatMap(C, optional.of(R.attr.amount <= C.a)).orValue(false)", {}, {}),
        ("R.attr.amount < 1.0 / 0.0 && R.attr.amount != 0.0 / 0.0", {}, {}),
        ('R.attr.amount <= P.attr.groups[0]["in"]', {}, {}),
        (" || ".join(f"R.attr.amount == {n}.5" for n in range(400)), {}, {}),
        ("size(P.attr.groups)-1 < 5 && R.attr.amount -1.0 < 5.0", {}, {}),
        ("G.top < R.attr.amount", {"globals": {"top": 77}}, {}),
    ],
)
def test_an_unusual_comparison_is_either_analysed_or_reported(
    write: Write, condition: str, engine: dict[str, Any], more: dict[str, str]
) -> None:
    """Twenty people, so that Cerbos's plans see only some of them."""
    policy = resource_policy(rule(condition, roles=["*"]), **more)
    given = "  constants: {local: {limits: [1], a: 1}}\n  variables: {local: {limits: '[1.0]'}}\n  rules:"
    files = {"thing": policy.replace("  rules:", given)}
    if "scope" in more:
        files["above"] = resource_policy(rule("true"))
    people = users(20)
    people["limit"] = [10 * i for i in range(20)]
    people["big"] = [2**54 + 4 * i for i in range(20)]
    people["m"] = pd.Series([{"[]": 10 * i + 5, "a": i} for i in range(20)], dtype=object)
    people["groups"] = pd.Series([[{"limits": [i, 2 * i], "in": i}] for i in range(20)], dtype=object)
    amounts = [*range(0, 300, 7), *(2**54 + 4 * i for i in range(20)), 0.5, 9.5, 19]
    with lab.PDP(write(**files), config={"engine": engine}) as pdp:
        scope: dict[str, Any] = {"scope": more["scope"]} if "scope" in more else {}
        some = lab.sweep(pdp, people, "thing", amount=amounts, audit=0, **scope)
        every = lab.sweep(pdp, people, "thing", amount=amounts, method="every-cell", **scope)
    assert np.array_equal(some.allowed(), every.allowed())


def test_many_computed_values_and_long_chains_of_variables_are_fast(write: Write) -> None:
    chain = {f"v{i}": f"V.v{i - 1} + V.v{i - 1}" for i in range(1, 17)}
    lines = "".join(f"      {name}: {text}\n" for name, text in {"v0": "P.attr.limit", **chain}.items())
    rules = [rule(f"R.attr.amount <= P.attr.limit * {n}.5", actions=[f"a{n}"]) for n in range(520)]
    policy = resource_policy(*rules, rule("R.attr.amount <= V.v16"))
    folder = write(thing=policy.replace("  rules:", f"  variables:\n    local:\n{lines}  rules:"))
    swept = classes(
        folder, users(1, limit=1), actions=["a0", "a519", "approve"], amount=range(0, 70_000, 700)
    )
    assert swept.provenance.asked <= 3 * len(swept.values("amount"))


def test_a_map_that_cannot_be_written_as_json_means_asking_every_value(write: Write) -> None:
    swept = classes(thing(write, 'R.attr.amount in {5: "a", 7: "b"}'), users(2), amount=range(10))
    assert swept.counts()["ALLOW"] == 4
    assert any("Every value of amount is asked" in note for note in swept.provenance.notes)


def test_strict_evaluation_denies_the_same_cells(write: Write) -> None:
    folder = thing(write, "R.attr.amount <= P.attr.limit", "R.attr.amount > 3")
    people = users(3).assign(limit=[5, "5", lab.MISSING])
    with lab.PDP(folder, strict=True) as pdp:
        for method in ("auto", "every-cell"):
            swept = lab.sweep(pdp, people, "thing", amount=range(10), method=method)
            assert [swept.sel(principal=f"u{i}").counts()["ALLOW"] for i in range(3)] == [10, 0, 0]


def test_a_plan_adds_what_the_text_does_not_show(small: lab.PDP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakpoints, "value_of", lambda *_: [])  # as if the text named no number
    swept = lab.sweep(small, users(3), "thing", amount=range(200), audit=0)
    assert swept.counts()["ALLOW"] == 303
    assert swept.provenance.asked == 3


# -- what can't be read -----------------------------------------------------------------------


def test_a_policy_that_cannot_be_read_is_asked_cell_by_cell_and_the_note_says_so(write: Write) -> None:
    condition = "[5.0].exists(R, .R.attr.amount <= R)"
    swept = classes(thing(write, condition), users(2), amount=range(12))
    assert swept.provenance.asked == 24
    assert swept.provenance.notes[-1] == f"Every cell is asked: `{condition}` has both .R and a variable R."


def test_a_pdp_that_does_not_disclose_its_policies_is_asked_cell_by_cell(write: Write) -> None:
    with lab.PDP(thing(write, "R.attr.amount <= 5")) as own, lab.PDP(address=own.address) as pdp:
        with pytest.warns(lab.LabWarning, match="could not be checked for spelling"):
            swept = lab.sweep(pdp, users(2), "thing", actions="approve", amount=range(12))
        assert swept.provenance.asked == 24
        assert swept.counts()["ALLOW"] == 12
        assert any("does not disclose its policies" in note for note in swept.provenance.notes)


def test_a_pdp_at_an_address_that_discloses_its_policies_is_asked_each_question_once(write: Write) -> None:
    with (
        lab.PDP(thing(write, "R.attr.amount <= 5")) as own,
        lab.PDP(address=own.address, admin=("cerbos", "cerbosAdmin")) as pdp,
    ):
        swept = lab.sweep(pdp, users(2), "thing", amount=range(12))
        assert swept.provenance.asked == 3
        assert swept.thresholds("amount")["upper"].tolist() == [5, np.inf] * 2


def test_an_enforced_schema_means_asking_every_cell(write: Write) -> None:
    folder = write(
        thing=resource_policy(rule("R.attr.amount <= 5"))
        + '  schemas: {resourceSchema: {ref: "cerbos:///thing.json"}}\n'
    )
    (folder / "_schemas").mkdir()
    schema = '{"type": "object", "properties": {"amount": {"type": "number", "maximum": 3}}}'
    (folder / "_schemas" / "thing.json").write_text(schema)
    with lab.PDP(folder, config={"schema": {"enforcement": "reject"}}) as pdp:
        swept = lab.sweep(pdp, users(2), "thing", amount=range(12))
        assert swept.counts()["ALLOW"] == 8
        assert any("rejects requests that violate a schema" in note for note in swept.provenance.notes)
    with lab.PDP(folder) as pdp:
        assert lab.sweep(pdp, users(2), "thing", amount=range(12)).provenance.asked == 3


def test_policies_that_read_the_clock_are_named(write: Write) -> None:
    folder = thing(write, 'now() > timestamp("2020-01-01T00:00:00Z") && R.attr.amount <= 5')
    swept = classes(folder, users(2), amount=range(12))
    assert swept.provenance.asked == 3
    assert any("read the clock" in note for note in swept.provenance.notes)


# -- audit ------------------------------------------------------------------------------------


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the analysis miss every breakpoint."""
    with monkeypatch.context() as patch:
        patch.setattr(Scale, "_number_codes", lambda self, _: np.zeros(len(self._values), dtype=np.int64))
        yield


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("audit", [200, "all"])
def test_an_audit_that_finds_an_unexpected_effect_asks_every_cell_and_names_the_cell(
    small: lab.PDP, audit: Any
) -> None:
    with pytest.warns(
        lab.LabWarning, match=r"principal p-\w{10}, approve, amount=\d+.*Every cell was asked"
    ) as told:
        swept = lab.sweep(small, users(3), "thing", amount=range(200), audit=audit)
    assert "depend on something that the analysis of their text does not find" in str(told[0].message)
    assert told[0].filename == __file__
    assert swept.counts() == {"ALLOW": 303, "DENY": 297}
    assert swept.provenance.method == "every-cell"
    assert any("So every cell was asked" in note for note in swept.provenance.notes)
    who = re.findall(r"principal (u\d)", " ".join(swept.provenance.notes))
    assert [lab.pseudonym(one) in str(told[0].message) for one in who] == [True]
    assert who[0] not in str(swept)


@pytest.mark.usefixtures("blind")
def test_without_an_audit_no_spot_checks_are_asked(small: lab.PDP) -> None:
    swept = lab.sweep(small, users(3), "thing", amount=range(200), audit=0)
    assert swept.counts()["ALLOW"] == 600  # wrong, because the test broke the analysis
    assert swept.provenance.audited == 0
    assert "no spot checks" in swept.provenance.verified


def test_a_full_audit_asks_every_cell_and_agrees(small: lab.PDP) -> None:
    swept = lab.sweep(small, users(3), "thing", amount=range(200), audit="all")
    assert (swept.provenance.method, swept.provenance.audited) == ("auto", 600)
    assert swept.provenance.verified == "every cell was asked in addition, and all agree"


def test_the_sample_is_the_same_for_the_same_seed_and_within_the_cells() -> None:
    shape = (7, 2, 5, 1, 3)
    one, two, other = audit.sample(shape, 50, 1), audit.sample(shape, 50, 1), audit.sample(shape, 50, 2)
    flat = [(row, places.tolist()) for row, places in one]
    assert flat == [(row, places.tolist()) for row, places in two]
    assert flat != [(row, places.tolist()) for row, places in other]
    assert 50 <= sum(len(places) for _, places in one) <= 60
    assert all(0 <= row < 7 and np.all(places < [5, 1, 3]) for row, places in one)


def test_a_sweep_without_an_axis_is_audited_too(pdp: lab.PDP) -> None:
    people = lab.load_principals(Path(__file__).parents[2] / "data" / "clerk_users.json")
    given: dict[str, Any] = {
        "actions": "approve",
        "amount": 5,
        "region": "south",
        "owner": lab.OTHER,
        "status": "OPEN",
    }
    some = lab.sweep(pdp, people, "expense", **given)
    every = lab.sweep(pdp, people, "expense", method="every-cell", **given)
    assert some.provenance.audited > 0
    assert np.array_equal(some.allowed(), every.allowed())


def test_a_misspelt_attribute_is_reported_with_a_suggestion(pdp: lab.PDP) -> None:
    swept = lab.sweep(
        pdp, users(1), "expense", actions="approve", amount=1, regoin="x", owner="y", status="OPEN"
    )
    assert swept.provenance.notes == (
        "No policy reads regoin (did you mean 'region'?).",
        "Read by the policies of expense, but not sent: region.",
    )


# -- executors --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "every-cell"])
def test_threads_with_a_pdp_each_give_the_same_decisions(
    small: lab.PDP, monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    monkeypatch.setattr(executors, "ENTRIES_PER_TASK", 70)
    here = lab.sweep(small, users(5), "thing", amount=range(200), method=method)
    with ThreadPoolExecutor(2) as executor:
        there = lab.sweep(small, users(5), "thing", amount=range(200), method=method, executor=executor)
    assert np.array_equal(here.allowed(), there.allowed())
    assert here.provenance.asked == there.provenance.asked


def test_two_processes_of_a_dask_cluster_give_the_same_decisions(small: lab.PDP) -> None:
    distributed: Any = importlib.import_module("distributed")  # a second to load, for one test
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        here = lab.sweep(small, users(60), "thing", amount=range(700), method="every-cell")
        there = lab.sweep(small, users(60), "thing", amount=range(700), method="every-cell", executor=client)
        some = lab.sweep(small, users(60), "thing", amount=range(700), executor=client)
    assert np.array_equal(here.allowed(), there.allowed())
    assert np.array_equal(here.allowed(), some.allowed())


def test_an_error_of_a_worker_is_raised_and_no_task_is_left(
    small: lab.PDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(*_: object) -> None:
        asked.append(1)
        message = "the worker is lost"
        raise lab.PDPError(message)

    monkeypatch.setattr(executors, "ENTRIES_PER_TASK", 10)
    monkeypatch.setattr(executors, "_ask_here", broken)
    with ThreadPoolExecutor(1) as executor, pytest.raises(lab.PDPError, match="worker is lost"):
        lab.sweep(small, users(5), "thing", amount=range(200), method="every-cell", executor=executor)
    assert len(asked) < executors.TASKS_WAITING  # waiting tasks were cancelled


def test_a_pdp_at_an_address_has_no_policies_for_other_machines(small: lab.PDP) -> None:
    with (
        lab.PDP(address=small.address) as pdp,
        ThreadPoolExecutor(1) as executor,
        pytest.raises(lab.InputError, match=r"give lab\.PDP a folder"),
        pytest.warns(lab.LabWarning),
    ):
        lab.sweep(pdp, users(1), "thing", actions="approve", amount=[1], executor=executor)


def test_an_interrupt_stops_a_sweep_of_classes_and_leaves_the_pdp_usable(
    small: lab.PDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = users(300).assign(limit=range(300))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("clerk_cerbos_lab.sweeps.sweep.differs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.sweep(small, people, "thing", amount=range(200))
    assert lab.sweep(small, people, "thing", amount=[100, 101]).counts()["ALLOW"] == 300


def test_a_folder_of_many_policies_is_read_completely(tmp_path: Path) -> None:
    folder = write(tmp_path / "many", **{f"p{i}": up_to(i, kind=f"kind{i}") for i in range(230)})
    with lab.PDP(folder) as pdp:
        assert len(pdp.documents()) == 230
        assert lab.sweep(pdp, users(1), "kind229", amount=range(300)).counts()["ALLOW"] == 230

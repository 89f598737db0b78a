"""``decisions.causes`` gives every DENY one primary cause; what it says about data is asked of the PDP."""

import itertools
import json
import os
import pickle
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from explained import a_rule, policy, swept, thing
from situations import ACTIONS, batch
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.explanation import BROKEN, CAUSES, Cause
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.why import explain, required_of
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.sweeps.again import asked_again

FIRST, STOP = map(int, os.environ.get("LAB_CAUSES", "0:4").split(":"))
"""Which generated policies are tried."""

LONG = STOP > 12

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return lab.load_principals(DATA / "clerk_users.json")


@pytest.fixture(scope="module")
def sample(pdp: lab.PDP, people: pd.DataFrame) -> Iterator[lab.Decisions]:
    """Return the decisions about the sample's users and expenses."""
    made = lab.sweep(
        pdp,
        people,
        "expense",
        actions=["approve", "view", "delete"] if LONG else ["approve"],
        amount=lab.amounts(0, 60_000, step=500),
        region=["northeast", "south", "west"] if LONG else ["northeast", "south"],
        owner=[lab.SELF, lab.OTHER],
        status=["OPEN", "PAID"] if LONG else ["OPEN"],
    )
    yield made
    made.source.close()


@pytest.fixture(scope="module")
def causes(sample: lab.Decisions) -> pd.DataFrame:
    return sample.causes()


def test_every_deny_has_one_cause(sample: lab.Decisions, causes: pd.DataFrame) -> None:
    assert causes["cells"].sum() == sample.counts()["DENY"]
    assert set(causes["cause"]) <= {*CAUSES} - {"not known"}
    situations = sample.situations()[list(sample.actions)]
    assert len(causes) < 1.3 * int((situations == "DENY").to_numpy().sum())


def test_a_row_says_what_why_says_about_its_example(sample: lab.Decisions, causes: pd.DataFrame) -> None:
    axes = [axis.name for axis in sample.axes]
    for row in causes.sample(30, random_state=1).to_dict("records"):
        found = sample.why(**{name: row[name] for name in ["principal", "action", *axes]})
        assert found.cause is not None
        assert (row["cause"], row["rule"], row["detail"], row["attributes"]) == (
            found.cause.kind,
            found.cause.rule,
            found.cause.detail,
            found.cause.attributes,
        )


def test_broken_data_of_the_sample_is_allowed_when_it_is_repaired(
    pdp: lab.PDP, people: pd.DataFrame, causes: pd.DataFrame
) -> None:
    broken = causes[causes["cause"] == BROKEN]
    assert len(broken)
    rows = people.set_index("id")
    for row in broken.to_dict("records"):
        who = {"id": row["principal"], **rows.loc[row["principal"]]}
        for attribute in row["attributes"]:
            name = attribute.removeprefix("principal.")
            who[name] = {"region": row["region"], "approval_limit": 10**9, "roles": ("manager",)}[name]
        who = {name: value for name, value in who.items() if value is not lab.MISSING}
        request = {name: row[name] for name in ("amount", "region", "owner", "status")}
        request["owner"] = {"SELF": lab.SELF, "OTHER": lab.OTHER}[str(row["owner"])]
        assert pdp.is_allowed(row["action"], who, "expense", request), row


BOTH = [{"expr": "R.attr.amount <= P.attr.limit"}, {"expr": "P.attr.region == R.attr.region"}]

LIMITED = thing(a_rule("limited", {"all": {"of": BOTH}}))

BROKEN_PEOPLE: dict[str, dict[str, Any]] = {
    "text": {"limit": "500", "region": "south"},
    "null": {"limit": None, "region": "south"},
    "list": {"limit": 500, "region": ["south"]},
    "both": {"limit": [500], "region": ["south"]},
    "true": {"limit": True, "region": "south"},
}


def test_broken_profiles_are_all_named_and_no_healthy_person_is(tmp_path: Path) -> None:
    healthy = {f"h{i}": {"limit": 10 * i, "region": ["south", "west"][i % 2]} for i in range(40)}
    unset = {"nolimit": {"region": "south"}, "nothing": {}}
    everybody = {**healthy, **BROKEN_PEOPLE, **unset}
    frame = pd.DataFrame(
        [
            {"id": name, "roles": ("user",), "limit": lab.MISSING, "region": lab.MISSING, **values}
            for name, values in everybody.items()
        ],
        dtype=object,
    )
    who = lab.shareable(frame, "limit", "region")
    made = swept(write(tmp_path / "policies", thing=LIMITED), who, amount=[100], region="south")
    named = {}
    for name in everybody:
        found = made.why(principal=name)
        if found.cause is not None and found.cause.kind == BROKEN:
            named[name] = found.cause.attributes
    assert named == {
        "text": ("principal.limit",),
        "null": ("principal.limit",),
        "list": ("principal.region",),
        "both": ("principal.limit", "principal.region"),
        "true": ("principal.limit",),
    }
    table = made.causes()
    assert set(table[table["cause"] == BROKEN]["principal"]) <= set(BROKEN_PEOPLE)
    made.source.close()


SPELLED = {
    "role": ("Manager ", "south"),
    "region": ("manager", "South"),
    "both": ("MANAGER", "SOUTH"),
    "listed": ("auditor", "West "),
    "healthy": ("manager", "south"),
    "elsewhere": ("manager", "north"),
    "stranger": ("Stranger", "mars"),
    "known": ("Clerk", "south"),  # the policies have this spelling, too
    "lower": ("clerk", "north"),
}
"""By name a role and a region."""


def test_what_differs_only_in_case_or_spaces_is_broken_data_where_its_repair_allows(tmp_path: Path) -> None:
    own = "R.attr.amount <= 100 && P.attr.region == R.attr.region"
    rules = [
        a_rule("own", own, roles=["manager"]),
        a_rule("listed", 'R.attr.amount <= 500 && P.attr.region in ["west", "east"]', roles=["auditor"]),
        a_rule("upper", "R.attr.amount <= 10", roles=["Clerk"]),
        a_rule("lower", "R.attr.amount <= 50", roles=["clerk"]),
    ]
    rows, repaired = [], []
    for name, (role, region) in SPELLED.items():
        meant_role = role if name == "known" else role.lower().strip()
        rows.append({"id": name, "roles": (role,), "region": region})
        repaired.append({"id": name, "roles": (meant_role,), "region": region.lower().strip()})
    folder = write(tmp_path / "policies", thing=thing(*rules))
    asked: dict[str, Any] = {"amount": [0, 50, 100, 500, 501], "region": ["south", "north", "west"]}
    made = swept(folder, lab.shareable(pd.DataFrame(rows, dtype=object), "region"), **asked)
    meant = swept(folder, pd.DataFrame(repaired, dtype=object), **asked)
    expected = ~made.allowed() & meant.allowed()
    explained = made.explain()
    broken = explained.broken(["principal", "action", "amount", "region"], [])
    assert broken is not None
    np.testing.assert_array_equal(np.reshape(broken, expected.shape), expected)
    for place in np.argwhere(expected)[::3]:
        own, _, amount, where = place.tolist()
        cell = {"amount": asked["amount"][amount], "region": asked["region"][where]}
        assert made.why(principal=list(SPELLED)[own], **cell).cause.kind == BROKEN  # type: ignore[union-attr]
    table = made.causes()
    assert table[table["cause"] == BROKEN]["cells"].sum() == expected.sum()
    both = made.why(principal="both", amount=100, region="south")
    assert both.sentence == (
        'DENY, but the data is broken: the role "MANAGER" differs only in case or spaces from "manager"; '
        'region "SOUTH" differs only in case or spaces from the resource\'s region.'
    )
    assert both.cause is not None
    assert both.cause.attributes == ("principal.roles", "principal.region")
    made.source.close()
    meant.source.close()


def test_a_personal_text_that_is_misspelled_is_not_shown_by_what_it_is_compared_with(tmp_path: Path) -> None:
    rules = [a_rule("only", 'P.attr.email == "ana@example.com"')]
    who = pd.DataFrame([{"id": "u0", "roles": ("user",), "email": "Ana@Example.com"}], dtype=object)
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), who)
    told = "DENY, but the data is broken: email differs only in case or spaces from what it is compared with."
    assert made.why().sentence == told
    assert "example.com" not in str(made.causes()["detail"].tolist()).casefold()
    made.source.close()


def test_a_kind_that_no_policy_is_about_any_more_is_explained(people: pd.DataFrame, tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("any")))
    with lab.PDP(folder) as pdp:
        before = lab.sweep(pdp, people, "thing", actions=["approve"])
        write(folder, thing=thing(a_rule("any"), resource="other"))
        after = asked_again(before, pdp, named_elsewhere=True).explain()
    assert after.explanations is not None
    assert after.explanations.repairs is None
    assert set(after.causes()["cause"]) == {"no policy"}
    after.source.close()


def test_a_missing_attribute_is_broken_data_only_where_the_mapping_requires_it(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    rows = [{"id": "user_a", "public_metadata": {"region": "south", "limit": 500}}]
    rows += [{"id": "user_b", "public_metadata": {"limit": 500}}]
    users.write_text(json.dumps(rows))
    folder = write(tmp_path / "policies", thing=LIMITED)
    found = {}
    for required in ((), ("region",)):
        who = lab.load_principals(users, mapping=lab.Mapping(required=required))
        made = swept(folder, who, amount=[100], region="south")
        assert made.effect(principal="user_a") == "ALLOW"
        found[required] = made.why(principal="user_b").sentence
        made.source.close()
    assert found == {
        (): "DENY: no rule allows it. Closest: limited: region is missing.",
        ("region",): "DENY, but the data is broken: region is missing.",
    }


def test_the_first_cause_that_is_true_is_the_primary_one(tmp_path: Path) -> None:
    role = policy("rolePolicy", role="intern", rules=[{"resource": "thing", "allowActions": ["other"]}])
    rules = [
        a_rule("open", "R.attr.amount <= P.attr.limit"),
        a_rule("never", 'R.attr.status == "PAID"', effect="DENY", roles=["*"]),
        a_rule("bosses", roles=["boss"], actions=["manage"]),
        a_rule("interns", roles=["intern"]),
    ]
    rows = [
        {"id": "user", "roles": ("user",), "limit": 5},
        {"id": "text", "roles": ("user",), "limit": "500"},
        {"id": "intern", "roles": ("intern",), "limit": 500},
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit")
    folder = write(tmp_path / "policies", thing=thing(*rules), role=role)
    made = swept(folder, who, actions=["approve", "manage"], amount=100, status=["OPEN", "PAID"])

    def cause(**cell: Any) -> tuple[str, list[str]]:
        found = made.why(**cell)
        assert found.cause is not None
        return found.cause.kind, [one.kind for one in found.also]

    assert cause(principal="user", action="approve", status="PAID") == (
        "denied by a rule",
        ["condition not met"],
    )
    assert cause(principal="text", action="approve", status="OPEN") == ("broken data", ["condition not met"])
    assert cause(principal="user", action="approve", status="OPEN") == ("condition not met", [])
    assert cause(principal="user", action="manage", status="OPEN") == ("role not held", [])
    assert cause(principal="intern", action="approve", status="OPEN")[0] == "refused by a role policy"
    table = made.causes()
    assert table["cells"].sum() == made.counts()["DENY"]
    made.source.close()


def test_the_closest_of_the_rules_whose_role_is_missing_is_the_one_that_the_role_alone_makes_apply(
    tmp_path: Path,
) -> None:
    rules = [a_rule("far", "R.attr.amount > 5", roles=["admin"]), a_rule("near", roles=["boss"])]
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), amount=[1])
    assert made.why().sentence.startswith(
        "DENY: no rule allows it. Closest: near, which needs the role boss, "
    )
    made.source.close()
    rules = rules[:1]
    made = swept(write(tmp_path / "far", thing=thing(*rules)), amount=[1])
    cause = made.why().cause
    assert cause is not None
    assert (cause.kind, cause.detail) == ("role not held", "admin; amount 1 > 5 is false")
    assert made.why().sentence.endswith("needs the role admin, not user, and amount 1 > 5 is false.")
    made.source.close()


def test_a_rule_that_would_deny_next_is_a_further_cause(tmp_path: Path) -> None:
    rules = [
        a_rule("first", "R.attr.amount > 5", effect="DENY"),
        a_rule("second", "R.attr.amount > 6", effect="DENY"),
        a_rule("third", "R.attr.amount > 8", effect="DENY"),
        a_rule("open", "R.attr.amount < 7"),
    ]
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), amount=[7])
    found = made.why()
    assert found.sentence == "DENY by first."
    assert [(one.kind, one.rule) for one in found.also] == [
        ("denied by a rule", "second"),
        ("condition not met", "open"),
    ]
    made.source.close()


def test_in_strict_evaluation_the_rule_at_which_cerbos_stopped_is_named(tmp_path: Path) -> None:
    rules = [
        a_rule("wall", "R.attr.missing > 5", effect="DENY"),
        a_rule("open", "R.attr.absent > 5"),
    ]
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), amount=[7], strict=True)
    cause = made.why().cause
    assert cause is not None
    assert (cause.kind, cause.rule) == ("error in strict evaluation", "wall")
    made.source.close()


def test_an_action_that_only_deny_rules_name_has_no_rule(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("never", "R.attr.amount > 5", effect="DENY")))
    made = swept(folder, amount=[1, 9])
    assert made.causes().set_index("amount")["cause"].to_dict() == {
        1: "no rule for the action",
        9: "denied by a rule",
    }
    assert made.why(amount=1).sentence == "DENY: no rule allows the action."
    made.source.close()


def test_a_column_that_is_taken_and_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("first", "R.attr.rule > 5")))
    made = swept(folder, rule=[1, 9])
    with pytest.raises(lab.InputError, match="rename the axis"):
        made.causes()
    with pytest.raises(lab.InputError, match="do not know their PDP"):
        pickle.loads(pickle.dumps(made)).causes()


def denied(decisions: lab.Decisions) -> Iterator[tuple[str, str, Cause]]:
    """For each denied cell its action and principal, and the cause of this cell alone."""
    people = read_principals(decisions.principals)
    requests = []
    for who, action, *at in np.argwhere(~decisions.allowed()).tolist():
        values = dict(decisions.fixed)
        values |= {axis.name: axis.values[i] for axis, i in zip(decisions.axes, at, strict=True)}
        requests.append(
            Request(
                principal=people[who],
                action=decisions.actions[action],
                kind=decisions.kind,
                resource_id=str(values.pop("resource_id")),
                attributes=values,
                resource=decisions.question.resource,
                who=decisions.question.principal,
            )
        )
    cases = [(request, False) for request in requests]
    found = explain(decisions.source, cases, decisions.shown(), required_of(decisions))
    for request, one in zip(requests, found, strict=True):
        assert one.cause is not None
        yield request.action, request.principal.id, one.cause


def check_rows(decisions: lab.Decisions) -> pd.DataFrame:
    """Compare the table with the causes of all denied cells, each asked alone."""
    table = decisions.causes()
    cells: dict[tuple[Any, ...], Counter[str]] = {}
    people: dict[tuple[Any, ...], set[str]] = {}
    for action, who, cause in denied(decisions):
        cells.setdefault((action, cause.kind, cause.attributes), Counter())[cause.rule] += 1
        people.setdefault((action, cause.kind, cause.attributes, cause.rule), set()).add(who)
    rows: dict[tuple[Any, ...], list[dict[Any, Any]]] = {}
    for row in table.to_dict("records"):
        rows.setdefault((row["action"], row["cause"], row["attributes"]), []).append(row)
    assert rows.keys() == cells.keys()
    for group, some in rows.items():
        assert sum(row["cells"] for row in some) == cells[group].total(), group
        each: dict[str, list[dict[Any, Any]]] = {}
        for row in some:
            each.setdefault(row["rule"], []).append(row)
        shared = {name for rule in each if " or " in rule for name in rule.split(" or ")}
        assert each.keys() - {rule for rule in each if " or " in rule} <= cells[group].keys()
        assert cells[group].keys() <= each.keys() | shared
        for rule in each.keys() & cells[group].keys():
            own = sum(row["cells"] for row in each[rule])
            assert own <= cells[group][rule] if rule in shared else own == cells[group][rule], (group, rule)
            if len(each[rule]) == 1 and rule not in shared:
                assert each[rule][0]["principals"] == len(people[*group, rule])
    return table


def test_rows_are_split_where_broken_data_is_the_cause_of_some_cells_only(tmp_path: Path) -> None:
    """With the limit repaired some amounts are allowed, and the policies can't tell the denied ones apart."""
    rows = [
        {"id": f"u{i}", "roles": ("user",), "limit": limit, "region": region}
        for i, (limit, region) in enumerate(
            itertools.product(["500", "70", [90], 60, 61], ["south", ["south"], "west"])
        )
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit", "region")
    made = swept(
        write(tmp_path / "policies", thing=LIMITED),
        who,
        amount=[1, 50, 80, 100, 600],
        region=["south", "west"],
    )
    table = check_rows(made)
    assert {BROKEN, "condition not met"} <= set(table["cause"])
    made.source.close()


ODD_LIMITS: list[Any] = [
    "10",
    "40",
    "70.5",
    "1,000",
    "many",
    "",
    "frozen",
    "nan",
    "1e999",
    " 55 ",
    "-3",
    None,
    True,
    [60],
    [60, 61],
    ["60"],
    {"a": 1},
    45,
    50,
    80.25,
    lab.MISSING,
]

READING_LIMITS = [
    thing(a_rule("limited", "R.attr.amount <= P.attr.limit && R.attr.region == P.attr.region")),
    thing(
        a_rule("capped", "R.attr.amount <= P.attr.limit && P.attr.limit < 75"),
        a_rule("never-frozen", 'P.attr.limit == "frozen"', effect="DENY"),
    ),
    thing(
        a_rule("first", "R.attr.amount < P.attr.limit"),
        a_rule("second", "R.attr.amount == P.attr.second || R.attr.amount <= 20"),
        a_rule("south", {"none": {"of": [{"expr": "R.attr.amount > P.attr.limit"}]}}, roles=["boss"]),
    ),
    thing(
        a_rule("doubled", "R.attr.amount <= P.attr.limit * 2"), a_rule("own", "P.attr.limit >= R.attr.amount")
    ),
]


@pytest.mark.parametrize("number", range(len(READING_LIMITS)))
def test_odd_limits_are_explained_together_only_where_that_is_true(number: int, tmp_path: Path) -> None:
    """Some texts are numbers, in one order or another among what is compared; others are none."""
    rows = [
        {
            "id": f"u{i}",
            "roles": (("user",), ("boss",))[i % 2],
            "limit": limit,
            "second": ODD_LIMITS[(7 * i) % len(ODD_LIMITS)],
            "region": ["south", "west", None][i % 3],
        }
        for i, limit in enumerate([*ODD_LIMITS, *map(str, range(38, 84, 9))])
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit", "second", "region")
    folder = write(tmp_path / "policies", thing=READING_LIMITS[number])
    made = swept(folder, who, amount=[1, 20, 45, 50, 75, 80, 2000], region=["south", "west"])
    check_rows(made)
    made.source.close()


def test_limits_that_are_texts_of_their_own_take_few_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of people with broken limits are explained as quickly as some."""
    rows = [{"id": f"u{i}", "roles": ("user",), "limit": str(1000 + i)} for i in range(1000)]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "limit")
    rules = thing(a_rule("low", "R.attr.amount <= 500"), a_rule("own", "R.attr.amount <= P.attr.limit"))
    made = swept(write(tmp_path / "policies", thing=rules), who, amount=lab.amounts(0, 3000, step=10))
    asked = 0
    flows = Instrumented.flows

    def counted(source: Instrumented, requests: list[Request]) -> Any:
        nonlocal asked
        asked += len(requests)
        return flows(source, requests)

    monkeypatch.setattr(Instrumented, "flows", counted)
    table = made.causes()
    assert asked < 30
    broken = table[table["cause"] == BROKEN]
    every_ten = sum((1000 + i) // 10 - 50 for i in range(1000))  # amounts above 500 up to the limit
    assert broken["cells"].sum() == every_ten
    made.source.close()


def test_rules_that_may_be_closest_are_all_named(tmp_path: Path) -> None:
    rules = thing(a_rule("low", "R.attr.amount <= 10"), a_rule("high", "R.attr.amount >= 1000"))
    made = swept(write(tmp_path / "policies", thing=rules), amount=[20, 30, 990])
    (row,) = check_rows(made).to_dict("records")
    assert (row["rule"], row["detail"]) == ("low or high", "amount 20 ≤ 10 is false")
    made.source.close()


def test_rules_that_are_compared_with_computed_values_are_all_named(tmp_path: Path) -> None:
    who = lab.shareable(
        pd.DataFrame(
            [{"id": f"u{i}", "roles": ("user",), "a": a, "b": b} for i, (a, b) in enumerate([(1, 9), (9, 1)])]
        ),
        *"ab",
    )
    rules = thing(a_rule("twice", "P.attr.a * 2 >= 40"), a_rule("thrice", "P.attr.b * 3 >= 40"))
    made = swept(write(tmp_path / "policies", thing=rules), who)
    check_rows(made)
    made.source.close()


@pytest.mark.parametrize("start", range(FIRST, STOP, 12))
def test_rows_of_generated_policies_are_true_of_every_cell(start: int, tmp_path: Path) -> None:
    cases = batch(tmp_path / "policies", range(start, min(start + 12, STOP)))
    several = 0
    with lab.PDP(tmp_path / "policies") as pdp:
        for case in cases:
            asked = {"actions": ACTIONS, "amount": case.amounts[:6], "audit": 0, **case.given}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", lab.LabWarning)  # of a contradiction
                made = lab.sweep(pdp, case.people.head(9), case.kind, **asked)
            several += (check_rows(made)["cells"] > 1).sum()
        made.source.close()
    assert several

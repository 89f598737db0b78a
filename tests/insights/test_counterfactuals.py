"""``decisions.counterfactuals`` finds the smallest changes, each of which the PDP confirms."""

import itertools
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from explained import a_rule, person, policy, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return lab.load_principals(DATA / "clerk_users.json")


@pytest.fixture(scope="module")
def sample(pdp: lab.PDP, people: pd.DataFrame) -> lab.Decisions:
    """Return the decisions about the sample's users and expenses."""
    return lab.sweep(
        pdp,
        people,
        "expense",
        actions=["approve", "view"],
        amount=lab.amounts(0, 60_000, step=50),
        region=["northeast", "south", "west"],
        owner=[lab.SELF, lab.OTHER],
        status="OPEN",
    )


@pytest.fixture(scope="module")
def manager(people: pd.DataFrame) -> str:
    """Return the id of a manager of the south without a limit of their own."""
    managers = people[people["roles"] == ("manager",)]
    return str(managers[(managers["region"] == "south") & managers["approval_limit"].isna()]["id"].iloc[0])


def sentences(found: lab.Counterfactuals) -> list[str]:
    return [one.sentence for one in found.found]


def test_a_deny_says_what_would_allow_it(sample: lab.Decisions, manager: str) -> None:
    cell: dict[str, Any] = {"principal": manager, "action": "approve", "amount": 12_000, "owner": lab.OTHER}
    found = sample.counterfactuals(region="south", **cell)
    assert sentences(found) == [
        "ALLOW if amount were ≤ 10,000 (12,000 now)",
        "ALLOW if role were finance (manager now)",
        "ALLOW if the principal's approval_limit were ≥ 12,000 (not set now)",
    ]
    assert sentences(sample.counterfactuals(region="west", vary=["amount", "region"], **cell)) == [
        "ALLOW if amount were ≤ 5,000 (12,000 now)",
        "ALLOW if amount were ≤ 10,000 (12,000 now) and region south (west now)",
    ]


def test_an_allow_says_what_would_take_it_away(sample: lab.Decisions, manager: str) -> None:
    found = sample.counterfactuals(
        principal=manager, action="approve", amount=7_500, region="south", owner=lab.OTHER, most=1
    )
    assert str(found).splitlines()[1:-1] == [
        "DENY if amount were ≤ 0 (7,500 now)",
        "DENY if amount were > 10,000 (7,500 now)",
        "DENY if region were northeast, west or something else (south now)",
        'DENY if owner were "" or SELF (OTHER now)',
        "DENY if status were something else (OPEN now)",
        "DENY if role were admin, user, employee or something else (manager now)",
        "DENY if the principal's region were northeast, west or something else (south now)",
    ]
    more = found.frame().iloc[1]
    assert more[["value", "on_axis", "lower", "lower_closed", "upper"]].tolist() == [
        *(10_000.01, 10_050, 10_000, False, np.inf),
    ]


def test_a_range_limits_what_is_tried(sample: lab.Decisions, manager: str) -> None:
    cell: dict[str, Any] = {
        "principal": manager,
        "action": "approve",
        "amount": 7_500,
        "region": "south",
        "owner": lab.OTHER,
    }
    found = sample.counterfactuals(vary={"amount": (5_000, 20_000), "role": ["finance", "user"]}, **cell)
    assert sentences(found)[:2] == [
        "DENY if amount were > 10,000 (7,500 now)",
        "DENY if role were user (manager now)",
    ]
    assert found.varied == ("amount", "role")
    assert not sample.counterfactuals(vary={"amount": (5_000, 10_000)}, **cell).found
    listed = sample.counterfactuals(vary={"amount": [20_000, 9_000, 30_000]}, **cell)
    assert str(listed).splitlines()[1] == "DENY if amount were 20,000 or 30,000 (7,500 now)"


def test_each_call_asks_the_changed_request(
    pdp: lab.PDP, people: pd.DataFrame, sample: lab.Decisions, manager: str
) -> None:
    names = {"lab": lab, "pdp": pdp, "principals": people, "decisions": sample}
    cell: dict[str, Any] = {"principal": manager, "action": "approve", "amount": 12_000, "owner": lab.SELF}
    checked = 0
    for region in ("south", "west"):
        for one in sample.counterfactuals(region=region, **cell).found:
            assert eval(one.call, names).effect == one.effect, one.call
            checked += 1
    assert checked > 4


def test_nearest_numbers_are_exact_to_the_cent_and_on_the_axis(tmp_path: Path) -> None:
    rules = [
        a_rule("open", "R.attr.amount < 100.005 && R.attr.amount > 3.0"),
        a_rule("computed", "R.attr.amount >= P.attr.limit * 1.5 && R.attr.amount <= P.attr.limit * 1.75"),
    ]
    made = swept(
        write(tmp_path / "policies", thing=thing(*rules)),
        person(limit=333.333),
        amount=lab.amounts(0, 900, step=7),
    )
    found = made.counterfactuals(amount=203, vary=["amount"], most=1).frame()
    columns = ["value", "on_axis", "lower", "lower_closed", "upper", "upper_closed"]
    assert found[columns].to_numpy().tolist() == [
        [100.0, 98.0, 3.0, False, 100.005, False],
        [500.0, 504.0, 333.333 * 1.5, True, 333.333 * 1.75, True],
    ]
    assert found["sentence"].tolist() == [
        "ALLOW if amount were > 3 and < 100.005 (203 now)",
        "ALLOW if amount were ≥ 499.9995 and ≤ 583.33275 (203 now)",
    ]


def test_every_kind_of_thing_can_be_changed(tmp_path: Path) -> None:
    conditions = {
        "status": ('R.attr.status == "OPEN"', "ALLOW if status were OPEN (PAID now)"),
        "not": ('R.attr.status != "PAID"', "ALLOW if status were something else (PAID now)"),
        "flag": ("!R.attr.locked", "ALLOW if locked were false (true now)"),
        "list": ('"vip" in R.attr.tags', 'ALLOW if tags were ["a", "vip"] (["a"] now)'),
        "absent": ("!has(R.attr.locked)", "ALLOW if locked were not set (true now)"),
        "owner": ("R.attr.owner != P.id", "ALLOW if owner were OTHER (SELF now)"),
        "inside": ("R.attr.money.amount <= 5", "ALLOW if money.amount were ≤ 5 (9 now)"),
        "own": ('"audit" in P.attr.teams', 'ALLOW if the principal\'s teams were ["x", "audit"] (["x"] now)'),
        "level": ("P.attr.org.level > 3", "ALLOW if the principal's org.level were > 3 (1 now)"),
        "unset": ('P.attr.desk == "north"', "ALLOW if the principal's desk were north (not set now)"),
        "roles": ('"boss" in P.roles', "ALLOW if the role boss were added (user, clerk now)"),
    }
    who = person(("user", "clerk"), teams=["x"], org={"level": 1})
    values = {"status": "PAID", "locked": True, "tags": [["a"]], "owner": lab.SELF, "money.amount": 9}
    for name, (condition, wanted) in conditions.items():
        folder = write(tmp_path / name, thing=thing(a_rule(name, condition)))
        made = swept(folder, who, attr=values)
        found = made.counterfactuals(most=1)
        assert wanted in sentences(found), (name, found)
        made.source.close()


def test_a_role_is_removed_if_a_rule_denies_it(tmp_path: Path) -> None:
    rules = [a_rule("all", roles=["user"]), a_rule("never", roles=["guest"], effect="DENY")]
    made = swept(write(tmp_path / "policies", thing=thing(*rules)), person(("user", "intern")))
    assert sentences(made.counterfactuals()) == [
        "DENY if role were guest (user, intern now)",
        "DENY if the role user were removed (user, intern now)",
    ]
    made.source.close()


def test_closed_or_changed_policies_are_asked_on_a_copy(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("limited", "R.attr.amount <= 5")))
    with lab.PDP(folder) as pdp:
        made = lab.sweep(pdp, person(), "thing", amount=[9], audit=0)
        write(folder, thing=thing(a_rule("limited", "R.attr.amount <= 7")))
        assert sentences(made.counterfactuals()) == ["ALLOW if amount were ≤ 5 (9 now)"]
        write(folder, thing="broken")
        assert sentences(made.counterfactuals()) == ["ALLOW if amount were ≤ 5 (9 now)"]
        made.source.close()
    assert sentences(made.counterfactuals()) == ["ALLOW if amount were ≤ 5 (9 now)"]
    made.source.close()


@pytest.mark.filterwarnings("ignore:the PDP does not disclose")
def test_a_pdp_that_does_not_disclose_its_policies_is_asked_about_the_axes(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("limited", "R.attr.amount < 5.5")))
    with lab.PDP(folder) as own, lab.PDP(address=own.address) as pdp:
        made = lab.sweep(pdp, person(), "thing", actions=["approve"], amount=[1, 9], audit=0)
        found = made.counterfactuals(amount=9)
    assert sentences(found) == ["ALLOW if amount were < 5.5 (9 now)"]
    assert "does not disclose its policies" in found.notes[0]


def test_personal_values_are_not_shown(tmp_path: Path) -> None:
    condition = "R.attr.ward == P.attr.ward && R.attr.score <= P.attr.salary && R.attr.owner == P.attr.head"
    folder = write(tmp_path / "policies", thing=thing(a_rule("private", condition)))
    who = person(ward="oncology", salary=98_765.25, head="bob")
    who.attrs.clear()
    made = swept(folder, who, ward="x", score=100_000, owner="bob")
    found = made.counterfactuals()
    assert len(found)
    for text in (str(found), found._repr_html_(), str(found.to_dict()), found.frame().to_csv()):
        assert not any(secret in text for secret in ("oncology", "98,765", "98765", "u0")), text
    assert "ward were a value that may be personal (x now)" in sentences(found)[0]
    shown = made.counterfactuals(names=True)
    assert "ward were oncology (x now)" in sentences(shown)[0]
    made.source.close()


def test_values_are_escaped(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("odd", 'R.attr.status == "<b>&"')))
    made = swept(folder, status="<i>")
    html = made.counterfactuals()._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert "<i>" not in html
    made.source.close()


def test_nothing_found_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("never", "R.attr.amount > 5", effect="DENY")))
    made = swept(folder, amount=[9])
    found = made.counterfactuals()
    assert not len(found)
    assert found.frame().empty
    assert "No change to ALLOW was found. Varied: amount, role; up" in str(found)
    made.source.close()


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("limited", "R.attr.amount <= 5")))
    made = swept(folder, amount=[1, 9], status="OPEN")
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "choose a value for"),
        ({"amount": 9, "most": 4}, "1, 2 or 3"),
        ({"amount": 9, "vary": ["amuont"]}, "did you mean 'amount'"),
        ({"amount": 9, "vary": {"amount": (9, 1)}}, "9 is more than 1"),
        ({"amount": 9, "vary": {"status": (0, 1)}}, "can't have a range"),
        ({"amount": 9, "vary": {"status": "PAID"}}, "needs a list"),
        ({"amount": 9, "vary": {"role": [()]}}, "is empty"),
    ]
    for arguments, words in refused:
        with pytest.raises(lab.InputError, match=words):
            made.counterfactuals(**arguments)
    with pytest.raises(lab.InputError, match="do not know their PDP"):
        pickle.loads(pickle.dumps(made)).counterfactuals(amount=9)
    made.source.close()


# -- exhaustive search on small policies ----------------------------------------------------------

NUMBERS = [5.0, 10.0, 20.0]
BEYOND = [-5.0, 1000.0]
TEXTS = ["south", "west", "north"]
STATUSES = ["OPEN", "PAID"]
ROLES = ["user", "boss", "auditor"]

ATOMS = [
    "R.attr.amount <= 10.0",
    "R.attr.amount < 20.0",
    "R.attr.amount > 5.0",
    "R.attr.amount <= P.attr.limit",
    "R.attr.amount == 10.0",
    "P.attr.limit >= C.low",
    "R.attr.region == P.attr.region",
    'R.attr.region in ["south", "west"]',
    'P.attr.region != "north"',
    'R.attr.status == "OPEN"',
    'R.attr.status != "PAID"',
    "R.attr.owner != P.id",
    "R.attr.owner == P.id",
    'P.attr.region == "west" || R.attr.amount <= 5.0',
]


def small(draw: random.Random) -> dict[str, str]:
    """Policies with a few rules about amount, limit, regions, status, owner and roles."""
    rules = []
    for number in range(draw.randint(1, 3)):
        match = {"all": {"of": [{"expr": one} for one in draw.sample(ATOMS, k=draw.randint(1, 4))]}}
        who = draw.choice([{"roles": [draw.choice([*ROLES, "*"])]}, {"derivedRoles": ["near"]}])
        effect = draw.choice(["ALLOW", "ALLOW", "DENY"]) if number else "ALLOW"
        rules.append(a_rule(f"r{number}", match, effect=effect, **who))
    near = {
        "name": "near",
        "parentRoles": ["user", "boss"],
        "condition": {"match": {"expr": draw.choice(ATOMS)}},
    }
    constants = {"constants": {"local": {"low": 5}}}
    return {
        "thing": thing(*rules, importDerivedRoles=["roles"], **constants),
        "roles": policy("derivedRoles", name="roles", definitions=[near], **constants),
    }


def domain() -> dict[str, list[Any]]:
    """Every value that such policies can tell apart."""
    numbers = [round(one + cent, 2) for one in NUMBERS for cent in (-0.01, 0, 0.01)]
    return {
        "amount": [*numbers, *BEYOND],
        "region": [*TEXTS, "something-else"],
        "status": [*STATUSES, "something-else"],
        "owner": [lab.SELF, lab.OTHER],
        "role": [(role,) for role in [*ROLES, "something-else"]],
        "principal.limit": [*numbers, *BEYOND],
        "principal.region": [*TEXTS, "something-else"],
    }


FIRST, LAST = map(int, os.environ.get("LAB_COUNTERFACTUALS", "0:1").split(":"))


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_the_smallest_changes_are_those_of_an_exhaustive_search(seed: int, tmp_path: Path) -> None:
    draw, values = random.Random(seed), domain()
    names = list(values)
    own = [name for name in names if name.startswith("principal.")]
    with lab.PDP(write(tmp_path / "policies", **small(draw))) as pdp:
        one = lab.shareable(
            pd.DataFrame([{"id": "u0", "roles": ("user",), "limit": 7.0, "region": "south"}], dtype=object),
            "limit",
            "region",
        )
        inner = {name.removeprefix("principal."): values[name] for name in own}
        everybody = lab.vary(one, roles=values["role"], **inner)
        axes: dict[str, Any] = {name: values[name] for name in ("amount", "region", "status", "owner")}
        every = lab.sweep(pdp, everybody, "thing", actions=["approve"], audit=0, method="every-cell", **axes)
        shape = [len(values[name]) for name in ("role", *own, *axes)]
        order = ["role", *own, *axes]
        allowed = np.moveaxis(
            every.allowed().reshape(shape), [order.index(name) for name in names], range(len(names))
        )
        for _ in range(3):
            now = {
                name: draw.choice([one for one in values[name] if one not in {"something-else", *BEYOND}])
                for name in names
            }
            at = {name: values[name].index(now[name]) for name in names}
            who = lab.vary(one, roles=[now["role"]], **{n.removeprefix("principal."): [now[n]] for n in own})
            asked: dict[str, Any] = {name: [now[name]] for name in axes}
            made = lab.sweep(pdp, who, "thing", actions=["approve"], audit=0, **asked)
            wanted = made.effect() == "DENY"
            found = made.counterfactuals(vary={name: None for name in names if name in read_by(made)})
            kinds = exhaustive(allowed == wanted, names, at)
            told = {frozenset(change.what for change in hit.changes) for hit in found.found}
            fewest = min(map(len, kinds), default=0)
            assert {one for one in told if len(one) == fewest} == {
                one for one in kinds if len(one) == fewest
            }, (now, found)
            assert told <= kinds, (now, found)
            both = frozenset({"amount", "principal.limit"})
            assert kinds - told <= {both}, (now, found, kinds - told)
            for hit in found.found:
                assert confirmed(pdp, now, hit, wanted=wanted)


def read_by(made: lab.Decisions) -> set[str]:
    """What the policies of a decision read; roles always count."""
    return {*made.counterfactuals(most=1).varied}


def exhaustive(turned: Any, names: list[str], at: dict[str, int]) -> set[frozenset[str]]:
    """The sets of one or two things that turn the effect around, although no part of the change does."""
    found = set()
    for count in (1, 2):
        for some in itertools.combinations(range(len(names)), count):
            index: list[Any] = [at[name] for name in names]
            for place in some:
                index[place] = slice(None)
            hits = turned[tuple(index)].copy()
            for k, place in enumerate(some):
                rest = [at[name] for name in names]
                alone: list[Any] = list(rest)
                alone[place] = slice(None)
                single = turned[tuple(alone)]
                if count == 2:
                    hits &= ~np.expand_dims(single, 1 - k)
                unchanged: list[Any] = [slice(None)] * count
                unchanged[k] = at[names[place]]
                hits[tuple(unchanged)] = False
            if hits.any():
                found.add(frozenset(names[place] for place in some))
    return found


def confirmed(pdp: lab.PDP, now: dict[str, Any], hit: Any, *, wanted: bool) -> bool:
    """Whether the PDP gives the wanted effect with all changes, and not with fewer."""
    values = {change.what: change.value for change in hit.changes}
    for count in range(len(values) + 1):
        for some in itertools.combinations(values, count):
            after = {**now, **{name: values[name] for name in some}}
            attributes = {"limit": after["principal.limit"], "region": after["principal.region"]}
            principal = {"id": "u0", "roles": after["role"], **attributes}
            owner = {"SELF": "u0", "OTHER": "x"}[str(after["owner"])]
            resource = {"amount": after["amount"], "region": after["region"], "status": after["status"]}
            allowed = pdp.is_allowed("approve", principal, "thing", {**resource, "owner": owner})
            if (allowed == wanted) != (count == len(values)):
                return False
    return True

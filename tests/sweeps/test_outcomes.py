"""Expressions that read attributes of one side only matter by their outcome, which the PDP computes."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compared import any_policy, conditions_of, people, swept_by
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.sweeps.temporary_policies import Expressions

MAILS = [f"person{i}@{'acme.com' if i % 3 else 'other.org'}" for i in range(100)]
TEAMS = [[f"t{i}", *(["red"] if i % 4 == 0 else []), *(["blue"] if i % 5 == 0 else [])] for i in range(100)]
NUMBERS = [float(i) for i in range(100)]


ONE_CLASS = {
    'P.attr.mail.endsWith("@acme.com")': 2,
    'P.attr.mail.split("@")[1] == C.domain': 2,
    "V.ours && !V.red": 4,
    '"red" in P.attr.teams && R.attr.amount < 5': 2,
    'C.both.exists(t, t in P.attr.teams) || P.attr.mail.contains("7")': 4,
    "P.attr.teams.exists(t, t == 'red')": 2,
    "size(P.attr.teams) >= R.attr.amount": 3,
    'P.attr.teams == ["t1"] || P.attr.teams != ["t0", "red", "blue"]': 4,
    "P.attr.number > P.attr.number2 * 2.0": 2,
    "P.attr.number == P.attr.number2 || P.attr.number < 50": 3,
    "hasIntersection(P.attr.teams, ['red', 'blue'])": 2,
    "P.attr.mail.lowerAscii() == P.attr.mail": 2,
    'P.attr.inner.mail.startsWith("person1")': 2,
}
"""Conditions by which a hundred people are only so many classes."""

OTHER_USES = [
    'P.attr.mail.endsWith("@acme.com") || P.attr.mail == P.id',
    'P.attr.mail.endsWith("@acme.com") && P.attr.mail == R.attr.mail',
    "P.attr.teams.exists(t, t == P.id)",
    "P.attr.teams.map(t, t + R.attr.mail) == []",
    'P.attr.teams[0].endsWith("7") && P.attr.teams[1] == "red"',
    "P.attr.number / 0.0 > 1.0 || P.attr.number % 2 == 0",
    "timestamp(P.attr.mail) < now()",
    'P.attr.mail.matches("[0-4]@") && P.attr.number <= R.attr.amount',
    '(P.attr.number > 3 ? P.attr.mail : P.attr.teams) == "x"',
    "P.attr.number < R.attr.amount && P.attr.number > P.attr.number2",
    '!has(P.attr.absent) && !(P.attr.absent.startsWith("x"))',
]

EVERYBODY = people(
    mail=MAILS,
    teams=TEAMS,
    number=NUMBERS,
    number2=NUMBERS[::-1],
    inner=[{"mail": mail, "i": i} for i, mail in enumerate(MAILS)],
)


def kind_of(condition: str) -> str:
    """The resource kind whose policy has a condition."""
    return f"thing{[*ONE_CLASS, *OTHER_USES].index(condition)}"


@pytest.fixture(scope="module")
def one_kind_each(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    """Return a PDP with a resource kind for each condition."""
    above = """  constants: {local: {domain: acme.com, both: [red, blue]}}
  variables: {local: {ours: 'P.attr.mail.endsWith("@" + C.domain)', red: '"red" in P.attr.teams'}}
"""
    files = {}
    for condition in (*ONE_CLASS, *OTHER_USES):
        kind = kind_of(condition)
        policy = resource_policy(rule(condition), kind=kind)
        files[kind] = policy.replace("  rules:", f"{above}  rules:") if condition in ONE_CLASS else policy
    with lab.PDP(write(tmp_path_factory.mktemp("kinds") / "policies", **files)) as running:
        yield running


@pytest.mark.parametrize(("condition", "classes"), ONE_CLASS.items())
def test_people_with_the_same_outcomes_are_one_class(
    one_kind_each: lab.PDP, condition: str, classes: int
) -> None:
    found, _ = swept_by(one_kind_each, EVERYBODY, kind_of(condition), amount=range(10))
    assert found.provenance.classes <= classes


@pytest.mark.parametrize("condition", OTHER_USES)
def test_every_other_use_is_still_exact(one_kind_each: lab.PDP, condition: str) -> None:
    who = EVERYBODY.drop(columns="inner")
    swept_by(one_kind_each, who, kind_of(condition), amount=range(10), mail=MAILS[:3])


def test_outcomes_of_mixed_types_are_true_false_or_an_error(write: Callable[..., Path]) -> None:
    odd: list[Any] = [lab.MISSING, None, True, 7, -0.0, "", "a", [], ["a"], {"a": 1}, {}, "1", [1], [[1]]]
    who = people(x=[*odd, *range(100, 160)])
    policy = resource_policy(
        rule('P.attr.x.startsWith("a") || "a" in P.attr.x'),
        rule("!(size(P.attr.x) > 0)", actions=["b"]),
        rule('P.attr.x == ["a"] || P.attr.x != {"a": 1}', actions=["c"]),
        rule("size(P.attr.x) == R.attr.amount", actions=["d"]),
    )
    with lab.PDP(write(thing=policy)) as pdp:
        found, _ = swept_by(pdp, who, amount=[0, 1, 2])
    assert found.provenance.classes <= len(odd)


def test_texts_of_an_axis_with_the_same_outcomes_are_one_point(write: Callable[..., Path]) -> None:
    policy = resource_policy(
        rule('R.attr.title.startsWith("title1") && R.attr.title != "title17"'),
        rule('R.attr.title == P.attr.mail || R.attr.title.contains("9")', actions=["b"]),
    )
    titles = [f"title{i}" for i in range(300)]
    with lab.PDP(write(thing=policy)) as pdp:
        found, _ = swept_by(pdp, people(mail=["title3", "x"]), title=[*titles, lab.MISSING, 7, None])
        assert found.provenance.asked < 40
        tags = [[f"t{i}", "red"] if i % 2 else [f"t{i}"] for i in range(200)]
        write(thing=resource_policy(rule('"red" in R.attr.tags && R.attr.tags != ["t1", "red"]')))
        found, _ = swept_by(pdp, people(mail=["title3", "x"]), tags=tags)
        assert found.provenance.asked <= 4


def test_outcomes_are_computed_once_for_a_pdp(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    real = Expressions.start

    def counted(*given: Any) -> Any:
        started.append(given)
        return real(*given)

    monkeypatch.setattr(Expressions, "start", counted)
    with lab.PDP(write(thing=resource_policy(rule('P.attr.mail.endsWith("com")')))) as pdp:
        for count in (100, 80, 100):
            swept_by(pdp, people(mail=MAILS[:count]), amount=range(count))
        assert len(started) == 1
        swept_by(pdp, people(mail=[*MAILS, "new@acme.com"]), amount=range(3))
        assert len(started) == 2


def test_without_the_policies_at_hand_values_are_distinguished(write: Callable[..., Path]) -> None:
    with lab.PDP(write(thing=resource_policy(rule('P.attr.mail.endsWith("com")')))) as own:
        address = own.address
        with lab.PDP(address=address) as pdp:
            with pytest.warns(lab.LabWarning, match="does not disclose"):
                found = lab.sweep(pdp, people(mail=MAILS), "thing", actions=["approve"], amount=[1, 2])
            assert found.counts() == lab.sweep(own, people(mail=MAILS), "thing", amount=[1, 2]).counts()


@pytest.fixture(scope="module")
def pdp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("outcomes"))


ATOMS = st.sampled_from(
    [
        'P.attr.mail.endsWith("com")',
        'P.attr.mail.contains("1")',
        "size(P.attr.mail) > 15",
        "P.attr.mail == R.attr.title",
        "P.attr.mail in R.attr.titles",
        "R.attr.title in P.attr.teams",
        '"red" in P.attr.teams',
        "P.attr.teams.all(t, t > 'b')",
        "P.attr.mail in P.attr.teams",
        "P.attr.number < P.attr.limit",
        "R.attr.amount <= P.attr.limit",
        "P.attr.limit - P.attr.number > 3.0",
        "size(P.attr.teams) <= R.attr.amount",
        'R.attr.title.startsWith("p")',
        "R.attr.title.size() == size(P.attr.mail)",
        "has(P.attr.limit)",
        "R.attr.amount % 2 == 0",
        'P.attr.limit == "x" || P.attr.teams == ["a"]',
    ]
)
VALUES: dict[str, list[Any]] = {
    "mail": [lab.MISSING, 7, "x", *MAILS],
    "teams": [lab.MISSING, "red", {"red": 1}, ["a"], *TEAMS],
    "number": [lab.MISSING, "7", *NUMBERS],
    "limit": [lab.MISSING, "x", None, *NUMBERS],
}


@settings(max_examples=settings().max_examples // 10)
@given(st.lists(conditions_of(ATOMS), min_size=1, max_size=3), st.integers(0, 2**32), st.integers(1, 120))
def test_generated_conditions_with_outcomes(
    pdp: lab.PDP, conditions: list[str], seed: int, count: int
) -> None:
    choose = random.Random(seed)
    folder = pdp.own_policies[0]  # type: ignore[index]
    rules = [rule(one, actions=[name]) for one, name in zip(conditions, "abc", strict=False)]
    write(folder, thing=resource_policy(*rules))
    who = people(**{name: [choose.choice(some) for _ in range(count)] for name, some in VALUES.items()})
    titles = [lab.MISSING, 5, *MAILS[:60]] if seed % 2 else [lab.MISSING, *MAILS[:5]]
    swept_by(
        pdp,
        who,
        amount=[1, 2, 3, 50.0, 99],
        title=titles,
        titles=[MAILS[:3]],
        actions=list("abc")[: len(rules)],
    )

"""Principals with a text or texts of their own share a class where only matches with an axis count."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from compared import any_policy, conditions_of, people, swept_by
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab


def both(folder: Path, who: pd.DataFrame, **more: Any) -> tuple[lab.Decisions, lab.Decisions]:
    """The decisions of a sweep, and those of every cell."""
    with lab.PDP(folder) as pdp:
        return swept_by(pdp, who, **more)


TEAMS = [f"t{i}" for i in range(60)]


def test_a_team_of_each_person_costs_a_few_questions(write: Callable[..., Path]) -> None:
    folder = write(thing=resource_policy(rule('R.attr.team == P.attr.team || R.attr.team == "t3"')))
    found, _ = both(folder, people(team=[f"t{i}" for i in range(200)]), team=TEAMS)
    assert found.provenance.classes == 2
    assert found.provenance.asked < 10


def test_a_list_of_teams_of_each_person_costs_a_few_questions(write: Callable[..., Path]) -> None:
    folder = write(thing=resource_policy(rule("R.attr.team in P.attr.teams")))
    teams = [[f"t{i}", f"t{i + 1}", 5] for i in range(100)]
    found, _ = both(folder, people(teams=[*teams, [], [7], "t5", lab.MISSING, None, {"t4": 1}]), team=TEAMS)
    assert found.provenance.classes <= 6


def test_own_texts_and_own_numbers_go_together(write: Callable[..., Path]) -> None:
    condition = "R.attr.amount <= P.attr.limit && (R.attr.team == P.attr.team || R.attr.team in P.attr.teams)"
    who = people(
        limit=[3.5 * i for i in range(60)],
        team=[f"t{i}" for i in range(60)],
        teams=[[f"t{i + 1}", f"t{2 * i}"] for i in range(60)],
    )
    folder = write(
        thing=resource_policy(
            rule(condition), rule("R.attr.amount < 5"), rule("R.attr.amount > 400", effect="DENY")
        )
    )
    found, every = both(folder, who, amount=range(0, 500, 50), team=TEAMS[:45])
    assert found.provenance.classes < 12
    told = found.sel(principal=["u20", "u0", "u33"], team=["t20", "t40", "t21"]).thresholds("amount")
    for name, number in (("u20", 20), ("u0", 0), ("u33", 33)):
        for team in ("t20", "t40", "t21"):
            mine = team in {f"t{number}", f"t{number + 1}", f"t{2 * number}"}
            one = told[(told["principal"] == name) & (told["team"] == team)]
            limit = 3.5 * number
            top = one[one["effect"] == "ALLOW"]["upper"].iloc[-1]
            assert top == (limit if mine and limit >= 5 else 5)
    copied: lab.Decisions = pickle.loads(pickle.dumps(found))
    for each in (found, copied):
        some: dict[str, Any] = {"principal": ["u59", "u3"], "team": ["t4", "t3", "t44"], "amount": [0, 300]}
        assert np.array_equal(each.sel(**some).allowed(), every.sel(**some).allowed())
        assert each.sel(**some).counts() == every.sel(**some).counts()
        assert each.frame().equals(every.frame())


texts = st.sampled_from(["a", "b", "c", "d", "e", "z"])
values: st.SearchStrategy[Any] = st.one_of(
    texts,
    texts,
    st.lists(texts, max_size=3),
    st.sampled_from([lab.MISSING, None, 1, True, {"a": 1}, ["a", 1, None]]),
)
atoms = st.sampled_from(
    [
        *(
            "R.attr.team == P.attr.a",
            "P.attr.a != R.attr.team",
            "R.attr.team in P.attr.a",
            "R.attr.team in P.attr.b",
        ),
        *("R.attr.team == P.attr.b", 'R.attr.team == "a"', 'R.attr.team in ["b", "c"]', "has(P.attr.a)"),
        *(
            'P.attr.a == "b"',
            'P.attr.b in ["a", "zz"]',
            "R.attr.team == C.one",
            "R.attr.amount <= P.attr.limit",
        ),
        *("R.attr.other == P.attr.b", "P.attr.b == R.attr.fixed", "R.attr.amount > 2"),
    ]
)
conditions = conditions_of(atoms)
rows = st.lists(st.tuples(values, values, st.sampled_from([1, 2, 2.5, 3])), min_size=6, max_size=40)
absent: list[list[Any]] = [[], [lab.MISSING]]
teams = st.builds(
    lambda some, more: [*some, *more],
    st.sampled_from(absent),
    st.lists(texts, min_size=1, max_size=6, unique=True),
)


@settings(max_examples=12)
@given(
    rules=st.lists(conditions, min_size=2, max_size=4),
    who=rows,
    axis=teams,
    other=texts,
)
def test_random_comparisons_give_the_answer_of_every_cell(
    random_policy: lab.PDP,
    rules: list[str],
    who: list[tuple[Any, Any, Any]],
    axis: list[Any],
    other: str,
) -> None:
    policy = resource_policy(*map(rule, rules[1:]), rule(rules[0], effect="DENY"))
    write(
        Path(str(random_policy._folder)),
        thing=policy.replace("  rules:", "  constants:\n    local: {one: c}\n  rules:"),
    )
    a, b, limit = zip(*who, strict=True)
    frame = people(a=a, b=b, limit=limit)
    given: dict[str, Any] = {
        "team": axis,
        "other": [other, "q"],
        "amount": [1, 2, 2.5, 4],
        "fixed": "d",
    }
    swept_by(random_policy, frame, actions="approve", **given)


@pytest.fixture(scope="module")
def random_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("random"))

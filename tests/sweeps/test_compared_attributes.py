"""Attributes of principals that are only compared matter by the outcome, not by their value."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from compared import any_policy, conditions_of, people, swept_by
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab


def swept(folder: Path, who: pd.DataFrame, **more: Any) -> lab.Decisions:
    """The decisions of a sweep, which are those of every cell."""
    with lab.PDP(folder) as pdp:
        return swept_by(pdp, who, **more)[0]


@pytest.mark.parametrize(
    ("condition", "classes"),
    [
        ('P.attr.department == "d7"', 3),  # before, at and after it
        ('P.attr.department in ["d7", "d9"]', 5),
        ('"d7" != P.attr.department && R.attr.amount < 5', 3),
        ("P.attr.department == R.attr.department", 3),
        ("P.attr.department in R.attr.departments", 5),
        ("P.attr.department in C.some", 5),
        ("V.mine == C.one", 3),
        ("P.attr.department == R.attr.absent", 1),
        ('P.attr.department >= "d5"', 2),
        ("P.attr.number > 100 || P.attr.number == R.attr.most", 5),
        ("has(P.attr.number) && P.attr.number in [1, 2.0]", 5),
    ],
)
def test_values_in_the_same_place_among_those_compared_with_are_one_class(
    write: Callable[..., Path], condition: str, classes: int
) -> None:
    constants = 'constants: {local: {some: ["d7", "d9"], one: "d7"}}'
    named = f"  {constants}\n  variables: {{local: {{mine: P.attr.department}}}}\n"
    policy = resource_policy(rule(condition)).replace("  rules:", f"{named}  rules:")
    who = people(department=[f"d{i}" for i in range(100, 400)], number=list(range(300)))
    who.loc[:2, "department"] = ["d7", "d9", "d8"]
    given = {"amount": range(10), "department": "d7", "most": 200}
    found = swept(write(thing=policy), who, **given, departments=[["d7", "d9", 3]])
    assert found.provenance.classes <= classes


def test_the_type_of_a_value_and_its_absence_count(write: Callable[..., Path]) -> None:
    odd: list[Any] = [
        lab.MISSING,
        None,
        True,
        7,
        7.0,
        "7",
        "",
        [7],
        {"a": 7},
        -0.0,
        0,
        10**15,
        "é",
        "e\u0301",
    ]
    policy = resource_policy(
        rule('P.attr.x == 7 || P.attr.x == "7"'),
        rule("P.attr.x < 1", actions=["b"]),
        rule("!(P.attr.x >= 0)", actions=["c"]),
    )
    swept(write(thing=policy), people(x=[*odd, *odd]), amount=[1, 2])


def test_an_owner_who_is_self_is_compared_by_value(write: Callable[..., Path]) -> None:
    folder = write(
        thing=resource_policy(rule("P.attr.boss == R.attr.owner"), rule("P.attr.boss == P.id", actions=["b"]))
    )
    who = people(boss=["u0", "u0", "u2", "u1", lab.MISSING])
    for owner in (lab.SELF, lab.OTHER, "u0", [lab.SELF, "u1", lab.OTHER]):
        swept(folder, who, owner=owner)


ATTRIBUTES = ("P.attr.a", "P.attr.b")
literals = st.sampled_from(
    [
        *("1", "2.5", '"m"', '"z"', '""', "true", "null", "-1"),
        *("C.one", "C.text", "R.attr.fixed", "R.attr.absent"),
    ]
)
lists = st.sampled_from(['["m", 1]', "[2.5, null]", "C.some", "R.attr.fixed", "[]"])
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
atoms = st.one_of(
    st.builds("{0} {1} {2}".format, st.sampled_from(ATTRIBUTES), orders, literals),
    st.builds("{2} {1} {0}".format, st.sampled_from(ATTRIBUTES), orders, literals),
    st.builds("{} in {}".format, st.sampled_from(ATTRIBUTES), lists),
    st.sampled_from(
        ["has(P.attr.a)", "R.attr.amount < 3", "P.attr.a == R.attr.amount", 'R.attr.text == "m"']
    ),
)
conditions = conditions_of(atoms)
values: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(1, 1.0, 2, 2.5, 3, -1, 0, "m", "a", "z", "zz", ""),
        *(True, False, None, lab.MISSING, [1], {}),
    ]
)
fixed_values: st.SearchStrategy[Any] = st.sampled_from([1, "m", None, True, lab.MISSING, 2.5])
rows = st.lists(st.tuples(values, values), min_size=4, max_size=30)


@settings(max_examples=10)
@given(some=st.lists(conditions, min_size=1, max_size=3), denied=conditions, who=rows, fixed=fixed_values)
def test_random_comparisons_give_the_answer_of_every_cell(
    random_policy: lab.PDP, some: list[str], denied: str, who: list[tuple[Any, Any]], fixed: Any
) -> None:
    policy = resource_policy(*map(rule, some), rule(denied, effect="DENY"))
    constants = "  constants: {local: {one: 1, text: m, some: [m, 2.5, [1]]}}\n  rules:"
    write(Path(str(random_policy._folder)), thing=policy.replace("  rules:", constants))
    a, b = zip(*who, strict=True)
    given: dict[str, Any] = {"amount": [1, 2.5, 4], "text": ["m", "a"], "fixed": fixed}
    swept_by(random_policy, people(a=a, b=b), actions="approve", **given)


@pytest.fixture(scope="module")
def random_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("random"))

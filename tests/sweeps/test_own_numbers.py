"""Principals with numbers of their own share a class where only the order of these numbers matters."""

import math
import pickle
import sys
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

FARTHEST = sys.float_info.max
GRID = [-1, 0, 0.5, 10, 99, 100, 101, 150, 250, 1_000, 5_000, 5_000.01, 9_999, 10_000, 1e15]


def both(
    folder: Path, who: pd.DataFrame, amount: Any = tuple(GRID), **more: Any
) -> tuple[lab.Decisions, lab.Decisions]:
    """The decisions of a sweep, and those of every cell."""
    with lab.PDP(folder) as pdp:
        return swept_by(pdp, who, amount=list(amount), **more)


def thing(write: Callable[..., Path], *conditions: str, effect: str = "ALLOW") -> Path:
    return write(thing=resource_policy(*(rule(condition, effect=effect) for condition in conditions)))


def test_a_thousand_limits_cost_no_more_questions_than_a_few(write: Callable[..., Path]) -> None:
    folder = thing(write, "R.attr.amount <= P.attr.limit && R.attr.amount < 5000", "R.attr.amount == 10000")
    swept, _ = both(folder, people(limit=[7.5 * i for i in range(1_000)]))
    assert swept.provenance.classes <= 6  # below, at, between, at and above two literals
    assert swept.provenance.asked < 100


def test_each_person_has_exact_thresholds_of_their_own(write: Callable[..., Path]) -> None:
    limits = [3.25 * i for i in range(200)]
    swept, _ = both(thing(write, "R.attr.amount <= P.attr.limit"), people(limit=limits))
    told = swept.thresholds("amount")
    allowed = told[told["effect"] == "ALLOW"]
    assert allowed["upper"].tolist() == limits
    assert allowed["upper_closed"].all()
    assert told["exact"].all()
    some = swept.sel(principal=["u7", "u150"]).thresholds("amount")
    assert some[some["effect"] == "ALLOW"]["upper"].tolist() == [limits[7], limits[150]]


def test_a_number_that_is_a_literal_or_next_to_one_is_told_from_others(write: Callable[..., Path]) -> None:
    near = [100, math.nextafter(100, 0), math.nextafter(100, 200), 99.99, 100.01]
    limits = [*near, 0.0, -0.0, 5e-324, -5e-324, FARTHEST, -FARTHEST, 50, 60, 150, 160, *near]
    folder = thing(
        write, "R.attr.amount > P.attr.limit && R.attr.amount < 100", "R.attr.amount == P.attr.limit"
    )
    grid = sorted({*GRID, *near, 5e-324, FARTHEST, -FARTHEST})
    swept, _ = both(folder, people(limit=limits), grid)
    for person, own in enumerate(limits):
        told = swept.sel(principal=f"u{person}").thresholds("amount")
        for number in (own, math.nextafter(own, -math.inf), math.nextafter(own, math.inf), 99.5, 100.0):
            if not math.isfinite(number):
                continue
            wanted = own < number < 100 or number == own
            inside = told[
                ((told["lower"] < number) | ((told["lower"] == number) & told["lower_closed"]))
                & ((told["upper"] > number) | ((told["upper"] == number) & told["upper_closed"]))
            ]
            assert inside["effect"].tolist() == ["ALLOW" if wanted else "DENY"], (own, number)


def test_what_is_no_number_is_a_class_of_its_own(write: Callable[..., Path]) -> None:
    odd: list[Any] = [lab.MISSING, None, True, False, "100", "", [100], {"a": 100}, lab.MISSING, "100"]
    limits = [*odd, *range(0, 20_000, 37)]
    folder = thing(write, "R.attr.amount <= P.attr.limit", "!has(P.attr.limit) && R.attr.amount < 10")
    swept, _ = both(folder, people(limit=limits))
    assert swept.provenance.classes <= len(odd) + 4


def test_several_numbers_are_ordered_among_each_other(write: Callable[..., Path]) -> None:
    random = np.random.default_rng(3)
    low, high = random.integers(0, 200, (2, 120))
    folder = thing(
        write,
        "R.attr.amount >= P.attr.low && R.attr.amount <= P.attr.high",
        "R.attr.amount == P.attr.low || R.attr.amount > 150",
    )
    who = people(low=low.tolist(), high=high.tolist())
    swept, _ = both(folder, who, range(-5, 210, 3))
    assert swept.provenance.classes < 40


@pytest.mark.parametrize(
    "condition",
    [
        "R.attr.amount <= P.attr.limit && P.attr.limit > 120",
        "R.attr.amount <= P.attr.limit * 2.0",
        "R.attr.amount <= P.attr.limit && P.attr.limit in [111, 148]",
        "R.attr.amount <= P.attr.limit || R.attr.region == P.attr.limit",
        "R.attr.amount <= P.attr.limit && size(P.attr) > 1",
        'R.attr.amount <= P.attr.limit || "limit" in P.attr && P.attr["limit"] == 111.0',
        "[R.attr.amount].exists(a, a <= P.attr.limit)",
        "P.attr.limit in [R.attr.amount]",
        "R.attr.amount in [P.attr.limit, 5]",
        "R.attr.amount <= V.own && V.twice > 300.0",
    ],
)
def test_a_number_that_is_read_in_another_way_as_well_is_compared_by_value(
    write: Callable[..., Path], condition: str
) -> None:
    policy = resource_policy(rule(condition)).replace(
        "  rules:",
        "  variables:\n    local:\n      own: P.attr.limit\n      twice: P.attr.limit * 2.0\n  rules:",
    )
    both(write(thing=policy), people(limit=[float(37 * i) for i in range(40)]), region=[111, "south"])


def test_people_who_differ_in_more_than_the_number_are_told_apart(write: Callable[..., Path]) -> None:
    folder = write(
        thing=resource_policy(
            rule("R.attr.amount <= P.attr.limit && R.attr.region == P.attr.region"),
            rule("R.attr.amount < P.attr.limit || R.attr.owner == P.id", roles=["boss"]),
            rule("R.attr.amount > 5000", effect="DENY", roles=["boss"]),
        )
    )
    who = people(
        limit=[13.5 * i for i in range(150)],
        region=[["south", "west", lab.MISSING][i % 3] for i in range(150)],
    )
    who["roles"] = [("user",) if i % 5 else ("boss", "user") for i in range(150)]
    swept, _ = both(folder, who, region=["south", "west", "east"], owner=[lab.SELF, lab.OTHER, "u10"])
    assert swept.provenance.classes < 60


def test_views_and_copies_keep_the_numbers_of_each_person(write: Callable[..., Path]) -> None:
    who = people(limit=[float(i * i) for i in range(100)])
    swept, every = both(thing(write, "R.attr.amount <= P.attr.limit"), who, region=["a", "b"])
    for one in (swept, pickle.loads(pickle.dumps(swept))):
        some = one.sel(principal=["u99", "u3", "u50"], amount=[0, 250, 9_999])
        wanted = every.sel(principal=["u99", "u3", "u50"], amount=[0, 250, 9_999])
        assert np.array_equal(some.allowed(), wanted.allowed())
        assert some.counts() == wanted.counts()
        assert one.frame().equals(every.frame())
        assert one.matrix(columns="amount").equals(every.matrix(columns="amount"))


numbers = st.sampled_from([0, 1, 1.5, 2, 3, 4, 5, 100, -1, 0.1, math.nextafter(2, 3), 2**53])
values = st.one_of(numbers, numbers, st.sampled_from([lab.MISSING, None, "2", True, [2]]))
sides = st.sampled_from(["P.attr.a", "P.attr.b", "2", "3.0", "C.five", "P.attr.c", "R.attr.other"])
atoms = st.one_of(
    st.builds("R.attr.amount {} {}".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sides),
    st.builds("{1} {0} R.attr.amount".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sides),
    st.sampled_from(["has(P.attr.a)", "!has(P.attr.b)", "P.attr.c > 1", "R.attr.other == P.attr.c"]),
)
conditions = conditions_of(atoms)
rows = st.lists(st.tuples(values, values, st.sampled_from([1, 2, lab.MISSING])), min_size=8, max_size=40)


@settings(max_examples=8)
@given(some=st.lists(conditions, min_size=1, max_size=3), denied=conditions, who=rows)
def test_random_comparisons_give_the_answer_of_every_cell(
    random_policy: lab.PDP, some: list[str], denied: str, who: list[tuple[Any, Any, Any]]
) -> None:
    policy = resource_policy(*map(rule, some), rule(denied, effect="DENY"))
    write(
        Path(str(random_policy._folder)),
        thing=policy.replace("  rules:", "  constants:\n    local: {five: 5}\n  rules:"),
    )
    a, b, c = zip(*who, strict=True)
    frame = people(a=a, b=b, c=c)
    given: dict[str, Any] = {"amount": [0, 0.1, 1, 1.5, 2, 2.5, 3, 4.5, 5, 99, 101], "other": [2, "x"]}
    swept_by(random_policy, frame, actions="approve", **given)


@pytest.fixture(scope="module")
def random_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("random"))


def test_somebody_without_a_limit_can_be_checked_where_policies_hold_no_number(
    write: Callable[..., Path],
) -> None:
    who = people(limit=[*range(30), lab.MISSING, "7"])
    with lab.PDP(write(thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))) as pdp:
        swept_by(pdp, who, amount=range(40))

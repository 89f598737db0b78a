"""Two numeric axes, each compared with numbers of everybody's own."""

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


def test_a_second_numeric_axis_costs_no_class_for_each_limit(write: Callable[..., Path]) -> None:
    who = people(limit=[100.5 + i for i in range(200)], since=[2000 + i % 20 for i in range(200)])
    rules = resource_policy(rule("R.attr.amount <= P.attr.limit && R.attr.year >= P.attr.since"))
    with lab.PDP(write(thing=rules)) as pdp:
        found, _ = swept_by(pdp, who, amount=range(90, 320, 40), year=range(1998, 2024, 5))
    assert found.provenance.classes == 1
    assert (
        found.sel(year=2023).thresholds("amount").query("effect == 'ALLOW'")["upper"].is_monotonic_increasing
    )
    years = found.sel(amount=90).thresholds("year").query("effect == 'ALLOW'")["lower"]
    assert years.tolist() == [2000 + i % 20 for i in range(200)]


@pytest.fixture(scope="module")
def pdp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("two"))


ATOMS = st.sampled_from(
    [
        *("R.attr.amount <= P.attr.a", "R.attr.amount > P.attr.b", "R.attr.amount == P.attr.a"),
        *("R.attr.year < P.attr.c", "R.attr.year == P.attr.c", "R.attr.year >= P.attr.d"),
        *("R.attr.amount < 3", "R.attr.year != 5", "P.attr.a > 2", "P.attr.c <= R.attr.fixed"),
        *("R.attr.team == P.attr.t", "P.attr.d == R.attr.amount", "R.attr.amount < R.attr.year"),
    ]
)
NUMBERS = st.sampled_from([1, 2, 2.5, 3, 4.5, 5, 7])
VALUES = st.one_of(NUMBERS, st.sampled_from([lab.MISSING, "x"]))
GRID = [0, 1, 2, 2.25, 3, 5, 6]
FINER = [0.5, 1, 1.5, 2, 2.25, 2.5, 2.75, 3, 4, 4.5, 4.75, 5, 6, 7, 8]


@settings(max_examples=8)
@given(
    st.lists(conditions_of(ATOMS), min_size=1, max_size=2),
    st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES, st.sampled_from("xyz")), min_size=3, max_size=30),
)
def test_generated_conditions_on_two_numeric_axes(
    pdp: lab.PDP, conditions: list[str], persons: list[tuple[Any, ...]]
) -> None:
    folder = pdp.own_policies[0]  # type: ignore[index]
    rules = [rule(one, actions=[name]) for one, name in zip(conditions, "ab", strict=False)]
    write(folder, thing=resource_policy(*rules))
    who = people(**dict(zip("abcdt", map(list, zip(*persons, strict=True)), strict=True)))
    asked: dict[str, Any] = {"team": ["x", "w"], "fixed": 3, "actions": list("ab")[: len(rules)]}
    found, _ = swept_by(pdp, who, amount=GRID, year=GRID[::-1], **asked)
    for axis, other in (("amount", "year"), ("year", "amount")):
        table = found.thresholds(axis)
        if not table["exact"].all():
            continue
        finer: dict[str, Any] = {**asked, axis: FINER, other: GRID}
        every = lab.sweep(pdp, who, "thing", **finer, method="every-cell")
        assert_read_from(table, every.frame(), axis)


def assert_read_from(table: pd.DataFrame, every: pd.DataFrame, axis: str) -> None:
    """Compare the effect at each number with that of the interval it is in."""
    keys = [name for name in every.columns if name not in {axis, "effect"}]
    both = every.merge(table, on=keys, suffixes=("", "_read"))
    value = both[axis].astype(float)
    above = (both["lower"] < value) | (both["lower_closed"] & (both["lower"] == value))
    below = (both["upper"] > value) | (both["upper_closed"] & (both["upper"] == value))
    held = both[above & below]
    assert len(held) == len(every)
    assert np.array_equal(held["effect"].to_numpy(), held["effect_read"].to_numpy())

"""Thresholds cover the whole line and claim ALLOW for nothing between two different answers."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_decisions import Mapped, made, mapped
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab

COLUMNS = ["lower", "lower_closed", "upper", "upper_closed", "effect", "exact", "boundary"]
numbers = st.one_of(
    st.integers(-50, 50), st.floats(-50, 50, allow_nan=False).map(lambda n: round(n, 2) + 0.0)
)
grids = st.lists(numbers, min_size=5, max_size=5, unique=True)


def holds(row: Any, amount: float) -> bool:
    """Whether an interval holds an amount."""
    above = amount > row.lower or (row.lower_closed and amount == row.lower)
    below = amount < row.upper or (row.upper_closed and amount == row.upper)
    return bool(above and below)


def lines(found: pd.DataFrame, *dims: str) -> list[list[Any]]:
    return [list(group.itertuples()) for _, group in found.groupby(list(dims), sort=False)]


@given(cells=mapped(), points=grids)
def test_intervals_cover_the_line_in_order_and_neighbours_differ(cells: Mapped, points: list[float]) -> None:
    points = points[: cells.shape[2]]
    some = made(cells, {"amount": points, "b": range(cells.shape[3])})
    found = some.thresholds("amount")
    assert list(found.columns) == ["principal", "action", "b", *COLUMNS]
    every = lines(found, "principal", "action", "b")
    assert len(every) == cells.shape[0] * cells.shape[1] * cells.shape[3]
    for line in every:
        assert (line[0].lower, line[-1].upper) == (-math.inf, math.inf)
        assert not line[0].lower_closed
        assert not line[-1].upper_closed
        for one, two in pairwise(line):
            assert one.effect != two.effect
            assert one.upper == two.lower
            assert one.upper_closed != two.lower_closed  # the boundary belongs to exactly one
            assert (one.upper_closed, two.lower_closed) == (one.effect == "ALLOW", two.effect == "ALLOW")
        assert not any(row.exact for row in line)


@settings(max_examples=30)
@given(cells=mapped(), points=grids)
def test_every_amount_asked_lies_in_one_interval_with_its_effect(cells: Mapped, points: list[float]) -> None:
    some = made(cells, {"b": range(cells.shape[2]), "amount": points[: cells.shape[3]]})
    every = iter(lines(some.thresholds("amount"), "principal", "action", "b"))
    for effects in some.allowed().reshape(-1, cells.shape[3]):
        line = next(every)
        for amount, effect in zip(some.values("amount"), effects, strict=True):
            assert [row.effect == "ALLOW" for row in line if holds(row, amount)] == [effect]


@given(cells=mapped(), points=grids)
def test_allow_is_never_claimed_between_two_amounts_with_different_effects(
    cells: Mapped, points: list[float]
) -> None:
    points = points[: cells.shape[2]]
    some = made(cells, {"amount": points, "b": range(cells.shape[3])})
    order = np.argsort(points)
    found = some.thresholds("amount")
    cube = np.moveaxis(some.allowed(), 2, -1)[..., order]
    ascending = [points[i] for i in order]
    every = iter(lines(found, "principal", "action", "b"))
    for effects in cube.reshape(-1, len(points)):
        line = next(every)
        for low, high, at_low, at_high in zip(ascending, ascending[1:], effects, effects[1:], strict=False):
            middle = low + (high - low) / 2
            if low < middle < high:
                (claimed,) = [row.effect for row in line if holds(row, middle)]
                assert claimed == ("ALLOW" if at_low and at_high else "DENY")


def test_a_limit_between_two_amounts_is_reported_as_between_them() -> None:
    found = made([[[True, True, False, False, True]]], {"amount": [0, 4950, 5000, 9000, 9500.5]}).thresholds(
        "amount"
    )
    shown = found[COLUMNS].drop(columns="exact").to_numpy().tolist()
    assert shown == [
        [-math.inf, False, 4950, True, "ALLOW", "not asked below 0; between 4,950 and 5,000"],
        [4950, False, 9500.5, False, "DENY", "between 4,950 and 5,000; between 9,000 and 9,500.5"],
        [9500.5, True, math.inf, False, "ALLOW", "between 9,000 and 9,500.5; not asked above 9,500.5"],
    ]
    assert [str(found[name].dtype) for name in COLUMNS] == [
        *("float64", "bool", "float64", "bool", "str", "bool", "str")
    ]


def test_one_effect_everywhere_is_one_interval_that_says_what_was_not_asked() -> None:
    for effect, word in ((True, "ALLOW"), (False, "DENY")):
        (row,) = made([[[effect, effect]]], {"amount": [1, 2]}).thresholds("amount").itertuples()
        assert (row.lower, row.upper, row.effect) == (-math.inf, math.inf, word)
        assert row.boundary == "the same at all 2 amounts asked; not asked below 1; not asked above 2"


def test_the_order_in_which_amounts_were_asked_does_not_matter() -> None:
    up = made([[[True, True, False]]], {"amount": [1, 2, 3]}).thresholds("amount")
    mixed = made([[[True, False, True]]], {"amount": [2, 3, 1]}).thresholds("amount")
    pd.testing.assert_frame_equal(up, mixed)


def test_actions_can_be_chosen_and_another_axis_is_a_column() -> None:
    some = made(np.ones((2, 2, 2, 2), bool), {"amount": [1, 2], "who": ["x", "y"]}, actions=["a", "b"])
    assert some.thresholds("amount", action="b")["action"].unique().tolist() == ["b"]
    assert some.thresholds("amount", action=["b", "a"])["action"].unique().tolist() == ["b", "a"]
    assert some.thresholds("amount")["who"].tolist() == ["x", "y"] * 4


def test_an_axis_that_is_not_numeric_is_refused() -> None:
    axes: dict[str, Any] = {"amount": [1], "region": ["a"], "mixed": [1, lab.MISSING], "flag": [True]}
    some = made(np.ones((1, 1, 1, 1, 2, 1), bool), axes)
    for name in ("region", "mixed", "flag"):
        with pytest.raises(lab.InputError, match=f"'{name}' is not a numeric axis"):
            some.thresholds(name)
    with pytest.raises(
        lab.InputError, match="'amont' is not an axis of these decisions; did you mean 'amount'"
    ):
        some.thresholds("amont")
    with pytest.raises(lab.InputError, match="action has no value c"):
        some.thresholds("amount", action="c")


def test_thresholds_of_real_answers_name_each_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A band, a lower limit, an exclusive limit and a personal one, as far as the grid of a sweep tells."""
    policy = resource_policy(
        rule("R.attr.amount >= 10 && R.attr.amount < 20 || R.attr.amount > 30", actions=["band"]),
        rule("R.attr.amount <= P.attr.limit", actions=["own"]),
    )
    people = users(3).assign(limit=[15, 25, lab.MISSING])
    with lab.PDP(write(tmp_path_factory.mktemp("bands"), thing=policy)) as pdp:
        swept = lab.sweep(pdp, people, "thing", amount=lab.amounts(0, 40, step=5), method="every-cell")
    found = swept.thresholds("amount")
    allowed = found[found["effect"] == "ALLOW"]
    band = allowed[(allowed["action"] == "band") & (allowed["principal"] == "u0")]
    assert band[["lower", "upper"]].to_numpy().tolist() == [[10, 15], [35, math.inf]]
    own = allowed[allowed["action"] == "own"].set_index("principal")["upper"]
    assert own.to_dict() == {"u0": 15, "u1": 25}

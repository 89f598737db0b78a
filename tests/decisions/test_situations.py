"""The table of situations covers every cell once, and says how many each situation stands for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_decisions import made
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab

CONDITION = "R.attr.amount <= P.attr.limit && R.attr.team == P.attr.team || R.attr.region == 'south'"


@pytest.fixture
def some(write: Callable[..., Path]) -> lab.Decisions:
    people = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(50)],
            "roles": [("user",) if i % 3 else ("boss",) for i in range(50)],
            "limit": [2.5 * i for i in range(50)],
            "team": [f"t{i % 7}" for i in range(50)],
        }
    )
    folder = write(
        thing=resource_policy(rule(CONDITION), rule("R.attr.amount > 40", roles=["boss"], actions=["see"]))
    )
    axes: dict[str, Any] = {
        "amount": range(0, 100, 10),
        "team": ["t1", "t2", "t9"],
        "region": ["south", "west", "x"],
    }
    with lab.PDP(folder) as pdp:
        return lab.sweep(pdp, people, "thing", actions=["approve", "see"], **axes)


def check(decisions: lab.Decisions) -> pd.DataFrame:
    table = decisions.situations()
    combinations = len(decisions) // len(decisions.actions)
    assert table["cells"].sum() == combinations
    assert (table["cells"].diff().dropna() <= 0).all()
    for row in table.to_dict("records"):
        labels = {str(dim): row[dim] for dim in decisions.dims if dim != "action"}
        for action in decisions.actions:
            assert decisions.effect(action=action, **labels) == row[action]
    for action in decisions.actions:
        allowed = table.loc[table[action] == "ALLOW", "cells"].sum()
        assert allowed == decisions.sel(action=action).counts()["ALLOW"]
    return table


def test_situations_cover_every_cell_once(some: lab.Decisions) -> None:
    table = check(some)
    assert len(table) < 120
    assert list(table.columns) == [
        "principals",
        "cells",
        "approve",
        "see",
        "principal",
        "amount",
        "team",
        "region",
    ]


def test_situations_of_a_part_are_those_of_the_part(some: lab.Decisions) -> None:
    part = some.sel(principal=["u3", "u44", "u10"], amount=[90, 0, 30], action="see")
    table = check(part)
    assert set(table["principal"]) <= {"u3", "u44", "u10"}
    assert table["principals"].max() <= 3


def test_where_nothing_is_known_to_be_alike_each_class_and_value_is_a_situation() -> None:
    effects = np.random.default_rng(1).random((3, 1, 4)) < 0.5
    assert len(check(made(effects, {"amount": range(4)}))) == 12


def test_an_axis_with_the_name_of_a_column_is_a_clear_error() -> None:
    clash = made(np.ones((1, 1, 2)), {"cells": [1, 2]})
    with pytest.raises(lab.InputError, match=r"several columns \['cells'\]"):
        clash.situations()

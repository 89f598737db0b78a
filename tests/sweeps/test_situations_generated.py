"""Attributes that are only compared: generated policies compared with every cell, and broken on purpose."""

import os
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from situation_mutants import MUTANTS
from situations import ACTIONS, Case, batch, faults
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display.payload import payload
from clerk_cerbos_lab.sweeps import outcomes

FIRST, STOP = map(int, os.environ.get("LAB_SITUATIONS", "0:12").split(":"))
"""Which generated policies are tried."""

BATCH = 12

CAUGHT_IN = {
    "own_numbers_by_value_are_no_breakpoints": 7,
    "a_number_and_the_gap_below_it_are_one": 11,
    "one_amount_is_every_number": 19,
    "texts_and_numbers_are_one": 17,
    "what_own_numbers_are_also_compared_with_is_forgotten": 19,
    "a_boolean_is_in_a_place": 20,
    "a_breakpoint_and_the_gap_above_it_are_one": 27,
    "cells_are_read_at_the_numbers_of_the_representative": 27,
    "lines_are_read_at_the_numbers_of_the_representative": 27,
    "people_of_one_class_have_equal_effects": 27,
    "a_breakpoint_and_the_gap_below_it_are_one": 31,
    "what_is_no_number_is_one_number_of_many": 31,
    "a_boolean_is_a_number": 31,
    "own_numbers_are_in_any_order": 49,
    "equal_own_numbers_are_like_others": 49,
    "an_amount_at_a_breakpoint_is_in_the_gap_below": 49,
    "a_value_and_the_gap_below_it_are_one": 62,
    "an_attribute_with_several_values_has_the_first": 102,
    "an_amount_at_a_breakpoint_is_counted_above": 103,
    "an_empty_gap_below_a_breakpoint_is_like_others": 250,
    "the_farthest_double_is_like_others": 270,
    "an_empty_gap_between_own_numbers_is_like_others": 270,
    "an_empty_gap_above_a_breakpoint_is_like_others": 728,
}
"""The generated policy that first shows each error; others are shown by ``WRITTEN``."""

NUMBERS = [float(7 * i % 23) for i in range(20)]

WRITTEN: dict[str, tuple[Sequence[str], dict[str, Sequence[Any]], dict[str, Any]]] = {
    "own_numbers_are_also_compared_with_another_axis": (
        [rule("R.attr.amount <= P.attr.a && P.attr.a == R.attr.second", actions=ACTIONS)],
        {"a": NUMBERS},
        {"second": ["m", 5]},
    ),
    "a_list_is_a_literal": (
        [rule("P.attr.a in [P.attr.b, 5.0] && R.attr.amount < 9", actions=ACTIONS)],
        {"a": NUMBERS, "b": [*NUMBERS[:10], *NUMBERS[9::-1]]},
        {},
    ),
    "a_conversion_is_no_use": (
        [rule("double(P.attr.a) > R.attr.second && R.attr.amount < 9", actions=ACTIONS)],
        {"a": [*NUMBERS[:10], *map(str, NUMBERS[10:])]},
        {"second": 5},
    ),
    "any_use_is_a_comparison": (
        [rule("P.attr.a + R.attr.amount > 9.0 || P.attr.a == 1.0", actions=ACTIONS)],
        {"a": NUMBERS},
        {},
    ),
    "an_error_is_false": (
        [rule('!("x" in P.attr.a) && R.attr.amount < 9', actions=ACTIONS)],
        {"a": [*NUMBERS[:10], *([str(i)] for i in range(10))]},
        {},
    ),
    "outcomes_of_people_are_forgotten": (
        [rule("P.attr.a * 2.0 > 20.0", actions=ACTIONS)],
        {"a": NUMBERS},
        {},
    ),
    "outcomes_of_an_axis_are_forgotten": (
        [rule('R.attr.title.startsWith("1") && R.attr.amount < 9', actions=ACTIONS)],
        {"a": NUMBERS},
        {"title": [str(number) for number in range(20)]},
    ),
    "a_term_reads_one_attribute": (
        [rule("P.attr.a > P.attr.b + 1.0", actions=ACTIONS)],
        {"a": NUMBERS, "b": NUMBERS[::-1]},
        {},
    ),
    "what_is_around_an_attribute_is_not_read": (
        [rule('R.attr.m == {"k": "5"}', actions=ACTIONS)],
        {"a": NUMBERS},
        {"attr": {"m.k": ["4", "5"]}},
    ),
    "what_is_inside_an_attribute_is_not_read": (
        [rule('R.attr.m.k == "5"', actions=ACTIONS)],
        {"a": NUMBERS},
        {"m": [{"k": "4"}, {"k": "5"}]},
    ),
    "a_map_without_a_key_is_like_none": (
        [rule("!has(P.attr.a.k)", actions=ACTIONS)],
        {"a": [*({"x": 1} for _ in range(10)), *([i] for i in range(10))]},
        {},
    ),
    "maps_are_read_by_what_is_inside_only": (
        [rule("P.attr.a.k == 5 || P.attr.a == {'x': 1}", actions=ACTIONS)],
        {"a": [{"x": i} for i in range(20)]},
        {},
    ),
}
"""For the errors that few generated policies show: rules, attributes of people, arguments of the sweep."""


def opened(folder: Path, start: int) -> tuple[lab.PDP, Sequence[Case]]:
    """Return a PDP on a batch of policies, every fourth one strict, and what is asked of it."""
    cases = batch(folder, range(start, start + BATCH))
    strict = start // BATCH % 4 == 3
    return lab.PDP(folder, strict=strict, config={"engine": {"globals": {"top": 5}}}), cases


def every_cell(pdp: lab.PDP, case: Case) -> lab.Decisions:
    """Return the decisions at all amounts that could make a difference."""
    asked = {"actions": ACTIONS, "amount": case.finer, **case.given}
    return lab.sweep(pdp, case.people, case.kind, method="every-cell", **asked)


@pytest.mark.parametrize("start", range(FIRST, STOP, BATCH))
def test_sweeps_of_generated_policies_equal_every_cell_at_every_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    if start // BATCH % 2:
        monkeypatch.setattr(outcomes, "FEW", 0)
    pdp, cases = opened(tmp_path / "policies", start)
    with pdp:
        for case in cases:
            every = every_cell(pdp, case)
            assert faults(pdp, case, every) == [], case.kind
            if case is cases[start % BATCH]:
                views_agree(pdp, case, every)


def views_agree(pdp: lab.PDP, case: Case, every: lab.Decisions) -> None:
    """Compare what is selected, copied and drawn with every cell."""
    swept = lab.sweep(
        pdp, case.people, case.kind, actions=ACTIONS, amount=case.amounts, audit=0, **case.given
    )
    made = random.Random(case.kind)
    some = {
        "principal": made.sample(case.people["id"].tolist(), min(3, len(case.people))),
        "amount": made.sample(case.amounts, min(4, len(case.amounts))),
    }
    for one in (swept, pickle.loads(pickle.dumps(swept))):
        assert np.array_equal(one.sel(**some).allowed(), every.sel(**some).allowed())
        assert one.sel(**some).counts() == every.sel(**some).counts()
        assert one.frame().equals(every.sel(amount=case.amounts).frame())
    drawn = payload(swept, swept.shown(), columns="amount")
    assert np.array_equal(drawn.small[np.ix_(*drawn.maps)], swept.allowed())
    if drawn.segments is not None:
        maps = list(drawn.maps)
        maps[drawn.segments.dim] = drawn.segments.map[drawn.segments.of(case.finer)]
        assert np.array_equal(drawn.small[np.ix_(*maps)], every.allowed())


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_errors_about_attributes_that_are_compared_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pdp, case = written(tmp_path, name) if name in WRITTEN else generated(tmp_path, CAUGHT_IN[name])
    with pdp:
        every = every_cell(pdp, case)
        forget(pdp)  # other tests read the same policies, some of them wrong
        assert faults(pdp, case, every) == []
        MUTANTS[name].introduce(monkeypatch)
        if name in WRITTEN:
            monkeypatch.setattr(outcomes, "FEW", 0)
        forget(pdp)
        assert faults(pdp, case, every)
        forget(pdp)


def generated(folder: Path, number: int) -> tuple[lab.PDP, Case]:
    """Return a PDP on the batch of a generated policy, and what is asked about it."""
    start = number // BATCH * BATCH
    pdp, cases = opened(folder / "policies", start)
    return pdp, cases[number - start]


def written(folder: Path, name: str) -> tuple[lab.PDP, Case]:
    """Return the same for a written policy."""
    rules, columns, given = WRITTEN[name]
    people = users(len(NUMBERS)).assign(**columns).astype(object)
    finer = [x for number in NUMBERS for x in (number - 0.5, number)]
    pdp = lab.PDP(write(folder / "policies", thing=resource_policy(*rules)))
    return pdp, Case("thing", people, given, finer[::3], finer)


def forget(pdp: lab.PDP) -> None:
    """Clear what the index has found: what it found before the analysis was broken is right."""
    pdp.index._found.clear()
    outcomes._known.clear()

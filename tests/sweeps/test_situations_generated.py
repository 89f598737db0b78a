"""Attributes that are only compared: generated policies compared with every cell, and broken on purpose."""

import os
import pickle
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from situation_mutants import MUTANTS
from situations import ACTIONS, Case, batch, faults

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display.payload import payload

FIRST, STOP = map(int, os.environ.get("LAB_SITUATIONS", "0:12").split(":"))
"""Which generated policies are tried."""

BATCH = 12

CAUGHT_IN: dict[str, int] = {}
"""The generated policy that first shows each error."""


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
def test_sweeps_of_generated_policies_equal_every_cell_at_every_number(tmp_path: Path, start: int) -> None:
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
    start = CAUGHT_IN[name] // BATCH * BATCH
    pdp, cases = opened(tmp_path / "policies", start)
    with pdp:
        case = cases[CAUGHT_IN[name] - start]
        every = every_cell(pdp, case)
        forget(pdp)  # other tests read the same policies, some of them wrong
        assert faults(pdp, case, every) == []
        MUTANTS[name].introduce(monkeypatch)
        forget(pdp)
        assert faults(pdp, case, every)
        forget(pdp)


def forget(pdp: lab.PDP) -> None:
    """Clear what the index has found: what it found before the analysis was broken is right."""
    pdp.index._found.clear()

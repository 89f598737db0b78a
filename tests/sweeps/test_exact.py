"""Exact thresholds are right at every number, whatever the grid, and are called exact only if known."""

import math
import pickle
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import generated_policies
import numpy as np
import pandas as pd
import pytest
from small_policies import resource_policy, rule, up_to, users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.sweeps import breakpoints
from clerk_cerbos_lab.sweeps.cuts import cut

Write = Callable[..., Path]
FAR = 1.7976931348623157e308


def swept(folder: Path, people: pd.DataFrame | None = None, **given: Any) -> pd.DataFrame:
    """Return the thresholds of a sweep."""
    with lab.PDP(folder) as pdp:
        found = lab.sweep(pdp, users() if people is None else people, "thing", **{"amount": [1, 2], **given})
        return found.thresholds("amount")


def bands(found: pd.DataFrame) -> list[str]:
    """Return what is allowed, in the notation of intervals."""
    rows = found[found["effect"] == "ALLOW"].itertuples()
    return [
        f"{'[' if row.lower_closed else '('}{row.lower:g}, {row.upper:g}{']' if row.upper_closed else ')'}"
        for row in rows
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("R.attr.amount <= 5000", ["(-inf, 5000]"]),
        ("R.attr.amount < 5000", ["(-inf, 5000)"]),
        ("5000 <= R.attr.amount", ["[5000, inf)"]),
        ("R.attr.amount > 10 && R.attr.amount <= 20 || R.attr.amount == 30", ["(10, 20]", "[30, 30]"]),
        ("R.attr.amount != 7", ["(-inf, 7)", "(7, inf)"]),
        ("R.attr.amount in [3.0, 1.0]", ["[1, 1]", "[3, 3]"]),
        ("R.attr.amount <= P.attr.limit * 1.5", ["(-inf, 11.25]"]),
        ("R.attr.region == 'x' || R.attr.amount < C.low", ["(-inf, 0.1)"]),
        ("true", ["(-inf, inf)"]),
        ("R.attr.amount == -0.0", ["[0, 0]"]),
        ("R.attr.amount >= 9007199254740993", ["[9.0072e+15, inf)"]),
        ("R.attr.amount < 1.0e308", ["(-inf, 1e+308)"]),
    ],
)
def test_the_boundary_and_who_owns_it_do_not_depend_on_the_grid(
    write: Write, condition: str, expected: list[str]
) -> None:
    policy = resource_policy(rule(condition)).replace(
        "  rules:", "  constants: {local: {low: 0.1}}\n  rules:"
    )
    folder = write(thing=policy)
    people = users(1, limit=7.5)
    for amounts in ([1, 2], [-1e6, 4_999.99, 5000, 1e6], lab.amounts(0, 60, step=0.5)):
        found = swept(folder, people, amount=amounts)
        assert bands(found) == expected
        assert found["exact"].all()
        assert set(found["boundary"]) == {"exact"}


def test_two_limits_one_double_apart_are_distinguished(write: Write) -> None:
    low = 0.1 + 0.2
    high = math.nextafter(low, 1)
    policy = resource_policy(
        rule(f"R.attr.amount <= {low!r}", actions=["one"]), rule(f"R.attr.amount < {high!r}", actions=["two"])
    )
    found = swept(write(thing=policy)).query("effect == 'ALLOW'")
    for row in found.itertuples():  # no double lies between low and high
        assert (row.upper, row.upper_closed) in {(low, True), (high, False)}


def test_intervals_cover_the_line_and_every_number_has_the_effect_of_its_interval(tmp_path: Path) -> None:
    people = generated_policies.people()
    asked = generated_policies.batch(tmp_path / "policies", range(7_000, 7_020))
    drawn = random.Random(5)
    exact = 0
    with lab.PDP(tmp_path / "policies") as pdp:
        for kind, given in asked.items():
            decisions = lab.sweep(pdp, people, kind, actions=["see", "do"], audit=0, **given)
            found = decisions.thresholds("amount")
            if not found["exact"].all():
                continue
            exact += 1
            edges = sorted({edge for edge in found["lower"] if math.isfinite(edge)})
            near = [edge + step for edge in edges for step in (-0.01, 0, 0.01)]
            doubles = [math.nextafter(edge, way) for edge in edges for way in (-math.inf, math.inf)]
            spread = [round(drawn.uniform(-20, 120), 2) for _ in range(8)]
            numbers = sorted({*near, *doubles, *spread, -FAR, FAR})
            every = lab.sweep(
                pdp, people, kind, actions=["see", "do"], method="every-cell", **{**given, "amount": numbers}
            )
            assert_true_of(found, every)
    assert exact >= 8


def assert_true_of(found: pd.DataFrame, every: lab.Decisions) -> None:
    """Check the intervals against decisions of every cell."""
    dims = [dim for dim in every.dims if dim != "amount"]
    cube = np.moveaxis(every.allowed(), every.dims.index("amount"), -1)
    numbers = every.values("amount")
    rows = iter(found.itertuples())
    left = next(rows, None)
    for line in cube.reshape(-1, len(numbers)):
        intervals: list[Any] = []
        while left is not None:
            intervals.append(left)
            left = next(rows, None)
            if intervals[-1].upper == math.inf:
                break
        assert (intervals[0].lower, intervals[-1].upper) == (-math.inf, math.inf)
        for one, two in pairwise(intervals):
            assert one.effect != two.effect
            assert one.upper == two.lower
            assert one.upper_closed != two.lower_closed
        for number, allowed in zip(numbers, line, strict=True):
            (effect,) = [row.effect for row in intervals if holds(row, number)]
            assert (effect == "ALLOW") == allowed, (number, intervals, dims)
    assert left is None


def holds(row: Any, number: float) -> bool:
    above = number > row.lower or (row.lower_closed and number == row.lower)
    below = number < row.upper or (row.upper_closed and number == row.upper)
    return bool(above and below)


def test_rows_are_in_the_order_of_the_decisions_principals_and_combinations(pdp: lab.PDP) -> None:
    people = lab.load_principals(Path(__file__).parents[2] / "data" / "clerk_users.json")
    decisions = lab.sweep(
        pdp,
        people,
        "expense",
        actions=["approve", "view"],
        region=["south", "northeast", "west"],
        amount=[0, 7_000, 20_000],
        owner=[lab.OTHER, lab.SELF],
        status="OPEN",
    )
    chosen = decisions.sel(
        principal=list(decisions.names[40:20:-1]), owner=lab.OTHER, region=["west", "south"]
    )
    found = chosen.thresholds("amount", action="approve")
    each = found.groupby(["principal", "region"], sort=False).size()
    assert [name for name, _ in each.index] == [name for name in chosen.names for _ in range(2)]
    assert [region for _, region in each.index] == ["west", "south"] * 20
    every = lab.sweep(
        pdp,
        people.iloc[40:20:-1],
        "expense",
        actions="approve",
        region=["west", "south"],
        owner=[lab.OTHER],
        amount=[-1, 0, 0.01, 4_999.99, 5_000, 5_000.01, 10_000, 10_000.01, 50_000, 50_000.01],
        status="OPEN",
        method="every-cell",
    )
    assert_true_of(found, every)


def test_an_axis_that_no_policy_reads_has_one_interval(write: Write) -> None:
    found = swept(write(thing=resource_policy(rule("R.attr.size < 3"))), size=1)
    assert bands(found) == ["(-inf, inf)"]
    assert found["exact"].all()


def test_an_axis_that_is_asked_value_by_value_has_the_thresholds_of_its_grid(write: Write) -> None:
    found = swept(write(thing=resource_policy(rule("R.attr.amount * 2.0 <= 9.0"))), amount=range(10))
    assert not found["exact"].any()
    assert found["boundary"].tolist() == [
        "not asked below 0; between 4 and 5",
        "between 4 and 5; not asked above 9",
    ]


def test_after_a_sweep_of_every_cell_only_the_grid_is_known(small: lab.PDP) -> None:
    found = lab.sweep(small, users(), "thing", amount=[90, 110], method="every-cell").thresholds("amount")
    assert not found["exact"].any()


def test_thresholds_of_a_closed_pdp_are_those_of_its_policies(write: Write) -> None:
    folder = write(thing=up_to(100))
    with lab.PDP(folder) as pdp:
        decisions = lab.sweep(pdp, users(), "thing", amount=[1, 2])
    (folder / "thing.yaml").write_text(up_to(7))
    assert bands(decisions.thresholds("amount")) == ["(-inf, 100]"]


def test_thresholds_after_an_edit_are_those_of_the_policies_that_were_swept(write: Write) -> None:
    folder = write(thing=up_to(100))
    with lab.PDP(folder) as pdp:
        before = lab.sweep(pdp, users(), "thing", amount=[1, 2])
        write(thing=up_to(7))
        after = lab.sweep(pdp, users(), "thing", amount=[1, 2])
        assert bands(before.thresholds("amount")) == ["(-inf, 100]"]
        assert bands(after.thresholds("amount")) == ["(-inf, 7]"]
        (folder / "thing.yaml").write_text("broken: [")
        assert bands(after.thresholds("amount")) == ["(-inf, 7]"]


def test_a_copy_of_decisions_has_exact_thresholds_of_its_own(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        decisions = lab.sweep(pdp, users(), "thing", amount=[1, 2])
        copy = pickle.loads(pickle.dumps(decisions))
    assert bands(copy.thresholds("amount")) == ["(-inf, 100]"]
    assert copy.counts() == decisions.counts()


def test_thresholds_are_those_of_the_sweep_even_for_a_pdp_at_an_address(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as own:
        with lab.PDP(address=own.address, admin=("cerbos", "cerbosAdmin")) as pdp:
            decisions = lab.sweep(pdp, users(), "thing", amount=[1, 2])
            write(thing=up_to(7))
            own.refresh()
            assert bands(decisions.thresholds("amount")) == ["(-inf, 100]"]
        assert bands(decisions.thresholds("amount")) == ["(-inf, 100]"]


def test_a_flip_that_the_analysis_misses_is_noticed_next_to_a_boundary(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a breakpoint is missing, the numbers asked in a gap contradict each other."""
    monkeypatch.setattr(breakpoints, "breakpoints_from", lambda _: breakpoints.Breakpoints((10.0,), ()))
    folder = write(thing=resource_policy(rule("R.attr.amount <= 10 || R.attr.amount == 10.01")))
    with lab.PDP(folder) as pdp:
        with pytest.warns(lab.LabWarning, match="next to a boundary and those farther away") as told:
            decisions = lab.sweep(pdp, users(), "thing", amount=[1, 20], audit=0)
        assert told[0].filename == __file__
        assert decisions.provenance.method == "every-cell"
        assert "u0" in decisions.provenance.notes[-1]
        assert not decisions.thresholds("amount")["exact"].any()


def test_two_different_answers_in_one_gap_are_noticed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakpoints, "breakpoints_from", lambda _: breakpoints.Breakpoints((), ()))
    folder = write(thing=up_to(100))
    with lab.PDP(folder) as pdp:
        with pytest.warns(lab.LabWarning, match="two numbers that the policies cannot tell apart"):
            decisions = lab.sweep(pdp, users(), "thing", amount=[1], audit=0)
        assert decisions.provenance.method == "every-cell"


def test_the_line_is_cut_at_each_breakpoint_and_asked_in_each_gap() -> None:
    found = cut([0.0, 5.0])
    above = [math.nextafter(n, math.inf) for n in (0.0, 5.0)]
    assert found.asked == [-FAR, 0.0, above[0], 5.0, above[1], FAR]
    assert found.segment.tolist() == [0, 1, 2, 3, 4, 4]
    assert found.segments_of(np.array([-1.0, 0.0, 1e-300, 4.99, 5.0, 5.01])).tolist() == [0, 1, 2, 2, 3, 4]
    assert cut([]).asked == [-FAR, FAR]
    assert cut([-FAR, FAR]).asked == [-FAR, math.nextafter(-FAR, 0), FAR]
    near = math.nextafter(1.0, 2.0)
    assert cut([1.0, near]).asked == [-FAR, 1.0, near, math.nextafter(near, 2.0), FAR]

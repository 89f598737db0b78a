"""The browser's payload equals the decisions, cell by cell, and nothing in it can run."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_decisions import Mapped, made, mapped
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display import payload, selection

if TYPE_CHECKING:
    import numpy.typing as npt

NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
AMOUNTS = st.lists(NUMBERS, min_size=5, max_size=5, unique_by=float)
MIXED = [7, "7", None, [1, "a"], {"b": None}]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of these tests")


def given_to(decisions: lab.Decisions, **layout: Any) -> payload.Payload:
    return payload.payload(decisions, decisions.shown(), **layout)


def read(data: bytes) -> tuple[dict[str, Any], npt.NDArray[np.bool_]]:
    """Header and every cell, read only from the bytes, as the browser does."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    shape = header["small"]
    bits = np.unpackbits(np.frombuffer(data[4 + length :], dtype=np.uint8), count=int(np.prod(shape)))
    small = bits.astype(np.bool_).reshape(shape)
    return header, small[np.ix_(*(dim["map"] for dim in header["dims"]))]


@given(cells=mapped(4), amounts=AMOUNTS)
def test_bytes_hold_every_decision_whatever_is_equal_and_in_whatever_order_amounts_stand(
    cells: Mapped, amounts: list[float]
) -> None:
    axes: dict[str, Any] = {"amount": amounts[: cells.shape[2]], "region": MIXED[: cells.shape[3]]}
    decisions = made(cells, axes)
    header, every = read(given_to(decisions).to_bytes())
    assert np.array_equal(every, decisions.allowed())
    assert header["dims"][2]["numbers"] == list(map(float, axes["amount"]))
    assert header["allow"] == decisions.counts()["ALLOW"]


@given(st.integers(0, 10_000), st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_cells_that_were_each_asked_are_held_for_any_number_of_dimensions(
    seed: int, shape: list[int]
) -> None:
    effects = np.random.default_rng(seed).random(shape) < 0.5
    axes: dict[str, Any] = {f"axis{i}": [f"value{k}" for k in range(n)] for i, n in enumerate(shape[2:])}
    decisions = made(effects, axes)
    for part in (decisions, decisions.sel(principal=[decisions.names[-1]])):
        across = list(part.dims[1:])
        made_of_it = given_to(part, rows="principal", columns=across)
        assert np.array_equal(read(made_of_it.to_bytes())[1], part.allowed())
        assert made_of_it.effect([0] * len(shape)) == bool(part.allowed().flat[0])


def test_an_axis_of_mixed_values_has_no_numbers_but_a_label_for_each() -> None:
    decisions = made(np.ones((1, 1, 5)), {"odd": MIXED})
    (*_, odd) = given_to(decisions).header["dims"]
    assert "numbers" not in odd
    assert odd["labels"] == ["7", '"7"', "null", '[1, "a"]', '{"b": null}']


def test_equal_slices_are_written_once() -> None:
    few = Mapped(
        np.eye(3, dtype=np.bool_).reshape(3, 1, 3), (np.arange(900) % 3, np.zeros(1, int), np.arange(300) % 3)
    )
    one = given_to(made(few, {"amount": range(300)}))
    assert one.small.size == 9


def test_bytes_are_the_same_for_the_same_decisions(pdp: lab.PDP) -> None:
    def swept() -> lab.Decisions:
        people = lab.load_principals("data/clerk_users.json").head(30)
        return lab.sweep(
            pdp, people, "expense", amount=[500, 5_000, 50_000], region=["south", "west"], status="OPEN"
        )

    first, second = swept(), swept()
    assert given_to(first).to_bytes() == given_to(second).to_bytes()


def of_segments(one: payload.Payload, decisions: lab.Decisions) -> list[dict[str, Any]]:
    """The intervals of equal effect of each line, from segments, as ``thresholds`` lists them."""
    segments = one.segments
    assert segments is not None
    found = []
    others = [n for d, n in enumerate(decisions.shape) if d != segments.dim]
    for place in np.ndindex(*others):
        index = [*place[: segments.dim], 0, *place[segments.dim :]]
        effects = [one.effect(index, s) for s in range(len(segments.cuts) + 1)]
        start = 0
        for end in range(len(effects)):
            if end + 1 == len(effects) or effects[end + 1] != effects[end]:
                effect = "ALLOW" if effects[end] else "DENY"
                found.append({**segments.ends(start, end), "effect": effect})
                start = end + 1
    return found


def test_segments_of_a_sweep_are_its_exact_thresholds_and_its_grid(pdp: lab.PDP) -> None:
    people = lab.load_principals("data/clerk_users.json").head(40)
    amounts = [60_000, 0, -5, 0.5, 5_000, 5_000.01, 999, 10_000, 25_000]
    axes: dict[str, Any] = {"region": ["south", "west"], "owner": [lab.SELF, lab.OTHER]}
    swept = lab.sweep(pdp, people, "expense", amount=amounts, status="OPEN", **axes)
    one = given_to(swept)
    exact = swept.thresholds("amount")
    assert exact["exact"].all()
    columns = ["lower", "lower_closed", "upper", "upper_closed", "effect"]
    assert of_segments(one, swept) == exact[columns].to_dict("records")
    every = read(one.to_bytes())[1]
    assert np.array_equal(np.where(every, "ALLOW", "DENY").ravel(), swept.frame()["effect"].to_numpy())


LIMIT = rule("R.attr.amount <= P.attr.limit && R.attr.amount > P.attr.floor")


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with lab.PDP(write(tmp_path_factory.mktemp("limited"), thing=resource_policy(LIMIT))) as running:
        yield running


@given(
    limits=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=4),
    shift=st.integers(0, 3),
)
def test_segments_follow_any_limits_open_and_closed(
    limited: lab.PDP, limits: list[tuple[int, int]], shift: int
) -> None:
    people = users(len(limits)).assign(limit=[a for a, _ in limits], floor=[b for _, b in limits])
    swept = lab.sweep(limited, people, "thing", actions=["approve"], amount=[5, -3, shift, 100])
    one = given_to(swept)
    columns = ["lower", "lower_closed", "upper", "upper_closed", "effect"]
    assert of_segments(one, swept) == swept.thresholds("amount")[columns].to_dict("records")
    assert np.array_equal(read(one.to_bytes())[1], swept.allowed())


def test_what_is_chosen_in_a_segment_has_an_amount_inside_it() -> None:
    ends = {"lower": 5.0, "lower_closed": False, "upper": np.inf, "upper_closed": False}
    assert selection.inside(ends) == np.nextafter(5.0, 6.0)
    assert selection.inside({**ends, "lower_closed": True}) == 5.0
    assert selection.inside({**ends, "upper": 9.0, "upper_closed": True}) == 9.0
    assert selection.inside({**ends, "lower": -np.inf, "upper": 0.0}) == np.nextafter(0.0, -1.0)
    assert selection.inside({**ends, "lower": -np.inf}) == 0.0


def test_more_principals_than_a_browser_holds_are_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHOWN_PRINCIPALS", 2)
    decisions = made(np.eye(4).reshape(4, 1, 4), {"amount": range(4)})
    one = given_to(decisions)
    assert one.principals == 2
    assert one.header["total"] == 16
    assert "the first 2 of 4 principals" in one.header["notes"][0]
    assert np.array_equal(read(one.to_bytes())[1], decisions.allowed()[:2])


def test_roles_are_told_apart_unless_a_name_has_a_comma() -> None:
    some = made(np.zeros((3, 1, 1)), {"region": ["south"]})
    some._principals["roles"] = [("a",), ("a", "b"), ()]
    roles = given_to(some).header["dims"][0]["attributes"][0]
    assert roles["values"] == ["a", "a, b", ""]
    assert roles["lists"] == {"1": ["a", "b"], "2": []}
    some._principals["roles"] = [("a",), ("a", "b"), ("a, b",)]
    assert "lists" not in given_to(some).header["dims"][0]["attributes"][0]

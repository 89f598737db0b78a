"""Decisions hold every effect once, however they are looked at and wherever they are written."""

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from made_decisions import Mapped, made, mapped
from pandas.testing import assert_frame_equal
from small_policies import users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions import decisions
from clerk_cerbos_lab.decisions.cells import DenseEffects as EveryCell

CUBE = np.random.default_rng(3).random((3, 2, 5, 2)) < 0.5
AXES: dict[str, Any] = {"amount": [10, 2, 30, 4, 50], "region": ["south", "west"]}
NUMBERS_AND_TEXTS = {"amount": [10, 2.5, 30, 4, 50], "region": ["5", "west"]}
MIXED = [True, 1, "1", None, lab.MISSING, lab.SELF, "SELF", [1, "a"], {"a": None}, 2.5]


@pytest.fixture
def some() -> lab.Decisions:
    return made(CUBE, AXES, names=["ann", "bob", "cid"], actions=["view", "approve"])


# -- one cube, three views --------------------------------------------------------------------


@given(mapped())
def test_the_long_frame_the_matrix_and_the_cube_contain_the_same_effects(cells: Mapped) -> None:
    axes = {"a": range(cells.shape[2]), "b": [f"b{i}" for i in range(cells.shape[3])]}
    some = made(cells, axes)
    cube = some.allowed()
    frame = some.frame()
    assert list(frame.columns) == ["principal", "action", "a", "b", "effect"]
    assert len(frame) == len(some) == cube.size
    assert (frame["effect"] == "ALLOW").tolist() == cube.ravel().tolist()
    places = frame[["principal", "action", "a", "b"]].apply(tuple, axis=1).tolist()
    assert places == list(itertools.product(some.names, some.actions, *(axis.values for axis in some.axes)))
    wide = some.matrix(rows=["b", "principal"], columns=["action", "a"])
    flipped = np.transpose(cube, (3, 0, 1, 2)).reshape(wide.shape)
    assert np.array_equal(wide.to_numpy() == "ALLOW", flipped)
    assert wide.index.names == ["b", "principal"]
    assert wide.columns.names == ["action", "a"]
    assert some.counts() == {"ALLOW": int(cube.sum()), "DENY": int((~cube).sum())}
    assert sum(some.counts().values()) == len(some)


@settings(max_examples=30)
@given(mapped())
def test_cells_behind_index_maps_give_the_same_decisions_as_every_cell(cells: Mapped) -> None:
    axes = {"a": range(cells.shape[2]), "b": [f"b{i}" for i in range(cells.shape[3])]}
    whole = cells.take([np.arange(n) for n in cells.shape])
    lazy, full = made(cells, axes), made(EveryCell(whole), axes)
    last = len(axes["a"]) - 1
    chosen: list[dict[str, Any]] = [{}, {"a": [last, *range(last)], "principal": "u0"}, {"b": "b0"}]
    for labels in chosen:
        one, two = lazy.sel(**labels), full.sel(**labels)
        assert one.counts() == two.counts()
        assert np.array_equal(one.allowed(), two.allowed())
        assert_frame_equal(one.frame(), two.frame())
        assert_frame_equal(one.matrix(), two.matrix())
        assert_frame_equal(one.thresholds("a"), two.thresholds("a"))
        first, second = one._repr_mimebundle_(), two._repr_mimebundle_()
        assert [first[kind] for kind in STORED] == [second[kind] for kind in STORED]


STORED = ("text/plain", "text/html")


def test_every_way_to_make_a_long_frame_in_parts_is_the_same(
    some: lab.Decisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = some.frame()
    for size in (1, 19, 20, 21, 45):
        monkeypatch.setattr(decisions, "CHUNK", size)
        assert_frame_equal(some.frame(), whole)


def test_columns_of_the_long_frame_have_the_type_of_their_values(some: lab.Decisions) -> None:
    assert [str(some.frame()[name].dtype) for name in some.frame()] == ["str", "str", "int64", "str", "str"]
    mixed = made(np.ones((1, 1, len(MIXED)), bool), {"value": MIXED}).frame()["value"]
    assert all(a is b or a == b for a, b in zip(mixed, MIXED, strict=True))
    assert [type(value) for value in mixed] == [type(value) for value in MIXED]


@pytest.mark.parametrize("values", [["south", None, lab.MISSING], [lab.SELF, None]])
def test_null_stays_null_next_to_strings(values: list[Any]) -> None:
    some = made(np.ones((1, 1, len(values), 2), bool), {"region": values, "amount": [1, 2]})
    assert all(a is b for a, b in zip(some.frame()["region"][::2], values, strict=True))
    assert all(a is b for a, b in zip(some.thresholds("amount")["region"], values, strict=True))


# -- sel --------------------------------------------------------------------------------------


def test_sel_keeps_every_dimension_and_the_requested_order(some: lab.Decisions) -> None:
    chosen = some.sel(principal=["cid", "ann"], amount=[50, 10.0], region="west")
    assert chosen.shape == (2, 2, 2, 1)
    assert chosen.names == ("cid", "ann")
    assert chosen.values("amount") == (50, 10)
    assert np.array_equal(chosen.allowed(), CUBE[np.ix_([2, 0], [0, 1], [4, 0], [1])])
    again = chosen.sel(principal="ann", action="approve")
    assert np.array_equal(again.allowed(), CUBE[np.ix_([0], [1], [4, 0], [1])])
    assert again.principals["id"].tolist() == ["ann"]
    assert some.shape == CUBE.shape


def test_sel_takes_a_slice_of_numbers_with_both_ends(some: lab.Decisions) -> None:
    assert some.sel(amount=slice(4, 30)).values("amount") == (10, 30, 4)
    assert some.sel(amount=slice(None, 4)).values("amount") == (2, 4)
    assert some.sel(amount=slice(30, None)).values("amount") == (30, 50)


def test_sel_finds_each_value_by_what_the_pdp_was_sent() -> None:
    cube = np.eye(len(MIXED), dtype=bool).reshape(1, 1, len(MIXED), len(MIXED))
    some = made(cube, {"value": MIXED, "again": MIXED})
    for value in MIXED:
        one = [value] if isinstance(value, list) else value
        assert some.sel(value=one, again=one).effect() == "ALLOW"
        assert some.sel(value=one).counts() == {"ALLOW": 1, "DENY": len(MIXED) - 1}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"amont": 1}, "'amont' is not a dimension of these decisions; did you mean 'amount'"),
        ({"resource_id": "resource"}, "'resource_id' is fixed, not an axis"),
        ({"principal": "anne"}, "principal has no value anne; did you mean 'ann'"),
        ({"action": "aprove"}, "action has no value aprove; did you mean 'approve'"),
        ({"amount": 11}, "amount has no value 11"),
        ({"amount": "10"}, 'amount has no value "10"'),
        ({"amount": []}, "amount: the selection is empty"),
        ({"amount": [2, 2.0]}, "amount: a value is selected twice"),
        ({"amount": slice(5, 6)}, "amount: there is no value between 5 and 6"),
        ({"amount": slice(1, 5, 2)}, "amount: a slice needs a numeric axis"),
        ({"region": slice("a", "z")}, "region: a slice needs a numeric axis"),
        ({"amount": float("nan")}, "amount: not a finite number"),
    ],
)
def test_sel_refuses_unknown_labels_and_gives_the_nearest(
    some: lab.Decisions, labels: dict[str, Any], message: str
) -> None:
    with pytest.raises(lab.InputError, match=message):
        some.sel(**labels)


def test_effect_is_one_decision_and_says_which_are_left(some: lab.Decisions) -> None:
    one = some.effect(principal="bob", action="approve", amount=30, region="west")
    assert one == ("ALLOW" if CUBE[1, 1, 2, 1] else "DENY")
    with pytest.raises(
        lab.InputError, match=r"10 decisions are left; choose a value for: amount \(5\), region \(2\)"
    ):
        some.effect(principal="bob", action="view")


# -- matrix -----------------------------------------------------------------------------------


def test_the_matrix_has_the_longest_numeric_axis_on_top_and_the_rest_at_the_side(some: lab.Decisions) -> None:
    wide = some.matrix()
    assert wide.index.names == ["principal", "action", "region"]
    assert wide.columns.name == "amount"
    assert [int(amount) for amount in wide.columns] == [10, 2, 30, 4, 50]
    assert wide.loc[("bob", "approve", "west"), 30] == ("ALLOW" if CUBE[1, 1, 2, 1] else "DENY")
    assert some.sel(action="view", region="west").matrix().index.names == ["principal"]
    assert some.sel(action="view", region="west").matrix(columns="region").shape[0] == 15
    alone = made([[[True]]], {"region": ["a"]}).matrix()
    assert (alone.index.name, alone.columns.name) == ("principal", "region")
    bare = made([[True, False]], {}).matrix()
    assert list(bare.columns) == ["act0", "act1"]


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ("principal", "amount", r"\['action', 'region'\] have several values"),
        (["principal", "action", "region"], "amont", "'amont' is not a dimension; did you mean 'amount'"),
        (["principal", "amount"], ["amount", "action", "region"], "a dimension is given twice"),
    ],
)
def test_a_matrix_that_would_hide_or_repeat_decisions_is_refused(
    some: lab.Decisions, rows: Any, columns: Any, message: str
) -> None:
    with pytest.raises(lab.InputError, match=message):
        some.matrix(rows=rows, columns=columns)


# -- files ------------------------------------------------------------------------------------


def test_csv_is_the_long_frame(some: lab.Decisions, tmp_path: Path) -> None:
    some.to_csv(tmp_path / "out.csv")
    back = pd.read_csv(tmp_path / "out.csv", dtype={"principal": "str", "action": "str", "region": "str"})
    assert_frame_equal(back, some.frame(), check_dtype=False)


def test_complete_files_are_written_in_parts(
    some: lab.Decisions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some.to_csv(tmp_path / "whole.csv")
    monkeypatch.setattr(decisions, "CHUNK", 1)
    some.to_csv(tmp_path / "parts.csv")
    some.to_parquet(tmp_path / "parts.parquet")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert pq.ParquetFile(tmp_path / "parts.parquet").num_row_groups == 3
    assert_frame_equal(pd.read_parquet(tmp_path / "parts.parquet"), some.frame())


def test_parquet_is_the_long_frame_with_its_provenance(some: lab.Decisions, tmp_path: Path) -> None:
    some.to_parquet(tmp_path / "out.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), some.frame())
    about = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"clerk_cerbos_lab"])
    assert about["provenance"] == some.provenance.to_dict()
    assert about["provenance"]["started"] == "2026-01-02T00:00:00+00:00"
    assert (about["kind"], about["json_columns"]) == ("thing", [])
    assert about["fixed"] == {"resource_id": "resource"}


def test_self_next_to_values_of_another_type_is_json_in_a_file(tmp_path: Path) -> None:
    made(np.ones((1, 1, 3), bool), {"value": [lab.SELF, 1, [lab.OTHER]]}).to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [json.loads(row["value (JSON)"]) for row in csv.DictReader(file)] == ["SELF", 1, ["OTHER"]]


PLAIN_MIXED = [value for value in MIXED if value is not lab.SELF]


def test_values_of_several_types_are_json_in_a_file(tmp_path: Path) -> None:
    some = made(np.ones((1, 1, len(PLAIN_MIXED)), bool), {"value": PLAIN_MIXED})
    some.to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["principal", "action", "value (JSON)", "effect"]
    read = [json.loads(row["value (JSON)"]) if row["value (JSON)"] else lab.MISSING for row in rows]
    assert [(type(one) is bool, one) for one in read] == [(type(one) is bool, one) for one in PLAIN_MIXED]
    some.to_parquet(tmp_path / "out.parquet")
    column = pd.read_parquet(tmp_path / "out.parquet")["value"]
    assert [json.loads(text) if isinstance(text, str) else lab.MISSING for text in column] == read
    about = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"clerk_cerbos_lab"])
    assert about["json_columns"] == ["value"]


def test_files_contain_the_decisions_of_the_sweep(small: lab.PDP, tmp_path: Path) -> None:
    swept = lab.sweep(small, users(4), "thing", actions="approve", amount=lab.amounts(0, 200, step=50))
    swept.to_parquet(tmp_path / "out.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), swept.frame())
    assert swept.counts() == {"ALLOW": 12, "DENY": 8}


def test_a_failed_write_leaves_the_old_file(
    some: lab.Decisions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = some.frame()
    for name, write in (("out.csv", some.to_csv), ("out.parquet", some.to_parquet)):
        target = tmp_path / name
        target.write_text("the old one")

        def broken(arrays: dict[str, Any]) -> Iterator[pd.DataFrame]:
            yield part
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(some, "frames", broken)
            with pytest.raises(KeyboardInterrupt):
                write(target)
        assert target.read_text() == "the old one"
        assert [path.name for path in tmp_path.glob(".*")] == []


def test_an_axis_named_like_a_column_of_the_thresholds_is_refused() -> None:
    decisions = made(np.ones((1, 1, 2, 2), bool), {"amount": [1, 2], "lower": [7, 8]})
    with pytest.raises(lab.InputError, match=r"\['lower'\]"):
        decisions.thresholds("amount")

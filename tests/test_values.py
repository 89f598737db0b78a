"""Values are sent as they are or refused, and are told apart exactly where the PDP does."""

import copy
import datetime
import math
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.formatting import label, number_label
from clerk_cerbos_lab.pdp.messages import from_value, to_value
from clerk_cerbos_lab.values import clean, key, resolve, uses_self

doubles = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | doubles | texts
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


# -- amounts ----------------------------------------------------------------------------------


def test_amounts_include_both_ends_and_do_not_drift() -> None:
    assert lab.amounts(0, 200, step=50) == [0, 50, 100, 150, 200]
    assert lab.amounts(0, 199, step=50) == [0, 50, 100, 150]
    assert lab.amounts(0, 1, step=0.1) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert lab.amounts(Decimal("4999.99"), 5000.01, step=Decimal("0.01")) == [4999.99, 5000.0, 5000.01]
    assert lab.amounts(5, 5, step=1) == [5]
    assert lab.amounts(-2, 2, step=2) == [-2, 0, 2]
    assert len(lab.amounts(0, 60_000, step=0.1)) == 600_001


def test_amounts_are_ints_if_start_and_step_are_whole() -> None:
    assert [type(n) for n in lab.amounts(0, 10.5, step=5.0)] == [int, int, int]
    assert [type(n) for n in lab.amounts(0.5, 2.5, step=1)] == [float, float, float]


@given(start=st.integers(-1000, 1000), count=st.integers(0, 50), cents=st.integers(1, 500))
def test_amounts_are_the_doubles_nearest_to_the_decimal_amounts(start: int, count: int, cents: int) -> None:
    step, first = Decimal(cents) / 100, Decimal(start) / 100
    expected = [float(first + i * step) for i in range(count + 1)]
    assert lab.amounts(first, first + count * step, step=step) == expected


@pytest.mark.parametrize(
    ("start", "stop", "step"),
    [
        *((0, 1, 0), (0, 1, -1), (1, 0, 1), (math.nan, 1, 1), (0, math.nan, 1), (0, 1, math.nan)),
        *((-math.inf, 1, 1), (0, math.inf, 1), (0, 1, math.inf), ("a", 1, 1), (None, 1, 1)),
    ],
)
def test_amounts_that_do_not_end_are_refused(start: Any, stop: Any, step: Any) -> None:
    with pytest.raises(lab.InputError, match=r"^amounts\(.*needs"):
        lab.amounts(start, stop, step=step)


def test_more_than_ten_million_amounts_are_refused() -> None:
    with pytest.raises(lab.InputError, match="would be 10,000,002 amounts; 10,000,000 at most"):
        lab.amounts(0, 10_000_001, step=1)


# -- MISSING, SELF, OTHER ---------------------------------------------------------------------


def test_missing_is_one_object_that_survives_copies_and_pickle() -> None:
    for again in (
        copy.copy(lab.MISSING),
        copy.deepcopy([lab.MISSING])[0],
        pickle.loads(pickle.dumps(lab.MISSING)),
        pd.Series([lab.MISSING], dtype=object).copy()[0],
    ):
        assert again is lab.MISSING
    assert repr(lab.MISSING) == str(lab.MISSING) == "MISSING"


def test_pandas_treats_missing_as_missing_and_not_as_null() -> None:
    column = pd.Series([lab.MISSING, 5.0])
    assert column.dtype == "float64"
    assert column.isna().tolist() == [True, False]
    assert clean(None, "x") is None


def test_self_and_other_survive_pickle_and_say_who_they_are() -> None:
    assert pickle.loads(pickle.dumps(lab.SELF)) is lab.SELF
    assert repr([lab.SELF, lab.OTHER]) == "[lab.SELF, lab.OTHER]"


def test_self_and_other_are_replaced_at_any_depth() -> None:
    nested = {"a": [lab.SELF, {"b": lab.OTHER}], "c": "SELF"}
    assert resolve(nested, own="me", other="you") == {"a": ["me", {"b": "you"}], "c": "SELF"}
    assert uses_self(nested)
    assert not uses_self({"a": [lab.OTHER, "SELF"]})


# -- clean ------------------------------------------------------------------------------------


@given(trees)
def test_values_that_json_can_hold_are_sent_unchanged(value: Any) -> None:
    assert clean(value, "x") == value
    back = from_value(to_value(clean(value, "x")))
    assert back == value or key(clean(back, "x")) == key(clean(value, "x"))


@pytest.mark.parametrize(
    ("given_value", "sent"),
    [
        *((np.int64(5), 5), (np.float64(0.5), 0.5), (np.True_, True), (np.str_("a"), "a")),
        *((np.array([1, 2]), [1, 2]), (np.array(5), 5), ((1, "a"), [1, "a"]), (Decimal("5000.10"), 5000.1)),
        *(
            (2**60, 2**60),
            (-(2**53), -(2**53)),
            ({"a": lab.MISSING, "b": 1}, {"b": 1}),
            (np.array([[1]]), [[1]]),
        ),
    ],
)
def test_numpy_tuples_and_decimals_become_json_values(given_value: Any, sent: Any) -> None:
    assert clean(given_value, "x") == sent
    assert type(clean(given_value, "x")) is type(sent)


@pytest.mark.parametrize(
    "value",
    [
        *(
            math.nan,
            math.inf,
            -math.inf,
            np.float64("nan"),
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("1e400"),
        ),
        *(2**53 + 1, -(2**53) - 1, 10**400, np.int64(2**53 + 1)),
        *({1}, frozenset(), b"a", 1j, object(), range(3), pd.NA, pd.NaT, np.datetime64("2026-01-01")),
        *(datetime.date(2026, 1, 1), {1: 2}, {"a": [{None: 1}]}, ["\udc00"], {"\udc00": 1}, [lab.MISSING]),
    ],
)
def test_values_that_cerbos_has_no_type_for_are_refused_with_their_place(value: Any) -> None:
    with pytest.raises(lab.InputError, match=r"^axis 'a'"):
        clean([value], "axis 'a'")


# -- key --------------------------------------------------------------------------------------


@given(trees, trees)
def test_two_values_have_the_same_key_exactly_if_their_messages_are_equal(one: Any, two: Any) -> None:
    first, second = clean(one, "x"), clean(two, "x")
    assert (key(first) == key(second)) == (to_value(first) == to_value(second))
    assert key(first) == key(copy.deepcopy(first))


def test_values_that_look_alike_have_different_keys() -> None:
    alike = [
        True,
        1,
        "1",
        "true",
        None,
        "null",
        lab.MISSING,
        "MISSING",
        lab.SELF,
        lab.OTHER,
        "lab.SELF",
    ]
    alike += [[1], ["1"], [lab.SELF], {"a": 1}, {"a": True}, [], {}]
    assert len({key(value) for value in alike}) == len(alike)
    assert key(lab.SELF) == key("SELF")  # no table could tell them apart, so an axis takes one of them
    assert key(5) == key(5.0)
    assert key({"a": 1, "b": 2}) == key({"b": 2.0, "a": 1})


# -- label ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((5000, "5,000"), (5000.0, "5,000"), (-1234.5, "-1,234.5"), (0.1, "0.1"), (5000.01, "5,000.01")),
        *(
            (math.inf, "∞"),
            (-math.inf, "-∞"),
            (1e15, "1,000,000,000,000,000"),
            (1e16, "1e+16"),
            (1e-7, "1e-07"),
        ),
        *((True, "true"), (None, "null"), (lab.MISSING, "MISSING"), (lab.SELF, "SELF"), ("south", "south")),
        *(
            ("", '""'),
            (" a", '" a"'),
            ("5", '"5"'),
            ("5,000", '"5,000"'),
            ("true", '"true"'),
            ("SELF", '"SELF"'),
        ),
        *((["a", 1], '["a", 1]'), ({"b": 1, "a": None}, '{"a": null, "b": 1}'), ("Zürich", "Zürich")),
    ],
)
def test_a_label_keeps_every_digit_and_quotes_what_could_be_misread(value: Any, text: str) -> None:
    assert label(value) == text


@given(scalars, scalars)
def test_two_scalars_that_the_pdp_tells_apart_have_different_labels(one: Any, two: Any) -> None:
    assert (label(one) == label(two)) == (key(one) == key(two))


@given(doubles)
def test_a_number_can_be_read_back_from_its_label(number: float) -> None:
    assert float(number_label(number).replace(",", "")) == number

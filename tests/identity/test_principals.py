"""Principals travel as a frame with a contract, and what-if people keep their ids."""

import numpy as np
import pandas as pd
import pytest
from small_policies import users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import Principal, labels, one_principal, read_principals

ANN = {"id": "ann", "roles": ("user", "boss"), "limit": 5, "region": None}


def test_a_row_becomes_a_principal_without_missing_attributes() -> None:
    frame = pd.DataFrame(
        [ANN, {"id": "bob", "roles": ["user"], "limit": lab.MISSING, "region": pd.NA}], dtype=object
    )
    assert list(read_principals(frame)) == [
        Principal("ann", ("user", "boss"), {"limit": 5, "region": None}),
        Principal("bob", ("user",), {}),
    ]


def test_every_missing_value_of_pandas_is_an_absent_attribute() -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "roles": [("user",), ("user",)],
            "float": [np.nan, 1.5],
            "nullable": pd.array([pd.NA, 3], dtype="Int64"),
            "text": pd.array([None, "x"], dtype="str"),
            "time": [pd.NaT, lab.MISSING],
            "flag": pd.array([pd.NA, True], dtype="boolean"),
        }
    )
    absent, present = read_principals(frame)
    assert absent.attr == {}
    assert present.attr == {"float": 1.5, "nullable": 3, "text": "x", "flag": True}


def test_an_error_gives_row_and_column_and_never_the_value() -> None:
    frame = pd.DataFrame([ANN, {**ANN, "id": "bob", "limit": b"s3cret"}], dtype=object)
    with pytest.raises(lab.InputError, match="principals, row 1, column 'limit': a bytes") as refused:
        read_principals(frame)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(lab.InputError, match=r"columns with the same name: \['limit'"):
        read_principals(pd.DataFrame([["a", ("user",), 1, 2]], columns=["id", "roles", "limit", "limit"]))
    with pytest.raises(lab.InputError, match="column 5 can't name an attribute"):
        read_principals(pd.DataFrame([ANN]).assign(limit=1).rename(columns={"limit": 5}))
    with pytest.raises(lab.InputError, match="row 0: 'roles' must hold non-empty strings, not null"):
        read_principals(pd.DataFrame([{**ANN, "roles": ("user", None)}]))


@pytest.mark.parametrize("roles", [("user", "user"), ["a", "user", "b", "user"], np.array(["user", "user"])])
def test_a_duplicate_role_is_refused_as_by_the_pdp_with_row_and_name(small: lab.PDP, roles: object) -> None:
    with pytest.raises(lab.PDPError, match="unique"):
        small.is_allowed("approve", Principal("ann", tuple(roles), {}), "thing", {"amount": 1})  # type: ignore[arg-type]
    message = "lists 'user' 2 times, and Cerbos refuses duplicate roles: keep one"
    frame = pd.DataFrame([{"id": "bob", "roles": ("user",)}, {"id": "ann", "roles": roles}], dtype=object)
    with pytest.raises(lab.InputError, match=f"principals, row 1: 'roles' {message}"):
        lab.sweep(small, frame, "thing", amount=[1, 2])
    with pytest.raises(lab.InputError, match=f"principals, row 0: 'roles' {message}"):
        small.is_allowed("approve", frame.iloc[1], "thing", {"amount": 1})
    with pytest.raises(lab.InputError, match=rf"lab.vary: roles\[1\] {message}"):
        lab.vary(frame.iloc[:1], roles=[("user",), roles])
    kept = lab.vary(frame.iloc[:1], roles=[("user",), tuple(dict.fromkeys(tuple(roles)))])  # type: ignore[arg-type]
    assert len(lab.sweep(small, kept.iloc[1:], "thing", amount=[1, 2])) == 2


def test_one_principal_can_be_a_dict_or_a_row_of_a_frame() -> None:
    nested = {**ANN, "tags": ["a", {"b": [1]}]}
    expected = Principal("ann", ("user", "boss"), {"limit": 5, "region": None, "tags": ["a", {"b": [1]}]})
    assert one_principal(nested) == expected
    assert one_principal(pd.Series(nested)) == expected


def test_vary_repeats_each_principal_for_every_combination() -> None:
    people = lab.vary(users(2, limit=1), region=["south", lab.MISSING], limit=[5, None])
    assert people["id"].tolist() == ["u0"] * 4 + ["u1"] * 4
    assert people["region"].tolist() == ["south", "south", lab.MISSING, lab.MISSING] * 2
    assert people["limit"].tolist() == [5, None, 5, None] * 2
    assert people.index.tolist() == list(range(8))
    assert labels(read_principals(people))[:3] == [
        "u0 limit=5 region=south",
        "u0 limit=null region=south",
        "u0 limit=5 region=MISSING",
    ]


def test_vary_accepts_any_index_and_keeps_attrs() -> None:
    both = pd.concat([users(1), users(1).assign(id="x")])  # each row has the index 0
    both.attrs["mapping"] = {"roles": "role"}
    varied = lab.vary(both, region=["south", "west"])
    assert varied["id"].tolist() == ["u0", "u0", "x", "x"]
    assert varied.attrs["mapping"] == both.attrs["mapping"]
    assert lab.vary(both, roles=[("boss",)])["roles"].tolist() == [("boss",)] * 2
    assert lab.vary(both)["id"].tolist() == ["u0", "x"]


def test_vary_refuses_other_types_than_lists_and_changing_the_id() -> None:
    with pytest.raises(lab.InputError, match="can't vary 'id'"):
        lab.vary(users(1), id=["a"])
    with pytest.raises(lab.InputError, match="region has no values"):
        lab.vary(users(1), region=[])
    for wrong in ("south", 5, {"a": 1}):
        with pytest.raises(lab.InputError, match="region needs a list of values"):
            lab.vary(users(1), region=wrong)  # type: ignore[arg-type]


def test_two_identical_rows_are_refused() -> None:
    twice = pd.DataFrame([ANN, {**ANN, "limit": 5.0}], dtype=object)
    with pytest.raises(lab.InputError, match="rows 0 and 1 are the same principal"):
        labels(read_principals(twice))


def test_what_if_people_are_swept_as_themselves(small: lab.PDP) -> None:
    people = lab.vary(users(1), roles=[("user",), ("guest",)])
    decisions = lab.sweep(small, people, "thing", actions="approve", amount=[1, 2])
    assert decisions.names == ('u0 roles=["user"]', 'u0 roles=["guest"]')
    assert decisions.allowed().all(axis=(1, 2)).tolist() == [True, False]
    assert decisions.principals.index.tolist() == list(decisions.names)


def test_two_ids_that_would_have_the_same_label_are_refused() -> None:
    people = lab.vary(pd.DataFrame({"id": ["a"], "roles": [("user",)]}), region=["south", "west"])
    other = pd.DataFrame({"id": ["a region=south"], "roles": [("user",)]})
    with pytest.raises(lab.InputError, match="'a region=south' in a table"):
        labels(read_principals(pd.concat([people, other], ignore_index=True)))


@pytest.mark.parametrize("column", ["id", "roles", "name"])
def test_a_lone_surrogate_is_refused_with_its_place(column: str) -> None:
    row = {"id": "u", "roles": ("user",), "name": "x"} | {
        column: ("\ud800",) if column == "roles" else "\ud800"
    }
    with pytest.raises(lab.InputError, match=r"row 0.*not valid Unicode"):
        read_principals(pd.DataFrame([row], dtype=object))

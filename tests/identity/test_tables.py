"""Principals from tables: CSV, Parquet, DataFrames and exports of SCIM users."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.identity.tables import ENTERPRISE, SCIM


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8")
    return file


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each principal as it is sent."""
    return [{"id": one.id, "roles": one.roles, **one.attr} for one in read_principals(frame)]


def test_the_96_people_of_the_sample_decide_the_same_from_csv(pdp: lab.PDP, tmp_path: Path) -> None:
    users = lab.load_principals("data/clerk_users.json")
    table = pd.DataFrame({"id": users["id"], "roles": users["roles"].map(";".join)})
    names = [name for name in users.columns if name not in {"id", "roles"}]
    for name in names:
        table[name] = ["" if value is lab.MISSING else json.dumps(value) for value in users[name]]
    table.to_csv(tmp_path / "people.csv", index=False)
    people = lab.principals_from_table(tmp_path / "people.csv", types=dict.fromkeys(names, "json"))
    question: dict[str, Any] = {
        "amount": lab.amounts(0, 60_000, step=2_500),
        "region": ["northeast", "south"],
        "owner": [lab.SELF, lab.OTHER],
        "status": "OPEN",
        "department": "sales",
    }
    assert rows(people) == rows(users)
    found, right = (lab.sweep(pdp, one, "expense", **question) for one in (people, users))
    assert np.array_equal(found.allowed(), right.allowed())


def test_a_csv_file_is_text_unless_every_field_is_something_else(tmp_path: Path) -> None:
    text = "id,roles,limit,code,active_flag,region,score\na,manager; employee,5000,007,true,NA,1\n"
    text += "b,,12.50,8,False,,1e5\n"
    people = lab.principals_from_table(csv(tmp_path, text))
    assert rows(people) == [
        {
            "id": "a",
            "roles": ("manager", "employee"),
            "limit": 5000,
            "code": "007",
            "active_flag": True,
            "region": "NA",
            "score": "1",
        },
        {"id": "b", "roles": ("user",), "limit": 12.5, "code": "8", "active_flag": False, "score": "1e5"},
    ]
    mapping = people.attrs["mapping"]
    assert mapping["table"] == "people.csv"
    assert mapping["attributes"]["limit"] == "limit (number)"
    assert mapping["attributes"]["code"] == "code (text)"
    problems = lab.problems(people)
    assert "no role" in set(problems["problem"])


def test_declared_types_keep_what_they_can_not_read_as_text_and_report_it(tmp_path: Path) -> None:
    text = 'id,limit,teams\na,5000,red;blue\nb,none,\nc,7000,"[""red""]"\n'
    people = lab.principals_from_table(
        csv(tmp_path, text), roles=None, types={"limit": "number", "teams": "list"}, required=["teams"]
    )
    assert people["limit"].tolist() == [5000, "none", 7000]
    assert rows(people)[0]["teams"] == ["red", "blue"]
    assert rows(people)[2]["teams"] == ["red"]
    assert "teams" not in rows(people)[1]
    problems = lab.problems(people)
    told = set(zip(problems["problem"], problems["attribute"], strict=True))
    assert ("mistyped attribute", "limit") in told
    assert ("missing attribute", "teams") in told


def test_nothing_of_a_table_is_shown_until_it_is_declared(pdp: lab.PDP, tmp_path: Path) -> None:
    people = lab.principals_from_table(csv(tmp_path, "id,roles,region\nann@x.example,manager,south\n"))
    found = lab.sweep(pdp, people, "expense", actions="approve", amount=[1], status="OPEN", region="south",
                      department="sales", owner=lab.OTHER)  # fmt: skip
    assert "ann" not in repr(found)
    assert "Not shown" in repr(found)


def test_columns_have_other_names_and_some_are_kept(tmp_path: Path) -> None:
    text = "employee,job,cost_center,phone\n17,manager,c1,555\n"
    people = lab.principals_from_table(
        csv(tmp_path, text), id="employee", roles="job", attributes={"center": "cost_center"}
    )
    assert rows(people) == [{"id": "17", "roles": ("manager",), "center": "c1"}]


def test_a_frame_and_a_parquet_file_keep_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "roles": [["manager", "manager"], None],
            "limit": [5000.5, np.nan],
            "tags": [["a"], []],
            "flag": [True, False],
        }
    )
    expected = [
        {"id": "1", "roles": ("manager",), "limit": 5000.5, "tags": ["a"], "flag": True},
        {"id": "2", "roles": ("user",), "tags": [], "flag": False},
    ]
    assert rows(lab.principals_from_table(frame)) == expected
    frame.to_parquet(tmp_path / "people.parquet")
    assert rows(lab.principals_from_table(tmp_path / "people.parquet")) == expected


def scim(*users: dict[str, Any], **more: Any) -> str:
    return json.dumps(
        {"totalResults": len(users), "Resources": [{"schemas": [SCIM], **one} for one in users], **more}
    )


def test_scim_users_have_groups_as_roles_and_the_enterprise_extension(tmp_path: Path) -> None:
    file = tmp_path / "scim.json"
    file.write_text(
        scim(
            {
                "id": "u1",
                "userName": "ann",
                "active": False,
                "groups": [{"value": "g1", "display": "managers"}],
                ENTERPRISE: {"department": "sales", "manager": {"value": "u0"}},
            },
            {"userName": "bob"},
        )
    )
    people = lab.principals_from_table(file, attributes=["department", "manager"])
    assert rows(people) == [
        {"id": "u1", "roles": ("managers",), "department": "sales", "manager": "u0"},
        {"id": "bob", "roles": ("user",)},
    ]
    problems = lab.problems(people)
    assert "inactive" in set(problems["problem"])


@pytest.mark.parametrize(
    ("name", "text", "more", "message"),
    [
        ("a.csv", "id,roles\n", {}, "no rows"),
        ("a.csv", "", {}, "can't be read"),
        ("a.csv", "id,roles\na,x\nb\n", {}, "can't be read"),
        ("a.csv", "name,roles\na,x\n", {}, "no column 'id' .the ids."),
        ("a.csv", "id,role\na,x\n", {}, "no column 'roles' .the roles.; did you mean 'role'"),
        ("a.csv", "id,roles\na,x\na,y\n", {}, "rows 1 and 2 have the same id"),
        ("a.csv", "id,roles\na,x\n,y\n", {}, "row 2 has no id"),
        ("a.csv", "id,roles,id\na,x,b\n", {}, "several columns with the same name"),
        ("a.csv", "id,roles,x\na,x,1\n", {"types": {"x": "int"}}, "must be one of text, number"),
        ("a.csv", "id,roles,x\na,x,1\n", {"types": {"y": "text"}}, "no column 'y'"),
        ("a.csv", "id,roles,x\na,x,1\n", {"attributes": ["y"]}, "no column 'y'"),
        ("a.csv", "id,roles,x\na,x,1\n", {"attributes": {"id": "x"}}, "can't set 'id'"),
        ("a.csv", "id,roles,x\na,x,1\n", {"attributes": "x"}, "a list of columns or a dict"),
        ("a.csv", "id,roles,x\na,x,1\n", {"default_roles": []}, "default_roles is empty"),
        ("a.txt", "id\n", {}, "is a .csv, .parquet, .xlsx, .json file"),
        ("a.json", "{", {}, "not JSON"),
        ("a.json", "[" * 100_000, {}, "not JSON, or deeper"),
        ("a.json", '[{"id": "user_1", "object": "user"}]', {}, "lab.load_principals"),
        ("a.json", scim({"id": "a"}, totalResults=2), {}, "1 of 2 users"),
    ],
)
def test_a_table_in_another_form_is_one_clear_error(
    tmp_path: Path, name: str, text: str, more: dict[str, Any], message: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(lab.InputError, match=message):
        lab.principals_from_table(tmp_path / name, **more)


def test_what_is_no_table_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="there is no file"):
        lab.principals_from_table(tmp_path / "no.csv")
    with pytest.raises(lab.InputError, match="a table is a DataFrame or the path"):
        lab.principals_from_table(7)  # type: ignore[arg-type]
    (tmp_path / "latin.csv").write_bytes("id,roles\nJosé,x\n".encode("latin-1"))
    with pytest.raises(lab.InputError, match="can't be read"):
        lab.principals_from_table(tmp_path / "latin.csv")
    (tmp_path / "bom.csv").write_text("\ufeffid,roles\na,x\n", encoding="utf-8")
    assert lab.principals_from_table(tmp_path / "bom.csv")["id"].tolist() == ["a"]


# -- two sources ----------------------------------------------------------------------------------


@pytest.fixture
def people() -> pd.DataFrame:
    """Three principals; the region of the first is known and shareable."""
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "roles": [("user",)] * 3,
            "email": ["a@x.example", "b@x.example", lab.MISSING],
            "region": pd.Series(["south", lab.MISSING, "west"], dtype=object),
        }
    )
    return lab.shareable(frame, "region")


def test_attributes_of_a_second_source_join_by_a_key(people: pd.DataFrame, tmp_path: Path) -> None:
    hr = csv(tmp_path, "mail,region,limit\na@x.example,north,5000\nb@x.example,east,7000\nz@x.example,,1\n")
    with pytest.warns(lab.LabWarning, match="1 row of the table belong"):
        merged = lab.merge_principals(people, hr, on=("email", "mail"))
    assert merged["id"].tolist() == ["a", "b", "c"]
    assert merged["limit"].tolist()[:2] == [5000, 7000]
    assert merged["limit"].tolist()[2] is lab.MISSING
    assert merged["region"].tolist() == ["south", "east", "west"]
    problems = lab.problems(merged)
    assert {"conflict", "no partner"} <= set(problems["problem"])
    assert "north" not in problems.to_csv()
    assert "region" not in merged.attrs["shareable"]
    with pytest.warns(lab.LabWarning):
        other = lab.merge_principals(people, hr, on=("email", "mail"), prefer="table", attributes=["region"])
    assert other["region"].tolist() == ["north", "east", "west"]
    assert "limit" not in other


def test_another_principals_frame_keeps_what_it_declared(people: pd.DataFrame) -> None:
    other = lab.shareable(
        pd.DataFrame({"id": ["a", "b", "c"], "roles": [("x",)] * 3, "team": ["r", "g", "b"]}), "team"
    )
    merged = lab.merge_principals(people, other)
    assert merged["team"].tolist() == ["r", "g", "b"]
    assert merged["roles"].tolist() == [("user",)] * 3
    assert set(merged.attrs["shareable"]) == {"region", "team"}


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("mail,x\na,1\na,2\n", {"on": ("email", "mail")}, "rows 1 and 2 of the table have the same 'mail'"),
        ("mail,x\na,1\n,2\n", {"on": ("email", "mail")}, "row 2 of the table has no 'mail'"),
        ("mail,x\na,1\n", {"on": ("e-mail", "mail")}, "no column 'e-mail'.*did you mean 'email'"),
        ("mail,x\na,1\n", {"on": ("email", "id")}, "the table has no column 'id'"),
        ("id,x\na,1\n", {"attributes": ["y"]}, "no column 'y'"),
        ("id,x\na,1\n", {"attributes": {"roles": "x"}}, "can't set 'roles'"),
        ("id,x\na,1\n", {"prefer": "left"}, "prefer must be"),
    ],
)
def test_a_second_source_in_another_form_is_one_clear_error(
    people: pd.DataFrame, tmp_path: Path, text: str, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(lab.InputError, match=message):
        lab.merge_principals(people, csv(tmp_path, text), **more)


@pytest.mark.parametrize("on", [None, ("id",), ("id", "mail", "x"), ("id", 7), ["id", "mail"]])
def test_a_key_that_is_not_one_or_two_names_is_refused(on: Any) -> None:
    people = pd.DataFrame({"id": ["a"], "roles": [("user",)]})
    with pytest.raises(lab.InputError, match="on= must be the name of a column, or two"):
        lab.merge_principals(people, pd.DataFrame({"mail": ["a"], "x": [1]}), on=on)


@pytest.mark.parametrize(("odd", "kind"), [(["a"], "a list"), ({"a": 1}, "a map"), (True, "a boolean")])
def test_a_key_that_is_no_text_or_number_matches_nobody_who_lacks_one(odd: object, kind: str) -> None:
    people = pd.DataFrame({"id": ["a"], "roles": [("user",)], "mail": [lab.MISSING]})
    table = pd.DataFrame({"mail": pd.Series([odd], dtype=object), "limit": [7]})
    with pytest.raises(lab.InputError, match=f"row 1 of the table has {kind} as 'mail'"):
        lab.merge_principals(people, table, on="mail")

"""Users become principals as the mapping says; data problems are reported, never corrected."""

import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.users import parse_users
from clerk_cerbos_lab.identity.principals import read_principals

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "clerk_users.json"
MEMBERSHIPS = ROOT / "data" / "clerk_organization_memberships.json"

Json = dict[str, Any]
USERS: list[Json] = json.loads(SAMPLE.read_text("utf-8"))
MISSING = lab.MISSING


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    """Return the principals of the sample users; no test changes them."""
    return lab.load_principals(SAMPLE)


def users(*metadata: Json, paths: tuple[str, ...] = (), **rest: Any) -> list[lab.User]:
    raw = [{"id": f"user_{n}", "public_metadata": public, **rest} for n, public in enumerate(metadata)]
    return parse_users(raw, paths=paths, where="here")


def principals(*metadata: Json, mapping: lab.Mapping | None = None, **rest: Any) -> pd.DataFrame:
    plan = mapping or lab.Mapping()
    return lab.to_principals(users(*metadata, paths=plan.paths(), **rest), plan)


def told(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return who has which problem with what."""
    report = lab.problems(frame)
    assert report.columns.tolist() == ["principal", "problem", "attribute", "detail"]
    return list(zip(report["principal"], report["problem"], report["attribute"], strict=True))


# --- roles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "roles", "problems"),
    [
        ({"role": "manager"}, ("manager",), []),
        ({"roles": ["employee", "manager"]}, ("employee", "manager"), []),
        ({"role": "manager", "roles": ["manager"]}, ("manager",), []),
        ({"role": "manager", "roles": ["admin"]}, ("manager",), ["two sources of roles"]),
        ({"role": "", "roles": ["admin"]}, ("admin",), ["empty role"]),
        ({"roles": ["employee", " ", "employee"]}, ("employee",), ["empty role", "role twice"]),
        ({"roles": "employee"}, ("employee",), ["role in the other form"]),
        ({"roles": ["employee", 7]}, ("user",), ["mistyped role", "no role"]),
        ({"role": {"name": "admin"}}, ("user",), ["mistyped role", "no role"]),
        ({}, ("user",), ["no role"]),
    ],
)
def test_the_first_usable_roles_are_used_and_problems_are_reported(
    public: Json, roles: tuple[str, ...], problems: list[str]
) -> None:
    frame = principals(public)
    assert frame["roles"].tolist() == [roles]
    assert [problem for _, problem, _ in told(frame)] == problems


def test_the_default_roles_are_the_mappings() -> None:
    assert principals({}, mapping=lab.Mapping(default_roles=("guest", "reader")))["roles"].tolist() == [
        ("guest", "reader")
    ]


def test_roles_come_from_any_path_and_in_either_type() -> None:
    mapping = lab.Mapping(roles=("private_metadata.auth.groups", "public_metadata.team.role"))
    frame = principals({"team": {"role": "lead"}, "role": "admin"}, mapping=mapping)
    assert frame["roles"].tolist() == [("lead",)]
    assert frame["role"].tolist() == ["admin"]  # no role path: an attribute like any other
    frame = principals({}, mapping=mapping, private_metadata={"auth": {"groups": ["a", "b"]}})
    assert frame["roles"].tolist() == [("a", "b")]
    assert told(frame) == []


def test_organization_roles_are_added_to_the_others() -> None:
    mapping = lab.Mapping(organization_roles=True)
    frame = lab.load_principals(SAMPLE, mapping=mapping, memberships=MEMBERSHIPS).set_index("id")
    membership = json.loads(MEMBERSHIPS.read_text("utf-8"))["data"][0]
    roles = frame.loc[membership["public_user_data"]["user_id"], "roles"]
    assert isinstance(roles, tuple)
    assert roles[0] in {"user", "employee", "manager", "finance", "admin"}
    assert membership["role"] in roles[1:]
    plain = lab.load_principals(SAMPLE)["roles"]
    assert not any(role.startswith("org:") for roles in plain for role in roles)


def test_a_role_from_two_places_is_used_once_and_reported_and_no_user_is_lost() -> None:
    mapping = lab.Mapping(organization_roles=True, default_roles=("guest",))
    raw = [
        {"id": "both", "public_metadata": {"roles": ["org:admin", "manager"]}},
        {"id": "default", "public_metadata": {}},
        {"id": "apart", "public_metadata": {"role": "manager"}},
    ]
    roles = {"both": ("org:member", "org:admin"), "default": ("guest",), "apart": ("org:admin",)}
    people = parse_users(raw, paths=mapping.paths(), organization_roles=roles, where="here")
    frame = lab.to_principals(people, mapping)
    assert frame["roles"].tolist() == [
        ("org:admin", "manager", "org:member"),
        ("guest",),
        ("manager", "org:admin"),
    ]
    assert len(read_principals(frame)) == 3
    report = lab.problems(frame)
    assert report[report["problem"] == "role twice"].to_dict("records") == [
        {
            "principal": own,
            "problem": "role twice",
            "attribute": "roles",
            "detail": f"{role} also from an organization: used once",
        }
        for own, role in (("both", "org:admin"), ("default", "guest"))
    ]


# --- attributes ---------------------------------------------------------------------------------


def test_every_other_key_of_the_public_metadata_becomes_an_attribute() -> None:
    value = {"a": [1, None, {"b": True}]}
    frame = principals({"role": "manager", "region": "south", "x": value}, {"roles": ["user"], "limit": 0})
    assert frame.columns.tolist() == ["id", "roles", "region", "x", "limit"]
    assert frame["x"].tolist() == [value, MISSING]
    assert frame["limit"].tolist() == [MISSING, 0]
    assert [person.attr for person in read_principals(frame)] == [
        {"region": "south", "x": value},
        {"limit": 0},
    ]


def test_the_mapping_may_name_the_keys_to_use() -> None:
    public = {"role": "manager", "region": "south", "limit": 7}
    chosen = principals(public, mapping=lab.Mapping(metadata=("limit", "role", "other")))
    assert chosen.drop(columns=["id", "roles"]).to_dict("records") == [{"limit": 7, "role": "manager"}]
    assert principals(public, mapping=lab.Mapping(metadata=())).columns.tolist() == ["id", "roles"]


def test_profile_fields_are_loaded_only_if_named() -> None:
    person = USERS[0]
    fields = {
        "name": "first_name",
        "email": "primary_email_address",
        "staff": "private_metadata.employee_number",
    }
    frame = lab.load_principals(SAMPLE, mapping=lab.Mapping(profile=fields))
    emails = {email["id"]: email["email_address"] for email in person["email_addresses"]}
    expected = [person["first_name"], emails[person["primary_email_address_id"]], "E-10000"]
    assert frame[[*fields]].to_numpy().tolist()[0] == expected
    assert not {*fields} & {*lab.load_principals(SAMPLE).columns}


def test_no_personal_value_is_in_the_principals_or_the_report_unless_requested(sample: pd.DataFrame) -> None:
    text = f"{sample.to_dict()} {sample.attrs} {lab.problems(sample).to_dict()}"
    for person in USERS:
        email = person["email_addresses"][0]["email_address"] if person["email_addresses"] else "@"
        held = [email, person["private_metadata"]["employee_number"], person["image_url"], person["username"]]
        assert not [value for value in held if value and value in text]


def test_a_reserved_name_is_not_an_attribute_and_can_be_renamed() -> None:
    frame = principals({"role": "admin", "id": "user_boss"})
    assert (frame["id"].tolist(), told(frame)) == (["user_0"], [("user_0", "name taken", "id")])
    renamed = lab.Mapping(profile={"boss": "public_metadata.id"})
    assert principals({"role": "admin", "id": "user_boss"}, mapping=renamed)["boss"].tolist() == ["user_boss"]


@pytest.mark.parametrize("value", [10**400, 2**53 + 1, "\ud800", {"\ud800": 1}, float("inf")])
def test_a_value_that_cerbos_cannot_receive_is_left_out_and_reported(value: object) -> None:
    frame = principals({"role": "admin", "x": value, "y": 1}, {"role": "admin", "x": 1, "y": 1})
    assert frame["x"].tolist()[0] is MISSING
    assert told(frame)[0] == ("user_0", "can't be sent", "x")


def test_a_value_that_is_nested_too_deeply_is_left_out_and_reported() -> None:
    deep: list[Any] = []
    for _ in range(700):
        deep = [deep]
    assert told(principals({"role": "admin", "x": deep})) == [("user_0", "can't be sent", "x")]


def test_an_attribute_without_a_name_is_left_out_and_reported() -> None:
    frame = principals({"role": "admin", "": 1})
    assert told(frame) == [("user_0", "can't be sent", "")]
    assert read_principals(frame)[0].attr == {}


def test_no_users_give_a_frame_without_rows() -> None:
    assert lab.to_principals([]).columns.tolist() == ["id", "roles"]
    assert told(lab.to_principals([])) == []


# --- the mapping itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts", [{"roles": ("unsafe_metadata.role",)}, {"profile": {"theme": "unsafe_metadata.theme"}}]
)
def test_unsafe_metadata_is_read_only_if_named_and_then_warns_at_the_callers_line(parts: Json) -> None:
    with pytest.warns(lab.LabWarning, match="users can write their own") as caught:
        mapping = lab.Mapping(**parts)
    assert caught[0].filename == __file__
    frame = lab.load_principals(SAMPLE, mapping=mapping)
    own_words = frame["roles"].tolist()[77] if "roles" in parts else frame["theme"].tolist()[77]
    assert own_words in (("admin",), "dark")


def test_metadata_that_users_can_write_is_never_read_by_default(sample: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample["roles"].tolist()[74] == ("user",)
        assert sample["roles"].tolist()[77] == ("employee",)
    assert "theme" not in sample


@pytest.mark.parametrize(
    "parts",
    [
        *(
            {"roles": "public_metadata.role"},
            {"roles": (7,)},
            {"roles": ("",)},
            {"roles": None},
            {"roles": {"a": 1}},
        ),
        *(
            {"default_roles": ()},
            {"default_roles": "user"},
            {"default_roles": ("user", "user")},
            {"metadata": "region"},
            {"metadata": None},
        ),
        *(
            {"profile": {"id": "username"}},
            {"profile": {"": "a"}},
            {"profile": {"a": ""}},
            {"profile": {"a": 7}},
        ),
        *({"profile": ["username"]}, {"profile": None}),
    ],
)
def test_a_malformed_mapping_is_refused_and_the_part_is_named(parts: Json) -> None:
    with pytest.raises(lab.InputError, match=rf"Mapping\.{next(iter(parts))}"):
        lab.Mapping(**parts)


def test_a_mapping_shows_how_users_become_principals() -> None:
    mapping = lab.Mapping(metadata=("region",), profile={"<b>": "username"}, organization_roles=True)
    lines = repr(mapping).splitlines()
    assert [line.split("←")[0].strip() for line in lines] == [
        *("provider", "id", "roles", "organization roles", "attributes", "attribute <b>")
    ]
    html = mapping._repr_html_()
    assert "attribute &lt;b&gt;" in html
    assert "<b>" not in html
    assert "every other key of public_metadata" in repr(lab.Mapping())


def test_an_attribute_that_is_required_is_reported_for_everybody_without_it() -> None:
    mapping = lab.Mapping(required=("region", "team"))
    assert repr(mapping).splitlines()[-1].split("←")[1].strip() == "region, team"
    raw = [{"id": f"u{i}", "public_metadata": {"region": "south"} if i else {}} for i in range(3)]
    users = parse_users(raw, paths=mapping.paths(), where="here")
    report = lab.problems(lab.to_principals(users, mapping))
    missing = report[report["problem"] == "missing attribute"]
    assert missing[["principal", "attribute"]].values.tolist() == [
        *(["u0", "region"], ["u0", "team"], ["u1", "team"], ["u2", "team"])
    ]
    assert set(missing["detail"]) == {"the mapping requires it"}


# --- MISSING and what-if people -----------------------------------------------------------------


def test_missing_is_one_object_that_pandas_treats_as_missing_and_not_null() -> None:
    for twin in (copy.copy(MISSING), copy.deepcopy([MISSING])[0], pickle.loads(pickle.dumps(MISSING))):
        assert twin is MISSING
    assert pd.isna(MISSING)
    assert MISSING is not None
    assert repr(MISSING) == str(MISSING) == f"{MISSING}" == "MISSING"
    frame = principals({"role": "user", "a": None}, {"role": "user"})
    assert frame["a"].tolist() == [None, MISSING]
    assert frame["a"].isna().tolist() == [True, True]
    assert [person.attr for person in read_principals(frame)] == [{"a": None}, {}]


def test_missing_stays_itself_in_frames_that_are_copied_joined_or_pickled(sample: pd.DataFrame) -> None:
    gap = sample["approval_limit"].tolist().index(MISSING)
    frames = [sample.copy(), copy.deepcopy(sample), pickle.loads(pickle.dumps(sample)), pd.concat([sample])]
    assert all(frame["approval_limit"].tolist()[gap] is MISSING for frame in frames)


def test_what_if_people_are_every_combination_with_the_first_name_slowest(sample: pd.DataFrame) -> None:
    one = sample.iloc[[0]]
    varied = lab.vary(one, region=["south", MISSING], approval_limit=[None, 5], roles=[("manager",)])
    assert varied["id"].tolist() == one["id"].tolist() * 4
    assert varied["region"].tolist() == ["south", "south", MISSING, MISSING]
    assert varied["approval_limit"].tolist() == [None, 5, None, 5]
    assert varied["roles"].tolist() == [("manager",)] * 4
    assert [sorted(person.attr) for person in read_principals(varied)][2] == ["approval_limit", "department"]


def test_what_if_people_can_come_from_joined_frames(sample: pd.DataFrame) -> None:
    joined = pd.concat([sample.head(1), sample.tail(1).reset_index(drop=True)])
    ids = [own for own in joined["id"] for _ in range(2)]
    assert lab.vary(joined, level=[1, 2])["id"].tolist() == ids


@pytest.mark.parametrize("attributes", [{"id": ["a"]}, {"region": "south"}, {"region": []}, {"region": 7}])
def test_what_cannot_be_varied_is_refused(attributes: Json, sample: pd.DataFrame) -> None:
    with pytest.raises(lab.InputError, match=r"lab\.vary"):
        lab.vary(sample, **attributes)

"""Files of Clerk users: every format reads the same, and unreadable ones are reported with the line."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.users import membership_roles, parse_users
from clerk_cerbos_lab.identity.user_files import UserFile

DATA = Path(__file__).parents[2] / "data"
SAMPLE = DATA / "clerk_users.json"
MEMBERSHIPS = DATA / "clerk_organization_memberships.json"

Json = dict[str, Any]
USERS: list[Json] = json.loads(SAMPLE.read_text("utf-8"))
ANN: Json = {"id": "user_ann", "public_metadata": {"role": "manager", "region": "south"}}
BEN: Json = {"id": "user_ben", "public_metadata": {"role": "employee", "town": "Åre\u2028\x85\x0b"}}
ORGANIZATIONS = lab.Mapping(organization_roles=True)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "users.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def page(users: list[Json], **options: Any) -> str:
    return json.dumps({"data": users, "total_count": len(users)}, ensure_ascii=False, **options)


def lines(users: list[Json], end: str = "\n") -> str:
    """Return one user per line."""
    return "".join(json.dumps(user, ensure_ascii=False) + end for user in users)


# --- forms --------------------------------------------------------------------------------------

TWO = [ANN, BEN]
FORMS = {
    "array": json.dumps(TWO, ensure_ascii=False),
    "indented array": json.dumps(TWO, indent=2),
    "page": page(TWO),
    "indented page": page(TWO, indent="\t"),
    "one a line": lines(TWO),
    "one a line, with CR": lines(TWO, "\r"),
    "one a line, with CRLF": lines(TWO, "\r\n"),
    "one a line, with empty lines": "\n \n" + lines(TWO, "\n\n\t\n"),
    "one a line, without the last end": lines(TWO).rstrip("\n"),
    "with a byte order mark": "\ufeff" + lines(TWO),
    "array with a byte order mark": "\ufeff" + json.dumps(TWO),
    "array with space around it": "\n\n  " + json.dumps(TWO) + " \n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_file_format_contains_the_same_users(form: str, tmp_path: Path) -> None:
    users = lab.load_users(write(tmp_path, FORMS[form]))
    assert [(user.id, user.public_metadata) for user in users] == [
        (raw["id"], raw["public_metadata"]) for raw in TWO
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_user_may_be_the_whole_file(indent: int | None, tmp_path: Path) -> None:
    assert lab.load_users(str(write(tmp_path, json.dumps(ANN, indent=indent))))[0].id == "user_ann"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PEOPLE: st.SearchStrategy[list[Json]] = st.lists(
    st.fixed_dictionaries(
        {"id": st.text(min_size=1)},
        optional={
            "public_metadata": st.dictionaries(st.text(), JSON, max_size=4),
            "data": JSON,
            "username": JSON,
        },
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda user: str(user["id"]),
)
INDENTS = st.sampled_from([None, 0, 2])


@given(people=PEOPLE, form=st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": INDENTS}))
@settings(max_examples=150, deadline=None)
def test_any_users_are_read_identically_from_each_format(
    people: list[Json], form: Json, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("users")
    mapping = lab.Mapping(profile={"name": "username"})
    contents = [
        json.dumps(people, **form),
        json.dumps({"data": people}, **form),
        "\n".join(json.dumps(user, ensure_ascii=form["ensure_ascii"]) for user in people),
    ]
    read = [lab.load_users(write(folder, content), mapping=mapping) for content in contents]
    assert read[0] == read[1] == read[2]
    for user, raw in zip(read[0], people, strict=True):
        assert (user.id, user.public_metadata, user.odd) == (raw["id"], raw.get("public_metadata", {}), ())
        assert user.fields == ({"username": raw["username"]} if "username" in raw else {})


def test_the_sample_file_contains_96_users_in_order() -> None:
    assert [user.id for user in lab.load_users(SAMPLE)] == [raw["id"] for raw in USERS]


# --- what can't be read -------------------------------------------------------------------------

DEEP = "[" * 100_000
DIGITS = "7" * 5000
SECOND = json.dumps(ANN) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": the file is empty"),
        (b"\xef\xbb\xbf", ": the file is empty"),
        (b" \n\t\r\n", ": the file is empty"),
        (b"[]", ": contains no users"),
        (b'{"data": []}', ": contains no users"),
        ('[\n{"id": "a"},\n{nope}\n]', ", line 3, column 2: not JSON: Expecting property name"),
        (SECOND + "\n" + '{"id": }\n' + SECOND, ", line 3, column 8: not JSON: Expecting value"),
        ('{"id": "user_b\n' + SECOND, ", line 1, column 15: not JSON"),
        ('{"id": user_b}\n' + SECOND, ", line 1, column 8: not JSON"),
        (SECOND + "user_ben,manager", ", line 2, column 1: not JSON"),
        ("id,role\nuser_ann,manager", ", line 1, column 1: not JSON"),
        ("<html></html>", ", line 1, column 1: not JSON"),
        (SECOND + '{"id": "user_ben"', ", line 2, column "),
        ('[{"id": "a", "b": 1\n}, {"id": "b", "x": NaN}]', ", line 2: NaN is not JSON"),
        ('[{"id": "NaN",\n"b": "say \\"NaN\\" ",\n"x": NaN}]', ", line 3: NaN is not JSON"),
        (SECOND + '{"id": "a", "x": -Infinity}', ", line 2: -Infinity is not JSON"),
        (SECOND * 2 + '{"id": "a", "x": Infinity}', ", line 3: Infinity is not JSON"),
        ('{"id": "a", "id": "b"}', ", line 1: an object has the key 'id' twice"),
        (SECOND + '{"id": "a", "m": {"k": 1, "k": 2}}', ", line 2: an object has the key 'k' twice"),
        ('[\n{"id": "a", "m": {"k": 1, "k": 2}}]', ", line 2: an object has the key 'k' twice"),
        (b'[{"id": "a"},\n{"id": "\xff"}]', ", line 2: not UTF-8"),
        ('[{"id": "a"}]'.encode("utf-16"), " is UTF-16 or UTF-32, not UTF-8"),
        (DEEP, ": the JSON is nested too deeply"),
        ('{"id":' + DEEP, ": the JSON is nested too deeply"),
        (SECOND + '{"id":' + DEEP, ": the JSON is nested too deeply"),
        ('[{"id": "a", "n": ' + DIGITS + "}]", ": a number has more digits than Python can read"),
        ('{"id": "a", "n": ' + DIGITS + "}", ": a number has more digits than Python can read"),
        (b"7", ": contains a number, not Clerk users"),
        (b'"user_ann"', ": contains a string, not Clerk users"),
        (b"null", ": contains null, not Clerk users"),
        (b'{"users": {}}', ": contains a map, not Clerk users"),
        (b'{"data": {}}', ": contains a map, not Clerk users"),
        (b'[{"id": "a"}, 7]', ": user 1 is a number, not an object"),
        (b'[[{"id": "a"}]]', ": user 0 is a list, not an object"),
        (b'{"id": "a"}\n[1]', ": user 1 is a list, not an object"),
        (b'[{"id": "a"}, {"name": "Bo"}]', ": user 1 has no 'id'"),
        (b'[{"id": ""}]', ": user 0 has no 'id'"),
        (b'[{"id": 7}]', ": user 0 has no 'id'"),
        (b'[{"id": "user_\\ud800"}]', ": user 0 has no 'id'"),
    ],
)
def test_a_file_that_is_not_a_list_of_users_is_reported_with_name_and_line(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(lab.UsersError) as caught:
        lab.load_users(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert caught.value.__cause__ is None


def test_no_message_contains_data_of_the_file(tmp_path: Path) -> None:
    email = "zoe@example.com"
    for broken in (
        '{"id": "u", "m": %s}',
        '[{"id": 7, "m": %s}]',
        '{"id": %s',
        "[%s]",
        '{"id": "u", "id": %s}',
    ):
        with pytest.raises(lab.UsersError) as caught:
            lab.load_users(write(tmp_path, broken % f'"{email}"' + ("NaN" if broken.endswith("}") else "")))
        assert email not in str(caught.value)


@pytest.mark.parametrize(("name", "reason"), [("none.json", "No such file"), (".", "Is a directory")])
def test_a_path_that_cannot_be_read_is_named_with_the_reason(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(lab.UsersError, match=reason) as caught:
        lab.load_users(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


# --- a user who occurs twice --------------------------------------------------------------------

OTHER_ANN = {**ANN, "public_metadata": {"role": "admin"}}


@pytest.mark.parametrize(
    ("copies", "note"),
    [
        ([ANN], None),
        ([ANN, ANN], "occurs twice in the file, identical"),
        ([ANN, ANN, ANN], "occurs 3 times in the file, identical"),
        ([ANN, OTHER_ANN], "occurs twice in the file, not identical: the first one is used"),
        ([ANN, ANN, OTHER_ANN], "occurs 3 times in the file, not identical: the first one is used"),
    ],
)
def test_a_user_who_occurs_more_than_once_counts_once_and_says_so(
    copies: list[Json], note: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path, json.dumps([copies[0], BEN, *copies[1:]]))
    users = lab.load_users(path)
    assert [user.id for user in users] == ["user_ann", "user_ben"]
    assert users[0].public_metadata["role"] == "manager"
    assert users[0].odd == (() if note is None else (note,))
    assert lab.problems(lab.load_principals(path))["detail"].tolist().count(note) == (note is not None)


# --- what is kept of a user ---------------------------------------------------------------------


def test_only_the_parts_of_a_user_that_the_mapping_names_are_kept() -> None:
    user = lab.load_users(SAMPLE)[0]
    assert user.model_dump() == {
        "id": USERS[0]["id"],
        "public_metadata": USERS[0]["public_metadata"],
        "banned": False,
        "locked": False,
        "fields": {},
        "organization_roles": (),
        "odd": (),
    }


def test_a_user_shows_only_the_id() -> None:
    user = lab.load_users(SAMPLE)[0]
    assert repr(user) == str(user) == f"{user}" == f"User({user.id})"
    assert repr([user]) == f"[User({user.id})]"


def test_a_user_is_frozen_and_can_be_copied_and_pickled() -> None:
    user = lab.load_users(SAMPLE)[0]
    with pytest.raises(ValidationError):
        user.id = "user_other"  # type: ignore[misc] # that is the point
    assert pickle.loads(pickle.dumps(user)) == copy.deepcopy(user) == user


def parse(entry: Json, *paths: str) -> lab.User:
    return parse_users([{"id": "user_1", **entry}], paths=paths, where="here")[0]


def test_fields_are_kept_by_the_path_that_the_mapping_names() -> None:
    entry = {"username": None, "private_metadata": {"level": {"now": 3}}, "first_name": "Zoë"}
    paths = (
        "username",
        "private_metadata.level.now",
        "last_name",
        "private_metadata.level.now.then",
        "first_name.x",
    )
    assert parse(entry, *paths).fields == {"username": None, "private_metadata.level.now": 3}


@pytest.mark.parametrize(
    ("addresses", "fields"),
    [
        (
            [{"id": "b", "email_address": "b@x"}, {"id": "a", "email_address": "a@x"}],
            {"primary_email_address": "a@x"},
        ),
        ([{"id": "b", "email_address": "b@x"}], {}),
        ([{"id": "a"}, 7, None], {}),
        *(([], {}), (None, {}), (7, {}), (True, {}), ("a", {}), ({"id": "a"}, {})),
    ],
)
def test_the_primary_email_is_the_one_that_clerk_designates(addresses: object, fields: Json) -> None:
    entry = {"primary_email_address_id": "a", "email_addresses": addresses}
    assert parse(entry, "primary_email_address").fields == fields


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ({"public_metadata": ["manager"]}, "public_metadata is a list, not a map: treated as empty"),
        ({"public_metadata": "manager"}, "public_metadata is a string, not a map: treated as empty"),
        ({"banned": "yes"}, "banned is a string, not true or false: treated as false"),
        ({"locked": None}, "locked is null, not true or false: treated as false"),
        ({"public_metadata": {"\ud800": 1}}, "public_metadata has a key with a lone surrogate"),
    ],
)
def test_data_that_does_not_match_clerks_description_is_noted_and_loaded(entry: Json, note: str) -> None:
    user = parse(entry)
    assert [odd.startswith(note) for odd in user.odd] == [True]
    assert (user.public_metadata, user.banned, user.locked) == ({}, False, False)


@pytest.mark.parametrize("entry", [{}, {"public_metadata": None}])
def test_a_user_without_metadata_is_not_a_problem(entry: Json) -> None:
    assert (parse(entry).public_metadata, parse(entry).odd) == ({}, ())


# --- memberships --------------------------------------------------------------------------------


def test_memberships_from_a_file_give_the_organization_roles() -> None:
    users = lab.load_users(SAMPLE, mapping=ORGANIZATIONS, memberships=MEMBERSHIPS)
    assert {
        user.id: user.organization_roles for user in users if user.organization_roles
    } == membership_roles(UserFile(MEMBERSHIPS, "Clerk memberships"), "")


def test_a_role_in_two_organizations_counts_once() -> None:
    held = [("org:admin", "a"), ("org:member", "a"), ("org:admin", "a"), ("org:member", "b")]
    memberships = [{"role": role, "public_user_data": {"user_id": own}} for role, own in held]
    assert membership_roles(memberships, "") == {"a": ("org:admin", "org:member"), "b": ("org:member",)}


@pytest.mark.parametrize(
    "odd", [7, None, {}, {"role": "org:admin"}, {"role": 7, "public_user_data": {"user_id": "a"}}]
)
def test_what_is_no_membership_is_an_error_with_its_place(odd: object) -> None:
    good = {"role": "org:admin", "public_user_data": {"user_id": "a"}}
    with pytest.raises(lab.UsersError, match=r"some\.json should contain .*, and entry 1 is something else"):
        membership_roles([good, odd], "some.json")


def test_a_membership_of_nobody_gives_nobody_a_role() -> None:
    assert membership_roles([{"role": "org:admin", "public_user_data": None}], "some.json") == {}


def test_memberships_are_required_if_the_mapping_reads_them_and_refused_if_not(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="pass the file of memberships too"):
        lab.load_users(SAMPLE, mapping=ORGANIZATIONS)
    with pytest.raises(lab.InputError, match="organization_roles=True"):
        lab.load_users(SAMPLE, memberships=MEMBERSHIPS)
    with pytest.raises(lab.UsersError, match="should contain organization memberships"):
        lab.load_users(SAMPLE, mapping=ORGANIZATIONS, memberships=SAMPLE)
    nobody = lab.load_users(SAMPLE, mapping=ORGANIZATIONS, memberships=write(tmp_path, "[]"))
    assert {user.organization_roles for user in nobody} == {()}

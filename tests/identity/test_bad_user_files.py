"""A file that is not what it should be is one clear error, which says what it looks like, or a report."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from provider_cases import DATA, sample

import clerk_cerbos_lab as lab

Json = dict[str, Any]
of = lab.Mapping.of

USERS = {
    "clerk": sample("clerk_users"),
    "auth0": sample("auth0_users"),
    "okta": sample("okta_users"),
    "workos": sample("workos_users"),
    "workos-directory": sample("workos_directory_users"),
}

PLAIN = {
    "clerk": of("clerk"),
    "auth0": of("auth0", roles=("app_metadata.role",), metadata="*", profile={}),
    "okta": of("okta", roles=("profile.role",), metadata=("region",)),
    "workos": of("workos", metadata="*", profile={}),
    "workos-directory": of("workos-directory"),
}

ID = {provider: "user_id" if provider == "auth0" else "id" for provider in USERS}


def write(folder: Path, content: str | bytes, name: str = "users.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def message_of(path: Path, **options: Any) -> str:
    with pytest.raises(lab.UsersError) as caught:
        lab.load_principals(path, **options)
    assert caught.value.__cause__ is None
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


# --- whose file it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["array", "lines", "pages", "gzip"])
@pytest.mark.parametrize("provider", USERS)
def test_a_file_is_recognised_in_every_form(provider: str, form: str, tmp_path: Path) -> None:
    users = USERS[provider]
    contents: dict[str, str | bytes] = {
        "array": json.dumps(users, indent=1),
        "lines": "".join(json.dumps(user) + "\n" for user in users),
        "pages": json.dumps({"data": users}),
        "gzip": gzip.compress("".join(json.dumps(user) + "\n" for user in users).encode()),
    }
    path = write(tmp_path, contents[form])
    mapping = None if provider in {"clerk", "workos-directory"} else PLAIN[provider]
    frame = lab.load_principals(path, mapping=mapping)
    assert frame["id"].tolist() == [user[ID[provider]] for user in users]
    assert frame.attrs["mapping"]["provider"] == provider


@pytest.mark.parametrize("provider", USERS)
@pytest.mark.parametrize("other", USERS)
def test_a_file_of_another_provider_than_named_says_whose_it_looks_like(
    provider: str, other: str, tmp_path: Path
) -> None:
    if provider == other:
        return
    path = write(tmp_path, json.dumps(USERS[other]))
    message = message_of(path, provider=provider, mapping=PLAIN[provider])
    assert f"provider='{other}'" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"name": "Zoe", "mail": "zoe@example.com"}], "objects with the keys name, mail"),
        ([{"zoe@example.com": 1}], "objects with unusual keys"),
        ([7], "a number"),
        ([None], "null"),
        ([["user_1"]], "a string"),
        ({"data": [{"id": "1", "name": "x"}]}, "objects with the keys id, name"),
        ([{"id": "1"}], "objects with the keys id"),
        (
            [{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "1", "userName": "zoe"}],
            r"SCIM users, which lab\.principals_from_table reads",
        ),
        (sample("clerk_organization_memberships"), "organization memberships"),
        (sample("workos_organization_memberships"), "organization memberships"),
        (sample("okta_groups"), "Okta's groups"),
        (sample("auth0_roles"), "roles or groups with their users"),
    ],
)
def test_a_file_of_no_provider_says_what_it_looks_like(content: object, words: str, tmp_path: Path) -> None:
    message = message_of(write(tmp_path, json.dumps(content)))
    assert words.replace("\\", "") in message
    assert "Zoe" not in message
    assert "example.com" not in message


@pytest.mark.parametrize("name", ["users.csv", "users.tsv", "users.TXT"])
def test_a_table_is_said_to_be_one(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, "id;email;role\n1;zoe@example.com;manager\n", name)
    assert message_of(path) == f"{path} is not JSON: lab.principals_from_table reads a table"


def test_one_odd_user_in_the_middle_is_found(tmp_path: Path) -> None:
    users = [*USERS["okta"][:5], USERS["clerk"][0]]
    message = message_of(write(tmp_path, json.dumps(users)), mapping=PLAIN["okta"])
    assert "user 5 is not one of Okta; it looks like users of Clerk" in message


def test_a_mapping_for_another_provider_than_named_is_refused() -> None:
    with pytest.raises(lab.InputError, match=r"start from lab\.Mapping\.of\('okta'\)"):
        lab.load_principals(DATA / "okta_users.json", provider="okta", mapping=of("auth0"))
    with pytest.raises(lab.InputError, match="no provider 'oktta'; did you mean 'okta'"):
        lab.load_principals(DATA / "okta_users.json", provider="oktta")  # type: ignore[arg-type] # that is it


# --- what is in it ------------------------------------------------------------------------------

OKTA = json.dumps(USERS["okta"])
LINE = json.dumps(USERS["okta"][0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf \n", "the file is empty"),
        (b"[]", "contains no users"),
        (b'{"data": [], "list_metadata": {"after": null}}', "contains no users"),
        (OKTA[:-1], "not JSON: Expecting"),
        (OKTA[:1000], "not JSON"),
        (OKTA + "x", "not JSON"),
        (LINE + "\n" + LINE[:-9], "line 2, column"),
        (LINE.replace('"id"', "id"), "not JSON"),
        (f"[{LINE},]", "not JSON"),
        (f"[{LINE} {LINE}]", "not JSON: Expecting ',' delimiter"),
        (f'{{"data": [{LINE}], "data": []}}', "the key 'data' twice"),
        (f'[{LINE[:-1]}, "n": NaN}}]', "NaN is not JSON"),
        (f'[{LINE[:-1]}, "n": {"7" * 5000}}}]', "more digits than Python can read"),
        ("[" * 100_000, "nested too deeply"),
        (f'[{LINE[:-1]}, "n": {"[" * 100_000}', "nested too deeply"),
        (OKTA.encode("utf-16"), "is UTF-16 or UTF-32, not UTF-8: save it as UTF-8"),
        (b"PK\x03\x04\x14\x00", "is a zip archive or an Excel file: unpack it"),
        (b"PAR1\x15\x00", "is a Parquet file, not JSON"),
        (OKTA.encode("utf-32"), "not UTF-8"),
        (f'[{LINE[:-1]}, "n": "Zoë"}}]'.encode("latin-1"), "not UTF-8"),
        (b"\x00\x01\x02", "not JSON"),
        (gzip.compress(OKTA.encode())[:-20], "damaged or cut off"),
        (gzip.compress(OKTA.encode())[:30] + b"xx" * 40, "damaged or cut off"),
        (b"\x1f\x8bnonsense", "damaged or cut off"),
        (f'{{"users": [{LINE}], "total": 40, "start": 0}}', "contains 1 of 40 users"),
        (f'{{"data": [{LINE}], "total_count": 7}}', "contains 1 of 7 users"),
        (f'{{"data": [{LINE}], "list_metadata": {{"before": null, "after": "x"}}}}', "says that more follow"),
        (b'{"error": "invalid_token"}', "contains a map"),
        (b'"text"', "contains a string"),
        (b"id,name\n1,Zoe", "not JSON"),
        (b"<html><body>Sign in</body></html>", "not JSON"),
        (f"[{LINE}, 7]", "user 1 is a number, not an object"),
        (f'[{LINE}, {{"profile": {{}}}}]', "user 1 has no 'id'"),
        (f'[{LINE}, {{"id": "", "profile": {{}}}}]', "user 1 has no 'id'"),
        (f'[{LINE}, {{"id": 7, "profile": {{}}}}]', "user 1 has no 'id'"),
        (f'[{LINE}, {{"id": "\\ud800", "profile": {{}}}}]', "user 1 has no 'id'"),
    ],
)
def test_a_file_that_is_broken_is_one_clear_error(content: str | bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    assert words in message_of(path, mapping=PLAIN["okta"])
    assert words.split(":", maxsplit=1)[0] in message_of(path) or "looks like" in message_of(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "SUSPENDED"}, "suspended"),
        ({"status": "DEPROVISIONED"}, "deprovisioned"),
        ({"status": "AWAY"}, "not as Okta describes a user"),
        ({"status": ["ACTIVE"]}, "not as Okta describes a user"),
        ({"profile": {"role": "manager", "region": "\ud800"}}, "can't be sent"),
        ({"profile": {"role": "manager", "region": 10**30}}, "can't be sent"),
        ({"profile": {"role": "manager,admin"}}, "role in the other form"),
        ({"profile": {"role": '["manager"]'}}, "role in the other form"),
        ({"profile": {"role": 7}}, "mistyped role"),
        ({"profile": {"role": ["manager", None]}}, "mistyped role"),
        ({"profile": {"role": ["manager", "manager"]}}, "role twice"),
        ({"profile": {"role": ""}}, "empty role"),
        ({"profile": {}}, "no role"),
    ],
)
def test_odd_data_of_one_person_is_reported_and_nobody_is_left_out(
    change: Json, problem: str | None, tmp_path: Path
) -> None:
    first = {**USERS["okta"][0], "profile": {"role": "manager", "region": "south"}}
    path = write(tmp_path, json.dumps([{**first, **change}]))
    frame = lab.load_principals(path, mapping=PLAIN["okta"])
    assert len(frame) == 1
    assert problem in {None, *lab.problems(frame)["problem"]}


@pytest.mark.parametrize("provider", USERS)
def test_somebody_who_occurs_twice_counts_once_and_the_report_says_so(provider: str, tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps([USERS[provider][0], USERS[provider][1], USERS[provider][0]]))
    frame = lab.load_principals(path, mapping=PLAIN[provider])
    assert len(frame) == 2
    assert "occurs twice in the file, identical" in lab.problems(frame)["detail"].tolist()


def test_arrays_of_several_pages_are_one_list(tmp_path: Path) -> None:
    users = USERS["okta"]
    pages = [users[:40], users[40:80], users[80:]]
    after_each_other = "\n".join(json.dumps(page) for page in pages)
    for content in (after_each_other, json.dumps(pages)):
        frame = lab.load_principals(write(tmp_path, content), mapping=PLAIN["okta"])
        assert frame["id"].tolist() == [user["id"] for user in users]


def test_pages_of_a_list_after_each_other_or_in_an_array_are_one_list(tmp_path: Path) -> None:
    users = USERS["workos"]
    first = {"data": users[:50], "list_metadata": {"before": None, "after": users[49]["id"]}}
    second = {"data": users[50:], "list_metadata": {"before": users[50]["id"], "after": None}}
    for content in (json.dumps(first) + "\n" + json.dumps(second), json.dumps([first, second])):
        assert len(lab.load_principals(write(tmp_path, content), mapping=PLAIN["workos"])) == 96
    for content in (json.dumps(first), json.dumps([first])):
        assert "more follow" in message_of(write(tmp_path, content), mapping=PLAIN["workos"])


@pytest.mark.parametrize("count", [3, 60_000])
def test_roles_with_few_or_many_users_are_read_one_per_line_with_the_users_first(
    count: int, tmp_path: Path
) -> None:
    users = write(tmp_path, json.dumps(USERS["auth0"][:2]))
    held = [{"user_id": USERS["auth0"][n % 2]["user_id"]} for n in range(count)]
    lines = [{"users": held, "name": "staff"}, {"users": held[:1], "name": "admin", "id": "rol_1"}]
    roles = write(tmp_path, "\n".join(map(json.dumps, lines)), "roles.json")
    frame = lab.load_principals(users, memberships=roles)
    assert frame["roles"].tolist() == [("staff", "admin"), ("staff",)]


# --- what belongs to it -------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["auth0", "okta"])
def test_roles_that_users_do_not_hold_need_a_second_file(provider: str) -> None:
    with pytest.raises(lab.InputError, match=r"pass memberships=, a file of (roles|groups)"):
        lab.load_principals(DATA / f"{provider}_users.json")


def test_a_second_file_that_nobody_asked_for_or_of_something_else_is_refused(tmp_path: Path) -> None:
    users, groups = DATA / "okta_users.json", DATA / "okta_groups.json"
    with pytest.raises(lab.InputError, match="memberships= needs a mapping that reads"):
        lab.load_principals(users, mapping=PLAIN["okta"], memberships=groups)
    with pytest.raises(lab.UsersError, match=r"should contain groups, .* entry 0 is something else"):
        lab.load_principals(users, mapping=of("okta"), memberships=users)
    with pytest.raises(lab.InputError, match="memberships= is for a file"):
        lab.load_principals(provider="okta", memberships=groups)
    with pytest.raises(lab.InputError, match="can't be used with a file"):
        lab.load_principals(users, mapping=PLAIN["okta"], key="x")
    everyone = of("okta", roles=("all_groups",))
    frame = lab.load_principals(users, mapping=everyone, memberships=groups)
    assert all("Everyone" in roles for roles in frame["roles"])


def test_a_second_file_about_other_people_is_refused_and_one_about_more_people_warns(tmp_path: Path) -> None:
    groups = DATA / "okta_groups.json"
    some = write(tmp_path, json.dumps(USERS["okta"][:90]))
    with pytest.warns(lab.LabWarning, match=r"names 6 people whom .* is the list of users whole\?") as caught:
        assert len(lab.load_principals(some, memberships=groups, mapping=of("okta"))) == 90
    assert caught[0].filename == __file__
    others = write(tmp_path, json.dumps([{**USERS["okta"][0], "id": "00uother"}]))
    with pytest.raises(lab.UsersError, match="and nobody else: do both come from the same place"):
        lab.load_principals(others, memberships=groups, mapping=of("okta"))


def test_users_who_hold_their_groups_need_no_second_file(tmp_path: Path) -> None:
    users = [{**user, "groups": ["managers"]} for user in USERS["okta"]]
    frame = lab.load_principals(write(tmp_path, json.dumps(users)), mapping=of("okta"))
    assert set(frame["roles"]) == {("managers",)}


def test_a_file_of_auth0s_roles_and_organizations_has_what_the_mapping_reads(tmp_path: Path) -> None:
    users = write(tmp_path, json.dumps(USERS["auth0"][:2]))
    first, second = (user["user_id"] for user in USERS["auth0"][:2])
    role = {"id": "rol_1", "name": "staff", "users": [{"user_id": first}, {"user_id": second}]}
    members = [
        {"user_id": first, "roles": [{"id": "rol_2", "name": "admin"}]},
        {"user_id": second, "roles": []},
    ]
    organization = {"id": "org_1", "name": "acme", "members": members}
    both = write(tmp_path, json.dumps([role, organization]), "both.json")
    one = write(tmp_path, json.dumps([role]), "one.json")
    added = of("auth0", organization_roles=True)
    frame = lab.load_principals(users, memberships=both, mapping=added)
    assert frame["roles"].tolist() == [("staff", "admin"), ("staff",)]
    read = of("auth0", roles=("organization_roles",))
    assert lab.load_principals(users, memberships=both, mapping=read)["roles"].tolist() == [
        ("admin",),
        ("user",),
    ]
    with pytest.raises(
        lab.UsersError, match=r"one\.json should contain .* has nothing for organization_roles"
    ):
        lab.load_principals(users, memberships=one, mapping=added)
    holding = write(
        tmp_path, json.dumps([{**USERS["auth0"][0], "assigned_roles": ["staff"]}]), "holding.json"
    )
    with pytest.raises(lab.InputError, match=r"reads organization_roles, which users .* pass memberships="):
        lab.load_principals(holding, mapping=added)


@pytest.mark.parametrize(
    ("provider", "entry"),
    [
        ("auth0", {"name": "admin"}),
        ("auth0", {"name": "admin", "users": [{"id": "auth0|1"}]}),
        ("auth0", {"members": [{"user_id": "auth0|1"}]}),
        ("okta", {"profile": {"name": "admin"}, "users": ["00u1"]}),
        ("workos", {"object": "organization_membership", "user_id": "user_1", "role": "admin"}),
    ],
)
def test_an_entry_of_a_second_file_that_is_something_else_is_not_left_out(
    provider: str, entry: Json, tmp_path: Path
) -> None:
    names = {"auth0": "auth0_roles", "okta": "okta_groups", "workos": "workos_organization_memberships"}
    first = sample(names[provider])[0]
    second = write(tmp_path, json.dumps([first, {**entry, "id": "x"}]))
    roles = {"auth0": ("assigned_roles",), "okta": ("all_groups",), "workos": ("organization_roles",)}
    plan = of(provider, roles=roles[provider])  # type: ignore[arg-type] # one of them
    with pytest.raises(lab.UsersError, match="and entry 1 is something else"):
        lab.load_principals(DATA / f"{provider}_users.json", mapping=plan, memberships=second)

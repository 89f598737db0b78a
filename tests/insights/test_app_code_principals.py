"""Generated code makes the same principals as the kit."""

import json
from pathlib import Path
from typing import Any

import pytest
from app_code import CLERK, OTHERS, USERS, in_folder, in_node, load_python
from applications import APP, needs
from google.protobuf import json_format
from profiles import SAMPLE

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.users import parse_users
from clerk_cerbos_lab.identity.people import person_of, principals_of
from clerk_cerbos_lab.identity.principals import read_principals

Json = dict[str, Any]


def expected(mapping: lab.Mapping, users: list[Json]) -> list[Json]:
    """The principals that the kit makes, as they are sent."""
    roles = {user["id"]: ("org:admin", "org:member") for user in users}
    parsed = parse_users(
        users,
        paths=mapping.paths(),
        organization_roles=roles if mapping.organization_roles else None,
        where="the test",
    )
    return _sent(lab.to_principals(parsed, mapping))


def _sent(frame: Any) -> list[Json]:
    return [{"id": p.id, "roles": list(p.roles), "attr": dict(p.attr)} for p in read_principals(frame)]


def normal(principals: list[Json]) -> list[str]:
    """Principals as text, numbers as doubles, maps in one order."""
    return [json.dumps(_doubles(one), sort_keys=True) for one in principals]


def _doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _doubles(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_doubles(one) for one in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) + 0.0  # -0.0 is 0.0: no condition can tell
    return value


@pytest.mark.filterwarnings("ignore:no user has:clerk_cerbos_lab.errors.LabWarning")
@pytest.mark.parametrize("name", CLERK)
def test_typescript_makes_the_principals_of_the_kit(tmp_path: Path, name: str) -> None:
    needs(APP)
    made = in_node(tmp_path, CLERK[name], USERS)
    assert normal(made) == normal(expected(CLERK[name], USERS))


@pytest.mark.filterwarnings("ignore:no user has:clerk_cerbos_lab.errors.LabWarning")
@pytest.mark.parametrize("name", CLERK)
def test_python_makes_the_principals_of_the_kit(tmp_path: Path, name: str) -> None:
    mapping = CLERK[name]
    code = load_python(tmp_path, mapping, None)
    made = []
    for user in USERS:
        whole = {**user, "organization_roles": ["org:admin", "org:member"]}
        address = _address(user)
        whole |= {} if address is None else {"primary_email_address": address}
        made.append(_of_message(code["principal"].principal_of(whole)))
    assert normal(made) == normal(expected(mapping, USERS))


def _address(user: Json) -> str | None:
    own = user.get("primary_email_address_id")
    return next((one["email_address"] for one in user["email_addresses"] if own and one["id"] == own), None)


def _of_message(principal: Any) -> Json:
    found = json_format.MessageToDict(principal)
    return {"id": found["id"], "roles": found["roles"], "attr": found.get("attr", {})}


@pytest.mark.filterwarnings("ignore:no user has:clerk_cerbos_lab.errors.LabWarning")
@pytest.mark.parametrize("name", OTHERS)
def test_code_for_other_providers_makes_the_principals_of_the_kit(tmp_path: Path, name: str) -> None:
    needs(APP)
    mapping, claims = OTHERS[name]
    shape = mapping.shape
    users = []
    for number, user in enumerate(USERS):
        metadata = user.get("public_metadata")
        held: Json = {shape.id: f"{mapping.provider}|{number}", shape.metadata: metadata}
        if number % 2 == 0:
            held |= {"email": f"{number}@example.com", "identities": [{"provider": mapping.provider}]}
        role = metadata.get("role") if isinstance(metadata, dict) else None
        if isinstance(role, str) and role.strip():
            held |= {key: [role, "x"] for key in shape.joined}
        users.append(held)
    people = [
        person_of(
            user,
            mapping,
            added_roles=user.get("organization_roles", ()) if mapping.organization_roles else (),
        )
        for user in users
    ]
    wanted = _sent(principals_of(people, mapping))
    (tmp_path / "ts").mkdir()
    lab.to_code("nextjs", mapping=mapping, claims=claims).write(tmp_path / "ts")
    (tmp_path / "ts" / "run.ts").write_text(
        'import { readFileSync, writeFileSync } from "node:fs";\nimport { principalOf } from "./principal";\n'
        'const users = JSON.parse(readFileSync(0, "utf8")) as Record<string, unknown>[];\n'
        'writeFileSync("answer.json", JSON.stringify(users.map(principalOf)));\n'
    )
    assert normal(in_folder(tmp_path / "ts", users)) == normal(wanted)
    code = load_python(tmp_path, mapping, None)
    assert normal([_of_message(code["principal"].principal_of(user)) for user in users]) == normal(wanted)


def test_the_one_gap_of_javascript_is_the_one_that_is_documented(tmp_path: Path) -> None:
    needs(APP)
    user = {**SAMPLE[0], "public_metadata": {"limit": 2**53 + 1}}
    assert expected(lab.Mapping(), [user])[0]["attr"] == {}
    assert in_node(tmp_path, lab.Mapping(), [user])[0]["attr"] == {"limit": 2**53}
    code = load_python(tmp_path, lab.Mapping(), None)
    assert _of_message(code["principal"].principal_of(user))["attr"] == {}

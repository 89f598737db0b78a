"""Generated code is typed, and makes the same principals and decisions as the kit."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from applications import APP, NEXTJS, bundle, link, needs, node, run, typecheck
from cerbos.sdk.grpc.client import CerbosClient
from google.protobuf import json_format
from profiles import SAMPLE, broken

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.identity.clerk.users import parse_users
from clerk_cerbos_lab.identity.people import person_of, principals_of
from clerk_cerbos_lab.identity.principals import read_principals

Json = dict[str, Any]
USERS: list[Json] = [*SAMPLE, *broken()]

QUESTION = Question(
    "expense",
    ("view", "approve"),
    (
        Axis("amount", (0, 5000.5)),
        Axis("region", ("south", lab.MISSING)),
        Axis("money.net", (1,)),
    ),
    {"owner": lab.SELF, "resource_id": "resource", "tags": ["x"], "odd name": None, "paid": True, "map": {}},
    policy_version="staging",
    scope="acme.hr",
    principal_policy_version="p",
)
PLAIN = Question("leave_request", ("approve",), (Axis("days", (1, 2)),), {"status": "OPEN"})
BARE = Question("thing", ("do it",), (), {})

TYPES = {"limit": "number", "tags": "list", "flag": "boolean", "data": "json", "region": "text"}
HOSTILE = 'a"b\\\n`${x}`\u2028\'"""*/ // <!-- \u202e \x7f 😀'
ROLES = {"assigned_roles": "https://acme.example/roles"}
CLAIMS = {**ROLES, "app_metadata": "https://acme.example/app"}

CLERK: dict[str, lab.Mapping] = {
    "usual": lab.Mapping(),
    "everything": lab.Mapping(
        roles=("public_metadata.roles", "public_metadata.role", "private_metadata.role"),
        default_roles=("guest", "nobody"),
        profile={
            "email": "primary_email_address",
            "user": "username",
            "deep": "public_metadata.nested.a.b.0",
        },
        organization_roles=True,
        types=TYPES,
    ),
    "named": lab.Mapping(
        roles=(), metadata=("region", "a.b", "approval_limit", "__proto__", "id", "limit"), types=TYPES
    ),
    "roles_alone": lab.Mapping(metadata=()),
    "nothing": lab.Mapping(roles=(), metadata=()),
    "organizations": lab.Mapping(roles=(), metadata=(), organization_roles=True),
    "renamed": lab.Mapping(metadata="*", profile={"region": "public_metadata.nested", "own": "id"}),
}

OTHERS: dict[str, tuple[lab.Mapping, dict[str, str] | None]] = {
    "auth0": (lab.Mapping.of("auth0"), ROLES),
    "auth0_whole": (
        lab.Mapping.of("auth0", metadata="*", roles=("app_metadata.role", "assigned_roles")),
        CLAIMS,
    ),
    "okta": (lab.Mapping.of("okta"), None),
    "okta_named": (
        lab.Mapping.of(
            "okta", metadata=("department",), profile={"first": "profile.firstName", "all": "all_groups"}
        ),
        None,
    ),
    "workos": (lab.Mapping.of("workos"), None),
    "workos_roles": (lab.Mapping.of("workos", roles=("organization_roles",), metadata="*"), None),
    "workos_added": (lab.Mapping.of("workos", organization_roles=True, types={"limit": "number"}), None),
}

HOSTILE_MAPPING = lab.Mapping(
    roles=(f"public_metadata.{HOSTILE}",),
    default_roles=(HOSTILE,),
    metadata=(HOSTILE, "__proto__"),
    profile={HOSTILE + "2": f"public_metadata.{HOSTILE}"},
    types={HOSTILE: "number"},
)
HOSTILE_QUESTION = Question(
    HOSTILE, (HOSTILE, "view"), (Axis(HOSTILE.replace(".", ""), (1,)),), {"__proto__": "x", "class": 1}
)


def write_all(folder: Path, target: Any) -> list[str]:
    """Every variant in a folder of its own."""
    variants: list[tuple[str, lab.Mapping, Any, Question | None]] = [
        *((name, mapping, None, QUESTION) for name, mapping in CLERK.items()),
        *((name, mapping, claims, PLAIN) for name, (mapping, claims) in OTHERS.items()),
        ("bare", lab.Mapping(), None, BARE),
        ("alone", lab.Mapping(), None, None),
        ("hostile", HOSTILE_MAPPING, None, HOSTILE_QUESTION),
    ]
    for short, mapping, claims, question in variants:
        name = f"app_{short}"
        (folder / name).mkdir(parents=True)
        given = claims if target == "nextjs" else None
        lab.to_code(target, mapping=mapping, question=question, claims=given).write(folder / name)
    return [f"app_{name}" for name, *_ in variants]


# --- typed ----------------------------------------------------------------------------------------


def test_typescript_passes_the_strictest_compiler(tmp_path: Path) -> None:
    needs(APP)
    write_all(tmp_path, "nextjs")
    for identity in tmp_path.glob("*/identity.ts"):  # with the SDKs of providers: make long
        identity.unlink()
    typecheck(tmp_path, APP)
    wrong = tmp_path / "app_usual" / "wrong.ts"
    wrong.write_text(
        'import { isAllowed } from "./check";\n'
        'await isAllowed({ id: "x", roles: [] }, "view", { id: "1", attr: { amount: "5" } });\n'
    )
    with pytest.raises(AssertionError, match="Type 'string' is not assignable to type 'number'"):
        typecheck(tmp_path, APP)


@pytest.mark.long
def test_typescript_passes_with_the_sdk_of_each_provider_and_eslint(tmp_path: Path) -> None:
    needs(NEXTJS)
    write_all(tmp_path, "nextjs")
    typecheck(tmp_path, NEXTJS)
    (tmp_path / "eslint.config.mjs").write_text(
        'import js from "@eslint/js";\nimport ts from "typescript-eslint";\n'
        "const globals = { process: false, URL: false, Response: false };\n"
        "export default [js.configs.recommended, ...ts.configs.strict,\n"
        "  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs', globals: { exports: true } } },\n"
        "  { languageOptions: { globals } }];\n"
    )
    run([node(), NEXTJS / "eslint/bin/eslint.js", "--max-warnings=0", "."], tmp_path)


def test_python_passes_mypy_in_strict_mode_and_ruff(tmp_path: Path) -> None:
    names = write_all(tmp_path, "python")
    for identity in tmp_path.glob("*/identity.py"):
        identity.unlink()
    _mypy(tmp_path, names)
    ruff = [sys.executable, "-m", "ruff"]
    rules = ["--isolated", "--target-version=py311", "--select=E4,E7,E9,F,B,UP,I"]
    run([*ruff, "check", *rules, "."], tmp_path)
    run(
        [
            *ruff,
            "format",
            "--isolated",
            "--line-length=110",
            "--check",
            "app_usual",
            "app_everything",
            "app_bare",
        ],
        tmp_path,
    )


@pytest.mark.long
def test_python_passes_mypy_with_the_client_of_each_provider(tmp_path: Path) -> None:
    _mypy(tmp_path, write_all(tmp_path, "python"))


def _mypy(folder: Path, names: list[str]) -> None:
    # What Cerbos's client imports in turn is nothing of ours, and reading it takes four times as long.
    further = "[mypy-httpx.*,rich.*,anyio.*]\nfollow_imports = skip\n"
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\n{further}")
    packages = [part for name in names for part in ("-p", name)]
    run([sys.executable, "-m", "mypy", *packages], folder, MYPYPATH=str(folder), PYTHONPATH="")


# --- the same principals --------------------------------------------------------------------------


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
    assert normal(_node(tmp_path / "ts", users)) == normal(wanted)
    code = load_python(tmp_path, mapping, None)
    assert normal([_of_message(code["principal"].principal_of(user)) for user in users]) == normal(wanted)


def test_the_one_gap_of_javascript_is_the_one_that_is_documented(tmp_path: Path) -> None:
    needs(APP)
    user = {**SAMPLE[0], "public_metadata": {"limit": 2**53 + 1}}
    assert expected(lab.Mapping(), [user])[0]["attr"] == {}
    assert in_node(tmp_path, lab.Mapping(), [user])[0]["attr"] == {"limit": 2**53}
    code = load_python(tmp_path, lab.Mapping(), None)
    assert _of_message(code["principal"].principal_of(user))["attr"] == {}


SESSION = """
import { readFileSync } from "node:fs";
let current = null;
export const as = (raw) => { current = raw; };
export async function currentUser() {
  const raw = current;
  if (raw === null) return null;
  const addresses = raw.email_addresses.map((one) => ({ id: one.id, emailAddress: one.email_address }));
  return {
    id: raw.id, username: raw.username, publicMetadata: raw.public_metadata ?? {},
    privateMetadata: raw.private_metadata ?? {},
    primaryEmailAddress: addresses.find((one) => one.id === raw.primary_email_address_id) ?? null,
  };
}
const names = ["org:admin", "org:member"];
const getOrganizationMembershipList = async ({ offset }) =>
  ({ data: names.slice(offset, offset + 1).map((role) => ({ role })), totalCount: names.length });
export const clerkClient = async () => ({ users: { getOrganizationMembershipList } });
"""


def in_node(folder: Path, mapping: lab.Mapping, users: list[Json]) -> Any:
    """The principals that generated code makes of the users who are signed in."""
    lab.to_code("nextjs", mapping=mapping).write(folder)
    (folder / "session.js").write_text(SESSION)
    (folder / "run.ts").write_text(
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        'import { currentPrincipal } from "./identity";\n'
        'import { as } from "@clerk/nextjs/server";\n'
        "const found = [];\n"
        'for (const user of JSON.parse(readFileSync(0, "utf8"))) {\n'
        "  as(user);\n  found.push(await currentPrincipal());\n}\n"
        'writeFileSync("answer.json", JSON.stringify(found));\n'
    )
    return _node(folder, users, "--alias:@clerk/nextjs/server=./session.js")


def _node(folder: Path, given: Any, *options: str, **environment: str) -> Any:
    link(folder, APP)
    output = bundle(folder / "run.ts", folder / "run.mjs", *options)
    done = subprocess.run(
        [node(), output],
        input=json.dumps(given).replace("Infinity", "1e400"),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "answer.json").read_text("utf-8"))


def load_python(folder: Path, mapping: lab.Mapping, question: Any) -> dict[str, Any]:
    """The modules of generated Python code, without the provider's client."""
    name = f"made_{abs(hash((folder, mapping.provider)))}"
    (folder / name).mkdir()
    lab.to_code("python", mapping=mapping, question=question).write(folder / name)
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        modules = ["principal"] + (["check"] if question is not None else [])
        return {one: importlib.import_module(f"{name}.{one}") for one in modules}
    finally:
        sys.path.remove(str(folder))


# --- the same decisions ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decisions(pdp: lab.PDP) -> lab.Decisions:
    """Every cell of a sweep of the sample and of broken profiles."""
    people = lab.to_principals(parse_users(USERS, paths=(), where="the test"))
    return lab.sweep(
        pdp,
        people,
        "expense",
        actions=["view", "approve"],
        amount=[0, 5000, 5000.01, 7500, 25_000],
        region=["south", "west"],
        owner=[lab.SELF, lab.OTHER],
        status="OPEN",
        department="sales",
        method="every-cell",
    )


def cells(decisions: lab.Decisions) -> list[tuple[str, Json, Json]]:
    """For each principal and combination: the user, the attributes to send, and the effects."""
    table = decisions.matrix(rows=["principal", "amount", "region", "owner"], columns="action")
    found = []
    for place, row in table.iterrows():
        own, amount, region, owner = cast(tuple[str, float, str, str], place)
        attributes = {
            "amount": amount,
            "region": region,
            "owner": own if str(owner) == "SELF" else "somebody-else",
            "status": "OPEN",
            "department": "sales",
        }
        found.append((own, attributes, {str(name): effect == "ALLOW" for name, effect in row.items()}))
    return found


def test_typescript_decides_as_the_kit_does(tmp_path: Path, pdp: lab.PDP, decisions: lab.Decisions) -> None:
    needs(APP)
    wanted = cells(decisions)
    assert 2 * len(wanted) >= 5_000
    lab.to_code("nextjs", mapping=lab.Mapping(), question=decisions).write(tmp_path)
    (tmp_path / "session.js").write_text(SESSION)
    (tmp_path / "run.ts").write_text(
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        'import { currentPrincipal } from "./identity";\n'
        'import { as } from "@clerk/nextjs/server";\nimport { allowedActions } from "./check";\n'
        'const { users, cells } = JSON.parse(readFileSync(0, "utf8"));\n'
        "const decide = async ([own, attr]) => {\n"
        "  as(users[own]);\n  const principal = await currentPrincipal();\n"
        '  return allowedActions(principal, { id: "resource", attr });\n};\n'
        "const found = [];\n"
        "for (let at = 0; at < cells.length; at += 64)\n"
        "  found.push(...await Promise.all(cells.slice(at, at + 64).map(decide)));\n"
        'writeFileSync("answer.json", JSON.stringify(found));\nprocess.exit(0);\n'
    )
    given = {"users": {user["id"]: user for user in USERS}, "cells": [cell[:2] for cell in wanted]}
    alias = "--alias:@clerk/nextjs/server=./session.js"
    found = _node(tmp_path, given, alias, CERBOS_ADDRESS=pdp.address)
    assert found == [effects for *_, effects in wanted]
    assert 0 < sum(effects["approve"] for effects in found) < len(found)


def test_python_decides_as_the_kit_does(tmp_path: Path, pdp: lab.PDP, decisions: lab.Decisions) -> None:
    wanted = cells(decisions)
    code = load_python(tmp_path, lab.Mapping(), decisions)
    principals = {user["id"]: code["principal"].principal_of(user) for user in USERS}
    with CerbosClient(pdp.address) as client:
        found = [
            code["check"].allowed_actions(client, principals[own], "resource", attributes)
            for own, attributes, _ in wanted
        ]
    assert found == [effects for *_, effects in wanted]


def test_version_and_scope_are_sent_as_the_question_has_them(tmp_path: Path) -> None:
    code = lab.to_code("nextjs", question=QUESTION)["check.ts"]
    assert 'principal: { ...principal, policyVersion: "p", scope: "acme.hr" }' in code
    assert 'policyVersion: "staging",\n      scope: "acme.hr",' in code
    python = lab.to_code("python", question=QUESTION)["check.py"]
    assert 'asked.policy_version = "p"' in python
    assert 'policy_version="staging"' in python
    del tmp_path


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "arguments", "says"),
    [
        ("nextj", {}, "no target 'nextj'; did you mean 'nextjs'"),
        ("nextjs", {"mapping": {"roles": []}}, "must be a lab.Mapping, not a dict"),
        ("nextjs", {"question": "expense"}, "must be a lab.Decisions or its question"),
        ("nextjs", {"claims": {"public_metadata": "m"}}, "claims= is for Auth0 and Okta"),
        ("python", {"claims": {"public_metadata": "m"}}, "claims= is for Next.js"),
        ("nextjs", {"mapping": lab.Mapping(profile={"x": "email_addresses.0"})}, "no 'email_addresses'"),
        ("nextjs", {"mapping": lab.Mapping.of("auth0")}, "no claim for 'assigned_roles' by itself"),
        ("nextjs", {"mapping": lab.Mapping.of("okta", metadata="*")}, "no claim for 'profile' by itself"),
        ("nextjs", {"mapping": lab.Mapping.of("workos-directory")}, "do not sign in"),
        ("python", {"mapping": lab.Mapping.of("workos-directory")}, "do not sign in"),
        ("nextjs", {"mapping": lab.Mapping.of("workos", profile={"x": "emial"})}, "did you mean 'email'"),
        (
            "nextjs",
            {
                "mapping": lab.Mapping.of("auth0", metadata="*"),
                "claims": {**CLAIMS, "app_metadata.role": "r"},
            },
            "both the whole of 'app_metadata' and a part",
        ),
    ],
)
def test_what_an_application_could_not_do_is_refused(target: Any, arguments: Json, says: str) -> None:
    with pytest.raises(lab.InputError, match=says):
        lab.to_code(target, **arguments)


def test_code_is_shown_written_whole_and_read_by_name(tmp_path: Path) -> None:
    code = lab.to_code("nextjs", question=PLAIN)
    assert list(code) == ["principal.ts", "identity.ts", "check.ts"]
    assert len(code) == 3
    assert repr(code).count("// --- ") == 3
    assert "npm install @cerbos/grpc" in repr(code)
    assert [path.name for path in code.write(tmp_path)] == list(code)
    assert (tmp_path / "check.ts").read_text("utf-8") == code["check.ts"]
    with pytest.raises(lab.InputError, match=r"no file 'chek\.ts'; did you mean 'check\.ts'"):
        code["chek.ts"]
    with pytest.raises(lab.InputError, match="there is no folder"):
        code.write(tmp_path / "nowhere")
    with pytest.raises(dataclasses.FrozenInstanceError):
        code.target = "python"  # type: ignore[misc]

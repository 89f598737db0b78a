"""Mappings and questions of every kind, the code that is generated from them, and ways to run it."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from applications import APP, bundle, link, node
from profiles import SAMPLE, broken

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.question import Question

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
    "auth0_organizations": (
        lab.Mapping.of("auth0", roles=("organization_roles",)),
        {"organization_roles": "https://acme.example/organization_roles"},
    ),
    "auth0_added": (
        lab.Mapping.of("auth0", organization_roles=True),
        {**ROLES, "organization_roles": "https://acme.example/organization_roles"},
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
    return in_folder(folder, users, "--alias:@clerk/nextjs/server=./session.js")


def in_folder(folder: Path, given: Any, *options: str, **environment: str) -> Any:
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

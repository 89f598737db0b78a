"""Generated code decides as the kit does."""

from pathlib import Path
from typing import Any, cast

import pytest
from app_code import SESSION, USERS, in_folder, load_python
from applications import APP, needs
from cerbos.sdk.grpc.client import CerbosClient

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.users import parse_users

Json = dict[str, Any]


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
    found = in_folder(tmp_path, given, alias, CERBOS_ADDRESS=pdp.address)
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

"""The starter is complete: it is typed, builds, and decides as the kit does on the same policies."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from applications import APP, NEXTJS, ROOT, bundle, link, needs, node, run
from profiles import SAMPLE, broken
from typer.testing import CliRunner

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli.main import app
from clerk_cerbos_lab.cli.starting import make_project, write_application
from clerk_cerbos_lab.identity.clerk.users import parse_users
from clerk_cerbos_lab.pdp.engines import installed_binary

Json = dict[str, Any]
USERS: list[Json] = [*SAMPLE, *broken()]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a starter."""
    folder = tmp_path_factory.mktemp("new") / "approvals"
    make_project(folder, write_application)
    return folder


@pytest.fixture(scope="module")
def pdp(starter: Path) -> Iterator[lab.PDP]:
    """Return a PDP on the starter's policies."""
    with lab.PDP(starter / "policies") as running:
        yield running


# --- what is written ------------------------------------------------------------------------------


def test_the_command_writes_a_complete_application(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["new", str(tmp_path / "My App!"), "--app", "nextjs"])
    assert done.exit_code == 0, done.output
    assert "npm run dev" in done.output
    package = json.loads((tmp_path / "My App!" / "package.json").read_text("utf-8"))
    assert package["name"] == "my-app"
    assert len((tmp_path / "My App!" / "README.md").read_text("utf-8").splitlines()) <= 10
    assert {path.name for path in tmp_path.iterdir()} == {"My App!"}


def test_a_folder_that_has_anything_in_it_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("mine")
    with pytest.raises(lab.InputError, match="not an empty folder"):
        make_project(tmp_path, write_application)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_another_kind_of_application_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["new", str(tmp_path / "x"), "--app", "rails"])
    assert done.exit_code == 2
    assert not (tmp_path / "x").exists()


def test_the_versions_are_those_that_are_tested(starter: Path) -> None:
    wanted = json.loads((starter / "package.json").read_text("utf-8"))
    tested = json.loads((ROOT / "setup/nextjs/package.json").read_text("utf-8"))
    for part in ("dependencies", "devDependencies"):
        for name, version in wanted[part].items():
            assert version == f"^{tested[part][name]}", name
    both = json.loads((ROOT / "setup/app/package.json").read_text("utf-8"))["dependencies"]
    assert both.items() <= {**tested["dependencies"], **tested["devDependencies"]}.items()


def test_nothing_in_it_is_a_key_or_a_path_of_a_machine(starter: Path) -> None:
    for path in starter.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert not re.search(r"(sk|pk)_(test|live)_\w", text)
            assert str(ROOT) not in text


# --- typed, linted, built -------------------------------------------------------------------------


@pytest.mark.long
def test_it_passes_tsc_and_eslint(tmp_path: Path) -> None:
    needs(NEXTJS)
    make_project(tmp_path / "app", write_application)
    link(tmp_path / "app", NEXTJS)
    tsc, eslint = NEXTJS / "typescript/bin/tsc", NEXTJS / "eslint/bin/eslint.js"
    run([node(), tsc, "--noEmit"], tmp_path / "app")
    run([node(), eslint, "--max-warnings=0", "."], tmp_path / "app")
    page = tmp_path / "app" / "app" / "expenses" / "page.tsx"
    page.write_text(page.read_text("utf-8").replace("attr.amount", "attr.amnt") + "\nvar unused = 1;\n")
    with pytest.raises(AssertionError, match="Property 'amnt' does not exist"):
        run([node(), tsc, "--noEmit"], tmp_path / "app")
    with pytest.raises(AssertionError, match="no-var"):
        run([node(), eslint, "."], tmp_path / "app")


@pytest.mark.long
def test_next_builds_and_serves_it() -> None:
    needs(NEXTJS)
    settings = {
        "NEXT_TELEMETRY_DISABLED": "1",
        "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY": "pk_test_cGxhY2Vob2xkZXIuY2xlcmsuYWNjb3VudHMuZGV2JA",
        "CLERK_SECRET_KEY": f"sk_{'test'}_placeholder",
    }
    with tempfile.TemporaryDirectory(dir=NEXTJS.parent) as folder:  # Next.js follows no link to packages
        make_project(Path(folder), write_application)
        before = (Path(folder) / "tsconfig.json").read_text("utf-8")
        said = run([node(), NEXTJS / "next/dist/bin/next", "build"], Path(folder), **settings)
        assert "/api/expenses/[id]" in said
        assert (Path(folder) / "tsconfig.json").read_text("utf-8") == before
        assert _status(Path(folder), settings, "/api/expenses/1") == 401


def _status(folder: Path, settings: dict[str, str], path: str) -> int:
    """The status with which the built application answers somebody who is not signed in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(node()), str(NEXTJS / "next/dist/bin/next"), "start", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}) as server:
        try:
            for _ in range(600):
                time.sleep(0.1)
                try:
                    with socket.create_connection(("127.0.0.1", port), 60) as asked:
                        text = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
                        asked.sendall(text.encode())
                        return int(asked.makefile("rb").readline().split()[1])
                except ConnectionRefusedError:
                    continue
        finally:
            server.send_signal(signal.SIGTERM)
    raise AssertionError("it did not start")


# --- the policies ---------------------------------------------------------------------------------


def test_its_policies_answer_the_founding_question(pdp: lab.PDP) -> None:
    people = lab.shareable(
        pd.DataFrame(
            {
                "id": ["north", "south", "finance"],
                "roles": [("manager",), ("manager",), ("finance",)],
                "region": ["northeast", "south", "west"],
            }
        ),
        "id",
        "region",
    )
    decisions = lab.sweep(
        pdp,
        people,
        "expense",
        actions="approve",
        amount=[0, 100_000],
        region="south",
        owner=lab.OTHER,
        status="OPEN",
    )
    limits = decisions.thresholds("amount", action="approve")
    allowed = limits[limits["effect"] == "ALLOW"]
    assert dict(zip(allowed["principal"], allowed["upper"], strict=True)) == {
        "north": 5000,
        "south": 10_000,
        "finance": 50_000,
    }


# --- the same decisions ---------------------------------------------------------------------------

SESSION = """
import { AsyncLocalStorage } from "node:async_hooks";
const session = new AsyncLocalStorage();
export const as = (raw, work) => session.run(raw, work);
export async function currentUser() {
  const raw = session.getStore();
  return raw === null ? null : { id: raw.id, publicMetadata: raw.public_metadata ?? {} };
}
"""

STORE = """
import type { Resource } from "./check";
export type Expense = Resource;
export const changed: string[] = [];
export const findExpense = (id: string): Expense | undefined =>
  id.startsWith("{") ? { id: "resource", attr: JSON.parse(id) } : undefined;
export const setStatus = (id: string, _status: string): void => { changed.push(id); };
export const allExpenses = (): Expense[] => [];
"""

RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import { as } from "@clerk/nextjs/server";
import { GET, POST } from "./app/api/expenses/[id]/route";
import { changed } from "./lib/expenses";
const { users, cells } = JSON.parse(readFileSync(0, "utf8"));
const request = new Request("http://localhost/");
const statuses = (user, id) => as(user, async () => {
  const context = { params: Promise.resolve({ id }) };
  return (await Promise.all([GET(request, context), POST(request, context)])).map((answer) => answer.status);
});
const found = [];
for (let at = 0; at < cells.length; at += 64) {
  const some = cells.slice(at, at + 64).map(([own, attr]) => statuses(users[own], JSON.stringify(attr)));
  found.push(...await Promise.all(some));
}
const nobody = await statuses(null, "{}");
const nothing = await statuses(users[cells[0][0]], "no such thing");
writeFileSync("answer.json", JSON.stringify({ found, nobody, nothing, changed: changed.length }));
process.exit(0);
"""


def test_its_route_decides_as_the_kit_does(starter: Path, pdp: lab.PDP, tmp_path: Path) -> None:
    needs(APP)
    people = lab.to_principals(parse_users(USERS, paths=(), where="the test"))
    decisions = lab.sweep(
        pdp,
        people,
        "expense",
        actions=["view", "approve"],
        amount=[5000, 5000.01, 7500, 10_000, 50_000],
        region=["south", "west"],
        owner=[lab.SELF, lab.OTHER],
        status="OPEN",
        method="every-cell",
    )
    table = decisions.matrix(rows=["principal", "amount", "region", "owner"], columns="action")
    cells, wanted = [], []
    for place, row in table.iterrows():
        own, amount, region, owner = cast(tuple[str, float, str, str], place)
        owned = own if str(owner) == "SELF" else "somebody-else"
        cells.append((own, {"amount": amount, "region": region, "owner": owned, "status": "OPEN"}))
        wanted.append([200 if row[action] == "ALLOW" else 403 for action in ("view", "approve")])
    assert 2 * len(cells) >= 5_000
    folder = tmp_path / "app"
    shutil.copytree(starter, folder)
    (folder / "session.js").write_text(SESSION)
    (folder / "lib" / "expenses.ts").write_text(STORE)
    (folder / "run.ts").write_text(RUN)
    link(folder, APP)
    output = bundle(folder / "run.ts", folder / "run.mjs", "--alias:@clerk/nextjs/server=./session.js")
    given = {"users": {user["id"]: user for user in USERS}, "cells": cells}
    done = subprocess.run(
        [node(), output],
        input=json.dumps(given).replace("Infinity", "1e400"),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "CERBOS_ADDRESS": pdp.address},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads((folder / "answer.json").read_text("utf-8"))
    assert answer["found"] == wanted
    assert answer["nobody"] == [401, 401]
    assert answer["nothing"] == [404, 404]
    assert answer["changed"] == sum(approve == 200 for _, approve in wanted) > 0


@pytest.mark.filterwarnings("ignore:the PDP does not disclose:clerk_cerbos_lab.errors.LabWarning")
def test_cerbos_runs_with_its_settings_and_writes_the_log_that_the_kit_reads(starter: Path) -> None:
    with tempfile.TemporaryDirectory() as short:  # the path of a socket has at most 108 characters
        address = f"unix:{short}/grpc"
        settings = [f"--set=server.grpcListenAddr={address}", "--set=server.httpListenAddr=127.0.0.1:0"]
        command = [str(installed_binary()), "server", "--config=cerbos.yaml", *settings]
        with subprocess.Popen(command, cwd=starter, stderr=subprocess.DEVNULL) as server:
            try:
                with _connected(address) as running:
                    principals = lab.to_principals(parse_users(SAMPLE[:3], paths=(), where="the test"))
                    lab.sweep(running, principals, "expense", actions="view", amount=1, region="x", owner="y")
            finally:
                server.send_signal(signal.SIGTERM)
        log = starter / "logs" / "decisions.log"
        entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        assert any("checkResources" in entry for entry in entries)
        log.unlink()


def _connected(address: str) -> lab.PDP:
    for attempt in range(100):
        try:
            return lab.PDP(address=address)
        except lab.PDPError:
            assert attempt < 99
            time.sleep(0.1)
    raise AssertionError

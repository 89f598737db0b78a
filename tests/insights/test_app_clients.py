"""Generated Python code reads a user with the provider's own client, from a local server."""

import asyncio
import importlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth0.management import ManagementClient
from clerk_backend_api import Clerk
from google.protobuf import json_format
from okta.client import Client
from workos import WorkOSClient

import clerk_cerbos_lab as lab

Json = dict[str, Any]
DATA = Path(__file__).parents[2] / "data"


@contextmanager
def serve(answers: dict[str, Any]) -> Iterator[str]:
    """A server that answers each path with JSON; anything else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = json.dumps(found if found is not None else {"errors": []}).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def users(name: str) -> list[Json]:
    found = json.loads((DATA / name).read_text("utf-8"))
    listed: list[Json] = found["data"] if isinstance(found, dict) else found
    return listed


def code(folder: Path, mapping: lab.Mapping) -> Any:
    """The module that reads a user."""
    name = f"client_of_{mapping.provider}_{abs(hash(folder))}"
    (folder / name).mkdir()
    lab.to_code("python", mapping=mapping).write(folder / name)
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        return importlib.import_module(f"{name}.identity")
    finally:
        sys.path.remove(str(folder))


def sent(principal: Any) -> Json:
    found = json_format.MessageToDict(principal)
    return {"id": found["id"], "roles": found["roles"], "attr": found.get("attr", {})}


def test_a_user_of_clerk(tmp_path: Path) -> None:
    user = users("clerk_users.json")[0]
    own = user["id"]
    mapping = lab.Mapping(profile={"email": "primary_email_address"}, organization_roles=True)
    membership = json.loads((DATA / "clerk_organization_memberships.json").read_text("utf-8"))
    one = (membership["data"] if isinstance(membership, dict) else membership)[0]
    answers = {
        f"/v1/users/{own}": user,
        f"/v1/users/{own}/organization_memberships": {"data": [one], "total_count": 1},
    }
    with serve(answers) as address, Clerk(bearer_auth="x", server_url=f"{address}/v1") as clerk:
        found = sent(code(tmp_path, mapping).load_principal(clerk, own))
    metadata = user["public_metadata"]
    role = metadata.pop("role")
    assert found["roles"] == [role, one["role"]]
    assert found["attr"] == {**metadata, "email": user["email_addresses"][0]["email_address"]}


def test_a_user_of_auth0(tmp_path: Path) -> None:
    user = users("auth0_users.json")[0]
    own = user["user_id"]
    mapping = lab.Mapping.of("auth0", metadata="*", organization_roles=True)
    path = f"/api/v2/users/{own.replace('|', '%7C')}"
    roles = {"roles": [{"id": "r1", "name": "manager"}], "start": 0, "limit": 50, "total": 1}
    organization = {"id": "org_1", "name": "acme", "display_name": "Acme"}
    answers = {
        path: user,
        f"{path}/roles": roles,
        f"{path}/organizations": {"organizations": [organization], "start": 0, "limit": 50, "total": 1},
        f"/api/v2/organizations/org_1/members/{own.replace('|', '%7C')}/roles": {
            **roles,
            "roles": [{"id": "r2", "name": "admin"}],
        },
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("page", "0") != "0":
            return httpx.Response(
                200, json={"roles": [], "organizations": [], "start": 50, "limit": 50, "total": 1}
            )
        return httpx.Response(200, json=answers[request.url.raw_path.decode().partition("?")[0]])

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = ManagementClient(domain="acme.example", token="x", httpx_client=http)
        found = sent(code(tmp_path, mapping).load_principal(client, own))
    assert found["roles"] == ["manager", "admin"]
    provider = user["identities"][0]["provider"]
    assert found["attr"] == {**user["app_metadata"], "email": user["email"], "provider": provider}


def test_a_user_of_okta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_TESTING_TESTINGDISABLEHTTPSCHECK", "true")
    user = users("okta_users.json")[0]
    own = user["id"]
    user["profile"] |= {"mobilePhone": None, "custom": 7.5}
    mapping = lab.Mapping.of(
        "okta", metadata=("department", "mobilePhone", "custom", "nickName"), profile={"all": "all_groups"}
    )
    groups = [
        {"id": f"00g{name}", "type": "OKTA_GROUP", "profile": {"name": name}}
        for name in ("Everyone", "manager")
    ]
    answers = {f"/api/v1/users/{own}": user, f"/api/v1/users/{own}/groups": groups}

    async def load(address: str) -> Any:
        settings = {"orgUrl": address, "token": "x"}
        async with Client(settings) as client:
            return await code(tmp_path, mapping).load_principal(client, own)

    with serve(answers) as address:
        found = sent(asyncio.run(load(address)))
        (tmp_path / "again").mkdir()
        with pytest.raises(RuntimeError, match="Okta refused"):
            asyncio.run(_missing(address, tmp_path / "again", mapping))
    assert found["roles"] == ["manager"]
    attributes = {"mobilePhone": None, "custom": 7.5, "all": ["Everyone", "manager"]}
    if "department" in user["profile"]:
        attributes["department"] = user["profile"]["department"]
    assert found["attr"] == attributes


async def _missing(address: str, folder: Path, mapping: lab.Mapping) -> Any:
    settings = {"orgUrl": address, "token": "x"}
    async with Client(settings) as client:
        return await code(folder, mapping).load_principal(client, "00unobody")


def test_a_user_of_workos(tmp_path: Path) -> None:
    user = users("workos_users.json")[0]
    own = user["id"]
    memberships = json.loads((DATA / "workos_organization_memberships.json").read_text("utf-8"))
    one = (memberships["data"] if isinstance(memberships, dict) else memberships)[0]
    mapping = lab.Mapping.of("workos", roles=("organization_roles",), metadata="*", profile={})
    answers = {
        f"/user_management/users/{own}": user,
        "/user_management/organization_memberships": {
            "object": "list",
            "data": [one],
            "list_metadata": {"before": None, "after": None},
        },
    }
    with (
        serve(answers) as address,
        WorkOSClient(api_key="x", client_id="client_x", base_url=address) as client,
    ):
        found = sent(code(tmp_path, mapping).load_principal(client, own))
    assert found["roles"] == [one["role"]["slug"]]
    assert found["attr"] == user["metadata"]

"""A local Auth0 Management API for tests; test_provider_servers.py holds it to Auth0's description.

It answers the lists of users, roles, users of a role, organizations (which the published part of the
description leaves out) and their members, the export job with its file, and the token of client credentials.
Of the query language it knows ``created_at:["…" TO *]`` and ``blocked:true``, joined by AND.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from local_server import Asked, Fault, reply
from starlette.responses import Response

TOKEN = "token-of-the-management-api"
CLIENT = ("client-local", "secret-of-the-client")

Json = dict[str, Any]

ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}


def refusal(status: int, code: str, message: str = "As the test wants it") -> Response:
    """Return an error in Auth0's format."""
    error = {
        "statusCode": status,
        "error": ERRORS.get(status, "Error"),
        "message": message,
        "errorCode": code,
    }
    return reply(error, status, {"x-request-id": "trace_local"})


class Auth0Backend:
    """The users, roles and organizations of one tenant."""

    def __init__(
        self,
        users: Iterable[Json],
        roles: Iterable[Json] = (),
        pending: int = 1,
        organizations: Iterable[Json] = (),
    ) -> None:
        """Take the users, the roles with their ``users``, and the organizations with their ``members``.

        An export is pending as many times as ``pending`` says.
        """
        self.users = list(users)
        self.roles = list(roles)
        self.organizations = list(organizations)
        self.pending = pending
        self.jobs: dict[str, Json] = {}
        self.exported = self.export

    def join(self) -> None:
        """Add a user, the newest."""
        newest = max(str(user["created_at"]) for user in self.users)
        added = {"user_id": f"auth0|joined{len(self.users)}", "created_at": f"{newest}1", "app_metadata": {}}
        self.users.append(added)

    def failure(self, fault: Fault) -> Response:
        """Return an error in Auth0's shape."""
        return refusal(fault.status, f"status_{fault.status}")

    def answer(self, asked: Asked, does: str) -> Response:
        """Answer one request."""
        if asked.path.startswith("/export/"):
            return self.exported(asked.path.removeprefix("/export/"))
        if asked.path == "/oauth/token":
            return self.token(json.loads(asked.body))
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "invalid_token")
        return self.answer_known(asked, does)

    def answer_known(self, asked: Asked, does: str) -> Response:
        """Answer one authenticated request."""
        path = asked.path.removeprefix("/api/v2")
        lists = {
            "/users": self.list_users,
            "/roles": self.list_roles,
            "/organizations": self.list_organizations,
        }
        if path in lists:
            return lists[path](asked, does)
        if (asked.method, path) == ("POST", "/jobs/users-exports"):
            return self.start(json.loads(asked.body))
        if found := re.fullmatch("/jobs/(job_[A-Za-z0-9]{16})", path):
            return self.job(found[1], asked.origin)
        if found := re.fullmatch("/roles/([^/]+)/users", path):
            return self.users_of(unquote(found[1]), asked, does)
        if found := re.fullmatch("/organizations/([^/]+)/members", path):
            return self.members_of(unquote(found[1]), asked, does)
        return refusal(404, "not_found")

    def token(self, given: Mapping[str, str]) -> Response:
        """Return a token for client credentials."""
        if (given.get("client_id"), given.get("client_secret")) != CLIENT:
            return refusal(401, "access_denied")
        return reply(
            {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 86400, "scope": "read:users"}
        )

    # -- lists ------------------------------------------------------------------------------------

    def list_users(self, asked: Asked, does: str) -> Response:
        """Return a page of users; beyond 1,000 records there is none."""
        users = [user for user in self.users if matches(user, asked.text("q") or "")]
        if asked.text("sort"):
            users.sort(key=lambda user: (str(user["created_at"]), user["user_id"]))
        number, size = int(asked.text("page") or 0), int(asked.text("per_page") or 50)
        if size > 100:
            return refusal(400, "invalid_query_string")
        if number * size >= 1000:
            return refusal(400, "invalid_paging", "You can only page through the first 1000 records")
        page = page_of(users, number, size, does)
        fields = asked.text("fields")
        if fields:
            page = [{name: user[name] for name in fields.split(",") if name in user} for user in page]
        if asked.text("include_totals") != "true":
            return reply(page)
        totals = {"start": number * size, "limit": size, "length": len(page), "total": len(users)}
        return reply({**totals, "users": page})

    def list_roles(self, asked: Asked, does: str) -> Response:
        """Return a page of roles."""
        number, size = int(asked.text("page") or 0), int(asked.text("per_page") or 50)
        roles = [{name: role[name] for name in ("id", "name", "description")} for role in self.roles]
        page = page_of(roles, number, size, does)
        return reply({"start": number * size, "limit": size, "total": len(roles), "roles": page})

    def users_of(self, own: str, asked: Asked, does: str) -> Response:
        """Return a page of the users of a role; the cursor is a position."""
        role = next((role for role in self.roles if role["id"] == own), None)
        if role is None:
            return refusal(404, "inexistent_role")
        return checkpoint(role["users"], ("user_id",), "users", asked, does)

    def list_organizations(self, asked: Asked, does: str) -> Response:
        """Return a page of organizations."""
        return checkpoint(self.organizations, ("id", "name", "display_name"), "organizations", asked, does)

    def members_of(self, own: str, asked: Asked, does: str) -> Response:
        """Return a page of the members of an organization; roles only if they are asked for."""
        organization = next((one for one in self.organizations if one["id"] == own), None)
        if organization is None:
            return refusal(404, "inexistent_organization")
        fields = (asked.text("fields") or "user_id,email,picture,name").split(",")
        return checkpoint(organization["members"], fields, "members", asked, does)

    # -- the export job ---------------------------------------------------------------------------

    def start(self, wanted: Json) -> Response:
        """Create an export job."""
        own = f"job_{len(self.jobs):016}"
        self.jobs[own] = {"fields": [one["name"] for one in wanted["fields"]], "asked": 0}
        job = {"id": own, "type": "users_export", "status": "pending", "connection": "", "format": "json"}
        return reply({**job, "created_at": "2026-05-12T00:00:00.000Z"})

    def job(self, own: str, origin: str) -> Response:
        """Return the state of a job."""
        if own not in self.jobs:
            return refusal(404, "inexistent_job")
        self.jobs[own]["asked"] += 1
        state: Json = {
            "id": own,
            "type": "users_export",
            "created_at": "2026-05-12T00:00:00.000Z",
            "format": "json",
        }
        if self.jobs[own]["asked"] <= self.pending:
            return reply({**state, "status": "processing", "percentage_done": 10, "time_left_seconds": 2})
        return reply({**state, "status": "completed", "location": f"{origin}/export/{own}"})

    def export(self, own: str) -> Response:
        """Return the file of a job: compressed JSON lines."""
        fields = self.jobs[own]["fields"]
        lines = [json.dumps({name: user[name] for name in fields if name in user}) for user in self.users]
        return Response(gzip.compress(("\n".join(lines) + "\n").encode(), 1), media_type="application/gzip")


def checkpoint(entries: list[Json], fields: Iterable[str], name: str, asked: Asked, does: str) -> Response:
    """Return a page of a list with a cursor, which is a position."""
    start, size = int(asked.text("from") or 0), int(asked.text("take") or 50)
    if not 1 <= size <= 100:
        return refusal(400, "invalid_query_string")
    begin = {"stick": 0, "repeat": max(start - 1, 0)}.get(does, start)
    wanted = list(fields)
    page: Json = {
        name: [{key: one[key] for key in wanted if key in one} for one in entries[begin : begin + size]]
    }
    following = begin + size
    if following < len(entries):
        page["next"] = str(start) if does == "still" and start else str(following)
    return reply(page)


def page_of(entries: list[Json], number: int, size: int, does: str) -> list[Json]:
    """Return a page by its number."""
    start = number * size
    begin = {"stick": 0, "repeat": max(start - 1, 0)}.get(does, start)
    return entries[begin : begin + size]


def matches(user: Json, query: str) -> bool:
    """Return whether a user is found by a query."""
    since = re.search(r'created_at:\["([^"]+)" TO \*\]', query)
    if since and str(user["created_at"]) < since[1]:
        return False
    return "blocked:true" not in query or user.get("blocked") is True

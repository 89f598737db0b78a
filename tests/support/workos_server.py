"""A local WorkOS API for tests; test_provider_servers.py holds it to WorkOS's description.

It answers the lists of users, organization memberships and directory users, and that of organizations, which
the published part of the description leaves out.
"""

from collections.abc import Callable, Iterable
from typing import Any

from local_server import Asked, Fault, reply
from starlette.responses import Response

KEY = "sk_test_of_workos"

Json = dict[str, Any]


def refusal(status: int, code: str) -> Response:
    """Return an error in WorkOS's format."""
    return reply({"code": code, "message": "As the test wants it"}, status, {"x-request-id": "trace_local"})


class WorkOSBackend:
    """The users, memberships and directory users of one environment."""

    def __init__(
        self, users: Iterable[Json] = (), memberships: Iterable[Json] = (), directory: Iterable[Json] = ()
    ) -> None:
        """Take what is listed, oldest first."""
        self.users = list(users)
        self.memberships = list(memberships)
        self.directory = list(directory)

    def join(self) -> None:
        """Add a user, the newest."""
        list_ = self.users or self.directory
        list_.append({**list_[0], "id": f"joined_{len(list_)}"})

    def failure(self, fault: Fault) -> Response:
        """Return an error in WorkOS's shape."""
        if fault.status == 429:
            return reply("Ratelimited", 429)
        return refusal(fault.status, f"status_{fault.status}")

    def answer(self, asked: Asked, does: str) -> Response:
        """Answer one request."""
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return refusal(401, "unauthorized")
        organization = asked.text("organization_id")
        if asked.path == "/user_management/organization_memberships" and organization is None:
            return refusal(400, "missing_user_id_or_organization_id")
        lists: dict[str, Callable[[], list[Json]]] = {
            "/user_management/users": lambda: self.users_of(organization),
            "/user_management/organization_memberships": lambda: self.members_of(organization),
            "/organizations": self.organizations,
            "/directory_users": lambda: self.directory,
        }
        if asked.path not in lists:
            return refusal(404, "not_found")
        return page(lists[asked.path](), asked, does)

    def members_of(self, organization: str | None) -> list[Json]:
        """Return the memberships in an organization."""
        return [one for one in self.memberships if one["organization_id"] == organization]

    def users_of(self, organization: str | None) -> list[Json]:
        """Return the users, or those of an organization."""
        members = {one["user_id"] for one in self.memberships if one["organization_id"] == organization}
        return [user for user in self.users if organization is None or user["id"] in members]

    def organizations(self) -> list[Json]:
        """Return the organizations of the memberships."""
        names = {one["organization_id"]: one["organization_name"] for one in self.memberships}
        return [
            {
                "object": "organization",
                "id": own,
                "name": name,
                "domains": [],
                "metadata": {},
                "external_id": None,
                "created_at": "2026-01-05T09:00:00.000Z",
                "updated_at": "2026-01-05T09:00:00.000Z",
            }
            for own, name in names.items()
        ]


def page(entries: list[Json], asked: Asked, does: str) -> Response:
    """Return a page, oldest first or newest first; the cursor is the id of the last entry."""
    size = int(asked.text("limit") or 10)
    if not 1 <= size <= 100:
        return reply({"message": "limit must be between 1 and 100"}, 422)
    if asked.text("order") != "asc":
        entries = [*reversed(entries)]
    after = asked.text("after")
    ids = [entry["id"] for entry in entries]
    start = ids.index(after) + 1 if after in ids else 0
    begin = {"stick": 0, "repeat": max(start - 1, 0)}.get(does, start)
    data = entries[begin : begin + size]
    more = begin + size < len(entries)
    cursor = (after if does == "still" and after else data[-1]["id"]) if more else None
    before = data[0]["id"] if begin and data else None
    return reply({"object": "list", "data": data, "list_metadata": {"before": before, "after": cursor}})

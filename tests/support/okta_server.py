"""A local Okta API for tests; test_provider_servers.py holds it to Okta's description.

It answers the lists of users, groups and users of a group. Of the filters it knows ``status eq "…"``.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from local_server import Asked, Fault, reply
from starlette.responses import Response

TOKEN = "00token-of-okta"

Json = dict[str, Any]


def refusal(status: int, code: str) -> Response:
    """Return an error in Okta's format."""
    error = {"errorCode": code, "errorSummary": "As the test wants it", "errorLink": code}
    return reply({**error, "errorId": "trace_local", "errorCauses": []}, status)


class OktaBackend:
    """The users and groups of one org."""

    def __init__(self, users: Iterable[Json], groups: Iterable[Json] = (), links: str = "both") -> None:
        """Take the users, and the groups with their ``users``; ``links=""`` sends no Link header."""
        self.users = list(users)
        self.groups = list(groups)
        self.links = links

    def join(self) -> None:
        """Add a user, the last."""
        own = f"00ujoined{len(self.users):011}"
        self.users.append({"id": own, "status": "ACTIVE", "profile": {"login": f"{own}@example.com"}})

    def failure(self, fault: Fault) -> Response:
        """Return an error in Okta's shape."""
        return refusal(fault.status, f"E{fault.status:07}")

    def answer(self, asked: Asked, does: str) -> Response:
        """Answer one request."""
        given = asked.headers.get("authorization")
        if given not in {f"SSWS {TOKEN}", f"SSWS{TOKEN}"}:  # Okta's own client leaves out the space
            return refusal(401, "E0000011")
        path = asked.path.removeprefix("/api/v1")
        if path == "/users":
            return self.page(self.chosen(asked.text("filter") or asked.text("search")), asked, does, 200)
        if path == "/groups":
            groups = [{key: group[key] for key in group if key != "users"} for group in self.groups]
            return self.page(groups, asked, does, 10_000)
        if found := re.fullmatch("/groups/([^/]+)/users", path):
            group = next((one for one in self.groups if one["id"] == unquote(found[1])), None)
            if group is None:
                return refusal(404, "E0000007")
            members = {user["id"] for user in group["users"]}
            return self.page([user for user in self.users if user["id"] in members], asked, does, 1000)
        return refusal(404, "E0000022")

    def chosen(self, condition: str | None) -> list[Json]:
        """Return the users that a filter finds; without one, all who are not deprovisioned."""
        if condition is None:
            return [user for user in self.users if user["status"] != "DEPROVISIONED"]
        found = re.fullmatch(r'status eq "([A-Z_]+)"', condition)
        return [user for user in self.users if found and user["status"] == found[1]]

    def page(self, entries: list[Json], asked: Asked, does: str, most: int) -> Response:
        """Return a page; the cursor is the id of the last entry of the page before."""
        size = min(int(asked.text("limit") or most), most)
        after = asked.text("after")
        ids = [entry["id"] for entry in entries]
        start = ids.index(after) + 1 if after in ids else 0
        begin = {"stick": 0, "repeat": max(start - 1, 0)}.get(does, start)
        page = entries[begin : begin + size]
        address = f"{asked.origin}{asked.path}"
        links = [f'<{address}?limit={size}>; rel="self"']
        if begin + size < len(entries):
            cursor = after if does == "still" and after else page[-1]["id"]
            links.append(f'<{address}?after={quote(cursor)}&limit={size}>; rel="next"')
        response = reply(page, headers={"X-Rate-Limit-Limit": "600", "X-Rate-Limit-Remaining": "599"})
        for link in links if self.links else ():
            response.headers.append("Link", link)  # one header for each, as Okta sends them
        return response

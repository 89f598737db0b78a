"""Auth0's Management API.

``GET /users`` is paged by number and ends at 1,000 records; an export job has no such end. Roles are not in
the user object: they are listed once, with the users of each; those in an organization are listed with its
members. A 429 says when to go on in ``x-ratelimit-reset``.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pydantic import SecretStr

from clerk_cerbos_lab.errors import KeyMissingError, ProviderError, UsersError
from clerk_cerbos_lab.identity.auth0.users import holders
from clerk_cerbos_lab.identity.keys import hide, is_plain, secret
from clerk_cerbos_lab.identity.memberships import joined
from clerk_cerbos_lab.identity.remote import Api, Service, checked_url, origin, reset_at
from clerk_cerbos_lab.identity.user_files import UserFile
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as Dict

    from clerk_cerbos_lab.identity.listed import Listed
    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.people import Joined
    from clerk_cerbos_lab.identity.remote import Filter

PAGE: Final = 100

LAST: Final = 1_000
"""The number of records at which paging ends."""

POLL: Final = 5.0
"""Seconds between two questions about an export job, at most."""

FILTERS: Final = frozenset({"q"})

SERVICE: Final = Service(
    title="Auth0",
    key="Management API token",
    error=ProviderError,
    wait=reset_at("x-ratelimit-reset"),
    codes=lambda body, headers: (body.get("errorCode") or body.get("error"), headers.get("x-request-id")),
    needs=(
        " (it needs read:users; read:roles if the mapping reads assigned_roles; and read:organizations, "
        "read:organization_members and read:organization_member_roles if it reads organization_roles)"
    ),
)


def connect(key: SecretStr | None, url: str | None, budget: float) -> Api:
    """The API, with a token that is given, in AUTH0_MGMT_TOKEN, or asked for with client credentials."""
    given = url or os.environ.get("AUTH0_DOMAIN")
    if not given:
        msg = "no Auth0 domain: set AUTH0_DOMAIN, such as example.eu.auth0.com, or load a file of users"
        raise KeyMissingError(msg)
    text = given if "://" in given else f"https://{given}"
    tenant = checked_url(text, "Auth0", "https://example.eu.auth0.com").removesuffix("/api/v2")
    held = key or hide(os.environ.get("AUTH0_MGMT_TOKEN") or None)
    client = os.environ.get("AUTH0_CLIENT_ID")
    client_secret = hide(os.environ.get("AUTH0_CLIENT_SECRET") or None)
    with ExitStack() as opened:
        api = opened.enter_context(Api(SERVICE, tenant, budget))
        if held is None and client and client_secret:
            held = _token(api, client, client_secret)
        api.url = f"{tenant}/api/v2"
        api.authorize("Bearer", _checked(held))
        opened.pop_all()
        return api


def _checked(held: SecretStr | None) -> SecretStr:
    token = secret(
        held,
        "AUTH0_MGMT_TOKEN",
        "Auth0 Management API token: ",
        "no Auth0 token: set AUTH0_MGMT_TOKEN, or AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET of an application "
        "that may use the Management API, or load a file of users",
    )
    if not is_plain(token):
        msg = "that is not an Auth0 Management API token: one has no spaces"
        raise KeyMissingError(msg)
    return token


def _token(api: Api, client: str, client_secret: SecretStr) -> SecretStr:
    def body() -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": client_secret.get_secret_value(),
            "audience": f"{api.url}/api/v2/",
        }

    answer = api.ask("/oauth/token", method="POST", json=body).body
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        msg = "Auth0's response to the client credentials had no access_token; is the domain right?"
        raise ProviderError(msg)
    return SecretStr(token)


def join(api: Api, mapping: Mapping) -> Joined:
    """The roles of each user, and those in organizations, if the mapping reads them."""
    lists = mapping.lists()
    roles = _roles(api) if "assigned_roles" in lists else iter(())
    organizations = _organizations(api) if "organization_roles" in lists else iter(())
    entries = itertools.chain(roles, organizations)
    return joined(entries, holders, "roles and members", "Auth0's lists", error=ProviderError)


def _roles(api: Api) -> Iterator[dict[str, Any]]:
    """Every role with its users."""
    listed: dict[str, str] = {}
    page = 0
    while True:
        answer = api.get("/roles", {"page": page, "per_page": PAGE, "include_totals": "true"})
        roles, total = _part(answer, "roles", list), _part(answer, "total", int)
        before = len(listed)
        for role in roles:
            own, name = (role.get("id"), role.get("name")) if isinstance(role, dict) else (None, None)
            if not isinstance(own, str) or not isinstance(name, str):
                msg = "Auth0's list of roles has one without an id or a name; nothing is kept"
                raise ProviderError(msg)
            listed.setdefault(own, name)
        page += 1
        if len(listed) >= total:
            break
        if len(listed) == before:
            msg = f"Auth0 listed {len(listed):,} roles but counts {total:,}: nothing is kept; try again"
            raise ProviderError(msg)
    for own, name in listed.items():
        path = f"/roles/{quote(own, safe='')}/users"
        users = [{"user_id": user["user_id"]} for user in _entries(api, path, "users", "user_id")]
        yield {"name": name, "users": users}


def _organizations(api: Api) -> Iterator[dict[str, Any]]:
    """The members of every organization, with their roles in it."""
    every = [one["id"] for one in _entries(api, "/organizations", "organizations", "id")]
    members = unseen = 0
    with progress(len(every), "organizations") as advance:
        for own in every:
            path = f"/organizations/{quote(own, safe='')}/members"
            found = list(_entries(api, path, "members", "user_id", {"fields": "user_id,roles"}))
            members += len(found)
            unseen += sum("roles" not in one for one in found)
            advance(1)
            yield {"members": [{"roles": [], **one} for one in found]}
    if members and unseen == members:  # roles are left out of a list unless they are asked for
        msg = (
            f"Auth0 listed {members:,} members of organizations and no roles of any: may the token read them "
            "(read:organization_member_roles)? nothing is kept"
        )
        raise ProviderError(msg)


def _entries(
    api: Api, path: str, name: str, key: str, params: Dict[str, Filter] | None = None
) -> Iterator[dict[str, Any]]:
    """The entries of a list that has a cursor, each once."""
    seen: set[str] = set()
    cursor: dict[str, Filter] = {}
    while True:
        answer = api.get(path, {**(params or {}), "take": PAGE, **cursor})
        before = len(seen)
        entries = _part(answer, name, list)
        for entry in entries:
            own = entry.get(key) if isinstance(entry, dict) else None
            if not isinstance(own, str):
                msg = f"Auth0's list of {name} has one without {key}; nothing is kept"
                raise ProviderError(msg)
            if own not in seen:
                seen.add(own)
                yield entry
        following = answer.get("next")
        if not following:
            return
        if (entries and len(seen) == before) or following == cursor.get("from"):
            msg = f"Auth0's list of {name} repeats itself after {len(seen):,}; nothing is kept"
            raise ProviderError(msg)
        cursor = {"from": str(following)}


def _part(answer: Any, name: str, kind: type) -> Any:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        msg = f"Auth0's response had no {name}; is the API address right?"
        raise ProviderError(msg)
    return value


def load(api: Api, mapping: Mapping, listed: Listed, filters: Dict[str, Filter]) -> None:
    """List all users: in pages up to 1,000 or with a filter, else by an export job."""
    fields = tuple(dict.fromkeys(["user_id", "blocked", "created_at", *mapping.first_steps()]))
    search = _Search(api, fields, str(filters.get("q", "")))
    first = search.page(0)
    before = _part(first, "total", int)
    with progress(before, "users") as advance:
        if before <= LAST or filters:
            after = _load_pages(search, first, listed, advance)
            if after < before:
                msg = "users were deleted while Auth0's list was loaded, so one can be missing; try again"
                raise ProviderError(msg)
        else:
            _export(api, fields, listed, advance)
            after = search.total()
    found = len(listed.people)
    if not min(before, after) <= found <= max(before, after):
        msg = (
            f"Auth0 listed {found:,} users but counts {after:,}: the list is incomplete, nothing is kept; "
            "try again"
        )
        raise ProviderError(msg)


@dataclass(frozen=True, slots=True)
class _Search:
    """A list of users, oldest first."""

    api: Api
    fields: tuple[str, ...]
    query: str

    def page(self, number: int, since: str = "", size: int = PAGE) -> Any:
        """A page of those who were created since a time."""
        window = f'created_at:["{since}" TO *]' if since else ""
        query = " AND ".join(part for part in (f"({self.query})" if self.query else "", window) if part)
        params: dict[str, Filter] = {
            "page": number,
            "per_page": size,
            "include_totals": "true",
            "sort": "created_at:1",
            "fields": ",".join(self.fields),
            "include_fields": "true",
        }
        return self.api.get("/users", params | ({"q": query, "search_engine": "v3"} if query else {}))

    def total(self) -> int:
        """How many users there are."""
        total: int = _part(self.page(0, size=1), "total", int)
        return total


def _load_pages(search: _Search, first: Any, listed: Listed, advance: Callable[[int], object]) -> int:
    """Load in pages, and return how many users Auth0 counts in the end.

    Beyond 1,000 records, the pages begin again at the time at which the last user was created.
    """
    since, page, answer = "", 0, first
    while True:
        users, counted = _part(answer, "users", list), _part(answer, "total", int)
        advance(listed.add(users, overlap=bool(since) and page == 0))
        page += 1
        if page * PAGE >= counted:
            return search.total() if since else counted
        if page * PAGE >= LAST:
            until = users[-1].get("created_at") if users else None
            if not isinstance(until, str) or until == since:
                msg = "more than 1,000 users of Auth0 were created at once: load them without filters"
                raise ProviderError(msg)
            since, page = until, 0
        answer = search.page(page, since)


def _export(api: Api, fields: tuple[str, ...], listed: Listed, advance: Callable[[int], object]) -> None:
    """Have all users exported, and read the file."""
    wanted = {"format": "json", "fields": [{"name": name} for name in fields]}
    job = api.ask("/jobs/users-exports", method="POST", json=lambda: wanted).body
    asked = 0
    while True:
        status = _part(job, "status", str)
        if status == "completed":
            break
        if status not in {"pending", "processing"}:
            msg = "Auth0's export of the users failed; nothing is kept; try again"
            raise ProviderError(msg)
        if asked:
            left = job.get("time_left_seconds")
            api.wait(min(POLL, max(1.0, float(left) if isinstance(left, int) else asked)))
        asked += 1
        job = api.get(f"/jobs/{quote(_part(job, 'id', str), safe='')}")
    location = _part(job, "location", str)
    scheme, host, _ = origin(location)
    if scheme != "https" and host not in {"localhost", "127.0.0.1", "::1"}:
        msg = "Auth0's export file is not at an https address: it is not fetched"
        raise ProviderError(msg)
    problem = ""
    with tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as folder:  # readable by nobody else
        path = Path(folder, "export")
        with path.open("wb") as file:
            api.download(location, file)
        try:
            for entry in UserFile(path, "Auth0 users", name="Auth0's export file", bar=False):
                advance(listed.add([entry]))
        except UsersError as error:
            problem = str(error)
    if problem:
        msg = f"{problem}; nothing is kept; try again"
        raise ProviderError(msg)

"""Every identity source in the same small form, for the tests that all of them have to pass.

Eight people, three to a page, with the role `manager` for seven of them and `finance` for two.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import auth0_server
import clerk_server
import okta_server
import pandas as pd
import pytest
import workos_server
from local_server import Backend, LocalServer, running

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity import remote
from clerk_cerbos_lab.identity.auth0 import api as auth0_api
from clerk_cerbos_lab.identity.clerk import api as clerk_api
from clerk_cerbos_lab.identity.okta import api as okta_api
from clerk_cerbos_lab.identity.workos import api as workos_api

DATA = Path(__file__).parents[2] / "data"

Json = dict[str, Any]

PEOPLE = 8
MANAGERS, FINANCE = range(7), range(5, 7)
SIZE = 3


def sample(name: str) -> list[Json]:
    """Return the entries of a sample file."""
    loaded = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    entries: list[Json] = loaded["data"] if isinstance(loaded, dict) else loaded
    return entries


def when(number: int) -> str:
    """Return a time; later numbers are later."""
    return f"2026-01-01T00:00:00.{number:03}Z"


def people(name: str, id_: str, form: str, count: int = PEOPLE) -> list[Json]:
    """Return as many users like the first of a sample, the oldest first."""
    return [{**sample(name)[0], id_: form.format(n), "created_at": when(n)} for n in range(count)]


def clerk_users(count: int = PEOPLE) -> list[Json]:
    """Return Clerk users whose roles are in the metadata."""
    found = people("clerk_users", "id", "user_{:04}", count)
    for number, user in enumerate(found):
        role = [r for r, held in (("manager", MANAGERS), ("finance", FINANCE)) if number in held]
        user.update(created_at=number, public_metadata={"roles": role} if role else {})
    return found


def holding(key: str, ids: list[str]) -> dict[str, list[Json]]:
    """Return who has which role."""
    return {
        "manager": [{key: ids[n]} for n in MANAGERS],
        "finance": [{key: ids[n]} for n in FINANCE],
    }


def auth0_backend() -> Backend:
    """Return Auth0 with two roles."""
    users = people("auth0_users", "user_id", "auth0|{:04}")
    held = holding("user_id", [user["user_id"] for user in users])
    roles = [{"id": f"rol_{n}", "name": n, "description": n, "users": who} for n, who in held.items()]
    return auth0_server.Auth0Backend(users, roles)


def auth0_organizations_backend() -> Backend:
    """Return Auth0 with an organization for each role, and two that have no members."""
    users = people("auth0_users", "user_id", "auth0|{:04}")
    organizations = [
        {
            "id": f"org_{role}",
            "name": role,
            "display_name": role,
            "members": [{**one, "name": "x", "roles": [{"id": f"rol_{role}", "name": role}]} for one in who],
        }
        for role, who in holding("user_id", [user["user_id"] for user in users]).items()
    ]
    empty: list[Json] = [
        {"id": f"org_{n}", "name": n, "display_name": n, "members": []} for n in ("new", "old")
    ]
    return auth0_server.Auth0Backend(users, organizations=[*organizations, *empty])


def okta_backend() -> Backend:
    """Return Okta with two groups and Everyone; the last user was deprovisioned."""
    users = people("okta_users", "id", "00u{:04}")
    users[-1] = {**users[-1], "status": "DEPROVISIONED"}
    for user in users:
        del user["created_at"]
    held = holding("id", [user["id"] for user in users])
    like = sample("okta_groups")
    groups = [{**like[1], "id": f"00g{n}", "profile": {"name": n}, "users": who} for n, who in held.items()]
    return okta_server.OktaBackend(users, [{**like[0], "users": users}, *groups])


def workos_backend() -> Backend:
    """Return WorkOS with two organizations, one for each role."""
    users = people("workos_users", "id", "user_{:04}")
    like = sample("workos_organization_memberships")[0]
    memberships = [
        {
            **like,
            "id": f"om_{role}_{one['id']}",
            "user_id": one["id"],
            "organization_id": f"org_{role}",
            "organization_name": role,
            "role": {"slug": role},
            "roles": [{"slug": role}],
        }
        for role, who in holding("id", [user["id"] for user in users]).items()
        for one in who
    ]
    return workos_server.WorkOSBackend(users, memberships)


def directory_backend() -> Backend:
    """Return a directory of WorkOS, whose users hold their groups."""
    users = people("workos_directory_users", "id", "directory_user_{:04}")
    like = next(user["groups"][0] for user in sample("workos_directory_users") if user["groups"])
    for number, user in enumerate(users):
        names = [r for r, held in (("manager", MANAGERS), ("finance", FINANCE)) if number in held]
        user["groups"] = [{**like, "name": name} for name in names]
    return workos_server.WorkOSBackend(directory=users)


def epoch(name: str) -> Callable[[], dict[str, str]]:
    """Return a header that lifts a limit in five seconds."""
    return lambda: {name: str(int(time.time()) + 5)}


def after() -> dict[str, str]:
    """Return the header that asks for five seconds."""
    return {"Retry-After": "5"}


@dataclass(frozen=True)
class Case:
    """One source.

    Attributes:
        provider: as `lab.load_principals` names it.
        backend: makes what the server answers.
        key: of the API.
        base: what follows the server's address.
        ids: of the people, in the order in which they are listed.
        requests: how many a load takes.
        limited: the headers of a 429 that asks for five seconds.
        mapping: reads the roles.
        gaps: faults that this source does not have or can't recover from, with the reason.
    """

    provider: str
    backend: Callable[[], Backend]
    key: str
    base: str
    ids: str
    requests: int
    limited: Callable[[], dict[str, str]]
    mapping: Json = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)

    def load(self, server: LocalServer, **options: Any) -> pd.DataFrame:
        """Load the principals from a local server."""
        plan = options.pop("mapping", None) or lab.Mapping(provider=self.provider, **self.mapping)  # type: ignore[arg-type]
        return lab.load_principals(mapping=plan, key=self.key, api_url=server.origin + self.base, **options)

    def everybody(self) -> list[str]:
        """Return the ids of all people."""
        return [self.ids.format(number) for number in range(PEOPLE)]


NUMBERED = "its pages are numbered: an entry that comes twice pushes another out, which the count shows"
COUNTED = "it has a count, with which the list is compared"
NO_COUNT = "it has no count: the members of its groups or organizations have to be in the list"
FLAT: Json = {"metadata": (), "profile": {}}

CASES = {
    "clerk": Case(
        *(
            "clerk",
            lambda: clerk_server.Backend(clerk_users()),
            clerk_server.KEY,
            "/v1",
            "user_{:04}",
            5,
            after,
        ),
        gaps={"still": "its cursor is the last id that was listed"},
    ),
    "auth0": Case(
        *("auth0", auth0_backend, auth0_server.TOKEN, "", "auth0|{:04}", 8, epoch("x-ratelimit-reset")),
        mapping=FLAT,
        gaps={"repeat": NUMBERED},
    ),
    "auth0 export": Case(
        *("auth0", auth0_backend, auth0_server.TOKEN, "", "auth0|{:04}", 11, epoch("x-ratelimit-reset")),
        mapping=FLAT,
        gaps={"repeat": NUMBERED},
    ),
    "auth0 organizations": Case(
        *("auth0", auth0_organizations_backend, auth0_server.TOKEN, "", "auth0|{:04}", 11),
        epoch("x-ratelimit-reset"),
        mapping={**FLAT, "roles": ("organization_roles",)},
        gaps={"repeat": NUMBERED},
    ),
    "okta": Case(
        *("okta", okta_backend, okta_server.TOKEN, "", "00u{:04}", 9, epoch("X-Rate-Limit-Reset")),
        mapping=FLAT,
        gaps={"count": NO_COUNT},
    ),
    "workos": Case(
        *("workos", workos_backend, workos_server.KEY, "", "user_{:04}", 8, after),
        mapping={**FLAT, "roles": ("organization_roles",)},
        gaps={"count": NO_COUNT},
    ),
    "workos-directory": Case(
        *("workos-directory", directory_backend, workos_server.KEY, "", "directory_user_{:04}", 3, after),
        mapping={**FLAT, "roles": ("group_names",)},
        gaps={"count": "it has neither a count nor members to compare with: its cursor has to end"},
    ),
}


@contextmanager
def compressed(
    monkeypatch: pytest.MonkeyPatch, case: str = "", seconds: float = 0.2
) -> Iterator[list[float]]:
    """Use small pages, wait for nothing (the waits are listed), and give a request little time."""
    waits: list[float] = []
    with monkeypatch.context() as patch:
        for module in (auth0_api, clerk_api, okta_api, workos_api):
            patch.setattr(module, "PAGE", SIZE)
        if case == "auth0 export":
            patch.setattr(auth0_api, "LAST", SIZE)
        patch.setattr(remote, "pause", waits.append)
        patch.setattr(remote, "REQUEST_SECONDS", seconds)
        yield waits


@contextmanager
def served(name: str) -> Iterator[LocalServer]:
    """Run the server of a case."""
    with running(CASES[name].backend()) as server:
        yield server

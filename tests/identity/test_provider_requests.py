"""Ten thousand users with roles take few requests and little time, whatever the provider."""

import math
import time
from collections.abc import Callable
from typing import Any

import auth0_server
import okta_server
import pytest
import workos_server
from local_server import Backend, running
from provider_cases import compressed, sample, when

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity import remote

Json = dict[str, Any]

USERS = 10_000
ROLES = {"employee": 10_000, "manager": 1_234, "finance": 300, "admin": 7, "nobody": 0}
ENOUGH = 3.0  # seconds of CPU, the server's not counted


def many(name: str, key: str, form: str) -> list[Json]:
    """Return ten thousand users like the first of a sample."""
    first = sample(name)[0]
    moments = [f"2026-01-01T{n // 3600:02}:{n % 3600 // 60:02}:{n % 60:02}.000Z" for n in range(USERS)]
    return [{**first, key: form.format(n), "created_at": at} for n, at in enumerate(moments)]


def auth0() -> Backend:
    users = many("auth0_users", "user_id", "auth0|{:05}")
    roles = [
        {"id": f"rol_{name}", "name": name, "description": "", "users": users[:count]}
        for name, count in ROLES.items()
    ]
    return auth0_server.Auth0Backend(users, roles)


def auth0_organizations() -> Backend:
    users = many("auth0_users", "user_id", "auth0|{:05}")
    organizations = [
        {
            "id": f"org_{name}",
            "name": name,
            "display_name": name,
            "members": [
                {"user_id": user["user_id"], "roles": [{"id": name, "name": name}]} for user in users[:n]
            ],
        }
        for name, n in ROLES.items()
    ]
    return auth0_server.Auth0Backend(users, organizations=organizations)


def okta() -> Backend:
    users = many("okta_users", "id", "00u{:05}")
    like = sample("okta_groups")[1]
    groups = [
        {**like, "id": f"00g{name}", "profile": {"name": name}, "users": users[:count]}
        for name, count in ROLES.items()
    ]
    return okta_server.OktaBackend(users, groups)


def workos() -> Backend:
    users = many("workos_users", "id", "user_{:05}")
    like = sample("workos_organization_memberships")[0]
    memberships = [
        {
            **like,
            "id": f"om_{name}_{user['id']}",
            "user_id": user["id"],
            "organization_id": f"org_{name}",
            "organization_name": name,
            "role": {"slug": name},
            "roles": [{"slug": name}],
        }
        for name, count in ROLES.items()
        for user in users[:count]
    ]
    return workos_server.WorkOSBackend(users, memberships)


def pages(size: int) -> int:
    """Return the requests that the bar allows."""
    members = sum(math.ceil(count / size) for count in ROLES.values())
    return math.ceil(USERS / size) + math.ceil(len(ROLES) / size) + members + 20


Case = tuple[str, Callable[[], Backend], str, Json, int]

CASES: list[Case] = [
    ("auth0", auth0, auth0_server.TOKEN, {}, pages(100) - 100),
    ("auth0 by pages", auth0, auth0_server.TOKEN, {"filters": {"q": "user_id:*"}}, pages(100)),
    ("auth0 organizations", auth0_organizations, auth0_server.TOKEN, {}, pages(100) - 100),
    ("okta", okta, okta_server.TOKEN, {}, pages(200)),
    ("workos", workos, workos_server.KEY, {}, pages(100)),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_ten_thousand_users_with_roles_take_few_requests(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    name, backend, key, options, most = case
    provider = name.split(maxsplit=1)[0]
    lists = {"workos": "organization_roles", "auth0": "assigned_roles", "okta": "groups"}
    roles = ("organization_roles" if name.endswith("organizations") else lists[provider],)
    plan = lab.Mapping.of(provider, roles=roles, metadata=(), profile={})  # type: ignore[arg-type] # one of them
    waits: list[float] = []
    monkeypatch.setattr(remote, "pause", waits.append)
    with running(backend()) as server:
        begin = time.thread_time()  # the server has its own thread
        frame = lab.load_principals(mapping=plan, key=key, api_url=server.origin, **options)
        took = time.thread_time() - begin
    assert frame["id"].tolist() == [frame["id"].iloc[0][:-5] + f"{n:05}" for n in range(USERS)]
    assert [len(own) for own in frame["roles"]][:8] == [4, 4, 4, 4, 4, 4, 4, 3]
    held = frame["roles"].explode().value_counts()
    assert held.to_dict() == {role: count for role, count in ROLES.items() if count}
    assert len(server.requests) <= most
    assert took <= ENOUGH


def test_more_than_a_thousand_users_who_were_created_at_once_need_the_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = [{"user_id": f"auth0|{n}", "created_at": when(min(3, n))} for n in range(20)]
    with running(auth0_server.Auth0Backend(users)) as server, compressed(monkeypatch, "auth0 export", 30):
        plan = lab.Mapping.of("auth0", roles=("app_metadata.role",), profile={})
        options: Json = {"mapping": plan, "key": auth0_server.TOKEN, "api_url": server.origin}
        with pytest.raises(lab.ProviderError, match="created at once: load them without filters"):
            lab.load_principals(filters={"q": "user_id:*"}, **options)
        assert len(lab.load_principals(**options)) == 20


def test_users_who_are_deleted_while_pages_are_loaded_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    users = [{"user_id": f"auth0|{n}", "created_at": when(n)} for n in range(9)]
    backend = auth0_server.Auth0Backend(users)
    monkeypatch.setattr(backend, "join", lambda: backend.users.pop(0))
    with running(backend, [(2, 200, {}, None, "join")]) as server, compressed(monkeypatch, "auth0", 30):
        plan = lab.Mapping.of("auth0", roles=("app_metadata.role",), profile={})
        with pytest.raises(lab.ProviderError, match="deleted while"):
            lab.load_principals(mapping=plan, key=auth0_server.TOKEN, api_url=server.origin)


def test_a_list_without_a_member_of_a_group_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = sample("okta_groups")
    groups[1]["users"].append({"id": "00uabsent"})
    backend = okta_server.OktaBackend(sample("okta_users"), groups)
    absent = {"id": "00uabsent", "status": "ACTIVE", "profile": {}}
    chosen = backend.chosen
    monkeypatch.setattr(backend, "chosen", lambda text: [one for one in chosen(text) if one != absent])
    backend.users.append(absent)
    with running(backend) as server, pytest.raises(lab.ProviderError, match="without 1 member of its groups"):
        lab.load_principals(provider="okta", key=okta_server.TOKEN, api_url=server.origin)


def test_a_list_whose_link_headers_were_taken_out_is_refused() -> None:
    backend = okta_server.OktaBackend(sample("okta_users"), sample("okta_groups"), links="")
    with running(backend) as server, pytest.raises(lab.ProviderError, match="without a Link header"):
        lab.load_principals(provider="okta", key=okta_server.TOKEN, api_url=server.origin)


# --- roles in organizations of Auth0 ------------------------------------------------------------


def of_auth0(members: list[Json], **parts: Any) -> list[tuple[str, ...]]:
    """Return the roles of two users, one of them assigned a role, who may be members of an organization."""
    users = [{"user_id": f"auth0|{n}", "created_at": when(n)} for n in range(2)]
    roles = [{"id": "rol_1", "name": "staff", "description": "", "users": users[:1]}]
    organization = {"id": "org_1", "name": "acme", "display_name": "Acme", "members": members}
    plan = lab.Mapping.of("auth0", profile={}, **parts)
    with running(auth0_server.Auth0Backend(users, roles, organizations=[organization])) as server:
        frame = lab.load_principals(mapping=plan, key=auth0_server.TOKEN, api_url=server.origin)
    return frame["roles"].tolist()


def test_roles_in_organizations_can_be_read_or_added_to_assigned_roles() -> None:
    admin = [{"id": "rol_2", "name": "admin"}, {"id": "rol_1", "name": "staff"}]
    members: list[Json] = [{"user_id": "auth0|0", "roles": admin}, {"user_id": "auth0|1", "roles": []}]
    assert of_auth0(members, roles=("organization_roles",)) == [("admin", "staff"), ("user",)]
    assert of_auth0(members, organization_roles=True) == [("staff", "admin"), ("user",)]
    assert of_auth0(members) == [("staff",), ("user",)]
    assert of_auth0([{"user_id": "auth0|1"}, members[0]], organization_roles=True)[1] == ("user",)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([{"user_id": "auth0|0"}, {"user_id": "auth0|1"}], r"2 members .*\(read:organization_member_roles"),
        (
            [{"user_id": "auth0|0", "roles": "admin"}],
            "Auth0's lists should contain roles and members, and entry 0",
        ),
        ([{"user_id": "auth0|0", "roles": [{"id": "rol_2"}]}], "entry 0 is something else"),
        ([{"roles": []}], "list of members has one without user_id"),
    ],
)
def test_members_whose_roles_are_not_readable_are_an_error(members: list[Json], words: str) -> None:
    with pytest.raises(lab.ProviderError, match=words):
        of_auth0(members, roles=("organization_roles",))

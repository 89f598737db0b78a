"""The local APIs of Auth0, Okta and WorkOS, and the samples, are as published; official clients read them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import auth0_server
import httpx
import okta_server
import pytest
import workos_server
from auth0.authentication import GetToken
from auth0.management import Auth0
from local_server import Backend, Fault, LocalServer, running
from okta.client import Client as Okta
from provider_cases import sample
from published import answer_schema, errors, parameters
from workos import WorkOSClient

Json = dict[str, Any]


def organizations() -> list[Json]:
    """Return two organizations of Auth0: the holders of two of the sample's roles, who have it there."""
    found = []
    for role in sample("auth0_roles")[1:3]:
        held = [{"id": role["id"], "name": role["name"]}]
        members = [{**user, "name": "x", "picture": "x", "roles": held} for user in role["users"]]
        own = f"org_{role['name']:0<16}"
        found.append({"id": own, "name": role["name"], "display_name": role["name"], "members": members})
    return found


BACKENDS: dict[str, Callable[[], Backend]] = {
    "auth0": lambda: auth0_server.Auth0Backend(
        sample("auth0_users"), sample("auth0_roles"), organizations=organizations()
    ),
    "okta": lambda: okta_server.OktaBackend(sample("okta_users"), sample("okta_groups")),
    "workos": lambda: workos_server.WorkOSBackend(
        sample("workos_users"),
        sample("workos_organization_memberships"),
        sample("workos_directory_users"),
    ),
}

HEADERS = {
    "auth0": {"Authorization": f"Bearer {auth0_server.TOKEN}"},
    "okta": {"Authorization": f"SSWS {okta_server.TOKEN}"},
    "workos": {"Authorization": f"Bearer {workos_server.KEY}"},
}

ROLE = sample("auth0_roles")[0]["id"]
GROUP = sample("okta_groups")[0]["id"]
ORGANIZATION = sample("workos_organization_memberships")[0]["organization_id"]

# provider, the description's path, the server's path
ENDPOINTS = [
    ("auth0", "/users", "/api/v2/users?include_totals=true&per_page=100&sort=created_at:1"),
    ("auth0", "/users", "/api/v2/users?per_page=7&page=2&fields=user_id,app_metadata&include_fields=true"),
    ("auth0", "/users", "/api/v2/users?q=blocked:true&search_engine=v3"),
    ("auth0", "/roles", "/api/v2/roles?include_totals=true&per_page=3&page=0"),
    ("auth0", "/roles/{id}/users", f"/api/v2/roles/{ROLE}/users?take=3"),
    ("auth0", "/roles/{id}/users", f"/api/v2/roles/{ROLE}/users?take=100&from=3"),
    (
        "auth0",
        "/organizations/{id}/members",
        f"/api/v2/organizations/{organizations()[0]['id']}/members?take=3&from=3&fields=user_id,roles",
    ),
    (
        "auth0",
        "/organizations/{id}/members",
        f"/api/v2/organizations/{organizations()[1]['id']}/members?take=9",
    ),
    ("okta", "/api/v1/users", "/api/v1/users?limit=200"),
    ("okta", "/api/v1/users", "/api/v1/users?limit=5&filter=status eq %22SUSPENDED%22"),
    ("okta", "/api/v1/groups", "/api/v1/groups?limit=200"),
    ("okta", "/api/v1/groups/{groupId}/users", f"/api/v1/groups/{GROUP}/users?limit=200"),
    ("workos", "/user_management/users", "/user_management/users?limit=100&order=asc"),
    (
        "workos",
        "/user_management/organization_memberships",
        f"/user_management/organization_memberships?limit=100&organization_id={ORGANIZATION}",
    ),
    ("workos", "/directory_users", "/directory_users?limit=100"),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, LocalServer]]:
    """Return a server of each provider with the sample."""
    with (
        running(BACKENDS["auth0"]()) as auth0,
        running(BACKENDS["okta"]()) as okta,
        running(BACKENDS["workos"]()) as workos,
    ):
        yield {"auth0": auth0, "okta": okta, "workos": workos}


def get(server: LocalServer, provider: str, path: str) -> httpx.Response:
    return httpx.get(server.origin + path, headers=HEADERS[provider])


# --- the published descriptions -----------------------------------------------------------------


@pytest.mark.parametrize(("provider", "described", "path"), ENDPOINTS)
def test_responses_have_the_published_shape(
    provider: str, described: str, path: str, servers: dict[str, LocalServer]
) -> None:
    answer = get(servers[provider], provider, path)
    assert answer.status_code == 200
    schema = answer_schema(provider, "get", described, 200)
    assert schema is not None
    assert errors(provider, schema, answer.json()) == []
    assert set(dict(answer.request.url.params)) <= parameters(provider, described)


def test_an_export_job_has_the_published_shape(servers: dict[str, LocalServer]) -> None:
    address = f"{servers['auth0'].origin}/api/v2/jobs"
    wanted = {"format": "json", "fields": [{"name": "user_id"}, {"name": "app_metadata"}]}
    schema = {"$ref": "#/components/schemas/CreateExportUsersRequestContent"}
    assert errors("auth0", schema, wanted) == []
    made = httpx.post(f"{address}/users-exports", json=wanted, headers=HEADERS["auth0"])
    schema = {"$ref": "#/components/schemas/CreateExportUsersResponseContent"}
    assert errors("auth0", schema, {**made.json(), "connection_id": "con_0000000000000001"}) == []
    for status in ("processing", "completed"):
        state = httpx.get(f"{address}/{made.json()['id']}", headers=HEADERS["auth0"])
        assert state.json()["status"] == status
        assert errors("auth0", {"$ref": "#/components/schemas/GetJobResponseContent"}, state.json()) == []


@pytest.mark.parametrize("status", [403, 404, 422, 429])
@pytest.mark.parametrize(("provider", "described", "path"), ENDPOINTS)
def test_refusals_have_the_published_shape(
    provider: str, described: str, path: str, status: int, servers: dict[str, LocalServer]
) -> None:
    schema = answer_schema(provider, "get", described, status)
    if schema is None:
        return  # the description has no such response, or gives no shape
    servers[provider].reset([Fault(1, status)])
    answer = get(servers[provider], provider, path)
    assert answer.status_code == status
    assert errors(provider, schema, answer.json()) == []
    servers[provider].reset()


@pytest.mark.parametrize(
    ("provider", "schema", "file"),
    [
        ("auth0", "UserResponseSchema", "auth0_users"),
        ("okta", "User", "okta_users"),
        ("workos", "UserlandUser", "workos_users"),
        ("workos", "UserlandUserOrganizationMembership", "workos_organization_memberships"),
        ("workos", "DirectoryUserWithGroups", "workos_directory_users"),
    ],
)
def test_every_sample_has_the_published_shape(provider: str, schema: str, file: str) -> None:
    for entry in sample(file):
        assert errors(provider, {"$ref": f"#/components/schemas/{schema}"}, entry) == []
        assert errors(
            provider, {"$ref": f"#/components/schemas/{schema}"}, {**entry, "created_at": 7, "id": 7}
        )


@pytest.mark.parametrize("provider", BACKENDS)
def test_a_wrong_key_is_refused(provider: str, servers: dict[str, LocalServer]) -> None:
    path = next(path for own, _, path in ENDPOINTS if own == provider)
    answer = httpx.get(servers[provider].origin + path, headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


# --- the official clients -----------------------------------------------------------------------


@contextmanager
def auth0_client(server: LocalServer) -> Iterator[Auth0]:
    domain = server.origin.removeprefix("http://")
    with httpx.Client() as http:
        yield Auth0(base_url=f"http://{domain}/api/v2", token=auth0_server.TOKEN, httpx_client=http)


def test_auth0s_client_parses_users_roles_and_jobs(servers: dict[str, LocalServer]) -> None:
    with auth0_client(servers["auth0"]) as client:
        users = list(client.users.list(per_page=40, sort="created_at:1"))
        assert sorted(str(user.user_id) for user in users) == sorted(
            one["user_id"] for one in sample("auth0_users")
        )
        roles = {str(role.name): str(role.id) for role in client.roles.list(per_page=3)}
        assert list(roles) == [role["name"] for role in sample("auth0_roles")]
        for role in sample("auth0_roles"):
            held = [str(user.user_id) for user in client.roles.users.list(roles[role["name"]], take=7)]
            assert held == [user["user_id"] for user in role["users"]]


def test_auth0s_client_parses_organizations_and_the_roles_of_their_members(
    servers: dict[str, LocalServer],
) -> None:
    with auth0_client(servers["auth0"]) as client:
        listed = {str(one.id): str(one.name) for one in client.organizations.list(take=1)}
        assert listed == {one["id"]: one["name"] for one in organizations()}
        for one in organizations():
            members = client.organizations.members.list(one["id"], take=7, fields="user_id,roles")
            found = {str(member.user_id): [role.name for role in member.roles or ()] for member in members}
            assert found == {member["user_id"]: [one["name"]] for member in one["members"]}
            without = client.organizations.members.list(one["id"], take=50)
            assert all(member.roles is None for member in without)


def test_oktas_client_parses_users_and_groups(
    servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKTA_TESTING_TESTINGDISABLEHTTPSCHECK", "true")

    async def ask() -> tuple[list[Any], list[Any], list[Any]]:
        config = {"orgUrl": servers["okta"].origin, "token": okta_server.TOKEN}
        async with Okta(config) as client:
            users, _, error = await client.list_users(limit=40)
            assert error is None
            more, _, error = await client.list_users(limit=60, after=users[-1].id)
            assert error is None
            users.extend(more)
            groups, _, error = await client.list_groups()
            assert error is None
            members, _, error = await client.list_group_users(GROUP)
            assert error is None
            return users, groups, members

    users, groups, members = asyncio.run(ask())
    assert len(users) == len(members) == 96
    assert [user.id for user in members] == [one["id"] for one in sample("okta_users")]
    names = [group.profile.actual_instance.name for group in groups]
    assert names == [one["profile"]["name"] for one in sample("okta_groups")]


def test_workos_client_parses_users_memberships_and_directory_users(servers: dict[str, LocalServer]) -> None:
    origin = servers["workos"].origin
    with WorkOSClient(api_key=workos_server.KEY, client_id="client_1", base_url=origin) as client:
        users = list(client.user_management.list_users(limit=40, order="asc").auto_paging_iter())
        assert [user.id for user in users] == [one["id"] for one in sample("workos_users")]
        organizations = list(client.organizations.list_organizations(limit=10).auto_paging_iter())
        assert [one.id for one in organizations] == [ORGANIZATION]
        listed = client.organization_membership.list_organization_memberships(
            organization_id=ORGANIZATION, limit=40
        )
        held = {one.user_id: one.role.slug for one in listed.auto_paging_iter()}
        assert held == {
            one["user_id"]: one["role"]["slug"] for one in sample("workos_organization_memberships")
        }
        people = list(client.directory_sync.list_users(limit=40).auto_paging_iter())
        assert {one.id for one in people} == {one["id"] for one in sample("workos_directory_users")}


def test_auth0s_client_gets_a_token(servers: dict[str, LocalServer]) -> None:
    domain = servers["auth0"].origin.removeprefix("http://")
    client = GetToken(domain, auth0_server.CLIENT[0], client_secret=auth0_server.CLIENT[1], protocol="http")
    answer = client.client_credentials(audience=f"https://{domain}/api/v2/")
    assert answer["access_token"] == auth0_server.TOKEN

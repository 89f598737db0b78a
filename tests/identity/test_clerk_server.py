"""The local Clerk API keeps to Clerk's contract, as its description and its official SDK see it."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clerk_backend_api import Clerk
from clerk_contract import (
    PUBLISHED,
    contract,
    errors,
    named,
    objects,
    parameters,
    published,
    published_answers,
    published_object,
    published_parameters,
    schema,
)
from clerk_server import KEY, MALFORMED, PARAMETERS, ClerkServer, Fault, serve

DATA = Path(__file__).parents[2] / "data"

Json = dict[str, Any]
USERS: list[Json] = json.loads((DATA / "clerk_users.json").read_text("utf-8"))
MEMBERSHIPS: list[Json] = json.loads((DATA / "clerk_organization_memberships.json").read_text("utf-8"))[
    "data"
]
IDS = [user["id"] for user in USERS]
LOCKED_OUT = {"Authorization": "Bearer sk_test_wrong"}


@pytest.fixture(scope="module")
def clerk() -> Iterator[ClerkServer]:
    """Return a server with the sample data."""
    with serve(USERS, MEMBERSHIPS) as server:
        yield server


def get(server: ClerkServer, path: str, **parameters: object) -> httpx.Response:
    """Ask with the right key."""
    query = httpx.QueryParams({name: given(value) for name, value in parameters.items()})
    header = {"Authorization": f"Bearer {KEY}"}
    return httpx.get(server.url + path, params=query, headers=header, timeout=60)


def given(value: object) -> Any:
    """Return a parameter's value, or its values."""
    return [str(part) for part in value] if isinstance(value, list) else str(value)


def ids(answer: httpx.Response) -> list[str]:
    """Return the ids of the users in an answer."""
    assert answer.status_code == 200, answer.text
    return [user["id"] for user in answer.json()]


def assert_contract(path: str, answer: httpx.Response) -> None:
    """Hold an answer against the contract of its endpoint and status."""
    answers = contract()["endpoints"][path]["answers"]
    assert answer.headers["content-type"] == "application/json"
    assert errors(answers[answer.status_code], answer.json()) == []


# --- the contract -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PARAMETERS))
def test_responses_and_refusals_have_the_published_shape(path: str, clerk: ClerkServer) -> None:
    right, wrong = get(clerk, path), get(clerk, path, nonsense=1)
    assert (right.status_code, wrong.status_code) == (200, 422)
    assert wrong.json()["errors"][0]["meta"] == {"param_name": "nonsense"}
    assert_contract(path, right)
    assert_contract(path, wrong)


def test_a_full_page_of_users_has_the_published_shape(clerk: ClerkServer) -> None:
    assert_contract("/users", get(clerk, "/users", limit=500))


@pytest.mark.parametrize("path", sorted(PARAMETERS))
def test_only_published_query_parameters_are_accepted(path: str) -> None:
    assert set(parameters(path)) >= PARAMETERS[path]
    left_out = {"web3_wallet", "provider", "provider_user_id", "last_active_at_since"}
    assert set(parameters(path)) - PARAMETERS[path] <= left_out


def test_the_contract_rejects_deviations() -> None:
    user = USERS[0]
    lacking = {name: value for name, value in user.items() if name != "username"}
    for wrong in (lacking, {**user, "id": 7}, {**user, "banned": None}, {**user, "passkeys": [{}]}):
        assert errors("User", wrong) != []
    assert errors("User", {**user, "username": None, "object": "user"}) == []
    assert errors("User", {**user, "object": "person"}) != []


def test_the_contract_is_the_one_that_clerk_publishes() -> None:
    described = set(contract()["objects"])
    answered = [
        schema(words) for own in contract()["endpoints"].values() for words in own["answers"].values()
    ]
    assert named(answered) | named(objects()) >= described  # nothing is described for nobody
    assert set(contract()["open"]) < described
    if not PUBLISHED.exists():  # Clerk's own description is no part of this project
        return
    assert contract()["version"] == published()["info"]["version"]
    for name in described:
        assert objects()[name] == published_object(name), name
    for path in contract()["endpoints"]:
        assert parameters(path) == published_parameters(path), path
        answers = contract()["endpoints"][path]["answers"]
        assert {status: schema(words) for status, words in answers.items()} == published_answers(path), path


@pytest.mark.parametrize("path", ["/users", "/organization_memberships"])
@pytest.mark.parametrize("headers", [{}, LOCKED_OUT, {"Authorization": KEY}])
def test_a_wrong_or_missing_key_is_refused(path: str, headers: dict[str, str], clerk: ClerkServer) -> None:
    answer = httpx.get(clerk.url + path, headers=headers)
    assert answer.status_code == 401
    assert_contract(path, answer)


def test_an_unknown_path_is_not_found(clerk: ClerkServer) -> None:
    answer = get(clerk, "/user")
    assert answer.status_code == 404
    assert set(answer.json()["errors"][0]) == {"message", "long_message", "code"}


# --- the official SDK ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")  # the SDK reads its own field
def test_the_official_sdk_lists_and_counts_the_users(clerk: ClerkServer) -> None:
    with Clerk(bearer_auth=KEY, server_url=clerk.url) as sdk:
        listed = sdk.users.list(request={"limit": 500})
        assert [user.id for user in listed] == IDS
        assert sdk.users.count(request={"banned": True}).total_count == 1


def test_the_official_sdk_lists_the_memberships(clerk: ClerkServer) -> None:
    with Clerk(bearer_auth=KEY, server_url=clerk.url) as sdk:
        answer = sdk.users.get_instance_organization_memberships(limit=500)
        assert answer.total_count == len(answer.data) == len(MEMBERSHIPS)


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "rows"), [(None, 10), (1, 1), (95, 95), (96, 96), (500, 96), (501, 10)])
def test_a_page_has_ten_users_by_default_and_silently_above_the_limit(
    limit: int | None, rows: int, clerk: ClerkServer
) -> None:
    answer = get(clerk, "/users", **({} if limit is None else {"limit": limit}))
    assert ids(answer) == IDS[:rows]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": "ten"},
        {"offset": -1},
        {"order_by": "age"},
        {"order_by": " created_at"},  # what an unescaped + becomes
        {"banned": "yes"},
        {"last_active_at_after": "2026-05-12"},
        {"starting_after": "user_unknown"},
        {"starting_after": IDS[0], "offset": 1},
        {"starting_after": IDS[0], "order_by": "-updated_at"},
        {"user_id": IDS + IDS},
    ],
    ids=str,
)
def test_a_bad_value_is_refused(query: Json, clerk: ClerkServer) -> None:
    answer = get(clerk, "/users", **query)
    assert answer.status_code == 422
    assert_contract("/users", answer)


@pytest.mark.parametrize("order_by", [None, "created_at", "+created_at", "-created_at"])
@pytest.mark.parametrize("limit", [7, 32, 96])
def test_the_cursor_walks_through_all_users_once(
    order_by: str | None, limit: int, clerk: ClerkServer
) -> None:
    order = {} if order_by is None else {"order_by": order_by}
    page = ids(get(clerk, "/users", limit=limit, **order))
    walked = list(page)
    while len(page) == limit:
        page = ids(get(clerk, "/users", limit=limit, starting_after=walked[-1], offset=0, **order))
        walked += page
    assert walked == (IDS if order_by in {None, "-created_at"} else IDS[::-1])


def test_users_created_at_the_same_time_are_neither_skipped_nor_repeated() -> None:
    twins = [{**user, "created_at": 1_700_000_000_000} for user in USERS]
    with serve(twins) as clerk:
        first = ids(get(clerk, "/users", limit=50))
        rest = ids(get(clerk, "/users", limit=50, starting_after=first[-1]))
    assert sorted(first + rest) == sorted(IDS)


def test_the_cursor_respects_filters(clerk: ClerkServer) -> None:
    wanted = IDS[10:20]
    first = ids(get(clerk, "/users", user_id=wanted, limit=4))
    rest = ids(get(clerk, "/users", user_id=wanted, limit=10, starting_after=first[-1]))
    assert first + rest == wanted


def test_memberships_page_by_offset_and_report_their_total(clerk: ClerkServer) -> None:
    pages = [
        get(clerk, "/organization_memberships", limit=25, offset=offset).json() for offset in (0, 25, 50, 75)
    ]
    assert [page["total_count"] for page in pages] == [60] * 4
    assert [row for page in pages for row in page["data"]] == MEMBERSHIPS


@pytest.mark.parametrize("name", ["first_name", "username", "email_address", "last_active_at"])
def test_users_come_in_the_requested_order_with_missing_values_last(name: str, clerk: ClerkServer) -> None:
    up = ids(get(clerk, "/users", limit=500, order_by=name))
    assert up == ids(get(clerk, "/users", limit=500, order_by=f"+{name}"))
    assert set(up) == set(IDS)
    known = {user["id"]: user for user in USERS}
    if name != "email_address":
        values = [known[which][name] for which in up]
        having = [value for value in values if value is not None]
        assert values == sorted(having) + [None] * (len(values) - len(having))


# --- filters ------------------------------------------------------------------------------------

SOMEBODY = USERS[30]
ADDRESS = SOMEBODY["email_addresses"][0]["email_address"]
ORGANIZATION = MEMBERSHIPS[0]["organization"]["id"]
MEMBERS = {
    row["public_user_data"]["user_id"] for row in MEMBERSHIPS if row["organization"]["id"] == ORGANIZATION
}
LATE = sorted(user["last_active_at"] or 0 for user in USERS)[60]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"user_id": IDS[3:5]}, set(IDS[3:5])),
        ({"user_id": [f"+{IDS[3]}", f"-{IDS[4]}"]}, {IDS[3]}),
        ({"user_id": f"-{IDS[4]}"}, set(IDS) - {IDS[4]}),
        ({"user_id": "user_unknown"}, set()),
        ({"email_address": ADDRESS.upper()}, {SOMEBODY["id"]}),
        ({"organization_id": ORGANIZATION}, MEMBERS),
        ({"organization_id": f"-{ORGANIZATION}"}, set(IDS) - MEMBERS),
        ({"query": ADDRESS[:-4].upper()}, {SOMEBODY["id"]}),
        ({"query": SOMEBODY["id"][5:20]}, {SOMEBODY["id"]}),
        ({"query": "🦊"}, {IDS[1]}),
        ({"banned": "true"}, {IDS[65]}),
        ({"banned": "false"}, set(IDS) - {IDS[65]}),
        (
            {"last_active_at_after": LATE},
            {user["id"] for user in USERS if (user["last_active_at"] or 0) > LATE},
        ),
        ({"created_at_before": USERS[90]["created_at"]}, set(IDS[91:])),
        ({"user_id": IDS[65], "banned": "false"}, set()),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(len(value)),
)
def test_a_filter_lists_and_counts_the_same_users(
    query: Json, expected: set[str], clerk: ClerkServer
) -> None:
    assert set(ids(get(clerk, "/users", limit=500, **query))) == expected
    counted = get(clerk, "/users/count", **query).json()
    assert counted == {"object": "total_count", "total_count": len(expected)}


def asked(server: ClerkServer) -> socket.socket:
    """Ask for users, wait until the request has arrived, and leave the answer to come."""
    host, port = server.url.removeprefix("http://").removesuffix("/v1").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"GET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n")
    while not server.requests:
        time.sleep(0.01)
    return connection


# --- what tests see and cause -------------------------------------------------------------------


def test_requests_are_recorded_without_the_key() -> None:
    with serve(USERS) as clerk:
        before = time.monotonic()
        get(clerk, "/users", user_id=IDS[:2], limit=5)
        get(clerk, "/users", odd="1")
    first, second = clerk.requests
    assert (first.method, first.path, first.status) == ("GET", "/v1/users", 200)
    assert first.query == (("user_id", IDS[0]), ("user_id", IDS[1]), ("limit", "5"))
    assert (second.query, second.status) == ((("odd", "1"),), 422)
    assert before <= first.time <= second.time
    assert "user-agent" in first.headers
    assert KEY not in repr([dict(request.headers) for request in clerk.requests])


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry-After": "2"}), (503, {}), (500, {}), (302, {"Location": "/"})],
)
def test_a_fault_responds_once_with_its_status_and_headers(status: int, headers: dict[str, str]) -> None:
    with serve(USERS, faults=[(2, status, headers)]) as clerk:
        answers = [get(clerk, "/users") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert headers.items() <= {name: answers[1].headers.get(name) for name in headers}.items()
    assert answers[1].json()["clerk_trace_id"]


def test_a_fault_can_send_malformed_json() -> None:
    with serve(USERS, faults=[Fault(1, body=MALFORMED)]) as clerk:
        answer = get(clerk, "/users")
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()


def test_a_fault_can_hang_until_the_client_gives_up() -> None:
    with serve(USERS, faults=[Fault(1, does="hang")]) as clerk:
        with asked(clerk) as waiting:
            waiting.settimeout(0.2)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
        assert ids(get(clerk, "/users")) == IDS[:10]
    assert [request.status for request in clerk.requests] == [0, 200]


def test_a_fault_can_cut_the_connection_during_the_response() -> None:
    with serve(USERS, faults=[Fault(1, does="cut")]) as clerk:
        with pytest.raises(httpx.RemoteProtocolError):
            get(clerk, "/users")
        assert ids(get(clerk, "/users")) == IDS[:10]


def test_a_fault_can_keep_the_cursor_from_advancing() -> None:
    with serve(USERS, faults=[Fault(2, does="stick")]) as clerk:
        first = ids(get(clerk, "/users"))
        assert ids(get(clerk, "/users", starting_after=first[-1])) == first
        assert ids(get(clerk, "/users", starting_after=first[-1])) == IDS[10:20]


def test_a_fault_can_repeat_a_user_that_the_client_already_has() -> None:
    with serve(USERS, faults=[Fault(2, does="repeat")]) as clerk:
        first = ids(get(clerk, "/users"))
        assert ids(get(clerk, "/users", starting_after=first[-1])) == IDS[9:19]


def test_the_port_is_free_afterwards_even_during_a_hang() -> None:
    with serve(USERS, faults=[Fault(1, does="hang")]) as clerk:
        waiting = asked(clerk)
        address = waiting.getpeername()
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_ten_thousand_users_are_served_in_seconds() -> None:
    many = [{**USERS[n % 96], "id": f"user_{n:027}", "created_at": n} for n in range(10_000)]
    with serve(many) as clerk:
        last: dict[str, str] = {}
        began, total = time.process_time(), 0  # of this process, where the server runs, too
        while page := get(clerk, "/users", limit=500, **last).json():
            total += len(page)
            last = {"starting_after": page[-1]["id"]}
        assert time.process_time() - began < 10
    assert total == 10_000

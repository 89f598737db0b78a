"""Users over HTTP: all of them, once each, or an error that says why and no users."""

import gzip
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from clerk_contract import contract, parameters
from clerk_server import KEY, MALFORMED, ClerkServer, Fault, serve

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.api import API_VERSION, FILTERS
from clerk_cerbos_lab.identity.remote import REQUEST_SECONDS, Filter

DATA = Path(__file__).parents[2] / "data"

Json = dict[str, Any]
USERS: list[Json] = json.loads((DATA / "clerk_users.json").read_text("utf-8"))
MEMBERSHIPS: list[Json] = json.loads((DATA / "clerk_organization_memberships.json").read_text("utf-8"))[
    "data"
]
EMAIL = USERS[0]["email_addresses"][0]["email_address"]
ORGANIZATIONS = lab.Mapping(organization_roles=True)


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLERK_SECRET_KEY", raising=False)
    monkeypatch.delenv("CLERK_API_URL", raising=False)


def load(
    clerk: ClerkServer,
    filters: dict[str, Filter] | None = None,
    mapping: lab.Mapping | None = None,
    budget: float = 60,
) -> list[lab.User]:
    """Load from the local server."""
    return lab.load_users(filters=filters, mapping=mapping, budget=budget, key=KEY, api_url=clerk.url)


def ids(users: list[lab.User]) -> list[str]:
    return [user.id for user in users]


def people(count: int) -> list[Json]:
    """Return this many users, created in a different order than that of their ids."""
    order = random.Random(1).sample(range(count), count)
    return [
        {**USERS[0], "id": f"user_{n:05}", "created_at": 1_700_000_000_000 + t} for n, t in enumerate(order)
    ]


def oldest_first(users: list[Json]) -> list[str]:
    return [user["id"] for user in sorted(users, key=lambda user: (user["created_at"], user["id"]))]


def asked(clerk: ClerkServer, path: str = "") -> list[Json]:
    """Return the query of each request for the path."""
    return [dict(request.query) for request in clerk.requests if request.path.endswith(path)]


def error_of(clerk: ClerkServer, **options: Any) -> lab.ClerkError:
    with pytest.raises(lab.ClerkError) as caught:
        load(clerk, **options)
    return caught.value


# --- paging -------------------------------------------------------------------------------------


def test_users_come_500_per_page_by_cursor_in_order_of_creation() -> None:
    users = people(1203)
    order = oldest_first(users)
    with serve(users) as clerk:
        assert ids(load(clerk)) == order
    paths = [request.path.removeprefix("/v1") for request in clerk.requests]
    assert paths == ["/users/count", "/users", "/users", "/users", "/users/count"]
    page = {"limit": "500", "order_by": "created_at"}
    assert asked(clerk, "/users") == [
        page,
        {**page, "starting_after": order[499]},
        {**page, "starting_after": order[999]},
    ]


def test_ten_thousand_users_are_loaded_once_each_despite_a_429_and_a_503() -> None:
    users = people(10_000)
    with serve(users, faults=[Fault(5, 429, {"Retry-After": "1"}), Fault(12, 503)]) as clerk:
        assert ids(load(clerk)) == oldest_first(users)
    statuses = [request.status for request in clerk.requests]
    assert (statuses.count(200), statuses[4], statuses[11]) == (23, 429, 503)
    assert clerk.requests[5].time - clerk.requests[4].time >= 1


def test_after_a_full_last_page_an_empty_one_is_requested() -> None:
    with serve(people(500)) as clerk:
        assert len(load(clerk)) == 500
    assert len(asked(clerk, "/users")) == 2


def test_every_request_names_the_version_of_the_api() -> None:
    with serve(USERS, MEMBERSHIPS) as clerk:
        load(clerk, mapping=ORGANIZATIONS)
    assert {request.headers["clerk-api-version"] for request in clerk.requests} == {API_VERSION}
    assert contract()["version"] == API_VERSION


@pytest.mark.parametrize(("total", "requests"), [(97, (1, 4)), (95, (1, 3)), (0, (1, 3))])
def test_a_list_that_differs_from_the_count_is_not_kept(total: int, requests: tuple[int, int]) -> None:
    body = json.dumps({"object": "total_count", "total_count": total}).encode()
    with serve(USERS, faults=[Fault(nth, body=body) for nth in requests]) as clerk:
        error = error_of(clerk)
    assert str(error).startswith(f"Clerk listed 96 users but counts {total}: the list is incomplete")


@pytest.mark.parametrize("nth", [1, 3])
def test_a_user_who_joins_or_leaves_during_loading_is_not_an_error(nth: int) -> None:
    body = json.dumps({"object": "total_count", "total_count": 95 if nth == 1 else 97}).encode()
    with serve(USERS, faults=[Fault(nth, body=body)]) as clerk:
        assert len(load(clerk)) == 96


def test_a_cursor_that_does_not_advance_is_an_error_not_an_endless_loop() -> None:
    with serve(people(1100), faults=[Fault(3, does="stick")]) as clerk:
        error = error_of(clerk)
    assert "repeats itself after 500 users" in str(error)
    assert len(clerk.requests) == 3


def test_a_user_repeated_on_the_next_page_counts_once() -> None:
    users = people(1100)
    with serve(users, faults=[Fault(3, does="repeat"), Fault(4, does="repeat")]) as clerk:
        assert ids(load(clerk)) == oldest_first(users)


def test_a_short_page_in_the_middle_does_not_end_the_list() -> None:
    users = people(700)
    by_id = {user["id"]: user for user in users}
    ten = json.dumps([by_id[own] for own in oldest_first(users)[:10]]).encode()
    with serve(users, faults=[Fault(2, body=ten)]) as clerk:
        assert ids(load(clerk)) == oldest_first(users)


def test_having_no_users_is_an_error_that_says_so() -> None:
    with serve([]) as clerk, pytest.raises(lab.UsersError, match="no users in this instance"):
        load(clerk)
    with serve(USERS) as clerk, pytest.raises(lab.UsersError, match="no users that match the filters"):
        load(clerk, {"user_id": "user_nobody"})


# --- filters and organizations ------------------------------------------------------------------


def test_filters_are_sent_to_the_list_and_to_the_count() -> None:
    chosen = [USERS[65]["id"], USERS[3]["id"], USERS[4]["id"]]
    with serve(USERS) as clerk:
        users = load(clerk, {"user_id": chosen, "banned": False})
    assert sorted(ids(users)) == sorted(chosen[1:])
    for request in clerk.requests:
        wanted = [("banned", "false"), *(("user_id", own) for own in chosen)]
        assert [pair for pair in request.query if pair[0] in FILTERS] == sorted(
            wanted, key=lambda p: p[0] != "user_id"
        )


def test_an_organization_can_be_listed_alone() -> None:
    organization = MEMBERSHIPS[0]["organization"]["id"]
    members = {
        m["public_user_data"]["user_id"] for m in MEMBERSHIPS if m["organization"]["id"] == organization
    }
    with serve(USERS, MEMBERSHIPS) as clerk:
        assert set(ids(load(clerk, {"organization_id": [organization]}))) == members


def test_an_unknown_filter_is_reported_with_the_nearest_and_no_request_is_sent() -> None:
    with serve(USERS) as clerk, pytest.raises(lab.InputError, match="did you mean 'email_address'"):
        load(clerk, {"email_adress": EMAIL})
    assert clerk.requests == []


def test_the_filters_are_those_that_clerk_accepts_for_list_and_count() -> None:
    assert set(parameters("/users")) & set(parameters("/users/count")) == FILTERS


def test_organization_roles_come_from_all_pages_of_memberships() -> None:
    users = people(1200)
    memberships = [
        {
            **MEMBERSHIPS[0],
            "id": f"orgmem_{n}",
            "role": "org:admin" if n % 2 else "org:member",
            "created_at": n,
            "public_user_data": {**MEMBERSHIPS[0]["public_user_data"], "user_id": user["id"]},
        }
        for n, user in enumerate(users[:1100])
    ]
    with serve(users, memberships) as clerk:
        roles = {user.id: user.organization_roles for user in load(clerk, mapping=ORGANIZATIONS)}
    assert [query["offset"] for query in asked(clerk, "memberships")] == ["0", "500", "1000"]
    assert roles["user_00000"] == ("org:member",)
    assert roles["user_01099"] == ("org:admin",)
    assert roles["user_01100"] == ()


def test_an_incomplete_list_of_memberships_is_not_kept() -> None:
    bodies = [b"[]", b'{"data":[]}', b'{"data":[],"total_count":3}', b'{"data":7,"total_count":0}']
    faults = [Fault(nth, body=body) for nth, body in enumerate(bodies, start=1)]
    with serve(USERS, MEMBERSHIPS, faults=faults) as clerk:
        for _ in bodies:
            assert "organization memberships" in str(error_of(clerk, mapping=ORGANIZATIONS))


def test_memberships_are_requested_only_if_the_mapping_reads_them() -> None:
    with serve(USERS, MEMBERSHIPS) as clerk:
        load(clerk)
    assert asked(clerk, "memberships") == []


def test_principals_from_the_api_are_those_from_the_file() -> None:
    file = lab.load_principals(
        DATA / "clerk_users.json",
        mapping=ORGANIZATIONS,
        memberships=DATA / "clerk_organization_memberships.json",
    )
    with serve(USERS, MEMBERSHIPS) as clerk:
        api = lab.load_principals(mapping=ORGANIZATIONS, key=KEY, api_url=clerk.url)
    assert api["id"].tolist() == file["id"].tolist()[::-1]  # the file lists the newest first
    for column in file.columns:
        pairs = zip(api[column].tolist()[::-1], file[column].tolist(), strict=True)
        assert all(a is b or set(a) == set(b) if column == "roles" else a is b or a == b for a, b in pairs)


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [MALFORMED, b"", b"<html>", b"[" * 100_000, b'"text"', b"null"])
def test_a_response_that_is_not_a_list_of_users_or_a_count_is_an_error(body: bytes) -> None:
    broken = (
        1,
        3,
        6,
    )  # the first request of the first load, the second of the second, the third of the third
    with serve(USERS, faults=[Fault(nth, body=body) for nth in broken]) as clerk:
        for _ in broken:
            message = str(error_of(clerk))
            assert any(part in message for part in ("was not JSON", "was not an array", "had no total_count"))
    assert len(clerk.requests) == 6


def test_a_compressed_response_is_read() -> None:
    body = gzip.compress(json.dumps(USERS[:1]).encode())
    with serve(USERS[:1], faults=[Fault(2, headers={"Content-Encoding": "gzip"}, body=body)]) as clerk:
        assert ids(load(clerk)) == [USERS[0]["id"]]


def test_a_truncated_response_is_requested_again() -> None:
    with serve(USERS, faults=[Fault(1, does="cut"), Fault(3, does="cut")]) as clerk:
        assert len(load(clerk)) == 96
    assert len(clerk.requests) == 5


def test_a_server_that_hangs_costs_no_more_than_the_budget() -> None:
    with serve(USERS, faults=[Fault(2, does="hang"), Fault(3, does="hang")]) as clerk:
        begin = time.monotonic()
        error = error_of(clerk, budget=3)
        assert time.monotonic() - begin < REQUEST_SECONDS
    assert str(error).endswith("did not answer /users after 9 tries or 3 s (ReadTimeout); nothing is kept")


@contextmanager
def dripping() -> Iterator[str]:
    """Respond with one byte at a time, forever."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not over.wait(0.02):
                self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            pass

    over = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # the client went away
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        over.set()
        server.shutdown()
        thread.join()


def test_a_response_that_trickles_in_costs_no_more_than_the_budget() -> None:
    with dripping() as url:
        begin = time.monotonic()
        with pytest.raises(lab.ClerkError, match="ReadTimeout"):
            lab.load_users(key=KEY, api_url=url, budget=3)
        assert time.monotonic() - begin < REQUEST_SECONDS


def test_an_address_where_nothing_listens_is_named_in_the_error() -> None:
    with serve(USERS) as clerk:
        pass
    error = error_of(clerk, budget=0.5)
    assert "Clerk's API at 127.0.0.1 can't be reached" in str(error)
    assert error.status is None


def test_a_permanent_failure_is_an_error_with_status_code_and_trace() -> None:
    with serve(USERS, faults=[Fault(nth, 503) for nth in range(1, 50)]) as clerk:
        error = error_of(clerk, budget=3)
    assert (error.status, error.code, error.trace_id) == (503, "service_unavailable", "trace_local")
    assert "Clerk failed and did not recover in 9 tries or 3 s" in str(error)
    assert len(clerk.requests) > 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_longer_than_the_budget_is_not_started(status: int) -> None:
    with serve(USERS, faults=[Fault(2, status, {"Retry-After": "3000"})]) as clerk:
        begin = time.monotonic()
        assert error_of(clerk, budget=600).status == status
        assert time.monotonic() - begin < 300
    assert len(clerk.requests) == 2


def test_a_retry_after_that_is_not_a_time_is_ignored() -> None:
    with serve(USERS, faults=[Fault(2, 429, {"Retry-After": "soon"})]) as clerk:
        assert len(load(clerk)) == 96


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Clerk refused the request"),
        (401, "refused the secret key"),
        (403, "does not allow this key"),
        (404, "is the API address right"),
        (422, "refused the filters"),
        (302, "redirect, which is never followed"),
    ],
)
def test_a_refusal_is_reported_immediately_in_words(status: int, words: str) -> None:
    with serve(USERS, faults=[Fault(2, status)]) as clerk:
        error = error_of(clerk)
    assert (error.status, error.code, error.trace_id) == (status, f"status_{status}", "trace_local")
    assert words in str(error)
    assert len(clerk.requests) == 2


def test_a_redirect_is_never_followed_with_the_key() -> None:
    statuses = (301, 302, 303, 307, 308)
    with serve(USERS) as other:
        header = {"Location": f"{other.url}/users/count"}
        faults = [Fault(nth, status, header) for nth, status in enumerate(statuses, start=1)]
        with serve(USERS, faults=faults) as clerk:
            assert tuple(error_of(clerk).status for _ in statuses) == statuses
    assert other.requests == []


def test_a_refusal_in_another_format_is_reported_by_its_status() -> None:
    bodies = [b"", b"[]", b'{"errors":[]}', b'{"errors":"x"}', b'{"errors":[{}],"clerk_trace_id":7}']
    faults = [Fault(nth, 403, body=body) for nth, body in enumerate(bodies, start=1)]
    with serve(USERS, faults=faults) as clerk:
        assert [error_of(clerk).status for _ in bodies] == [403] * len(bodies)

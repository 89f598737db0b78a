"""A local Clerk Backend API for tests; test_clerk_server.py holds it to Clerk's contract.

    with serve(users, faults=[Fault(2, 429, {"Retry-After": "1"})]) as clerk:
        httpx.get(f"{clerk.url}/users", headers={"Authorization": f"Bearer {KEY}"})
    assert [request.path for request in clerk.requests] == ["/v1/users"]

It answers `GET /v1/users`, `/v1/users/count` and `/v1/organization_memberships` as Clerk's
contract says, and once as Clerk was seen to: a limit above 500 is served 10 rows.
Of Clerk's query parameters it leaves out `web3_wallet`, `provider`, `provider_user_id` and the
deprecated `last_active_at_since`; those, and any that Clerk does not know, are answered with 422.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from local_server import MALFORMED, Asked, Fault, Items, Recorded, reply, running
from starlette.responses import Response

__all__ = ["KEY", "MALFORMED", "PARAMETERS", "ClerkServer", "Fault", "serve"]

KEY = "sk_test_local"

Json = dict[str, Any]
Row = tuple[Json, bytes]  # a user or membership, and the same as JSON


# --- what a test sees ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ClerkServer:
    """A running server: its base address, ending in /v1, and the requests it received, in order."""

    url: str
    requests: list[Recorded]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An error response of the API."""

    def __init__(self, status: int, code: str, message: str, parameter: str = "") -> None:
        """Store the parts of Clerk's error format."""
        super().__init__(message)
        self.status, self.code, self.message, self.parameter = status, code, message, parameter

    def response(self) -> Response:
        """Return the response in Clerk's error format."""
        error: Json = {"message": self.message, "long_message": self.message, "code": self.code}
        if self.parameter:
            error["meta"] = {"param_name": self.parameter}
        return reply({"errors": [error], "clerk_trace_id": "trace_local"}, self.status)


# --- query parameters -------------------------------------------------------------------------


class Query:
    """The query parameters of one request; an array is one name repeated."""

    def __init__(self, items: Sequence[tuple[str, str]], known: Iterable[str]) -> None:
        """Refuse parameters that the endpoint does not know."""
        for name, _ in items:
            if name not in known:
                raise Refusal(422, "form_param_unknown", f"{name} is not a valid parameter", name)
        self.items = items

    def all(self, name: str) -> list[str]:
        """Return every value; Clerk accepts up to 100."""
        values = [value for key, value in self.items if key == name]
        if len(values) > 100:
            raise bad(name, "takes up to 100 values")
        return values

    def text(self, name: str) -> str | None:
        """Return the first value, as Clerk does."""
        return next((value for key, value in self.items if key == name), None)

    def integer(self, name: str, default: int, least: int) -> int:
        """Return an integer that is not below the minimum."""
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < least:
            raise bad(name, f"must be an integer not below {least}")
        return int(text)


def bad(name: str, message: str) -> Refusal:
    """Refuse the value of a parameter."""
    return Refusal(422, "form_param_value_invalid", f"{name} {message}", name)


def emails(user: Json) -> list[str]:
    """Return the user's e-mail addresses."""
    return [email["email_address"] for email in user["email_addresses"]]


def phones(user: Json) -> list[str]:
    """Return the user's telephone numbers."""
    return [phone["phone_number"] for phone in user["phone_numbers"]]


def names(user: Json) -> list[str]:
    """Return the first, last and whole name."""
    parts = [part for part in (user["first_name"], user["last_name"]) if part]
    return [*parts, " ".join(parts)]


def present(name: str, user: Json) -> list[str]:
    """Return the text of a field, if it has one."""
    return [user[name]] if user.get(name) else []


def anything(user: Json) -> list[str]:
    """Return everything that the parameter `query` searches."""
    return [*emails(user), *phones(user), *present("username", user), user["id"], *names(user)]


Texts = Callable[[Json], Iterable[str]]  # the texts of a user that a filter looks at
Test = Callable[[Json], bool]

IDENTICAL: Mapping[str, Texts] = {
    "user_id": partial(present, "id"),
    "external_id": partial(present, "external_id"),
    "username": partial(present, "username"),
    "email_address": emails,
    "phone_number": phones,
}
PARTIAL: Mapping[str, Texts] = {
    "query": anything,
    "email_address_query": emails,
    "phone_number_query": phones,
    "username_query": partial(present, "username"),
    "name_query": names,
}
SIGNED = ("user_id", "external_id", "organization_id")  # a `-` before a value excludes it
TIMES = ("created_at", "last_active_at", "last_sign_in_at")
FILTERS = frozenset(
    [*IDENTICAL, *PARTIAL, "organization_id", "banned"]
    + [f"{name}_{side}" for name in TIMES for side in ("before", "after")]
)
PARAMETERS: Mapping[str, frozenset[str]] = {
    "/users": FILTERS | {"limit", "offset", "starting_after", "order_by"},
    "/users/count": FILTERS,
    "/organization_memberships": frozenset({"limit", "offset", "order_by"}),
}


def one_of(texts: Texts, values: Sequence[str], *, signed: bool) -> Test:
    """Return a predicate: whether a user has one of the values, and none of the excluded ones."""
    excluded = {value[1:].lower() for value in values if signed and value.startswith("-")}
    included = {
        (value[1:] if signed and value.startswith("+") else value).lower()
        for value in values
        if not (signed and value.startswith("-"))
    }

    def test(user: Json) -> bool:
        has = {text.lower() for text in texts(user)}
        return not has & excluded and (not included or bool(has & included))

    return test


def contains(texts: Texts, part: str) -> Test:
    """Return a predicate: whether a user has a text that contains the part, ignoring case."""
    return lambda user: any(part in text.lower() for text in texts(user))


def in_time(name: str, after: int | None, before: int | None) -> Test:
    """Return a predicate: whether a time in milliseconds is between two others."""

    def test(user: Json) -> bool:
        at = user[name]
        return at is not None and (after is None or at > after) and (before is None or at < before)

    return test


def tests(query: Query, organizations: Texts) -> list[Test]:
    """Return the predicates that a user must satisfy to be listed or counted."""
    wanted: list[Test] = []
    for name, texts in {**IDENTICAL, "organization_id": organizations}.items():
        if values := query.all(name):
            wanted.append(one_of(texts, values, signed=name in SIGNED))
    for name, texts in PARTIAL.items():
        if part := query.text(name):
            wanted.append(contains(texts, part.lower()))
    for name in TIMES:
        after, before = query.text(f"{name}_after"), query.text(f"{name}_before")
        if after or before:
            wanted.append(
                in_time(
                    name,
                    query.integer(f"{name}_after", 0, 0) if after else None,
                    query.integer(f"{name}_before", 0, 0) if before else None,
                )
            )
    banned = query.text("banned")
    if banned is not None:
        if banned not in {"true", "false"}:
            raise bad("banned", "must be true or false")
        wanted.append(lambda user: user["banned"] == (banned == "true"))
    return wanted


# --- order ------------------------------------------------------------------------------------


def primary(kind: str, user: Json) -> str | None:
    """Return the user's primary e-mail address, telephone number or wallet."""
    entries = user["email_addresses"] + user["phone_numbers"] + user["web3_wallets"]
    values: dict[str, str] = {entry["id"]: entry[kind] for entry in entries if kind in entry}
    return values.get(user[f"primary_{kind}_id"])


def plain(name: str, user: Json) -> object:
    """Return a field of the user itself."""
    return user[name]


USER_ORDERS: Mapping[str, Callable[[Json], Any]] = {
    **{
        name: partial(plain, name)
        for name in (
            *("created_at", "updated_at", "first_name", "last_name", "username"),
            *("last_active_at", "last_sign_in_at"),
        )
    },
    "email_address": partial(primary, "email_address"),
    "phone_number": partial(primary, "phone_number"),
    "web3wallet": partial(primary, "web3_wallet"),
}
MEMBER_ORDERS = ("phone_number", "email_address", "first_name", "last_name", "username")


def ordered(rows: list[Row], order_by: str, orders: Mapping[str, Callable[[Json], Any]]) -> list[Row]:
    """Return the rows sorted by `name`, `+name` or `-name`, ties by id, missing values last."""
    name = order_by[1:] if order_by[:1] in {"+", "-"} else order_by
    if name not in orders:
        raise bad("order_by", f"must be one of {', '.join(sorted(orders))}, with + or - before it")
    value = orders[name]
    having = [row for row in rows if value(row[0]) is not None]
    lacking = [row for row in rows if value(row[0]) is None]
    having.sort(key=lambda row: (value(row[0]), row[0]["id"]), reverse=order_by.startswith("-"))
    return having + lacking


def page_size(query: Query) -> int:
    """Return how many rows to serve."""
    limit = query.integer("limit", 10, 1)
    return limit if limit <= 500 else 10  # as Clerk was seen to do, without an error


def array(rows: Iterable[Row]) -> bytes:
    """Return rows as a JSON array, from items serialised beforehand."""
    return b"[" + b",".join(body for _, body in rows) + b"]"


# --- the endpoints ----------------------------------------------------------------------------


class Backend:
    """The users and memberships of one instance, and the endpoints that return them."""

    def __init__(self, users: Iterable[Json], memberships: Iterable[Json] = (), key: str = KEY) -> None:
        """Serialise everything once, so that pages are fast."""
        self.key = key
        self.users: list[Row] = [serialised(user) for user in users]
        self.memberships: list[Row] = [serialised(membership) for membership in memberships]
        self.by_id = {user["id"]: user for user, _ in self.users}
        self.organizations: dict[str, list[str]] = {}
        for membership, _ in self.memberships:
            member = membership["public_user_data"]["user_id"]
            self.organizations.setdefault(member, []).append(membership["organization"]["id"])
        self.orders: dict[str, list[Row]] = {}

    def users_in_order(self, order_by: str) -> list[Row]:
        """Return all users sorted; each order is computed once."""
        if order_by not in self.orders:
            self.orders[order_by] = ordered(self.users, order_by, USER_ORDERS)
        return self.orders[order_by]

    def matching(self, query: Query, rows: Iterable[Row]) -> Iterator[Row]:
        """Return the users that pass the filters, lazily."""
        wanted = tests(query, lambda user: self.organizations.get(user["id"], []))
        return (row for row in rows if all(test(row[0]) for test in wanted))

    def list_users(self, query: Query, fault: str) -> Response:
        """Return a page of users, newest first by default."""
        order_by = query.text("order_by") or "-created_at"
        offset, size = query.integer("offset", 0, 0), page_size(query)
        rows = self.users_in_order(order_by)
        cursor = query.text("starting_after")
        if cursor is not None:
            if order_by.lstrip("+-") != "created_at":
                raise bad("starting_after", "requires ordering by created_at")
            if offset:
                raise bad("starting_after", "cannot be combined with offset")
            at = next((at for at, (user, _) in enumerate(rows) if user["id"] == cursor), None)
            if at is None:
                raise bad("starting_after", "is not the id of a user")
            rows = rows[{"stick": 0, "repeat": at}.get(fault, at + 1) :]
        page = islice(self.matching(query, rows), offset, offset + size)
        return Response(array(page), media_type="application/json")

    def count_users(self, query: Query) -> Response:
        """Return how many users pass the same filters."""
        total = sum(1 for _ in self.matching(query, self.users))
        return reply({"object": "total_count", "total_count": total})

    def list_memberships(self, query: Query) -> Response:
        """Return a page of all memberships, newest first, although no default order is documented."""
        orders: dict[str, Callable[[Json], Any]] = {
            name: partial(self.of_member, USER_ORDERS[name]) for name in MEMBER_ORDERS
        }
        orders["created_at"] = partial(plain, "created_at")
        rows = ordered(self.memberships, query.text("order_by") or "-created_at", orders)
        offset = query.integer("offset", 0, 0)
        page = rows[offset : offset + page_size(query)]
        body = b'{"data":%b,"total_count":%d}' % (array(page), len(rows))
        return Response(body, media_type="application/json")

    def of_member(self, value: Callable[[Json], Any], membership: Json) -> object:
        """Return a value of the user that the membership belongs to."""
        user = self.by_id.get(membership["public_user_data"]["user_id"])
        return None if user is None else value(user)

    def answer(self, asked: Asked, does: str) -> Response:
        """Answer one request."""
        try:
            check_key(asked.headers.get("authorization"), self.key)
            return self.answer_known(asked.method, asked.path, asked.items, does)
        except Refusal as refusal:
            return refusal.response()

    def answer_known(self, method: str, path: str, items: Items, fault: str) -> Response:
        """Answer one authenticated request."""
        endpoint = path.removeprefix("/v1")
        if method != "GET" or not path.startswith("/v1/") or endpoint not in PARAMETERS:
            raise Refusal(404, "resource_not_found", "Not found")
        query = Query(items, PARAMETERS[endpoint])
        if endpoint == "/users":
            return self.list_users(query, fault)
        if endpoint == "/users/count":
            return self.count_users(query)
        return self.list_memberships(query)

    def failure(self, fault: Fault) -> Response:
        """Return an error in Clerk's format."""
        codes = {429: "too_many_requests", 503: "service_unavailable"}
        code = codes.get(fault.status, f"status_{fault.status}")
        return Refusal(fault.status, code, code.replace("_", " ").capitalize()).response()

    def join(self) -> None:
        """Add a user, the newest."""
        newest = max(user["created_at"] for user, _ in self.users)
        added = {**self.users[0][0], "id": f"user_joined_{len(self.users)}", "created_at": newest + 1}
        self.users.append(serialised(added))
        self.orders.clear()


def serialised(value: Json) -> Row:
    """Return the value and its JSON."""
    return value, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def check_key(header: str | None, key: str) -> None:
    """Refuse a request without the key."""
    if header is None or not header.startswith("Bearer "):
        code = "authorization_header_format_invalid"
        raise Refusal(401, code, "Invalid Authorization header format")
    if header != f"Bearer {key}":
        raise Refusal(401, "clerk_key_invalid", "The provided Clerk Secret Key is invalid")


# --- the server -------------------------------------------------------------------------------


@contextmanager
def serve(
    users: Iterable[Json],
    memberships: Iterable[Json] = (),
    faults: Iterable[tuple[Any, ...]] = (),
    key: str = KEY,
) -> Iterator[ClerkServer]:
    """Run the API on a free port of 127.0.0.1 for as long as the block lasts."""
    with running(Backend(users, memberships, key), faults) as server:
        yield ClerkServer(f"{server.origin}/v1", server.requests)

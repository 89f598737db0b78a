"""Clerk's Backend API.

From Clerk's OpenAPI description of 2026-05-12: ``GET /users`` returns a bare array with at most 500
users per page; ``starting_after`` is the cursor; a 429 has ``Retry-After`` in seconds. With a limit
above 500 it has been seen to return 10 rows without an error, so the list is compared with
``GET /users/count`` before it counts as complete.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import ClerkError, KeyMissingError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.clerk.users import User, parse_users
from clerk_cerbos_lab.identity.keys import hide, is_plain, secret
from clerk_cerbos_lab.identity.remote import Api, Filter, Service, checked_url, retry_after
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.mapping import Mapping

API_URL: Final = "https://api.clerk.com/v1"

API_VERSION: Final = "2026-05-12"

PAGE: Final = 500

FILTERS: Final = frozenset(
    {
        "banned",
        "created_at_after",
        "created_at_before",
        "email_address",
        "email_address_query",
        "external_id",
        "last_active_at_after",
        "last_active_at_before",
        "last_active_at_since",
        "last_sign_in_at_after",
        "last_sign_in_at_before",
        "name_query",
        "organization_id",
        "phone_number",
        "phone_number_query",
        "provider",
        "provider_user_id",
        "query",
        "user_id",
        "username",
        "username_query",
        "web3_wallet",
    }
)
"""The filters that both ``/users`` and ``/users/count`` accept, so that a list can be checked."""


def _hand_over_ids(users: list[User]) -> list[User]:
    handed_over.hand_over(user.id for user in users)  # so that a report names none of them
    return users


def _users(
    api: Api,
    filters: dict[str, Filter],
    plan: Mapping,
    roles: dict[str, tuple[str, ...]] | None,
) -> list[User]:
    before = _count(api, filters)
    users: dict[str, User] = {}
    cursor: dict[str, Filter] = {}
    with progress(before, "users") as advance:
        while True:
            page = api.get("/users", {**filters, "limit": PAGE, "order_by": "created_at", **cursor})
            if not isinstance(page, list):
                msg = "Clerk's user list was not an array; is the API address right?"
                raise ClerkError(msg)
            parsed = parse_users(
                page, paths=plan.paths(), organization_roles=roles, where="Clerk's user list"
            )
            known = len(users)
            for user in parsed:
                users.setdefault(user.id, user)
            advance(len(users) - known)
            if not parsed or (len(parsed) < PAGE and len(users) >= before):
                break
            if len(users) == known:
                msg = f"Clerk's user list repeats itself after {known:,} users; nothing is kept"
                raise ClerkError(msg)
            cursor = {"starting_after": parsed[-1].id}
    after = _count(api, filters)
    if not min(before, after) <= len(users) <= max(before, after):
        msg = (
            f"Clerk listed {len(users):,} users but counts {after:,}: the list is incomplete, nothing "
            "is kept; try again"
        )
        raise ClerkError(msg)
    return list(users.values())


def _count(api: Api, filters: dict[str, Filter]) -> int:
    answer = api.get("/users/count", filters)
    total = answer.get("total_count") if isinstance(answer, dict) else None
    if not isinstance(total, int):
        msg = "Clerk's user count had no total_count; is the API address right?"
        raise ClerkError(msg)
    return total


def _memberships(api: Api) -> Iterator[Any]:
    """All organization memberships of the instance; this list can only be paged by offset."""
    seen: set[str] = set()
    offset = 0
    while True:
        page = api.get(
            "/organization_memberships",
            {"limit": PAGE, "offset": offset, "order_by": "created_at"},
        )
        data = page.get("data") if isinstance(page, dict) else None
        total = page.get("total_count") if isinstance(page, dict) else None
        if not isinstance(data, list) or not isinstance(total, int):
            msg = "Clerk's list of organization memberships had no data or no total_count"
            raise ClerkError(msg)
        for membership in data:
            own = str(membership.get("id")) if isinstance(membership, dict) else ""
            if own not in seen:
                seen.add(own)
                yield membership
        offset += len(data)
        if not data or offset >= total:
            break
    if len(seen) != total:
        msg = (
            f"Clerk listed {len(seen):,} organization memberships but counts {total:,}: nothing is "
            "kept; try again"
        )
        raise ClerkError(msg)


SERVICE: Final = Service(
    title="Clerk",
    key="secret key",
    error=ClerkError,
    wait=retry_after,
    codes=lambda body, _: (body["errors"][0]["code"], body.get("clerk_trace_id")),
)


def connect(key: SecretStr | None, url: str | None, budget: float) -> Api:
    """The API, with the key that was given, that of the environment, or one that is asked for."""
    return Api(
        SERVICE,
        _url(url),
        budget,
        authorization=("Bearer", _secret(key)),
        headers={"Clerk-API-Version": API_VERSION},
    )


def _is_secret_key(key: SecretStr) -> bool:
    return is_plain(key, r"sk_[\x21-\x7e]+")


def secret_key_kind() -> str | None:
    """The kind of key in CLERK_SECRET_KEY: ``"test"``, ``"live"``, ``"wrong"``, or None if it is not set."""
    held = hide(os.environ.get("CLERK_SECRET_KEY") or None)
    if held is None:
        return None
    if not _is_secret_key(held):
        return "wrong"
    return "live" if held.get_secret_value().startswith("sk_live_") else "test"


def _secret(given: SecretStr | None) -> SecretStr:
    missing = (
        "no Clerk secret key: set CLERK_SECRET_KEY (Clerk's dashboard, API keys), or load a file of users"
    )
    found = secret(given, "CLERK_SECRET_KEY", "Clerk secret key (sk_…): ", missing)
    if not _is_secret_key(found):
        publishable = found.get_secret_value().startswith("pk_")
        kind = "a publishable key, not" if publishable else "not"
        msg = f"that is {kind} a Clerk secret key: one starts with sk_test_ or sk_live_"
        raise KeyMissingError(msg)
    return found


def _url(given: str | None) -> str:
    text = checked_url(given or os.environ.get("CLERK_API_URL") or API_URL, "Clerk", API_URL)
    after_host = text.split("://", 1)[1].partition("/")[2]
    return text if after_host.strip("/") else f"{text}/v1"

"""The only module that calls Clerk's Backend API.

From Clerk's OpenAPI description of 2026-05-12: ``GET /users`` returns a bare array with at most 500
users per page; ``starting_after`` is the cursor; a 429 has ``Retry-After`` in seconds. With a limit
above 500 it has been seen to return 10 rows without an error, so the list is compared with
``GET /users/count`` before it counts as complete.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
from httpx_retries import Retry
from pydantic import SecretStr

from clerk_cerbos_lab.errors import ClerkError, InputError, KeyMissingError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.clerk.users import User, parse_users
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_cerbos_lab.identity.mapping import Mapping

API_URL: Final = "https://api.clerk.com/v1"

API_VERSION: Final = "2026-05-12"

PAGE: Final = 500

REQUEST_SECONDS: Final = 30.0

ATTEMPTS: Final = 8

CONNECT_ATTEMPTS: Final = 3

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

Filter = str | int | bool | list[str]


def _hand_over_ids(users: list[User]) -> list[User]:
    handed_over.hand_over(user.id for user in users)  # so that a report names none of them
    return users


def _users(
    api: _Api,
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


def _count(api: _Api, filters: dict[str, Filter]) -> int:
    answer = api.get("/users/count", filters)
    total = answer.get("total_count") if isinstance(answer, dict) else None
    if not isinstance(total, int):
        msg = "Clerk's user count had no total_count; is the API address right?"
        raise ClerkError(msg)
    return total


def _memberships(api: _Api) -> Iterator[Any]:
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


def hide(key: str | SecretStr | None) -> SecretStr | None:
    """The key, stripped and wrapped so that no traceback or log shows it."""
    if key is None:
        return None
    return SecretStr((key if isinstance(key, str) else key.get_secret_value()).strip())


def _is_secret_key(key: SecretStr) -> bool:
    return re.fullmatch(r"sk_[\x21-\x7e]+", key.get_secret_value()) is not None


def secret_key_kind() -> str | None:
    """The kind of key in CLERK_SECRET_KEY: ``"test"``, ``"live"``, ``"wrong"``, or None if it is not set."""
    held = hide(os.environ.get("CLERK_SECRET_KEY") or None)
    if held is None:
        return None
    if not _is_secret_key(held):
        return "wrong"
    return "live" if held.get_secret_value().startswith("sk_live_") else "test"


def _secret(given: SecretStr | None) -> SecretStr:
    if given is None and os.environ.get("CLERK_SECRET_KEY"):
        given = hide(os.environ["CLERK_SECRET_KEY"])
    if given is None and _somebody_can_answer():
        try:
            given = hide(getpass.getpass("Clerk secret key (sk_…): "))
        except (EOFError, OSError, RuntimeError):
            given = None
    if given is None or not given.get_secret_value():
        msg = (
            "no Clerk secret key: set CLERK_SECRET_KEY (Clerk's dashboard, API keys), or load a file of users"
        )
        raise KeyMissingError(msg)
    if not _is_secret_key(given):
        publishable = given.get_secret_value().startswith("pk_")
        kind = "a publishable key, not" if publishable else "not"
        msg = f"that is {kind} a Clerk secret key: one starts with sk_test_ or sk_live_"
        raise KeyMissingError(msg)
    return given


def _somebody_can_answer() -> bool:
    """Whether this runs in a terminal, or in a notebook whose front end can ask for input."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()


def _url(given: str | None) -> str:
    text = (given or os.environ.get("CLERK_API_URL") or API_URL).rstrip("/")
    try:
        url = httpx.URL(text)  # parsed as the client will parse it
    except httpx.InvalidURL:
        url = httpx.URL()
    local = url.host in {"localhost", "127.0.0.1", "::1"}
    if url.scheme not in {"https", "http"} or not url.host or url.query or url.fragment or url.userinfo:
        msg = f"the Clerk API address must look like {API_URL}"
        raise InputError(msg)
    if url.scheme == "http" and not local:
        msg = f"the Clerk API address must be https: a secret key is never sent unencrypted ({url.host})"
        raise InputError(msg)
    return text if url.path.strip("/") else f"{text}/v1"


class _Api:
    """Sends GET requests with the key, within one time budget."""

    def __init__(self, key: SecretStr, url: str, budget: float) -> None:
        if budget <= 0:
            msg = f"budget must be above 0 seconds, not {budget}"
            raise InputError(msg)
        self._url = url
        self._budget = budget
        self._end = time.monotonic() + budget
        self._client = httpx.Client(
            headers={
                "Authorization": f"Bearer {key.get_secret_value()}",
                "Clerk-API-Version": API_VERSION,
                "Accept": "application/json",
            },
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, params: dict[str, Filter]) -> Any:
        """The decoded response to a GET; 429, 5xx and network errors are retried.

        Raises:
            ClerkError: with status, code and trace id only, because the body may contain personal data.
        """
        if self._left() <= 0:
            msg = f"loading from Clerk took longer than its budget of {self._budget:g} s; nothing is kept"
            raise ClerkError(msg)
        with _quiet("httpx", "httpcore", "httpx_retries"):
            response = self._answer(path, params)
        if isinstance(response, httpx.HTTPError):
            where = httpx.URL(self._url).host
            problem = type(response).__name__
            if isinstance(response, httpx.ConnectError):
                msg = f"Clerk's API at {where} can't be reached ({problem}): is the network up?"
            else:
                tried = f"after {ATTEMPTS + 1} tries or {self._budget:g} s"
                msg = f"Clerk's API at {where} did not answer {path} {tried} ({problem}); nothing is kept"
            raise ClerkError(msg)
        if response.status_code != httpx.codes.OK:
            raise _refusal(path, response, self._budget)
        try:
            return response.json()
        except (ValueError, RecursionError):
            pass
        msg = f"Clerk's response to {path} was not JSON; nothing is kept"
        raise ClerkError(msg, status=response.status_code)

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _answer(self, path: str, params: dict[str, Filter]) -> httpx.Response | httpx.HTTPError:
        """The response; the last of several if retrying can help and the budget allows it."""
        retry = Retry(
            total=ATTEMPTS,
            status_forcelist=[429, 500, 502, 503, 504],
            backoff_factor=0.25,
            max_backoff_wait=self._budget,
        )
        while True:
            answer = self._ask(path, params)
            if isinstance(answer, httpx.Response):
                again = retry.is_retryable_status_code(answer.status_code)
            else:
                again = retry.is_retryable_exception(answer)
            unreachable = isinstance(answer, httpx.ConnectError) and retry.attempts_made >= CONNECT_ATTEMPTS
            if not again or unreachable or retry.is_exhausted():
                return answer
            retry = retry.increment()
            wait = retry.backoff_strategy()
            if isinstance(answer, httpx.Response):
                with suppress(ValueError):  # no such header, or not a number of seconds
                    wait = retry.parse_retry_after(answer.headers.get("Retry-After", "")) or wait
            if wait >= self._left():
                return answer
            time.sleep(wait)

    def _ask(self, path: str, params: dict[str, Filter]) -> httpx.Response | httpx.HTTPError:
        """One attempt. The body is read here, so that a truncated response counts as an error."""
        timeout = min(REQUEST_SECONDS, max(self._left(), 0.001))
        body = bytearray()
        try:
            with self._client.stream("GET", f"{self._url}{path}", params=params, timeout=timeout) as response:
                for chunk in response.iter_raw():
                    body += chunk
                    if self._left() <= 0:
                        return httpx.ReadTimeout("the budget is used up")
            return httpx.Response(response.status_code, headers=response.headers, content=bytes(body))
        except httpx.HTTPError as error:
            return error


def _plain_word(value: object) -> str | None:
    """A code or trace id; anything else in a body could be personal."""
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,80}", value)
    return value if plain and isinstance(value, str) else None


def _refusal(path: str, response: httpx.Response, budget: float) -> ClerkError:
    status = response.status_code
    code = trace = None
    try:
        body = response.json()
        code = _plain_word(body["errors"][0]["code"])
        trace = _plain_word(body.get("clerk_trace_id"))
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    reasons: dict[int, str] = {
        401: "Clerk refused the secret key: does it belong to this instance, and is it still valid?",
        403: "Clerk does not allow this key to list users",
        404: "there is nothing at this address: is the API address right?",
        422: "Clerk refused the filters",
        429: f"Clerk's rate limit was not lifted within the budget of {budget:g} s",
    }
    if status in reasons:
        reason = reasons[status]
    elif 300 <= status < 400:
        reason = "Clerk's API returned a redirect, which is never followed with a key"
    elif status >= 500:
        reason = f"Clerk failed and did not recover in {ATTEMPTS + 1} tries or {budget:g} s"
    else:
        reason = "Clerk refused the request"
    about = ", ".join(filter(None, [f"status {status}", code, f"trace {trace}" if trace else None]))
    return ClerkError(
        f"{reason} ({path}: {about}); nothing is kept", status=status, code=code, trace_id=trace
    )


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Temporarily keep URLs out of the logs: their filters may contain an e-mail address."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logging.ERROR, logger.level))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""Okta's API.

Lists are bare arrays; a ``Link`` header has the cursor of the next page. ``GET /users`` leaves out people who
were deprovisioned: they are asked for by a filter. A 429 says in ``X-Rate-Limit-Reset`` when to go on.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from clerk_cerbos_lab.errors import KeyMissingError, ProviderError
from clerk_cerbos_lab.identity.keys import is_plain, secret
from clerk_cerbos_lab.identity.memberships import joined
from clerk_cerbos_lab.identity.okta.users import BUILT_IN, holders, name_of
from clerk_cerbos_lab.identity.remote import Api, Service, checked_url, query_of, reset_at
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

    import httpx
    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.listed import Listed
    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.people import Joined
    from clerk_cerbos_lab.identity.remote import Filter

PAGE: Final = 200

FILTERS: Final = frozenset({"filter", "search"})

SERVICE: Final = Service(
    title="Okta",
    key="API token",
    error=ProviderError,
    wait=reset_at("X-Rate-Limit-Reset"),
    codes=lambda body, _: (body.get("errorCode"), body.get("errorId")),
    needs=" (it needs an administrator's rights to read users, and groups if the mapping reads them)",
)

_LINK: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?(\w+)"?')


def connect(key: SecretStr | None, url: str | None, budget: float) -> Api:
    """The API, with a token that is given, in OKTA_API_TOKEN, or asked for."""
    given = url or os.environ.get("OKTA_ORG_URL")
    if not given:
        msg = "no Okta address: set OKTA_ORG_URL, such as https://example.okta.com, or load a file of users"
        raise KeyMissingError(msg)
    text = given if "://" in given else f"https://{given}"
    org = checked_url(text, "Okta", "https://example.okta.com").removesuffix("/api/v1")
    missing = (
        "no Okta token: set OKTA_API_TOKEN (Okta's admin console, Security, API), or load a file of users"
    )
    token = secret(key, "OKTA_API_TOKEN", "Okta API token: ", missing)
    if not is_plain(token):
        msg = "that is not an Okta API token: one has no spaces"
        raise KeyMissingError(msg)
    of_oauth = re.fullmatch(r"ey[\w-]+\.[\w-]+\.[\w-]+", token.get_secret_value())
    return Api(SERVICE, f"{org}/api/v1", budget, authorization=("Bearer" if of_oauth else "SSWS", token))


def _pages(api: Api, path: str, params: Dict[str, Filter], what: str) -> Iterator[list[Any]]:
    """The pages of a list; a cursor must not come again."""
    cursors: set[str] = set()
    cursor: dict[str, Filter] = {}
    while True:
        answer = api.ask(path, {**params, "limit": PAGE, **cursor})
        if not isinstance(answer.body, list):
            msg = f"Okta's list of {what} was not an array; is the API address right?"
            raise ProviderError(msg)
        following = _following(answer.headers, what)
        if following is not None and following in cursors:
            msg = f"Okta's list of {what} has a cursor that stands still; nothing is kept"
            raise ProviderError(msg)
        yield answer.body
        if following is None:
            return
        cursors.add(following)
        cursor = {"after": following}


def _following(headers: httpx.Headers, what: str) -> str | None:
    """The cursor of the next page, or None at the end."""
    links = {rel: url for url, rel in _LINK.findall(", ".join(headers.get_list("Link")))}
    if "self" not in links:  # Okta always sends it: a proxy has taken it out, and the next page's with it
        msg = f"Okta's list of {what} came without a Link header, which says whether more follow"
        raise ProviderError(msg)
    if "next" not in links:
        return None
    after = dict(query_of(links["next"])).get("after")
    if not after:
        msg = f"Okta's list of {what} has a link to the next page without a cursor; nothing is kept"
        raise ProviderError(msg)
    return after


def join(api: Api, mapping: Mapping) -> Joined:
    """The groups of each user, if the mapping reads them."""
    if not mapping.joined():
        return {}
    groups = _groups(api, everyone="all_groups" in mapping.joined())
    return joined(groups, holders, "groups with their users", "Okta's list of groups", error=ProviderError)


def _groups(api: Api, *, everyone: bool) -> Iterator[dict[str, Any]]:
    """Every group with its users; the built-in Everyone only if asked for."""
    listed: dict[str, dict[str, Any]] = {}
    for page in _pages(api, "/groups", {}, "groups"):
        before = len(listed)
        for group in page:
            own = group.get("id") if isinstance(group, dict) else None
            if not isinstance(own, str) or name_of(group) is None:
                msg = "Okta's list of groups has one without an id or a name; nothing is kept"
                raise ProviderError(msg)
            listed.setdefault(own, group)
        _check_progress(page, len(listed), before, "groups")
    for own, group in listed.items():
        if group.get("type") == BUILT_IN and not everyone:
            continue
        seen: dict[str, Any] = {}
        for page in _pages(api, f"/groups/{quote(own, safe='')}/users", {}, "a group's users"):
            before = len(seen)
            for user in page:
                own_id = user.get("id") if isinstance(user, dict) else None
                if not isinstance(own_id, str):
                    msg = "Okta's list of a group's users has one without an id; nothing is kept"
                    raise ProviderError(msg)
                seen.setdefault(own_id, {"id": own_id})
            _check_progress(page, len(seen), before, "a group's users")
        yield {**group, "users": list(seen.values())}


def _check_progress(page: list[Any], now: int, before: int, what: str) -> None:
    if page and now == before:
        msg = f"Okta's list of {what} repeats itself after {now:,}; nothing is kept"
        raise ProviderError(msg)


def load(api: Api, mapping: Mapping, listed: Listed, filters: Dict[str, Filter]) -> None:
    """List all users, then those who were deprovisioned; a filter lists them all at once."""
    del mapping
    questions: list[Dict[str, Filter]] = (
        [filters] if filters else [{}, {"filter": 'status eq "DEPROVISIONED"'}]
    )
    with progress(None, "users") as advance:
        for params in questions:
            seen: set[str] = set()  # in this list; somebody may be deprovisioned between the two
            for page in _pages(api, "/users", params, "users"):
                before = len(seen)
                seen.update(str(user.get("id")) for user in page if isinstance(user, dict))
                _check_progress(page, len(seen), before, "users")
                advance(listed.add(page, overlap=True))
    if not filters:
        listed.check_members("groups")

"""WorkOS's API: users, organization memberships, and the users of directories.

Lists have ``data`` and, in ``list_metadata``, the cursor ``after``. Memberships are listed for one
organization at a time. A 429 has ``Retry-After`` in seconds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import KeyMissingError, ProviderError
from clerk_cerbos_lab.identity.keys import is_plain, secret
from clerk_cerbos_lab.identity.memberships import joined
from clerk_cerbos_lab.identity.remote import Api, Service, checked_url, retry_after
from clerk_cerbos_lab.identity.workos.users import holders
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.listed import Listed
    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.people import Joined
    from clerk_cerbos_lab.identity.remote import Filter

API_URL: Final = "https://api.workos.com"

PAGE: Final = 100

FILTERS: Final = frozenset({"organization_id", "email"})

DIRECTORY_FILTERS: Final = frozenset({"directory", "group"})

SERVICE: Final = Service(
    title="WorkOS",
    key="API key",
    error=ProviderError,
    wait=retry_after,
    codes=lambda body, headers: (body.get("code") or body.get("error"), headers.get("x-request-id")),
)


def connect(key: SecretStr | None, url: str | None, budget: float) -> Api:
    """The API, with a key that is given, in WORKOS_API_KEY, or asked for."""
    base = checked_url(url or os.environ.get("WORKOS_API_URL") or API_URL, "WorkOS", API_URL)
    missing = "no WorkOS API key: set WORKOS_API_KEY (WorkOS's dashboard, API keys), or load a file of users"
    held = secret(key, "WORKOS_API_KEY", "WorkOS API key (sk_…): ", missing)
    if not is_plain(held, r"sk_[\x21-\x7e]+"):
        msg = "that is not a WorkOS API key: one starts with sk_"
        raise KeyMissingError(msg)
    return Api(SERVICE, base, budget, authorization=("Bearer", held))


def _pages(api: Api, path: str, params: Dict[str, Filter], what: str) -> Iterator[list[Any]]:
    """The pages of a list, oldest first; a cursor must not come again."""
    cursors: set[str] = set()
    cursor: dict[str, Filter] = {}
    while True:
        answer = api.get(path, {**params, "limit": PAGE, "order": "asc", **cursor})
        data = answer.get("data") if isinstance(answer, dict) else None
        metadata = answer.get("list_metadata") if isinstance(answer, dict) else None
        if not isinstance(data, list) or not isinstance(metadata, dict) or "after" not in metadata:
            msg = f"WorkOS's list of {what} had no data or no list_metadata; is the API address right?"
            raise ProviderError(msg)
        following = metadata["after"]
        if following is not None and (not isinstance(following, str) or following in cursors):
            msg = f"WorkOS's list of {what} has a cursor that stands still; nothing is kept"
            raise ProviderError(msg)
        yield data
        if following is None:
            return
        cursors.add(following)
        cursor = {"after": following}


def _entries(api: Api, path: str, params: Dict[str, Filter], what: str) -> Iterator[dict[str, Any]]:
    """The entries of a list, each once; a page without a new one is an error."""
    seen: set[str] = set()
    for page in _pages(api, path, params, what):
        before = len(seen)
        for entry in page:
            own = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(own, str):
                msg = f"WorkOS's list of {what} has an entry without an id; nothing is kept"
                raise ProviderError(msg)
            if own not in seen:
                seen.add(own)
                yield entry
        if page and len(seen) == before:
            msg = f"WorkOS's list of {what} repeats itself after {before:,}; nothing is kept"
            raise ProviderError(msg)


def join(api: Api, mapping: Mapping, filters: Dict[str, Filter]) -> Joined:
    """The roles of each user in organizations, if the mapping reads them."""
    if mapping.provider != "workos" or not mapping.lists():
        return {}
    what = "organization memberships"
    return joined(_memberships(api, filters), holders, what, f"WorkOS's list of {what}", error=ProviderError)


def _memberships(api: Api, filters: Dict[str, Filter]) -> Iterator[dict[str, Any]]:
    only = filters.get("organization_id")
    every = (
        [str(only)] if only else [one["id"] for one in _entries(api, "/organizations", {}, "organizations")]
    )
    for own in every:
        yield from _entries(
            api,
            "/user_management/organization_memberships",
            {"organization_id": own},
            "organization memberships",
        )


def load(api: Api, mapping: Mapping, listed: Listed, filters: Dict[str, Filter]) -> None:
    """List all users, or all users of a directory."""
    directory = mapping.provider == "workos-directory"
    path = "/directory_users" if directory else "/user_management/users"
    what = "directory users" if directory else "users"
    with progress(None, "users") as advance:
        for page in _pages(api, path, filters, what):
            advance(listed.add(page))
    if not filters:
        listed.check_members("organizations")

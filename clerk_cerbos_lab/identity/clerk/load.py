"""Clerk users from the API or a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError, UsersError, did_you_mean
from clerk_cerbos_lab.identity.clerk.api import (
    FILTERS,
    _hand_over_ids,
    _memberships,
    _users,
    connect,
)
from clerk_cerbos_lab.identity.clerk.users import (
    User,
    membership_roles,
    parse_users,
)
from clerk_cerbos_lab.identity.keys import hide
from clerk_cerbos_lab.identity.mapping import Mapping, mapping_of
from clerk_cerbos_lab.identity.user_files import UserFile

if TYPE_CHECKING:
    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.remote import Filter


def load_users(
    source: str | os.PathLike[str] | None = None,
    *,
    mapping: Mapping | None = None,
    memberships: str | os.PathLike[str] | None = None,
    filters: dict[str, Filter] | None = None,
    key: str | SecretStr | None = None,
    api_url: str | None = None,
    budget: float = 300.0,
) -> list[User]:
    """Load Clerk users from a file in Clerk's own format, or from Clerk's live Backend API.

    Args:
        source: a JSON file (an array, a page ``{"data": […]}``, or one user per line); None asks Clerk.
        mapping: what to keep of each user; default: the public metadata.
        memberships: with a file, a file of organization memberships, for a mapping with
            ``organization_roles``.
        filters: with the API, Clerk's own filters such as ``{"organization_id": ["org_…"]}``.
        key: with the API, the secret key; default: ``CLERK_SECRET_KEY``, else a prompt if somebody
            can answer it.
        api_url: default: ``CLERK_API_URL``, else Clerk's own. Only a loopback address may use http.
        budget: seconds that the entire load may take, including waits.

    Returns:
        Each user once: in the file's order, or from the API by creation time, oldest first. For a
        user that occurs more than once in a file, ``odd`` says so.

    Raises:
        UsersError: if the file can't be read, is not JSON (with the line), or contains no users.
        KeyMissingError: if there is no key, or it is not a Clerk secret key.
        ClerkError: if Clerk refuses or keeps failing, the budget is used up, or the list is
            incomplete. No partial list is returned.
    """
    key = hide(key)  # from here on no stack frame of the kit holds it in plain text
    plan = mapping_of(mapping, "clerk")
    if source is not None and not isinstance(source, (str, os.PathLike)):
        msg = f"source must be the path of a JSON file, not a {type(source).__name__}"
        raise InputError(msg)
    if source is not None:
        if filters or key or api_url:
            msg = "filters=, key= and api_url= are for Clerk's API and can't be used with a file"
            raise InputError(msg)
        return _hand_over_ids(_from_file(source, plan, memberships))
    if memberships is not None:
        msg = "memberships= is for a file of users; from the API they are loaded with organization_roles=True"
        raise InputError(msg)
    for name in filters or {}:
        if name not in FILTERS:
            msg = f"no filter '{name}' in Clerk's user list{did_you_mean(name, FILTERS)}"
            raise InputError(msg)
    with connect(key, api_url, budget) as api:
        raw_roles = membership_roles(_memberships(api), "Clerk's API") if plan.organization_roles else None
        users = _users(api, filters or {}, plan, raw_roles)
    if not users:
        msg = "Clerk has no users" + (" that match the filters" if filters else " in this instance")
        raise UsersError(msg)
    return _hand_over_ids(users)


def _from_file(
    source: str | os.PathLike[str], plan: Mapping, memberships: str | os.PathLike[str] | None
) -> list[User]:
    roles = None
    if memberships is not None and not plan.organization_roles:
        msg = "memberships= needs a mapping that reads them: mapping=lab.Mapping(organization_roles=True)"
        raise InputError(msg)
    if plan.organization_roles:
        if memberships is None:
            msg = (
                "the mapping reads organization roles: pass the file of memberships too, "
                "memberships='data/clerk_organization_memberships.json'"
            )
            raise InputError(msg)
        held = UserFile(memberships, "Clerk users", paged=False)
        roles = membership_roles(held, str(memberships))
    entries = UserFile(source, "Clerk users", paged=False)
    parsed = parse_users(entries, paths=plan.paths(), organization_roles=roles, where=str(source))
    if not parsed:
        msg = f"{source}: contains no users"
        raise UsersError(msg)
    by_id: dict[str, list[User]] = {}
    for user in parsed:
        by_id.setdefault(user.id, []).append(user)
    return [_first(copies) for copies in by_id.values()]


def _first(copies: list[User]) -> User:
    """The first of the users in a file that have the same id, with a note if there are several."""
    first = copies[0]
    if len(copies) == 1:
        return first
    times = "twice" if len(copies) == 2 else f"{len(copies)} times"
    same = "identical" if all(user == first for user in copies) else "not identical: the first one is used"
    return first.model_copy(update={"odd": (*first.odd, f"occurs {times} in the file, {same}")})

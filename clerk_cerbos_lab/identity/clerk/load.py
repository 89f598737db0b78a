"""Clerk users from the API or a file, and the principals made of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError, UsersError, did_you_mean
from clerk_cerbos_lab.identity.clerk.api import (
    FILTERS,
    _Api,
    _memberships,
    _secret,
    _told,
    _url,
    _users,
    hide,
)
from clerk_cerbos_lab.identity.clerk.mapping import Mapping, to_principals
from clerk_cerbos_lab.identity.clerk.users import User, membership_roles, parse_users, read_json

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.clerk.api import Filter


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
    """Load Clerk users from a file of Clerk's own shape, or from Clerk's live Backend API.

    Args:
        source: a JSON file (an array, a page ``{"data": […]}``, or one user a line); None asks Clerk.
        mapping: what to keep of each user; default: the public metadata.
        memberships: with a file, a file of organization memberships, for a mapping with
            ``organization_roles``.
        filters: with the API, Clerk's own filters such as ``{"organization_id": ["org_…"]}``.
        key: with the API, the secret key; default: ``CLERK_SECRET_KEY``, else it is asked for where
            somebody can answer.
        api_url: default: ``CLERK_API_URL``, else Clerk's own. Only a loopback address may be http.
        budget: seconds that the whole load may take, waits included.

    Returns:
        The users, once each: in the file's order, or from the API by the time they were created,
        oldest first. A user that stands twice in a file says so in ``odd``.

    Raises:
        UsersError: when the file can't be read, is not JSON (with the line), or holds no user.
        KeyMissingError: when there is no key, or it is not a Clerk secret key.
        ClerkError: when Clerk refuses, fails for good, the budget is used up, or the list is not
            whole. No partial list is returned.
    """
    key = hide(key)  # from here on no frame of ours holds it in plain
    plan = mapping or Mapping()
    if source is not None and not isinstance(source, (str, os.PathLike)):
        msg = f"source is the path of a JSON file, not a {type(source).__name__}"
        raise InputError(msg)
    if source is not None:
        if filters or key or api_url:
            msg = "filters=, key= and api_url= are for Clerk's API; a file needs none of them"
            raise InputError(msg)
        return _told(_from_file(source, plan, memberships))
    if memberships is not None:
        msg = "memberships= goes with a file; from the API they come with organization_roles=True"
        raise InputError(msg)
    for name in filters or {}:
        if name not in FILTERS:
            msg = f"no filter '{name}' in Clerk's user list{did_you_mean(name, FILTERS)}"
            raise InputError(msg)
    with _Api(_secret(key), _url(api_url), budget) as api:
        raw_roles = membership_roles(_memberships(api)) if plan.organization_roles else None
        users = _users(api, filters or {}, plan, raw_roles)
    if not users:
        msg = "Clerk has no users" + (" that match the filters" if filters else " in this instance")
        raise UsersError(msg)
    return _told(users)


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
                "the mapping asks for organization roles: give the file of memberships too, "
                "memberships='data/clerk_organization_memberships.json'"
            )
            raise InputError(msg)
        held = read_json(memberships)
        roles = membership_roles(held)
        if held and not roles:
            msg = f"{memberships}: holds no organization memberships (public_user_data.user_id and role)"
            raise UsersError(msg)
    parsed = parse_users(read_json(source), paths=plan.paths(), organization_roles=roles, where=str(source))
    if not parsed:
        msg = f"{source}: holds no users"
        raise UsersError(msg)
    by_id: dict[str, list[User]] = {}
    for user in parsed:
        by_id.setdefault(user.id, []).append(user)
    return [_first(copies) for copies in by_id.values()]


def _first(copies: list[User]) -> User:
    """The first of what a file holds under one id, with a note where that is more than one."""
    first = copies[0]
    if len(copies) == 1:
        return first
    times = "twice" if len(copies) == 2 else f"{len(copies)} times"
    same = "the same" if all(user == first for user in copies) else "not the same: the first one is used"
    return first.model_copy(update={"odd": (*first.odd, f"stands {times} in the file, {same}")})


def load_principals(
    source: str | os.PathLike[str] | None = None,
    *,
    mapping: Mapping | None = None,
    memberships: str | os.PathLike[str] | None = None,
    filters: dict[str, Filter] | None = None,
    key: str | SecretStr | None = None,
    api_url: str | None = None,
    budget: float = 300.0,
) -> pd.DataFrame:
    """Load Clerk users and map each to a Cerbos principal.

    Args:
        source: a JSON file of Clerk users; None asks Clerk's live API with ``CLERK_SECRET_KEY``.
        mapping: how a user becomes a principal; default: ``Mapping()``.
        memberships: with a file, the file of organization memberships.
        filters: with the API, Clerk's own filters.
        key: with the API, the secret key, where it is not in ``CLERK_SECRET_KEY``.
        api_url: with the API, its address.
        budget: seconds that the whole load may take.

    Returns:
        A DataFrame with ``id``, ``roles`` (tuple of str) and one column an attribute
        (``lab.MISSING`` where a user does not have it), one row a user. ``lab.problems`` tells what
        is odd about them.

    Raises:
        UsersError, KeyMissingError, ClerkError: as ``lab.load_users``.
    """
    key = hide(key)
    plan = mapping or Mapping()
    users = load_users(
        source,
        mapping=plan,
        memberships=memberships,
        filters=filters,
        key=key,
        api_url=api_url,
        budget=budget,
    )
    return to_principals(users, plan)

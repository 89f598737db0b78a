"""Principals from the users of any provider, by its API or from a file."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import (
    InputError,
    KeyMissingError,
    LabWarning,
    ProviderError,
    UsersError,
    did_you_mean,
)
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.auth0 import api as auth0_api
from clerk_cerbos_lab.identity.auth0 import users as auth0_users
from clerk_cerbos_lab.identity.clerk.load import load_users
from clerk_cerbos_lab.identity.clerk.users import to_principals
from clerk_cerbos_lab.identity.keys import hide
from clerk_cerbos_lab.identity.listed import Listed, Reader, once, recognised
from clerk_cerbos_lab.identity.mapping import mapping_of
from clerk_cerbos_lab.identity.memberships import Holders, joined
from clerk_cerbos_lab.identity.okta import api as okta_api
from clerk_cerbos_lab.identity.okta import users as okta_users
from clerk_cerbos_lab.identity.people import Joined, Person, principals_of
from clerk_cerbos_lab.identity.shapes import PROVIDERS, SHAPES, Provider
from clerk_cerbos_lab.identity.taken import with_source
from clerk_cerbos_lab.identity.user_files import HELD, NAMES, UserFile
from clerk_cerbos_lab.identity.workos import api as workos_api
from clerk_cerbos_lab.identity.workos import users as workos_users

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Dict

    import pandas as pd
    from pydantic import SecretStr

    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.remote import Api, Filter

Path = str | os.PathLike[str]

KEYS: Final = {
    "AUTH0_MGMT_TOKEN": "auth0",
    "AUTH0_CLIENT_SECRET": "auth0",
    "OKTA_API_TOKEN": "okta",
    "WORKOS_API_KEY": "workos",
}
"""The variable that says that a provider other than Clerk is meant."""


@dataclass(frozen=True, slots=True)
class Source:
    """One provider's ways, for files and for its API.

    Attributes:
        states: why a user can't sign in.
        holders: reads an entry of a file of memberships; None: there is no such file.
        lists: the lists that are made from the user object.
        memberships: what that file has.
        filters: the API's filters.
        connect: with key, address and budget, the API.
        join: the lists that are not in the user object, from the API.
        load: lists the users.
    """

    states: Callable[[dict[str, Any]], tuple[tuple[str, str], ...]]
    holders: Callable[[Any], Holders | None] | None
    lists: Callable[[dict[str, Any]], dict[str, list[str]]]
    memberships: str
    filters: frozenset[str]
    connect: Callable[[SecretStr | None, str | None, float], Api]
    join: Callable[[Api, Mapping, Dict[str, Filter]], Joined]
    load: Callable[[Api, Mapping, Listed, Dict[str, Filter]], None]


SOURCES: Final[dict[str, Source]] = {
    "auth0": Source(
        states=auth0_users.states,
        holders=auth0_users.holders,
        lists=lambda _: {},
        memberships="roles with a name and users, or organizations with members, each with user_id and roles",
        filters=auth0_api.FILTERS,
        connect=auth0_api.connect,
        join=lambda api, mapping, _: auth0_api.join(api, mapping),
        load=auth0_api.load,
    ),
    "okta": Source(
        states=okta_users.states,
        holders=okta_users.holders,
        lists=lambda _: {},
        memberships="groups, each with a profile and its users",
        filters=okta_api.FILTERS,
        connect=okta_api.connect,
        join=lambda api, mapping, _: okta_api.join(api, mapping),
        load=okta_api.load,
    ),
    "workos": Source(
        states=lambda _: (),
        holders=workos_users.holders,
        lists=lambda _: {},
        memberships="organization memberships",
        filters=workos_api.FILTERS,
        connect=workos_api.connect,
        join=workos_api.join,
        load=workos_api.load,
    ),
    "workos-directory": Source(
        states=workos_users.states,
        holders=None,
        lists=lambda entry: {"group_names": workos_users.names_of_groups(entry)},
        memberships="",
        filters=workos_api.DIRECTORY_FILTERS,
        connect=workos_api.connect,
        join=workos_api.join,
        load=workos_api.load,
    ),
}


def load_principals(
    source: Path | None = None,
    *,
    provider: Provider | None = None,
    mapping: Mapping | None = None,
    memberships: Path | None = None,
    filters: dict[str, Filter] | None = None,
    key: str | SecretStr | None = None,
    api_url: str | None = None,
    budget: float = 300.0,
) -> pd.DataFrame:
    """Load the users of Clerk, Auth0, Okta or WorkOS and map each to a Cerbos principal.

    >>> principals = lab.load_principals("data/clerk_users.json")
    >>> principals = lab.load_principals(provider="okta")  # with OKTA_ORG_URL and OKTA_API_TOKEN set

    Args:
        source: a file of users as the provider's API or export writes them: a JSON array, pages, or one user
            per line, also compressed with gzip; None asks the live API.
        provider: ``clerk``, ``auth0``, ``okta``, ``workos`` or ``workos-directory``; default: the mapping's,
            else recognised by the file, else Clerk.
        mapping: how a user becomes a principal; default: ``lab.Mapping.of(provider)``.
        memberships: with a file, the file of what the mapping reads and users don't hold: organization
            memberships (Clerk, WorkOS), Okta's groups or Auth0's roles, each with its ``users``, and Auth0's
            organizations with their ``members``, each with ``user_id`` and ``roles``.
        filters: with the API, the provider's own: Clerk's, ``q`` (Auth0), ``search`` or ``filter`` (Okta),
            ``organization_id`` or ``email`` (WorkOS), ``directory`` or ``group`` (WorkOS directory users).
        key: with the API, its key; default: ``CLERK_SECRET_KEY``, ``AUTH0_MGMT_TOKEN`` (or
            ``AUTH0_CLIENT_ID`` and ``AUTH0_CLIENT_SECRET``), ``OKTA_API_TOKEN``, ``WORKOS_API_KEY``, else a
            prompt if somebody can answer it.
        api_url: with the API, its address; default: ``CLERK_API_URL``, ``AUTH0_DOMAIN``, ``OKTA_ORG_URL``,
            ``WORKOS_API_URL``.
        budget: seconds that the entire load may take, including waits.

    Returns:
        A DataFrame with one row per user: ``id``, ``roles`` (tuple of str) and one column per attribute
        (``lab.MISSING`` where a user does not have it). ``lab.problems`` reports problems in their
        data, and who is blocked, suspended or otherwise can't sign in: nobody is left out.

    Raises:
        UsersError: if the file can't be read, is not JSON (with the line), or has no users of the provider.
        KeyMissingError: if there is no key or address, or it is not one.
        ProviderError: if the API refuses or keeps failing, the budget is used up, or the list is
            incomplete (``ClerkError`` for Clerk). No partial list is returned.
    """
    key = hide(key)  # from here on no stack frame of the kit holds it in plain text
    if provider is not None and provider not in SHAPES:
        msg = f"no provider {provider!r}{did_you_mean(str(provider), PROVIDERS)}"
        raise InputError(msg)
    if source is not None and not isinstance(source, (str, os.PathLike)):
        msg = f"source must be the path of a JSON file, not a {type(source).__name__}"
        raise InputError(msg)
    found: Any = provider or (mapping.provider if mapping is not None else None)
    if found is None and source is not None:
        found = provider_in(source)
    if found is None and key is None:
        _ask_which()
    plan = mapping_of(mapping, found or "clerk")
    if plan.provider == "clerk":
        users = load_users(
            source,
            mapping=plan,
            memberships=memberships,
            filters=filters,
            key=key,
            api_url=api_url,
            budget=budget,
        )
        return with_source(to_principals(users, plan), "Clerk", source)
    if source is not None:
        if filters or key or api_url:
            msg = "filters=, key= and api_url= are for a provider's API and can't be used with a file"
            raise InputError(msg)
        people = _from_file(source, plan, memberships)
    else:
        if memberships is not None:
            msg = (
                "memberships= is for a file of users; from the API they are loaded if the mapping reads them"
            )
            raise InputError(msg)
        people = _from_api(plan, filters or {}, key, api_url, budget)
    handed_over.hand_over(person.id for person in people)  # so that a report names none of them
    return with_source(principals_of(people, plan), plan.shape.title, source)


def _ask_which() -> None:
    """Refuse to ask for Clerk's key where another provider's is set and no provider is named."""
    if os.environ.get("CLERK_SECRET_KEY"):
        return
    for variable, provider in KEYS.items():
        if os.environ.get(variable):
            msg = f"{variable} is set and CLERK_SECRET_KEY is not: did you mean provider='{provider}'?"
            raise KeyMissingError(msg)


def provider_in(source: Path) -> str:
    """The provider of a file, by its first entry.

    Raises:
        UsersError: if it can't be read, or is no provider's.
    """
    for first in UserFile(source, "any provider's users"):
        return recognised(first, str(source))
    msg = f"{source}: contains no users"
    raise UsersError(msg)


def _from_file(source: Path, plan: Mapping, memberships: Path | None) -> list[Person]:
    title = plan.shape.title
    way = SOURCES[plan.provider]
    needed = plan.lists()
    reader = Reader(plan, str(source), way.states, way.lists)
    users = UserFile(source, f"{title} users")
    for first in users:  # a wrong file is a clearer error than what lacks beside it
        reader.read(first, 0)
        break
    if memberships is not None:
        if way.holders is None or not needed:
            msg = f"memberships= needs a mapping that reads what users of {title} don't hold themselves"
            raise InputError(msg)
        entries = UserFile(memberships, way.memberships, lists=HELD, ids=NAMES)
        reader.joined = joined(entries, way.holders, way.memberships, str(memberships), needed=needed)
    people = once(reader.read(entry, at) for at, entry in enumerate(users))
    if not people:
        msg = f"{source}: contains no users"
        raise UsersError(msg)
    _check_same_people(reader.joined, people, str(memberships), str(source))
    absent = [] if way.holders is None or memberships is not None else _not_held(people, plan)
    if absent:
        msg = (
            f"the mapping reads {', '.join(absent)}, which users of {title} don't hold: pass memberships=, a "
            f"file of {way.memberships}, or a mapping with other roles"
        )
        raise InputError(msg)
    return people


def _check_same_people(joined: Joined, people: list[Person], memberships: str, source: str) -> None:
    """Refuse memberships of other people, and warn of people who are not in the list of users."""
    absent = len(joined.keys() - {person.id for person in people})
    if not absent:
        return
    many = "1 person" if absent == 1 else f"{absent:,} people"
    msg = f"{memberships} names {many} whom {source} does not have"
    if absent == len(joined):
        msg = f"{msg}, and nobody else: do both come from the same place?"
        raise UsersError(msg)
    warnings.warn(f"{msg}: is the list of users whole?", LabWarning, stacklevel=4)


def _not_held(people: list[Person], plan: Mapping) -> list[str]:
    """The lists that the mapping needs; without those that users hold themselves, as in some exports."""
    held = {name for person in people for name in plan.joined() if name in person.fields}
    added = "organization_roles" if plan.organization_roles else ""  # only from memberships
    return [name for name in plan.lists() if name == added or name not in held]


def _from_api(
    plan: Mapping, filters: dict[str, Filter], key: SecretStr | None, api_url: str | None, budget: float
) -> list[Person]:
    title = plan.shape.title
    way = SOURCES[plan.provider]
    for name in filters:
        if name not in way.filters:
            msg = f"no filter '{name}' in the user list of {title}{did_you_mean(name, way.filters)}"
            raise InputError(msg)
    with way.connect(key, api_url, budget) as api:
        held = way.join(api, plan, filters)
        listed = Listed(Reader(plan, f"{title}'s user list", way.states, way.lists, held), ProviderError)
        way.load(api, plan, listed, filters)
    if not listed.people:
        msg = f"{title} has no users" + (" that match the filters" if filters else "")
        raise UsersError(msg)
    return list(listed.people.values())

"""Clerk users as the kit stores them, and files of users in Clerk's own format.

Only the parts of a user that the mapping names are kept; the rest of the JSON is dropped while reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from clerk_cerbos_lab.errors import InputError, UsersError
from clerk_cerbos_lab.identity import people
from clerk_cerbos_lab.identity.kinds import mistaken
from clerk_cerbos_lab.identity.mapping import mapping_of
from clerk_cerbos_lab.identity.people import Person, is_text, principals_of
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Mapping as Dict

    import pandas as pd

    from clerk_cerbos_lab.identity.mapping import Mapping


class User(BaseModel):
    """The allow-listed part of a Clerk user.

    Attributes:
        id: Clerk's user id.
        public_metadata: as the application wrote it.
        banned: whether Clerk has banned the user from signing in.
        locked: whether Clerk has temporarily locked the user out.
        fields: the other values that the mapping reads, by path; a path that the user does not have
            has no key.
        organization_roles: such as ``org:admin``, in Clerk's order, if the mapping reads them.
        odd: in words, whatever did not match Clerk's API description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    public_metadata: dict[str, Any]
    banned: bool = False
    locked: bool = False
    fields: dict[str, Any] = {}
    organization_roles: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"User({self.id})"  # a profile is personal: never show it by accident

    __str__ = __repr__


def parse_users(
    raw: Iterable[Any],
    *,
    paths: Iterable[str],
    organization_roles: Dict[str, tuple[str, ...]] | None = None,
    where: str,
) -> list[User]:
    """Keep the allow-listed part of users in Clerk's JSON format.

    Args:
        raw: decoded JSON objects.
        paths: dotted paths to keep in addition to the metadata, such as ``username``.
        organization_roles: user id to roles, if they were requested.
        where: what an error message calls the source, such as a file's name.

    Raises:
        UsersError: for an entry that is not an object or has no id, so that nobody can say who it is.
    """
    wanted = tuple(paths)
    users = []
    for position, entry in enumerate(raw):
        if not isinstance(entry, dict):
            msg = f"{where}: user {position} is {json_type(entry)}, not an object"
            raise UsersError(msg)
        words = mistaken(entry, "clerk")
        if words:
            msg = f"{where}: user {position} is not one of Clerk; it looks like {words}"
            raise UsersError(msg)
        own = entry.get("id")
        if not isinstance(own, str) or not own or not is_text(own):
            msg = f"{where}: user {position} has no 'id' (a non-empty string in Clerk's User)"
            raise UsersError(msg)
        users.append(_parse(own, entry, wanted, (organization_roles or {}).get(own, ())))
    return users


def _parse(own: str, entry: dict[str, Any], paths: Sequence[str], roles: tuple[str, ...]) -> User:
    odd = []
    metadata = entry.get("public_metadata")
    if not isinstance(metadata, dict):
        if metadata is not None:
            odd.append(f"public_metadata is {json_type(metadata)}, not a map: treated as empty")
        metadata = {}
    kept = {key: value for key, value in metadata.items() if is_text(key)}
    if len(kept) < len(metadata):
        odd.append("public_metadata has a key with a lone surrogate, which is not valid Unicode: left out")
    if "publicMetadata" in entry and "public_metadata" not in entry:
        odd.append(
            "publicMetadata is the spelling of Clerk's JavaScript SDKs; the API's is public_metadata: ignored"
        )
    flags = {}
    for name in ("banned", "locked"):
        flag = entry.get(name, False)
        if not isinstance(flag, bool):
            odd.append(f"{name} is {json_type(flag)}, not true or false: treated as false")
            flag = False
        flags[name] = flag
    fields = {}
    for path in paths:
        found, value = at(entry, path)
        if found:
            fields[path] = value
    return User(
        id=own,
        public_metadata=kept,
        fields=fields,
        organization_roles=roles,
        odd=tuple(odd),
        **flags,
    )


def at(entry: dict[str, Any], path: str) -> tuple[bool, Any]:
    """Whether a dotted path exists, and its value; ``primary_email_address`` is looked up by its id."""
    if path != "primary_email_address":
        return people.at(entry, path)
    primary = entry.get("primary_email_address_id")
    addresses = entry.get("email_addresses")
    for address in addresses if isinstance(addresses, list) else ():
        if isinstance(address, dict) and primary and address.get("id") == primary:
            return "email_address" in address, address.get("email_address")
    return False, None


def to_principals(users: Sequence[User], mapping: Mapping | None = None) -> pd.DataFrame:
    """Turn Clerk users into a principals frame, by the mapping.

    Args:
        users: as returned by ``lab.load_users``, loaded with the same mapping.
        mapping: default: ``Mapping()``.

    Returns:
        A DataFrame with ``id``, ``roles`` and a column of dtype object for each attribute, in the
        order in which they first occur; ``lab.MISSING`` where a user does not have it. ``attrs`` holds
        the mapping, the report that ``lab.problems`` shows, and which columns may be shared: those from
        public metadata, but none set by ``profile`` (see ``lab.shareable``).
    """
    plan = mapping_of(mapping, "clerk")
    if isinstance(users, str) or not all(isinstance(user, User) for user in users):
        msg = "to_principals needs a list of lab.User, as returned by lab.load_users"
        raise InputError(msg)
    return principals_of([_person(user) for user in users], plan)


def _person(user: User) -> Person:
    flags = [name for name, set_ in (("banned", user.banned), ("locked", user.locked)) if set_]
    return Person(
        user.id,
        user.public_metadata,
        user.fields,
        user.organization_roles,
        tuple((flag, "Clerk does not let this user sign in") for flag in flags),
        user.odd,
    )


def membership_roles(memberships: Iterable[Any], where: str) -> dict[str, tuple[str, ...]]:
    """User id to organization roles such as ``org:admin``, each once, in order of appearance.

    A membership that has no user (``public_user_data`` is null) gives nobody a role.

    Args:
        memberships: decoded JSON.
        where: what messages call their source.

    Raises:
        UsersError: for an entry that is something else.
    """
    roles: dict[str, dict[str, None]] = {}
    for at, membership in enumerate(memberships):
        entry = membership if isinstance(membership, dict) else {}
        person, role = entry.get("public_user_data", {}), entry.get("role")
        own = person.get("user_id") if isinstance(person, dict) else None
        if not (isinstance(role, str) and role and (person is None or isinstance(own, str))):
            msg = (
                f"{where} should contain organization memberships, each with a role and "
                f"public_user_data.user_id, and entry {at} is something else"
            )
            raise UsersError(msg)
        if isinstance(own, str):
            roles.setdefault(own, {})[role] = None
    return {own: tuple(held) for own, held in roles.items()}

"""What a session token or a session says about a user, as the user object that a mapping reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.people import is_text
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

    from clerk_cerbos_lab.identity.mapping import Mapping

EVERYONE: Final = "Everyone"
"""Okta's group of all users, which is no role."""

_CLAIMS: Final[dict[str, dict[str, str]]] = {
    "clerk": {"public_metadata": "metadata", "primary_email_address": "email"},
    "auth0": {"identities.0.provider": "sub"},
    "okta": {
        "all_groups": "groups",
        "profile.displayName": "name",
        "profile.firstName": "given_name",
        "profile.lastName": "family_name",
        "profile.login": "preferred_username",
        "profile.mobilePhone": "phone_number",
    },
    "workos": {},
    "workos-directory": {},
}
"""The claims that hold a path's value, where a claim's name is not the first step of the path.

Clerk's documentation calls the claim with the public metadata ``metadata``.
"""

_NO_CLAIM: Final[dict[str, tuple[str, ...]]] = {
    "auth0": ("app_metadata", "user_metadata", "assigned_roles", "organization_roles")
}
"""What a token has only under a name that an application chose."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a token has a part of the user object.

    Attributes:
        steps: the keys that lead to the part; the whole of a map, or one value.
        name: of the claim.
    """

    steps: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a token has what a mapping reads.

    Attributes:
        claims: for each part.
        without: the paths that no claim is known to hold.
    """

    claims: tuple[Claim, ...]
    without: tuple[str, ...]


def layout_of(mapping: Mapping, given: Dict[str, str] | None) -> Layout:
    """Where a token has what the mapping reads.

    Args:
        mapping: of the token's provider.
        given: path, or the start of one, to the name of a claim.

    Raises:
        InputError: if a given path is none that the mapping reads.
    """
    chosen = dict(given or {})
    if not all(isinstance(name, str) and name for pair in chosen.items() for name in pair):
        msg = "claims= maps paths of the user object to names of claims"
        raise InputError(msg)
    found: dict[tuple[str, ...], str] = {}
    without = []
    used = set()
    for steps in dict.fromkeys(_read(mapping)):
        path = ".".join(steps)
        start = _start(path, chosen)
        if start is not None:
            used.add(start)
            found[tuple(start.split(".")) if start != path else steps] = chosen[start]
        elif (usual := _usual(mapping, steps)) is not None:
            found[usual[0]] = usual[1]
        else:
            without.append(path)
    for path, name in chosen.items():
        if mapping.metadata == "*" and path.startswith(f"{mapping.shape.metadata}."):
            found[tuple(path.split("."))] = name  # a key that is a claim of its own
        elif path not in used:
            near = did_you_mean(path, {".".join(steps) for steps in _read(mapping)})
            msg = f"claims=: the mapping reads nothing at '{path}'{near}"
            raise InputError(msg)
    return Layout(tuple(Claim(steps, name) for steps, name in found.items()), tuple(without))


def _read(mapping: Mapping) -> Iterator[tuple[str, ...]]:
    """The paths that a mapping reads, as keys; the keys of the metadata may contain dots."""
    metadata = mapping.shape.metadata
    if mapping.metadata == "*":
        yield (metadata,)
    else:
        for key in mapping.metadata:
            yield metadata, key
    for path in (*mapping.roles, *mapping.profile.values()):
        if mapping.metadata != "*" or not path.startswith(f"{metadata}."):
            yield tuple(path.split("."))
    if mapping.organization_roles and mapping.provider == "auth0":
        yield ("organization_roles",)  # the others' tokens have a claim of their own


def _start(path: str, chosen: Dict[str, str]) -> str | None:
    """The longest given path that is this one or the start of it."""
    starts = [name for name in chosen if path == name or path.startswith(f"{name}.")]
    return max(starts, key=len, default=None)


def _usual(mapping: Mapping, steps: tuple[str, ...]) -> tuple[tuple[str, ...], str] | None:
    """The part and the claim that a provider's tokens have by default, or by its documentation."""
    provider = mapping.provider
    path = ".".join(steps)
    start = _start(path, _CLAIMS[provider])
    if start is not None:
        return tuple(start.split(".")), _CLAIMS[provider][start]
    if steps[0] in _NO_CLAIM.get(provider, ()):
        return None
    if provider == "okta" and steps[0] == "profile":
        return (steps[:2], steps[1]) if len(steps) > 1 else None
    return steps[:1], steps[0]


def user_of(claims: Dict[str, Any], mapping: Mapping, layout: Layout) -> tuple[dict[str, Any], list[str]]:
    """The user object in the provider's own form, and the paths whose claim the token does not have."""
    user: dict[str, Any] = {}
    absent = list(layout.without)
    for claim in sorted(layout.claims, key=lambda claim: len(claim.steps)):
        value = _value(claims, claim, mapping)
        if claim.name not in claims or (value is None and claim.steps[0] in mapping.shape.joined):
            absent.append(".".join(claim.steps))
            continue
        held = user
        for step in claim.steps[:-1]:
            inside = held.get(step)
            held[step] = held = dict(inside) if isinstance(inside, dict) else {}
        held[claim.steps[-1]] = value
    user[mapping.shape.id] = identity_of(claims, mapping)
    if mapping.provider == "workos" and (roles := organization_roles(claims, mapping, user)):
        user["organization_roles"] = list(roles)
        absent = [path for path in absent if path != "organization_roles"]
    return user, absent


def _value(claims: Dict[str, Any], claim: Claim, mapping: Mapping) -> Any:
    value = claims.get(claim.name)
    if mapping.provider == "auth0" and claim == Claim(("identities", "0", "provider"), "sub"):
        return str(value).partition("|")[0]
    if claim.steps[0] in mapping.shape.joined and isinstance(value, list):
        everyone = EVERYONE if claim.steps == ("groups",) else None
        return [name for name in value if name != everyone] or None  # an empty list counts as none
    return value


def identity_of(claims: Dict[str, Any], mapping: Mapping) -> str:
    """The user's id: ``sub``, or ``uid`` in Okta's access tokens; empty if there is none."""
    own = claims.get("uid") if mapping.provider == "okta" and "uid" in claims else claims.get("sub")
    return own if isinstance(own, str) and is_text(own) else ""


def organization_roles(claims: Dict[str, Any], mapping: Mapping, user: Dict[str, Any]) -> tuple[str, ...]:
    """The roles in the organization that is active in the session, as the provider's API calls them.

    Raises:
        InputError: for a claim that should hold roles and holds something else.
    """
    if mapping.provider == "clerk":
        organization = claims.get("o")
        role = organization.get("rol") if isinstance(organization, dict) else None
        if role is not None:
            return tuple(f"org:{one}" for one in _texts(role, "o.rol"))
        return _texts(claims.get("org_role"), "org_role")
    if mapping.provider == "workos":
        return _texts(claims.get("roles"), "roles") or _texts(claims.get("role"), "role")
    return _texts(user.get("organization_roles"), "organization_roles")


def _texts(value: object, claim: str) -> tuple[str, ...]:
    """The names in a claim that is a name or a list of names; none if it is absent or empty."""
    found = []
    for name in [] if value is None else value if isinstance(value, list) else [value]:
        if not isinstance(name, str):
            msg = f"the claim '{claim}' should hold names of roles, and holds {json_type(name)}"
            raise InputError(msg)
        found.append(name)
    return tuple(name for name in found if name)

"""What Auth0 says about a user beside the fields that a mapping names."""

from __future__ import annotations

from typing import Any

from clerk_cerbos_lab.identity.memberships import Holders


def states(entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Why the user can't sign in, and flags that are none."""
    blocked = entry.get("blocked", False)
    if blocked is True:
        return (("blocked", "Auth0 does not let this user sign in"),)
    if blocked is not False:
        return (("not as Auth0 describes a user", "blocked is not true or false: treated as false"),)
    return ()


def holders(entry: Any) -> Holders | None:
    """The users of a role, or the members of an organization with their roles in it."""
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("members"), list):
        return _members(entry["members"])
    name, users = entry.get("name"), entry.get("users")
    if not isinstance(name, str) or not isinstance(users, list):
        return None
    ids = [user.get("user_id") if isinstance(user, dict) else None for user in users]
    if not all(isinstance(own, str) for own in ids):
        return None
    return Holders(("assigned_roles",), [(str(own), name) for own in ids])


def _members(members: list[Any]) -> Holders | None:
    names = []
    for member in members:
        own, roles = (
            (member.get("user_id"), member.get("roles")) if isinstance(member, dict) else (None, None)
        )
        if not isinstance(own, str) or not isinstance(roles, list):
            return None
        for role in roles:
            name = role.get("name") if isinstance(role, dict) else None
            if not isinstance(name, str):
                return None
            names.append((own, name))
    return Holders(("organization_roles",), names)

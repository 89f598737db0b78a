"""What Auth0 says about a user beside the fields that a mapping names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerk_cerbos_lab.identity.people import Joined


def states(entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Why the user can't sign in, and flags that are none."""
    blocked = entry.get("blocked", False)
    if blocked is True:
        return (("blocked", "Auth0 does not let this user sign in"),)
    if blocked is not False:
        return (("not as Auth0 describes a user", "blocked is not true or false: treated as false"),)
    return ()


def joined(roles: Iterable[Any]) -> Joined:
    """The names of each user's roles, from roles that have a ``name`` and ``users``."""
    found: Joined = {}
    for role in roles:
        name = str(role.get("name") or "") if isinstance(role, dict) else ""
        users = role.get("users") if isinstance(role, dict) else None
        for user in users if isinstance(users, list) and name else ():
            own = user.get("user_id") if isinstance(user, dict) else None
            if isinstance(own, str):
                held = found.setdefault(own, {}).setdefault("assigned_roles", [])
                if name not in held:
                    held.append(name)
    return found

"""What WorkOS says about a user, or a user of a directory, beside the fields that a mapping names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerk_cerbos_lab.identity.people import Joined


def states(entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Why the user of a directory can't sign in; users of WorkOS itself have no such state."""
    state = entry.get("state", "active")
    if isinstance(state, str) and state in {"inactive", "suspended"}:
        return ((state, f"the directory says that this user is {state}"),)
    if state != "active":
        return (("not as WorkOS describes a user", "state is none that WorkOS has: treated as active"),)
    return ()


def names_of_groups(entry: dict[str, Any]) -> list[str]:
    """The names of the groups of a directory user, each once."""
    groups = entry.get("groups")
    named = [one.get("name") for one in groups if isinstance(one, dict)] if isinstance(groups, list) else []
    return list(dict.fromkeys(name for name in named if isinstance(name, str)))


def joined(memberships: Iterable[Any]) -> Joined:
    """The roles of each user in active organization memberships, each once."""
    found: Joined = {}
    for membership in memberships:
        if not isinstance(membership, dict) or membership.get("status", "active") != "active":
            continue
        own = membership.get("user_id")
        several = membership.get("roles")
        for role in [membership.get("role"), *(several if isinstance(several, list) else ())]:
            slug = role.get("slug") if isinstance(role, dict) else None
            if isinstance(own, str) and isinstance(slug, str) and slug:
                held = found.setdefault(own, {}).setdefault("organization_roles", [])
                if slug not in held:
                    held.append(slug)
    return found

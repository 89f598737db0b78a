"""What WorkOS says about a user, or a user of a directory, beside the fields that a mapping names."""

from __future__ import annotations

from typing import Any

from clerk_cerbos_lab.identity.memberships import Holders


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


def holders(membership: Any) -> Holders | None:
    """The roles of a user in an organization; none if the membership is not active."""
    own = membership.get("user_id") if isinstance(membership, dict) else None
    if not isinstance(own, str):
        return None
    several = membership.get("roles")
    roles = [membership.get("role"), *(several if isinstance(several, list) else ())]
    slugs = [role.get("slug") if isinstance(role, dict) else None for role in roles]
    names = [(own, slug) for slug in slugs if isinstance(slug, str) and slug]
    if not names:
        return None
    active = membership.get("status", "active") == "active"
    return Holders(("organization_roles",), names if active else ())

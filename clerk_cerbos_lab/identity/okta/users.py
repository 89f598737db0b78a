"""What Okta says about a user beside the fields that a mapping names."""

from __future__ import annotations

from typing import Any, Final

from clerk_cerbos_lab.identity.memberships import Holders

BUILT_IN: Final = "BUILT_IN"
"""The type of the group Everyone."""

STATUSES: Final = frozenset(
    {
        *("ACTIVE", "DEPROVISIONED", "LOCKED_OUT", "PASSWORD_EXPIRED"),
        *("PROVISIONED", "RECOVERY", "STAGED", "SUSPENDED"),
    }
)


def states(entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Why the user can't sign in, and a status that Okta does not have."""
    status = entry.get("status", "ACTIVE")
    if not isinstance(status, str) or status not in STATUSES:
        return (("not as Okta describes a user", "status is none that Okta has: treated as active"),)
    if status == "ACTIVE":
        return ()
    return ((status.lower().replace("_", " "), f"Okta's status of this user is {status}, not ACTIVE"),)


def name_of(group: Any) -> str | None:
    """The name of a group, if it has one."""
    profile = group.get("profile") if isinstance(group, dict) else None
    name = profile.get("name") if isinstance(profile, dict) else None
    return name if isinstance(name, str) else None


def holders(group: Any) -> Holders | None:
    """The users of a group that has a ``profile`` and ``users``."""
    name = name_of(group)
    users = group.get("users") if isinstance(group, dict) else None
    if name is None or not isinstance(users, list):
        return None
    ids = [user.get("id") if isinstance(user, dict) else None for user in users]
    if not all(isinstance(own, str) for own in ids):
        return None
    lists = ("all_groups",) if group.get("type") == BUILT_IN else ("groups", "all_groups")
    return Holders(lists, [(str(own), name) for own in ids])

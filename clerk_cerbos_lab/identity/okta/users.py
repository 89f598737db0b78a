"""What Okta says about a user beside the fields that a mapping names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerk_cerbos_lab.identity.people import Joined

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


def joined(groups: Iterable[Any]) -> Joined:
    """The names of each user's groups, from groups that have a ``profile`` and ``users``."""
    found: Joined = {}
    for group in groups:
        name = name_of(group)
        users = group.get("users") if isinstance(group, dict) else None
        lists = ("all_groups",) if name and group.get("type") == BUILT_IN else ("groups", "all_groups")
        for user in users if isinstance(users, list) and name else ():
            own = user.get("id") if isinstance(user, dict) else None
            if not isinstance(own, str):
                continue
            for list_ in lists:
                held = found.setdefault(own, {}).setdefault(list_, [])
                if name not in held:
                    held.append(str(name))
    return found

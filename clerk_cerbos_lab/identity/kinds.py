"""What an entry of a file looks like: a user of which provider, or something else."""

from __future__ import annotations

import re
from typing import Any, Final

from clerk_cerbos_lab.identity.shapes import SHAPES
from clerk_cerbos_lab.values import json_type

CLERK: Final = frozenset(
    {
        *SHAPES["clerk"].maps,
        *("email_addresses", "primary_email_address_id", "external_accounts"),
        *("publicMetadata", "unsafeMetadata", "emailAddresses"),
    }
)
"""Keys that only Clerk's users have; those in camel case are of its SDKs."""

MEMBERSHIP: Final = "organization_membership"

WORKOS: Final = frozenset({"profile_picture_url", "email_verified", "last_sign_in_at"})

_SCIM: Final = "urn:ietf:params:scim:schemas:core:2.0:User"

_NAME: Final = re.compile(r"[A-Za-z_]{1,30}")


def provider_of(entry: Any) -> str | None:
    """The provider whose user this looks like, or None."""
    if not isinstance(entry, dict):
        return None
    kind = entry.get("object")
    if kind == MEMBERSHIP:
        return None
    signs = {
        "workos-directory": kind == "directory_user"
        or (kind is None and "directory_id" in entry and "idp_id" in entry),
        "clerk": not CLERK.isdisjoint(entry),
        "auth0": "user_id" in entry and "id" not in entry,
        "okta": isinstance(entry.get("profile"), dict) and "id" in entry and not _is_group(entry),
        "workos": kind == "user" and not WORKOS.isdisjoint(entry),
    }
    return next((provider for provider, found in signs.items() if found), None)


def _is_group(entry: dict[str, Any]) -> bool:
    return "objectClass" in entry or entry.get("type") in ("OKTA_GROUP", "APP_GROUP", "BUILT_IN")


def mistaken(entry: Any, provider: str) -> str | None:
    """What the entry looks like, if that is certainly no user of the provider."""
    found = provider_of(entry)
    if found == provider or not isinstance(entry, dict):
        return None
    sure = found is not None or entry.get("object") == MEMBERSHIP or _is_group(entry)
    return words_for(entry) if sure else None


def words_for(entry: Any) -> str:
    """What the entry looks like, in words that hold nothing personal."""
    provider = provider_of(entry)
    if provider:
        return f"users of {SHAPES[provider].title} (provider='{provider}')"
    if not isinstance(entry, dict):
        return f"a list with {json_type(entry)} in it"
    schemas = entry.get("schemas")
    signs = {
        "an export of SCIM users, which lab.principals_from_table reads": isinstance(schemas, list)
        and _SCIM in schemas,
        "organization memberships, which belong into memberships=": entry.get("object") == MEMBERSHIP
        or "public_user_data" in entry,
        "Okta's groups, which belong into memberships=": _is_group(entry),
        "roles or groups with their users, which belong into memberships=": isinstance(
            entry.get("users"), list
        ),
    }
    names = [name for name in entry if _NAME.fullmatch(name)][:8]
    others = f"objects with the keys {', '.join(names)}" if names else "objects with unusual keys"
    return next((words for words, found in signs.items() if found), others)

"""Where an application finds what a mapping reads: the provider's session, token or client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.claims import layout_of
from clerk_cerbos_lab.source_text import typescript_key, typescript_text

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from clerk_cerbos_lab.identity.mapping import Mapping

CLERK: Final = {
    "id": "user.id",
    "backup_code_enabled": "user.backupCodeEnabled",
    "banned": "user.banned",
    "create_organization_enabled": "user.createOrganizationEnabled",
    "created_at": "user.createdAt",
    "delete_self_enabled": "user.deleteSelfEnabled",
    "external_id": "user.externalId",
    "first_name": "user.firstName",
    "has_image": "user.hasImage",
    "image_url": "user.imageUrl",
    "last_active_at": "user.lastActiveAt",
    "last_name": "user.lastName",
    "last_sign_in_at": "user.lastSignInAt",
    "legal_accepted_at": "user.legalAcceptedAt",
    "locale": "user.locale",
    "locked": "user.locked",
    "password_enabled": "user.passwordEnabled",
    "primary_email_address": "user.primaryEmailAddress?.emailAddress",
    "primary_email_address_id": "user.primaryEmailAddressId",
    "primary_phone_number_id": "user.primaryPhoneNumberId",
    "primary_web3_wallet_id": "user.primaryWeb3WalletId",
    "private_metadata": "user.privateMetadata",
    "public_metadata": "user.publicMetadata",
    "totp_enabled": "user.totpEnabled",
    "two_factor_enabled": "user.twoFactorEnabled",
    "unsafe_metadata": "user.unsafeMetadata",
    "updated_at": "user.updatedAt",
    "username": "user.username",
}
"""What ``currentUser`` of ``@clerk/nextjs`` has, by its name in Clerk's API, in the same form as there."""

WORKOS: Final = {
    "id": "user.id",
    "created_at": "user.createdAt",
    "email": "user.email",
    "email_verified": "user.emailVerified",
    "external_id": "user.externalId",
    "first_name": "user.firstName",
    "last_name": "user.lastName",
    "last_sign_in_at": "user.lastSignInAt",
    "locale": "user.locale",
    "metadata": "user.metadata",
    "name": "user.name",
    "object": "user.object",
    "profile_picture_url": "user.profilePictureUrl",
    "updated_at": "user.updatedAt",
}
"""The same for ``withAuth`` of ``@workos-inc/authkit-nextjs``."""

OF_ACTION: Final = {
    "assigned_roles": "event.authorization?.roles ?? []",
    "organization_roles": "event.organization === undefined ? [] : (event.authorization?.roles ?? [])",
    "app_metadata": "event.user.app_metadata",
    "user_metadata": "event.user.user_metadata",
}
"""What an Action of Auth0 can put into a token, by the first step of a path."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the template of a provider needs.

    Attributes:
        values: of the template.
        packages: what the application must install.
        notes: where the application differs from what was explored.
    """

    values: Dict[str, Any]
    packages: tuple[str, ...]
    notes: tuple[str, ...] = ()


def session(mapping: Mapping, claims: Dict[str, str] | None) -> Session:
    """The session of a Next.js application."""
    provider = mapping.provider
    if provider == "workos-directory":
        msg = "users of a WorkOS directory do not sign in: use a mapping of 'workos' for the application"
        raise InputError(msg)
    if claims is not None and provider in {"clerk", "workos"}:
        msg = f"claims= is for Auth0 and Okta: with {mapping.shape.title} the user itself is read"
        raise InputError(msg)
    if provider == "clerk":
        return _of_user(mapping, CLERK, ("@clerk/nextjs",))
    if provider == "workos":
        return _of_user(mapping, WORKOS, ("@workos-inc/authkit-nextjs", "@workos-inc/node"))
    return _of_claims(mapping, claims)


def python_session(mapping: Mapping) -> Session:
    """What the provider's own client reads, in Python."""
    if mapping.provider == "workos-directory":
        msg = "users of a WorkOS directory do not sign in: use a mapping of 'workos' for the application"
        raise InputError(msg)
    joined = mapping.joined()
    package = {"clerk": "clerk-backend-api", "auth0": "auth0-python", "okta": "okta", "workos": "workos"}
    values = {
        "address": "primary_email_address" in mapping.paths(),
        "organization_roles": mapping.organization_roles,
        "needs_roles": mapping.organization_roles or bool(joined),
        "assigned_roles": "assigned_roles" in joined,
        "in_organizations": "organization_roles" in mapping.lists(),
        "groups": bool(joined),
        "groups_read": list(joined),
    }
    return Session(values, (package[mapping.provider],))


def _of_user(mapping: Mapping, names: Dict[str, str], packages: tuple[str, ...]) -> Session:
    """A session whose user has what the API's user has, under other names."""
    first = [path.split(".")[0] for path in mapping.paths()]
    if mapping.metadata or any(path.startswith(f"{mapping.shape.metadata}.") for path in _all(mapping)):
        first = [mapping.shape.metadata, *first]
    fields = ["id: user.id"]
    needs_roles = mapping.organization_roles
    for key in dict.fromkeys(first):
        if key in mapping.shape.joined:
            needs_roles = True
        elif key not in names:
            near = did_you_mean(key, names)
            msg = f"the session's user has no '{key}' in the form of {mapping.shape.title}'s API{near}"
            raise InputError(msg)
        elif key != "id":
            fields.append(f"{key}: {names[key]}")
    values = {
        "fields": fields,
        "organization_roles": mapping.organization_roles,
        "needs_roles": needs_roles,
    }
    return Session(values, packages)


def _all(mapping: Mapping) -> tuple[str, ...]:
    return (*mapping.roles, *mapping.profile.values())


def _of_claims(mapping: Mapping, claims: Dict[str, str] | None) -> Session:
    """A session or token whose claims the mapping reads."""
    layout = layout_of(mapping, claims)
    if layout.without:
        where = layout.without[0]
        example = f"claims={{'{where.split('.')[0]}': 'https://acme.example/{where.split('.')[0]}'}}"
        if mapping.provider == "okta":
            example = "metadata=('department',) instead of '*'"
        msg = f"a token of {mapping.shape.title} has no claim for '{where}' by itself: give {example}"
        raise InputError(msg)
    tree: dict[str, Any] = {}
    for claim in layout.claims:
        held = tree
        for step in claim.steps[:-1]:
            held = held.setdefault(step, {})
            if not isinstance(held, dict):
                break
        if not isinstance(held, dict) or claim.steps[-1] in held:
            msg = f"claims= gives both the whole of '{claim.steps[0]}' and a part of it: give one of them"
            raise InputError(msg)
        held[claim.steps[-1]] = _expression(mapping, claim.steps, claim.name)
    own = "session.user.sub" if mapping.provider == "auth0" else 'claims["uid"] ?? claims["sub"]'
    tree[mapping.shape.id] = own
    listed = any(claim.steps[0] in mapping.shape.joined for claim in layout.claims)
    values = {"fields": _lines(tree, "    "), "groups": listed, "listed": listed}
    package = "@auth0/nextjs-auth0" if mapping.provider == "auth0" else "jose"
    note = "A token holds what was true when it was issued: lab.same_principal finds who is behind."
    return Session(values, (package,), (note,))


def _expression(mapping: Mapping, steps: tuple[str, ...], claim: str) -> str:
    value = f"claims[{typescript_text(claim)}]"
    if mapping.provider == "auth0" and steps == ("identities", "0", "provider"):
        return 'session.user.sub.split("|")[0]'
    if steps[0] not in mapping.shape.joined:
        return value
    if mapping.provider == "okta":
        return f"groupsIn({value}, {'true' if steps[0] == 'all_groups' else 'false'})"
    return f"listIn({value})"


def _lines(tree: Dict[str, Any], margin: str) -> list[str]:
    """The properties of an object literal."""
    lines = []
    for name, held in tree.items():
        if isinstance(held, dict):
            inside = "".join(f"\n{margin}  {line}," for line in _lines(held, margin + "  "))
            lines.append(f"{typescript_key(name)}: {{{inside}\n{margin}}}")
        else:
            lines.append(f"{typescript_key(name)}: {held}")
    return lines


def auth0_action(mapping: Mapping, claims: Dict[str, str] | None) -> list[tuple[str, str]]:
    """The claims that an Action has to set, each with the expression of its value."""
    found: dict[str, str] = {}
    for claim in layout_of(mapping, claims).claims:
        first, *rest = claim.steps
        if first in OF_ACTION:
            inside = "".join(f"?.[{typescript_text(step)}]" for step in rest)
            if found.setdefault(claim.name, f"{OF_ACTION[first]}{inside}") != f"{OF_ACTION[first]}{inside}":
                msg = f"claims= gives '{claim.name}' to two parts of the user: an Action sets a claim once"
                raise InputError(msg)
    return list(found.items())

"""Where each provider keeps what a principal is made from, and how its Cerbos starter app maps it.

This is a table: nothing here reads a user. ``mapping.py`` and ``people.py`` do, in one way for all providers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Provider = Literal["clerk", "auth0", "okta", "workos", "workos-directory"]

PROVIDERS: Final[tuple[Provider, ...]] = get_args(Provider)


@dataclass(frozen=True, slots=True)
class Shape:
    """One provider's user object, as its API lists it.

    Attributes:
        title: what messages call the provider.
        id: the key of the user's id.
        metadata: the key of the map whose keys a mapping can take as attributes.
        personal_metadata: whether that map holds personal fields, such as Okta's ``profile``.
        maps: the keys that only this provider's users have; a path that begins with another provider's is
            refused.
        writable: the keys whose contents users can write themselves.
        joined: lists of names that are not in the user object but can be read like a path, and what they
            are.
        organization_roles: whether roles in organizations can be added to the others.
        roles: paths of the roles, by default.
        take: the keys of ``metadata`` that become attributes, by default.
        profile: attributes from other paths, by default.
        forms: the type expected at a path of roles; at any other path a name and a list are both fine.
    """

    title: str
    id: str
    metadata: str
    maps: tuple[str, ...]
    personal_metadata: bool = False
    writable: tuple[str, ...] = ()
    joined: dict[str, str] = field(default_factory=dict)
    organization_roles: bool = False
    roles: tuple[str, ...] = ()
    take: Literal["*"] | tuple[str, ...] = ()
    profile: dict[str, str] = field(default_factory=dict)
    forms: dict[str, Any] = field(default_factory=dict)

    def is_writable(self, path: str) -> bool:
        """Whether a user can write what is at the path."""
        return path.split(".", maxsplit=1)[0] in self.writable


SHAPES: Final[dict[str, Shape]] = {
    "clerk": Shape(
        title="Clerk",
        id="id",
        metadata="public_metadata",
        maps=("public_metadata", "private_metadata", "unsafe_metadata"),
        writable=("unsafe_metadata",),
        organization_roles=True,
        roles=("public_metadata.role", "public_metadata.roles"),
        take="*",
        forms={"public_metadata.role": str, "public_metadata.roles": list},
    ),
    "auth0": Shape(
        title="Auth0",
        id="user_id",
        metadata="app_metadata",
        maps=("app_metadata", "user_metadata"),
        writable=("user_metadata",),
        joined={
            "assigned_roles": "the names of the roles assigned to the user",
            "organization_roles": "the names of the user's roles in organizations",
        },
        organization_roles=True,
        roles=("assigned_roles",),
        profile={"email": "email", "provider": "identities.0.provider"},
    ),
    "okta": Shape(
        title="Okta",
        id="id",
        metadata="profile",
        maps=("profile",),
        personal_metadata=True,
        joined={
            "groups": "the names of the user's groups, without the built-in Everyone",
            "all_groups": "the names of the user's groups, with the built-in Everyone",
        },
        roles=("groups",),
    ),
    "workos": Shape(
        title="WorkOS",
        id="id",
        metadata="metadata",
        maps=("metadata",),
        joined={"organization_roles": "the roles of the user's active organization memberships"},
        organization_roles=True,
        profile={  # as its SDK for Node names them: the starter app passes on the whole user
            "email": "email",
            "emailVerified": "email_verified",
            "firstName": "first_name",
            "lastName": "last_name",
            "profilePictureUrl": "profile_picture_url",
            "externalId": "external_id",
            "lastSignInAt": "last_sign_in_at",
            "locale": "locale",
            "metadata": "metadata",
            "createdAt": "created_at",
            "updatedAt": "updated_at",
        },
    ),
    "workos-directory": Shape(
        title="WorkOS directory sync",
        id="id",
        metadata="custom_attributes",
        maps=("custom_attributes", "raw_attributes"),
        personal_metadata=True,
        joined={"group_names": "the names of the user's directory groups"},
        roles=("role.slug", "group_names"),
        take="*",
    ),
}

"""The principal that an application would build from a session token."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping as Dict
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.claims import identity_of, layout_of, organization_roles, user_of
from clerk_cerbos_lab.identity.keys import hide
from clerk_cerbos_lab.identity.mapping import mapping_of
from clerk_cerbos_lab.identity.people import person_of, principals_of
from clerk_cerbos_lab.identity.tokens import (
    ALGORITHMS,
    Token,
    Wanted,
    checked_algorithms,
    expired_of,
    unverified,
    verified,
)
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence

    import pandas as pd

    from clerk_cerbos_lab.identity.claims import Layout
    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.shapes import Provider


def claims_to_principal(
    token: Dict[str, Any] | str | SecretStr,
    /,
    *,
    mapping: Mapping | None = None,
    provider: Provider | None = None,
    claims: Dict[str, str] | None = None,
    issuer: str | None = None,
    audience: str | Collection[str] | None = None,
    authorized_parties: Collection[str] | None = None,
    jwks: Dict[str, Any] | str | os.PathLike[str] | None = None,
    algorithms: Sequence[str] = ALGORITHMS,
    leeway: float = 0.0,
    verify: bool = True,
    expired: bool = False,
) -> pd.DataFrame:
    """The principal that an application would build from a session token, to compare with the directory's.

    >>> lab.claims_to_principal(token, issuer="https://clerk.example.com")

    The claims become the provider's own user object, which the mapping reads as it reads any other. The
    user's id is ``sub`` (Okta's access tokens: ``uid``); organization roles are those of the active
    organization (Clerk's ``o.rol``, WorkOS's ``role``), if the mapping adds them; Clerk's public metadata is
    the claim ``metadata``; Okta's ``profile.department`` is the claim ``department``; anything else is the
    claim with the name of its first step. Auth0's ``app_metadata``, ``assigned_roles`` and
    ``organization_roles`` are in a token only if an Action puts them there:
    ``claims={"assigned_roles": "https://acme.example/roles"}``.

    Args:
        token: a JWT, which is a secret: it is in no output, error or log; or the claims of one, as a dict.
        mapping: default: that of the provider.
        provider: ``clerk`` unless a mapping says otherwise.
        claims: path in the user object, or the start of one, to the name of the claim with its value.
        issuer: the ``iss`` that is required, such as ``https://clerk.example.com``; its keys are fetched from
            there (``/.well-known/…``) unless ``jwks`` has them.
        audience: the ``aud`` that is required; a token with an audience is refused without it.
        authorized_parties: what ``azp`` may be, which Clerk's tokens have in place of an audience.
        jwks: the issuer's public keys: a JWKS, its file or its address (WorkOS:
            ``https://api.workos.com/sso/jwks/client_…``).
        algorithms: the signatures that are accepted; never ``none`` or those of a shared secret.
        leeway: seconds by which clocks may differ.
        verify: False reads a token of which nothing is checked, with a warning.
        expired: True accepts a token past its ``exp``: what did it hold an hour ago?

    Returns:
        A principals frame of one row. ``attrs["token"]`` has ``verified`` and ``expired`` (True, False; None
        if it has no ``exp``), and ``absent``: the paths that the mapping reads and the token does not have.

    Raises:
        InputError: if the token is not valid, has no ``sub``, or no issuer is given; never with its content.
        LabError: if the issuer's keys can't be fetched.

    Warns:
        LabWarning: if nothing of a token is verified.
    """
    plain = hide(token) if isinstance(token, (str, SecretStr)) else None
    given = None if plain is not None else token
    del token  # from here on no stack frame of the kit holds it in plain text
    plan = mapping_of(mapping, provider)
    layout = layout_of(plan, claims)
    wanted = Wanted(audience, authorized_parties, _seconds(leeway), expired)
    allowed = checked_algorithms(algorithms)
    if plain is None:
        held = _of_dict(given)
    elif not verify:
        held = unverified(plain)
        told = "nothing of the token is verified: anybody may have written it"
        warnings.warn(told, LabWarning, stacklevel=2)
    else:
        held = verified(plain, issuer=_issuer(issuer), jwks=jwks, algorithms=allowed, wanted=wanted)
    if not identity_of(held.claims, plan):
        del held, given
        msg = "the claims do not say whose they are: there is no 'sub'"
        raise InputError(msg)
    return _frame(held, plan, layout)


def _issuer(issuer: str | None) -> str:
    if not isinstance(issuer, str) or not issuer:
        msg = (
            "a token is verified with its issuer's keys: pass issuer='https://…' as the token's iss has it; "
            "verify=False reads it without any check"
        )
        raise InputError(msg)
    return issuer


def _seconds(leeway: float) -> float:
    if isinstance(leeway, bool) or not isinstance(leeway, (int, float)) or not 0 <= leeway <= 3600:
        msg = "leeway= must be seconds between 0 and 3,600"
        raise InputError(msg)
    return leeway


def _of_dict(claims: object) -> Token:
    """Claims that an application has read from a token: nothing can be verified any more."""
    if not isinstance(claims, Dict) or not all(isinstance(name, str) for name in claims):
        msg = f"claims_to_principal needs a token or a dict of its claims, not {json_type(claims)}"
        raise InputError(msg)
    return Token(claims, verified=False, expired=expired_of(claims))


def _frame(token: Token, mapping: Mapping, layout: Layout) -> pd.DataFrame:
    user, absent = user_of(token.claims, mapping, layout)
    added = organization_roles(token.claims, mapping, user) if mapping.organization_roles else ()
    person = person_of(user, mapping, added_roles=added)
    if (address := user.get("primary_email_address")) is not None:  # looked up by its id in Clerk's own form
        fields = {**person.fields, "primary_email_address": address}
        person = dataclasses.replace(person, fields=fields)
    handed_over.hand_over([person.id])
    with warnings.catch_warnings():  # attrs say what the token does not have
        warnings.filterwarnings("ignore", "no user has ", LabWarning)
        frame = principals_of([person], mapping)
    frame.attrs["token"] = {"verified": token.verified, "expired": token.expired, "absent": absent}
    return frame

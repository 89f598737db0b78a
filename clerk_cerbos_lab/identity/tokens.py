"""Session tokens: JSON Web Tokens, verified with their issuer's public keys.

A token is a secret: it is wrapped on entry, and no error has the token, its claims, or the exception of the
library, whose frames hold both.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.token_keys import Keys, keys_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence

    from pydantic import SecretStr

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures that are verified with a public key: neither ``none`` nor the ones of a shared secret."""

LONGEST: Final = 64_000
"""Characters of a token: a cookie holds 4,096."""

TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt", "okta-internal-at+jwt"})
"""What the header's ``typ`` may be; a logout token, for example, is not a session."""

MORE: Final = "verify=False reads it without any check"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says, and what of it was checked.

    Attributes:
        claims: the payload.
        verified: whether signature, issuer, audience and times were checked.
        expired: whether it is past its ``exp``; None if it has none.
    """

    claims: Mapping[str, Any] = field(repr=False)
    verified: bool
    expired: bool | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token must say beside its issuer; ``claims_to_principal`` has the details."""

    audience: str | Collection[str] | None
    parties: Collection[str] | None
    leeway: float
    expired: bool


def unverified(token: SecretStr) -> Token:
    """A token as it is, whoever wrote it.

    Raises:
        InputError: if it is not a JSON Web Token.
    """
    found = _parsed(token)
    if isinstance(found, str):
        msg = f"that is no JSON Web Token: {found}"
        raise InputError(msg)
    return Token(found[1], verified=False, expired=expired_of(found[1]))


def verified(
    token: SecretStr,
    *,
    issuer: str,
    jwks: Mapping[str, Any] | str | os.PathLike[str] | None,
    algorithms: Sequence[str],
    wanted: Wanted,
) -> Token:
    """A token whose signature, issuer, audience and times are right, as ``claims_to_principal`` documents.

    Raises:
        InputError: if it is not; says what is wrong, never what the token contains.
        LabError: if the issuer's keys can't be fetched.
    """
    problem = _unreadable(token)
    if problem is not None:  # before anything is fetched
        msg = f"that is no JSON Web Token: {problem}"
        raise InputError(msg)
    keys = keys_of(jwks, issuer)
    outcome = _checked(token, keys, issuer, algorithms, wanted)
    if isinstance(outcome, str):
        msg = f"the token is not valid: {outcome}; {MORE}"
        raise InputError(msg)
    return outcome


def _unreadable(token: SecretStr) -> str | None:
    found = _parsed(token)
    return found if isinstance(found, str) else None


def checked_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    """The allow-list of a caller, of which none may be a signature that anybody could make."""
    given = (algorithms,) if isinstance(algorithms, str) else tuple(algorithms)
    wrong = [str(name) for name in given if name not in ALGORITHMS]
    if wrong or not given:
        what = f"'{wrong[0]}' is not one of them" if wrong else "none is given"
        msg = f"algorithms= must be signatures verified with a public key ({', '.join(ALGORITHMS)}); {what}"
        raise InputError(msg)
    return given


def _checked(
    token: SecretStr, keys: Keys, issuer: str, algorithms: Sequence[str], wanted: Wanted
) -> Token | str:
    """The token, or what is wrong with it in words: nothing here raises while a frame holds the claims."""
    found = _parsed(token)
    if isinstance(found, str):
        return found
    header, claims = found
    algorithm = header.get("alg")
    problem = _of_header(header, algorithms)
    if problem is not None:
        return problem
    fitting = keys.for_token(header.get("kid"), str(algorithm))
    if isinstance(fitting, str):
        return fitting
    problem = _of_signature(token, fitting, str(algorithm), issuer, wanted)
    if problem is not None:
        return problem
    if wanted.parties is not None and claims.get("azp") not in wanted.parties:
        return "it was issued to another application (azp) than authorized_parties= names"
    return Token(claims, verified=True, expired=expired_of(claims, wanted.leeway))


def _of_header(header: Mapping[str, Any], allowed: Sequence[str]) -> str | None:
    """What is wrong with a token's header; None if nothing is."""
    name, kind = header.get("alg"), header.get("typ")
    if not isinstance(name, str) or name not in allowed:
        unsigned = isinstance(name, str) and name.lower() == "none"
        what = "is not signed" if unsigned else "has a signature of a kind that is not allowed"
        return f"it {what} (allowed: {', '.join(allowed)})"
    if "crit" in header:
        return "it demands extensions (crit) that are not understood"
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in TYPES):
        return "its header says that it is of another type than JWT"
    return None


def _of_signature(
    token: SecretStr, keys: Sequence[Any], algorithm: str, issuer: str, wanted: Wanted
) -> str | None:
    """What is wrong with signature, issuer, audience or times; None if nothing is."""
    import jwt  # noqa: PLC0415 - an extra

    one = wanted.audience is None or isinstance(wanted.audience, str)
    for key in keys:
        try:
            jwt.decode(
                token.get_secret_value(),
                key,
                algorithms=[algorithm],
                audience=wanted.audience if one else list(wanted.audience or ()),
                issuer=issuer,
                leeway=wanted.leeway,
                options={
                    "require": ["sub", "iss", "exp"],
                    "verify_exp": not wanted.expired,
                    "enforce_minimum_key_length": True,
                },
            )
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
            continue
        except (jwt.PyJWTError, ValueError, OverflowError) as error:
            return _words(error, wanted.audience)
        return None
    return "no key of the issuer made its signature"


def _words(error: Exception, audience: object) -> str:
    name = type(error).__name__
    if name == "InvalidAudienceError":
        return (
            "it is for an audience: say which with audience="
            if audience is None
            else "it is for another audience"
        )
    if name == "MissingRequiredClaimError":
        return f"it has no '{getattr(error, 'claim', 'exp')}'"
    return {
        "ExpiredSignatureError": "it has expired (expired=True accepts that)",
        "ImmatureSignatureError": "it is not valid yet",
        "InvalidIssuedAtError": "its time of issue (iat) is not a number",
        "InvalidIssuerError": "it comes from another issuer",
        "InvalidSubjectError": "its subject (sub) is not a string",
        "InvalidJTIError": "its id (jti) is not a string",
        "InvalidAlgorithmError": "its signature does not fit the issuer's key",
    }.get(name, "it is malformed")


def _parsed(token: SecretStr) -> tuple[dict[str, Any], dict[str, Any]] | str:
    """Header and payload, of whatever origin; or why it is no token, in words."""
    text = token.get_secret_value()
    parts = text.split(".")
    if len(text) > LONGEST:
        return f"it has {len(text):,} characters, and no session token has more than {LONGEST:,}"
    if len(parts) == 5:
        return "it is encrypted"
    if len(parts) != 3:
        return f"it has {len(parts)} parts in place of 3"
    header, claims = _json(parts[0]), _json(parts[1])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return "its parts are not JSON objects in base64url, each key once"
    return header, claims


def _json(part: str) -> Any:
    """The JSON in a part of a token; None if there is none, or a key occurs twice."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        msg = "a key occurs twice"
        raise ValueError(msg)
    return held


def _no_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def expired_of(claims: Mapping[str, Any], leeway: float = 0) -> bool | None:
    """Whether the claims are past their ``exp``; None if they have none."""
    end = claims.get("exp")
    if isinstance(end, bool) or not isinstance(end, (int, float)) or end != end:  # noqa: PLR0124 - NaN
        return None
    return datetime.now(UTC).timestamp() >= end + leeway

"""The public keys of an issuer of tokens (JWKS): given, from a file, or from the issuer's own address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from clerk_cerbos_lab.errors import InputError, LabError
from clerk_cerbos_lab.identity.remote import _quiet

if TYPE_CHECKING:
    import os

SECONDS: Final = 10.0

LARGEST: Final = 1_000_000
"""Bytes of a key set."""

DISCOVERY: Final = (".well-known/openid-configuration", ".well-known/oauth-authorization-server")

USUAL: Final = ".well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys: each as ``cryptography`` has it, beside the JSON that described it."""

    pairs: tuple[tuple[Mapping[str, Any], Any], ...]

    def for_token(self, kid: object, algorithm: str) -> tuple[Any, ...] | str:
        """Those that can have signed a token with this key id and algorithm; or in words why none can."""
        if kid is not None and not isinstance(kid, str):
            return "it names its key (kid) by something else than a string"
        named = [pair for pair in self.pairs if kid is None or pair[0].get("kid") == kid]
        if not named:
            return "it was signed with a key that the issuer does not have, or no longer has"
        if kid is None and len(named) > 1:
            return f"it does not say which of the issuer's {len(named)} keys signed it (kid)"
        fitting = [key for described, key in named if described.get("alg", algorithm) == algorithm]
        return tuple(fitting) or "its algorithm is not that of the issuer's key"


def keys_of(source: Mapping[str, Any] | str | os.PathLike[str] | None, issuer: str) -> Keys:
    """The keys of an issuer that can verify signatures.

    Args:
        source: a JWKS, its file or its address; None asks the issuer.
        issuer: the address of the issuer.

    Raises:
        InputError: if an address is not https, or what is given has no such key.
        LabError: if it can't be fetched.
    """
    if isinstance(source, Mapping):
        return _keys(source)
    if source is None:
        return _keys(_of_issuer(issuer))
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return _keys(_fetched(source))
    try:
        return _keys(json.loads(Path(source).read_text("utf-8")))
    except FileNotFoundError:
        msg = f"there is no file '{source}' with the issuer's keys"
    except (OSError, ValueError, RecursionError):
        msg = f"'{Path(source).name}' is not a JWKS: a JSON object with 'keys'"
    raise InputError(msg)


def _keys(found: object) -> Keys:
    import jwt  # noqa: PLC0415 - an extra

    listed = found.get("keys") if isinstance(found, Mapping) else None
    if not isinstance(listed, list):
        msg = "the issuer's keys are not a JWKS: an object with a list 'keys'"
        raise InputError(msg)
    pairs = []
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") == "oct" or one.get("use", "sig") != "sig":
            continue
        if "verify" not in one.get("key_ops", ["verify"]) or "d" in one:  # a private key is not published
            continue
        try:
            pairs.append((one, jwt.PyJWK(one).key))
        except jwt.PyJWTError:
            continue
    if not pairs:
        msg = "the issuer's key set has no public key that verifies signatures"
        raise InputError(msg)
    return Keys(tuple(pairs))


def _of_issuer(issuer: str) -> Any:
    """The key set whose address the issuer publishes, else the one at the usual place."""
    base = issuer if issuer.endswith("/") else f"{issuer}/"
    for place in DISCOVERY:
        found = _fetched(base + place, missing=True)
        if found is None:
            continue
        if not isinstance(found, dict) or not isinstance(found.get("jwks_uri"), str):
            msg = f"{httpx.URL(base).host} does not say where its keys are (jwks_uri)"
            raise LabError(msg)
        if found.get("issuer") != issuer:
            msg = f"{httpx.URL(base).host} publishes another issuer than the one given; is a slash missing?"
            raise InputError(msg)
        return _fetched(found["jwks_uri"])
    return _fetched(base + USUAL)


def _fetched(address: str, *, missing: bool = False) -> Any:
    """The JSON at an address; None if nothing is there and it may be ``missing``."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    local = url.host in {"localhost", "127.0.0.1", "::1"}
    if not url.host or url.userinfo or not (url.scheme == "https" or (url.scheme == "http" and local)):
        msg = "the address of the issuer and of its keys must be https"
        raise InputError(msg)
    problem = None
    body = bytearray()
    try:
        with (
            _quiet("httpx", "httpcore"),
            httpx.stream("GET", url, timeout=SECONDS, follow_redirects=False) as answer,
        ):
            if missing and answer.status_code == httpx.codes.NOT_FOUND:
                return None
            if answer.status_code != httpx.codes.OK:
                problem = f"status {answer.status_code}"
            else:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        problem = f"more than {LARGEST:,} bytes"
                        break
    except httpx.HTTPError as error:
        problem = type(error).__name__
    if problem is None:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            problem = "not JSON"
    msg = f"the issuer's keys can't be fetched from {url.host}: {problem}"
    raise LabError(msg)

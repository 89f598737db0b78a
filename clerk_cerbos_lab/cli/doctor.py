"""Checks what the kit finds on this machine, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.errors import InputError, PDPError, PolicyError
from clerk_cerbos_lab.identity.clerk.api import secret_key_kind
from clerk_cerbos_lab.insights.agreement import agreement
from clerk_cerbos_lab.pdp import engines
from clerk_cerbos_lab.pdp.client import PDP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PROVIDERS: Final = {
    "Auth0": (
        ("AUTH0_DOMAIN", "AUTH0_MGMT_TOKEN"),
        ("AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"),
    ),
    "Okta": (("OKTA_ORG_URL", "OKTA_API_TOKEN"),),
    "WorkOS": (("WORKOS_API_KEY",),),
}
"""The environment variables that each provider needs; any one of the sets is enough."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the examination.

    Attributes:
        mark: ``✓`` found, ``✗`` missing but needed, ``-`` missing and not needed.
        what: what was looked for.
        found: what was found.
        advice: what to do, or empty.
    """

    mark: str
    what: str
    found: str
    advice: str = ""


def examine(policies: Path) -> list[Finding]:
    """Examine Python, the PDP, the policies, providers' keys and Jupyter; sends no request to a provider."""
    return [*_python(), *_engines(), *_pdp(policies), _clerk(), *_providers(), _jupyter()]


def _python() -> Iterator[Finding]:
    yield Finding("✓", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("✓", "clerk-cerbos-lab", importlib.metadata.version("clerk-cerbos-lab"))


def _engines() -> Iterator[Finding]:
    address = os.environ.get("CERBOS_ADDRESS")
    if address:
        yield Finding("✓", "PDP address", f"CERBOS_ADDRESS={address}")
    found = engines.find_engines()
    for engine in found:
        yield Finding("✓", "PDP engine", engine.describe())
    if not found and not address:
        yield Finding(
            "✗",
            "PDP engine",
            "none",
            "`clerk-cerbos-lab setup` installs the pinned binary; or put `cerbos` on PATH, start docker or "
            "podman, or set CERBOS_ADDRESS",
        )


def _pdp(policies: Path) -> Iterator[Finding]:
    try:
        with PDP() if os.environ.get("CERBOS_ADDRESS") else PDP(policies) as pdp:
            found = f"answers, Cerbos {pdp.version}"
            if pdp.digest:
                found += f";  {len(pdp.policies)} policies in {policies} compile ({pdp.digest[:12]})"
            yield Finding("✓", "PDP", found)
            yield from _explanations(pdp)
    except PolicyError as error:
        yield Finding("✗", "PDP", str(error), "fix the problems shown")
    except InputError as error:
        yield Finding("✗", "PDP", str(error), "name the folder with --policies")
    except PDPError as error:
        yield Finding("✗", "PDP", str(error), "see above for the ways to get one")


def _explanations(pdp: PDP) -> Iterator[Finding]:
    """Whether the copy of the policies that explains decisions decides as they do."""
    try:
        found = agreement(pdp)
    except PDPError as error:
        advice = "decisions of these policies can't be explained; everything else works"
        yield Finding("✗", "Explanations", str(error), advice)
        return
    if found is None:
        return
    asked = f"{found.asked:,} made-up requests"
    if found.confused:
        some = "; ".join(dict.fromkeys(found.confused))
        told = f"Cerbos takes one for another that has the same expressions in other blocks: {some}"
        yield Finding("✗", "Conditions", told, "write the expressions differently in one of them")
    if found.differing:
        some = "; ".join(dict.fromkeys(found.differing))
        told = f"{len(found.differing):,} of {asked} differ in the copy of the policies that explains: {some}"
        yield Finding("✗", "Explanations", told, "do not rely on explanations; please report these policies")
    else:
        told = f"{asked} have the same effects in the copy of the policies that explains"
        yield Finding("✓", "Explanations", told)


def _clerk() -> Finding:
    kind = secret_key_kind()
    if kind is None:
        advice = "only for live users: set CLERK_SECRET_KEY; files of users need no key"
        return Finding("-", "Clerk key", "CLERK_SECRET_KEY is not set", advice)
    if kind == "wrong":
        advice = "copy the secret key from Clerk's dashboard, API keys; it starts with sk_"
        return Finding("✗", "Clerk key", "CLERK_SECRET_KEY is set, but is not a Clerk secret key", advice)
    return Finding("✓", "Clerk key", f"CLERK_SECRET_KEY is set ({kind}; not shown, not tried)")


def _providers() -> Iterator[Finding]:
    """What is set for Auth0, Okta and WorkOS; Auth0 has two ways."""
    nothing = True
    for title, ways in PROVIDERS.items():
        found = [[name for name in way if os.environ.get(name)] for way in ways]
        if not any(found):
            continue
        nothing = False
        whole = next((way for way, held in zip(ways, found, strict=True) if len(held) == len(way)), None)
        if whole:
            yield Finding("✓", f"{title} key", f"{', '.join(whole)} set (not shown, not tried)")
        else:
            held, way = max(zip(found, ways, strict=True), key=lambda pair: len(pair[0]))
            lacking = ", ".join(name for name in way if name not in held)
            yield Finding("✗", f"{title} key", f"only {', '.join(held)} set", f"set {lacking}, too")
    if nothing:
        yield Finding(
            "-", "Other sources", "no key of Auth0, Okta or WorkOS is set", "only for their live users"
        )


def _jupyter() -> Finding:
    try:
        version = importlib.metadata.version("jupyterlab")
    except importlib.metadata.PackageNotFoundError:
        advice = 'for the notebooks: pip install "clerk-cerbos-lab[notebooks]"'
        return Finding("-", "JupyterLab", "not installed", advice)
    return Finding("✓", "JupyterLab", version)

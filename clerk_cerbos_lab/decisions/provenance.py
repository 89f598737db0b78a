"""Where decisions come from and how they were verified."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where decisions come from and how they were verified.

    Attributes:
        pdp_version: the version of Cerbos.
        engine: how the PDP was run, in words.
        policy_digest: SHA-256 of the policy files; None for a PDP at an address.
        evaluation: ``"strict"``, ``"lenient"`` (Cerbos's default) or ``"unknown"`` (at an address).
        mapping: how users were mapped to principals, as plain data; None for a frame made by hand.
        method: how the cells were asked.
        verified: how the cells were verified.
        names_checked: whether the kind and the actions could be checked against the policies.
        notes: sentences about attributes that no policy reads, or that are read but were not sent.
        asked: decisions requested from the PDP, without those of the audit.
        classes: how many principals were asked about, each for all that the policies can't tell apart.
        audited: decisions requested in addition, as spot checks.
        asked_along_axes: decisions requested along numeric axes between and beyond the values of the grid,
            and next to each boundary, so that thresholds are exact.
        started: start time, in UTC.
        seconds: how long the requests took.
        policy_version: of the resource; empty: the PDP's default.
        scope: of the resource.
        principal_policy_version: if it differs from the resource's.
        principal_scope: if it differs from the resource's.
        aux_data: whether a JWT was sent with each request.
    """

    pdp_version: str
    engine: str
    policy_digest: str | None
    evaluation: str
    mapping: Mapping[str, Any] | None
    method: str
    verified: str
    names_checked: bool
    notes: tuple[str, ...]
    asked: int
    classes: int
    audited: int
    asked_along_axes: int
    started: datetime.datetime
    seconds: float
    policy_version: str
    scope: str
    principal_policy_version: str | None
    principal_scope: str | None
    aux_data: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {**dataclasses.asdict(self), "notes": list(self.notes), "started": self.started.isoformat()}

    def caption(self) -> str:
        """The part that is the same in every run, for a table's caption."""
        policies = f"policies {self.policy_digest[:12]}" if self.policy_digest else "its own policies"
        spelling = "" if self.names_checked else ", names not checked for spelling"
        return (
            f"Cerbos {self.pdp_version}, {policies}, {self.evaluation} evaluation; "
            f"{self.method}: {self.verified}{spelling}"
        )

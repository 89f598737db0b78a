"""The question of decisions, put to a PDP again, about the same people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.sweeps.name_checks import NamedElsewhere
from clerk_cerbos_lab.sweeps.sweep import sweep

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.pdp.client import PDP


def asked_again(known: Decisions, pdp: PDP, *, audit: int = 512, named_elsewhere: bool = False) -> Decisions:
    """What a PDP answers now to the question of decisions, about the same people.

    Args:
        known: the decisions.
        pdp: the PDP.
        audit: as in ``lab.sweep``.
        named_elsewhere: ask also about what the policies do not name any more.

    Raises:
        InputError: if they were made with a JWT, which they do not keep, or if the policies do not have the
            kind or an action any more, unless ``named_elsewhere``.
        PolicyError: if the policies do not compile.
        PDPError: if the PDP refuses a request or is lost.
    """
    if known.provenance.aux_data:
        msg = "these decisions were made with a JWT, which they do not keep: sweep both yourself"
        raise InputError(msg)
    asked = known.question
    attr: dict[str, Any] = {axis.name: list(axis.values) for axis in known.axes}
    attr |= {name: value for name, value in known.fixed.items() if name not in attr}
    return sweep(
        pdp,
        known.principals,
        asked.kind,
        actions=NamedElsewhere(known.actions) if named_elsewhere else known.actions,
        resource_id=attr.pop("resource_id", "resource"),
        attr={name: _fixed_list(value, known, name) for name, value in attr.items()},
        policy_version=asked.policy_version,
        scope=asked.scope,
        principal_policy_version=asked.principal_policy_version,
        principal_scope=asked.principal_scope,
        units=dict(asked.units),
        audit=audit,
    )


def _fixed_list(value: Any, known: Decisions, name: str) -> Any:
    """A fixed attribute as ``lab.sweep`` takes it: a list would be an axis."""
    return value if name in known.dims or not isinstance(value, list) else [value]

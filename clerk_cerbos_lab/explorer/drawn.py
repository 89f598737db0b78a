"""What an explorer's browser draws of an answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.display import changes_text, plain_text
from clerk_cerbos_lab.display.headline import axis_heading
from clerk_cerbos_lab.display.payload import assemble, value_dim
from clerk_cerbos_lab.insights.compare import changes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.explorer.answers import Known
    from clerk_cerbos_lab.explorer.envelope import Envelope
    from clerk_cerbos_lab.identity.disclosure import Disclosure

GROUPS: Final = 8
"""Groups of people who gain or lose that are named, at most."""


def drawn(  # noqa: PLR0917 - what is shown, and how
    known: Known,
    actions: Sequence[str],
    values: Mapping[str, Sequence[Any]],
    grid: Sequence[Any],
    across: str | None,
    principals: dict[str, Any],
    texts: Mapping[str, Any],
    shown: Disclosure,
    base: Known | None,
) -> Payload:
    """The payload of a state.

    Args:
        known: the answers.
        actions: the actions.
        values: the values of each attribute.
        grid: the amounts of the attribute across the top.
        across: that attribute; None if there is none.
        principals: their dimension.
        texts: the rest of the header.
        shown: how values are named.
        base: the answers of the policies as they are, if limits were moved: what differs is marked.
    """
    cube, past = known.cube(actions, values, grid), None
    if base is not None:
        cube, past = known.changed_from(base, actions, values, grid)
    question = known.latest.question
    axes = [Axis(name, tuple(values[name])) for name in known.names]
    dims = [
        principals,
        value_dim("action", actions, shown),
        *(value_dim(axis.name, values[axis.name], shown, axis_heading(question, axis)) for axis in axes),
    ]
    if known.axis is not None:
        dims.append(value_dim(known.axis, grid, shown, question.heading(known.axis)))
    columns = across or max(dims[1:], key=lambda dim: len(dim["labels"]))["name"]
    wide = [dim["name"] for dim in dims[1:] if len(dim["labels"]) > 1 and dim["name"] != columns]
    header = {
        **texts,
        "scenario": None,
        "rows": ["principal", *wide],
        "columns": [columns],
        "fixed": [],
        "total": math.prod(len(dim["labels"]) for dim in dims),
        "allow": cube.count([np.arange(n) for n in cube.shape]),
        "caption": _caption(known),
        "window": [min(grid), max(grid)] if known.axis is not None else None,
    }
    if past is not None:
        header |= {"changed": True, "asks": True}
    return assemble(header, dims, cube.answer, cube.codes, past)


def title(decisions: Decisions, envelope: Envelope, default_version: str, shown: Disclosure) -> str:
    """The question, and the version and scope of the policies unless they are the default."""
    which = _which(envelope, default_version, shown)
    return "; ".join([plain_text.question(decisions, shown), *([", ".join(which)] if which else [])])


def moved(
    before: Decisions, after: Decisions, along: str | None, counts: Mapping[str, int], shown: Disclosure
) -> list[str]:
    """What moved limits do: how many people gain and lose, then which groups, then counts of decisions.

    Args:
        before: with the limits of the policies.
        after: with the moved ones.
        along: the attribute across the top; None if there is none.
        counts: decisions ``gained`` and ``lost``.
        shown: how values are named.
    """
    changes = changes_of(before, after, along, ask=False)
    groups = [f"{changes_text.sentence(changes, group, shown)}." for group in changes.groups[:GROUPS]]
    if len(changes.groups) > GROUPS:
        groups.append(f"And {len(changes.groups) - GROUPS:,} smaller groups.")
    told = f"{counts['gained']:,} gained, {counts['lost']:,} lost"
    return [
        f"Moved limits: {changes_text.who_changes(changes)}.",
        *groups,
        f"Of {len(after):,} decisions: {told}.",
    ]


def _which(envelope: Envelope, default_version: str, shown: Disclosure) -> list[str]:
    """The version and scope of the policies that answer, in words; defaults are left out."""
    told = {
        "policy version": envelope.policy_version,
        "scope": envelope.scope,
        "policy version of the principal": envelope.principal_policy_version,
        "scope of the principal": envelope.principal_scope,
    }
    usual = {"policy version": default_version}
    return [
        f"{name} {shown.text(value)}" for name, value in told.items() if value and value != usual.get(name)
    ]


def _caption(known: Known) -> str:
    source = known.latest.provenance
    how = f"exact along {known.axis}" if known.axis else "each value asked"
    policies = f"policies {source.policy_digest[:12]}" if source.policy_digest else "its own policies"
    return f"Cerbos {source.pdp_version}, {policies}, {source.evaluation} evaluation; {how}"


def asked(wanted: Mapping[str, Any]) -> list[Any]:
    """The parts that identify a range, the same as in the browser."""
    if wanted.get("values") is not None:
        return list(wanted["values"])
    return [wanted[part] for part in ("low", "high", "step")]

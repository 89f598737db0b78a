"""Names in a question, held against the policies: what to ask about, and what a reader should know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import InputError, PDPError, did_you_mean
from clerk_cerbos_lab.policies.cel import CelError
from clerk_cerbos_lab.policies.names import only_name
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.values import RESOURCE_ID, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP


def actions_asked(
    pdp: PDP, kind: str, actions: Sequence[str] | str | None, where: Mapping[str, Any]
) -> tuple[str, ...]:
    """The actions to ask about.

    Args:
        pdp: tells the default: all that the policies name.
        kind: the resource kind.
        actions: as the caller gave them.
        where: ``policy_version`` and ``scope``.
    """
    if not isinstance(kind, str) or not kind:
        msg = f"the resource kind must be a non-empty string, not {kind!r}"
        raise InputError(msg)
    text(kind, "the resource kind")
    if actions is None:
        known = pdp.actions(kind, **where)
        if known is None:
            msg = "name the actions: this PDP does not tell its policies (it takes its Admin API, admin=)"
            raise InputError(msg)
        plain = list(dict.fromkeys(name for name in map(only_name, known) if name is not None))
        if not plain:
            msg = f"name the actions: the policies of '{kind}' name none that is no pattern"
            raise InputError(msg)
        return tuple(plain)
    asked = [actions] if isinstance(actions, str) else list(actions)
    if not asked:
        msg = "actions is empty; leave it out for all that the policies name"
        raise InputError(msg)
    for action in asked:
        if not isinstance(action, str) or not action:
            msg = f"an action must be a non-empty string, not {action!r}"
            raise InputError(msg)
        text(action, "an action")
    twice = sorted({action for action in asked if asked.count(action) > 1})
    if twice:
        msg = f"given twice in actions: {twice}"
        raise InputError(msg)
    if len(asked) > limits.RESOURCES_PER_REQUEST:
        msg = f"{len(asked)} actions; Cerbos takes {limits.RESOURCES_PER_REQUEST} a resource at most"
        raise InputError(msg)
    return tuple(asked)


def separately(pdp: PDP, kind: str) -> str | None:
    """Why each action is asked by itself, as a sentence; None where several can stand in one request."""
    try:
        if not pdp.index.reads_runtime(kind):
            return None
    except CelError:
        return "Each action is asked by itself: the policies can't be read whole."
    except PDPError:
        return "Each action is asked by itself: the PDP does not tell its policies."
    return (
        "Each action is asked by itself: the policies read `runtime`, so that in Cerbos the answer for one "
        "can depend on which others precede it in a request."
    )


def notes_on_names(
    pdp: PDP, kind: str, actions: tuple[str, ...], given: Sequence[str], where: Mapping[str, Any]
) -> tuple[str, ...]:
    """What a reader should know of the attributes: a misspelt name reads as DENY, without a word.

    Only the policies that the question can reach count: those of its version and scopes.

    Args:
        pdp: tells its policies.
        kind: the resource kind.
        actions: that are asked about.
        given: the resource attributes that are sent.
        where: versions and scopes, as ``PDP.reached`` takes them.
    """
    reached = pdp.reached(kind, **where)
    index = pdp.index
    every = index.analysis_of_reached(reached)
    if every.unreadable:
        _, read = pdp.resource_attributes(kind)
        unread: list[str] = []
        left = sorted(read - {*given})
    else:
        unread = [] if every.whole else [name for name in given if name not in every.uses]
        left = sorted(set(index.analysis_of_reached(reached, Audience(actions, None)).uses) - {*given})
    unread = [name for name in unread if name != RESOURCE_ID]
    left = [name for name in left if name != RESOURCE_ID]
    notes = []
    anywhere, _ = pdp.resource_attributes(kind)
    schemas = any((policy.document.get("resourcePolicy") or {}).get("schemas") for policy in reached.policies)
    but = "; the PDP may still reject it by a schema" if schemas and _enforces_schemas(pdp) else ""
    for who, some in (
        ("No policy", [name for name in unread if name not in anywhere]),
        ("No policy that applies here", [name for name in unread if name in anywhere]),
    ):
        if some:
            hints = [f"{name}{_near(name, left)}" for name in some]
            notes.append(f"{'No condition' if but else who} reads {', '.join(hints)}{but}.")
    if left:
        notes.append(f"Read by the policies of {kind}, but not sent: {', '.join(left)}.")
    return tuple(notes)


def _enforces_schemas(pdp: PDP) -> bool:
    """Whether the PDP may deny what breaks a schema."""
    own = pdp.own_policies
    return own is None or (own[1].get("schema") or {}).get("enforcement", "none") not in {"none", "warn"}


def _near(name: str, left: Sequence[str]) -> str:
    hint = did_you_mean(name, left) if left else ""
    return f" ({hint[2:].partition('?')[0]}?)" if hint.startswith("; did") else ""

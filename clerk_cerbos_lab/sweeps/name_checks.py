"""Compares the names in a question with the policies: which actions to ask about, and which notes to add."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import overlap, steps_of
from clerk_cerbos_lab.errors import InputError, PDPError, did_you_mean
from clerk_cerbos_lab.policies.cel import CelError
from clerk_cerbos_lab.policies.names import only_name
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.values import RESOURCE_ID, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.instrumented import Instrumented

_HINT: Final = re.compile(r"; (did you mean|there are).*", re.DOTALL)

NOT_SENT: Final = "Read by the policies of"
"""How a note about attributes that are missing begins."""

CONFUSED: Final = (
    "Each action is asked in a separate request: two conditions consist of the same expressions, and Cerbos "
    "can take one for the other after it has answered for another action. Even alone, the effect may not be "
    "what the conditions say; write the expressions differently in one of them."
)

CONFUSED_ELSEWHERE: Final = (
    "A condition about '{kind}' consists of the same expressions as one in another policy ({others}), in "
    "other blocks (all, any, none). Cerbos 0.55 uses one of the two for both, the one that it loads first, "
    "which may be the other after a restart. These are the effects of this PDP, and may not be what the "
    "conditions say; write the expressions differently in one of them."
)


class NamedElsewhere(tuple[str, ...]):
    """Actions to ask about even where no policy is about them: in a comparison the other side may be."""

    __slots__ = ()


def unnamed(pdp: PDP, kind: str, actions: Sequence[str], where: Mapping[str, Any]) -> dict[str, str]:
    """Why no policy can match, by action: there is no such action, kind, version or scope.

    Args:
        pdp: for its policies; if it does not disclose them, nothing is known to be missing.
        kind: the resource kind.
        actions: the actions.
        where: versions and scopes, as ``PDP.reached`` takes them.
    """
    found = {}
    for action in actions:
        try:
            pdp.check_names(kind, [action], **where)
        except InputError as error:
            found[action] = str(error)
    return found


def missing_names(why: Iterable[str]) -> list[str]:
    """What ``unnamed`` found, each once, without a hint at another name."""
    return list(dict.fromkeys(_HINT.sub("", one) for one in why))


def actions_asked(
    pdp: PDP, kind: str, actions: Sequence[str] | str | None, where: Mapping[str, Any]
) -> tuple[str, ...]:
    """The actions to ask about.

    Args:
        pdp: for the default: all actions that the policies name.
        kind: the resource kind.
        actions: as given by the caller.
        where: ``policy_version`` and ``scope``.
    """
    if not isinstance(kind, str) or not kind:
        msg = f"the resource kind must be a non-empty string, not {kind!r}"
        raise InputError(msg)
    text(kind, "the resource kind")
    if actions is None:
        known = pdp.actions(kind, **where)
        if known is None:
            msg = (
                "name the actions: this PDP does not disclose its policies (that needs its Admin API, admin=)"
            )
            raise InputError(msg)
        plain = list(dict.fromkeys(name for name in map(only_name, known) if name is not None))
        if not plain:
            msg = f"name the actions: the policies of '{kind}' have only patterns for them"
            raise InputError(msg)
        return tuple(plain)
    asked = (actions,) if isinstance(actions, str) else tuple(actions)
    if not asked:
        msg = "actions is empty; leave it out to ask about all that the policies name"
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
        msg = f"{len(asked)} actions; Cerbos accepts at most {limits.RESOURCES_PER_REQUEST} per resource"
        raise InputError(msg)
    return actions if isinstance(actions, NamedElsewhere) else asked


def separately(pdp: PDP, kind: str) -> str | None:
    """Why each action is asked in a separate request, as a sentence; None if they can be asked together."""
    try:
        if not pdp.index.reads_runtime(kind):
            return CONFUSED if pdp.index.has_confused_conditions(kind) else None
    except CelError:
        return "Each action is asked in a separate request: the policies can't be fully analysed."
    except PDPError:
        return "Each action is asked in a separate request: the PDP does not disclose its policies."
    return (
        "Each action is asked in a separate request: the policies read `runtime`, so that in Cerbos the "
        "answer for one can depend on the actions before it in a request."
    )


def confused_elsewhere(pdp: PDP | Instrumented, kind: str) -> tuple[str, ...]:
    """A note if Cerbos can take a condition about a kind for one in another policy."""
    try:
        others = pdp.index.kinds_confused_with(kind)
    except PDPError:  # not disclosed, which is noted elsewhere
        return ()
    named = ", ".join(f"about '{one}'" for one in others)
    return (CONFUSED_ELSEWHERE.format(kind=kind, others=named),) if others else ()


def notes_on_names(
    pdp: PDP, kind: str, actions: tuple[str, ...], given: Sequence[str], where: Mapping[str, Any]
) -> tuple[str, ...]:
    """Notes on attribute names, because a misspelt name silently leads to DENY.

    Only the policies that the question can reach matter: those of its version and scopes.

    Args:
        pdp: the PDP, for its policies.
        kind: the resource kind.
        actions: the actions asked about.
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
        unread = [] if every.whole else [name for name in given if every.use_of(name) is None]
        applies = index.analysis_of_reached(reached, Audience(actions, None)).uses
        left = sorted(
            name
            for name, use in applies.items()
            if not any(overlap(name, one) for one in given)
            and not (not use.everywhere and any(overlap(name, one) for one in applies if one != name))
        )
    unread = [name for name in unread if name != RESOURCE_ID]
    left = [name for name in left if name != RESOURCE_ID]
    notes = []
    anywhere, _ = pdp.resource_attributes(kind)
    schemas = any((policy.document.get("resourcePolicy") or {}).get("schemas") for policy in reached.policies)
    but = "; the PDP may still reject it by a schema" if schemas and _enforces_schemas(pdp) else ""
    for who, some in (
        ("No policy", [name for name in unread if steps_of(name)[0] not in anywhere]),
        ("No policy that applies here", [name for name in unread if steps_of(name)[0] in anywhere]),
    ):
        if some:
            hints = [f"{name}{_near(name, left)}" for name in some]
            notes.append(f"{'No condition' if but else who} reads {', '.join(hints)}{but}.")
    if left:
        notes.append(f"{NOT_SENT} {kind}, but not sent: {', '.join(left)}.")
    return tuple(notes)


def _enforces_schemas(pdp: PDP) -> bool:
    """Whether the PDP may deny requests that violate a schema."""
    own = pdp.own_policies
    return own is None or (own[1].get("schema") or {}).get("enforcement", "none") not in {"none", "warn"}


def _near(name: str, left: Sequence[str]) -> str:
    hint = did_you_mean(name, left) if left else ""
    return f" ({hint[2:].partition('?')[0]}?)" if hint.startswith("; did") else ""

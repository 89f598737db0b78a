"""Which actions a comparison asks both sides about, and what only one of the sides has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.decisions import Decisions
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.policies.names import only_name
from clerk_cerbos_lab.policies.reach import rows_of
from clerk_cerbos_lab.sweeps.name_checks import NamedElsewhere, actions_asked, missing_names, unnamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP

WHERE: Final = ("policy_version", "scope", "principal_policy_version", "principal_scope")


@dataclass(frozen=True, slots=True)
class BothNamed:
    """The actions of a comparison.

    Attributes:
        actions: asked about on both sides.
        notes: what only one side has.
    """

    actions: NamedElsewhere
    notes: tuple[str, ...]


def both_named(sides: Sequence[Decisions | PDP], kind: str, question: Mapping[str, Any]) -> BothNamed:
    """The actions to ask both sides about: those of the decisions, as given, or all that either side names.

    Args:
        sides: what is compared, before and after.
        kind: the resource kind.
        question: arguments of ``lab.sweep``; those of decisions take precedence.

    Raises:
        InputError: if neither side has a policy about the kind, an action, the version or the scope.
    """
    known = next((one for one in sides if isinstance(one, Decisions)), None)
    if known is not None:
        question = {name: getattr(known.question, name) for name in ("actions", *WHERE)}
    where = {name: question[name] for name in WHERE if name in question}
    actions = _actions(sides, kind, question.get("actions"), where)
    missing = [{} if isinstance(one, Decisions) else unnamed(one, kind, actions, where) for one in sides]
    nowhere = [action for action in actions if all(action in one for one in missing)]
    if nowhere:
        raise InputError(missing[0][nowhere[0]])
    notes = []
    for when, found in zip(("Before", "After"), missing, strict=True):
        why = missing_names(found.values())
        notes += [f"{when} the change: {one}; the PDP was asked all the same." for one in why]
    return BothNamed(actions, (*notes, *_not_asked(sides, kind, actions)))


def _actions(
    sides: Sequence[Decisions | PDP], kind: str, given: Any, where: Mapping[str, Any]
) -> NamedElsewhere:
    pdps = [one for one in sides if not isinstance(one, Decisions)]
    if given is not None:
        return NamedElsewhere(actions_asked(pdps[0], kind, given, where) if pdps else given)
    of_resource = {name: where[name] for name in WHERE[:2] if name in where}
    about = [one for one in pdps if _is_about(one, kind, where)]
    return NamedElsewhere(
        dict.fromkeys(name for one in about or pdps for name in actions_asked(one, kind, None, of_resource))
    )


def _is_about(pdp: PDP, kind: str, where: Mapping[str, Any]) -> bool:
    """Whether any policy is about a kind in a version and scope; True if the PDP does not say."""
    try:
        pdp.check_names(kind, (), **where)
    except InputError:
        return False
    return True


def _not_asked(sides: Sequence[Decisions | PDP], kind: str, actions: Sequence[str]) -> list[str]:
    """A note about actions that only one side names, and that decisions were not asked about."""
    if not any(isinstance(one, Decisions) for one in sides):
        return []
    before, after = (_named(one, kind) for one in sides)
    new = sorted((before ^ after) - set(actions)) if before and after else []
    return [f"Named on one side only, and not compared: {', '.join(new)}."] if new else []


def _named(side: Decisions | PDP, kind: str) -> set[str]:
    """The actions that the resource policies of a kind name; empty if they are not known."""
    try:
        rows = rows_of(side.documents) if isinstance(side, Decisions) else side.index.rows
    except PDPError:
        return set()
    policies = [one for one in rows if one.type == "resource" and one.about(kind)]
    every = {only_name(action) for one in policies for action in one.actions(kind)}
    return {name for name in every if name is not None}

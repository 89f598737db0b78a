"""Data quality compared with the policies: profiles that a rule will deny because of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.attribute_names import steps_of, value_at
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import check_frame, read_principals
from clerk_cerbos_lab.identity.quality import (
    ABSENT,
    COLUMNS,
    MISTYPED,
    UNUSUAL,
    _against_others,
    _attribute_names,
    _holders,
    _row,
)
from clerk_cerbos_lab.insights.gains import gains_of
from clerk_cerbos_lab.insights.repairs import (
    read_by_kind,
    repairs_of,
    spelled_otherwise,
    texts_compared,
)
from clerk_cerbos_lab.insights.what_may_vary import roles_known
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.values import MISSING, json_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.quality import Row
    from clerk_cerbos_lab.pdp.client import PDP


NOT_SET: Final = "not set, but read"


def _unlike_policies(frame: pd.DataFrame, types: dict[str, str], lines: list[Row]) -> list[Row]:
    """Values of another type than the policies compare them with; known problems get more detail."""
    known = {(line["principal"], line["attribute"]): line for line in lines if line["problem"] == MISTYPED}
    found = []
    for name, wanted in types.items():
        first, *inside = steps_of(name)
        for own, whole in _holders(frame, first) if first in frame else ():
            value = value_at(whole, tuple(inside))
            if value is MISSING or json_type(value) == wanted:
                continue
            if (own, name) in known:
                known[own, name]["detail"] += f"; policies compare it with {wanted}"
            else:
                detail = f"{json_type(value)}, and policies compare it with {wanted}"
                found.append(_row(own, MISTYPED, name, detail))
    return found


def repairs_allow(decisions: Decisions) -> dict[tuple[str, str], tuple[tuple[str, ...], str]] | None:
    """By principal and attribute, which actions would be allowed for some resource were the value repaired.

    Returns:
        The actions, and what is needed. None if it can't be asked: for decisions from a pickle, of a PDP that
        does not disclose its policies or has none about the kind, or of policies of another version or scope
        than the PDP's default.
    """
    source, question = decisions.source, decisions.question
    if not isinstance(source, Instrumented) or any([*question.resource, *question.principal]):
        return None
    people = decisions.principals
    if not any(line["problem"] in REPAIRED for line in people.attrs.get("problems", ())):
        return {}
    try:
        report = problems(people, source.original[0], kind=decisions.kind)
    except InputError:  # no policy is about the kind, as on one side of a comparison
        return None
    found = {}
    for own, name, actions, needs in zip(
        *(report[column] for column in ("principal", "attribute", "allowed_if_repaired", "needs")),
        strict=True,
    ):
        some = tuple(action for action in actions if action in decisions.actions)
        if some:
            found[own, name] = some, needs
    return found


ADDED: Final = ("changes_decisions", "needs", "allowed_if_repaired", "example")
"""The columns of the report on a kind that are added to the others."""


def problems(principals: pd.DataFrame, pdp: PDP | None = None, *, kind: str | None = None) -> pd.DataFrame:
    """Data problems of the principals; no value was dropped or changed silently.

    A missing or mistyped attribute makes Cerbos answer a plain DENY, which looks like a rule's DENY.

    Args:
        principals: a frame from ``lab.load_principals``, or a selection of its rows. Any other
            principals frame, such as one joined with made-up people, is examined again, without
            facts that only Clerk knows about a user, such as ``banned``, and without unusual texts.
        pdp: a PDP whose policies the attributes are also compared with: an attribute that policies
            read and somebody does not have is then reported even if most people do not have it
            (problem ``not set, but read``), one that no policy reads is marked in ``detail``, and a
            value of another type than the policies compare it with is a mistyped attribute, whatever
            others have (as far as the text of the policies shows, see ``PDP.compared_types``).
        kind: a resource kind. Then the report begins with what changes decisions about it: each value is
            replaced by what may have been meant (the text ``"5000"`` by the number, a list by its items,
            another spelling by the usual one, a missing value by those of others), and the PDP is asked
            what would be allowed. Attributes that no rule of the kind can use, an unusual role that the
            policies know, and attributes that only some people have are left out. What is merely
            unusual comes last.

    Returns:
        A DataFrame with the columns ``principal`` (id), ``problem``, ``attribute`` and ``detail``,
        in the order of the principals. With ``kind`` it also has ``changes_decisions`` (bool), ``needs``
        (what the policies need, in words), ``allowed_if_repaired`` (a tuple of actions that are denied for
        some resource and would then be allowed) and ``example`` (one such request). It contains no profile
        values. ``False`` means that no request which was tried changes.

    Raises:
        InputError: if this is no principals frame; for ``kind`` without a PDP, or an unknown one.
        PDPError: if the PDP does not disclose its policies.
    """
    check_frame(principals)
    if kind is not None:
        if pdp is None:
            msg = "kind= needs a PDP, which is asked: lab.problems(principals, pdp, kind=…)"
            raise InputError(msg)
        return _about_kind(principals, pdp, kind)
    ids = principals["id"].tolist()
    here = set(ids)
    report = principals.attrs.get("problems")
    if report is None:  # without it nobody knows which columns are personal: no value of any is shown
        report = list(_against_others(principals, personal=set(_attribute_names(principals))))
    lines = [dict(line) for line in report if line["principal"] in here]
    if pdp is not None:
        read = {name for row in pdp.policies["principal_attributes"] for name in row}
        for line in lines:
            if line["attribute"] in _attribute_names(principals) and line["attribute"] not in read:
                line["detail"] += "; no policy reads it"
        lines += _unlike_policies(principals, pdp.compared_types(), lines)
        reported = {(line["principal"], line["attribute"]) for line in lines}
        for name in sorted(read):
            held = {own for own, _ in _holders(principals, name)} if name in principals else set()
            lines += [
                _row(own, NOT_SET, name, "policies read it: a condition on it is not met")
                for own in dict.fromkeys(ids)
                if own not in held and (own, name) not in reported
            ]
    order = {own: i for i, own in enumerate(ids)}
    lines.sort(key=lambda line: order[line["principal"]])
    return pd.DataFrame(lines, columns=COLUMNS)


def _about_kind(principals: pd.DataFrame, pdp: PDP, kind: str) -> pd.DataFrame:
    """The report on one resource kind: what changes decisions first, what is merely unusual last."""
    with pdp.asking():
        people = read_principals(principals)
        read, known = read_by_kind(pdp, kind), roles_known(pdp.index, kind)
        table = problems(principals, pdp)
        lines: list[Row] = [
            dict(zip(COLUMNS, row, strict=True)) for row in table[COLUMNS].itertuples(index=False, name=None)
        ]
        reported = {(line["principal"], line["attribute"]) for line in lines}
        for own, name in spelled_otherwise(people, texts_compared(pdp, kind)):
            if (own, name) not in reported:
                detail = "apart from case and spaces it is a value that policies compare it with"
                lines.append(_row(own, UNUSUAL, name, detail))
        roles = dict(zip(people.ids, (people[row].roles for row in range(len(people))), strict=True))
        kept = [line for line in lines if _matters(line, read, roles[line["principal"]], known, principals)]
        repairs = repairs_of(principals, people, kept, pdp, kind)
        gains = gains_of(pdp, principals, people, kind, repairs)
    order = {own: i for i, own in enumerate(dict.fromkeys(people.ids))}
    found: list[dict[str, Any]] = []
    for line in kept:
        gain = gains.get((line["principal"], line["attribute"])) if line["problem"] in REPAIRED else None
        actions = gain.actions if gain else ()
        added = (bool(actions), gain.needs if gain else "", actions, gain.example if gain else "")
        found.append({**line, **dict(zip(ADDED, added, strict=True))})
    found.sort(
        key=lambda line: (
            not line["changes_decisions"],
            line["problem"] == UNUSUAL,
            order[line["principal"]],
        )
    )
    made = pd.DataFrame(found, columns=[*COLUMNS, *ADDED])
    return made.astype({"changes_decisions": bool})


REPAIRED: Final = frozenset({MISTYPED, ABSENT, UNUSUAL})


def _matters(
    line: Row,
    read: frozenset[str] | None,
    roles: tuple[str, ...],
    known: Sequence[str],
    principals: pd.DataFrame,
) -> bool:
    """Whether a line can concern a kind: its attribute is read, and it is no mere habit of others."""
    name = line["attribute"]
    if line["problem"] == NOT_SET:
        return False
    if name == "roles" and line["problem"] == UNUSUAL:
        return not set(roles) <= set(known)
    first = steps_of(name)[0] if name else ""
    return read is None or first not in _attribute_names(principals) or first in read

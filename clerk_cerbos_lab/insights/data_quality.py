"""Data quality compared with the policies: profiles that a rule will deny because of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clerk_cerbos_lab.attribute_names import steps_of, value_at
from clerk_cerbos_lab.identity.principals import check_frame
from clerk_cerbos_lab.identity.quality import (
    COLUMNS,
    MISTYPED,
    _against_others,
    _attribute_names,
    _holders,
    _row,
)
from clerk_cerbos_lab.values import MISSING, json_type

if TYPE_CHECKING:
    from clerk_cerbos_lab.identity.quality import Row
    from clerk_cerbos_lab.pdp.client import PDP


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


def problems(principals: pd.DataFrame, pdp: PDP | None = None) -> pd.DataFrame:
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

    Returns:
        A DataFrame with the columns ``principal`` (id), ``problem``, ``attribute`` and ``detail``,
        in the order of the principals. It contains no profile values.
    """
    check_frame(principals)
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
                _row(own, "not set, but read", name, "policies read it: a condition on it is not met")
                for own in dict.fromkeys(ids)
                if own not in held and (own, name) not in reported
            ]
    order = {own: i for i, own in enumerate(ids)}
    lines.sort(key=lambda line: order[line["principal"]])
    return pd.DataFrame(lines, columns=COLUMNS)

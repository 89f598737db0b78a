"""Compares what people may do before and after a change of who they are, under the same policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.insights.compare import changes_of
from clerk_cerbos_lab.sweeps.sweep import sweep

if TYPE_CHECKING:
    import pandas as pd

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.pdp.client import PDP


def compare_people(
    pdp: PDP,
    before: pd.DataFrame,
    after: pd.DataFrame,
    kind: str,
    /,
    *,
    along: str | None = None,
    **question: Any,
) -> Changes:
    """Who may do more or less after a change of profiles, or between two dates of a list of users.

    >>> lab.compare_people(pdp, monday, friday, "expense", amount=[0, 60_000], region=["south", "west"])

    Args:
        pdp: the PDP; its policies are the same for both.
        before: a principals frame.
        after: the same people later. Whoever is only here joined, whoever is not here left.
        kind: the resource kind.
        along: as in ``lab.compare``.
        question: further arguments of ``lab.sweep``.

    Returns:
        ``Changes``. A note says how many joined, left, and have other roles or attributes, by the names of
        these attributes.

    Raises:
        InputError, PolicyError, PDPError: as ``lab.sweep`` and ``lab.compare``.
    """
    with pdp.asking():
        then, now = (sweep(pdp, people, kind, **question) for people in (before, after))
        return changes_of(then, now, along)

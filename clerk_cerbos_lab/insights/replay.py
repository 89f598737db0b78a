"""Replays past records: who could have decided each, and which would move if the policies changed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.decisions.replay import Replay
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import labels, read_principals
from clerk_cerbos_lab.insights.compare import policies_at
from clerk_cerbos_lab.insights.kept_records import KeptRecords
from clerk_cerbos_lab.insights.replay_audit import Asked, audit, draw
from clerk_cerbos_lab.insights.replay_counts import tally
from clerk_cerbos_lab.insights.replay_rows import Form, knows, notes_on_owners, reads_of, rows_of
from clerk_cerbos_lab.insights.replay_source import check_cuts, records_of
from clerk_cerbos_lab.pdp import inspection
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.snapshots import snapshot_of
from clerk_cerbos_lab.sweeps.attributes import read_attributes
from clerk_cerbos_lab.sweeps.name_checks import confused_elsewhere
from clerk_cerbos_lab.sweeps.plan import plan
from clerk_cerbos_lab.sweeps.rows import ask_rows, groups_of
from clerk_cerbos_lab.values import RESOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.insights.sql_table import SqlTable

    Places = npt.NDArray[np.intp]


def replay(
    pdp: PDP,
    principals: pd.DataFrame,
    records: pd.DataFrame | str | Path | SqlTable | KeptRecords,
    kind: str | None = None,
    /,
    *,
    action: str = "approve",
    against: PDP | str | Path | None = None,
    amount: str = "amount",
    cents: bool = False,
    currency: str | None = "currency",
    date: str | None = None,
    timezone: str | None = None,
    record: str | None = "id",
    columns: Mapping[str, str] | None = None,
    nulls: Literal["null", "missing"] = "null",
    unknown_owners: Literal["error", "keep"] = "error",
    policy_version: str = "",
    scope: str = "",
    attr: Mapping[str, object] | None = None,
    **attributes: object,
) -> Replay:
    """Who could have decided each past record, and which would move under other policies.

    >>> lab.replay(pdp, principals, "data/expenses.csv", "expense", action="approve", status="OPEN")
    >>> lab.replay(pdp, principals, expenses, "expense", status="OPEN", date="submitted_at",
    ...            against=lab.what_if(pdp, cross_region_manager_limit=7_500))

    A record is a resource whose attributes are its columns. Those that the policies read are sent, under the
    names of the columns; in a CSV file everything is text, and what the policies compare with numbers is
    read as numbers. Records, and people, whom the policies can't tell apart are asked about once (see
    ``lab.sweep``), and some 500 pairs of a person and a record are asked in addition and compared.

    Args:
        pdp: the PDP.
        principals: a principals frame; everybody in it could have decided.
        records: a DataFrame, the path of a ``.csv`` or ``.parquet`` file, or a table in a database
            (``lab.sql_table``). In DuckDB and PostgreSQL the database groups the rows, and a row of the
            result is such a group.
        kind: the resource kind; may be left out if the policies of only one kind name the action.
        action: the action.
        against: policies to compare with: a PDP, a draft's PDP, a folder, or ``"main:policies"``.
        amount: the column of the amounts; sums of it are exact.
        cents: the amounts are whole cents; the policies are sent amounts with two decimals.
        currency: the column of the currency, if there is one: amounts in several are refused.
        date: the column of the date, for ``by_month``: ISO 8601; timestamps need an offset from UTC.
        timezone: where months begin, such as ``"America/New_York"``, and where timestamps without an offset
            are; default: UTC.
        record: the column with the label of a record, if there is one; also the resource's id.
        columns: for an attribute, the column that holds it, if their names differ.
        nulls: what is sent where a DataFrame has no value: null, or nothing (``"missing"``).
        unknown_owners: whether a record may name an owner who is none of the principals; ``"keep"`` counts
            everybody else as not the owner.
        policy_version: of resource and principal; empty: the PDP's default.
        scope: of resource and principal.
        attr: attributes with one value for all records, in place of their columns: past expenses are paid by
            now, so ``status="OPEN"``. ``lab.MISSING`` leaves an attribute out.
        attributes: the same as keywords.

    Returns:
        ``Replay``.

    Raises:
        InputError: for a record without an amount, an amount or date in another form, amounts in several
            currencies, numbers that are too large, an unknown owner, or an attribute that the policies read
            and that has neither a column nor a value.
        PolicyError: if policies do not compile.
        PDPError: if a PDP refuses, or an additional question has another answer than expected.
    """
    if nulls not in {"null", "missing"}:
        msg = f"nulls must be 'null' or 'missing', not {nulls!r}"
        raise InputError(msg)
    if unknown_owners not in {"error", "keep"}:
        msg = f"unknown_owners must be 'error' or 'keep', not {unknown_owners!r}"
        raise InputError(msg)
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)
    people = read_principals(principals)
    axes, fixed = read_attributes(attr, attributes, "resource")
    if axes:
        msg = f"'{axes[0].name}' needs one value for all records, not a list: put lists into a column"
        raise InputError(msg)
    del fixed[RESOURCE_ID]
    form = Form(amount, cents, currency, date, timezone, record, dict(columns or {}), fixed, nulls)
    where = {"policy_version": policy_version, "scope": scope}
    with contextlib.ExitStack() as opened:
        pdps = [pdp, *([] if against is None else [policies_at(against, opened)])]
        for one in pdps:
            opened.enter_context(one.asking())
        chosen = kind or _kind(pdp, action)
        notes = [note for one in pdps for note in one.check_names(chosen, [action], **where) or ()]
        notes += [note for one in pdps for note in confused_elsewhere(one, chosen)]
        reads = reads_of(pdps, chosen, action, people)
        asking = Question(chosen, (action,), (), fixed, policy_version, scope)
        if isinstance(records, KeptRecords):
            source = records.source(reads, form)
        else:
            source = records_of(records, reads, form, pdps, people, asking)
        notes += source.notes
        notes += (
            [] if unknown_owners == "keep" else notes_on_owners(source.sent, people, reads, source.counts)
        )
        question, places, pairs = rows_of(
            asking, source.sent, people, reads, len(source), keep=unknown_owners == "keep"
        )
        plans = [plan(one, people, question, snapshot_of(one)) for one in pdps]
        check_cuts(source, question, plans)
        groups = groups_of(question, places, plans)
        answers = tuple(
            ask_rows(one, question, of_one, groups, places) for one, of_one in zip(pdps, plans, strict=True)
        )
        asked = Asked(answers, groups, pairs)
        drawn = draw(people, asked, source, int((pdp.digest or "0")[:8], 16))
        for n, (one, of_one) in enumerate(zip(pdps, plans, strict=True)):
            audit(one, people, question, drawn, asked, n, clock=of_one.clock)
            notes += of_one.notes
        read = [inspection.attributes(one.policies, "principal_attributes") for one in pdps if knows(one)]
        named = [one.index.names for one in pdps if knows(one)]
    money = source.money
    ones = np.ones(len(source), dtype=np.int64)
    counts = tally(answers, groups, (ones if source.counts is None else source.counts, money.minor), pairs)
    return Replay(
        kind=chosen,
        action=action,
        principals=principals.copy(),
        names=tuple(labels(people)),
        labels=source.labels,
        amount=amount,
        money=money,
        approvers=counts.records,
        handled=counts.people,
        handled_money=counts.money,
        month=source.month,
        months=tuple(source.months),
        changed=against is not None,
        notes=tuple(dict.fromkeys(notes)),
        asked=sum(one.asked for one in answers),
        states=asked,
        weights=source.counts,
        read=frozenset().union(*read) if read else None,
        named=(frozenset().union(*(n.people for n in named)), frozenset().union(*(n.words for n in named))),
    )


def _kind(pdp: PDP, action: str) -> str:
    """The only kind whose resource policies name an action."""
    if not knows(pdp):
        msg = "give the resource kind: this PDP does not disclose its policies"
        raise InputError(msg)
    kinds = {
        kind
        for policy in pdp.index.rows
        if policy.type == "resource"
        for kind in policy.kinds
        if action in policy.actions(kind)
    }
    if len(kinds) == 1:
        return kinds.pop()
    told = f"the policies of {', '.join(sorted(kinds))} name" if kinds else "no resource policy names"
    msg = f"give the resource kind: {told} the action '{action}'"
    raise InputError(msg)

"""Where the records of a replay come from: a frame, or a table that the database groups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.cells import OwnNumbers, OwnTexts
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.insights.records import absent, column_of, money_of, months_of, read_frame, values_of
from clerk_cerbos_lab.insights.replay_rows import major, notes_on, sent_of, wanted_columns
from clerk_cerbos_lab.insights.sql_groups import MOST_CUTS, grouped
from clerk_cerbos_lab.insights.sql_query import Cut
from clerk_cerbos_lab.insights.sql_table import GROUPED, SqlTable, reading, rows_as_frame
from clerk_cerbos_lab.pdp.snapshots import snapshot_of
from clerk_cerbos_lab.sweeps.plan import plan
from clerk_cerbos_lab.values import RESOURCE_ID, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.replay import Money
    from clerk_cerbos_lab.identity.principals import Column, PrincipalTable
    from clerk_cerbos_lab.insights.replay_rows import Form, Reads
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.sweeps.plan import Plan

FEW: Final = 50
"""Principals whose ids are told apart in SQL; with more, each owner is a group."""

MOST_TEXTS: Final = 2_000

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")

_BOOLEAN: Final = re.compile(r"(?i)true|false")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Records, or groups of them.

    Attributes:
        sent: by attribute, what is sent.
        money: of each.
        counts: how many records each stands for; None if one.
        month: of each, a position in ``months``.
        months: ascending.
        labels: of each.
        notes: sentences about what was assumed.
        sample: some records as they are, by attribute; None if each is in ``sent``.
        sampled: the position of each of these.
        cuts: by attribute, the numbers at which groups begin and end.
    """

    sent: dict[str, Column]
    money: Money
    counts: npt.NDArray[np.int64] | None
    month: npt.NDArray[np.intp] | None
    months: list[str]
    labels: Any
    notes: list[str]
    sample: Mapping[str, Column] | None = None
    sampled: npt.NDArray[np.intp] | None = None
    cuts: Mapping[str, tuple[float, ...]] | None = None

    def __len__(self) -> int:
        return len(self.money.minor)


def of_frame(records: object, reads: Reads, form: Form) -> Source:
    """Records from a DataFrame or a file; raises as ``lab.replay``."""
    frame = read_frame(records)
    _check_named(frame.columns.tolist(), form)
    amounts = column_of(frame, form.amount_column, "the amounts")
    currency = frame[form.currency] if form.currency in frame.columns else None
    money = money_of(amounts, currency, cents=form.cents)
    known = list(frame.columns)
    wanted = wanted_columns(known, reads, form)
    sent = sent_of(frame, wanted, reads, form)
    if form.cents and form.amount in sent:
        sent[form.amount] = values_of(major(money), number=True, nulls=None)
    month: npt.NDArray[np.intp] | None = None
    months: list[str] = []
    if form.date:
        month, months = months_of(column_of(frame, form.date, "the dates"), form.timezone)
    numbered = form.record not in frame.columns
    labels = pd.Series(np.arange(1, len(frame) + 1)) if numbered else frame[form.record]
    notes = [*notes_on(frame, wanted, known, form), *_doubtful_texts(sent, reads)]
    return Source(sent, money, None, month, months, labels.array, notes)


def _doubtful_texts(sent: Mapping[str, Column], reads: Reads) -> Iterator[str]:
    """Which columns are sent as text although each value looks like a number, or like true and false."""
    for name, column in sent.items():
        texts = [str(value) for value in column.values if is_text(value) and value]
        for form, what in ((_NUMBER, "a number"), (_BOOLEAN, "true or false")):
            if name not in reads.numbers and texts and all(map(form.fullmatch, texts)):
                yield (
                    f"{name} is sent as text, such as '{texts[0]}': if the policies mean {what}, give a "
                    "DataFrame or a Parquet file in which it is that."
                )


def _check_named(columns: Sequence[str], form: Form) -> None:
    """Raise ``InputError`` for a column that was named and is not there; the usual ones may be missing."""
    for name, usual in ((form.currency, "currency"), (form.record, "id")):
        if name is not None and name != usual and name not in columns:
            absent(name, columns)


def of_table(  # noqa: PLR0917 - all that decides how rows are grouped
    table: SqlTable,
    reads: Reads,
    form: Form,
    pdps: Sequence[PDP],
    people: PrincipalTable,
    question: Question,
) -> Source:
    """Records from a table, grouped by the database if it can; raises as ``lab.replay``.

    Args:
        table: the table.
        reads: what the policies read.
        form: of the records.
        pdps: that are asked.
        people: the principals.
        question: kind and action.
    """
    if table.engine.dialect.name not in GROUPED or (form.cents and not table.is_whole(form.amount_column)):
        source = of_frame(rows_as_frame(table), reads, form)
        source.notes.append(f"The rows of '{table.name}' were read one by one.")
        return source
    for name in (form.amount_column, form.date):
        if name is not None and name not in table.columns:
            absent(name, table.columns)
    _check_named(table.columns, form)
    wanted = wanted_columns(table.columns, reads, form)
    if reads.names is not None and RESOURCE_ID in reads.names and form.record in table.columns:
        wanted[RESOURCE_ID] = form.record or ""
    numeric = {name for name, column in wanted.items() if table.is_number(column)}
    numbers, compared = _cuts(pdps, people, question, wanted, numeric, form)
    cuts: dict[str, Cut] = {}
    for name, column in wanted.items():
        if column in cuts:  # which is two attributes: each of its values is a group
            cuts[column] = Cut()
            continue
        known = numbers.get(name)
        alone = name not in reads.related
        texts = compared.get(name, {*people.ids, *reads.texts})
        listed = name in reads.identities and alone and len(people) <= FEW and len(texts) <= MOST_TEXTS
        cuts[column] = Cut(
            numbers=known if known is not None and alone and len(known) <= MOST_CUTS else None,
            texts=frozenset(texts) if listed and name not in numeric else None,
            cents=form.cents and name == form.amount,
        )
    with reading(table):
        found = grouped(
            table, cuts, form.amount_column, form.currency, form.date, form.timezone, cents=form.cents
        )
    sent = _values(found.frame, wanted, reads, form)
    notes = notes_on(found.frame, wanted, table.columns, form, found.counts)
    return Source(
        sent=sent,
        money=found.money,
        counts=found.counts,
        month=found.month,
        months=found.months,
        labels=pd.Series(np.arange(1, len(found.frame) + 1)).array,
        notes=notes,
        sample=_values(found.sample, wanted, reads, form) if len(found.sample) else None,
        sampled=found.sampled,
        cuts={name: held for name, column in wanted.items() if (held := cuts[column].numbers) is not None},
    )


def _values(frame: pd.DataFrame, wanted: Mapping[str, str], reads: Reads, form: Form) -> dict[str, Column]:
    """What is sent for each row of a table."""
    sent = sent_of(frame, wanted, reads, form)
    if form.cents and form.amount in wanted:
        cents = frame[form.amount_column].map(
            lambda one: None if one is None else f"{Decimal(int(one)).scaleb(-2):f}"
        )
        sent[form.amount] = values_of(cents, number=True, nulls=None)
    return sent


def _cuts(  # noqa: PLR0917 - all that a plan depends on
    pdps: Sequence[PDP],
    people: PrincipalTable,
    question: Question,
    wanted: Mapping[str, str],
    numeric: set[str],
    form: Form,
) -> tuple[dict[str, tuple[float, ...]], dict[str, set[str]]]:
    """By attribute, the numbers or the texts it is compared with; none for one that is used otherwise."""
    # Of two values, so that what a person compares them with is not taken for the same for all.
    axes = tuple(Axis(name, (0.0, 1.0) if name in numeric else ("", "x")) for name in wanted)
    fixed = {**form.fixed} if RESOURCE_ID in wanted else {**form.fixed, RESOURCE_ID: "resource"}
    made = Question(
        kind=question.kind,
        actions=question.actions,
        axes=axes,
        fixed=fixed,
        policy_version=question.policy_version,
        scope=question.scope,
    )
    plans = [plan(pdp, people, made, snapshot_of(pdp)) for pdp in pdps]
    numbers: dict[str, tuple[float, ...]] = {}
    texts: dict[str, set[str]] = {}
    for place, name in enumerate(wanted):
        if name in numeric:
            each = [numbers_of(one, place, name) for one in plans]
            if None not in each:
                numbers[name] = tuple(sorted(set().union(*(some or () for some in each))))
        else:
            told = [texts_of(one, place, name, people) for one in plans]
            if None not in told:
                texts[name] = set().union(*(some or () for some in told))
    return numbers, texts


def numbers_of(found: Plan, place: int, name: str) -> set[float] | None:
    """The numbers that anybody's axis is compared with; None if it is asked value by value for somebody."""
    each = found.breakpoints.get(name)
    if each is None:
        return None
    numbers: set[float] = set()
    for number, (breakpoints, points) in enumerate(zip(each, found.points, strict=True)):
        own = points[place]
        if breakpoints is None:
            return None
        if isinstance(own, OwnNumbers):
            numbers |= set(own.breakpoints(np.flatnonzero(found.codes == number)).ravel().tolist())
        else:
            numbers |= set(breakpoints.numbers)
    return numbers


def texts_of(found: Plan, place: int, name: str, people: PrincipalTable) -> set[str] | None:
    """The texts that anybody's axis is compared with; None if that is not known."""
    each = found.breakpoints.get(name)
    if each is None or any(isinstance(points[place], OwnTexts) for points in found.points):
        return None
    texts: set[str] = set()
    for person, known in zip(found.people, each, strict=True):
        if known is None:
            return None
        texts.update(known.texts)
        if person.id in known.texts:  # the ids of others in their class are compared, too
            texts.update(people.ids)
    return texts


def check_cuts(source: Source, question: Question, plans: Sequence[Plan]) -> None:
    """Raise ``PDPError`` if the groups of a table are too coarse for a plan."""
    for place, axis in enumerate(question.axes):
        known = (source.cuts or {}).get(axis.name)
        if known is None:
            continue
        for one in plans:
            numbers = numbers_of(one, place, axis.name)
            if numbers is None or not numbers <= set(known):
                msg = f"the database grouped '{axis.name}' by too few numbers: replay a DataFrame instead"
                raise PDPError(msg)


def records_of(  # noqa: PLR0917 - as of_table
    records: object,
    reads: Reads,
    form: Form,
    pdps: Sequence[PDP],
    people: PrincipalTable,
    question: Question,
) -> Source:
    """The records, from wherever they come."""
    if isinstance(records, SqlTable):
        return of_table(records, reads, form, pdps, people, question)
    return of_frame(records, reads, form)

"""The rows of a replay: what of each record is sent, to whom it is their own, and which records are alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import name_of, steps_of
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.errors import InputError, PDPError, did_you_mean
from clerk_cerbos_lab.insights.records import absent, values_of
from clerk_cerbos_lab.insights.replay_counts import Pairs
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.values import MISSING, OTHER, OTHER_ID, RESOURCE_ID, SELF, is_text, texts_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.decisions.replay import Money
    from clerk_cerbos_lab.identity.principals import Column, PrincipalTable
    from clerk_cerbos_lab.pdp.client import PDP

    Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """What the policies read of a record.

    Attributes:
        names: attributes, as in a policy; None if that is not known, so that every column is sent.
        numbers: those that are compared with numbers.
        identities: those that are only compared for equality, so that one may hold ids of principals.
        texts: what such an id could be compared with besides the principal's own.
        related: those that are compared with another attribute of the record.
        owners: those that are compared with the principal's id.
    """

    names: frozenset[str] | None
    numbers: frozenset[str]
    identities: frozenset[str]
    texts: frozenset[str]
    related: frozenset[str]
    owners: frozenset[str] = frozenset()


def knows(pdp: PDP) -> bool:
    """Whether a PDP discloses its policies."""
    try:
        return pdp.index is not None
    except PDPError:
        return False


@dataclass(frozen=True, slots=True)
class Form:
    """How the records say what they say; see ``lab.replay`` for each."""

    amount: str
    cents: bool
    currency: str | None
    date: str | None
    timezone: str | None
    record: str | None
    columns: Mapping[str, str]
    fixed: Mapping[str, Any]
    nulls: str

    @property
    def amount_column(self) -> str:
        """The column of the amounts."""
        return self.columns.get(self.amount, self.amount)


def reads_of(pdps: Sequence[PDP], kind: str, action: str, people: PrincipalTable) -> Reads:
    """What the policies of these PDPs read of a record, for this action."""
    names: set[str] | None = set()
    numbers: set[str] = set()
    identities: set[str] | None = None
    texts: set[str] = set()
    related: set[str] = set()
    owners: set[str] = set()
    texts_in(list(people.roles.values), texts)
    for pdp in pdps:
        if not knows(pdp):
            return Reads(None, *[frozenset[str]()] * 4)
        numbers |= {name for name, type_ in pdp.index.resource_types_of(kind).items() if type_ == "a number"}
        analysis = pdp.index.analysis(kind, Audience((action,), None))
        texts |= analysis.strings
        unclear = bool(analysis.whole or analysis.unreadable)
        names = None if unclear or names is None else names | analysis.uses.keys()
        equal = (
            set()
            if unclear
            else {name for name in analysis.uses if (use := analysis.use_of(name)) and not use.not_equality}
        )
        identities = equal if identities is None else identities & equal
        owners |= {
            name
            for name, use in analysis.uses.items()
            if any(one.path == ("P", "id") for one in use.comparisons)
        }
        read = analysis.principal_attributes
        for name, column in people.attributes.items():
            if read is None or any(name == steps_of(one)[0] for one in read):
                texts_in(list(column.values), texts)
    return Reads(
        None if names is None else frozenset(names),
        frozenset(numbers),
        frozenset(identities or ()),
        frozenset(texts),
        frozenset(related),
        frozenset(owners),
    )


def wanted_columns(known: Sequence[str], reads: Reads, form: Form) -> dict[str, str]:
    """By attribute, the column that is sent.

    Args:
        known: the columns of the records.
        reads: what the policies read.
        form: of the records.

    Raises:
        InputError: if the policies read an attribute that has neither a column nor a value.
    """
    for name, column in form.columns.items():
        if column not in known:
            absent(column, known, f" (for the attribute '{name}')")
    if reads.names is None:
        taken = set(form.columns.values())
        wanted = {name: name for name in known if name not in taken} | dict(form.columns)
    else:
        given = {*known, *form.columns, *form.fixed}
        names = sorted({_around(name, given) for name in reads.names if name != RESOURCE_ID})
        wanted = {name: form.columns.get(name, name) for name in names}
    wanted = {name: column for name, column in wanted.items() if name not in form.fixed}
    without = [name for name, column in wanted.items() if column not in known]
    if without:
        name = without[0]
        more = f" (and {', '.join(without[1:])})" if len(without) > 1 else ""
        msg = (
            f"the policies read '{name}' of a record, but there is no such column{did_you_mean(name, known)}"
            f"{more}. Name its column, columns={{'{name}': …}}, give one value for all, {name}=…, or leave "
            f"it out, {name}=lab.MISSING"
        )
        raise InputError(msg)
    return wanted


def sent_of(frame: pd.DataFrame, wanted: Mapping[str, str], reads: Reads, form: Form) -> dict[str, Column]:
    """The attributes that have a column, as they are sent."""
    missing = None if form.nulls == "null" else MISSING
    found = {
        name: values_of(frame[column], number=name == form.amount or name in reads.numbers, nulls=missing)
        for name, column in wanted.items()
        if name != RESOURCE_ID
    }
    if form.record in frame.columns and (reads.names is None or RESOURCE_ID in reads.names):
        found[RESOURCE_ID] = values_of(frame[form.record].astype("str"), number=False, nulls="")
    return found


def _around(name: str, known: set[str]) -> str:
    """The attribute itself, or the map around it that is known."""
    steps = steps_of(name)
    around = (name_of(steps[:depth]) for depth in range(len(steps), 0, -1))
    return next((one for one in around if one in known), name)


def major(money: Money) -> pd.Series[Any]:
    """Cents as amounts with two decimals."""
    codes, different = pd.factorize(money.minor)
    texts = pd.array([f"{money.exact(int(one)):f}" for one in different], dtype="str")
    return pd.Series(texts.take(codes), name="amount")


def notes_on(
    frame: pd.DataFrame,
    wanted: Mapping[str, str],
    known: Sequence[str],
    form: Form,
    counts: npt.NDArray[np.int64] | None = None,
) -> list[str]:
    """What was assumed about the records.

    Args:
        frame: the records, or groups of them.
        wanted: by attribute, the column that is sent.
        known: all columns of the records.
        form: of the records.
        counts: how many records each row stands for; None for one.
    """
    notes = []
    for name, value in form.fixed.items():
        column = form.columns.get(name, name)
        instead = f", instead of its column '{column}'" if column in known else ""
        told = "left out" if value is MISSING else f"{value!r}"
        notes.append(f"{name} is {told} for every record{instead}.")
    for name, column in wanted.items():
        nothing = frame[column].isna().to_numpy()
        empty = int(nothing.sum() if counts is None else counts[nothing].sum())
        if empty:
            how = "sent as null" if form.nulls == "null" else "left out of the request"
            notes.append(f"{name} is empty in {empty:,} record{'s' if empty > 1 else ''}, where it is {how}.")
    return notes


def notes_on_owners(
    sent: Mapping[str, Column], people: PrincipalTable, reads: Reads, counts: npt.NDArray[np.int64] | None
) -> list[str]:
    """Sentences about owners of whom most are none of the principals, so that it is no error.

    Args:
        sent: by attribute, what is sent.
        people: the principals.
        reads: what the policies read.
        counts: how many records each row stands for; None for one.
    """
    notes = []
    for name in sorted(reads.owners & sent.keys()):
        column = sent[name]
        strange = np.array(
            [is_text(value) and value != "" and value not in people.id_set for value in column.values]
        )
        rows = strange[column.codes]
        many = int(rows.sum() if counts is None else counts[rows].sum())
        if 2 * strange.sum() > len(strange) and many:
            why = "so that nobody here is taken for them"
            notes.append(f"In {many:,} records the {name} is none of the principals, {why}.")
    return notes


def rows_of(
    asking: Question,
    sent: Mapping[str, Column],
    people: PrincipalTable,
    reads: Reads,
    count: int,
    *,
    keep: bool,
) -> tuple[Question, list[Places], Pairs]:
    """The question, the position of each row on its axes, and the rows of owners.

    A column whose texts are ids of principals becomes an axis of ``SELF``, ``OTHER`` and the values that
    could be compared with anything else than the principal's own id. Every record is a row; the owner of
    a record is asked about another one.
    """
    ids = {one: number for number, one in enumerate(dict.fromkeys(people.ids))}
    number = np.array([ids[one] for one in people.ids], dtype=np.intp)
    owners: dict[str, Places] = {}
    axes: list[Axis] = []
    places: list[Places] = []
    for name, column in sent.items():
        owned = [str(value) for value in column.values if is_text(value)]
        known = sum(text in ids for text in owned)
        if name not in reads.identities or not known or 2 * known < len(owned):
            axes.append(Axis(name, column.values))
            places.append(column.codes.astype(np.intp))
            continue
        others: set[str] = {OTHER_ID, asking.kind, *asking.resource}
        texts_in([other.values for one, other in sent.items() if one != name], others)
        texts_in(list(asking.fixed.values()), others)
        apart = [not is_text(value) or value in reads.texts or value in others for value in column.values]
        unknown = [not one and value not in ids for one, value in zip(apart, column.values, strict=True)]
        if any(unknown) and not keep:
            rows = np.flatnonzero(np.array(unknown)[column.codes])
            msg = (
                f"{len(rows):,} of {count:,} records name somebody in '{name}' who is none of the "
                f"{len(ids):,} principals; the first is row {rows[0] + 1}. Add these people, or count "
                "everybody as not the owner: unknown_owners='keep'"
            )
            raise InputError(msg)
        special = [value for one, value in zip(apart, column.values, strict=True) if one]
        position = np.zeros(len(column.values), dtype=np.intp)
        position[apart] = np.arange(2, 2 + len(special))
        axes.append(Axis(name, (OTHER, SELF, *special)))
        places.append(position[column.codes])
        whose = [-1 if one else ids.get(value, -1) for one, value in zip(apart, column.values, strict=True)]
        owners[name] = np.array(whose, dtype=np.intp)[column.codes]
    record, person = _own(owners, number)
    for i, axis in enumerate(axes):
        own = places[i][record]
        if axis.name in owners:
            own = np.where(owners[axis.name][record] == number[person], 1, own)
        places[i] = np.concatenate([places[i], own])
    if not places:  # nothing of a record is read
        axes, places = [Axis("amount", (0,))], [np.zeros(count, dtype=np.intp)]
    named = any(axis.name == RESOURCE_ID for axis in axes)
    fixed = {**asking.fixed} if named else {**asking.fixed, RESOURCE_ID: "resource"}
    question = replace(asking, axes=tuple(axes), fixed=fixed)
    return question, places, Pairs(person, record, np.arange(count, count + len(record)))


def _own(owners: Mapping[str, Places], number: Places) -> tuple[Places, Places]:
    """Each record with each principal who is in one of its columns."""
    if not owners:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(int(number.max()) + 2))
    records, persons = [], []
    for own in owners.values():
        known = np.flatnonzero(own >= 0)
        first, last = starts[own[known]], starts[own[known] + 1]
        records.append(np.repeat(known, last - first))
        offset = np.arange(len(records[-1])) - np.repeat(
            np.cumsum(last - first) - (last - first), last - first
        )
        persons.append(order[np.repeat(first, last - first) + offset])
    both = np.column_stack([np.concatenate(records), np.concatenate(persons)])
    both = np.unique(both, axis=0) if len(owners) > 1 else both
    return both[:, 0].astype(np.intp), both[:, 1].astype(np.intp)

"""Classes of principals whom the policies cannot tell apart, so that only one of them is asked about."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import is_inside, name_of, steps_of, value_at
from clerk_cerbos_lab.identity.principals import Column
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of, length_of
from clerk_cerbos_lab.values import (
    MISSING,
    OTHER_ID,
    canonical,
    is_number,
    is_text,
    json_type,
    key,
    texts_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.policies.analysis import Analysis
    from clerk_cerbos_lab.policies.terms import Term
    from clerk_cerbos_lab.sweeps.axis_points import Sent
    from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints

_Ordered = TypeVar("_Ordered", str, float)


@dataclass(frozen=True, slots=True)
class Classes:
    """Some principals, divided into classes.

    Attributes:
        rows: the principals, as rows of the whole table.
        codes: for each of them, the number of their class.
        representatives: for each class, the row of its first principal, who is asked about.
        apart: why principals with equal roles and attributes are distinguished by their id, in words;
            empty if only those are whom a policy or a value names.
    """

    rows: npt.NDArray[np.intp]
    codes: npt.NDArray[np.intp]
    representatives: npt.NDArray[np.intp]
    apart: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.representatives)


def codes_of(column: Column, rows: npt.NDArray[np.intp] | None = None) -> tuple[npt.NDArray[np.intp], int]:
    """For each row a number, equal for values that the PDP can't tell apart; and how many numbers.

    Args:
        column: of the principals.
        rows: only of these; None for all.
    """
    if rows is not None:
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        column = Column(codes, tuple(column.values[i] for i in used))
    same = _same(column)
    return same[column.codes], int(same.max()) + 1


def classes_of(
    people: PrincipalTable,
    rows: npt.NDArray[np.intp],
    analysis: Analysis,
    question: Question,
    sent: Sent,
    *,
    merged: Mapping[str, frozenset[type]] | None = None,
    texts: Mapping[str, Sequence[str]] | None = None,
    cuts: Mapping[str, Breakpoints | None] | None = None,
    terms: Mapping[Term, npt.NDArray[np.intp]] | None = None,
) -> Classes:
    """Group the principals whom the policies cannot tell apart for this question.

    Two principals are in the same class if they have the same roles and the same values of every attribute
    that an expression reads, and if their ids make no difference: every expression only tests whether an id
    (``P.id``, or a resource attribute with ``SELF`` among its values) equals some value of the request or the
    policies, and no such value is one of the two ids, apart from ``SELF``. Exchanging the two ids then
    changes none of these tests. Anybody named by a principal policy or by such a value has their own
    class.

    Args:
        people: all principals.
        rows: those to group.
        analysis: what the rules that can apply to them read.
        question: what is asked.
        sent: the resource.
        merged: by attribute, of which types (``float``, ``str``, ``list``) all values count as equal here, or
            all lists of as many numbers (``tuple``); ``Group.divide`` tells them apart.
        texts: by attribute in ``merged`` whose texts are only compared, the texts that it is compared with,
            ascending. Texts in the same place among these count as equal.
        cuts: by attribute that is only compared, everything that it is compared with. Values in the same
            place among these count as equal; all do if it is only read in terms (None).
        terms: expressions that read the attributes in ``merged`` and ``cuts``, with a number for each
            principal that tells their outcomes apart.
    """
    read = _read(people, analysis)
    columns = [people.roles, *read.values()]
    codes = [codes_of(people.roles)[0][rows]]
    for name, column in read.items():
        if merged is not None and name in merged:
            same = _same_but(column, merged[name], (texts or {}).get(name))
        elif cuts is not None and name in cuts:
            held = cuts[name]
            same = np.zeros(len(column.values), np.intp) if held is None else _same_place(column, held)
        else:
            same = _same(column)
        codes.append(same[column.codes][rows])
    codes += [outcomes[rows] for outcomes in (terms or {}).values()]
    for name in sorted(analysis.principal_presence):
        first = people.attributes.get(steps_of(name)[0])
        if first is not None:
            codes.append(_present(first, steps_of(name)[1:])[first.codes][rows])
    apart, ids = _ids(people, rows, analysis, columns, _fixed_texts(question, sent), sent.own)
    if ids is not None:
        codes.append(ids)
    of = dense_rows(np.column_stack(codes))
    return Classes(rows, of, rows[first_of(of)], apart)


def _read(people: PrincipalTable, analysis: Analysis) -> dict[str, Column]:
    """The attributes that policies read, by name, without those inside others of them."""
    names = analysis.principal_attributes
    if names is None:
        return {name_of((name,)): column for name, column in sorted(people.attributes.items())}
    inside = {name for name in names for other in names if other != name and is_inside(name, other)}
    found = {name: people.column(name) for name in sorted(names - inside)}
    return {name: column for name, column in found.items() if column is not None}


def _present(column: Column, steps: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """For each value of a column a number, equal if ``has(…)`` can't tell the values apart.

    For CEL it matters whether there is a map in which the last key could be, and what there is instead.
    """
    kinds: list[object] = []
    for value in column.values:
        around = value if not steps else value_at(value, steps[:-1])
        if not steps:
            kinds.append(around is MISSING)
        elif isinstance(around, dict):
            kinds.append(steps[-1] in around)
        else:
            kinds.append("MISSING" if around is MISSING else json_type(around))
    return pd.factorize(_objects(kinds))[0].astype(np.intp)


def _same(column: Column) -> npt.NDArray[np.intp]:
    """For each value of a column a number, equal for values that the PDP can't tell apart."""
    return pd.factorize(np.array([key(value) for value in column.values], dtype=object))[0].astype(np.intp)


def _same_but(column: Column, merged: frozenset[type], texts: Sequence[str] | None) -> npt.NDArray[np.intp]:
    """The same with one number for all finite numbers, all texts, all lists, or lists of as many numbers.

    With ``texts``, also one for all texts in the same place among these.
    """
    if merged == {float} and set(map(type, column.values)) <= {int, float}:
        return np.zeros(len(column.values), dtype=np.intp)  # a clean number is finite
    kinds: list[object] = []
    for value in column.values:
        number, text = is_number(value) and math.isfinite(value), is_text(value)
        length = length_of(value) if tuple in merged else None
        if length is not None:
            kinds.append((tuple, length))
            continue
        kind = float if number else str if text else type(value)
        if kind is str and texts is not None:
            kinds.append(("text", _place(str(value), texts)))
        else:
            kinds.append(kind if kind in merged else key(value))
    return pd.factorize(_objects(kinds))[0].astype(np.intp)


def _same_place(column: Column, cuts: Breakpoints) -> npt.NDArray[np.intp]:
    """The same with one number for all numbers, and all strings, in the same place among what is compared."""
    places: list[object] = []
    for value in column.values:
        if is_text(value):
            places.append(("text", _place(str(value), cuts.texts)))
        elif is_number(value) and math.isfinite(value):
            places.append(("number", _place(float(value) + 0.0, cuts.numbers)))
        else:
            places.append(key(value))
    return pd.factorize(_objects(places))[0].astype(np.intp)


def _place(value: _Ordered, ascending: Sequence[_Ordered]) -> int:
    """A number that is equal for values in the same gap, odd for one that is among them."""
    return bisect_left(ascending, value) + bisect_right(ascending, value)


def _objects(values: Sequence[object]) -> npt.NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _ids(  # noqa: PLR0917 - everything that ids are compared with
    people: PrincipalTable,
    rows: npt.NDArray[np.intp],
    analysis: Analysis,
    columns: Iterable[Column],
    sent: set[str],
    own: set[str],
) -> tuple[tuple[str, ...], npt.NDArray[np.intp] | None]:
    """Why ids make a difference, and a code for each principal: 0 if their id makes none."""
    uses = {name: use for name in sorted(own) if (use := analysis.use_of(name)) or analysis.whole}
    read = list(uses)
    reasons = list(analysis.identity)
    for use in uses.values():
        reasons += [*analysis.whole, *(use.not_equality if use else ())]
    if reasons:
        ids = np.array([people.ids[row] for row in rows], dtype=object)
        return tuple(dict.fromkeys(reasons)), pd.factorize(ids)[0]
    apart: set[str] = set()
    if analysis.compares_identity or read:
        texts = sent | analysis.strings
        for column in columns:
            texts_in(list(column.values), texts)
        apart = texts & people.id_set
    if analysis.named:
        named = {canonical(name) for name in analysis.named}
        apart = apart | {one for one in people.id_set if canonical(one) in named}
    if not apart:
        return (), None
    numbers = {one: number for number, one in enumerate(sorted(apart), 1)}
    return (), np.array([numbers.get(people.ids[row], 0) for row in rows], dtype=np.intp)


def _fixed_texts(question: Question, sent: Sent) -> set[str]:
    """The strings in a question that an id could be compared with."""
    return {*sent.texts, OTHER_ID, question.kind, *question.resource, *question.principal}

"""Classes of principals: those that the policies cannot tell apart, asked about once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.analysis import sanitized
from clerk_cerbos_lab.pdp import OTHER_ID
from clerk_cerbos_lab.values import Relation, key, uses_self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.analysis import Analysis
    from clerk_cerbos_lab.principals import Column, People
    from clerk_cerbos_lab.questions import Question


@dataclass(frozen=True, slots=True)
class Classes:
    """Which of some principals stand for which.

    Attributes:
        rows: the principals, as rows of all.
        of: for each of them, the number of its class.
        first: for each class, the row of its first principal, who is asked about.
        apart: why principals of equal roles and attributes are kept apart by their id, in words; empty
            when only those are that a policy or a value names.
    """

    rows: npt.NDArray[np.intp]
    of: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp]
    apart: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)


def codes_of(column: Column) -> tuple[npt.NDArray[np.intp], int]:
    """For each row a number that two rows share when the PDP can't tell their values apart; how many."""
    same = _same(column)
    return same[column.codes], int(same.max()) + 1


def classes_of(people: People, rows: npt.NDArray[np.intp], analysis: Analysis, question: Question) -> Classes:
    """Put together whom the policies cannot tell apart in these questions.

    Two principals are of one class when they have the same roles and the same values of every attribute
    that an expression reads, and their ids make no difference: every expression only asks whether an id
    (``P.id``, or a resource attribute that ``SELF`` stands for) equals some value of the request or the
    policies, and no such value is one of the two ids, apart from ``SELF``. Exchanging the two ids then
    leaves each such answer as it is. Who is named, by a principal policy or by such a value, is a class
    of his own.
    """
    read = analysis.principal_attributes
    names = sorted(name for name in people.attributes if read is None or name in read)
    columns = [people.roles, *(people.attributes[name] for name in names)]
    codes = [codes_of(column)[0][rows] for column in columns]
    apart, ids = _ids([people.ids[row] for row in rows], analysis, question, columns)
    if ids is not None:
        codes.append(ids)
    of = codes[0]
    for more in codes[1:]:
        of = _dense(of.astype(np.int64) * (int(more.max()) + 1) + more)
    of = _dense(of)
    return Classes(rows, of, rows[np.unique(of, return_index=True)[1]], apart)


def _dense(codes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Codes numbered by their first appearance, without gaps."""
    return pd.factorize(codes)[0].astype(np.intp)


def _same(column: Column) -> npt.NDArray[np.intp]:
    """For each value of a column, a number that two values share when the PDP can't tell them apart."""
    return pd.factorize(np.array([key(value) for value in column.values], dtype=object))[0].astype(np.intp)


def _ids(
    ids: Sequence[str], analysis: Analysis, question: Question, columns: Iterable[Column]
) -> tuple[tuple[str, ...], npt.NDArray[np.intp] | None]:
    """Why ids make a difference, and a code for each principal: 0 for those whose id makes none."""
    own = {
        name
        for name, values in values_by_name(question).items()
        if any(uses_self(value) for value in values) and (name in analysis.uses or analysis.whole)
    }
    reasons = list(analysis.identity)
    for name in sorted(own):
        reasons += [*analysis.whole, *(analysis.uses[name].not_equality if name in analysis.uses else ())]
    if reasons:
        return tuple(dict.fromkeys(reasons)), pd.factorize(np.array(ids, dtype=object))[0]
    named = {sanitized(name) for name in analysis.named}
    texts = _texts(analysis, question, columns) if analysis.compares_identity or own else set()
    if not texts and not named:
        return (), None
    named_ids: dict[str, int] = {}
    codes = np.zeros(len(ids), dtype=np.intp)
    for row, own_id in enumerate(ids):
        if own_id in texts or (named and sanitized(own_id) in named):
            codes[row] = named_ids.setdefault(own_id, len(named_ids) + 1)
    return (), codes if named_ids else None


def _texts(analysis: Analysis, question: Question, columns: Iterable[Column]) -> set[str]:
    """Every text that an id could be compared with."""
    texts = {*analysis.strings, OTHER_ID, question.kind, *question.resource, *question.principal}
    for column in columns:
        texts_in(list(column.values), texts)
    for values in values_by_name(question).values():
        texts_in(values, texts)
    return texts


def values_by_name(question: Question) -> Mapping[str, tuple[Any, ...]]:
    """The values of each attribute that is sent, fixed ones too."""
    return {
        **{name: (value,) for name, value in question.fixed.items()},
        **{axis.name: axis.values for axis in question.axes},
    }


def texts_in(value: object, into: set[str]) -> None:
    """Collect every text in a value, names of fields too; ``SELF`` and ``OTHER`` are not texts."""
    if isinstance(value, Relation):
        return
    if isinstance(value, str):
        into.add(value)
    elif isinstance(value, dict):
        into.update(value)
        for item in value.values():
            texts_in(item, into)
    elif isinstance(value, (list, tuple)):
        for item in value:
            texts_in(item, into)

"""Outcomes of terms, put out by the PDP once for each different value of the attributes they read.

An outcome is a boolean, a number, a text or an error. Principals, and values of an axis, for which all terms
have the same outcomes are alike as far as these terms are concerned. docs/architecture.md has the argument.
"""

from __future__ import annotations

import weakref
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import nested
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of
from clerk_cerbos_lab.sweeps.temporary_policies import ERRORS, Expressions
from clerk_cerbos_lab.values import key, uses_self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from cerbos.engine.v1 import engine_pb2

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.snapshots import Snapshot
    from clerk_cerbos_lab.policies.terms import Term

FEW: Final = 50
"""Different values of which each may as well have a class or a point of its own."""

_known: weakref.WeakKeyDictionary[PDP, dict[Term, dict[str, object]]] = weakref.WeakKeyDictionary()


def outcomes_of(
    pdp: PDP,
    snapshot: Snapshot,
    terms: Iterable[Term],
    people: PrincipalTable,
    question: Question,
) -> dict[Term, npt.NDArray[np.intp]]:
    """For each term a number for each principal, or for each value of the axis it reads.

    Equal numbers mean equal outcomes. Left out: terms that read no more than a few different values, terms of
    attributes that are not swept, and all terms if they can't be computed.

    Args:
        pdp: that has the policies; another, temporary one computes the outcomes.
        snapshot: of its policies.
        terms: in the policies.
        people: the principals.
        question: what is asked about each.
    """
    values: dict[Term, list[dict[str, Any]]] = {}
    codes: dict[Term, npt.NDArray[np.intp]] = {}
    for term in dict.fromkeys(terms):
        found = _of_people(term, people) if term.side == "P" else _of_axis(term, question)
        if found is not None:
            codes[term], values[term] = found
    known = _known.setdefault(pdp, {})
    keys = {term: [key(value) for value in some] for term, some in values.items()}
    open_ones: dict[Term, dict[str, dict[str, Any]]] = {}
    for term, some in values.items():
        of_term = known.setdefault(term, {})
        each = zip(keys[term], some, strict=True)
        missing = {text: value for text, value in each if text not in of_term}
        if missing:
            open_ones[term] = missing
    if open_ones and not _ask(snapshot, open_ones, pdp.index.documents, known):
        return {}
    numbers = {}
    for term, of_value in codes.items():
        outcomes = [known[term][text] for text in keys[term]]
        different = {outcome: number for number, outcome in enumerate(dict.fromkeys(outcomes))}
        numbers[term] = np.array([different[outcome] for outcome in outcomes], dtype=np.intp)[of_value]
    return numbers


def _of_people(
    term: Term, people: PrincipalTable
) -> tuple[npt.NDArray[np.intp], list[dict[str, Any]]] | None:
    """The different combinations of values that a term reads, and the number of each principal's."""
    columns = {name: column for name in term.names if (column := people.column(name)) is not None}
    if sum(len(column.values) for column in columns.values()) <= FEW:
        return None
    rows = np.column_stack([column.codes for column in columns.values()])
    codes = dense_rows(rows)
    first = rows[first_of(codes)].tolist()
    if len(first) <= FEW:
        return None
    each = [
        {name: column.values[code] for (name, column), code in zip(columns.items(), row, strict=True)}
        for row in first
    ]
    return codes, each


def _of_axis(term: Term, question: Question) -> tuple[npt.NDArray[np.intp], list[dict[str, Any]]] | None:
    """The values of the axis that a term reads."""
    (name,) = term.names
    axis = next((axis for axis in question.axes if axis.name == name), None)
    if axis is None or len(axis.values) <= FEW or axis.numeric or any(map(uses_self, axis.values)):
        return None
    return np.arange(len(axis.values), dtype=np.intp), [{name: value} for value in axis.values]


def _ask(
    snapshot: Snapshot,
    wanted: Mapping[Term, Mapping[str, dict[str, Any]]],
    documents: Sequence[Mapping[str, Any]],
    into: dict[Term, dict[str, object]],
) -> bool:
    """Let a PDP compute outcomes; False if it can't."""
    expressions = Expressions((term.environment, _as_sent(term)) for term in wanted)
    pdp = expressions.start(snapshot, documents)
    if pdp is None:
        return False
    chunks = [
        (term, part)
        for term, some in wanted.items()
        for part in _chunks(list(some.items()), limits.RESOURCES_PER_REQUEST)
    ]
    total = sum(len(part) for _, part in chunks)
    with pdp, pdp.asking(), progress(total, "values") as advance:
        batches = _batches(chunks, expressions)
        with closing(pdp.outputs(batches)) as answers:
            for (term, part), outputs in zip(chunks, answers, strict=True):
                whole = len(outputs) == len(part)  # one per resource, or some were lost
                for i, (text, _) in enumerate(part):
                    into[term][text] = _outcome(*outputs[i][1:], text) if whole else ("unknown", text)
                advance(len(part))
    return True


def _batches(
    chunks: Iterable[tuple[Term, Sequence[tuple[str, dict[str, Any]]]]], expressions: Expressions
) -> Iterator[tuple[engine_pb2.Principal, Sequence[messages.Entry]]]:
    nobody = messages.nobody()
    for term, part in chunks:
        entries = messages.Entries(
            [("resource", nested(values)) for _, values in part],
            kind=expressions.kind(term.environment),
            actions=[expressions.action(term.environment, _as_sent(term))],
            policy_version="default",
            scope="",
            other="",
        )
        yield nobody, entries.messages


def _as_sent(term: Term) -> str:
    """The expression of a term; what it reads of the principal is sent with a resource.

    So 500 people fit into one request. In the macro, ``P`` is the map before it.
    """
    return f"({term.text})" if term.side == "R" else f'[{{"attr": R.attr}}].map(P, {term.text})[0]'


def _outcome(value: object, error: str, text: str) -> object:
    """An outcome as a hashable value; what is not certain is different for each value."""
    if error:
        return "error" if ERRORS.search(error) else ("unknown", text)
    return (type(value), value) if isinstance(value, bool | float | str) else ("unknown", text)


def _chunks(
    items: Sequence[tuple[str, dict[str, Any]]], size: int
) -> Iterator[Sequence[tuple[str, dict[str, Any]]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

"""The answers of a replay, and further questions that hold them against the PDP."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.insights.replay_counts import states_of
from clerk_cerbos_lab.sweeps.ask import Batch, ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Column, PrincipalTable
    from clerk_cerbos_lab.insights.replay_counts import Pairs
    from clerk_cerbos_lab.insights.replay_source import Source
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.sweeps.rows import Groups, RowAnswers

    Places = npt.NDArray[np.intp]

AUDITED: Final = 64
"""People who are asked about some records in addition."""

EACH: Final = 8
"""Records that each of them is asked about, besides some of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The answers about all rows, and how a record and a person lead to one of them."""

    answers: tuple[RowAnswers, ...]
    groups: Groups
    pairs: Pairs

    def of_record(self, record: int) -> Places:
        """The state of each principal: 1 allowed before, 2 allowed after, 3 both."""
        everybody = np.arange(len(self.answers[0].classes))
        return self.of_pairs(everybody, np.full(len(everybody), record, dtype=np.intp))

    def of_pairs(self, principals: Places, records: Places) -> Places:
        """The state of each pair."""
        count = len(self.answers[0].classes)
        own = self.pairs.records * count + self.pairs.principals  # ascending
        wanted = records * count + principals
        at = np.minimum(np.searchsorted(own, wanted), max(len(own) - 1, 0))
        rows = records
        if len(own):
            rows = np.where(own[at] == wanted, self.pairs.rows[at], records)
        return states_of(self.answers, self.groups, principals, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Pairs of a person and a record, ordered by person.

    Attributes:
        person: positions.
        record: positions in what was asked.
        values: by attribute, what is sent for each pair.
    """

    person: Places
    record: Places
    values: Mapping[str, list[Any]]


def draw(people: PrincipalTable, asked: Asked, source: Source, seed: int) -> Drawn:
    """Draw some pairs, to be asked as they are: of rare groups, of any, and owners of records."""
    random = np.random.default_rng(seed)
    some = np.sort(random.choice(len(people), min(len(people), AUDITED), replace=False))
    if source.sample is not None and source.sampled is not None:
        count = len(source.sampled)
        row = np.concatenate([np.arange(count), random.integers(0, count, EACH * len(some))])
        person = np.concatenate([random.choice(some, count), np.repeat(some, EACH)])
        order = np.argsort(person, kind="stable")
        row, person = row[order], person[order]
        return Drawn(person, source.sampled[row], _values(source.sample, row))
    person = np.repeat(some, EACH)
    groups = asked.groups.codes[: len(source)]
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    drawn = random.integers(0, len(starts), len(person))
    rare = order[starts[drawn] + random.integers(0, sizes[drawn])]
    record = np.where(np.arange(len(person)) % 2, rare, random.integers(0, len(source), len(person)))
    own = np.flatnonzero(np.isin(asked.pairs.principals, some))
    if len(own):
        own = random.choice(own, min(len(own), len(person) // 2), replace=False)
        record = np.concatenate([record, asked.pairs.records[own]])
        person = np.concatenate([person, asked.pairs.principals[own]])
        order = np.argsort(person, kind="stable")
        record, person = record[order], person[order]
    return Drawn(person, record, _values(source.sent, record))


def _values(sent: Mapping[str, Column], rows: Places) -> dict[str, list[Any]]:
    return {name: [column.values[code] for code in column.codes[rows]] for name, column in sent.items()}


def audit(  # noqa: PLR0917 - what was asked, and of whom
    pdp: PDP,
    people: PrincipalTable,
    question: Question,
    drawn: Drawn,
    asked: Asked,
    place: int,
    *,
    clock: bool,
) -> None:
    """Ask these pairs, and compare.

    Args:
        pdp: the PDP.
        people: the principals.
        question: that was asked.
        drawn: the pairs.
        asked: the answers.
        place: of this PDP's answers.
        clock: whether its policies read the time.

    Raises:
        PDPError: if one has another answer.
    """
    expected = asked.of_pairs(drawn.person, drawn.record) >> place & 1
    starts = np.flatnonzero(np.diff(drawn.person, prepend=-1))
    batches = []
    for rows in np.split(np.arange(len(drawn.person)), starts[1:]):
        columns = tuple(
            [drawn.values[axis.name][row] for row in rows] if axis.name in drawn.values else [0] * len(rows)
            for axis in question.axes
        )
        batches.append(Batch([people[int(drawn.person[rows[0]])]], columns, listed=True))
    with contextlib.closing(ask(pdp, question, batches, lambda _: None)) as answers:
        found = np.concatenate([answer[0, 0] for answer in answers])
    if (found != expected).any():
        cause = (
            "The policies read the clock, and time passed between two requests."
            if clock
            else "The policies depend on something that the analysis of their text does not find."
        )
        wrong = int((found != expected).sum())
        msg = f"{wrong} of {len(found)} further questions have another answer than expected. {cause}"
        raise PDPError(msg)

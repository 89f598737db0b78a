"""The answers of a replay, and further questions that hold them against the PDP."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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


def audit(  # noqa: PLR0917 - everything that was asked
    pdp: PDP,
    people: PrincipalTable,
    question: Question,
    sent: Mapping[str, Column],
    asked: Asked,
    place: int,
    *,
    clock: bool,
) -> None:
    """Ask some pairs of a person and a record as they are, and compare.

    Raises:
        PDPError: if one has another answer.
    """
    count = len(next(iter(sent.values())).codes) if sent else 1
    random = np.random.default_rng(int((pdp.digest or "0")[:8], 16))
    some = random.choice(len(people), min(len(people), AUDITED), replace=False)
    person = np.repeat(np.sort(some), EACH)
    groups = asked.groups.codes[:count]
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    drawn = random.integers(0, len(starts), len(person))  # by group, so that rare ones are asked
    rare = order[starts[drawn] + random.integers(0, sizes[drawn])]
    record = np.where(np.arange(len(person)) % 2, rare, random.integers(0, count, len(person)))
    own = np.flatnonzero(np.isin(asked.pairs.principals, some))
    if len(own):
        own = random.choice(own, min(len(own), len(person) // 2), replace=False)
        record = np.concatenate([record, asked.pairs.records[own]])
        person = np.concatenate([person, asked.pairs.principals[own]])
        order = np.argsort(person, kind="stable")
        record, person = record[order], person[order]
    expected = asked.of_pairs(person, record) >> place & 1
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    names = [axis.name for axis in question.axes]
    batches = [
        Batch(
            [people[int(person[rows[0]])]],
            tuple(
                [sent[name].values[sent[name].codes[record[row]]] for row in rows]
                if name in sent
                else [0] * len(rows)
                for name in names
            ),
            listed=True,
        )
        for rows in np.split(np.arange(len(person)), starts[1:])
    ]
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

"""The audit of a sweep: additional cells are asked, to detect errors in the analysis of the policies.

Half of them are drawn where a comparison that the analysis missed would show. These places are found without
the analysis: numbers and strings anywhere in the policies or in the principals' attributes, their neighbours
on an axis, and people who were not asked about. The other half are drawn uniformly from all cells.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.cells import Points
from clerk_cerbos_lab.policies.literals import leaves_of
from clerk_cerbos_lab.sweeps.ask import Batch
from clerk_cerbos_lab.sweeps.classes import codes_of
from clerk_cerbos_lab.values import is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.cells import CompressedEffects
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.policies.literals import Literals

FEW: Final = 100
"""If there are more than this many times as many combinations as are drawn, duplicates are acceptable."""

SMALL: Final = 6
"""On an axis with at most this many values, all of them may be drawn."""

MANY: Final = 10_000
"""Principals considered for the audit; if there are more, this many are drawn at random."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A cell with another answer than the cell that represents it.

    Attributes:
        principal: the row.
        action: the position.
        places: the position on each axis.
    """

    principal: int
    action: int
    places: tuple[int, ...]


def draw(  # noqa: PLR0917 - what a draw depends on
    people: PrincipalTable,
    question: Question,
    cells: CompressedEffects,
    literals: Literals,
    count: int,
    seed: int,
) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Draw cells to ask: half of them uniformly, half where a missed comparison would show.

    Args:
        people: the principals.
        question: what is asked about each.
        cells: the answers, and which cell has which answer.
        literals: the numbers, strings and words in the policies.
        count: about how many combinations of a principal and values; each is asked about every action.
        seed: the same seed draws the same cells.

    Returns:
        Pairs of a row and combinations, ``[combination, axis]``, without duplicates; or all that exist.
    """
    found = set(_Suspects(people, question, cells, literals, seed).draw(count // 2))
    drawn: dict[int, list[npt.NDArray[np.intp]]] = {}
    for row, places in sample(cells.shape, count - len(found), seed):
        drawn[row] = [places]
    for row, place in sorted(found):
        drawn.setdefault(row, []).append(np.array([place], dtype=np.intp).reshape(1, len(question.axes)))
    return [(row, np.unique(np.concatenate(places), axis=0)) for row, places in sorted(drawn.items())]


class _Suspects:
    """Draws cells that were not asked, each similar to one that was: same class, or a value it represents.

    A comparison that the analysis missed makes two cells differ that are assumed to be equal: on an axis, at
    or next to a literal of the policies or an attribute of the person; or between two people who differ in an
    attribute whose name occurs in the policies. Each value that was asked is varied in turn, so that every
    situation is covered.
    """

    def __init__(
        self,
        people: PrincipalTable,
        question: Question,
        cells: CompressedEffects,
        literals: Literals,
        seed: int,
    ) -> None:
        self._random = np.random.default_rng(seed + 1)
        self._people = people
        self._axes = question.axes
        self._cells = cells
        self._literals = literals
        self._first = set(np.unique(cells.codes, return_index=True)[1].tolist())
        self._marks = [_Marks(axis, literals) for axis in question.axes]
        # The same few people and points come again and again: what each can be varied to is found once.
        self._of_person: dict[int, list[npt.NDArray[np.intp]]] = {}
        self._near: dict[tuple[int, int, int], npt.NDArray[np.intp]] = {}
        self._alike: dict[tuple[int, int, int], npt.NDArray[np.intp]] = {}

    def draw(self, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """About this many cells, perhaps with duplicates: a row, and a position on each axis."""
        rows = self._worth_asking()
        named = [row for row in rows if self._people.ids[row] in self._literals.texts]
        others = [row for row in rows if row not in self._first]
        turns = [some for some in (named, others, rows) if some]
        for turn in range(count):
            some = turns[turn % len(turns)]
            row = some[turn // len(turns) % len(some)]
            place = self._place(row, apart=row not in self._first)
            if place is not None:
                yield row, tuple(place)

    def _place(self, row: int, *, apart: bool) -> list[int] | None:
        """A combination for a person; if they were asked about, one with a value that was not asked."""
        block = int(self._cells.block[int(self._cells.codes[row])])
        points = self._cells.blocks[block].points
        merged = any(
            not isinstance(of_axis, Points) or len(of_axis.asked) < len(of_axis.codes) for of_axis in points
        )
        if not (apart or merged):
            return None
        place: list[int] = []
        for at, (axis, of_axis) in enumerate(zip(self._axes, points, strict=True)):
            if not isinstance(of_axis, Points):  # its points are nobody's but the representative's
                marks = self._marks_of(row)[at]
                drawn = int(self._random.integers(len(marks) or len(axis.values)))
                place.append(int(marks[drawn]) if len(marks) else drawn)
                continue
            asked = int(self._random.integers(len(of_axis.asked)))
            near = self._beside(row, block, at, of_axis, asked)
            drawn = int(self._random.integers(1 + len(near)))
            place.append(int(near[drawn - 1] if drawn else of_axis.asked[asked]))
        return place

    def _beside(self, row: int, block: int, at: int, points: Points, asked: int) -> npt.NDArray[np.intp]:
        """The values that an asked one represents and that a literal could distinguish from it; or all."""
        if (row, at, asked) not in self._near:
            near = self._marks_of(row)[at]
            near = near[(points.codes[near] == asked) & (near != points.asked[asked])]
            if not len(near):
                if (block, at, asked) not in self._alike:
                    self._alike[block, at, asked] = np.flatnonzero(points.codes == asked)
                near = self._alike[block, at, asked]
            self._near[row, at, asked] = near
        return self._near[row, at, asked]

    def _marks_of(self, row: int) -> list[npt.NDArray[np.intp]]:
        """For each axis the positions at which something could make a difference for a person."""
        if row not in self._of_person:
            own = set(leaves_of([*self._people[row].attr.values(), self._people.ids[row]]))
            self._of_person[row] = [marks.for_person(own) for marks in self._marks]
        return self._of_person[row]

    def _worth_asking(self) -> list[int]:
        """Rows: one of each kind of person, then the next of each; of many people, a sample and all named."""
        people, literals = self._people, self._literals
        order = self._random.permutation(len(people))[:MANY]
        named = people.id_set & literals.texts
        if named and len(order) < len(people):
            order = np.concatenate([[row for row, one in enumerate(people.ids) if one in named], order])
        mentioned = [name for name in sorted(people.attributes) if name in literals.words]
        columns = [people.roles, *(people.attributes[name] for name in mentioned)]
        kinds = pd.DataFrame({i: codes_of(column, order)[0] for i, column in enumerate(columns)})
        turn = kinds.groupby(list(kinds.columns)).cumcount().to_numpy()
        rows: list[int] = order[np.argsort(turn, kind="stable")].tolist()
        return list(dict.fromkeys(rows))


class _Marks:
    """Positions on an axis at which a literal, or an attribute of a principal, could make a difference.

    These are: every number that is a literal, and its neighbours on the axis; every string that is a literal,
    and one that is not; all other values; and all values of an axis that has only a few.
    """

    def __init__(self, axis: Axis, literals: Literals) -> None:
        values = axis.values
        self._texts = {str(value): i for i, value in enumerate(values) if is_text(value)}
        numbers = [i for i, value in enumerate(values) if is_number(value)]
        line = np.array([values[i] for i in numbers], dtype=np.float64)
        order = np.argsort(line, kind="stable")
        self._line = line[order]
        self._at = np.array(numbers, dtype=np.intp)[order]
        rest = set(range(len(values))) - {*numbers, *self._texts.values()}
        met = {i for text, i in self._texts.items() if text in literals.texts}
        unmet = sorted({*self._texts.values()} - met)[:1]
        few = range(len(values)) if len(values) <= SMALL else ()
        self._always = np.array(
            sorted({*rest, *met, *unmet, *few, *self._near(literals.numbers).tolist()}), dtype=np.intp
        )

    def for_person(self, own: set[Any]) -> npt.NDArray[np.intp]:
        """The positions for a person with these attribute values."""
        texts = [self._texts[value] for value in own if isinstance(value, str) and value in self._texts]
        near = self._near({float(value) for value in own if is_number(value)})
        return np.unique(np.concatenate([self._always, near, np.array(texts, dtype=np.intp)]))

    def _near(self, numbers: Collection[float]) -> npt.NDArray[np.intp]:
        """The positions of these numbers and of their neighbours."""
        if not len(self._line) or not numbers:
            return np.zeros(0, dtype=np.intp)
        at = np.searchsorted(self._line, np.array(sorted(numbers), dtype=np.float64))
        near = np.concatenate([at - 1, at, at + 1])
        found: npt.NDArray[np.intp] = self._at[np.unique(np.clip(near, 0, len(self._line) - 1))]
        return found


def sample(shape: Sequence[int], count: int, seed: int) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Draw cells to ask: some principals, and some combinations for each.

    Returns:
        Pairs of a row and combinations, ``[combination, axis]``, without duplicates; together about
        ``count`` combinations, or all that exist.
    """
    random = np.random.default_rng(seed)
    combinations = math.prod(shape[2:])
    rows = min(shape[0], max(math.isqrt(count), -(-count // combinations)))
    each = min(-(-count // rows), combinations)
    drawn = []
    for row in np.sort(random.choice(shape[0], size=rows, replace=False)):
        if combinations > FEW * each:  # duplicates are rare
            flat = np.unique(random.integers(0, combinations, size=each))
        else:
            flat = np.sort(random.choice(combinations, size=each, replace=False))
        places = np.zeros((len(flat), 0), dtype=np.intp)  # without axes there is one combination
        if shape[2:]:
            places = np.column_stack(np.unravel_index(flat, tuple(shape[2:])))
        drawn.append((int(row), places))
    return drawn


def differs(
    people: PrincipalTable,
    question: Question,
    cells: CompressedEffects,
    drawn: Sequence[tuple[int, npt.NDArray[np.intp]]],
    ask: Callable[[Sequence[Batch]], Generator[npt.NDArray[np.bool_]]],
) -> Mismatch | None:
    """Ask the drawn cells and compare.

    Returns:
        The first cell whose answer differs from that of the cell that represents it; None if all agree.
    """
    parts = [
        Batch(
            [people[row]],
            tuple(
                [axis.values[int(i)] for i in column]
                for axis, column in zip(question.axes, places.T, strict=True)
            ),
            listed=True,
        )
        for row, places in drawn
    ]
    with closing(ask(parts)) as answers:
        for row, places in drawn:
            answer = next(answers)[0].reshape(len(question.actions), -1).T
            wrong = np.argwhere(answer != cells.of_one(row, places))
            if len(wrong):
                combination, action = wrong[0]
                return Mismatch(row, int(action), tuple(int(i) for i in places[combination]))
    return None

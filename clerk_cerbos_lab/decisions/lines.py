"""The effects along a numeric axis, at every number and not only on a grid.

A line is the axis from -∞ to ∞, cut at its breakpoints (the numbers that the policies compare the axis with)
into segments: a gap, a breakpoint, a gap, …, a gap. Each segment has one effect. So the effect at a number,
the thresholds, and what a browser draws can be read from it without a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.cells import Points, gathered
from clerk_cerbos_lab.decisions.intervals import Intervals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import OwnNumbers, OwnPoints


@dataclass(frozen=True, slots=True, eq=False)
class LineBlock:
    """The lines of classes with the same number of breakpoints and the same points on the other axes.

    Attributes:
        classes: their numbers.
        breakpoints: ``[class, n]``, ascending.
        points: of each other axis.
        effect: ``allowed[class, action, *points of the other axes, segment]`` with ``2 n + 1``
            segments; those at odd positions are the breakpoints themselves.
        own: where members of a class have breakpoints of their own.
    """

    classes: npt.NDArray[np.intp]
    breakpoints: npt.NDArray[np.float64]
    points: tuple[Points | OwnPoints, ...]
    effect: npt.NDArray[np.bool_]
    own: OwnNumbers | None = None

    def breakpoints_of(
        self, rows: npt.NDArray[np.intp], principals: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float64]:
        """``[principal, n]``: breakpoints of principals of these classes."""
        return self.breakpoints[rows] if self.own is None else self.own.breakpoints(principals)

    def expanded(
        self,
        rows: npt.NDArray[np.intp],
        principals: npt.NDArray[np.intp],
        actions: npt.NDArray[np.intp],
        others: Sequence[npt.NDArray[np.intp]],
    ) -> tuple[npt.NDArray[np.bool_], list[npt.NDArray[np.intp]]]:
        """``allowed[principal, action, *points, segment]``, and the point of each value of other axes."""
        segments = np.arange(self.effect.shape[-1])
        codes, back = [], []
        for points, places in zip(self.points, others, strict=True):
            if isinstance(points, Points):
                used, of = np.unique(points.codes[places], return_inverse=True)
            else:
                used, of = points.codes_of(principals, places), np.arange(len(places))
            codes.append(used)
            back.append(of)
        return gathered(self.effect, rows, [actions, *codes, segments]), back


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """All lines along one axis.

    Attributes:
        blocks: the lines.
        block: for each class, the number of its block; -1 if only the grid is known.
        row: for each class, its position in the block.
    """

    blocks: tuple[LineBlock, ...]
    block: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]

    def know(self, classes: npt.NDArray[np.intp]) -> bool:
        """Whether the lines of all of these classes are known."""
        return bool((self.block[classes] >= 0).all())

    def intervals(
        self,
        principals: npt.NDArray[np.intp],
        classes: npt.NDArray[np.intp],
        alike: npt.NDArray[np.intp],
        actions: npt.NDArray[np.intp],
        others: Sequence[npt.NDArray[np.intp]],
    ) -> Intervals:
        """Intervals of equal effect.

        Args:
            principals: the principals.
            classes: of each of them; their lines must be known.
            alike: for each of them a number, equal if the class and what is their own on other axes are.
            actions: positions of the actions.
            others: for each other axis, positions of its values.
        """
        line, first = _numbered(alike)
        shape = (len(classes), len(actions), *map(len, others))
        number = np.empty(shape, dtype=np.int32)  # the line of each principal, action and combination
        place = np.empty(len(classes), dtype=np.intp)  # of each principal's first edge among all edges
        edges: list[npt.NDArray[np.float64]] = []
        bands: list[tuple[npt.NDArray[Any], ...]] = []
        counts: list[npt.NDArray[np.intp]] = []
        before = edges_before = 0
        for block, lines in self._blocks_of(classes[first]):
            rows = self.row[classes[first[lines]]]
            effect, back = block.expanded(rows, principals[first[lines]], actions, others)
            inner = effect.shape[1:-1]
            each = int(np.prod(inner, dtype=np.int64))
            flat = effect.reshape(len(rows) * each, -1)
            bands.append(_bands(flat))
            counts.append(np.bincount(bands[-1][0], minlength=len(flat)))
            of = np.full(len(first), -1, dtype=np.int32)  # the position in this block of each line
            of[lines] = np.arange(len(lines))
            at = np.flatnonzero(of[line] >= 0)
            local = np.arange(each, dtype=np.int32).reshape(inner)[np.ix_(np.arange(inner[0]), *back)]
            start = before + each * of[line[at]]
            number[at] = start.reshape(-1, *[1] * local.ndim) + local
            before += len(flat)
            own = block.own is not None  # then each member has edges of their own
            found = _edges(block.breakpoints_of(self.row[classes[at]] if own else rows, principals[at]))
            place[at] = edges_before + found.shape[1] * (np.arange(len(at)) if own else of[line[at]])
            edges.append(found.ravel())
            edges_before += found.size
        columns = [np.concatenate(held) for held in zip(*bands, strict=True)]
        return _table(number, np.concatenate(counts), columns, np.concatenate(edges), place)

    def _blocks_of(self, classes: npt.NDArray[np.intp]) -> Iterator[tuple[LineBlock, npt.NDArray[np.intp]]]:
        """Each block with some of these classes, and their positions, ascending."""
        of = self.block[classes]
        for number in np.unique(of):
            yield self.blocks[int(number)], np.flatnonzero(of == number)


def _numbered(values: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """A number for each value, equal for equal ones, and for each number the position of its first value."""
    codes, different = pd.factorize(values)
    first = np.empty(len(different), dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, first


def _edges(breakpoints: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``[row, edge]``: -∞, the breakpoints, ∞."""
    return np.pad(breakpoints, [(0, 0), (1, 1)], constant_values=[(-np.inf, np.inf)] * 2)


def _bands(effect: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], ...]:
    """Runs of equal segments: the line, lower, lower_closed, upper, upper_closed, effect of each.

    Lower and upper are positions among the line's edges.
    """
    line, start = np.nonzero(np.diff(effect, axis=1, prepend=~effect[:, :1]))
    last = np.append(line[1:] != line[:-1], True)
    lower = ((start + 1) // 2).astype(np.int32)
    closed = (start > 0) & (start % 2 == 1)
    after = np.append(np.arange(1, len(start)), 0)  # an interval ends where the next one begins
    upper = np.where(last, np.int32((effect.shape[1] + 1) // 2), lower[after])
    return line, lower, closed, upper, ~last & ~closed[after], effect[line, start]


def _table(
    number: npt.NDArray[np.int32],
    count: npt.NDArray[np.intp],
    columns: Sequence[npt.NDArray[Any]],
    edges: npt.NDArray[np.float64],
    place: npt.NDArray[np.intp],
) -> Intervals:
    """The bands of each line at each position that has the line, with the edges of its principal."""
    first = np.cumsum(count) - count
    flat = number.ravel()
    repeats = count[flat]
    total = int(repeats.sum())
    whole = np.int32 if max(total, len(edges)) < 2**31 else np.int64  # of half the size where that is enough
    offset = (first[flat] - (np.cumsum(repeats) - repeats)).astype(whole)
    at = np.arange(total, dtype=whole) + np.repeat(offset, repeats)
    lower, lower_closed, upper, upper_closed, allow = (column[at] for column in columns[1:])
    inner = number[0].size  # actions and combinations of one principal
    each = repeats.reshape(-1, inner).sum(axis=1)
    start = np.repeat(place.astype(whole), each)
    within = np.repeat(np.tile(np.arange(inner, dtype=whole), len(place)), repeats)
    codes = [part[within] for part in np.unravel_index(np.arange(inner), number.shape[1:])]
    return Intervals(
        codes=(np.repeat(np.arange(len(place)), each), *codes),
        columns={
            "lower": edges[start + lower],
            "lower_closed": lower_closed,
            "upper": edges[start + upper],
            "upper_closed": upper_closed,
            "effect": pd.array(["DENY", "ALLOW"], dtype="str").take(allow.astype(np.intp)),
            "exact": np.ones(total, dtype=np.bool_),
            "boundary": pd.array(["exact"], dtype="str").take(np.zeros(total, dtype=np.intp)),
        },
    )

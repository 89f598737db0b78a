"""The effects of a sweep: asked cell by cell, or for classes of principals at points on the axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis


class Effects(Protocol):
    """The effects of a sweep: the interface between asking and showing.

    A method that asks fewer questions stores fewer answers and expands them when they are read.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        ...

    def take(self, index: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
        """``allowed`` at the cross product of these positions, one array per dimension."""
        ...

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        """How many cells of the cross product are ALLOW, if possible without expanding them."""
        ...

    def classes(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """A number for each of these principals; principals known to have equal effects have the same."""
        ...


@dataclass(frozen=True, slots=True)
class DenseEffects:
    """Cells that were each asked: ``effect[principal, action, *axes]``, True for ALLOW."""

    effect: npt.NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        return self.effect.shape

    def take(self, index: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
        """``effect`` at the cross product of these positions."""
        whole = all(
            len(i) == n and np.array_equal(i, np.arange(n)) for i, n in zip(index, self.shape, strict=True)
        )
        taken: npt.NDArray[np.bool_] = self.effect if whole else self.effect[np.ix_(*index)]
        return taken

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        """How many cells of the cross product are ALLOW."""
        return int(np.count_nonzero(self.take(index)))

    def classes(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Each principal is a separate class: nothing is known about equal effects."""
        return principals


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Classes that were asked at the same points of each axis.

    Attributes:
        points: one for each axis.
        effect: ``allowed[class, action, *points]``, with the classes in the order of the block.
    """

    points: tuple[Points | OwnPoints, ...]
    effect: npt.NDArray[np.bool_]

    @property
    def own(self) -> tuple[int, OwnPoints] | None:
        """The axis, counted from 0, whose points differ between principals of a class, and these points."""
        each = enumerate(self.points)
        return next(((place, own) for place, own in each if isinstance(own, OwnPoints)), None)

    def at(
        self, index: Sequence[npt.NDArray[np.intp]], own: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[Any], ...]:
        """For positions on each axis, the points that represent them.

        Args:
            index: the positions.
            own: ``[principal, column]``: the own numbers of some principals.

        Returns:
            One array per position; where principals differ, ``[principal, position]``.
        """
        return tuple(
            points.codes[places] if isinstance(points, Points) else points.codes_of(own, places)
            for points, places in zip(self.points, index, strict=True)
        )

    def expanded(
        self,
        rows: npt.NDArray[np.intp],
        index: Sequence[npt.NDArray[np.intp]],
        own: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.bool_]:
        """``allowed`` of some principals.

        Args:
            rows: of their classes in this block.
            index: positions of the actions, then of each axis.
            own: ``[principal, column]``: their own numbers.
        """
        actions, *axes = index
        codes = self.at(axes, own)
        if all(code.ndim == 1 for code in codes):
            different, back = np.unique(rows, return_inverse=True)
            taken: npt.NDArray[np.bool_] = self.effect[np.ix_(different, actions, *codes)][back]
            return taken
        dims = self.effect.ndim
        grid = []
        for dim, code in enumerate((rows, actions, *codes)):
            shape = [1] * dims
            shape[dim] = code.shape[-1]
            if code.ndim == 2:
                shape[0] = len(rows)
            grid.append(code.reshape(shape))
        found: npt.NDArray[np.bool_] = self.effect[tuple(grid)]
        return found

    def allowed(
        self,
        rows: npt.NDArray[np.intp],
        index: Sequence[npt.NDArray[np.intp]],
        own: npt.NDArray[np.float64],
    ) -> int:
        """How many cells of these are ALLOW, with the arguments of ``expanded``."""
        actions, *axes = index
        counts = np.bincount(rows, minlength=len(self.effect))
        some = np.flatnonzero(counts)
        weighted = self.effect[np.ix_(some, actions, *map(np.arange, self.effect.shape[2:]))].astype(np.int64)
        differing = self.own
        if differing is not None:
            weighted = np.moveaxis(weighted, differing[0] + 2, 1)
        static = [
            points.codes[places]
            for points, places in zip(self.points, axes, strict=True)
            if isinstance(points, Points)
        ]
        for codes in reversed(static):
            weighted = weighted @ np.bincount(codes, minlength=weighted.shape[-1])
        total = weighted.sum(axis=-1)  # [class], or [class, point of the axis that differs]
        if differing is None:
            return int(total @ counts[some])
        place, points = differing
        each = points.counts(own, axes[place])
        return int((each * total[np.searchsorted(some, rows)]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class CompressedEffects:
    """Answers for classes at points, and the answer that each cell has.

    Attributes:
        shape: principals, actions, then each axis.
        codes: for each principal, the number of its class.
        blocks: the answers.
        block: for each class, the number of its block.
        row: for each class, its position in the block.
        own: ``[principal, column]``: numbers of principals of which only the order matters (``OwnPoints``).
    """

    shape: tuple[int, ...]
    codes: npt.NDArray[np.intp]
    blocks: tuple[Block, ...]
    block: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    own: npt.NDArray[np.float64]

    def _present(
        self, principals: npt.NDArray[np.intp]
    ) -> Iterator[tuple[Block, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """Each block with some of these principals: the block, their positions, their rows in the block."""
        classes = self.codes[principals]
        number = self.block[classes]
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[order], prepend=-1))
        for places in np.split(order, starts[1:]):
            yield self.blocks[int(number[places[0]])], places, self.row[classes[places]]

    def take(self, index: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
        """``allowed`` at the cross product of these positions."""
        principals, actions, *axes = index
        taken = np.empty(tuple(len(places) for places in index), dtype=np.bool_)
        for block, places, rows in self._present(principals):
            taken[places] = block.expanded(rows, [actions, *axes], self.own[principals[places]])
        return taken

    def classes(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """For each of these principals a number, equal if class and own numbers are."""
        classes: npt.NDArray[np.intp] = self.codes[principals]
        used = np.zeros((len(self.block), self.own.shape[1]), dtype=np.bool_)
        for number, block in enumerate(self.blocks):
            if block.own is not None:
                columns = block.own[1].columns
                used[np.ix_(self.block == number, columns[columns >= 0])] = True
        for column in np.flatnonzero(used.any(axis=0)):
            own = np.where(used[self.codes[principals], column], self.own[principals, column], np.nan)
            more, different = pd.factorize(own, use_na_sentinel=False)
            classes = pd.factorize(classes.astype(np.int64) * len(different) + more)[0].astype(np.intp)
        return classes

    def of_one(self, principal: int, places: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """``allowed[combination, action]`` for one principal.

        Args:
            principal: the row.
            places: positions on each axis, ``[combination, axis]``.
        """
        number = self.codes[principal]
        block = self.blocks[int(self.block[number])]
        effect: npt.NDArray[np.bool_] = block.effect[int(self.row[number])]  # [action, *points]
        if not places.shape[1]:
            return effect.reshape(1, -1)
        codes = [
            points.codes[column]
            if isinstance(points, Points)
            else points.codes_of(self.own[[principal]], column)[0]
            for points, column in zip(block.points, places.T, strict=True)
        ]
        at = (np.arange(len(effect))[:, None], *codes)
        found: npt.NDArray[np.bool_] = effect[at].T
        return found

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        """How many cells of the cross product are ALLOW: each answer times the cells that have it."""
        principals, *rest = index
        return sum(
            block.allowed(rows, rest, self.own[principals[places]])
            for block, places, rows in self._present(principals)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The values of an axis that are asked, and which of them represents each value.

    Attributes:
        asked: positions on the axis, ascending.
        codes: for each value of the axis, the position in ``asked`` of the value that represents it.
    """

    asked: npt.NDArray[np.intp]
    codes: npt.NDArray[Any]

    def values(self, axis: Axis) -> list[Any]:
        """The values that are asked."""
        return [axis.values[i] for i in self.asked]


@dataclass(frozen=True, slots=True, eq=False)
class OwnPoints:
    """The segments of a numeric axis for a class whose members have breakpoints of their own.

    The breakpoints of every member are ordered as those of the representative, so the effect at a number is
    that of the representative in the same segment: a gap, a breakpoint, a gap, …, a gap.

    Attributes:
        numbers: the breakpoints of the representative, ascending.
        columns: for each breakpoint, the column of own numbers that it is taken from; -1 if it is the same
            for all members.
        asked: the numbers asked about the representative.
        codes: for each segment, the position in ``asked`` of a number in it.
        grid: the values of the axis.
    """

    numbers: npt.NDArray[np.float64]
    columns: npt.NDArray[np.intp]
    asked: tuple[float, ...]
    codes: npt.NDArray[np.intp]
    grid: npt.NDArray[np.float64]

    def values(self, axis: Axis) -> list[Any]:  # noqa: ARG002 - as for other points
        """The numbers that are asked."""
        return list(self.asked)

    def breakpoints(self, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """``[principal, n]``: the breakpoints of members with these own numbers, ascending."""
        found = np.tile(self.numbers, (len(own), 1))
        differing = np.flatnonzero(self.columns >= 0)
        found[:, differing] = own[:, self.columns[differing]]
        return found

    def codes_of(self, own: npt.NDArray[np.float64], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, position]``: the point that represents each of these values of the axis."""
        values = self.grid[places]
        segments = np.zeros((len(own), len(values)), dtype=np.intp)
        for breakpoints in self.breakpoints(own).T:
            segments += breakpoints[:, None] < values
            segments += breakpoints[:, None] <= values
        return self.codes[segments]

    def counts(self, own: npt.NDArray[np.float64], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, point]``: how many of these values each point represents."""
        values = np.sort(self.grid[places])
        breakpoints = self.breakpoints(own)
        ends = [np.searchsorted(values, breakpoints, side) for side in ("left", "right")]
        before = np.stack(ends, axis=-1).reshape(len(own), -1)  # values before the end of each segment
        every = np.pad(before, [(0, 0), (1, 1)])
        every[:, -1] = len(values)
        counts = np.zeros((len(own), len(self.asked)), dtype=np.intp)
        for segment, many in enumerate(np.diff(every, axis=1).T):
            counts[:, self.codes[segment]] += many
        return counts

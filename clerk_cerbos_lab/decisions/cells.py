"""The effects of a sweep: asked cell by cell, or for classes of principals at points on the axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis


_AT_ONCE: Final = 100_000
"""Principals that are counted together."""


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

    def at(
        self, index: Sequence[npt.NDArray[np.intp]], principals: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[Any], ...]:
        """For positions on each axis, the points that represent them.

        Returns:
            One array per axis, ``[position]``; where principals of a class differ, ``[principal, position]``.
        """
        return tuple(
            points.codes[places] if isinstance(points, Points) else points.codes_of(principals, places)
            for points, places in zip(self.points, index, strict=True)
        )

    def expanded(
        self,
        principals: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        index: Sequence[npt.NDArray[np.intp]],
    ) -> npt.NDArray[np.bool_]:
        """``allowed`` of some principals.

        Args:
            principals: the principals.
            rows: of their classes in this block.
            index: positions of the actions, then of each axis.
        """
        actions, *axes = index
        codes = self.at(axes, principals)
        if all(code.ndim == 1 for code in codes):
            different, back = np.unique(rows, return_inverse=True)
            taken: npt.NDArray[np.bool_] = self.effect[np.ix_(different, actions, *codes)][back]
            return taken
        return gathered(self.effect, rows, [actions, *codes])

    def allowed(
        self,
        principals: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        index: Sequence[npt.NDArray[np.intp]],
    ) -> int:
        """How many cells of these are ALLOW, with the arguments of ``expanded``."""
        actions, *axes = index
        counts = np.bincount(rows, minlength=len(self.effect))
        some = np.flatnonzero(counts)
        weighted = self.effect[np.ix_(some, actions, *map(np.arange, self.effect.shape[2:]))].astype(np.int64)
        own = [place for place, points in enumerate(self.points) if not isinstance(points, Points)]
        weighted = np.moveaxis(weighted, [place + 2 for place in own], range(1, len(own) + 1))
        for points, places in reversed(list(zip(self.points, axes, strict=True))):
            if isinstance(points, Points):
                weighted = weighted @ np.bincount(points.codes[places], minlength=weighted.shape[-1])
        total = weighted.sum(axis=-1)  # [class, points of each axis that differs between principals]
        if not own:
            return int(total @ counts[some])
        found = 0
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            left = total[np.searchsorted(some, rows[part])]
            for place in reversed(own):
                points = self.points[place]
                if not isinstance(points, Points):
                    each = points.counts(principals[part], axes[place])
                    left = np.einsum("p...s,ps->p...", left, each)
            found += int(left.sum())
        return found


def gathered(
    effect: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp], codes: Sequence[npt.NDArray[Any]]
) -> npt.NDArray[np.bool_]:
    """The cross product of some codes, each ``[position]`` or ``[row, position]``, for each of these rows."""
    grid = []
    for dim, code in enumerate((rows, *codes)):
        shape = [1] * effect.ndim
        shape[dim] = code.shape[-1]
        if code.ndim == 2:
            shape[0] = len(rows)
        grid.append(code.reshape(shape))
    found: npt.NDArray[np.bool_] = effect[tuple(grid)]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class CompressedEffects:
    """Answers for classes at points, and the answer that each cell has.

    Attributes:
        shape: principals, actions, then each axis.
        codes: for each principal, the number of its class.
        blocks: the answers.
        block: for each class, the number of its block.
        row: for each class, its position in the block.
    """

    shape: tuple[int, ...]
    codes: npt.NDArray[np.intp]
    blocks: tuple[Block, ...]
    block: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]

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
            taken[places] = block.expanded(principals[places], rows, [actions, *axes])
        return taken

    def classes(self, principals: npt.NDArray[np.intp], besides: int | None = None) -> npt.NDArray[np.intp]:
        """For each of these principals a number, equal if their class and what is their own are.

        Args:
            principals: the principals.
            besides: the position of an axis; what is their own on it makes no difference.
        """
        classes: npt.NDArray[np.intp] = self.codes[principals]
        number = self.block[classes]
        each = {
            id(own): own for block in self.blocks for axis, own in enumerate(block.points) if axis != besides
        }
        apart = np.zeros(len(classes), dtype=np.int64)  # told apart within their class
        for own in each.values():
            if isinstance(own, Points):
                continue
            blocks = [n for n, block in enumerate(self.blocks) if any(one is own for one in block.points)]
            at = np.flatnonzero(np.isin(number, blocks))
            for column in own.differences(principals[at]):
                more, different = pd.factorize(column, use_na_sentinel=False)
                apart[at] = pd.factorize(apart[at] * len(different) + more)[0]
        if not apart.any():
            return classes
        return pd.factorize(classes * (int(apart.max()) + 1) + apart)[0].astype(np.intp)

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
            else points.codes_of(np.array([principal]), column)[0]
            for points, column in zip(block.points, places.T, strict=True)
        ]
        at = (np.arange(len(effect))[:, None], *codes)
        found: npt.NDArray[np.bool_] = effect[at].T
        return found

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        """How many cells of the cross product are ALLOW: each answer times the cells that have it."""
        principals, *rest = index
        return sum(
            block.allowed(principals[places], rows, rest) for block, places, rows in self._present(principals)
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


class OwnPoints(Protocol):
    """The points of an axis for a class whose members differ in what they compare it with.

    Each point has the same outcome in every comparison for every member, and so the effect that the
    representative has there.
    """

    @property
    def asked(self) -> Sequence[Any]:
        """What was asked about the representative, one value per point; not all are on the axis."""
        ...

    def values(self, axis: Axis) -> list[Any]:
        """The same, as ``Points`` has it."""
        ...

    def codes_of(
        self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """``[principal, position]``: the point that represents each of these values of the axis."""
        ...

    def counts(self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, point]``: how many of these values each point represents."""
        ...

    def differences(self, principals: npt.NDArray[np.intp]) -> list[npt.NDArray[Any]]:
        """Arrays, equal for two members exactly if they have the same points."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OwnNumbers:
    """The segments of a numeric axis: a gap, a breakpoint, a gap, …, a gap, ordered as the representative's.

    Attributes:
        numbers: the breakpoints of the representative, ascending.
        columns: for each breakpoint, the column of own numbers that it is taken from; -1 if it is the same
            for all members.
        asked: the numbers asked about the representative.
        codes: for each segment, the position in ``asked`` of a number in it.
        grid: the values of the axis.
        own: ``[principal, column]``: the own numbers of all principals.
    """

    numbers: npt.NDArray[np.float64]
    columns: npt.NDArray[np.intp]
    asked: tuple[float, ...]
    codes: npt.NDArray[np.intp]
    grid: npt.NDArray[np.float64]
    own: npt.NDArray[np.float64]

    def values(self, axis: Axis) -> list[Any]:  # noqa: ARG002 - as for other points
        """The numbers that are asked."""
        return list(self.asked)

    def breakpoints(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """``[principal, n]``: the breakpoints of members, ascending."""
        found = np.tile(self.numbers, (len(principals), 1))
        differing = np.flatnonzero(self.columns >= 0)
        found[:, differing] = self.own[np.ix_(principals, self.columns[differing])]
        return found

    def codes_of(
        self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """``[principal, position]``: the point that represents each of these values of the axis."""
        return self.codes_at(principals, self.grid[places])

    def codes_at(
        self, principals: npt.NDArray[np.intp], values: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.intp]:
        """``[principal, value]``: the point that represents each of these numbers, on the axis or not."""
        segments = np.zeros((len(principals), len(values)), dtype=np.intp)
        for breakpoints in self.breakpoints(principals).T:
            segments += breakpoints[:, None] < values
            segments += breakpoints[:, None] <= values
        return self.codes[segments]

    def counts(self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, point]``: how many of these values each point represents."""
        values = np.sort(self.grid[places])
        breakpoints = self.breakpoints(principals)
        ends = [np.searchsorted(values, breakpoints, side) for side in ("left", "right")]
        before = np.stack(ends, axis=-1).reshape(len(principals), -1)  # values before the end of each segment
        every = np.pad(before, [(0, 0), (1, 1)])
        every[:, -1] = len(values)
        counts = np.zeros((len(principals), len(self.asked)), dtype=np.intp)
        for segment, many in enumerate(np.diff(every, axis=1).T):
            counts[:, self.codes[segment]] += many
        return counts

    def differences(self, principals: npt.NDArray[np.intp]) -> list[npt.NDArray[Any]]:
        """The own numbers that are breakpoints."""
        return [self.own[principals, column] for column in np.unique(self.columns[self.columns >= 0])]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which values of a text axis an attribute of principals matches: equals, or contains in a list.

    Attributes:
        codes: for each principal, the number of their value of the attribute.
        of_value: ``[number, position on the axis]``.
    """

    codes: npt.NDArray[np.intp]
    of_value: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class OwnTexts:
    """The texts of an axis that is compared for equality, by which attributes of a principal they match.

    Attributes:
        asked: the texts asked about the representative, perhaps with ``MISSING``.
        codes: for each kind of text, the position in ``asked`` of one of that kind; see ``kinds``.
        literals: for each value of the axis 0, or a number for the shared text that it is or for ``MISSING``.
        matches: for each attribute that is compared with the axis.
    """

    asked: tuple[Any, ...]
    codes: npt.NDArray[np.intp]
    literals: npt.NDArray[np.intp]
    matches: tuple[Matches, ...]

    def values(self, axis: Axis) -> list[Any]:  # noqa: ARG002 - as for other points
        """The texts that are asked."""
        return list(self.asked)

    def kinds(self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, position]``: a number for what the policies can tell of these texts."""
        kinds = np.repeat(self.literals[places][None, :], len(principals), axis=0)
        for one in self.matches:
            numbers, back = np.unique(one.codes[principals], return_inverse=True)
            kinds = 2 * kinds + one.of_value[np.ix_(numbers, places)][back]
        return kinds

    def codes_of(
        self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """``[principal, position]``: the point that represents each of these values of the axis."""
        return self.codes[self.kinds(principals, places)]

    def counts(self, principals: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """``[principal, point]``: how many of these values each point represents."""
        values = np.column_stack([one.codes[principals] for one in self.matches])
        _, first, back = np.unique(values, axis=0, return_index=True, return_inverse=True)
        different = principals[first]  # of a million people in 2,000 departments, 2,000 are counted
        counts = np.zeros((len(different), len(self.asked)), dtype=np.intp)
        for row, one in enumerate(different):
            codes = self.codes_of(np.array([one]), places)[0]
            counts[row] = np.bincount(codes, minlength=len(self.asked))
        return counts[back.ravel()]

    def differences(self, principals: npt.NDArray[np.intp]) -> list[npt.NDArray[Any]]:
        """The values of the attributes."""
        return [one.codes[principals] for one in self.matches]

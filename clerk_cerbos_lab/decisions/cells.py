"""The effects of a sweep: asked cell by cell, or for classes of principals at points on the axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt


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

    points: tuple[Points, ...]
    effect: npt.NDArray[np.bool_]

    def at(self, index: Sequence[npt.NDArray[np.intp]]) -> tuple[npt.NDArray[Any], ...]:
        """For positions on each axis, the positions of the points that represent them."""
        return tuple(points.codes[places] for points, places in zip(self.points, index, strict=True))


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
            different, back = np.unique(rows, return_inverse=True)
            expanded = block.effect[np.ix_(different, actions, *block.at(axes))]
            taken[places] = expanded[back]
        return taken

    def classes(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """For each of these principals the number of the class."""
        classes: npt.NDArray[np.intp] = self.codes[principals]
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
        at = (np.arange(len(effect))[:, None], *block.at(list(places.T)))
        found: npt.NDArray[np.bool_] = effect[at].T
        return found

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        """How many cells of the cross product are ALLOW: each answer times the cells that have it."""
        principals, actions, *axes = index
        total = 0
        for block, _, rows in self._present(principals):
            counts = np.bincount(rows, minlength=len(block.effect))
            some = np.flatnonzero(counts)
            effect = block.effect[np.ix_(some, actions, *(np.arange(n) for n in block.effect.shape[2:]))]
            weighted = effect.astype(np.int64)
            for places in reversed(block.at(axes)):
                weights = np.bincount(places, minlength=weighted.shape[-1])
                weighted = weighted @ weights
            total += int(weighted.sum(axis=1) @ counts[some])
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The values of an axis that are asked, and which of them represents each value.

    Attributes:
        asked: positions on the axis, ascending.
        codes: for each value of the axis, the position in ``asked`` of the value that represents it.
    """

    asked: npt.NDArray[np.intp]
    codes: npt.NDArray[Any]

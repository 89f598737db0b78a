"""The cube: the common form of all answers, from which everything shown is read.

Its dimensions are principals, actions, and the axes. Principals that the policies cannot distinguish share a
class, and values that they cannot distinguish share a point; along a numeric axis the effects are known at
every number. How it is stored is private: readers use cells, counts, classes, intervals and segments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.cells import CompressedEffects
from clerk_cerbos_lab.decisions.intervals import Intervals, Segmented, intervals_of, joined, segments_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import Effects
    from clerk_cerbos_lab.decisions.lines import Lines

    Index = Sequence[npt.NDArray[np.intp]]


class Cube(Protocol):
    """The effects of a question; positions and dimensions count from 0.

    An index is one array of positions per dimension, and selects their cross product.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        ...

    def take(self, index: Index) -> npt.NDArray[np.bool_]:
        """The cells: True for ALLOW."""
        ...

    def count(self, index: Index) -> int:
        """How many cells are ALLOW, if possible without expanding them."""
        ...

    def classes(self, principals: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects.

        Returns:
            ``codes``: for each of these principals the number of its class; ``representatives``: for each
            class, in order, the position among these principals of its first member.
        """
        ...

    def intervals(self, dim: int, index: Index) -> Intervals | None:
        """Intervals of equal effect along a numeric axis; None if only its grid is known.

        Args:
            dim: the dimension of the axis; its positions in the index are ignored.
            index: of the decisions wanted.
        """
        ...

    def known(self, dim: int, index: Index) -> npt.NDArray[np.bool_]:
        """For each principal, whether all their lines along an axis are known, and not only the grid."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SweptCube:
    """The cube of one sweep.

    Attributes:
        effects: the cells.
        lines: by dimension, the effects along the numeric axes that are known at every number.
    """

    effects: Effects
    lines: Mapping[int, Lines] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        return self.effects.shape

    def take(self, index: Index) -> npt.NDArray[np.bool_]:
        """The cells: True for ALLOW."""
        return self.effects.take(index)

    def count(self, index: Index) -> int:
        """How many cells are ALLOW."""
        return self.effects.allowed(index)

    def classes(self, principals: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects: codes and representatives."""
        return _numbered(self.effects.classes(principals))

    def intervals(self, dim: int, index: Index) -> Intervals | None:
        """Intervals of equal effect along a numeric axis; None if only its grid is known."""
        lines = self.lines.get(dim)
        if lines is None:
            return None
        if not isinstance(self.effects, CompressedEffects):
            return None
        people = index[0]
        classes = self.effects.codes[people]
        if not lines.know(classes):
            return None
        others = [places for at, places in enumerate(index[2:], 2) if at != dim]
        alike = self.effects.classes(people, besides=dim - 2)
        return lines.intervals(people, classes, alike, index[1], others)

    def known(self, dim: int, index: Index) -> npt.NDArray[np.bool_]:
        """For each principal, whether all their lines along an axis are known, and not only the grid."""
        lines = self.lines.get(dim)
        if lines is None or not isinstance(self.effects, CompressedEffects):
            return np.zeros(len(index[0]), dtype=np.bool_)
        known: npt.NDArray[np.bool_] = lines.block[self.effects.codes[index[0]]] >= 0
        return known


@dataclass(frozen=True, slots=True, eq=False)
class ClassCube:
    """A cube in which every class is stored: an explorer builds it from its answers.

    Attributes:
        codes: for each principal the class.
        answer: ``allowed[class, action, *axes]``, or the same with one axis cut where effects flip.
    """

    codes: npt.NDArray[np.intp]
    answer: npt.NDArray[np.bool_] | Segmented

    @property
    def cells(self) -> npt.NDArray[np.bool_]:
        """``allowed[class, action, *axes]`` at the values of each axis."""
        if isinstance(self.answer, Segmented):
            return self.answer.allowed.take(self.answer.grid, axis=self.answer.segments.dim)
        return self.answer

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        return (len(self.codes), *self.cells.shape[1:])

    def take(self, index: Index) -> npt.NDArray[np.bool_]:
        """The cells: True for ALLOW."""
        taken: npt.NDArray[np.bool_] = self.cells[np.ix_(self.codes[index[0]], *index[1:])]
        return taken

    def count(self, index: Index) -> int:
        """How many cells are ALLOW."""
        cells = self.cells
        people = np.bincount(self.codes[index[0]], minlength=len(cells))
        some = cells[np.ix_(np.arange(len(cells)), *index[1:])]
        return int(people @ some.reshape(len(cells), -1).sum(axis=1))

    def classes(self, principals: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects: codes and representatives."""
        return _numbered(self.codes[principals])

    def intervals(self, dim: int, index: Index) -> Intervals | None:
        """Intervals of equal effect along a numeric axis; None if only its grid is known."""
        if not isinstance(self.answer, Segmented) or self.answer.segments.dim != dim:
            return None
        every = [self.codes[index[0]], *index[1:]]
        every[dim] = np.arange(self.answer.allowed.shape[dim])
        allowed = np.moveaxis(self.answer.allowed[np.ix_(*every)], dim, -1)
        return intervals_of(self.answer, allowed)

    def known(self, dim: int, index: Index) -> npt.NDArray[np.bool_]:
        """For each principal, whether all their lines along an axis are known, and not only the grid."""
        segmented = isinstance(self.answer, Segmented) and self.answer.segments.dim == dim
        return np.full(len(index[0]), segmented)


@dataclass(frozen=True, slots=True, eq=False)
class JoinedCube:
    """Two cubes concatenated along the one dimension in which they differ; see ``extended``."""

    parts: tuple[Cube, Cube]
    dim: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        first, second = (part.shape for part in self.parts)
        return (*first[: self.dim], first[self.dim] + second[self.dim], *first[self.dim + 1 :])

    def _split(self, places: npt.NDArray[np.intp]) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """For each part: which of these positions belong to it, and their positions within it."""
        length = self.parts[0].shape[self.dim]
        first, second = np.flatnonzero(places < length), np.flatnonzero(places >= length)
        return [(first, places[first]), (second, places[second] - length)]

    def _indices(self, index: Index) -> list[tuple[npt.NDArray[np.intp], Index]]:
        """For each part: the positions of its cells along the dimension, and the index within it."""
        return [
            (at, [*index[: self.dim], own, *index[self.dim + 1 :]])
            for at, own in self._split(index[self.dim])
        ]

    def take(self, index: Index) -> npt.NDArray[np.bool_]:
        """The cells: True for ALLOW."""
        taken = np.empty(tuple(map(len, index)), dtype=np.bool_)
        for part, (at, own) in zip(self.parts, self._indices(index), strict=True):
            if len(at):
                where: tuple[Any, ...] = (*[slice(None)] * self.dim, at)
                taken[where] = part.take(own)
        return taken

    def count(self, index: Index) -> int:
        """How many cells are ALLOW."""
        return sum(
            part.count(own)
            for part, (at, own) in zip(self.parts, self._indices(index), strict=True)
            if len(at)
        )

    def classes(self, principals: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects: codes and representatives."""
        if self.dim:
            each = [part.classes(principals)[0] for part in self.parts]
            codes = pd.factorize(each[0] * (int(each[1].max(initial=0)) + 1) + each[1])[0]
        else:
            codes, before = np.empty(len(principals), dtype=np.intp), 0
            for part, (at, own) in zip(self.parts, self._split(principals), strict=True):
                if len(at):
                    codes[at] = part.classes(own)[0] + before
                    before = int(codes[at].max()) + 1
        return _numbered(codes)

    def intervals(self, dim: int, index: Index) -> Intervals | None:
        """Intervals of equal effect along a numeric axis; None if only its grid is known."""
        if dim == self.dim:  # intervals hold for every number, so both parts have all of them
            whole = [*index[:dim], np.zeros(1, dtype=np.intp), *index[dim + 1 :]]
            found = (part.intervals(dim, whole) for part in self.parts)
            return next((some for some in found if some is not None), None)
        each = []
        for part, (at, own) in zip(self.parts, self._indices(index), strict=True):
            some = part.intervals(dim, own) if len(at) else None
            if some is not None:
                each.append((at, some))
            elif len(at):
                return None
        return joined(each, self.dim if self.dim < dim else self.dim - 1)

    def known(self, dim: int, index: Index) -> npt.NDArray[np.bool_]:
        """For each principal, whether all their lines along an axis are known, and not only the grid."""
        known = np.ones(len(index[0]), dtype=np.bool_)
        for part, (at, own) in zip(self.parts, self._indices(index), strict=True):
            if len(at) and self.dim == 0:
                known[at] = part.known(dim, own)
            elif len(at):
                known &= part.known(dim, own)
        return known


@dataclass(frozen=True, slots=True, eq=False)
class PlacedCube:
    """A cube whose principals are at other positions.

    Attributes:
        cube: the effects.
        places: for each principal, the position in the cube.
    """

    cube: Cube
    places: npt.NDArray[np.intp]

    def _at(self, index: Index) -> Index:
        return [self.places[index[0]], *index[1:]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Principals, actions, then each axis."""
        return (len(self.places), *self.cube.shape[1:])

    def take(self, index: Index) -> npt.NDArray[np.bool_]:
        """The cells: True for ALLOW."""
        return self.cube.take(self._at(index))

    def count(self, index: Index) -> int:
        """How many cells are ALLOW."""
        return self.cube.count(self._at(index))

    def classes(self, principals: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects: codes and representatives."""
        return self.cube.classes(self.places[principals])

    def intervals(self, dim: int, index: Index) -> Intervals | None:
        """Intervals of equal effect along a numeric axis; None if only its grid is known."""
        return self.cube.intervals(dim, self._at(index))

    def known(self, dim: int, index: Index) -> npt.NDArray[np.bool_]:
        """For each principal, whether all their lines along an axis are known, and not only the grid."""
        return self.cube.known(dim, self._at(index))


def _numbered(classes: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Classes numbered in order of their first principal, and that principal's position."""
    codes, different = pd.factorize(classes)
    representatives = np.full(len(different), len(codes), dtype=np.intp)
    np.minimum.at(representatives, codes, np.arange(len(codes), dtype=np.intp))
    return codes.astype(np.intp), representatives


def extended(first: Cube, second: Cube, dim: int) -> Cube:
    """Join two cubes that have the same labels in every dimension but one.

    Args:
        first: the cube whose cells come first.
        second: the cube whose cells come after them.
        dim: the dimension that becomes longer: 0 for more people, 1 for more actions, else more values.
    """
    return JoinedCube((first, second), dim)


def segmented(cube: Cube, dim: int, index: Index, values: Sequence[float]) -> Segmented | None:
    """A numeric axis cut at every number where an effect flips, for drawing and for comparing two answers.

    Args:
        cube: the answer.
        dim: the dimension of the axis.
        index: of the decisions wanted; one representative per class is enough.
        values: the grid's values at the index's positions on the axis.

    Returns:
        None if only the grid is known, or if its cells contradict the segments.
    """
    found = cube.intervals(dim, index)
    if found is None:
        return None
    made = segments_of(found, [len(own) for at, own in enumerate(index) if at != dim], dim, values)
    if made is not None and not np.array_equal(made.allowed.take(made.grid, axis=dim), cube.take(index)):
        return None
    return made


@dataclass(frozen=True, slots=True)
class Change:
    """How many decisions differ between two answers to the same question.

    Attributes:
        gained: ALLOW now, DENY before.
        lost: DENY now, ALLOW before.
    """

    gained: int
    lost: int


def change(
    now: tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]],
    then: tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]],
) -> Change:
    """Compare two answers about the same people, actions and values.

    Args:
        now: ``allowed[class, …]``, and for each principal the class.
        then: the same for the earlier answer.
    """
    pairs, people = np.unique(np.column_stack([now[1], then[1]]), axis=0, return_counts=True)
    gained = lost = 0
    for (i, k), many in zip(pairs.tolist(), people.tolist(), strict=True):
        gained += many * int((now[0][i] & ~then[0][k]).sum())
        lost += many * int((then[0][k] & ~now[0][i]).sum())
    return Change(gained, lost)


def compared(now: Cube, then: Cube, index: Index) -> Change:
    """How many cells of an index differ between two cubes with the same labels."""
    sides = []
    for cube in (now, then):
        codes, representatives = cube.classes(index[0])
        sides.append((cube.take([index[0][representatives], *index[1:]]), codes))
    return change(*sides)

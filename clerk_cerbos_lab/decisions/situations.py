"""The distinct situations of a sweep: what the policies can tell apart, and how many cells each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab.decisions.cells import CompressedEffects, OwnNumbers, Points
from clerk_cerbos_lab.decisions.cube import SweptCube

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import Block
    from clerk_cerbos_lab.decisions.cube import Cube

_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Situations:
    """Situations, one per row.

    Attributes:
        principals: how many principals are in it at some of the values.
        cells: how many combinations of a principal and values it stands for.
        places: ``[situation, dimension]``: a combination that is in it, as positions in the index: principal,
            then each axis.
        allowed: ``[situation, action]``.
    """

    principals: npt.NDArray[np.intp]
    cells: npt.NDArray[np.intp]
    places: npt.NDArray[np.intp]
    allowed: npt.NDArray[np.bool_]


def situations_of(cube: Cube, index: Sequence[npt.NDArray[np.intp]]) -> Situations:
    """The situations among these decisions; each combination of a class and values where no more is known."""
    effects = cube.effects if isinstance(cube, SweptCube) else None
    if isinstance(effects, CompressedEffects):
        found = list(_of_blocks(effects, index[0], list(index[2:])))
    else:
        found = [_of_classes(cube, index)]
    principals, cells, places = (np.concatenate(part) for part in zip(*found, strict=True))
    allowed = np.zeros((len(places), len(index[1])), dtype=np.bool_)
    for row, (who, *at) in enumerate(places.tolist()):
        one = [own[[place]] for own, place in zip(index[2:], at, strict=True)]
        allowed[row] = cube.take([index[0][[who]], index[1], *one]).ravel()
    return Situations(principals, cells, places, allowed)


def situation_at(cube: Cube, principal: int, places: Sequence[int]) -> tuple[int, ...] | None:
    """Something that is equal for cells of one situation; None if the cube doesn't know situations.

    Args:
        cube: the effects.
        principal: of the cell, as a position in the cube.
        places: on each axis, likewise.
    """
    effects = cube.effects if isinstance(cube, SweptCube) else None
    if not isinstance(effects, CompressedEffects):
        return None
    number = int(effects.codes[principal])
    block = effects.blocks[int(effects.block[number])]
    at = block.at([np.array([place]) for place in places], np.array([principal]))
    return number, *(int(codes.ravel()[0]) for codes in at)


def situations_in(
    cube: Cube, principals: npt.NDArray[np.intp], places: Sequence[int | float], between: Sequence[bool]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The situations of principals in one cell.

    Args:
        cube: the effects.
        principals: as positions in the cube.
        places: on each axis, a position; or a number, which need not be on the axis.
        between: for each axis, whether it is a number.

    Returns:
        How many principals are in each situation, and the place of the first of them in ``principals``.
    """
    effects = cube.effects if isinstance(cube, SweptCube) else None
    if not isinstance(effects, CompressedEffects):
        known, firsts = cube.classes(principals)
        return np.bincount(known, minlength=len(firsts)), firsts
    classes = effects.codes[principals]
    counts: list[npt.NDArray[np.intp]] = []
    found: list[npt.NDArray[np.intp]] = []
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        points = effects.blocks[int(effects.block[number])].points
        codes: list[npt.NDArray[np.intp]] = [np.zeros(len(members), dtype=np.intp)]
        for one, place, number_given in zip(points, places, between, strict=True):
            if isinstance(one, OwnNumbers) and number_given:
                codes.append(one.codes_at(principals[members], np.array([place], dtype=np.float64))[:, 0])
            elif not isinstance(one, Points):
                codes.append(one.codes_of(principals[members], np.array([place], dtype=np.intp))[:, 0])
        _, first, many = np.unique(np.column_stack(codes), axis=0, return_index=True, return_counts=True)
        counts.append(many)
        found.append(members[first])
    return np.concatenate(counts), np.concatenate(found)


def _of_classes(cube: Cube, index: Sequence[npt.NDArray[np.intp]]) -> tuple[npt.NDArray[np.intp], ...]:
    codes, representatives = cube.classes(index[0])
    lengths = [len(representatives), *map(len, index[2:])]
    places = np.indices(lengths).reshape(len(lengths), -1).T
    members = np.bincount(codes, minlength=len(representatives))[places[:, 0]]
    places[:, 0] = representatives[places[:, 0]]
    return members, members, places


def _of_blocks(
    effects: CompressedEffects, principals: npt.NDArray[np.intp], axes: list[npt.NDArray[np.intp]]
) -> Iterator[tuple[npt.NDArray[np.intp], ...]]:
    classes = effects.codes[principals]
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        block = effects.blocks[int(effects.block[number])]
        yield _of_class(block, principals, members, axes)


def _of_class(
    block: Block,
    principals: npt.NDArray[np.intp],
    members: npt.NDArray[np.intp],
    axes: list[npt.NDArray[np.intp]],
) -> tuple[npt.NDArray[np.intp], ...]:
    """The situations of one class: how many principals, how many cells, and where one is found."""
    static = [
        (np.bincount(points.codes[places]), np.unique(points.codes[places], return_index=True))
        if isinstance(points, Points)
        else None
        for points, places in zip(block.points, axes, strict=True)
    ]
    own = {place: points for place, points in enumerate(block.points) if not isinstance(points, Points)}
    shape = [len(points.asked) for points in own.values()]
    cells, people = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    first = np.zeros(shape, np.int64)
    for start in range(0, len(members), _AT_ONCE):
        some = members[start : start + _AT_ONCE]
        each = np.ones(len(some), np.int64)
        for place, points in own.items():
            counts = points.counts(principals[some], axes[place])
            each = each[..., None] * counts.reshape(len(some), *[1] * (each.ndim - 1), -1)
        here = (each > 0).sum(axis=0)
        first = np.where((people == 0) & (here > 0), start + (each > 0).argmax(axis=0), first)
        cells, people = cells + each.sum(axis=0), people + here
    rows = []
    for at in np.argwhere(people > 0):
        who = int(members[first[tuple(at)]])
        found = iter(at.tolist())
        choices: list[npt.NDArray[Any]] = []
        for place, one in enumerate(static):
            if one is None:
                codes = own[place].codes_of(principals[[who]], axes[place])[0]
                choices.append(np.array([[int(np.argmax(codes == next(found))), 1]]))
            else:
                weights, (used, where) = one
                choices.append(np.column_stack([where, weights[used]]))
        grid = np.indices([len(choice) for choice in choices]).reshape(len(choices), -1).T
        places = np.zeros((len(grid), len(axes) + 1), dtype=np.intp)
        places[:, 0] = who
        times = np.ones(len(grid), np.int64)
        for place, choice in enumerate(choices):
            places[:, place + 1] = choice[grid[:, place], 0]
            times *= choice[grid[:, place], 1]
        many = np.full(len(grid), people[tuple(at)])
        rows.append((many, times * cells[tuple(at)], places))
    principal_counts, cell_counts, all_places = zip(*rows, strict=True)
    return np.concatenate(principal_counts), np.concatenate(cell_counts), np.concatenate(all_places)

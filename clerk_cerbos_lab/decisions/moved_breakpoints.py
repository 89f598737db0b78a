"""A cube whose breakpoints have moved along a numeric axis, without passing each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clerk_cerbos_lab.decisions.cells import Block, CompressedEffects, Points
from clerk_cerbos_lab.decisions.cube import SweptCube
from clerk_cerbos_lab.decisions.lines import LineBlock, Lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.cells import OwnNumbers
    from clerk_cerbos_lab.decisions.cube import Cube


def who_is_passed(cube: Cube, dim: int, moved: Mapping[float, float]) -> npt.NDArray[np.intp] | None:
    """The people for whom a breakpoint that moves comes to or passes another one.

    Args:
        cube: the effects.
        dim: the dimension of the axis.
        moved: where a breakpoint is, and where it will be.

    Returns:
        Their positions, ascending; None if the effects are not known along the whole axis for everybody, or
        are known along another axis as well.
    """
    if not isinstance(cube, SweptCube) or not isinstance(cube.effects, CompressedEffects):
        return None
    if set(cube.lines) != {dim} or not (cube.lines[dim].block >= 0).all():
        return None
    lines, codes = cube.lines[dim], cube.effects.codes
    found = []
    for number, block in enumerate(lines.blocks):
        people = np.flatnonzero(lines.block[codes] == number)
        before = block.breakpoints_of(lines.row[codes[people]], people)
        apart = np.ones(len(people), dtype=np.bool_)
        for numbers in (before, _at(before, moved)):  # with a double in each gap
            apart &= (np.nextafter(numbers[:, :-1], np.inf) < numbers[:, 1:]).all(axis=1)
        found.append(people[~apart])
    return np.sort(np.concatenate(found))


def with_moved_breakpoints(cube: Cube, dim: int, axis: Axis, moved: Mapping[float, float]) -> Cube:
    """The effects after some breakpoints have moved: every segment keeps its effects.

    Args:
        cube: the effects, as ``who_is_passed`` needs them; of those who are passed they are not right.
        dim: the dimension of the axis.
        axis: the axis.
        moved: where a breakpoint is, and where it will be.
    """
    if not isinstance(cube, SweptCube) or not isinstance(cube.effects, CompressedEffects):
        msg = "the effects are not those of a sweep that knows them along an axis"
        raise TypeError(msg)
    lines = cube.lines[dim]
    grid = np.array(axis.values, dtype=np.float64)
    made: list[LineBlock] = []
    blocks: list[Block] = []
    number = np.empty_like(cube.effects.block)
    row = np.empty_like(cube.effects.row)
    for line in lines.blocks:
        block = _moved(line, moved)
        made.append(block)
        for rows in _alike(block):
            classes = block.classes[rows]
            if block.own is None:
                on_grid = _on_grid(block, rows, grid, dim - 2)
            else:
                on_grid = _with_own(cube.effects, classes, block.own, dim - 2)
            number[classes], row[classes] = len(blocks), np.arange(len(rows))
            blocks.append(on_grid)
    effects = CompressedEffects(cube.effects.shape, cube.effects.codes, tuple(blocks), number, row)
    return SweptCube(effects, {dim: Lines(tuple(made), lines.block, lines.row)})


def _moved(block: LineBlock, moved: Mapping[float, float]) -> LineBlock:
    own = block.own
    if own is not None:  # what is a member's own does not move
        own = replace(own, numbers=np.where(own.columns < 0, _at(own.numbers, moved), own.numbers))
    return replace(block, breakpoints=_at(block.breakpoints, moved), own=own)


def _at(numbers: npt.NDArray[np.float64], moved: Mapping[float, float]) -> npt.NDArray[np.float64]:
    found = numbers.copy()
    for old, new in moved.items():
        found[numbers == old] = new
    return found


def _alike(block: LineBlock) -> Iterator[npt.NDArray[np.intp]]:
    """Rows of classes with equal breakpoints."""
    _, back = np.unique(block.breakpoints, axis=0, return_inverse=True)
    for same in range(int(back.max()) + 1):
        yield np.flatnonzero(back.ravel() == same)


def _with_own(
    effects: CompressedEffects, classes: npt.NDArray[np.intp], own: OwnNumbers, place: int
) -> Block:
    """The effects of classes whose members have breakpoints of their own: by segment, as they were."""
    block = effects.blocks[int(effects.block[classes[0]])]
    points = (*block.points[:place], own, *block.points[place + 1 :])
    return Block(points, block.effect[effects.row[classes]])


def _on_grid(
    block: LineBlock, rows: npt.NDArray[np.intp], grid: npt.NDArray[np.float64], place: int
) -> Block:
    """The effects of classes with equal breakpoints at the values of the axis, one value per segment."""
    breakpoints = block.breakpoints[rows[0]]
    segments = np.searchsorted(breakpoints, grid) + np.searchsorted(breakpoints, grid, side="right")
    used, first, codes = np.unique(segments, return_index=True, return_inverse=True)
    order = np.argsort(first)  # positions on the axis are ascending
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    points = list(block.points)
    points.insert(place, Points(first[order], rank[codes.ravel()]))
    effect = np.moveaxis(block.effect[rows][..., used[order]], -1, place + 2)
    return Block(tuple(points), effect)

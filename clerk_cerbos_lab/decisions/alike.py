"""Cells that the policies cannot tell apart, with the principals they belong to.

``situations`` counts people for each situation. Whoever counts people across situations needs to know who
they are, and needs every cell in exactly one group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab.decisions.cells import CompressedEffects, Points
from clerk_cerbos_lab.decisions.cube import JoinedCube, SweptCube

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cells import Block
    from clerk_cerbos_lab.decisions.cube import Cube

    Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Situations of the same principals; positions are those in the index.

    Attributes:
        principals: everybody who is in each of these situations.
        example: one of them.
        actions: the actions for which these situations are alike.
        places: ``[situation, axis]``: values of the axes at which the example is in the situation.
        cells: for each situation, how many combinations of a principal and values it stands for.
    """

    principals: Places
    example: int
    actions: Places
    places: Places
    cells: npt.NDArray[np.int64]


def alike(cube: Cube, index: Sequence[Places]) -> Iterator[Alike]:
    """Every cell of an index, in groups; where no more is known, each cell on its own.

    Args:
        cube: the effects.
        index: for each dimension, the positions in the cube.
    """
    yield from _alike(cube, list(index), [np.arange(len(places), dtype=np.intp) for places in index])


def _alike(cube: Cube, index: list[Places], labels: list[Places]) -> Iterator[Alike]:
    """The groups of a cube; ``labels`` are the positions under which its own are known outside."""
    if any(not len(places) for places in index):
        return
    if isinstance(cube, JoinedCube):
        length = cube.parts[0].shape[cube.dim]
        at = index[cube.dim]
        for part, here, before in ((cube.parts[0], at < length, 0), (cube.parts[1], at >= length, length)):
            own, known = list(index), list(labels)
            own[cube.dim], known[cube.dim] = at[here] - before, labels[cube.dim][here]
            yield from _alike(part, own, known)
        return
    effects = cube.effects if isinstance(cube, SweptCube) else None
    found = _of_effects(effects, index) if isinstance(effects, CompressedEffects) else _one_by_one(index)
    for one in found:
        places = [known[one.places[:, i]] for i, known in enumerate(labels[2:])]
        yield Alike(
            labels[0][one.principals],
            int(labels[0][one.example]),
            labels[1][one.actions],
            np.column_stack(places) if places else one.places,
            one.cells,
        )


def _one_by_one(index: list[Places]) -> Iterator[Alike]:
    lengths = [len(places) for places in index[2:]]
    grid = np.indices(lengths).reshape(len(lengths), -1).T if lengths else np.zeros((1, 0), dtype=np.intp)
    for who in range(len(index[0])):
        yield Alike(np.array([who]), who, np.arange(len(index[1])), grid, np.ones(len(grid), np.int64))


def _of_effects(effects: CompressedEffects, index: list[Places]) -> Iterator[Alike]:
    principals, actions, *axes = index
    classes = effects.codes[principals]
    order = np.argsort(classes, kind="stable")
    starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        block = effects.blocks[int(effects.block[classes[members[0]]])]
        yield from _of_class(block, principals, members, np.arange(len(actions)), axes)


def _of_class(
    block: Block, principals: Places, members: Places, actions: Places, axes: list[Places]
) -> Iterator[Alike]:
    """The situations of one class; members whose own points differ are in different groups."""
    own = [place for place, points in enumerate(block.points) if not isinstance(points, Points)]
    if not own:
        grid, times = _grid([_shared(points, at) for points, at in zip(block.points, axes, strict=True)])
        yield Alike(members, int(members[0]), actions, grid, times * len(members))
        return
    counts = np.ones((len(members), 1), np.int64)  # [member, combination of own points]
    for place in own:
        points = block.points[place]
        if isinstance(points, Points):  # none of `own` is
            continue
        each = points.counts(principals[members], axes[place])
        counts = (counts[:, :, None] * each[:, None, :]).reshape(len(members), -1)
    shape = [len(block.points[place].asked) for place in own]
    for combination in np.flatnonzero(counts.any(axis=0)).tolist():
        here = np.flatnonzero(counts[:, combination])
        who = int(members[here[0]])
        wanted = dict(zip(own, np.unravel_index(combination, shape), strict=True))
        choices: list[tuple[Places, npt.NDArray[np.int64]]] = []
        for place, points in enumerate(block.points):
            if isinstance(points, Points):
                choices.append(_shared(points, axes[place]))
            else:
                codes = points.codes_of(principals[[who]], axes[place])[0]
                choices.append((np.flatnonzero(codes == wanted[place])[:1], np.ones(1, np.int64)))
        grid, times = _grid(choices)
        yield Alike(members[here], who, actions, grid, times * int(counts[:, combination].sum()))


def _shared(points: Any, at: Places) -> tuple[Places, npt.NDArray[np.int64]]:
    """For each point that is used: a position on the axis, and how many values it represents."""
    used, where, many = np.unique(points.codes[at], return_index=True, return_counts=True)
    return where[: len(used)], many.astype(np.int64)


def _grid(
    choices: list[tuple[Places, npt.NDArray[np.int64]]],
) -> tuple[Places, npt.NDArray[np.int64]]:
    """The cross product of the points of each axis: positions, and how many combinations each stands for."""
    lengths = [len(where) for where, _ in choices]
    at = np.indices(lengths).reshape(len(lengths), -1) if lengths else np.zeros((0, 1), dtype=np.intp)
    places = np.zeros((at.shape[1], len(choices)), dtype=np.intp)
    times = np.ones(at.shape[1], np.int64)
    for axis, (where, many) in enumerate(choices):
        places[:, axis] = where[at[axis]]
        times *= many[at[axis]]
    return places, times

"""What an explorer knows: every answer so far, by action and values, so that nothing is asked twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.payload import Segments
from clerk_cerbos_lab.sweeps import sweep
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.decisions import Decisions
    from clerk_cerbos_lab.pdp import PDP

Line: TypeAlias = "tuple[bool, tuple[tuple[float, int], ...]]"
"""A line of numbers: the effect at its lower end, and the cuts (number, side) at which it flips."""


class NotExactError(Exception):
    """The numeric axis is asked value by value: the policies do more with it than compare."""


@dataclass(slots=True)
class Known:
    """Answers of one PDP about some principals, each a line along the numeric axis, or one effect without.

    Attributes:
        pdp: whom to ask.
        principals: the principals frame.
        kind: the resource kind.
        axis: the numeric axis that is known exactly; None where there is none.
        names: the attributes that vary, in order.
        lines: every different line met.
        held: for action and values, for each principal the number of the line.
        asked: decisions asked of the PDP so far, audits left out.
        digest: the state of the policies that the answers are of.
        last: the newest sweep, for its captions.
    """

    pdp: PDP
    principals: pd.DataFrame
    kind: str
    axis: str | None
    names: tuple[str, ...]
    lines: dict[Line, int] = field(default_factory=dict)
    held: dict[tuple[str, ...], npt.NDArray[np.intp]] = field(default_factory=dict)
    asked: int = 0
    digest: str | None = None
    last: Decisions | None = None
    notes: tuple[str, ...] = ()

    def learn(self, actions: Sequence[str], values: Mapping[str, Sequence[Any]]) -> int:
        """Ask what is not known yet of these combinations; nothing else.

        Returns:
            How many decisions were asked.

        Raises:
            NotExactError: when the numeric axis can't be known exactly.
            LabError: as ``lab.sweep``.
        """
        digest = self.pdp.digest
        if digest != self.digest:  # the policies were edited: what was known is of others
            self.held.clear()
            self.lines.clear()
            self.digest = digest
        dims = [list(actions), *(list(values[name]) for name in self.names)]
        keys = [list(dims[0]), *([key(value) for value in dim] for dim in dims[1:])]
        missing = np.array([combination not in self.held for combination in itertools.product(*keys)])
        before = self.asked
        for product in boxes(missing.reshape([len(dim) for dim in dims])):
            some = [[dim[i] for i in chosen] for dim, chosen in zip(dims, product, strict=True)]
            self._ask(some)
        return self.asked - before

    def _ask(self, dims: list[list[Any]]) -> None:
        actions, *values = dims
        attributes: dict[str, object] = dict(zip(self.names, values, strict=True))
        if self.axis is not None:
            attributes[self.axis] = [0]
        swept = sweep(self.pdp, self.principals, self.kind, actions=actions, attr=attributes)
        if swept.provenance.policy_digest != self.digest:
            msg = "the policies were changed while they were asked; once more"
            raise PDPError(msg)
        of, first = swept.classes()
        part = swept.of(first)
        self.asked += swept.provenance.asked
        numbers = self._lines_of(part)  # [class, action, *values]
        self.last = swept
        for at in np.ndindex(*numbers.shape[1:]):
            wanted = (dims[0][at[0]], *(key(dim[i]) for dim, i in zip(dims[1:], at[1:], strict=True)))
            self.held[wanted] = numbers[(slice(None), *at)][of]

    def _lines_of(self, part: Decisions) -> npt.NDArray[np.intp]:
        """For each class, action and values the number of the line."""
        if self.axis is None:
            allowed = part.allowed()
            both = [self.lines.setdefault((effect, ()), len(self.lines)) for effect in (False, True)]
            return np.where(allowed, both[1], both[0])
        found = part.exact_intervals(self.axis)
        if found is None:
            raise NotExactError
        shape = tuple(n for n, dim in zip(part.shape, part.dims, strict=True) if dim != self.axis)
        line = np.ravel_multi_index(found.codes, shape)
        starts = np.flatnonzero(np.diff(line, prepend=-1))
        allow = np.asarray(found.columns["effect"]) == "ALLOW"
        lower = found.columns["lower"].tolist()
        closed = found.columns["lower_closed"].tolist()
        numbers = np.empty(len(starts), dtype=np.intp)
        ends = [*starts[1:].tolist(), len(line)]
        for i, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
            cuts = tuple((lower[k], 0 if closed[k] else 1) for k in range(start + 1, end))
            numbers[i] = self.lines.setdefault((bool(allow[start]), cuts), len(self.lines))
        return numbers.reshape(shape)

    def cube(
        self, actions: Sequence[str], values: Mapping[str, Sequence[Any]]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp], Segments | None]:
        """What is known of these combinations.

        Returns:
            ``allowed[pattern, action, *values, segment]`` (without segments where there is no numeric
            axis), for each principal the pattern, and the segments; their ``map`` is one to one.
        """
        dims = [list(actions), *([key(value) for value in values[name]] for name in self.names)]
        columns = np.column_stack([self.held[combination] for combination in itertools.product(*dims)])
        patterns, of = np.unique(columns, axis=0, return_inverse=True)
        used, codes = np.unique(patterns, return_inverse=True)
        lines = list(self.lines)
        some = [lines[int(number)] for number in used]
        cuts = sorted({cut for _, own in some for cut in own})
        place = {cut: i + 1 for i, cut in enumerate(cuts)}
        allowed = np.zeros((len(some), len(cuts) + 1), dtype=np.bool_)
        for row, (effect, own) in enumerate(some):
            edges = [0, *(place[cut] for cut in own), len(cuts) + 1]
            for k, (start, end) in enumerate(itertools.pairwise(edges)):
                allowed[row, start:end] = effect ^ bool(k % 2)
        shape = [len(patterns), *(len(dim) for dim in dims)]
        cube = allowed[codes.reshape(shape)]
        if self.axis is None:
            return cube[..., 0], of.ravel(), None
        numbers = np.array([number for number, _ in cuts], dtype=np.float64)
        sides = np.array([side for _, side in cuts], dtype=np.int8)
        return cube, of.ravel(), Segments(cube.ndim - 1, numbers, sides, np.arange(len(cuts) + 1))


def boxes(missing: npt.NDArray[np.bool_]) -> Iterator[list[list[int]]]:
    """Cover exactly the True cells with products of positions, none twice."""
    if not missing.any():
        return
    if missing.ndim == 1:
        yield [np.flatnonzero(missing).tolist()]
        return
    groups: dict[bytes, list[int]] = {}
    for i in range(missing.shape[0]):
        if missing[i].any():
            groups.setdefault(missing[i].tobytes(), []).append(i)
    for places in groups.values():
        for rest in boxes(missing[places[0]]):
            yield [places, *rest]

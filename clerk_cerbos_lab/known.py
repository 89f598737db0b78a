"""What an explorer knows: every answer so far, by action and values, so that nothing is asked twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from clerk_cerbos_lab.auto import plan
from clerk_cerbos_lab.decisions import Axis
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.exact import around
from clerk_cerbos_lab.payload import Segments
from clerk_cerbos_lab.principals import read_principals
from clerk_cerbos_lab.questions import Question
from clerk_cerbos_lab.snapshots import snapshot_of
from clerk_cerbos_lab.sweeps import sweep
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.decisions import Decisions
    from clerk_cerbos_lab.exact import Lines
    from clerk_cerbos_lab.pdp import PDP
    from clerk_cerbos_lab.principals import People

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
    _people: People = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._people = read_principals(self.principals)

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
            attributes[self.axis] = self._numbers(actions, attributes)
        swept = sweep(self.pdp, self.principals, self.kind, actions=actions, attr=attributes)
        if swept.provenance.policy_digest != self.digest:
            msg = "the policies were changed while they were asked; once more"
            raise PDPError(msg)
        self.asked += swept.provenance.asked
        self.last = swept
        of, numbers = self._of_line(swept) if self.axis is not None else self._of_effect(swept)
        for at in np.ndindex(*numbers.shape[1:]):  # numbers[class, action, *values]
            wanted = (actions[at[0]], *(key(dim[i]) for dim, i in zip(values, at[1:], strict=True)))
            self.held[wanted] = numbers[(slice(None), *at)][of]

    def _numbers(self, actions: Sequence[str], attributes: Mapping[str, Any]) -> list[float]:
        """What has to be asked along the numeric axis so that each gap between two candidates is met."""
        axes = [Axis(name, tuple(values)) for name, values in attributes.items()]
        question = Question(
            kind=self.kind,
            actions=tuple(actions),
            axes=(*axes, Axis(str(self.axis), (0,))),
            fixed={"resource_id": "resource"},
            resource=("", ""),
            principal=("", ""),
            aux_data=None,
        )
        with self.pdp.asking():
            found = plan(self.pdp, self._people, question, snapshot_of(self.pdp))
        numbers = around(found.candidates.get(str(self.axis)) or [None])
        if numbers is None:
            raise NotExactError
        return numbers

    def _of_effect(self, swept: Decisions) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """For each principal the class; for each class, action and values the number of the line."""
        of, first = swept.classes()
        both = [self.lines.setdefault((effect, ()), len(self.lines)) for effect in (False, True)]
        return of, np.where(swept.of(first).allowed(), both[1], both[0])

    def _of_line(self, swept: Decisions) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The same along the numeric axis: a flip lies at the candidate that is one of its two sides."""
        exact = swept.exact
        if exact is None or not exact.knows(str(self.axis), np.arange(len(swept.names), dtype=np.intp)):
            raise NotExactError  # the audit found a difference, and every cell was asked
        numbers = []
        for lines in exact.lines(str(self.axis)):
            rows = lines.effect.reshape(-1, lines.effect.shape[-1])
            known = {row.tobytes(): row for row in rows}  # few differ
            line = {text: self._line(row, lines) for text, row in known.items()}
            own = [line[row.tobytes()] for row in rows]
            numbers.append(np.array(own, dtype=np.intp).reshape(lines.effect.shape[:-1]))
        return exact.cells.of, np.stack(numbers)

    def _line(self, effect: npt.NDArray[np.bool_], lines: Lines) -> int:
        """The number of a line of these effects."""
        flips = np.flatnonzero(effect[1:] != effect[:-1]).tolist()
        cuts = tuple(
            (float(lines.numbers[i]), 1) if lines.compared[i] else (float(lines.numbers[i + 1]), 0)
            for i in flips
        )
        return self.lines.setdefault((bool(effect[0]), cuts), len(self.lines))

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

"""The explorer's cache of answers, by action and values, so that nothing is asked twice."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.cube import ClassCube, change
from clerk_cerbos_lab.decisions.intervals import Segmented, Segments
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.pdp.drafts import what_if
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.decisions.cube import Change
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.intervals import Intervals
    from clerk_cerbos_lab.explorer.envelope import Envelope
    from clerk_cerbos_lab.pdp.client import PDP

Line: TypeAlias = "tuple[bool, tuple[tuple[float, int], ...]]"
"""A line of numbers: the effect at its lower end, and the cuts (number, side) at which it flips."""

Asked: TypeAlias = "tuple[tuple[tuple[str, float], ...], tuple[str, str]]"
"""Which policies answer: the changed constants, and the policy version and scope."""

MOST_CHECKED: Final = 12
"""Amounts of a range among which an explorer makes spot checks; its lines are valid for every number."""

MOST_TRIED: Final = 12
"""How many changes of constants are remembered."""


class NotExactError(Exception):
    """The numeric axis must be asked value by value: the policies do more with it than compare."""


@dataclass(slots=True)
class Known:
    """Answers of one state of the policies: each a line along the numeric axis, or one effect without one.

    Attributes:
        open: opens the PDP to ask.
        envelope: the other arguments of each request.
        principals: the principals frame.
        kind: the resource kind.
        axis: the numeric axis that is known exactly; None if there is none.
        names: the attributes that vary, in order.
        lines: every distinct line so far, with its number.
        held: by action and values, the number of each principal's line.
        asked: decisions asked of the PDP so far, without audits.
        last: the latest sweep, for its captions.
        notes: the notes of all sweeps.
        sweeps: by action and values, the sweep that answered.
    """

    open: Callable[[], AbstractContextManager[PDP]]
    envelope: Envelope
    principals: pd.DataFrame
    kind: str
    axis: str | None
    names: tuple[str, ...]
    lines: dict[Line, int] = field(default_factory=dict)
    held: dict[tuple[str, ...], npt.NDArray[np.intp]] = field(default_factory=dict)
    asked: int = 0
    last: Decisions | None = None
    notes: dict[str, None] = field(default_factory=dict)
    sweeps: dict[tuple[str, ...], Decisions] = field(default_factory=dict)

    @property
    def latest(self) -> Decisions:
        """The latest sweep.

        Raises:
            InputError: if nothing has been asked yet.
        """
        if self.last is None:
            msg = "nothing has been asked yet"
            raise InputError(msg)
        return self.last

    def learn(self, actions: Sequence[str], values: Mapping[str, Sequence[Any]], grid: Sequence[Any]) -> None:
        """Ask only for those of these combinations that are unknown.

        Args:
            actions: the actions.
            values: the values of each attribute.
            grid: amounts of the numeric axis, among which spot checks are made.

        Raises:
            NotExactError: if the numeric axis can't be known exactly.
            LabError: as ``lab.sweep``.
        """
        dims = [list(actions), *(list(values[name]) for name in self.names)]
        keys = [list(dims[0]), *([key(value) for value in dim] for dim in dims[1:])]
        missing = np.array([combination not in self.held for combination in itertools.product(*keys)])
        if not missing.any():
            return
        with self.open() as pdp:
            digest = pdp.digest
            for product in boxes(missing.reshape([len(dim) for dim in dims])):
                some = [[dim[i] for i in chosen] for dim, chosen in zip(dims, product, strict=True)]
                self._ask(pdp, digest, some, _few(grid))

    def _ask(self, pdp: PDP, digest: str | None, dims: list[list[Any]], grid: list[Any]) -> None:
        actions, *values = dims
        attributes: dict[str, object] = dict(zip(self.names, values, strict=True))
        if self.axis is not None:
            attributes[self.axis] = grid
        swept = self.envelope.sweep(pdp, self.principals, self.kind, actions, attributes)
        if swept.provenance.policy_digest != digest:
            msg = "the policies changed while the PDP was being asked; ask again"
            raise PDPError(msg)
        self.asked += swept.provenance.asked + swept.provenance.asked_along_axes
        if self.last is not None:
            swept.source = self.last.source  # the same policies: what explains them is started once
        self.last = swept
        self.notes.update(dict.fromkeys(swept.provenance.notes))
        of, numbers = self._of_line(swept) if self.axis is not None else self._of_effect(swept)
        for at in np.ndindex(*numbers.shape[1:]):  # numbers[class, action, *values]
            wanted = (actions[at[0]], *(key(dim[i]) for dim, i in zip(values, at[1:], strict=True)))
            self.held[wanted] = numbers[(slice(None), *at)][of]
            self.sweeps[wanted] = swept

    def _of_effect(self, swept: Decisions) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The class of each principal, and the number of the line for each class, action and values."""
        codes, representatives = swept.classes()
        both = [self.lines.setdefault((effect, ()), len(self.lines)) for effect in (False, True)]
        allowed = swept.of(representatives).allowed()
        ordered = np.transpose(allowed, [0, 1, *(swept.dims.index(name) for name in self.names)])
        return codes, np.where(ordered, both[1], both[0])

    def _of_line(self, swept: Decisions) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The same along the numeric axis.

        Raises:
            NotExactError: if the axis must be asked value by value, or an audit found a difference.
        """
        codes, representatives = swept.classes()
        found = swept.of(representatives).intervals(str(self.axis))
        if found is None:
            raise NotExactError
        others = [dim for dim in swept.dims if dim != self.axis]
        shape = [len(representatives), *(len(swept.values(dim)) for dim in others[1:])]
        numbers = np.array(list(self._numbered(found)), dtype=np.intp).reshape(shape)
        return codes, np.transpose(numbers, [0, 1, *(others.index(name) for name in self.names)])

    def _numbered(self, found: Intervals) -> Iterator[int]:
        """The number of each line, in order."""
        lower = found.columns["lower"]
        ends = np.column_stack([lower, np.where(found.columns["lower_closed"], 0, 1)])
        different, code = np.unique(ends, axis=0, return_inverse=True)
        cuts = [(float(number), int(side)) for number, side in different.tolist()]
        flat = code.ravel().tolist()
        starts = np.flatnonzero(np.isneginf(lower)).tolist()
        effects = (np.asarray(found.columns["effect"])[starts] == "ALLOW").tolist()
        known: dict[tuple[bool, tuple[int, ...]], int] = {}  # there are few distinct lines
        for effect, (start, end) in zip(effects, itertools.pairwise([*starts, len(flat)]), strict=True):
            line = (effect, tuple(flat[start + 1 : end]))
            if line not in known:
                whole = (effect, tuple(cuts[i] for i in line[1]))
                known[line] = self.lines.setdefault(whole, len(self.lines))
            yield known[line]

    def cube(
        self, actions: Sequence[str], values: Mapping[str, Sequence[Any]], grid: Sequence[Any]
    ) -> ClassCube:
        """The known effects of these combinations, with the numeric axis last if there is one.

        Args:
            actions: the actions.
            values: the values of each attribute.
            grid: the amounts of the numeric axis.
        """
        codes, (allowed,), cuts = _cells([self], actions, values)
        return ClassCube(codes, self._answer(allowed, cuts, grid))

    def changed_from(
        self, base: Known, actions: Sequence[str], values: Mapping[str, Sequence[Any]], grid: Sequence[Any]
    ) -> tuple[ClassCube, npt.NDArray[np.bool_] | None]:
        """The same, cut wherever other answers flip too, and those other answers in the same cells.

        The latter are None if only one of the two knows the numeric axis exactly.
        """
        if base.axis != self.axis:
            return self.cube(actions, values, grid), None
        codes, (now, past), cuts = _cells([self, base], actions, values)
        return ClassCube(codes, self._answer(now, cuts, grid)), past if self.axis is not None else past[
            ..., 0
        ]

    def _answer(
        self, allowed: npt.NDArray[np.bool_], cuts: Sequence[tuple[float, int]], grid: Sequence[Any]
    ) -> npt.NDArray[np.bool_] | Segmented:
        if self.axis is None:
            whole: npt.NDArray[np.bool_] = allowed[..., 0]
            return whole
        numbers = np.array([number for number, _ in cuts], dtype=np.float64)
        sides = np.array([side for _, side in cuts], dtype=np.int8)
        segments = Segments(allowed.ndim - 1, numbers, sides, np.arange(len(cuts) + 1))
        return Segmented(segments, allowed, segments.of(grid))

    def decisions(
        self, actions: Sequence[str], values: Mapping[str, Sequence[Any]], grid: Sequence[Any]
    ) -> Decisions:
        """The same as ``Decisions``, without a request."""
        last = self.latest
        names = [*self.names, *([self.axis] if self.axis is not None else [])]
        axes = tuple(Axis(name, tuple(grid if name == self.axis else values[name])) for name in names)
        cube = self.cube(actions, values, grid)
        total = int(np.prod(cube.shape, dtype=np.int64))
        provenance = replace(
            last.provenance,
            verified=f"{total:,} decisions from the {self.asked:,} PDP checks of an explorer so far",
            notes=tuple(self.notes),
        )
        question = replace(last.question, actions=tuple(actions), axes=axes)
        return last.with_cube(cube, question, provenance)


def _cells(
    some: Sequence[Known], actions: Sequence[str], values: Mapping[str, Sequence[Any]]
) -> tuple[npt.NDArray[np.intp], list[npt.NDArray[np.bool_]], list[tuple[float, int]]]:
    """The classes of principals who are alike in all of these answers, the effects in each, and the cuts.

    Effects have the shape (class, action, *values, stretch between two cuts); the cuts are those of all.
    """
    dims = [list(actions), *([key(value) for value in values[name]] for name in some[0].names)]
    combinations = list(itertools.product(*dims))
    columns = [np.column_stack([known.held[combination] for combination in combinations]) for known in some]
    patterns, codes = np.unique(np.hstack(columns), axis=0, return_inverse=True)
    each = [np.unique(part, return_inverse=True) for part in np.split(patterns, len(some), axis=1)]
    tables = [list(known.lines) for known in some]
    lines = [[table[int(number)] for number in used] for table, (used, _) in zip(tables, each, strict=True)]
    cuts = sorted({cut for own in lines for _, flips in own for cut in flips})
    place = {cut: i + 1 for i, cut in enumerate(cuts)}
    shape = [len(patterns), *(len(dim) for dim in dims)]
    made = []
    for own, (_, of_line) in zip(lines, each, strict=True):
        allowed = np.zeros((len(own), len(cuts) + 1), dtype=np.bool_)
        for row, (effect, flips) in enumerate(own):
            edges = [0, *(place[cut] for cut in flips), len(cuts) + 1]
            for k, (start, end) in enumerate(itertools.pairwise(edges)):
                allowed[row, start:end] = effect ^ bool(k % 2)
        made.append(allowed[of_line.reshape(shape)])
    return codes.ravel(), made, cuts


class Answers:
    """The answers of an explorer, by policy version and scope and by changes of constants.

    Args:
        pdp: the PDP to ask; changed constants are asked of a temporary PDP on a copy of its policies.
        principals: the principals frame.
        kind: the resource kind.
        axis: the numeric attribute across the top, if there is one.
        names: the other attributes.
    """

    def __init__(
        self, pdp: PDP, principals: pd.DataFrame, kind: str, *, axis: str | None, names: tuple[str, ...]
    ) -> None:
        self._pdp = pdp
        self._principals = principals
        self._kind = kind
        self._axis = axis
        self._names = names
        self._grids: set[tuple[str, str]] = set()  # versions and scopes whose axis is asked value by value
        self._held: dict[Asked, Known] = {}
        self._asked_before = 0
        self.digest = pdp.digest

    @property
    def asked(self) -> int:
        """Decisions asked so far, without audits."""
        return self._asked_before + sum(known.asked for known in self._held.values())

    def open(self, constants: Mapping[str, float]) -> AbstractContextManager[PDP]:
        """The PDP with these values of constants; one that is started for it stops with the block."""
        return what_if(self._pdp, constants) if constants else nullcontext(self._pdp)

    def known(
        self,
        envelope: Envelope,
        actions: Sequence[str],
        values: Mapping[str, Sequence[Any]],
        grid: list[Any],
        constants: Mapping[str, float],
    ) -> Known:
        """Ask for the unknown effects of these combinations, and return all of them.

        Args:
            envelope: the other arguments of each request; only version and scope differ between calls.
            actions: the actions.
            values: the values of each attribute.
            grid: the amounts of the numeric axis; each is asked if the axis can't be known exactly.
            constants: the changed constants of the policies.

        Raises:
            LabError: as ``lab.sweep``; earlier answers are kept.
        """
        try:
            return self._learn(envelope, actions, values, grid, constants)
        except NotExactError:
            self._grids.add(envelope.policies)
            self._forget([asked for asked in self._held if asked[1] == envelope.policies])
            return self._learn(envelope, actions, values, grid, constants)

    def keep_explaining(self, known: Known) -> None:
        """End what explains other changes of constants: some processes, started again if needed."""
        for (constants, _), one in self._held.items():
            source = one.last.source if constants and one.last is not None and one is not known else None
            if isinstance(source, Instrumented):
                source.close()

    def _learn(
        self,
        envelope: Envelope,
        actions: Sequence[str],
        values: Mapping[str, Sequence[Any]],
        grid: list[Any],
        constants: Mapping[str, float],
    ) -> Known:
        digest = self._pdp.digest
        if digest is None:  # a PDP at an address does not report policy changes: no answer is reused
            self._forget(list(self._held))
        known = self._of(envelope, constants)
        wanted = dict(values)
        if self._axis is not None and known.axis is None:
            wanted[self._axis] = grid
        known.learn(actions, wanted, grid)
        if self._pdp.digest != digest or digest != self.digest:
            msg = "the policies changed while the PDP was being asked; ask again"
            raise PDPError(msg)
        return known

    def _of(self, envelope: Envelope, constants: Mapping[str, float]) -> Known:
        asked = (tuple(sorted(constants.items())), envelope.policies)
        if asked in self._held:
            self._held[asked] = self._held.pop(asked)  # the latest one last
            return self._held[asked]
        axis = None if envelope.policies in self._grids else self._axis
        self._held[asked] = Known(
            open=partial(self.open, dict(constants)),
            envelope=envelope,
            principals=self._principals,
            kind=self._kind,
            axis=axis,
            names=self._names if axis == self._axis else (*self._names, str(self._axis)),
        )
        self._forget([one for one in self._held if one[0]][:-MOST_TRIED])
        return self._held[asked]

    def _forget(self, some: Sequence[Asked]) -> None:
        for one in some:
            self._asked_before += self._held.pop(one).asked


def compared(
    moved: Known, base: Known, actions: Sequence[str], values: Mapping[str, Sequence[Any]], grid: list[Any]
) -> Change:
    """How many decisions are gained and lost in one compared with the other."""
    now, then = (known.cube(actions, values, grid) for known in (moved, base))
    return change((now.cells, now.codes), (then.cells, then.codes))


def _few(grid: Sequence[Any]) -> list[Any]:
    """A few amounts of a grid, from its first to its last."""
    places = np.unique(np.linspace(0, len(grid) - 1, MOST_CHECKED).astype(np.intp)) if len(grid) else ()
    return [grid[i] for i in places] or [0]


def boxes(missing: npt.NDArray[np.bool_]) -> Iterator[list[list[int]]]:
    """Cover exactly the True cells with products of positions, without overlap."""
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

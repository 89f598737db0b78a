"""What policies decide after a small move of limits, read from what they decided before it.

An effect depends on how the amount compares with each number that the policies compare amounts with. If such
a number moves and passes no other, the effects between any two of them stay; only where they begin and end
has moved. So while a slider moves, the PDP needs to be asked only about the people for whom it passes another
number. This holds for limits that are compared with one numeric attribute and with nothing else; after a move
of any other limit, everything has to be asked.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.cube import PlacedCube, extended
from clerk_cerbos_lab.decisions.moved_breakpoints import who_is_passed, with_moved_breakpoints
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.goal_values import attribute_of, numbers_of_axis
from clerk_cerbos_lab.policies.cel import CelError
from clerk_cerbos_lab.policies.index import PolicyIndex
from clerk_cerbos_lab.policies.limit_uses import comparisons_of
from clerk_cerbos_lab.policies.moves import moved_documents
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.policies.addresses import Limit, Spot

    Limits = Sequence[Limit]
    _Moves = tuple[str, npt.NDArray[np.float64], set[tuple[float, float]]]
    _Beside = tuple[npt.NDArray[np.float64], frozenset[Spot]]

VERIFIED: Final = "read from the PDP's answers with the limits at other numbers, until the slider rests"

WHOLE: Final = 2**53
"""Up to here every whole number is a double."""


@dataclass(frozen=True, slots=True)
class KnownMove:
    """Numbers that have moved since decisions that are known.

    Attributes:
        known: the decisions.
        dim: the dimension of the axis.
        where: where each number was, and where it is.
        passed: positions of the people for whom one of them has passed another number.
    """

    known: Decisions
    dim: int
    where: dict[float, float]
    passed: npt.NDArray[np.intp]


class KeptOrder:
    """Reads decisions with moved limits from others.

    Args:
        index: of the policies as they are.
        before: what they decide; everything read here is about the same people, axes and actions.
    """

    def __init__(self, index: PolicyIndex, before: Decisions) -> None:
        self._index = index
        self._before = before
        self._limits = {limit.address: limit for limit in index.limits}
        self._compared: dict[Spot, frozenset[str] | None] = {}
        self._beside: dict[tuple[str, frozenset[Spot]], _Beside | None] = {}

    def between(
        self, known: Decisions, known_at: Mapping[str, Any], moved: Mapping[str, Any]
    ) -> KnownMove | None:
        """How limits move from some values to others, if the effects there tell the effects here.

        Args:
            known: the decisions with the values of ``known_at``, about everybody.
            known_at: the limits that were not as in the policies then, by address.
            moved: those that are not as in the policies now.

        Returns:
            None if they tell nothing.
        """
        found = self._moves(known_at, moved)
        if found is None:
            return None
        name, beside, pairs = found
        where = dict(pairs)
        gone = [old for old, new in where.items() if old != new]
        if len(where) != len(pairs) or np.isin(gone, beside).any():
            return None  # something else has the number that one of them had
        dim = self._before.dims.index(name)
        passed = who_is_passed(known.cube, dim, where)
        return None if passed is None else KnownMove(known, dim, where, passed)

    def read(self, move: KnownMove, digest: str, ask: Callable[[Decisions], Decisions]) -> Decisions:
        """What the policies decide after a move.

        Args:
            move: from decisions that are known.
            digest: of the policies after it.
            ask: asks about decisions again; those of the people for whom a limit passes another number.
        """
        known = move.known
        cube = with_moved_breakpoints(known.cube, move.dim, self._before.axes[move.dim - 2], move.where)
        counts = [0, 0, 0]
        verified, notes = VERIFIED, known.provenance.notes
        if len(move.passed):
            asked = ask(known.of(move.passed))
            told = asked.provenance
            counts = [told.asked, told.audited, told.asked_along_axes]
            many = "1 person was" if len(move.passed) == 1 else f"{len(move.passed):,} people were"
            verified += f"; {many} asked about"
            notes = tuple(dict.fromkeys([*notes, *told.notes]))
            places = np.arange(len(known.names), dtype=np.intp)
            places[move.passed] = len(places) + asked.index[0]
            cube = PlacedCube(extended(cube, asked.cube, 0), places)
        provenance = dataclasses.replace(
            known.provenance,
            policy_digest=digest,
            verified=verified,
            notes=notes,
            seconds=0.0,
            asked=counts[0],
            audited=counts[1],
            asked_along_axes=counts[2],
        )
        return known.with_cube(cube, known.question, provenance, same_policies=False)

    def _moves(self, known_at: Mapping[str, Any], moved: Mapping[str, Any]) -> _Moves | None:
        """The axis on which limits move, all other numbers on it, and where each limit was and is."""
        then, now = (
            {self._limits[one].spot: value for one, value in side.items()} for side in (known_at, moved)
        )
        limits = {limit.spot: limit for limit in self._limits.values() if limit.spot in {**then, **now}}
        pairs = {
            spot: (then.get(spot, limit.value), now.get(spot, limit.value)) for spot, limit in limits.items()
        }
        attributes = {spot: self._attributes(limit) for spot, limit in limits.items()}
        name = self._axis([attributes[spot] for spot, (old, new) in pairs.items() if old != new])
        if name is None or None in attributes.values() or not self._readable:
            return None
        found = self._numbers_beside(
            name, [limits[spot] for spot in limits if name in (attributes[spot] or ())]
        )
        if found is None:
            return None
        beside, read = found
        compared = [pair for spot, pair in pairs.items() if spot in read]
        if not all(is_number(value) and abs(value) <= WHOLE for pair in compared for value in pair):
            return None
        return name, beside, {(float(old) + 0.0, float(new) + 0.0) for old, new in compared}

    @cached_property
    def _readable(self) -> bool:
        """Whether effects depend on comparisons alone, wherever numbers in the policies move.

        Cerbos 0.55 can take a condition for one of another policy that has the same expressions. So the
        policies are looked at with one number in place of all: if none is taken for another then, none ever
        is. Within a policy, actions are asked about separately.
        """
        told = self._before.provenance
        if told.evaluation != "lenient" or told.aux_data:
            return False
        numbers = {one.spot: one for one in self._index.limits if is_number(one.value)}
        moves = [(one, 1.0 if isinstance(one.value, float) else 1) for one in numbers.values()]
        try:
            alike = PolicyIndex(moved_documents(self._index.documents, moves), {})
            return not alike.kinds_confused_with(self._before.kind)
        except (CelError, InputError, RecursionError):
            return False

    def _axis(self, differing: Sequence[frozenset[str] | None]) -> str | None:
        """The one numeric axis that limits are compared with; None if there is none, or anything else."""
        names = set(differing)
        for axis in self._before.axes:
            if axis.numeric and names == {frozenset({axis.name})}:
                return axis.name
        return None

    def _attributes(self, limit: Limit) -> frozenset[str] | None:
        """The resource attributes that a limit is compared with, "" for anything else; None if unknown."""
        if limit.spot not in self._compared:
            try:
                found = comparisons_of(limit, self._index, self._before.kind, self._before.actions)
                self._compared[limit.spot] = frozenset(map(attribute_of, found))
            except InputError:
                self._compared[limit.spot] = None
        return self._compared[limit.spot]

    def _numbers_beside(self, name: str, limits: Limits) -> _Beside | None:
        """What an axis is compared with apart from some limits, and with which of them; None if unknown."""
        key = (name, frozenset(limit.spot for limit in limits))
        if key not in self._beside:
            self._beside[key] = self._found_beside(name, limits)
        return self._beside[key]

    def _found_beside(self, name: str, limits: Limits) -> _Beside | None:
        """Look at policies with a number of its own in place of each limit: what is left is not theirs."""
        marks = {limit.spot: float(WHOLE - 1 - i) for i, limit in enumerate(limits)}
        moves = [(limit, int(marks[limit.spot])) for limit in limits]
        try:
            marked = PolicyIndex(moved_documents(self._index.documents, moves), {})
            found = numbers_of_axis(name, marked, self._before)
        except InputError:
            return None
        beside = np.array(sorted(found.difference(marks.values())), dtype=np.float64)
        return beside, frozenset(spot for spot, mark in marks.items() if mark in found)

"""What policies decide after a small move of limits, read from what they decided before it.

An effect depends on how the amount compares with each number that the policies compare amounts with. If such
a number moves and passes no other, the effects between any two of them stay; only where they begin and end
has moved. So while a slider moves, the PDP needs to be asked only when it passes another number. This holds
for limits that are compared with one numeric attribute and with nothing else; for all others nothing is read.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.moved_breakpoints import breakpoints_of, with_moved_breakpoints
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.goal_values import attribute_of, numbers_of_axis
from clerk_cerbos_lab.policies.index import PolicyIndex
from clerk_cerbos_lab.policies.limit_uses import comparisons_of
from clerk_cerbos_lab.policies.moves import moved_documents
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.policies.addresses import Limit, Spot

    Limits = Sequence[Limit]
    _Moves = tuple[str, npt.NDArray[np.float64], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]
    _Beside = tuple[npt.NDArray[np.float64], frozenset[Spot]]

VERIFIED: Final = "as the PDP answered with the limits at other numbers, in the same order"

WHOLE: Final = 2**53
"""Up to here every whole number is a double."""


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

    def read(
        self, known: Decisions, known_at: Mapping[str, Any], moved: Mapping[str, Any], digest: str
    ) -> Decisions | None:
        """What the policies decide with moved limits.

        Args:
            known: what they decide with other values.
            known_at: the limits that were not as in the policies then, by address.
            moved: those that are not as in the policies now.
            digest: of the policies with these.

        Returns:
            None if it can't be read from the known decisions.
        """
        found = self._moves(known_at, moved)
        if found is None:
            return None
        name, beside, (old, new) = found
        dim = self._before.dims.index(name)
        beside = np.union1d(beside, np.setdiff1d(breakpoints_of(known.cube, dim), old))
        if not _same_order(np.concatenate([old, beside]), np.concatenate([new, beside])):
            return None
        where = dict(zip(old.tolist(), new.tolist(), strict=True))
        cube = with_moved_breakpoints(known.cube, dim, self._before.axes[dim - 2], where)
        if cube is None:
            return None
        told = {"asked": 0, "audited": 0, "asked_along_axes": 0, "seconds": 0.0}
        provenance = dataclasses.replace(
            known.provenance,
            policy_digest=digest,
            verified=VERIFIED,
            **told,  # type: ignore[arg-type]
        )
        return known.with_cube(cube, known.question, provenance, same_policies=False)

    def _moves(self, known_at: Mapping[str, Any], moved: Mapping[str, Any]) -> _Moves | None:
        """The axis along which limits move, all other numbers on it, and where the limits were and are."""
        then, now = (
            {self._limits[one].spot: value for one, value in side.items()} for side in (known_at, moved)
        )
        limits = {limit.spot: limit for limit in self._limits.values() if limit.spot in {**then, **now}}
        pairs = {
            spot: (then.get(spot, limit.value), now.get(spot, limit.value)) for spot, limit in limits.items()
        }
        attributes = {spot: self._attributes(limit) for spot, limit in limits.items()}
        name = self._axis([attributes[spot] for spot, (old, new) in pairs.items() if old != new])
        if name is None or None in attributes.values() or self._before.provenance.evaluation != "lenient":
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
        old, new = (np.array([pair[i] for pair in compared], dtype=np.float64) + 0.0 for i in (0, 1))
        return name, beside, (old, new)

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


def _same_order(old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> bool:
    """Whether numbers at the same positions have the same order, equal ones too, and doubles between them."""
    ranks = []
    for numbers in (old, new):
        ascending, rank = np.unique(numbers, return_inverse=True)
        if (np.nextafter(ascending[:-1], np.inf) >= ascending[1:]).any():
            return False
        ranks.append(rank)
    return np.array_equal(ranks[0], ranks[1])

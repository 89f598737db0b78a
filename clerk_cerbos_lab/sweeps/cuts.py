"""The line of numbers, cut where the policies compare an axis: what to ask so that every number is known."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FARTHEST: Final = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Cut:
    """The number line, cut into segments: a gap, a breakpoint, a gap, …, a gap.

    Attributes:
        breakpoints: ascending and finite.
        asked: numbers to ask, ascending: each breakpoint, one in each gap that contains a double, both ends.
        segment: for each of these, its segment.
    """

    breakpoints: npt.NDArray[np.float64]
    asked: list[float]
    segment: npt.NDArray[np.intp]

    @property
    def segments(self) -> int:
        """The number of segments, including gaps that contain no double."""
        return 2 * len(self.breakpoints) + 1

    def segments_of(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """The segments that contain these numbers."""
        left = np.searchsorted(self.breakpoints, numbers, "left")
        return (left + np.searchsorted(self.breakpoints, numbers, "right")).astype(np.intp)


def cut(numbers: Sequence[float]) -> Cut:
    """Cut the line of doubles at these numbers (ascending, finite)."""
    asked: dict[float, int] = {}
    if not numbers or numbers[0] > -FARTHEST:
        asked[-FARTHEST] = 0
    for place, number in enumerate(numbers):
        asked[number] = 2 * place + 1
        above = math.nextafter(number, math.inf)
        if above < (numbers[place + 1] if place + 1 < len(numbers) else math.inf):
            asked[above] = 2 * place + 2
    if not numbers or numbers[-1] < FARTHEST:
        asked[FARTHEST] = 2 * len(numbers)
    return Cut(
        np.array(numbers, dtype=np.float64), list(asked), np.array(list(asked.values()), dtype=np.intp)
    )


def neighbour(numbers: npt.NDArray[np.float64], towards: float) -> npt.NDArray[np.float64]:
    """The double next to each number, in this direction; infinity beyond the farthest."""
    with np.errstate(over="ignore"):
        return np.nextafter(numbers, towards)

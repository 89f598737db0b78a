"""Intervals of equal effect along a numeric axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.formatting import number_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

COLUMNS: Final = ("lower", "lower_closed", "upper", "upper_closed", "effect", "exact", "boundary")


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals, one per entry, in the order of their lines.

    Attributes:
        codes: for each dimension except the last, the position of the interval's line.
        columns: one array for each of ``COLUMNS``.
    """

    codes: tuple[npt.NDArray[np.intp], ...]
    columns: dict[str, Any]


def joined(parts: Sequence[tuple[npt.NDArray[np.intp], Intervals]], level: int) -> Intervals:
    """The intervals of several parts, in the order of their lines.

    Args:
        parts: for each, the positions on the dimension that is divided, and its intervals.
        level: which of the intervals' codes this dimension has.
    """
    codes = [
        np.concatenate([at[found.codes[n]] if n == level else found.codes[n] for at, found in parts])
        for n in range(len(parts[0][1].codes))
    ]
    order = np.lexsort(codes[::-1])
    frame = pd.concat([pd.DataFrame(found.columns) for _, found in parts], ignore_index=True).iloc[order]
    return Intervals(tuple(code[order] for code in codes), {str(name): frame[name].array for name in frame})


def intervals(allowed: npt.NDArray[np.bool_], points: Sequence[float]) -> Intervals:
    """Cut each line into intervals of equal effect.

    Args:
        allowed: ``allowed[..., point]``.
        points: ascending, one for each position of the last dimension.

    Returns:
        Intervals that cover each line from -∞ to ∞. The gap between two grid points with different
        effects counts as DENY, so a point at which ALLOW begins or ends belongs to ALLOW.
    """
    lines = allowed.reshape(-1, allowed.shape[-1])
    number, at = np.nonzero(lines[:, 1:] != lines[:, :-1])  # a flip between point `at` and the next
    flips = np.bincount(number, minlength=len(lines))
    line = np.repeat(np.arange(len(lines)), flips + 1)
    first = np.ones(len(line), dtype=np.bool_)
    first[1:] = line[1:] != line[:-1]
    last = np.append(first[1:], True)
    start = np.zeros(len(line), dtype=np.intp)
    start[~first] = at + 1  # the first grid point inside
    end = np.full(len(line), len(points) - 1, dtype=np.intp)
    end[~last] = at  # the last grid point inside
    allow = lines[line, start]
    grid = np.array(points, dtype=np.float64)
    before = grid[np.maximum(start - 1, 0)]
    after = grid[np.minimum(end + 1, len(points) - 1)]
    lower = np.where(first, -np.inf, np.where(allow, grid[start], before))
    upper = np.where(last, np.inf, np.where(allow, grid[end], after))
    codes = np.unravel_index(line, allowed.shape[:-1])
    ends = np.column_stack([np.where(first, -1, start), np.where(last, -1, end)])
    kinds, kind = np.unique(ends, axis=0, return_inverse=True)
    texts = pd.array([_boundary(points, int(s), int(e)) for s, e in kinds], dtype="str")
    return Intervals(
        codes=codes,
        columns={
            "lower": lower,
            "lower_closed": ~first & allow,
            "upper": upper,
            "upper_closed": ~last & allow,
            "effect": pd.array(np.where(allow, "ALLOW", "DENY"), dtype="str"),
            "exact": np.zeros(len(line), dtype=np.bool_),
            "boundary": texts.take(kind),
        },
    )


def _boundary(points: Sequence[float], start: int, end: int) -> str:
    """What is known about both ends of an interval, in words; -1 is an open end."""
    parts = []
    if start < 0 and end < 0:
        parts.append(f"the same at all {len(points):,} amounts asked")
    if start < 0:
        parts.append(f"not asked below {number_label(points[0])}")
    else:
        parts.append(_between(points[start - 1], points[start]))
    if end < 0:
        parts.append(f"not asked above {number_label(points[-1])}")
    else:
        parts.append(_between(points[end], points[end + 1]))
    return "; ".join(parts)


def _between(low: float, high: float) -> str:
    return f"between {number_label(low)} and {number_label(high)}"


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """An axis cut at every number where an effect flips.

    Attributes:
        dim: the position of the axis among the dimensions.
        cuts: ascending numbers; each lies between two segments.
        sides: 0 if the number belongs to the segment above, 1 if to the one below.
        map: for each segment, its slice in the compressed cube.
    """

    dim: int
    cuts: npt.NDArray[np.float64]
    sides: npt.NDArray[np.int8]
    map: npt.NDArray[np.intp]

    def of(self, numbers: Sequence[float]) -> npt.NDArray[np.intp]:
        """The segments that contain these numbers."""
        values = np.array(numbers, dtype=np.float64)
        below = self.sides == 0
        before = np.searchsorted(self.cuts[below], values, "right")
        return (before + np.searchsorted(self.cuts[~below], values, "left")).astype(np.intp)

    def ends(self, first: int, last: int) -> dict[str, Any]:
        """``lower``, ``lower_closed``, ``upper`` and ``upper_closed`` of a run of segments."""
        below, above = first > 0, last < len(self.cuts)
        return {
            "lower": float(self.cuts[first - 1]) if below else -np.inf,
            "lower_closed": bool(below and self.sides[first - 1] == 0),
            "upper": float(self.cuts[last]) if above else np.inf,
            "upper_closed": bool(above and self.sides[last] == 1),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """Decisions along a numeric axis that is cut at every number where an effect flips.

    Attributes:
        segments: the cuts.
        allowed: the decisions, with one position per segment instead of one per value of the axis.
        grid: for each value of the axis, its segment.
    """

    segments: Segments
    allowed: npt.NDArray[np.bool_]
    grid: npt.NDArray[np.intp]


def intervals_of(segmented: Segmented, allowed: npt.NDArray[np.bool_]) -> Intervals:
    """Runs of equal segments.

    Args:
        segmented: has the cuts.
        allowed: ``allowed[…, segment]``.
    """
    cuts, sides = segmented.segments.cuts, segmented.segments.sides
    lines = allowed.reshape(-1, allowed.shape[-1])
    line, start = np.nonzero(np.diff(lines, axis=1, prepend=~lines[:, :1]))
    last = np.append(line[1:] != line[:-1], True)
    lower = np.concatenate([[-np.inf], cuts])[start]
    closed = np.concatenate([[False], sides == 0])[start]
    after = np.append(np.arange(1, len(start)), 0)
    return Intervals(
        codes=np.unravel_index(line, allowed.shape[:-1]),
        columns={
            "lower": lower,
            "lower_closed": closed,
            "upper": np.where(last, np.inf, lower[after]),
            "upper_closed": ~last & ~closed[after],
            "effect": pd.array(np.where(lines[line, start], "ALLOW", "DENY"), dtype="str"),
            "exact": np.ones(len(line), dtype=np.bool_),
            "boundary": pd.array(["exact"] * len(line), dtype="str"),
        },
    )


def segments_of(
    found: Intervals, others: Sequence[int], dim: int, values: Sequence[float]
) -> Segmented | None:
    """Cut an axis wherever one of its lines flips.

    Args:
        found: the intervals of every line.
        others: the lengths of the other dimensions, in order.
        dim: the position of the axis among all dimensions.
        values: of the grid.

    Returns:
        None if there would be more than 200 million cells.
    """
    lower, lower_closed = found.columns["lower"], found.columns["lower_closed"]
    upper, upper_closed = found.columns["upper"], found.columns["upper_closed"]
    inner = np.isfinite(lower)
    keys = np.unique(np.column_stack([lower[inner], np.where(lower_closed[inner], 0, 1)]), axis=0)
    cuts, sides = keys[:, 0], keys[:, 1].astype(np.int8)
    if int(np.prod(others, dtype=np.int64)) * (len(cuts) + 1) > limits.EXPANDED_CELLS:
        return None
    start = _place(cuts, sides, lower, np.where(lower_closed, 0, 1), first=True)
    end = _place(cuts, sides, upper, np.where(upper_closed, 1, 0), first=False)
    allow = np.asarray(found.columns["effect"]) == "ALLOW"
    steps = np.zeros((*others, len(cuts) + 2), dtype=np.int8)
    at = tuple(code[allow] for code in found.codes)
    np.add.at(steps, (*at, start[allow]), 1)
    np.add.at(steps, (*at, end[allow] + 1), -1)
    allowed = np.moveaxis(np.cumsum(steps[..., :-1], axis=-1, dtype=np.int8) > 0, -1, dim)
    segments = Segments(dim, cuts, sides, np.arange(len(cuts) + 1))
    return Segmented(segments, allowed, segments.of(values))


def _place(
    cuts: npt.NDArray[np.float64],
    sides: npt.NDArray[np.int8],
    ends: npt.NDArray[np.float64],
    side: npt.NDArray[np.intp],
    *,
    first: bool,
) -> npt.NDArray[np.intp]:
    """The segment that begins (``first``) or ends at a cut, that is, the one above or below it."""
    at = np.searchsorted(cuts, ends, "left")
    inside = np.minimum(at, max(len(cuts) - 1, 0))
    if len(cuts):
        at = np.where((at < len(cuts)) & (cuts[inside] == ends) & (sides[inside] < side), at + 1, at)
    if first:
        return np.where(np.isneginf(ends), 0, at + 1).astype(np.intp)
    return np.where(np.isposinf(ends), len(cuts), at).astype(np.intp)

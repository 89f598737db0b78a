"""Threshold strips: one line per class of principals with its bands along an axis, drawn and in words."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.display.broken_stretches import Find
    from clerk_cerbos_lab.display.payload import Payload

WIDTH, HEAD, LINE, TOP = 900, 330, 30, 34

HEAD_CHARACTERS: Final = 40

LABEL: Final = 100
"""Pixels that the label of a boundary takes, at most: a longer stretch holds it."""

BROKEN: Final = "? DENY because of broken data"

_CELL: Final = "padding:3px 9px;border:1px solid rgba(128,128,128,.28);text-align:left;vertical-align:top"

STYLE: Final = (
    ".ccl-s text{fill:currentColor;"
    "font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".ccl-s-soft{fill-opacity:.75}.ccl-s-strong{font-weight:600}.ccl-s-deny{fill:#d55e00;fill-opacity:.15}"
    ".ccl-s-broken{fill:#7c3aad;fill-opacity:.25;stroke:#7c3aad;stroke-dasharray:4 2}"
    ".ccl-s-allow{fill:#0072b2;fill-opacity:.38;stroke:#0072b2}.ccl-s-edge{stroke:currentColor}"
    "svg:root{color:#1b1f24}@media screen and (prefers-color-scheme:dark){svg:root{color:#e4e8ec}}"
)
"""Text has the colour of the surrounding page; in a file of its own, the colour of the reader's scheme."""


@dataclass(frozen=True, slots=True)
class Band:
    """An interval of equal effect.

    Attributes:
        allow: the effect.
        lower, lower_closed, upper, upper_closed: its ends.
    """

    allow: bool
    lower: float
    lower_closed: bool
    upper: float
    upper_closed: bool

    def checked_amounts(self) -> str:
        """The checked amounts in a band of a grid: ``0 to 5,000``."""
        low, high = number_label(self.lower), number_label(self.upper)
        return low if low == high else f"{low} to {high}"

    def words(self) -> str:
        """``over 0, up to 5,000``."""
        if self.lower == self.upper:
            return f"exactly {number_label(self.lower)}"
        start = "from" if self.lower_closed else "over"
        end = "up to" if self.upper_closed else "below"
        parts = [
            f"{start} {number_label(self.lower)}" if math.isfinite(self.lower) else "",
            f"{end} {number_label(self.upper)}" if math.isfinite(self.upper) else "",
        ]
        return ", ".join(part for part in parts if part) or "any amount"


@dataclass(frozen=True, slots=True)
class Strip:
    """The bands that some principals share.

    Attributes:
        who: a pseudonym, or how many people.
        about: the attributes that they share.
        labels: labels of the other dimensions down the side.
        bands: in order; they cover the line, or for a grid the checked amounts with gaps between them.
        exact: whether the whole line is known, not only the amounts of a grid.
        broken: where they are denied because of broken data, as far as that is known.
    """

    who: str
    about: str
    labels: tuple[str, ...]
    bands: tuple[Band, ...]
    exact: bool
    broken: tuple[Band, ...] = ()

    def words(self) -> str:
        """``✓ ALLOW over 0, up to 5,000; ✗ DENY otherwise``; a grid has only the checked amounts."""
        if not self.exact:
            parts = [
                f"{'✓ ALLOW' if band.allow else '✗ DENY'} at {band.checked_amounts()}" for band in self.bands
            ]
            parts += [f"{BROKEN} at {band.checked_amounts()}" for band in self.broken]
            return f"{'; '.join(parts)}; the effect between them is unknown"
        allow = [band.words() for band in self.bands if band.allow]
        if not allow and not self.broken:
            return "✗ DENY at any amount"
        if len(self.bands) == 1 and allow:
            return "✓ ALLOW at any amount"
        parts = [f"✓ ALLOW {' and '.join(allow)}"] if allow else []
        parts += [f"{BROKEN} {' and '.join(band.words() for band in self.broken)}"] if self.broken else []
        return "; ".join([*parts, "✗ DENY otherwise"])


def strips(payload: Payload, broken: Find | None = None) -> list[Strip]:
    """One strip for each class of principals and combination of the other rows, in the order of the rows.

    Args:
        payload: a payload with one numeric dimension across the top.
        broken: finds where somebody is denied because of broken data; people in one strip are equal in that.
    """
    dims = payload.header["dims"]
    names = [dim["name"] for dim in dims]
    across = names.index(payload.header["columns"][0])
    others = [names.index(name) for name in payload.header["rows"] if name != "principal"]
    principal = dims[0]
    grouped: dict[tuple[Any, ...], list[int]] = {}
    kinds, of = np.unique(payload.maps[0], return_inverse=True)
    members = [np.flatnonzero(of == kind).tolist() for kind in range(len(kinds))]
    for places in itertools.product(*(range(len(dims[at]["labels"])) for at in others)):
        for kind, people in zip(kinds, members, strict=True):
            at: list[Any] = [int(kind), *(int(own[0]) for own in payload.maps[1:])]
            for dim, place in zip(others, places, strict=True):
                at[dim] = int(payload.maps[dim][place])
            at[across] = slice(None)
            bands = _bands(payload, payload.small[tuple(at)], across)
            if broken is None:
                grouped.setdefault((places, bands, ()), []).extend(people)
                continue
            others_at = [0] * (len(dims) - 1)
            for dim, place in zip(others, places, strict=True):
                others_at[dim - 1] = place
            for person in people:
                stretches = tuple(
                    Band(False, one.lower, one.lower_closed, one.upper, one.upper_closed)  # noqa: FBT003
                    for one in broken(person, others_at)
                )
                grouped.setdefault((places, bands, stretches), []).append(person)
    rows = sorted(grouped.items(), key=lambda item: (item[0][0], -_top(item[0][1]), min(item[1])))
    return [
        Strip(
            who=principal["labels"][people[0]] if len(people) == 1 else f"{len(people):,} people",
            about=_common(principal, people, names),
            labels=tuple(dims[dim]["labels"][place] for dim, place in zip(others, places, strict=True)),
            bands=bands,
            exact=payload.segments is not None,
            broken=stretches,
        )
        for (places, bands, stretches), people in rows
    ]


def _top(bands: Sequence[Band]) -> float:
    return max((band.upper for band in bands if band.allow), default=-math.inf)


def _bands(payload: Payload, line: npt.NDArray[np.bool_], across: int) -> tuple[Band, ...]:
    """The bands of a line of slices, or of the grid if only that is known."""
    segments = payload.segments
    if segments is not None:
        allowed = line[segments.map]
        numbers = np.zeros(0)
    else:
        values = np.array(payload.header["dims"][across]["numbers"], dtype=np.float64)
        order = np.argsort(values, kind="stable")
        allowed, numbers = line[payload.maps[across]][order], values[order]
    firsts = [0, *(np.flatnonzero(allowed[1:] != allowed[:-1]) + 1).tolist()]
    lasts = [*(first - 1 for first in firsts[1:]), len(allowed) - 1]
    return tuple(
        Band(bool(allowed[first]), **segments.ends(first, last))
        if segments is not None
        else Band(bool(allowed[first]), float(numbers[first]), True, float(numbers[last]), True)  # noqa: FBT003
        for first, last in zip(firsts, lasts, strict=True)
    )


def _common(principal: dict[str, Any], people: Sequence[int], others: Sequence[str]) -> str:
    """The attributes that all of these people share, by name; those that a resource has, too, are theirs."""
    shared = []
    for attribute in principal["attributes"]:
        codes = {attribute["codes"][i] for i in people}
        if len(codes) == 1 and (value := attribute["values"][codes.pop()]) != "MISSING":
            own = "their " if attribute["name"] in others else ""
            shared.append(value if attribute["name"] == "roles" else f"{own}{attribute['name']} {value}")
    return " · ".join(shared)


def _title(payload: Payload, name: str) -> str:
    """The displayed name of a dimension."""
    dim = next(dim for dim in payload.header["dims"] if dim["name"] == name)
    return str(dim.get("title", name))


def table(payload: Payload, broken: Find | None = None) -> str:
    """The strips in words, as an HTML table that needs no scripts or style sheets."""
    found = strips(payload, broken)
    others = [_title(payload, name) for name in payload.header["rows"] if name != "principal"]
    notes = []
    if len(found) > limits.STRIP_LINES:
        notes.append(f"The first {limits.STRIP_LINES} of {len(found):,} lines.")
    if payload.segments is None:
        notes.append("As far as the checked amounts show; each boundary lies between two of them.")
    return render(
        "strips.html.j2",
        columns=["who", *others, "effect"],
        strips=found[: limits.STRIP_LINES],
        notes=notes,
        cell=_CELL,
    )


def svg(payload: Payload, broken: Find | None = None) -> str:
    """The strips as a picture; the same payload gives the same text."""
    found = strips(payload, broken)
    shown = found[: limits.STRIP_LINES]
    finite = [x for s in shown for b in s.bands for x in (b.lower, b.upper) if math.isfinite(x)]
    low, high = min([0.0, *finite]), max([1.0, *finite])
    low, high = low - (high - low) * (0.04 if low == 0 else 0.12), high + (high - low) * 0.14
    span = WIDTH - HEAD

    def x(value: float) -> float:
        return round(HEAD + span * (min(max(value, low), high) - low) / (high - low), 1)

    notes = [f"The first {limits.STRIP_LINES} of {len(found):,} lines."] if len(found) > len(shown) else []
    notes += ["✓ allowed, ✗ denied by the rules, ? denied because of broken data."] * any(
        one.broken for one in shown
    )
    return render(
        "strips.svg.j2",
        width=WIDTH,
        height=TOP + LINE * len(shown) + (24 if notes else 4),
        head=HEAD,
        top=TOP,
        style=STYLE,
        title=payload.header["title"],
        name=_title(payload, payload.header["columns"][0]),
        ticks=[{"x": x(tick), "label": number_label(tick)} for tick in _ticks(low, high)],
        lines=[_line(strip, TOP + row * LINE, x) for row, strip in enumerate(shown)],
        note=" ".join(notes),
    )


def _line(strip: Strip, top: int, x: Callable[[float], float]) -> dict[str, Any]:
    """The drawing of a strip from ``top`` down: its words, and its bands in pixels."""
    who = _cut(" · ".join([strip.who, *strip.labels]), HEAD_CHARACTERS)
    broken = [_stretch(x(band.lower), x(band.upper)) for band in strip.broken]
    return {
        "words": strip.words(),
        "who": who,
        "about": _cut(strip.about, HEAD_CHARACTERS - len(who)),
        "top": top,
        "middle": top + LINE // 2 + 4,
        "bottom": top + LINE,
        "height": LINE - 8,
        "broken": broken,
        "bands": [
            _drawn(strip, band, x(band.lower), x(band.upper), broken) for band in strip.bands if band.allow
        ],
    }


def _stretch(left: float, right: float) -> dict[str, Any]:
    """A stretch of broken data in pixels, and its mark: a long one leaves room for a boundary's label."""
    width = round(max(right - left, 3), 1)
    mark = width - 14 if width > LABEL else width + 2 if width < 14 else width / 2 - 4
    return {"left": left, "width": width, "mark_x": round(left + mark, 1)}


def _drawn(
    strip: Strip, band: Band, left: float, right: float, broken: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A band of ALLOW in pixels, and the label of its upper end: outside if there is room, beside a mark."""
    width = round(max(right - left, 2), 1)
    sign = "at" if not strip.exact else "≤" if band.upper_closed else "<"
    label = f"{sign} {number_label(band.upper)}" if math.isfinite(band.upper) else ""
    room, beside = len(label) * 8.5, right
    for one in broken:
        end = max(one["left"] + one["width"], one["mark_x"] + 9)
        if one["width"] <= LABEL and one["left"] < beside + room and end > beside:
            beside = end
    outside = beside + room < WIDTH
    return {
        "left": left,
        "right": right,
        "width": width,
        "marked": width > 18,
        "label": label,
        "label_x": round(beside + 5, 1) if outside else right - 5,
        "anchor": "" if outside else "end",
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}…" if most > 1 else ""


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    return [float(f"{i * step:.12g}") for i in range(math.ceil(low / step), math.floor(high / step) + 1)]

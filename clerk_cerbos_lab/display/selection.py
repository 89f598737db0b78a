"""The decision of a cell that was selected in the browser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.display.payload import Payload


def decision(
    payload: Payload, place: Mapping[str, Any], values: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """The decision at a place reported by the browser: a value for each dimension, and the effect.

    Args:
        payload: the payload that the browser showed.
        place: ``index`` (a position on each dimension), ``segment`` (first and last of a run, or None), and
            ``amount`` if the browser made the amounts itself.
        values: the values of each dimension, in the order of the payload's labels.
    """
    index = [int(i) for i in place["index"]]
    names = [dim["name"] for dim in payload.header["dims"]]
    segments = payload.segments
    made = place.get("amount")
    found: dict[str, Any] = {}
    for dim, (name, i) in enumerate(zip(names, index, strict=True)):
        own = made is not None and segments is not None and dim == segments.dim
        found[name] = made if own else values[name][i]
    if segments is None or (made is None and place.get("segment") is None):
        return {**found, "effect": "ALLOW" if payload.effect(index) else "DENY"}
    if place.get("segment") is None:
        segment = int(segments.of([float(str(made))])[0])
        return {**found, "effect": "ALLOW" if payload.effect(index, segment) else "DENY"}
    first, last = (int(i) for i in place["segment"])
    ends = segments.ends(first, last)
    effect = "ALLOW" if payload.effect(index, first) else "DENY"
    return {**found, names[segments.dim]: inside(ends), **ends, "effect": effect}


def inside(ends: dict[str, Any]) -> float:
    """A number inside an interval: an end that belongs to it, or else the double next to an open end."""
    if ends["upper_closed"]:
        return float(ends["upper"])
    if ends["lower_closed"]:
        return float(ends["lower"])
    if math.isfinite(ends["lower"]):
        return math.nextafter(ends["lower"], math.inf)
    return math.nextafter(ends["upper"], -math.inf) if math.isfinite(ends["upper"]) else 0.0

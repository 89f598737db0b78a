"""Decisions as the browser holds them: each distinct slice once, and which slice stands for which label.

The same decisions, labels and layout give the same bytes. Nothing is decided here: bits are copied from
the decisions, and from the intervals of an axis that is known exactly (``Decisions.thresholds``).
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.intervals import Segmented, Segments
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.embedded import embedded
from clerk_cerbos_lab.display.headline import heading, headline
from clerk_cerbos_lab.display.meanings import meanings
from clerk_cerbos_lab.identity.quality import cannot_sign_in
from clerk_cerbos_lab.values import is_number, json_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """The data for the browser.

    Attributes:
        header: labels, layout and captions, as plain data.
        small: the distinct slices, ``allowed[principal, action, *axes]``.
        maps: for each dimension and label, the slice that stands for it.
        segments: the segments of the axis that is known exactly, if any.
        principals: how many of the decisions' principals are included, counted from the first.
        past: of a comparison, the same slices before the change.
    """

    header: dict[str, Any]
    small: npt.NDArray[np.bool_]
    maps: tuple[npt.NDArray[np.intp], ...]
    segments: Segments | None
    principals: int
    past: npt.NDArray[np.bool_] | None = None

    def without_explanations(self) -> Payload:
        """The same without explanations, with a note."""
        note = "The explanations are too large for a stored notebook; .to_html writes them into a page."
        header = {name: part for name, part in self.header.items() if name != "why"}
        return replace(self, header={**header, "notes": [*header["notes"], note]})

    def to_bytes(self) -> bytes:
        """Four bytes of length (little-endian), the header as JSON, the cells packed eight per byte.

        The cells before a change follow those after it.
        """
        text = json.dumps(self.header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        cells = [self.small] if self.past is None else [self.small, self.past]
        packed = b"".join(np.packbits(part.ravel()).tobytes() for part in cells)
        return struct.pack("<I", len(text)) + text + packed

    def effect(self, index: Sequence[int], segment: int | None = None) -> bool:
        """One cell, True for ALLOW, at the positions of labels or in a segment of the exact axis."""
        exact = self.segments if segment is not None else None
        at = [
            int(exact.map[segment]) if exact is not None and dim == exact.dim else int(of[i])
            for dim, (of, i) in enumerate(zip(self.maps, index, strict=True))
        ]
        return bool(self.small[tuple(at)])


def payload(
    decisions: Decisions,
    shown: Disclosure,
    *,
    rows: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    scenario: str | None = None,
) -> Payload:
    """Make the browser's data for decisions.

    Args:
        decisions: the decisions to show.
        shown: how principals and values are named.
        rows: as ``Decisions.matrix``.
        columns: as ``Decisions.matrix``.
        scenario: a name, if the page has several scenarios.

    Raises:
        InputError: as ``Decisions.matrix``.
    """
    down, across = decisions.sides(rows, columns)
    notes = []
    title = plain_text.question(decisions, shown)
    total, counts = len(decisions), decisions.counts()
    some, left_out = _some(decisions)
    notes += left_out
    codes, representatives = some.classes()
    different = some.of(representatives)
    axis = next((axis for axis in some.axes if [axis.name] == across and axis.numeric), None)
    exact = None if axis is None else different.segmented(axis.name)
    notes += [note for note in plain_text.notes(decisions, shown) if note]
    header: dict[str, Any] = {
        "title": title,
        "headline": [list(line) for line in headline(decisions, shown)],
        "scenario": scenario,
        "rows": down,
        "columns": across,
        "fixed": [[name, shown.value(v)] for name, v in decisions.fixed.items() if name != "resource_id"],
        "total": total,
        "allow": counts["ALLOW"],
        "notes": notes,
        "caption": decisions.provenance.caption(),
        "warning": plain_text.WARNING if shown.names else None,
        "meanings": [list(one) for one in meanings(some, shown)],
    }
    why = embedded(some, shown)
    if why is not None:
        header["why"] = why
    elif some.explanations is not None:
        notes.append(f"The explanations are left out: they were made with names={some.explanations.names}.")
    plain = [value_dim(dim, some.values(dim), shown, heading(decisions, dim)) for dim in some.dims[1:]]
    dims = [principal_dim(some, shown), *plain]
    return assemble(header, dims, different.allowed() if exact is None else exact, codes)


def first_look(made: Payload) -> dict[str, Any]:
    """How a view begins: equal rows in groups, and of several actions down the side the first."""
    dims = {dim["name"]: dim["labels"] for dim in made.header["dims"] if "labels" in dim}
    rows = made.header["rows"]
    grouped = math.prod(len(dims[name]) for name in rows) <= limits.GROUPED_ROWS
    actions = dims["action"] if "action" in rows else []
    return {"grouped": grouped, "filters": {"action": actions[:1]} if len(actions) > 1 else {}}


def assemble(
    header: dict[str, Any],
    dims: Sequence[dict[str, Any]],
    answer: npt.NDArray[np.bool_] | Segmented,
    codes: npt.NDArray[np.intp],
    past: npt.NDArray[np.bool_] | None = None,
) -> Payload:
    """Assemble a payload that holds each distinct slice of a cube once.

    Args:
        header: texts and layout.
        dims: names and labels of the dimensions, in order.
        answer: ``allowed[class, action, *axes]``, or the same with one axis cut where effects flip.
        codes: the class of each principal.
        past: the same cells before a change, if it is to be shown.
    """
    cube = answer.allowed if isinstance(answer, Segmented) else answer
    if past is not None:
        cube = np.stack([cube, past], axis=-1)
    maps = []
    for dim in range(len(dims)):
        cube, of = _different(cube, dim)
        maps.append(of)
    maps[0] = maps[0][codes]
    exact, segments = None, None
    if isinstance(answer, Segmented):
        of_axis = answer.segments.dim
        segments = replace(answer.segments, map=maps[of_axis])
        maps[of_axis] = maps[of_axis][answer.grid]
        exact = {
            "dim": segments.dim,
            "cuts": [json_number(cut) for cut in segments.cuts.tolist()],
            "sides": segments.sides.tolist(),
            "map": segments.map.tolist(),
        }
    whole = {
        **header,
        "small": list(cube.shape[: len(dims)]),
        "dims": [{**dim, "map": codes.tolist()} for dim, codes in zip(dims, maps, strict=True)],
        "exact": exact,
    }
    if past is None:
        return Payload(whole, cube, tuple(maps), segments, len(codes))
    return Payload(whole, cube[..., 0], tuple(maps), segments, len(codes), cube[..., 1])


def _some(decisions: Decisions) -> tuple[Decisions, list[str]]:
    """The decisions of as many principals as a browser can hold, and a note if some are left out."""
    people = len(decisions.names)
    most = min(people, limits.SHOWN_PRINCIPALS)
    _, representatives = decisions.classes()
    each = len(decisions) // max(1, people)
    if len(representatives) * each > limits.EXPANDED_CELLS:
        most = min(most, max(1, limits.EXPANDED_CELLS // each))
    if most == people:
        return decisions, []
    note = (
        f"Shown: the first {most:,} of {people:,} principals; for others use .sel(principal=…) or .frame()."
    )
    return decisions.head(most), [note]


def principal_dim(decisions: Decisions, shown: Disclosure) -> dict[str, Any]:
    """The principals: their labels, attributes and data problems."""
    people = decisions.principals
    columns = [(name, [_label(shown, value) for value in people[name].tolist()]) for name in shown.attributes]
    signed_out = cannot_sign_in(people.attrs.get("problems", ()))
    ids = people["id"].tolist() if signed_out else []
    return {
        "name": "principal",
        "title": "person",
        "labels": plain_text.labels(decisions, shown, "principal"),
        "attributes": [_roles(people["roles"].tolist(), shown)]
        + [_attribute(shown, name, labels) for name, labels in columns],
        "problems": _problems(decisions),
        "signedOut": {str(i): signed_out[one] for i, one in enumerate(ids) if one in signed_out},
    }


def value_dim(
    name: str, values: Sequence[Any], shown: Disclosure, title: str | None = None
) -> dict[str, Any]:
    """A dimension of plain values: its name, its displayed name if it differs, labels, and any numbers."""
    say = shown.text if name == "action" else shown.value
    made: dict[str, Any] = {"name": name, "labels": [say(value) for value in values]}
    if title not in {None, name}:
        made["title"] = title
    if name != "action" and all(is_number(value) for value in values):
        made["numbers"] = [json_number(value) for value in values]
    return made


def _label(shown: Disclosure, value: Any) -> str:
    missing = value is not None and pd.api.types.is_scalar(value) and pd.isna(value)
    return "MISSING" if missing else shown.value(value)


def _roles(roles: Sequence[Sequence[str]], shown: Disclosure) -> dict[str, Any]:
    """The roles of the principals as an attribute, with the parts of each value that is not one role."""
    made = _attribute(shown, "roles", [shown.text(", ".join(own)) for own in roles])
    parts = {tuple(map(shown.text, own)) for own in roles}
    known = {", ".join(own): list(own) for own in sorted(parts)}
    if len(known) == len(parts):  # else a role's name has a comma, and one label stands for several lists
        values = enumerate(made["values"])
        made["lists"] = {str(code): known[value] for code, value in values if len(known[value]) != 1}
    return made


def _attribute(shown: Disclosure, name: str, labels: list[str]) -> dict[str, Any]:
    places: dict[str, int] = {}
    codes = [places.setdefault(label, len(places)) for label in labels]
    return {"name": shown.text(name), "values": list(places), "codes": codes}


def _problems(decisions: Decisions) -> dict[str, list[str]]:
    """The data problems of each principal that has any, by position; never a value."""
    people = decisions.principals
    found: dict[str, list[str]] = {}
    for line in people.attrs.get("problems", ()):
        what = f"{line['problem']}: {line['attribute']}" if line["attribute"] else line["problem"]
        found.setdefault(line["principal"], []).append(what)
    if not found:
        return {}
    return {str(i): found[one] for i, one in enumerate(people["id"]) if one in found}


def _different(cube: npt.NDArray[np.bool_], dim: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """The distinct slices of a dimension, in order of first appearance, and which of them each slice is."""
    slices = np.packbits(np.moveaxis(cube, dim, 0).reshape(cube.shape[dim], -1), axis=1)
    whole = np.ascontiguousarray(slices).view(np.dtype((np.void, slices.shape[1]))).ravel()
    _, first, codes = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return cube.take(first[order], axis=dim), rank[codes.ravel()]

"""A comparison as the browser holds it: the decisions after a change, and what they were before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.intervals import Segmented, Segments
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.changes_text import headline
from clerk_cerbos_lab.display.headline import heading
from clerk_cerbos_lab.display.payload import assemble, principal_dim, value_dim

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.display.payload import Payload
    from clerk_cerbos_lab.identity.disclosure import Disclosure

    Places = npt.NDArray[np.intp]


def changes_payload(
    changes: Changes,
    shown: tuple[Disclosure, Disclosure],
    *,
    rows: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    principals: dict[str, Any] | None = None,
) -> Payload:
    """Make the browser's data for a comparison; people of either answer are rows.

    Args:
        changes: what to show.
        shown: how principals and values are named, before and after.
        rows: as ``Decisions.matrix``.
        columns: as ``Decisions.matrix``.
        principals: the dimension of the principals in the payload of another comparison of the same people.

    Raises:
        InputError: as ``Decisions.matrix``.
    """
    before, after = changes.before, changes.after
    down, across = after.sides(rows, columns)
    people = changes.everybody
    each = len(after) // len(after.names)
    most = min(len(people), limits.SHOWN_PRINCIPALS, max(1, limits.EXPANDED_CELLS // each))
    notes = list(changes.notes)
    if most < len(people):
        notes.insert(0, f"Shown: the first {most:,} of {len(people):,} principals; .frame() has all changes.")
        people = people[:most]
    at = [_places(one, people) for one in (before, after)]
    codes, different = _classes((before, after), at)
    axis = next((one for one in after.axes if [one.name] == across and one.numeric), None)
    past, now = _both((before, after), [own[different] for own in at], None if axis is None else axis.name)
    plain = [value_dim(dim, after.values(dim), shown[1], heading(after, dim)) for dim in after.dims[1:]]
    grid = now.allowed.take(now.grid, axis=now.segments.dim) if isinstance(now, Segmented) else now
    header: dict[str, Any] = {
        "title": headline(changes),
        "scenario": None,
        "rows": down,
        "columns": across,
        "fixed": [[name, shown[1].value(v)] for name, v in after.fixed.items() if name != "resource_id"],
        "total": len(people) * each,
        "allow": int(grid.reshape(len(grid), -1).sum(axis=1)[codes].sum()),
        "notes": notes,
        "caption": after.provenance.caption(),
        "warning": plain_text.WARNING if shown[1].names else None,
        "changed": True,
    }
    return assemble(header, [principals or _people(changes, at, shown), *plain], now, codes, past)


def _places(decisions: Decisions, people: Sequence[str]) -> Places:
    """The position of each of these people, -1 for those who are not in the decisions."""
    known = {name: place for place, name in enumerate(decisions.names)}
    return np.array([known.get(name, -1) for name in people], dtype=np.intp)


def _classes(both: Sequence[Decisions], at: Sequence[Places]) -> tuple[Places, Places]:
    """People with equal effects before and after: codes, and the first of each class."""
    pairs = []
    for decisions, places in zip(both, at, strict=True):
        codes, _ = decisions.classes()
        pairs.append(np.where(places < 0, -1, codes[places]))
    _, first, codes = np.unique(np.column_stack(pairs), axis=0, return_index=True, return_inverse=True)
    return codes.ravel().astype(np.intp), first.astype(np.intp)


def _both(
    both: Sequence[Decisions], at: Sequence[Places], axis: str | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_] | Segmented]:
    """The cells before and after, along the axis cut wherever either flips, if both are known exactly."""
    some = [decisions.of(np.maximum(places, 0)) for decisions, places in zip(both, at, strict=True)]
    absent = [places < 0 for places in at]
    cut = [] if axis is None else [one.segmented(axis) for one in some]
    known = [one for one in cut if one is not None]
    if axis is None or len(known) < 2:
        past, now = (one.allowed() for one in some)
        past[absent[0]], now[absent[1]] = False, False
        return past, now
    dim = some[0].dims.index(axis)
    keys = [np.column_stack([one.segments.cuts, one.segments.sides]) for one in known]
    union = np.unique(np.concatenate(keys), axis=0)
    made = []
    for one, own, missing in zip(known, keys, absent, strict=True):
        held = (union[:, None, :] == own[None, :, :]).all(axis=2).any(axis=1)
        allowed = one.allowed.take(np.concatenate([[0], np.cumsum(held)]), axis=dim)
        allowed[missing] = False
        made.append(allowed)
    segments = Segments(dim, union[:, 0], union[:, 1].astype(np.int8), np.arange(len(union) + 1))
    return made[0], Segmented(segments, made[1], segments.of(some[1].values(axis)))


def _people(changes: Changes, at: Sequence[Places], shown: tuple[Disclosure, Disclosure]) -> dict[str, Any]:
    """The principals as they are after the change; whoever has left, as they were."""
    before, after = (
        principal_dim(one, own) for one, own in zip((changes.before, changes.after), shown, strict=True)
    )
    places = zip(*(own.tolist() for own in at), strict=True)
    sides = [(before, old) if new < 0 else (after, new) for old, new in places]
    names = dict.fromkeys(one["name"] for side in (after, before) for one in side["attributes"])
    attributes = []
    for name in names:
        values: dict[str, int] = {}
        codes = []
        for side, place in sides:
            own = next((one for one in side["attributes"] if one["name"] == name), None)
            text = "MISSING" if own is None else own["values"][own["codes"][place]]
            codes.append(values.setdefault(text, len(values)))
        attributes.append({"name": name, "values": list(values), "codes": codes})
    problems = {
        str(i): side["problems"][str(place)]
        for i, (side, place) in enumerate(sides)
        if str(place) in side["problems"]
    }
    return {
        "name": "principal",
        "title": "person",
        "labels": [side["labels"][place] for side, place in sides],
        "attributes": attributes,
        "problems": problems,
    }

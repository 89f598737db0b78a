"""Compares the principals that an application sent with those that the mapping makes of the directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.decisions.parity import Parity
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.values import MISSING, clean, json_type, key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_cerbos_lab.identity.principals import Principal

COLUMNS: Final = (
    *("principal", "attribute", "kind", "directory", "sent"),
    *("requests", "agreed", "first", "last"),
)

_LOG: Final = frozenset({"callId", "log.kind", "checkResources", "planResources"})


@dataclass(slots=True)
class _Sent:
    """One form in which a person was sent.

    Attributes:
        roles: in the order in which they were sent.
        attr: the attributes.
        requests: how often.
        times: of the log.
    """

    roles: tuple[str, ...]
    attr: Mapping[str, Any]
    requests: int = 0
    times: list[str] = field(default_factory=list)


def same_principal(
    principals: pd.DataFrame,
    sent: str | os.PathLike[str] | pd.DataFrame | Iterable[Mapping[str, Any]],
    /,
) -> Parity:
    """Whether an application sends the principals that the mapping makes of the directory.

    >>> lab.same_principal(lab.load_principals(mapping=mapping), "decisions.log")

    It catches roles from a token that is an hour old, a limit that is sent as text, null in place of missing.

    Args:
        principals: the people of the directory, as the mapping makes them.
        sent: Cerbos's decision log (see ``lab.replay_log``), a JSON file with a list of principals or one per
            line, or the principals themselves, each with ``id``, ``roles`` and ``attr``, as the application
            sends them; or a principals frame, such as that of ``lab.claims_to_principal``.

    Returns:
        ``Parity``. People of the directory who were not sent are counted in a note.

    Raises:
        InputError: if a file can't be read or has no principals, or one of them has no id or roles; names the
            line or the position, never a value.
    """
    people = read_principals(principals)
    if len(people.id_set) != len(people):
        msg = "principals has several rows with one id: compare with the directory itself, without lab.vary"
        raise InputError(msg)
    forms: dict[str, dict[str, _Sent]] = {}
    skipped = [0]
    for where, time, one in _all(sent, skipped):
        own, roles, attr = _checked(one, where)
        form = forms.setdefault(own, {}).setdefault(
            json.dumps([sorted(roles), key(dict(attr))]), _Sent(roles, attr)
        )
        form.requests += 1
        if time is not None:
            form.times = [min([time, *form.times[:1]]), max([time, *form.times[1:]])]
    if not forms:
        msg = "there are no principals in what was sent"
        raise InputError(msg)
    handed_over.hand_over(forms)
    known = {own: people[row] for row, own in enumerate(people.ids)}
    rows = [row for own, some in forms.items() for row in _rows(own, known.get(own), [*some.values()])]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    frame = frame.astype({"requests": int, "agreed": int})
    for name in ("first", "last"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    unseen = len(people.id_set - forms.keys())
    notes = [f"{unseen:,} of {len(people):,} people in the directory were not sent."] if unseen else []
    notes += [f"{skipped[0]:,} lines of the log are about something else."] if skipped[0] else []
    requests = sum(form.requests for some in forms.values() for form in some.values())
    return Parity(frame, principals, tuple(forms), requests, tuple(notes))


# -- what differs ---------------------------------------------------------------------------------


def _rows(own: str, person: Principal | None, forms: list[_Sent]) -> Iterator[tuple[Any, ...]]:
    if person is None:
        yield (own, "", "not in the directory", MISSING, MISSING, *_counts(forms, []))
        return
    wanted = frozenset(person.roles)
    agreed = [form for form in forms if frozenset(form.roles) == wanted]
    kind = "stale roles" if agreed else "other roles"
    for roles, some in _alike(forms, lambda form: json.dumps(sorted(form.roles))):
        if frozenset(roles.roles) != wanted:
            yield (own, "roles", kind, person.roles, roles.roles, *_counts(some, agreed))
    names = dict.fromkeys([*person.attr, *(name for form in forms for name in form.attr)])
    for name in names:
        held = person.attr.get(name, MISSING)
        right = [form for form in forms if key(form.attr.get(name, MISSING)) == key(held)]
        for form, some in _alike(forms, lambda form, name=name: key(form.attr.get(name, MISSING))):
            value = form.attr.get(name, MISSING)
            if key(value) != key(held):
                yield (own, name, _kind(held, value), held, value, *_counts(some, right))


def _kind(held: Any, value: Any) -> str:
    if value is MISSING:
        return "missing"
    if held is MISSING:
        return "null" if value is None else "extra"
    return "other value" if json_type(held) == json_type(value) else "other type"


def _alike(forms: list[_Sent], by: Any) -> list[tuple[_Sent, list[_Sent]]]:
    """Groups of forms that are alike in one respect, each with an example."""
    groups: dict[str, list[_Sent]] = {}
    for form in forms:
        groups.setdefault(by(form), []).append(form)
    return [(some[0], some) for some in groups.values()]


def _counts(some: list[_Sent], agreed: list[_Sent]) -> tuple[int, int, str | None, str | None]:
    times = sorted(time for form in some for time in form.times)
    return (
        sum(form.requests for form in some),
        sum(form.requests for form in agreed),
        times[0] if times else None,
        times[-1] if times else None,
    )


# -- what was sent --------------------------------------------------------------------------------


def _checked(one: object, where: str) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
    problem = None
    if not isinstance(one, Mapping):
        problem = "is not an object"
    elif not isinstance(one.get("id"), str) or not one["id"]:
        problem = "has no 'id'"
    elif not isinstance(one.get("roles"), (list, tuple)) or not all(isinstance(r, str) for r in one["roles"]):
        problem = "has no list 'roles' of names"
    elif not isinstance(one.get("attr", {}), Mapping):
        problem = "has an 'attr' that is not a map"
    if problem is None and isinstance(one, Mapping):
        try:
            attr = {str(name): clean(value, "a value") for name, value in one.get("attr", {}).items()}
        except (InputError, RecursionError):
            problem = "has an attribute that can't be sent"
        else:
            return one["id"], tuple(one["roles"]), attr
    msg = f"{where}: the principal {problem}; it has 'id', 'roles' and 'attr', as it is sent to Cerbos"
    raise InputError(msg)


def _all(
    sent: str | os.PathLike[str] | pd.DataFrame | Iterable[Mapping[str, Any]], skipped: list[int]
) -> Iterator[tuple[str, str | None, Any]]:
    """Each principal: where it stands, when it was sent, and itself."""
    if isinstance(sent, pd.DataFrame):
        for row, held in enumerate(read_principals(sent)):
            yield f"row {row}", None, {"id": held.id, "roles": held.roles, "attr": held.attr}
    elif isinstance(sent, (str, os.PathLike)):
        yield from _of_file(Path(sent), skipped)
    elif isinstance(sent, Iterable) and not isinstance(sent, (Mapping, bytes)):
        for position, one in enumerate(sent):
            yield f"principal {position}", None, one
    else:
        msg = f"what was sent must be a file or a list of principals, not {json_type(sent)}"
        raise InputError(msg)


def _of_file(path: Path, skipped: list[int]) -> Iterator[tuple[str, str | None, Any]]:
    problem = None
    try:
        with path.open(encoding="utf-8") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            if first.lstrip().startswith("["):
                for position, one in enumerate(_json(file.read(), path.name)):
                    yield f"{path.name}, principal {position}", None, one
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    where = f"{path.name}, line {number}"
                    yield from _of_line(_json(line, where), where, skipped)
    except FileNotFoundError:
        problem = f"there is no file '{path}'"
    except UnicodeDecodeError:
        problem = f"{path.name}: not UTF-8"
    except OSError as error:
        problem = f"{path.name}: can't be read ({error.strerror})"
    if problem is not None:
        raise InputError(problem)


def _of_line(entry: Any, where: str, skipped: list[int]) -> Iterator[tuple[str, str | None, Any]]:
    """The principals of a line: of an entry of a log, or the one that it is."""
    if not isinstance(entry, dict) or not _LOG & entry.keys():
        yield where, None, entry
        return
    time = entry.get("timestamp")
    inputs = list((entry.get("checkResources") or {}).get("inputs") or ())
    inputs += [one for one in [(entry.get("planResources") or {}).get("input")] if one]
    if not inputs:
        skipped[0] += 1
    for one in inputs:
        yield where, time if isinstance(time, str) else None, one.get("principal")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        problem = f"{where}: not JSON"
    raise InputError(problem)

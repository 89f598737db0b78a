"""A sweep: ask the PDP about every principal, action and combination of attribute values."""

from __future__ import annotations

import datetime
import itertools
import time
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from clerk_cerbos_lab import messages
from clerk_cerbos_lab.decisions import Axis, Decisions, EveryCell, Provenance
from clerk_cerbos_lab.errors import InputError, LabWarning, did_you_mean
from clerk_cerbos_lab.pdp import OTHER_ID, PDP
from clerk_cerbos_lab.principals import labels, read_principals
from clerk_cerbos_lab.process import MAX_PER_REQUEST
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.values import Relation, clean, key, label, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from cerbos.engine.v1 import engine_pb2
    from cerbos.request.v1 import request_pb2
    from pydantic import SecretStr

    from clerk_cerbos_lab.principals import Principal

COLUMNS: Final = ("principal", "action", "effect")
"""What every frame of decisions has: no axis may take these names."""

MOST_CELLS: Final = 1_000_000_000
"""Combinations of a sweep that asks every cell: hours of asking, a gigabyte of answers."""

LATER: Final = ("audit", "executor")
"""Names kept for options of the sweep itself, so that no attribute takes them by accident."""


def sweep(
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    /,
    *,
    actions: Sequence[str] | str | None = None,
    attr: Mapping[str, object] | None = None,
    resource_id: str | Sequence[str] = "resource",
    policy_version: str = "",
    scope: str = "",
    principal_policy_version: str | None = None,
    principal_scope: str | None = None,
    aux_data: str | SecretStr | Mapping[str, str] | None = None,
    method: Literal["every-cell"] = "every-cell",
    **attributes: object,
) -> Decisions:
    """Ask the PDP for the effect of every combination, and hold the answers as one cube.

    Args:
        pdp: the PDP to ask.
        principals: a principals frame (see ``lab.load_principals``), one row a principal.
        kind: the resource kind, such as ``"expense"``.
        actions: one or several; default: all that the policies of the kind name.
        attributes: the resource's attributes. A scalar (bool, number, string, None, dict, ``SELF``,
            ``OTHER``, ``MISSING``) is fixed; a list, tuple, range, array or Series is an axis. A
            fixed list is an axis of one value: ``tags=[["a", "b"]]``.
        attr: the same as a dict, for names that are no Python names or belong to this function.
        resource_id: one fixed id, or an axis of ids.
        policy_version: of the resource, and of the principal where not given; empty: the PDP's default.
        scope: of the resource, and of the principal where not given.
        principal_policy_version: sent with the principal, where it differs. Cerbos 0.55 was seen to
            choose principal policies by the resource's version all the same.
        principal_scope: sent with the principal, where it differs.
        aux_data: a JWT, or ``{"token": …, "key_set_id": …}``; used, never stored.
        method: ``"every-cell"`` asks about each cell: 500 resources a request, all actions in one.

    Returns:
        ``Decisions`` with the axes in the order given: ``attr`` first, then the keywords, then
        ``resource_id`` where it is an axis.

    Raises:
        InputError: for an unknown kind or action, an empty or repeated axis value, a value that
            can't be sent, or a frame that breaks its contract.
        PolicyError: when the policies do not compile.
        PDPError: when the PDP refuses or is lost for good. No partial result is returned. Policies
            that change meanwhile do not touch it: all decisions are of the state that
            ``provenance.policy_digest`` names.
    """
    if method != "every-cell":
        msg = f"no method '{method}'{did_you_mean(str(method), ['every-cell'])}"
        raise InputError(msg)
    if not isinstance(pdp, PDP):
        msg = f"the first argument is a PDP, lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)
    axes, fixed = read_attributes(attr, attributes, resource_id)
    people = read_principals(principals)
    names = labels(people)
    _check_size(len(people), axes)
    if any(person.id == OTHER_ID for person in people):
        msg = f"a principal has the id '{OTHER_ID}', which lab.OTHER stands for"
        raise InputError(msg)
    started = datetime.datetime.now(datetime.UTC)
    clock = time.perf_counter()
    with pdp.asking():
        digest = pdp.digest
        asked, checked = _actions(pdp, kind, actions, policy_version=policy_version, scope=scope)
        notes = _notes(pdp, kind, [*(axis.name for axis in axes), *fixed]) if checked else ()
        allowed = _every_cell(
            pdp,
            people,
            axes,
            fixed,
            asked,
            kind=kind,
            resource=(policy_version, scope),
            principal=(
                policy_version if principal_policy_version is None else principal_policy_version,
                scope if principal_scope is None else principal_scope,
            ),
            aux_data=messages.aux_data_message(aux_data),
        )
    provenance = Provenance(
        pdp_version=pdp.version,
        engine=pdp.engine,
        policy_digest=digest,
        evaluation={True: "strict", False: "lenient", None: "unknown"}[pdp.strict],
        mapping=principals.attrs.get("mapping"),
        method="every-cell",
        verified="every cell is an answer of the PDP",
        names_checked=checked,
        notes=notes,
        asked=allowed.size,
        started=started,
        seconds=time.perf_counter() - clock,
        policy_version=policy_version,
        scope=scope,
        principal_policy_version=principal_policy_version,
        principal_scope=principal_scope,
        aux_data=aux_data is not None,
    )
    return Decisions(
        cells=EveryCell(allowed),
        kind=kind,
        principals=principals.copy(),  # what the next cell does to the frame is not ours
        names=tuple(names),
        actions=asked,
        axes=axes,
        fixed=fixed,
        provenance=provenance,
    )


def read_attributes(
    attr: Mapping[str, object] | None,
    attributes: Mapping[str, object],
    resource_id: str | Sequence[str],
) -> tuple[tuple[Axis, ...], dict[str, Any]]:
    """Split what the caller gave into axes and fixed values, and check each value.

    ``resource_id`` comes back under its own name: as an axis or as a fixed value.
    """
    for name in LATER:
        if name in attributes:
            msg = f"'{name}' is no option yet; an attribute of that name goes into attr={{'{name}': …}}"
            raise InputError(msg)
    both = sorted(set(attr or {}) & set(attributes))
    if both:
        msg = f"given twice, as a keyword and in attr=: {both}"
        raise InputError(msg)
    axes: list[Axis] = []
    fixed: dict[str, Any] = {}
    given: dict[str, object] = {**(attr or {}), **attributes}
    if "resource_id" in given:
        msg = "'resource_id' names the resource's id here; an attribute can't take that name"
        raise InputError(msg)
    for name, value in {**given, "resource_id": resource_id}.items():
        if not isinstance(name, str) or not name:
            msg = f"an attribute's name must be a non-empty string, not {name!r}"
            raise InputError(msg)
        text(name, "an attribute's name")
        values = _axis_values(value, name)
        if values is None:
            fixed[name] = clean(value, f"attribute '{name}'")
        elif name in COLUMNS:
            msg = f"an axis can't be called '{name}': every table of decisions has a column '{name}'"
            raise InputError(msg)
        else:
            axes.append(_axis(name, values))
    _check_resource_ids(axes, fixed)
    return tuple(axes), fixed


def _axis_values(value: object, name: str) -> list[object] | None:
    """The values of an axis, or None for a fixed value."""
    if isinstance(value, (list, tuple, range)):
        return list(value)
    if isinstance(value, (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        if getattr(value.dtype, "kind", "") in "mM":
            msg = f"axis '{name}': Cerbos has no type for {value.dtype}; give texts, such as .isoformat()"
            raise InputError(msg)
        values: object = np.asarray(value, dtype=object).tolist()
        return values if isinstance(values, list) else None
    if isinstance(value, (set, frozenset)):
        msg = f"axis '{name}': a set has no order; give a list"
        raise InputError(msg)
    if isinstance(value, pd.DataFrame) or hasattr(value, "__next__"):
        msg = f"axis '{name}': give a list, not a {type(value).__name__}"
        raise InputError(msg)
    return None


def _axis(name: str, given: list[object]) -> Axis:
    if not given:
        msg = f"axis '{name}' has no values"
        raise InputError(msg)
    values = [clean(value, f"axis '{name}'[{i}]") for i, value in enumerate(given)]
    seen: dict[str, int] = {}
    for i, value in enumerate(values):
        first = seen.setdefault(key(value), i)
        if first != i:
            msg = f"axis '{name}' has the value {label(value)} twice, at {first} and {i}"
            raise InputError(msg)
    return Axis(name, tuple(values))


def _check_resource_ids(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> None:
    ids = [fixed["resource_id"]] if "resource_id" in fixed else list(axes[-1].values)
    for value in ids:
        if not isinstance(value, str) or isinstance(value, Relation) or not value:
            msg = f"resource_id must be a non-empty string or a list of them, not {value!r}"
            raise InputError(msg)


def _actions(  # noqa: C901 - one check a way to be wrong
    pdp: PDP, kind: str, actions: Sequence[str] | str | None, *, policy_version: str, scope: str
) -> tuple[tuple[str, ...], bool]:
    """The actions to ask about, and whether the policies could be looked at to check them."""
    if not isinstance(kind, str) or not kind:
        msg = f"the resource kind must be a non-empty string, not {kind!r}"
        raise InputError(msg)
    text(kind, "the resource kind")
    known = pdp.actions(kind, policy_version=policy_version, scope=scope)
    if actions is None and known is None:
        msg = "name the actions: this PDP does not tell its policies (it takes its Admin API, admin=)"
        raise InputError(msg)
    if actions is None:
        plain = [action for action in known or () if "*" not in action]
        if not plain:
            msg = f"name the actions: the policies of '{kind}' name none that is no pattern"
            raise InputError(msg)
        return tuple(plain), True
    asked = [actions] if isinstance(actions, str) else list(actions)
    if not asked:
        msg = "actions is empty; leave it out for all that the policies name"
        raise InputError(msg)
    for action in asked:
        if not isinstance(action, str) or not action:
            msg = f"an action must be a non-empty string, not {action!r}"
            raise InputError(msg)
        text(action, "an action")
        if known is not None:
            pdp.check_action(action, kind, known)
    twice = sorted({action for action in asked if asked.count(action) > 1})
    if twice:
        msg = f"given twice in actions: {twice}"
        raise InputError(msg)
    if len(asked) > MAX_PER_REQUEST:
        msg = f"{len(asked)} actions; Cerbos takes {MAX_PER_REQUEST} a resource at most"
        raise InputError(msg)
    if known is None:
        warnings.warn(
            f"the PDP does not tell its policies, so '{kind}' and {asked} could not be checked for "
            "spelling: a wrong name reads as DENY",
            LabWarning,
            stacklevel=3,
        )
    return tuple(asked), known is not None


def _check_size(people: int, axes: Sequence[Axis]) -> None:
    cells = people
    for axis in axes:
        cells *= len(axis.values)
    if cells > MOST_CELLS:
        msg = f"{cells:,} combinations for each action; {MOST_CELLS:,} at most when every cell is asked"
        raise InputError(msg)


def _notes(pdp: PDP, kind: str, given: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know of the attributes: a misspelt name reads as DENY, without a word."""
    read, of_kind = pdp.resource_attributes(kind)
    unread = [name for name in given if name not in read and name != "resource_id"]
    left = sorted(of_kind - set(given))
    notes = []
    if unread:
        notes.append(f"No policy reads {', '.join(unread)}.")
    if left:
        notes.append(f"Read by the policies of {kind}, but not sent: {', '.join(left)}.")
    return tuple(notes)


def _every_cell(
    pdp: PDP,
    people: Sequence[Principal],
    axes: Sequence[Axis],
    fixed: Mapping[str, Any],
    actions: Sequence[str],
    *,
    kind: str,
    resource: tuple[str, str],
    principal: tuple[str, str],
    aux_data: request_pb2.AuxData | None,
) -> npt.NDArray[np.bool_]:
    """``allowed[principal, action, *axes]``, each cell asked.

    Goes through the combinations in chunks of one request, and asks every principal about a
    chunk before the next: a chunk's messages are built once, and no more than one is held.
    """
    shape = tuple(len(axis.values) for axis in axes)
    combinations = int(np.prod(shape, dtype=np.int64))
    allowed = np.zeros((len(people), len(actions), combinations), dtype=np.bool_)
    version, scope = principal
    who = [messages.principal_message(p, policy_version=version, scope=scope) for p in people]
    slices = [
        slice(start, min(start + MAX_PER_REQUEST, combinations))
        for start in range(0, combinations, MAX_PER_REQUEST)
    ]

    def batches() -> Iterator[tuple[engine_pb2.Principal, Sequence[messages.Entry]]]:
        products = itertools.product(*(axis.values for axis in axes))
        names = [axis.name for axis in axes]
        for part in slices:
            chunk = itertools.islice(products, part.stop - part.start)
            entries = messages.Entries(
                [_resource({**fixed, **dict(zip(names, values, strict=True))}) for values in chunk],
                kind=kind,
                actions=actions,
                policy_version=resource[0],
                scope=resource[1],
                other=OTHER_ID,
            )
            for person, message in zip(people, who, strict=True):
                yield message, entries.for_principal(person.id)

    places = itertools.product(slices, range(len(people)))
    answers = pdp.check(batches(), actions, aux_data)
    with closing(answers), progress(allowed.size, "decisions") as advance:
        for (part, row), answer in zip(places, answers, strict=True):
            allowed[row, :, part] = answer.T
            advance(answer.size)
    return allowed.reshape((len(people), len(actions), *shape))


def _resource(values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A combination as resource id and attributes."""
    return values.pop("resource_id"), values

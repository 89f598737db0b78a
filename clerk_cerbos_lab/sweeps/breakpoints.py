"""Breakpoints: the values that policies compare an axis with, for a principal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import steps_of
from clerk_cerbos_lab.policies.cel import Call, Literal
from clerk_cerbos_lab.policies.paths import ELEMENT, path_of
from clerk_cerbos_lab.values import MISSING, OTHER_ID, RESOURCE_ID, is_number, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.policies.analysis import Comparison
    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.paths import Path
    from clerk_cerbos_lab.policies.policy_set import Environment


class Computed:
    """Marks a value that only the PDP can compute."""


COMPUTED: Final = Computed()


@dataclass(frozen=True, slots=True)
class Breakpoints:
    """What the answers of a class can depend on along one axis.

    Attributes:
        numbers: ascending, finite, distinct.
        texts: ascending, distinct.
    """

    numbers: tuple[float, ...]
    texts: tuple[str, ...]


# -- finding them -----------------------------------------------------------------------------


def breakpoints_from(values: Iterable[object]) -> Breakpoints:
    """Every number and text in these values, at any depth."""
    numbers: set[float] = set()
    texts: set[str] = set()
    _collect(values, numbers, texts)
    return Breakpoints(tuple(sorted(numbers)), tuple(sorted(texts)))


def _collect(value: object, numbers: set[float], texts: set[str]) -> None:
    if isinstance(value, str):
        texts.add(str(value))
    elif is_number(value):
        number = float(value)
        if np.isfinite(number):
            numbers.add(number + 0.0)  # -0.0 compares like 0.0
    elif isinstance(value, dict):
        _collect(list(value.items()), numbers, texts)
    elif isinstance(value, (list, tuple, set)) or hasattr(value, "__next__"):
        for item in value:  # type: ignore[attr-defined]
            _collect(item, numbers, texts)


def value_of(
    comparison: Comparison, person: Principal, sent: Mapping[str, Sequence[object]], kind: str
) -> list[object] | Computed:
    """The possible values of the other side of a comparison, for a principal.

    Args:
        comparison: the comparison.
        person: the principal.
        sent: each resource attribute that is sent, with its values; including ``resource_id``.
        kind: of the resource.

    Returns:
        The values, possibly too many (all elements of a list); none for something absent, which is an
        error whatever it is compared with; ``COMPUTED`` if only the PDP can compute them.
    """
    if comparison.path is not None:
        return _at(comparison.path, comparison.environment, person, sent, kind)
    return _plain(comparison.other, comparison.environment, person, sent, kind)


def _plain(
    node: Node,
    environment: Environment,
    person: Principal,
    sent: Mapping[str, Sequence[object]],
    kind: str,
) -> list[object] | Computed:
    if isinstance(node, Literal):
        return [float(node.value) if type(node.value) is int else node.value]
    path = path_of(node, environment, {})
    if path is not None:
        return _at(path, environment, person, sent, kind)
    if isinstance(node, Call) and node.function == "list":
        parts = [_plain(part, environment, person, sent, kind) for part in node.arguments]
        if not any(isinstance(part, Computed) for part in parts):
            return [item for part in parts for item in part]  # type: ignore[union-attr]
    return COMPUTED


def _at(
    path: Path,
    environment: Environment,
    person: Principal,
    sent: Mapping[str, Sequence[object]],
    kind: str,
) -> list[object] | Computed:
    root, *rest = path
    start: list[object]
    if root == "C":
        start = [dict(environment.constants)]
    elif root == "P" and rest[:1] == ["attr"]:
        start, rest = [dict(person.attr)], rest[1:]
    elif root == "P" and rest[:1] == ["id"]:
        start, rest = [person.id], rest[1:]
    elif root == "P" and rest[:1] == ["roles"]:
        start, rest = [list(person.roles)], rest[1:]
    elif root == "R" and rest[:1] == ["attr"] and len(rest) > 1:
        return _sent_at(tuple(rest[1:]), person, sent)
    elif root == "R" and rest[:1] == ["id"]:
        start, rest = list(sent[RESOURCE_ID]), rest[1:]
    elif root == "R" and rest[:1] == ["kind"]:
        start, rest = [kind], rest[1:]
    else:
        return COMPUTED
    return _followed(start, rest)


def _sent_at(path: Path, person: Principal, sent: Mapping[str, Sequence[object]]) -> list[object] | Computed:
    """The possible values below the resource's attributes, some of which may be inside maps."""
    found: list[object] = []
    for name, values in sent.items():
        steps = steps_of(name)
        if steps[: len(path)] == path and len(steps) > len(path):
            return COMPUTED  # a map that is put together for each resource
        if path[: len(steps)] == steps and name != RESOURCE_ID:
            held = [resolve(value, own=person.id, other=OTHER_ID) for value in values if value is not MISSING]
            found += _followed(held, path[len(steps) :])
    return found


def _followed(start: list[object], path: Iterable[str]) -> list[object]:
    """What a path leads to inside these values."""
    for step in path:
        start = list(_step(start, step))
    return start


def _step(values: Iterable[object], step: str) -> Iterable[object]:
    for value in values:
        if step == ELEMENT:
            if isinstance(value, (list, dict)):
                yield from value
        elif isinstance(value, dict) and step in value:
            yield value[step]

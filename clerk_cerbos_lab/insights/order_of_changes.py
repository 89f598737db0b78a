"""Which of the changes that turn a decision around are told, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.insights.what_may_vary import ROLE
from clerk_cerbos_lab.values import is_number, key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.insights.smallest_changes import Hit
    from clerk_cerbos_lab.insights.what_may_vary import Variable


def without_other_ways(hits: list[Hit], variables: Sequence[Variable], held: tuple[str, ...]) -> list[Hit]:
    """Without a role that is added, if replacing the only role by it is enough, or the other way round."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for hit in sorted(hits, key=lambda one: _preference(one, variables, held)):
        new = tuple(
            (place, sorted(set(value) - set(held)) or value)
            if variables[place].owner == ROLE
            else (place, is_number(value) or key(value))
            for place, value in sorted(hit.values.items())
        )
        mark = (str(new), len(hit.values))
        role = any(variables[place].owner == ROLE for place in hit.values)
        if role and mark in seen and not any(place in hit.intervals for place in hit.values):
            continue
        seen.add(mark)
        kept.append(hit)
    return kept


def _preference(hit: Hit, variables: Sequence[Variable], held: tuple[str, ...]) -> int:
    roles = [value for place, value in hit.values.items() if variables[place].owner == ROLE]
    return sum((len(role) == 1) != (len(held) == 1) for role in roles)


def order_of(hit: Hit, variables: Sequence[Variable]) -> tuple[Any, ...]:
    """Fewest changes first; then attributes of the resource, roles, attributes of the principal."""
    weights = {"R": 0, ROLE: 1, "P": 2}
    kinds = sorted((weights[variables[place].owner] for place in hit.values), reverse=True)
    return len(hit.values), kinds, sorted(hit.values)

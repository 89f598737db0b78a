"""From counts to what is shown: which parts are covered, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.decisions.coverage import (
    COVERED,
    IMPOSSIBLE,
    NOBODY,
    NOT_REACHED,
    PARTLY,
    CoveredPart,
    Outcomes,
)
from clerk_cerbos_lab.insights.coverage_counts import FALSE, REACHED, TRUE, UNKNOWN
from clerk_cerbos_lab.insights.coverage_limits import Limits
from clerk_cerbos_lab.insights.coverage_parts import ATOM, DERIVED_ROLE, RULE

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    import numpy.typing as npt

    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.coverage_counts import Counts
    from clerk_cerbos_lab.insights.coverage_parts import Part, Parts
    from clerk_cerbos_lab.policies.index import PolicyIndex

_COLUMNS: Final = {"true": TRUE, "false": FALSE}

_LAST: Final = 1 << 30


def covered_parts(
    index: PolicyIndex, parts: Parts, counts: Counts, disclosure: Disclosure
) -> tuple[CoveredPart, ...]:
    """Each part with its counts, by file and line."""
    made = _Result(index, parts, counts, disclosure)
    found = [made.part(place) for place in range(len(parts.every))]
    order = {RULE: 0, DERIVED_ROLE: 0, "variable": 1, ATOM: 2}
    found.sort(key=lambda one: (one.file, one.line or _LAST, order[one.part]))
    return tuple(found)


class _Result:
    """Says what became of each part."""

    def __init__(self, index: PolicyIndex, parts: Parts, counts: Counts, disclosure: Disclosure) -> None:
        self._parts = parts
        self._counts = counts
        self._shown = disclosure
        self._limits = Limits(index, parts, counts)
        self._by_number = {one.number: one for one in parts.policies}

    def part(self, place: int) -> CoveredPart:
        """One part."""
        one, cells, people = self._parts.every[place], self._counts.cells[place], self._counts.people[place]
        possible, why = self._limits.of(place)
        wanted = self._wanted(place, one, possible)
        seen = tuple(name for name in wanted if cells[_COLUMNS.get(name, TRUE)])
        status, note = self._status(place, one, possible, why)
        if status == COVERED and wanted != seen:
            status = PARTLY
            missing = " and ".join(name for name in wanted if name not in seen)
            note = "; ".join(filter(None, [f"never {missing}", note]))
        if place in self._counts.disagreeing:
            note = "; ".join(filter(None, [note, "its condition is something else when it is asked alone"]))
        if cells[UNKNOWN]:
            note = "; ".join(filter(None, [note, "not always known"]))
        text, mask = self._shown.text, self._shown
        return CoveredPart(
            part=one.part,
            file=mask.file(one.file),
            line=one.line,
            policy=text(one.policy),
            rule=text(one.rule),
            text=text(one.text),
            people=_outcomes(people, self._counts.total_people),
            cells=_outcomes(cells, self._counts.total_cells),
            reached=int(people[REACHED]),
            wanted=wanted,
            status=status,
            note=note,
        )

    def _wanted(self, place: int, one: Part, possible: Collection[int]) -> tuple[str, ...]:
        if one.part in {RULE, DERIVED_ROLE}:
            return ("true",) if TRUE in possible else ()
        as_condition = one.boolean or (one.part == "variable" and self._is_condition(place))
        if not as_condition:
            return ()
        return tuple(name for name, outcome in _COLUMNS.items() if outcome in possible and len(possible) > 1)

    def _is_condition(self, place: int) -> bool:
        """Whether a variable of one atom is true or false, as far as was seen."""
        one, cells = self._parts.every[place], self._counts.cells[place]
        single = one.expression is not None and one.expression.form in {"atom", "unread"}
        return single and bool(cells[TRUE] or cells[FALSE])

    def _status(  # noqa: PLR0911 - one return per status
        self, place: int, one: Part, possible: Collection[int], why: str
    ) -> tuple[str, str]:
        """The status if everything that was evaluated counted, and the reason."""
        reached = bool(self._counts.cells[place][REACHED])
        if not possible and not reached:
            return IMPOSSIBLE, why
        if one.part in {RULE, DERIVED_ROLE}:
            if TRUE not in possible and not self._counts.cells[place][TRUE]:
                return IMPOSSIBLE, why
            if reached:
                return COVERED, ""
            return self._not_reached(place, one)
        if len(possible) == 1:
            return IMPOSSIBLE, why
        if reached:
            return COVERED, why
        above = [
            self._parts.of_rule[key] if what == RULE else self._parts.of_role[key]
            for (what, key), some in self._parts.watched.items()
            if any(watched.part == place for watched in some)
        ]
        reasons = [self._not_reached(part, self._parts.every[part]) for part in above]
        nobody = all(status == NOBODY for status, _ in reasons)
        return (NOBODY if nobody else NOT_REACHED), reasons[0][1]

    def _not_reached(  # noqa: PLR0911 - one return per reason
        self, place: int, one: Part
    ) -> tuple[str, str]:
        """Why a rule or derived role was not evaluated."""
        policy = self._by_number[one.number]
        if place not in self._counts.held:
            needed = policy.name
            if policy.type == "principal":
                return NOBODY, "no request is by this principal"
            if one.of_role is not None:
                needed = ", ".join(one.of_role.parent_roles)
            elif policy.type == "resource" and one.of_rule is not None:
                needed = ", ".join([*one.of_rule.roles, *one.of_rule.derived_roles])
            return NOBODY, f"nobody has the role {self._shown.text(needed)}"
        if policy.type != "derived roles" and policy.number not in self._counts.reached:
            return NOT_REACHED, "no request reaches this version and scope"
        if one.of_rule is not None:
            asked = any(one.of_rule.names_action(action) for _, action in self._counts.asked)
            if not asked:
                return NOT_REACHED, "no request asks for its actions"
            if not one.of_rule.roles and one.of_rule.derived_roles:
                return NOT_REACHED, "its derived roles were never held, or another rule came first"
            return NOT_REACHED, "another rule or policy always came first"
        return NOT_REACHED, "no rule that names it was asked about"


def _outcomes(row: npt.NDArray[np.int64], total: int) -> Outcomes:
    true, false, error, value, unknown, reached = (int(one) for one in row)
    return Outcomes(true, false, error, value, unknown, total - reached)

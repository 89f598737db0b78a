"""Coverage as data: how often each part of the policies was true, false or an error, and what is left.

``insights`` makes these values and ``display`` draws them. They contain counts and policy texts, in which
pseudonyms stand in place of ids.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.decisions.views import drawn_by

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

COVERED: Final = "covered"
PARTLY: Final = "partly covered"
NOT_REACHED: Final = "not reached"
NOBODY: Final = "nobody has the role"
IMPOSSIBLE: Final = "impossible"

STATUSES: Final = (COVERED, PARTLY, NOT_REACHED, NOBODY, IMPOSSIBLE)
"""What became of a part.

``not reached``: not by these requests. ``nobody has the role``: none of these people, whatever the values.
``impossible``: for no people and no values, such as an atom that compares two constants.
"""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How often a part was what.

    Attributes:
        true: a rule applied, a derived role was held, an expression was true.
        false: it did not apply, was not held, was false.
        error: an attribute was missing or had the wrong type, or another error.
        value: it was something else than true and false; only of variables and the like.
        unknown: it could not be asked.
        unreached: it was not evaluated.
    """

    true: int
    false: int
    error: int
    value: int
    unknown: int
    unreached: int


@dataclass(frozen=True, slots=True)
class CoveredPart:
    """A part of a policy, and how often it was what.

    Attributes:
        part: ``rule``, ``derived role``, ``variable`` or ``atom``.
        file: the policy's file.
        line: in the file, if known.
        policy: as Cerbos calls it, such as ``resource.expense.vdefault``.
        rule: the rule, derived role or variable that it is or belongs to.
        text: of a rule its effect and actions, else CEL.
        people: how many people had each outcome in at least one cell; one person can have several.
        cells: in how many cells it had each outcome.
        reached: how many people it was evaluated for.
        wanted: the outcomes that a complete test would see: ``true`` of rules and derived roles, ``true`` and
            ``false`` of atoms; without those that are impossible.
        status: one of ``STATUSES``.
        note: why it is not covered, in words.
    """

    part: str
    file: str
    line: int | None
    policy: str
    rule: str
    text: str
    people: Outcomes
    cells: Outcomes
    reached: int
    wanted: tuple[str, ...]
    status: str
    note: str

    @property
    def seen(self) -> tuple[str, ...]:
        """The wanted outcomes that were seen."""
        return tuple(name for name in self.wanted if getattr(self.cells, name))


@dataclass(frozen=True, slots=True, repr=False)
class Coverage:
    """What some requests exercise of the policies. As the last line of a notebook cell it is shown.

    Attributes:
        title: what was covered by what, in a few words.
        parts: rules, derived roles, variables and atoms, by file and line.
        files: the policy files that have parts, by path, as they are shown; empty if they are not available.
        people: how many principals there are.
        cells: how many decisions: principals, actions and values.
        unit: what the people are called.
        notes: what a reader must know.
        made: when, in seconds since 1970.
    """

    title: str
    parts: tuple[CoveredPart, ...]
    files: Mapping[str, str]
    people: int
    cells: int
    unit: str
    notes: tuple[str, ...]
    made: float

    @property
    def wanted(self) -> int:
        """How many outcomes a complete test would see."""
        return sum(len(part.wanted) for part in self.parts)

    @property
    def seen(self) -> int:
        """How many of them were seen."""
        return sum(len(part.seen) for part in self.parts)

    @property
    def percent(self) -> float:
        """Their share in percent; 100 if there is nothing to see."""
        return 100.0 * self.seen / self.wanted if self.wanted else 100.0

    def frame(self) -> pd.DataFrame:
        """One row per part.

        Returns:
            A DataFrame with the columns ``file``, ``line``, ``policy``, ``rule``, ``part`` (``rule``,
            ``derived role``, ``variable``, ``atom``), ``text``, ``status``, then in people ``true``,
            ``false``, ``error``, ``value``, ``unknown`` (at least once; one person can be in several),
            ``unreached`` (never) and ``people`` (for whom it was evaluated), the same in cells as
            ``cells_true`` and so on, and ``note``.
        """
        rows: list[dict[str, Any]] = []
        for one in self.parts:
            row: dict[str, Any] = {
                "file": one.file,
                "line": one.line,
                "policy": one.policy,
                "rule": one.rule,
                "part": one.part,
                "text": one.text,
                "status": one.status,
                **dataclasses.asdict(one.people),
                "people": one.reached,
            }
            row |= {f"cells_{name}": many for name, many in dataclasses.asdict(one.cells).items()}
            rows.append({**row, "note": one.note})
        columns = [*_COLUMNS, *_OUTCOMES, "people", *(f"cells_{name}" for name in _OUTCOMES), "note"]
        made = pd.DataFrame(rows, columns=columns)
        return made.astype({"line": "Int64"})

    def to_cobertura(self, path: str | os.PathLike[str]) -> None:
        """Write a Cobertura XML file, which most CI services can show beside the policies.

        A line is hit as often as its part was evaluated, in cells (a rule: as often as it applied); an atom
        is a branch with two ways, true and false. What is impossible is left out.

        Args:
            path: of the file; it is written completely or not at all.
        """
        drawn_by("coverage cobertura")(self, path)

    def __repr__(self) -> str:
        return str(drawn_by("coverage text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("coverage html")(self))


_COLUMNS: Final = ("file", "line", "policy", "rule", "part", "text", "status")

_OUTCOMES: Final = ("true", "false", "error", "value", "unknown", "unreached")

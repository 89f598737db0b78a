"""Counterfactuals as data: the smallest changes that would turn a decision around.

``insights`` makes these values and ``display`` draws them. They contain what may be shown: pseudonyms in
place of ids, and no value of an attribute that may be personal, unless ``names=True`` was given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.decisions.views import drawn_by

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final = (
    *("counterfactual", "changes", "effect", "what", "now", "value", "on_axis", "lower", "lower_closed"),
    *("upper", "upper_closed", "sentence", "call"),
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that is changed.

    Attributes:
        what: its name: an attribute of the resource, ``principal.region``, or ``role``.
        now: its present value as text.
        value: the value that was asked; None if it may not be shown. For a number, the nearest one to the
            cent. For roles a tuple.
        label: the value, or for a number the bound that is nearest, as text: ``west``, ``≤ 10,000``.
        on_axis: the nearest number of the axis; None if it has none there.
        lower: of a number, the interval in which the effect is the same if everything else is as it says.
        lower_closed: whether the effect is the same at the lower end.
        upper: its upper end; both are None for what is no number, or may not be shown.
        upper_closed: whether the effect is the same at the upper end.
    """

    what: str
    now: str
    value: Any
    label: str
    on_axis: float | None = None
    lower: float | None = None
    lower_closed: bool = False
    upper: float | None = None
    upper_closed: bool = False


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Changes that together turn the decision around, while each part of them alone does not.

    Attributes:
        changes: what is changed, at least one thing.
        effect: with the changes: ``ALLOW`` or ``DENY``.
        sentence: such as ``ALLOW if amount were ≤ 10,000 (12,000 now)``.
        call: the Python that asks the changed request; empty if it would contain what may not be shown.
    """

    changes: tuple[Changed, ...]
    effect: str
    sentence: str
    call: str


@dataclass(frozen=True, slots=True, repr=False)
class Counterfactuals:
    """What it would take to turn a decision around. As the last line of a notebook cell it is shown.

    Attributes:
        effect: of the decision.
        principal: the label of the principal.
        roles: of the principal.
        kind: the resource kind.
        action: the action.
        attributes: of the resource, as they are shown.
        found: the counterfactuals; the fewest changes come first.
        varied: what was varied.
        most: how many things were changed at once, at most.
        asked: how many different requests the PDP answered.
        notes: what a reader must know: what could not be tried.
    """

    effect: str
    principal: str
    roles: tuple[str, ...]
    kind: str
    action: str
    attributes: Mapping[str, str]
    found: tuple[Counterfactual, ...]
    varied: tuple[str, ...]
    most: int
    asked: int
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """One row per thing that is changed.

        Returns:
            A DataFrame with the columns ``counterfactual`` (a number), ``changes`` (how many it has),
            ``effect``, the attributes of ``Changed`` (``what``, ``now``, ``value``, ``on_axis``, ``lower``,
            ``lower_closed``, ``upper``, ``upper_closed``), ``sentence`` and ``call``.
        """
        rows = [
            {
                "counterfactual": number,
                "changes": len(one.changes),
                "effect": one.effect,
                **{name: value for name, value in dataclasses.asdict(change).items() if name != "label"},
                "sentence": one.sentence,
                "call": one.call,
            }
            for number, one in enumerate(self.found)
            for change in one.changes
        ]
        table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
        numbers = dict.fromkeys(("on_axis", "lower", "upper"), "float64")
        whole = {"counterfactual": "int64", "changes": "int64"}
        flags = {"lower_closed": "bool", "upper_closed": "bool"}
        texts = dict.fromkeys(("effect", "what", "now", "sentence", "call"), "str")
        return table.astype({**numbers, **whole, **flags, **texts})

    def to_dict(self) -> dict[str, Any]:
        """The counterfactuals as plain data, which can be written as JSON."""
        return dataclasses.asdict(self)

    def __len__(self) -> int:
        """How many counterfactuals there are."""
        return len(self.found)

    def __repr__(self) -> str:
        return str(drawn_by("counterfactuals text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("counterfactuals html")(self))

"""Tune: a control for each limit of the policies, and what moving it does."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import time
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.changes_payload import changes_payload
from clerk_cerbos_lab.display.changes_text import headline
from clerk_cerbos_lab.display.following import Following
from clerk_cerbos_lab.display.matrix import Matrix
from clerk_cerbos_lab.display.view_state import START
from clerk_cerbos_lab.display.widget import bundle, widget_class
from clerk_cerbos_lab.errors import InputError, LabError
from clerk_cerbos_lab.formatting import label, number_label
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.insights.goal_values import numbers_in_question
from clerk_cerbos_lab.insights.goals import goal_of, value_for
from clerk_cerbos_lab.insights.tuning import Tuning
from clerk_cerbos_lab.pdp.editing import Draft
from clerk_cerbos_lab.policies.addresses import place, shown_value
from clerk_cerbos_lab.sweeps.sweep import sweep
from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import is_number, is_text, json_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.goal import GoalValue
    from clerk_cerbos_lab.decisions.replay import Replay
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.addresses import Limit

STEPS = 600
"""About how many positions a slider has."""


def tune(
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    /,
    *,
    records: Any = None,
    replay: Mapping[str, Any] | None = None,
    names: bool = False,
    **question: Any,
) -> Tune:
    """Move the limits of policies, and see who gains, who loses, and which past records would move.

    >>> tune = lab.tune(pdp, principals, "expense", amount=lab.amounts(0, 60_000, step=300),
    ...                 region=["northeast", "south"], owner=lab.OTHER, status="OPEN", department="sales",
    ...                 actions="approve", records="data/expenses.csv", replay={"status": "OPEN"})

    There is a control for each number, text and list that the policies compare with and that can matter to
    the question, except those that name people, unless ``names=True``. The policies stay as they are: a PDP
    on a copy decides. ``tune.draft()`` has the moves, to save.

    Args:
        pdp: a PDP that was started here; if its policies are edited, an open view follows.
        principals: a principals frame.
        kind: the resource kind.
        records: past records, as ``lab.replay`` takes them.
        replay: further arguments of ``lab.replay`` about them, such as ``{"status": "OPEN"}``.
        names: show ids and every attribute in place of pseudonyms, in the matrix.
        question: further arguments of ``lab.sweep``: actions, axes and fixed attributes.

    Returns:
        A ``Tune``; as the last line of a cell it is displayed.

    Raises:
        InputError: as ``lab.sweep`` and ``lab.replay``; if no limit can matter to the question.
        PolicyError: if the policies do not compile.
        PDPError: for a PDP at an address, whose policies can't be copied; or if a PDP refuses.
    """
    decisions = sweep(pdp, principals, kind, **question)
    return Tune(Tuning(pdp, decisions, records=records, replayed=replay), names=names)


class Tune:
    """Limits that can be moved, and what that does; ``lab.tune`` makes one.

    Its PDP ends with ``close``, with a ``with`` block, or with the process.
    """

    def __init__(self, tuning: Tuning, *, names: bool = False) -> None:
        if not tuning.limits:
            tuning.close()
            kind = tuning.before.kind
            msg = f"nothing that the policies of '{kind}' compare with can matter to this question"
            raise InputError(msg)
        self._tuning = tuning
        self._names = names and not handed_over.active()
        self._limits = self._shareable()
        self._values: dict[str, Any] = {}
        self._widget: Any = None
        self._people: dict[str, Any] | None = None
        self._request = 0

    # -- values and what they do ------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """The value of each limit, by address; assign a dict with some of them to move these.

        A limit that has no control can be moved too, by its address or a constant's name (``lab.movable``).
        """
        known = {limit.address: limit.value for limit in self._tuning.limits}
        return {**known, **self._values}

    @values.setter
    def values(self, patch: Mapping[str, Any]) -> None:
        self._follow()
        checked = {limit.address: value for limit, value in self._tuning.moves(patch)}
        moved = self._tuning.checked({**self._values, **checked})
        self._tuning.decisions(moved)  # raises before anything changes
        self._values = moved
        if self._widget is not None:
            self._show()
            self._widget.choice = self._chosen(None)

    @property
    def moved(self) -> dict[str, Any]:
        """The values that differ from the policies, by address."""
        return dict(self._values)

    @property
    def decisions(self) -> Decisions:
        """What is decided with these values."""
        return self._tuning.decisions(self._values)

    @property
    def changes(self) -> Changes:
        """Who gains and who loses what by them; each claim has a request that both PDPs were asked again."""
        return self._tuning.changes(self._values)

    @property
    def replay(self) -> Replay | None:
        """The past records, and which would move; None without ``records``."""
        return self._tuning.replay(self._values)

    def reset(self) -> None:
        """Give every limit the value that it has in the policies."""
        self.values = {
            limit.address: limit.value for limit in self._tuning.movable if limit.address in self._values
        }

    def draft(self) -> Draft:
        """A ``lab.Draft`` of the policies with the moved values, to look at its ``diff`` and to ``save``.

        Raises:
            InputError: if a value can't be changed in place.
            PolicyError: if the policies do not compile.
        """
        made = Draft(self._tuning.pdp)
        if self._values:
            try:
                made.edit(self._values)
            except BaseException:
                made.close()
                raise
        return made

    def smallest(self, limit: str, /, *, step: float | None = None, **goal: Any) -> GoalValue:
        """The smallest value of a limit that reaches a goal, with the other limits as they are moved now.

        Args:
            limit: its address, or a constant's name.
            step: as in ``lab.smallest``.
            goal: ``at_least``, ``by``, ``up_to``, ``above``, ``along``, ``action`` or ``goal``, as in
                ``lab.smallest``; and ``of_records=True`` for a goal about the past records.

        Raises: as ``lab.smallest``.
        """
        return self._found(limit, goal, step, largest=False)

    def largest(self, limit: str, /, *, step: float | None = None, **goal: Any) -> GoalValue:
        """The largest such value; see ``smallest``."""
        return self._found(limit, goal, step, largest=True)

    def _found(self, limit: str, goal: dict[str, Any], step: float | None, *, largest: bool) -> GoalValue:
        told: dict[str, Any] = {"at_least": None, "by": (), "up_to": None, "above": 0, "along": None}
        told |= {"action": None, "goal": None, "of_records": False}
        unknown = sorted(set(goal) - set(told))
        if unknown:
            msg = f"a goal has no '{unknown[0]}': there are {', '.join(told)}"
            raise InputError(msg)
        told |= goal
        wanted = goal_of(
            self._tuning.before,
            told["at_least"],
            told["by"],
            told["up_to"],
            told["above"],
            told["along"],
            told["action"],
            told["goal"],
            self._tuning.records if told["of_records"] else None,
        )
        return value_for(self._tuning, limit, wanted, step, self._values, largest=largest)

    def close(self) -> None:
        """End the PDP on the copy; can be called repeatedly."""
        self._tuning.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- showing ----------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The underlying ipywidget.

        Raises:
            InputError: if anywidget is not installed.
        """
        if self._widget is None:
            self._widget = widget_class()(
                payload=self._payload(),
                state=dict(START),
                kind="tune",
                controls=self._offered(),
                choice=self._chosen(None),
                answer=self._answer(settled=True),
            )
            self._widget.observe(self._on_choice, names="choice")
            hide = self._shown.text
            note = "Policies changed at {when}."
            Following(self._widget, self._tuning.pdp, self._draw, note=note, hide=hide)
        return self._widget

    @property
    def _shown(self) -> Disclosure:
        return self._tuning.before.shown(names=self._names)

    def _payload(self) -> bytes:
        changes = self._tuning.quick_changes(self._values)
        shown = changes.after.shown(names=self._names)
        made = changes_payload(changes, (self._shown, shown), principals=self._people)
        self._people = made.header["dims"][0]
        title = plain_text.question(changes.after, shown)
        notes = [*made.header["notes"], *plain_text.notes(changes.after, shown)]
        return dataclasses.replace(made, header={**made.header, "title": title, "notes": notes}).to_bytes()

    def _draw(self, _: PDP) -> bool:
        changed = self._follow()
        if changed:
            self._show()
            self._widget.controls = self._offered()
            self._widget.choice = self._chosen(None)
        return changed

    def _follow(self) -> bool:
        """Adopt edited policies; a moved value of a limit that is no more is dropped."""
        if not self._tuning.follow():
            return False
        kept: dict[str, Any] = {}
        for address, value in self._values.items():
            with contextlib.suppress(InputError):
                kept |= self._tuning.checked({address: value})
        self._values, self._limits, self._people = kept, self._shareable(), None
        return True

    def _show(self) -> None:
        """Send the browser what the present values do."""
        with self._widget.hold_sync():
            self._widget.payload = self._payload()
            self._widget.answer = self._answer(settled=True)

    def _shareable(self) -> list[Limit]:
        """The limits with a control: none that names somebody who is shown by a pseudonym."""
        shown = self._shown
        texts = [(limit, f"{limit.address} {label(limit.value)}") for limit in self._tuning.limits]
        return [limit for limit, text in texts if shown.text(text) == text]

    def _offered(self) -> dict[str, Any]:
        return {"limits": [self._control(limit) for limit in self._limits]}

    def _control(self, limit: Limit) -> dict[str, Any]:
        """A control as the browser draws it."""
        made: dict[str, Any] = {
            "name": limit.address,
            "label": _label(limit),
            "place": place(limit) + (f" · {limit.constant}" if limit.constant else ""),
            "value": limit.value,
            "form": "number" if is_number(limit.value) else "text" if is_text(limit.value) else "json",
        }
        if is_number(limit.value):
            made |= self._range(limit)
        return made

    def _range(self, limit: Limit) -> dict[str, float]:
        """Where a slider begins and ends, and its step: from what the limit is compared with."""
        decisions = self._tuning.before
        numbers: set[float] = set()
        with contextlib.suppress(InputError):
            numbers = numbers_in_question(limit, self._tuning.pdp.index, decisions, None)
        low = min([0.0, float(limit.value), *numbers])
        high = max([float(2 * limit.value), *numbers, 1.0])
        step = 10.0 ** math.floor(math.log10((high - low) / STEPS))
        step = next(step * m for m in (1, 2, 5, 10) if step * m * STEPS >= (high - low) * 0.999)
        while step > 1e-6 and abs((limit.value - low) / step - round((limit.value - low) / step)) > 1e-6:
            step /= 10
        return {"min": low, "max": high, "step": step}

    def _chosen(self, request: int | None) -> dict[str, Any]:
        known = {limit.address for limit in self._limits}
        return {"request": request, "values": {n: v for n, v in self.values.items() if n in known}}

    def _answer(self, *, settled: bool, error: str | None = None, seconds: float = 0) -> dict[str, Any]:
        """The report on the present values for the browser; while a slider moves, no witness is asked."""
        settled = settled or self._tuning.is_known(self._values)
        changes = self.changes if settled else self._tuning.quick_changes(self._values)
        replay = self.replay if settled else None
        return {
            "request": self._request,
            "settled": settled,
            "headline": headline(changes),
            "changes": changes._repr_html_(),
            "replay": None if replay is None else replay._repr_html_(),
            "error": error,
            "seconds": round(seconds, 4),
        }

    def _on_choice(self, change: Any) -> None:
        """A control was moved in the browser: every request gets an answer, even if it fails."""
        new = dict(change["new"])
        if new.get("request") is None or new["request"] == self._request:
            return
        self._request = new["request"]
        clock = time.perf_counter()
        before = self._values
        try:
            self._follow()
            hidden = {n: v for n, v in self._values.items() if n not in new["values"]}
            self._values = self._tuning.checked({**hidden, **new["values"]})
            made = self._payload() if before != self._values else None
            answer = self._answer(settled=bool(new.get("settled")))
        except Exception as caught:
            self._values = before
            words = str(caught) if isinstance(caught, LabError) else f"{type(caught).__name__}: {caught}"
            told = {**self._widget.answer, "request": self._request, "error": self._shown.text(words)}
            self._widget.answer = {**told, "settled": True}
            if not isinstance(caught, LabError):
                raise
            return
        with self._widget.hold_sync():
            if made is not None:
                self._widget.payload = made
            self._widget.answer = {**answer, "seconds": round(time.perf_counter() - clock, 4)}

    def _lines(self) -> list[str]:
        """What was moved: "manager-approves: amount <= 5000: 5,000 → 7,500"."""
        shown = self._shown
        now = {limit.address: limit.value for limit in self._tuning.movable}
        return [
            f"{shown.text(address)}: {shown.text(label(now[address]))} → {shown.text(label(value))}"
            for address, value in self._values.items()
        ]

    def __repr__(self) -> str:
        moved = self._lines() or ["No limit is moved."]
        replay = self.replay
        return "\n".join([*moved, repr(self.changes), *([] if replay is None else ["", repr(replay)])])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """The live view for a notebook, with what its values do to be stored."""
        replay = self.replay
        matrix = Matrix(self.decisions, names=self._names, follow=False)
        html = render(
            "tune.html.j2",
            moved=self._lines(),
            changes=self.changes._repr_html_(),
            replay="" if replay is None else replay._repr_html_(),
            matrix=matrix._repr_mimebundle_()["text/html"],
        )
        return bundle(self, html)


def _label(limit: Limit) -> str:
    """``manager-approves: amount ≤ 5,000``."""
    told = limit.address.replace("<=", "≤").replace(">=", "≥")
    if not is_number(limit.value):
        return told
    written = re.escape(shown_value(limit.value))
    return re.sub(rf"(?<![\w.]){written}(?![\w.])", number_label(json_number(limit.value)), told)

"""The explorer: controls made from the policies, and the decision matrix that follows them."""

from __future__ import annotations

import copy
import time
from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.display import plain_text, reasons
from clerk_cerbos_lab.display.following import Following
from clerk_cerbos_lab.display.headline import Line, headline
from clerk_cerbos_lab.display.payload import Payload, principal_dim
from clerk_cerbos_lab.display.view_state import START, checked_look
from clerk_cerbos_lab.display.widget import bundle, widget_class
from clerk_cerbos_lab.errors import InputError, LabError, did_you_mean
from clerk_cerbos_lab.explorer import panel
from clerk_cerbos_lab.explorer import state as states
from clerk_cerbos_lab.explorer.answers import Answers, Known, compared
from clerk_cerbos_lab.explorer.controls import Choice, Controls, controls_of
from clerk_cerbos_lab.explorer.drawn import asked, drawn, moved, title
from clerk_cerbos_lab.explorer.envelope import Envelope, checked_name
from clerk_cerbos_lab.explorer.first_state import default_state, first_state
from clerk_cerbos_lab.explorer.history import History, Moment
from clerk_cerbos_lab.explorer.linked import linked
from clerk_cerbos_lab.explorer.seen import Seen
from clerk_cerbos_lab.explorer.variants import Variants
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.principals import check_frame, read_principals, shareable_columns
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.sweeps.attributes import checked_units, read_attributes
from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import RESOURCE_ID, key, typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from pydantic import SecretStr

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

LATE: Final = 8
"""Answers in which a cell may have been selected, since the page may not have drawn the latest one yet."""


def explore(
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
    aux_data: str | SecretStr | Mapping[str, str] | messages.AuxData | None = None,
    names: bool = False,
    units: Mapping[str, str] | None = None,
    **attributes: object,
) -> Explorer:
    """Explore interactively who may do what: controls on the left, and a decision matrix that follows them.

    The controls come from the policies themselves (their actions, the attributes they read, the values they
    compare these with, their constants, a resource schema's lists, their versions and scopes if there are
    several) and from the principals' columns. A change asks the PDP only for unknown effects; moving
    amounts along an exact axis sends no request.

    Args:
        pdp: the PDP to ask; if you edit its policies, the new ones answer the next change.
        principals: a principals frame.
        kind: the resource kind, such as ``"expense"``.
        actions: actions to offer; default: all that the policies of the kind name in any offered version.
        attributes: values to start with and to offer, as in ``lab.sweep``: a scalar or a list.
        attr: the same as a dict, for names that are arguments of this function (``attr={"scope": …}``) or
            lie inside a map (``attr={"money.amount": …}``).
        resource_id: one fixed id, or a list of ids to choose from.
        policy_version: the version to start with, as in ``lab.sweep``.
        scope: the scope to start with, as in ``lab.sweep``.
        principal_policy_version: sent with the principal, if it differs; never changes.
        principal_scope: the same for the scope.
        aux_data: a JWT, or ``{"token": …, "key_set_id": …}``; the explorer holds it in memory and shows it
            nowhere: ``call`` has a variable ``aux_data`` in its place.
        names: show ids and every attribute instead of pseudonyms.
        units: units of attributes, such as ``{"amount": "USD"}``, as in ``lab.sweep``.

    Returns:
        An ``Explorer``; as the last line of a cell it is displayed.

    Raises:
        InputError: for an unknown kind, action, version or scope, a value that can't be sent, or if
            there would be no controls.
        PolicyError: if the policies do not compile.
        PDPError: if the PDP refuses a request or is lost.
    """
    aux_data = messages.hidden_aux_data(aux_data)
    axes, fixed = read_attributes(attr, attributes, resource_id)
    envelope = Envelope(
        policy_version=policy_version,
        scope=scope,
        principal_policy_version=principal_policy_version,
        principal_scope=principal_scope,
        resource_id=fixed.pop(RESOURCE_ID, "resource"),
        units=dict(units or {}),
        aux_data=aux_data,
    )
    given = {axis.name: list(axis.values) for axis in axes} | {name: [value] for name, value in fixed.items()}
    return Explorer(pdp, principals, kind, actions=actions, given=given, envelope=envelope, names=names)


class Explorer:
    """Controls and the decision matrix that follows them; ``lab.explore`` makes one.

    Attributes:
        pdp: the PDP that is asked.
        kind: the resource kind.
        asked: decisions asked of the PDP so far (property).
    """

    def __init__(
        self,
        pdp: PDP,
        principals: pd.DataFrame,
        kind: str,
        *,
        actions: Sequence[str] | str | None,
        given: Mapping[str, list[Any]],
        envelope: Envelope,
        names: bool,
    ) -> None:
        if not isinstance(pdp, PDP):
            msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
            raise InputError(msg)
        check_frame(principals)
        self.pdp = pdp
        self.kind = kind
        self._principals = principals.copy()
        self._names = names and not handed_over.active()
        self._wanted_actions = actions
        self._widget: Any = None
        self._look: dict[str, Any] = copy.deepcopy(START)
        self._watchers: list[Callable[[dict[str, Any]], object]] = []
        self._pickers: list[Callable[[dict[str, Any]], object]] = []
        self._number = 0
        self._request = 0
        self._selected: dict[str, Any] | None = None
        self._seen_lately: deque[Seen] = deque(maxlen=LATE)
        self._history = History()
        self._kept_number = 0
        self._asked_before = 0
        self._given = given
        self._start = envelope
        self._said: tuple[str, ...] = ()
        self._read_policies()
        version = self._variants.version(envelope.policy_version)
        self._start = replace(envelope, policy_version=version)
        known = self._variants.known(*self._start.policies)
        self._state = first_state(pdp, self._principals, kind, self._controls, known, self._start)
        self._first = copy.deepcopy(self._state)
        self._answer()

    def _read_policies(self) -> None:
        """Make the controls and an empty cache of answers: at the start, and after the policies change."""
        people = read_principals(self._principals)
        known = frozenset(people.attributes) if self._names else shareable_columns(self._principals)
        hidden = frozenset(people.attributes) - known
        with self.pdp.asking():  # one state of the policies
            variants = Variants(self.pdp, self.kind, self._start, self._wanted_actions)
            attributes = {name: values for name, values in self._given.items() if name != RESOURCE_ID}
            controls = controls_of(self.pdp, people, self.kind, variants.actions, attributes, hidden=hidden)
            several = {"policy_version": variants.versions, "scope": variants.scopes}
            controls.variants = {name: values for name, values in several.items() if len(values) > 1}
            if RESOURCE_ID in self._given:
                ids = self._given[RESOURCE_ID]
                controls.choices[RESOURCE_ID] = Choice(RESOURCE_ID, list(ids), given=list(ids))
            controls.check_any(self.kind)
            known_names = [*controls.choices, *([controls.range.name] if controls.range else [])]
            checked_units(self._start.units, known_names)
            self._answers = Answers(
                self.pdp,
                self._principals,
                self.kind,
                axis=controls.range.name if controls.range else None,
                names=tuple(controls.choices),
            )
        self._variants = variants
        self._controls: Controls = controls
        self._heads: dict[str, Any] | None = None
        if self._answers.digest is None:
            controls.notes.append("This PDP does not report policy changes, so every change asks again.")

    def _envelope(self, state: Mapping[str, Any]) -> Envelope:
        """The envelope of a state's requests."""
        version, scope = self._start.policies
        return replace(
            self._start, policy_version=state.get("policy_version", version), scope=state.get("scope", scope)
        )

    # -- state and decisions --------------------------------------------------------------------

    @property
    def asked(self) -> int:
        """Decisions asked of the PDP so far, without audits."""
        return self._asked_before + self._answers.asked

    @property
    def options(self) -> dict[str, list[Any]]:
        """The values that each control offers, under its name in ``state``.

        ``actions`` (those of the chosen version and scope), ``constants``, ``policy_version`` and
        ``scope`` if there are several, each attribute, and the ticks of the range.
        """
        controls = self._controls
        offered: dict[str, list[Any]] = {
            "actions": list(self._variants.known(*self._envelope(self._state).policies)),
            "constants": list(controls.constants),
        }
        offered |= {name: list(values) for name, values in controls.variants.items()}
        offered |= {states.called(name): list(choice.values) for name, choice in controls.choices.items()}
        if controls.range is not None:
            offered[states.called(controls.range.name)] = list(controls.range.ticks)
        return offered

    @property
    def state(self) -> dict[str, Any]:
        """The current choice, as a copy; assign a dict with some of the keys to change them.

        ``actions`` and each attribute: a list of values; the attribute across the top: a dict of
        ``low``, ``high`` and ``step``, or a list of amounts (then it also has ``values``); ``constants``: a
        dict of the policy constants with changed values (``{}`` for none; see ``lab.what_if``);
        ``policy_version`` and ``scope``: one name each, if the policies have several; ``look``: how the
        matrix is shown (see ``Matrix.state``). An attribute with one of these names appears as
        ``attr.scope``. If a new version or scope does not have the chosen scope, version or action, and
        none is given with it, these change only as far as necessary, and a note below the matrix says so.
        """
        return {**copy.deepcopy(self._state), "look": copy.deepcopy(self._look_now())}

    @state.setter
    def state(self, patch: Mapping[str, Any]) -> None:
        self._follow_policies()
        checked, said = self._checked(patch)
        look = checked.pop("look", None)
        if look is not None:
            self._set_look(look)
        if checked:
            self._change({**self._state, **checked}, said)

    def _look_now(self) -> dict[str, Any]:
        return self._look if self._widget is None else {**START, **self._widget.state}

    def _set_look(self, patch: Mapping[str, Any]) -> None:
        before = self._now()
        self._show_look({**before.look, **checked_look(patch)})
        if self._look != before.look:
            self._history.remember(before)
            self._tell()

    def _show_look(self, look: dict[str, Any]) -> None:
        self._look = look
        if self._widget is not None:
            self._widget.state = look

    def _checked(self, patch: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """A checked part of a state, and sentences about what had to change with it."""
        known = [*self._state, "look"]
        if not isinstance(patch, dict):
            msg = f"state takes a dict of controls and choices, not {patch!r}"
            raise InputError(msg)
        for name in patch:
            if name not in known:
                msg = f"no control '{name}'{did_you_mean(name, known)}"
                raise InputError(msg)
        checked = {name: self._checked_part(name, wanted) for name, wanted in patch.items()}
        if not {"policy_version", "scope", "actions"} & set(checked):
            return checked, ()
        return self._fitting(checked)

    def _checked_part(self, name: str, wanted: Any) -> Any:
        if name == "look":
            return wanted
        if name == "constants":
            return states.checked_constants(wanted, self._controls.constants)
        if name in self._controls.variants:
            named = checked_name(name, wanted)
            return self._variants.version(named) if name == "policy_version" else named
        across = self._controls.range
        if across is not None and name == states.called(across.name):
            return states.checked_range(name, wanted, self._state[name])
        values = states.checked_values(name, wanted)
        if name == "actions":
            return values
        if name == RESOURCE_ID:
            read_attributes(None, {}, values)  # an id is a string
        self._controls.choices[states.attribute_of(name)].add(values)
        return values

    def _fitting(self, checked: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Version, scope and actions that fit together; those not given may change, with a sentence.

        Raises:
            InputError: if those that were given do not fit together.
        """
        variants, fixed = self._variants, frozenset(checked)
        before = self._envelope(self._state).policies
        pair, said = variants.nearest(before, self._envelope({**self._state, **checked}).policies, fixed)
        wanted = checked.get("actions", self._state["actions"])
        actions, left = variants.fitting(wanted, pair, fixed="actions" in fixed)
        return {**checked, "actions": actions, **self._controls.chosen_variants(pair)}, (*said, *left)

    @property
    def call(self) -> str:
        """The ``lab.sweep(…)`` call that makes the same decisions.

        It uses the names ``lab``, ``pdp``, ``principals``, and ``aux_data`` if there is a JWT.
        """
        return self._call(lambda value: value)

    def _call(self, show: Callable[[Any], Any]) -> str:
        envelope = self._envelope(self._state)
        return states.call_of(self.kind, self._state, envelope, self._variants.default_version, show)

    @property
    def decisions(self) -> Decisions:
        """The decisions of this state, from a sweep of their own: the one in ``call``."""
        state = self._state
        attributes: dict[str, object] = {
            states.attribute_of(name): states.amounts_of(value) if isinstance(value, dict) else list(value)
            for name, value in state.items()
            if name not in states.OWN
        }
        with self._answers.open(state["constants"]) as pdp:
            return self._envelope(state).sweep(pdp, self._principals, self.kind, state["actions"], attributes)

    def counts(self) -> dict[str, int]:
        """How many decisions of this state are ALLOW and how many DENY."""
        header = self._payload.header
        return {"ALLOW": header["allow"], "DENY": header["total"] - header["allow"]}

    @property
    def change(self) -> dict[str, int] | None:
        """Decisions ``gained`` and ``lost`` because of changed constants; None if none is changed."""
        return None if self._gained_and_lost is None else dict(self._gained_and_lost)

    @property
    def selected(self) -> dict[str, Any] | None:
        """The decision that was last selected, as ``Matrix.selected``; later changes do not affect it."""
        return copy.copy(self._selected)

    def on_select(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``selected`` for each selected cell; returns a function that removes it."""
        self._pickers.append(callback)
        return lambda: self._pickers.remove(callback)

    def on_change(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``state`` after each change of it; returns a function that removes it."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def link(self, other: Explorer, *names: str) -> Callable[[], None]:
        """Keep two explorers in sync: a choice in one is also made in the other.

        Args:
            other: the other explorer, for example on a PDP with a draft of the policies.
            names: names of controls; default: all that both have.

        Returns:
            A function that ends the link.

        Raises:
            InputError: for a control that one of them does not have.
        """
        if not isinstance(other, Explorer):
            msg = f"link takes another explorer, not a {type(other).__name__}"
            raise InputError(msg)
        return linked(self, other, names)

    @property
    def _last(self) -> Decisions:
        """The latest sweep of the present answer."""
        return self._known.latest

    # -- undo ---------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Undo the last change of a control or of how the matrix is shown, if there is one.

        Changes made in Python and in the browser share one history; a drag in the browser is one change.
        """
        self._go_to(self._history.previous, self._history.undone)

    def redo(self) -> None:
        """Redo the change that was undone last."""
        self._go_to(self._history.next, self._history.redone)

    def reset(self) -> None:
        """Return to the initial choice; can be undone."""
        self._change(copy.deepcopy(self._first))

    def _now(self) -> Moment:
        return Moment(copy.deepcopy(self._state), copy.deepcopy(self._look_now()))

    def _go_to(
        self, moment: Moment | None, done: Callable[[Moment], None], now: Moment | None = None
    ) -> None:
        """Show a moment of the history; if it can't be answered, nothing changes."""
        if moment is None:
            return
        before = now or self._now()
        self._show(moment.state)
        self._show_look(moment.look)
        done(before)
        self._changed()

    def _change(self, state: dict[str, Any], said: tuple[str, ...] = (), *, kept: bool = False) -> None:
        """Show another state; ``kept`` if the browser has sent the state before the change."""
        if states.same(state, self._state):
            return
        before = self._now()
        self._show(state, said)
        if not kept:
            self._history.remember(before)
        self._changed()

    def _show(self, state: dict[str, Any], said: tuple[str, ...] = ()) -> None:
        """Answer another state; if it can't be answered, the old one stays.

        Args:
            state: the other state.
            said: sentences for the reader about what changed with it.
        """
        before = self._state, self._said
        self._follow_policies()
        self._state, self._said = self._possible(state), said
        try:
            self._answer()
        except BaseException:
            self._state, self._said = before
            raise

    def _changed(self) -> None:
        self._tell()
        for watcher in list(self._watchers):
            watcher(self.state)

    # -- asking and showing -------------------------------------------------------------------------

    def _follow_policies(self) -> None:
        """If the policies were edited, make new controls and keep the choices that are still possible."""
        if self.pdp.digest == self._answers.digest:
            return
        asked = self.asked
        self._read_policies()
        self._asked_before = asked
        self._state = self._possible(self._state)

    def _possible(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of a state of earlier controls that the present controls have."""
        controls = self._controls
        pair = self._envelope({name: state[name] for name in controls.variants if name in state}).policies
        if not (self._variants.can_be_asked(*pair) and self._variants.known(*pair)):
            pair = self._start.policies
        known = self._variants.known(*pair)
        controls.actions = self._variants.actions
        actions = [action for action in state["actions"] if action in known]
        constants = {n: v for n, v in state["constants"].items() if controls.constants.get(n, v) != v}
        found = default_state(controls, known, pair)
        found |= {"actions": actions or found["actions"], "constants": constants}
        for attribute, choice in controls.choices.items():
            name = states.called(attribute)
            if isinstance(state.get(name), list):
                choice.add(state[name])
                found[name] = state[name]
        across = states.called(controls.range.name) if controls.range is not None else ""
        if isinstance(state.get(across), dict):
            found[across] = state[across]
        return found

    def _answer(self) -> None:
        """Ask for the unknown effects of the state, and make the browser's payload."""
        clock = time.perf_counter()
        state, across = self._state, self._controls.range
        grid = states.amounts_of(state[states.called(across.name)]) if across else []
        values = {name: state[states.called(name)] for name in self._controls.choices}
        envelope = self._envelope(state)
        before = self.asked
        known = self._answers.known(envelope, state["actions"], values, grid, state["constants"])
        every = {**values, **({across.name: grid} if across else {})}
        self._gained_and_lost, base = None, None
        if state["constants"]:
            base = self._answers.known(envelope, state["actions"], values, grid, {})
            self._gained_and_lost = asdict(compared(known, base, state["actions"], every, grid))
        self._new = self.asked - before
        self._number += 1
        decisions = known.decisions(state["actions"], every, grid)
        self._moved = [] if base is None else self._moved_lines(decisions, base, every, grid)
        self._payload = self._made(known, every, grid, base, decisions)
        self._seen_lately.append(Seen(self._payload, copy.deepcopy(state), known, every, grid))
        self._known, self._every, self._grid = known, every, grid
        self._seconds = time.perf_counter() - clock

    def _moved_lines(
        self, decisions: Decisions, base: Known, values: Mapping[str, Sequence[Any]], grid: list[Any]
    ) -> list[str]:
        """What moved limits do, in sentences."""
        before = base.decisions(self._state["actions"], values, grid)
        along, counts = self._controls.range, self._gained_and_lost or {}
        shown = decisions.shown(names=self._names)
        return moved(before, decisions, along.name if along else None, counts, shown)

    def _made(
        self,
        known: Known,
        values: Mapping[str, Sequence[Any]],
        grid: list[Any],
        base: Known | None,
        decisions: Decisions,
    ) -> Payload:
        """The payload of the state for the browser."""
        last = known.latest
        shown = last.shown(names=self._names)
        if self._heads is None:
            self._heads = principal_dim(last, shown)
        across, actions = self._controls.range, self._state["actions"]
        texts = {
            "number": self._number,
            "title": title(decisions, known.envelope, self._variants.default_version, shown),
            "headline": [list(line) for line in headline(decisions, shown)],
            "notes": self._notes(known, last, shown),
            "warning": plain_text.WARNING if self._names else None,
            "asked": asked(self._state[states.called(known.axis)]) if known.axis else None,
        }
        name = across.name if across else None
        return drawn(known, actions, values, grid, name, self._heads, texts, shown, base)

    def _notes(self, known: Known, last: Decisions, shown: Disclosure) -> list[str]:
        """What a reader must know, from all sweeps, without the notes that an attribute is not sent."""
        general = [note for note in plain_text.notes(last, shown) if note not in last.provenance.notes]
        own = [shown.text(note) for note in known.notes if "not sent" not in note]
        return list(dict.fromkeys([*map(shown.text, self._said), *self._controls.notes, *general, *own]))

    @property
    def widget(self) -> Any:
        """The underlying ipywidget.

        Raises:
            InputError: if anywidget is not installed.
        """
        if self._widget is None:
            self._widget = widget_class()(
                payload=self._payload.to_bytes(),
                state=self._look,
                kind="explorer",
                controls=self._offered(),
                choice=self._chosen(),
                answer=self._report(),
            )
            self._widget.observe(self._on_choice, names="choice")
            self._widget.observe(self._on_look, names="state")
            self._widget.observe(self._on_act, names="act")
            self._widget.observe(self._on_place, names="place")
            self._conversation = reasons.Conversation(
                self._widget, self._cell, lambda: self._last.shown(names=self._names)
            )
            hide = self._last.shown(names=self._names).text
            Following(self._widget, self.pdp, self._draw, note="Policies changed at {when}.", hide=hide)
        return self._widget

    def _draw(self, pdp: PDP) -> bool:
        """Show what edited policies decide; returns whether they are others than the last ones."""
        changed = pdp.digest != self._answers.digest
        if changed:
            self._show(self._state)
            self._changed()
        return changed

    def _offered(self) -> dict[str, Any]:
        """The controls as the browser draws them."""
        return panel.offered(
            self.kind,
            self._controls,
            self._variants,
            self._envelope(self._state).policies,
            self._last.shown(names=self._names),
            exact=self._known.axis is not None,
        )

    def _chosen(self) -> dict[str, Any]:
        """The state as the browser holds it, with the number of its request."""
        return {"request": self._request, "chosen": panel.chosen(self._controls, self._state)}

    def _report(self, error: str | None = None) -> dict[str, Any]:
        """The report on the last answer for the browser, with the number of its request."""
        return {
            "request": self._request,
            "number": self._number,
            "call": self._shown_call(),
            "asked": self.asked,
            "new": self._new,
            "seconds": round(self._seconds, 4),
            "moved": self._moved,
            "said": " ".join(self._said),
            "error": error,
            "history": self._history.offered(),
        }

    def _tell(self, error: str | None = None) -> None:
        """Send the browser everything that has changed."""
        if self._widget is None:
            return
        with self._widget.hold_sync():
            self._widget.controls = self._offered()
            self._widget.choice = self._chosen()
            self._widget.payload = self._payload.to_bytes()
            self._widget.answer = self._report(error)

    def _on_choice(self, change: Any) -> None:
        """A control was changed in the browser: every request gets an answer, even if it fails."""
        new = dict(change["new"])
        request = new.get("request")
        if request is None or request == self._request:
            return None  # set by Python itself
        self._request = request
        error: Exception | None = None
        kept = self._take_kept()
        try:
            self._follow_policies()
            wanted = panel.state_of(self._controls, new["chosen"])
            other = {n: v for n, v in wanted.items() if not states.same(v, self._state.get(n))}
            if other:
                checked, said = self._checked(other)
                if not states.same({**self._state, **checked}, self._state):
                    return self._change({**self._state, **checked}, said, kept=True)  # tells
        except Exception as caught:  # noqa: BLE001 - the browser waits for an answer
            error = caught
        if error is not None and kept:
            self._history.forget()
        self._tell(None if error is None else _words(error))
        if error is not None and not isinstance(error, LabError):
            raise error
        return None

    def _take_kept(self) -> bool:
        """Remember the states before changes that the browser has sent; returns whether there were any."""
        kept = self._widget.kept or {}
        if kept.get("number", 0) <= self._kept_number:
            return False
        self._kept_number = kept["number"]
        for entry in kept["entries"]:
            self._history.remember(self._moment(entry))
        return True

    def _moment(self, entry: Mapping[str, Any]) -> Moment:
        """A moment that the browser has sent."""
        chosen = panel.state_of(self._controls, entry.get("choice") or {})
        return Moment({**copy.deepcopy(self._state), **chosen}, {**START, **entry["state"]})

    def _on_look(self, change: Any) -> None:
        """The state of the matrix was changed in the browser."""
        self._take_kept()
        self._look = {**START, **change["new"]}

    def _on_act(self, change: Any) -> None:
        """Undo, redo or reset was requested in the browser."""
        self._take_kept()
        error: Exception | None = None
        try:
            now = self._moment(change["new"]["now"])
            match change["new"]["name"]:
                case "undo":
                    self._go_to(self._history.previous, self._history.undone, now)
                case "redo":
                    self._go_to(self._history.next, self._history.redone, now)
                case "reset":
                    self.reset()
                case "add":
                    self._add(**change["new"]["value"])
        except Exception as caught:  # noqa: BLE001 - the browser waits for an answer
            error = caught
        self._tell(None if error is None else _words(error))
        if error is not None and not isinstance(error, LabError):
            raise error

    def _add(self, name: str, text: str) -> None:
        """Offer a value that was typed in the browser, and select it."""
        value = typed_value(text.strip())
        chosen = self._state[name]
        if key(value) not in {key(other) for other in chosen}:
            self.state = {name: [*chosen, value]}

    def _on_place(self, change: Any) -> None:
        """A cell was selected: find its decision in the answer in which it was seen."""
        found = change["new"] and self._seen(change["new"])
        if not found:
            return
        self._selected = found.selected(change["new"])
        for picker in list(self._pickers):
            picker(copy.copy(self._selected))

    def _seen(self, place: Mapping[str, Any]) -> Seen | None:
        """The answer in which a cell was seen; None if it was too long ago."""
        return next((one for one in self._seen_lately if one.number == place.get("number")), None)

    def _cell(self, question: Mapping[str, Any]) -> reasons.Cell:
        """The cell that the browser asks about.

        Raises:
            InputError: if the answer in which it was seen is no longer known.
        """
        seen = self._seen(question["place"])
        if seen is None:
            msg = "the controls have changed since: select the cell again"
            raise InputError(msg)
        self._answers.keep_explaining(seen.known)
        return seen.cell(question, self._last.shown(names=self._names))

    def __repr__(self) -> str:
        header = self._payload.header
        counts = self.counts()
        lines = [
            *(str(Line(*line)) for line in header["headline"]),
            *self._moved,
            f"Explorer of {header['title']}",
            self._shown_call(),
            f"{header['total']:,} decisions: {counts['ALLOW']:,} ALLOW, {counts['DENY']:,} DENY",
            header["caption"],
        ]
        return "\n".join(lines)

    def _shown_call(self) -> str:
        """The call in the form that may be shown and stored: pseudonyms in place of ids."""
        shown = self._last.shown(names=self._names)
        return self._call(shown.hidden)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """The live explorer for a notebook, with the matrix of its state to be stored."""
        if self.pdp.is_open and self.pdp.digest != self._answers.digest:
            self._show(self._state)
        known = self._known.decisions(self._state["actions"], self._every, self._grid)
        matrix = known.show(names=self._names)
        matrix.state = {name: value for name, value in self._look_now().items() if value != START[name]}
        html = matrix._repr_mimebundle_()["text/html"]
        parts = {"call": self._shown_call(), "moved": self._moved, "matrix": html}
        return bundle(self, render("explorer.html.j2", **parts))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"

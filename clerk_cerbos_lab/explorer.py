"""The explorer: controls made from the policies, and the decision matrix that follows them."""

from __future__ import annotations

import copy
import keyword
import math
import time
import warnings
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import view
from clerk_cerbos_lab.constants import what_if
from clerk_cerbos_lab.controls import Controls, Range, controls_of
from clerk_cerbos_lab.errors import InputError, LabError, LabWarning, did_you_mean
from clerk_cerbos_lab.known import Known, NotExactError
from clerk_cerbos_lab.matrix import START, bundle, inside, widget_class
from clerk_cerbos_lab.payload import Payload, assemble, principal_dim, value_dim
from clerk_cerbos_lab.pdp import PDP
from clerk_cerbos_lab.principals import read_principals
from clerk_cerbos_lab.sweeps import read_attributes, sweep
from clerk_cerbos_lab.values import MISSING, Relation, amounts, clean, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.decisions import Decisions

MOST_AMOUNTS: Final = 5_000
"""Columns of a range; a finer step is refused."""

TRIED: Final = 4
"""Values of each control that are tried for it."""

MOST_TRIED: Final = 20_000
"""Combinations looked at to find where something is allowed, so that an explorer starts there."""

MOST_PEOPLE_TRIED: Final = 60

MOST_TRIED_CONSTANTS: Final = 6
"""PDPs that are kept running for constants that were moved."""

MOST_STATES: Final = 500
"""States that can be undone."""


def explore(
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    /,
    *,
    actions: Sequence[str] | str | None = None,
    attr: Mapping[str, object] | None = None,
    names: bool = False,
    **attributes: object,
) -> Explorer:
    """Explore live who may do what: controls on the left, the decision matrix follows.

    The controls come from the policies themselves (their actions, the attributes they read, the values they
    compare these with, their constants, a resource schema's lists) and from the principals' columns. A change
    asks the PDP only what is not known yet; moving amounts over an exact axis asks nothing.

    Args:
        pdp: the PDP to ask; edit its policies, and the next change is answered by the new ones.
        principals: a principals frame.
        kind: the resource kind, such as ``"expense"``.
        actions: to offer; default: all that the policies of the kind name.
        attributes: values to start with and to offer, as in ``lab.sweep``: a scalar or a list.
        attr: the same as a dict.
        names: call principals by their ids and show every attribute; by default pseudonyms.

    Returns:
        An ``Explorer``; the last line of a cell shows it.

    Raises:
        InputError: for an unknown kind or action, a value that can't be sent, or when nothing can be turned.
        PolicyError: when the policies do not compile.
        PDPError: when the PDP refuses or is lost.
    """
    return Explorer(pdp, principals, kind, actions=actions, attr={**(attr or {}), **attributes}, names=names)


class Explorer:
    """Controls and the decision matrix that follows them; ``lab.explore`` makes one.

    Attributes:
        pdp: who is asked.
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
        attr: Mapping[str, object],
        names: bool,
    ) -> None:
        if not isinstance(pdp, PDP):
            msg = f"the first argument is a PDP, lab.PDP('policies'), not a {type(pdp).__name__}"
            raise InputError(msg)
        self.pdp = pdp
        self.kind = kind
        self._principals = principals.copy()
        self._names = names
        self._widget: Any = None
        self._look: dict[str, Any] = copy.deepcopy(START)
        self._watchers: list[Callable[[dict[str, Any]], object]] = []
        self._pickers: list[Callable[[dict[str, Any]], object]] = []
        self._answers = 0
        self._past: list[dict[str, Any]] = []
        self._future: list[dict[str, Any]] = []
        axes, fixed = read_attributes(attr, {}, "resource")
        given = {axis.name: list(axis.values) for axis in axes}
        given |= {name: [value] for name, value in fixed.items() if name != "resource_id"}
        people = read_principals(principals)
        offered = self._actions(actions)
        self._controls: Controls = controls_of(pdp, people, kind, offered, given)
        self._knowledge: dict[tuple[tuple[str, float], ...], Known] = {}
        self._exact = True
        self._asked_before = 0
        self._digest = pdp.digest
        self._state = self._first_state(given)
        self._first = copy.deepcopy(self._state)
        self._answer()

    def _actions(self, actions: Sequence[str] | str | None) -> tuple[str, ...]:
        known = self.pdp.actions(self.kind)
        if actions is not None:
            asked = (actions,) if isinstance(actions, str) else tuple(actions)
            for action in asked if known is not None else ():
                self.pdp.check_action(action, self.kind, known or ())
            if not asked:
                msg = "actions is empty; leave it out for all that the policies name"
                raise InputError(msg)
            return asked
        plain = tuple(action for action in known or () if "*" not in action)
        if not plain:
            msg = f"name the actions: the policies of '{self.kind}' name none that is no pattern"
            raise InputError(msg)
        return plain

    def _knowledge_of(self, constants: Mapping[str, float]) -> Known:
        """What is known under these values of the constants; under others another PDP is asked."""
        digest = self.pdp.digest
        if digest != self._digest:  # the policies were edited: what was tried was a change of the old ones
            self._forget(list(self._knowledge))
            self._digest = digest
        held = tuple(sorted(constants.items()))
        if held not in self._knowledge:
            pdp = what_if(self.pdp, **constants) if held else self.pdp
            self._knowledge[held] = self._new_knowledge(pdp)
            tried = [one for one in self._knowledge if one]
            self._forget([one for one in tried[:-MOST_TRIED_CONSTANTS] if one != held])
        return self._knowledge[held]

    def _forget(self, tried: Sequence[tuple[tuple[str, float], ...]]) -> None:
        for one in tried:
            known = self._knowledge.pop(one)
            self._asked_before += known.asked
            if one:
                known.pdp.close()

    def _new_knowledge(self, pdp: PDP) -> Known:
        across, exact = self._controls.range, self._exact
        names = tuple(self._controls.choices)
        if across is not None and not exact:
            names = (*names, across.name)
        return Known(pdp, self._principals, self.kind, across.name if across and exact else None, names)

    def _first_state(self, given: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Where something is allowed, so that there is something to see."""
        controls = self._controls
        state: dict[str, Any] = {"actions": [controls.actions[0]], "constants": {}}
        for name, choice in controls.choices.items():
            state[name] = list(given[name]) if name in given else choice.values[:1]
        if controls.range is not None:
            state[controls.range.name] = _range_state(controls.range)
        tried = {
            name: [value for value in choice.values if value is not MISSING][:TRIED] or [MISSING]
            for name, choice in controls.choices.items()
            if not choice.given
        }
        size = math.prod(len(values) for values in tried.values()) * len(controls.actions)
        if (not tried and len(controls.actions) == 1) or size > MOST_TRIED:
            return state
        numbers = _probes(controls.range) if controls.range else []
        attributes: dict[str, object] = {name: list(state[name]) for name in controls.choices}
        attributes |= {name: list(values) for name, values in tried.items()}
        if controls.range:
            attributes[controls.range.name] = numbers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabWarning)
            some = np.unique(np.linspace(0, len(self._principals) - 1, MOST_PEOPLE_TRIED).astype(np.intp))
            swept = sweep(
                self.pdp,
                self._principals.iloc[some],
                self.kind,
                actions=list(controls.actions),
                attr=attributes,
                audit=0,
            )
        _, first = swept.classes()
        part = swept.of(first)
        allowed = part.allowed()
        if controls.range:
            place = part.dims.index(controls.range.name)
            moving = (allowed.max(axis=place) != allowed.min(axis=place)).sum(
                axis=tuple(i for i in range(allowed.ndim - 1) if i != 1)
            )
        else:
            moving = allowed.sum(axis=tuple(i for i in range(allowed.ndim) if i != 1))
        action = int(np.argmax(moving))
        state["actions"] = [controls.actions[action]]
        rest = allowed.take([action], axis=1)
        for name in tried:
            place = part.dims.index(name)
            counts = rest.sum(axis=tuple(i for i in range(rest.ndim) if i != place))
            best = np.argsort(-counts, kind="stable").tolist()
            most = 2 if controls.choices[name].of_principal and len(set(counts.tolist())) > 1 else 1
            state[name] = [tried[name][i] for i in sorted(best[:most])]
            rest = rest.take(sorted(best[:most]), axis=place)
        return state

    # -- what it knows --------------------------------------------------------------------------

    @property
    def asked(self) -> int:
        """Decisions asked of the PDP so far, audits and confirmations left out."""
        return self._asked_before + sum(known.asked for known in self._knowledge.values())

    @property
    def options(self) -> dict[str, list[Any]]:
        """The values that each control offers: ``actions``, each attribute, and the ticks of the range."""
        offered: dict[str, list[Any]] = {"actions": list(self._controls.actions)}
        offered |= {name: list(choice.values) for name, choice in self._controls.choices.items()}
        if self._controls.range is not None:
            offered[self._controls.range.name] = list(self._controls.range.ticks)
        return offered

    @property
    def state(self) -> dict[str, Any]:
        """What is chosen: a copy; assign a dict of some of it to change it.

        ``actions`` and for each attribute a list of values; for the attribute across the top a dict of
        ``low``, ``high`` and ``step``; ``constants``: a dict of those of the policies' numbers that are moved
        (``{}`` for none; see ``lab.what_if``); ``look``: how the matrix shows it (see ``Matrix.state``).
        """
        return {**copy.deepcopy(self._state), "look": copy.deepcopy(self._look_now())}

    @state.setter
    def state(self, patch: Mapping[str, Any]) -> None:
        checked = self._checked(patch)
        look = checked.pop("look", None)
        if look is not None:
            self._set_look(look)
        if checked:
            self._change({**self._state, **checked})

    def _look_now(self) -> dict[str, Any]:
        return self._look if self._widget is None else {**START, **self._widget.state}

    def _set_look(self, patch: Mapping[str, Any]) -> None:
        for name in patch:
            if name not in START:
                msg = f"no '{name}' in the look of a matrix{did_you_mean(name, START)}"
                raise InputError(msg)
        self._look = {**self._look_now(), **copy.deepcopy(dict(patch))}
        if self._widget is not None:
            self._widget.state = self._look

    def _checked(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        known = [*self._state, "look"]
        checked: dict[str, Any] = {}
        for name, wanted in patch.items():
            if name not in known:
                msg = f"no control '{name}'{did_you_mean(name, known)}"
                raise InputError(msg)
            if name == "look":
                checked[name] = wanted
            elif name == "constants":
                checked[name] = self._checked_constants(wanted)
            elif self._controls.range is not None and name == self._controls.range.name:
                checked[name] = _checked_range(name, {**self._state[name], **dict(wanted)})
            else:
                checked[name] = self._checked_values(name, wanted)
        return checked

    def _checked_constants(self, wanted: Mapping[str, Any]) -> dict[str, float]:
        """The constants that are given another value than the policies have."""
        known = self._controls.constants
        for name, value in wanted.items():
            if name not in known:
                msg = f"no constant '{name}'{did_you_mean(name, known)}"
                raise InputError(msg)
            if isinstance(value, bool) or not isinstance(clean(value, f"constant '{name}'"), (int, float)):
                msg = f"the constant '{name}' is a number, not {value!r}"
                raise InputError(msg)
        return {name: value for name, value in wanted.items() if value != known[name]}

    def _checked_values(self, name: str, wanted: Any) -> list[Any]:
        many = isinstance(wanted, (list, tuple))
        values = [clean(v, f"'{name}'") for v in (wanted if many else [wanted])]
        if not values:
            msg = f"'{name}' needs a value: an empty choice asks nothing"
            raise InputError(msg)
        if len({key(value) for value in values}) != len(values):
            msg = f"'{name}': a value is chosen twice"
            raise InputError(msg)
        if name == "actions":
            unknown = [value for value in values if value not in self._controls.actions]
            if unknown:
                msg = f"no action '{unknown[0]}'{did_you_mean(str(unknown[0]), self._controls.actions)}"
                raise InputError(msg)
        else:
            self._controls.choices[name].add(values)
        return values

    @property
    def call(self) -> str:
        """The ``lab.sweep(…)`` call that makes the same decisions."""
        moved = [f"{name}={_python(value)}" for name, value in self._state["constants"].items()]
        pdp = f"lab.what_if(pdp, {', '.join(moved)})" if moved else "pdp"
        return f"lab.sweep({pdp}, principals, {self.kind!r}, {', '.join(_arguments(self._state))})"

    @property
    def decisions(self) -> Decisions:
        """The decisions of this state, as ``call`` makes them: a sweep of its own."""
        attributes: dict[str, object] = {}
        for name, value in self._state.items():
            if name not in {"actions", "constants"}:
                attributes[name] = _amounts(value) if isinstance(value, dict) else list(value)
        return sweep(
            self._known.pdp,
            self._principals,
            self.kind,
            actions=list(self._state["actions"]),
            attr=attributes,
        )

    def counts(self) -> dict[str, int]:
        """How many decisions of this state are ALLOW and how many DENY."""
        header = self._payload.header
        return {"ALLOW": header["allow"], "DENY": header["total"] - header["allow"]}

    @property
    def selected(self) -> dict[str, Any] | None:
        """The decision that was selected last, as ``Matrix.selected``."""
        place = None if self._widget is None else self._widget.place
        return self._decision(place) if place else None

    def on_select(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``selected`` for each cell selected; returns a function that ends this."""
        self._pickers.append(callback)
        return lambda: self._pickers.remove(callback)

    def on_change(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function with ``state`` after each change of it; returns a function that ends this."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def link(self, other: Explorer, *names: str) -> Callable[[], None]:
        """Keep two explorers in step: what is chosen in one is chosen in the other.

        Args:
            other: for example on a PDP with a draft of the policies.
            names: of controls; default: all that both have.

        Returns:
            A function that ends this.

        Raises:
            InputError: for a control that one of them does not have.
        """
        shared = names or tuple(name for name in self._state if name in other._state)
        for name in shared:
            for one in (self, other):
                if name not in one._state:  # noqa: SLF001
                    msg = f"no control '{name}' in both{did_you_mean(name, one._state)}"  # noqa: SLF001
                    raise InputError(msg)

        def follow(one: Explorer) -> Callable[[dict[str, Any]], None]:
            def act(state: dict[str, Any]) -> None:
                patch = {name: state[name] for name in shared if not _same(state[name], one._state[name])}
                if patch:
                    one.state = patch

            return act

        ends = [self.on_change(follow(other)), other.on_change(follow(self))]
        follow(other)(self.state)

        def unlink() -> None:
            for end in ends:
                end()

        return unlink

    # -- undo ---------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take the last change of a control back; nothing where there was none."""
        if self._past:
            before = self._state
            self._show(self._past[-1])
            self._past.pop()
            self._future.append(before)
            self._changed()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._future:
            before = self._state
            self._show(self._future[-1])
            self._future.pop()
            self._past.append(before)
            self._changed()

    def reset(self) -> None:
        """Choose again what was chosen at first; can be undone."""
        self._change(copy.deepcopy(self._first))

    def _change(self, state: dict[str, Any]) -> None:
        if _same(state, self._state):
            return
        before = self._state
        self._show(state)
        self._past = [*self._past[-MOST_STATES:], before]
        self._future = []
        self._changed()

    def _show(self, state: dict[str, Any]) -> None:
        """Answer another state; the old one stays where it can't be answered."""
        before, self._state = self._state, state
        try:
            self._answer()
        except BaseException:
            self._state = before
            raise

    def _changed(self) -> None:
        self._tell()
        for watcher in list(self._watchers):
            watcher(self.state)

    # -- asking and showing -------------------------------------------------------------------------

    def _answer(self) -> None:
        """Ask what is not known of the state, and make what the browser is given."""
        clock = time.perf_counter()
        across = self._controls.range
        values = {name: self._state[name] for name in self._controls.choices}
        grid = _amounts(self._state[across.name]) if across else []
        known = self._knowledge_of(self._state["constants"])
        before = self.asked
        try:
            if across is not None and known.axis is None:
                values[across.name] = grid
            known.learn(self._state["actions"], values)
        except NotExactError:
            self._exact = False
            self._forget(list(self._knowledge))
            known = self._knowledge_of(self._state["constants"])
            values[across.name if across else ""] = grid
            known.learn(self._state["actions"], values)
        self._known = known
        self._change_by_constants = self._compared(values, grid) if self._state["constants"] else None
        self._new = self.asked - before
        self._payload = self._made(values, grid)
        self._seconds = time.perf_counter() - clock

    def _compared(self, values: Mapping[str, Sequence[Any]], grid: list[Any]) -> dict[str, int]:
        """How many decisions of this state are gained and lost against the policies as they are."""
        moved, base = self._known, self._knowledge_of({})
        base.learn(self._state["actions"], values)
        cubes = []
        for known in (moved, base):
            cube, of, segments = known.cube(self._state["actions"], values)
            cubes.append((cube if segments is None else cube[..., segments.of(grid)], of))
        (now, of_now), (then, of_then) = cubes
        pairs, people = np.unique(np.column_stack([of_now, of_then]), axis=0, return_counts=True)
        found = {"gained": 0, "lost": 0}
        for (i, k), many in zip(pairs.tolist(), people.tolist(), strict=True):
            found["gained"] += many * int((now[i] & ~then[k]).sum())
            found["lost"] += many * int((then[k] & ~now[i]).sum())
        return found

    @property
    def change(self) -> dict[str, int] | None:
        """Decisions ``gained`` and ``lost`` by the constants that are moved; None while none is."""
        return None if self._change_by_constants is None else dict(self._change_by_constants)

    def _made(self, values: Mapping[str, Sequence[Any]], grid: list[Any]) -> Payload:
        cube, of, segments = self._known.cube(self._state["actions"], values)
        last = self._known.last
        assert last is not None  # noqa: S101 - something was learnt
        shown = last.shown(names=self._names)
        across = self._controls.range
        if not hasattr(self, "_heads"):
            self._heads = principal_dim(last, shown)
        dims = [
            self._heads,
            value_dim("action", self._state["actions"], shown),
            *(value_dim(name, values[name], shown) for name in self._known.names),
        ]
        places = None
        if segments is not None and across is not None:
            places = segments.of(grid)
            dims.append(value_dim(across.name, grid, shown))
        columns = across.name if across else max(dims[1:], key=lambda dim: len(dim["labels"]))["name"]
        rows = ["principal"] + [
            dim["name"] for dim in dims[1:] if len(dim["labels"]) > 1 and dim["name"] != columns
        ]
        sizes = [len(dim["labels"]) for dim in dims]
        header = {
            "title": f"{self.kind}, {_few('action', self._state['actions'])}, {len(of):,} principals",
            "scenario": None,
            "rows": rows,
            "columns": [columns],
            "fixed": [],
            "total": math.prod(sizes),
            "allow": _count(cube, of, places),
            "notes": [*self._controls.notes, *(n for n in view.notes(last, shown) if "not sent" not in n)],
            "caption": self._caption(last),
            "warning": view.WARNING if self._names else None,
            "window": [grid[0], grid[-1]] if places is not None else None,
            "asked": list(self._state[across.name].values()) if across and places is not None else None,
        }
        return assemble(header, dims, cube, of, segments, places)

    def _caption(self, last: Decisions) -> str:
        told = last.provenance
        how = "exact along " + self._known.axis if self._known.axis else "each value asked"
        policies = f"policies {told.policy_digest[:12]}" if told.policy_digest else "its own policies"
        return f"Cerbos {told.pdp_version}, {policies}, {told.evaluation} evaluation; {how}"

    @property
    def widget(self) -> Any:
        """The ipywidget behind it.

        Raises:
            InputError: when anywidget is not installed.
        """
        if self._widget is None:
            self._sent = self._chosen()
            self._widget = widget_class()(
                payload=self._payload.to_bytes(),
                state=self._look,
                kind="explorer",
                controls=self._offered(),
                choice=self._sent,
                answer=self._told(),
            )
            self._widget.observe(self._on_choice, names="choice")
            self._widget.observe(self._on_place, names="place")
        return self._widget

    def _offered(self) -> dict[str, Any]:
        """The controls as the browser draws them; values by position."""
        shown = self._known.last.shown(names=self._names) if self._known.last else None
        assert shown is not None  # noqa: S101
        across = self._controls.range
        made: dict[str, Any] = {
            "kind": self.kind,
            "actions": list(self._controls.actions),
            "choices": [
                {"name": name, "labels": [shown.value(value) for value in choice.values]}
                for name, choice in self._controls.choices.items()
            ],
            "constants": [{"name": name, "value": value} for name, value in self._controls.constants.items()],
            "range": None,
        }
        if across is not None:
            made["range"] = {
                "name": across.name,
                "ticks": across.ticks,
                "low": across.low,
                "high": across.high,
                "step": across.step,
                "exact": self._known.axis is not None,
            }
        return made

    def _chosen(self) -> dict[str, Any]:
        """The state as the browser holds it: positions of values, and the range."""
        actions = self._controls.actions
        made: dict[str, Any] = {
            "actions": [actions.index(action) for action in self._state["actions"]],
            "constants": dict(self._state["constants"]),
        }
        for name, choice in self._controls.choices.items():
            places = {key(value): i for i, value in enumerate(choice.values)}
            made[name] = [places[key(value)] for value in self._state[name]]
        if self._controls.range is not None:
            made[self._controls.range.name] = dict(self._state[self._controls.range.name])
        return made

    def _told(self, error: str | None = None) -> dict[str, Any]:
        self._answers += 1
        return {
            "number": self._answers,  # so that each answer is one, even where nothing else differs
            "call": self.call,
            "asked": self.asked,
            "new": self._new,
            "seconds": round(self._seconds, 4),
            "change": self._change_by_constants,
            "error": error,
        }

    def _tell(self, error: str | None = None) -> None:
        """Give the browser what has changed."""
        if self._widget is None:
            return
        self._sent = self._chosen()
        with self._widget.hold_sync():
            self._widget.controls = self._offered()
            self._widget.choice = self._sent
            self._widget.payload = self._payload.to_bytes()
            self._widget.answer = self._told(error)

    def _on_choice(self, change: Any) -> None:
        """A control was turned in the browser."""
        told = dict(change["new"])
        if told == self._sent:
            return
        try:
            self._sent = told
            wanted = {**self._state, **self._from_browser(told)}
            if _same(wanted, self._state):
                self._widget.answer = self._told()
            else:
                self._change(wanted)
        except LabError as error:
            self._tell(str(error))

    def _from_browser(self, told: Mapping[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for name, wanted in told.items():
            if name == "actions":
                state[name] = [self._controls.actions[i] for i in wanted]
            elif name == "constants":
                state[name] = self._checked_constants(wanted)
            elif self._controls.range is not None and name == self._controls.range.name:
                state[name] = _checked_range(name, wanted)
            else:
                state[name] = [self._controls.choices[name].values[i] for i in wanted]
            if state[name] == []:
                msg = f"{name}: choose at least one"
                raise InputError(msg)
        return state

    def _decision(self, place: Mapping[str, Any]) -> dict[str, Any]:
        index = [int(i) for i in place["index"]]
        dims = self._payload.header["dims"]
        across = self._controls.range
        last = self._known.last
        found: dict[str, Any] = {}
        for dim, i in zip(dims, index, strict=True):
            name = dim["name"]
            if name == "principal":
                found[name] = last.names[i] if last else dim["labels"][i]
            elif name == "action":
                found[name] = self._state["actions"][i]
            elif across is not None and name == across.name:
                found[name] = _amounts(self._state[name])[i]
            else:
                found[name] = self._state[name][i]
        segments = self._payload.segments
        if place.get("segment") is None or segments is None or across is None:
            return {**found, "effect": "ALLOW" if self._payload.effect(index) else "DENY"}
        first, until = (int(i) for i in place["segment"])
        ends = segments.ends(first, until)
        effect = "ALLOW" if self._payload.effect(index, first) else "DENY"
        return {**found, across.name: inside(ends), **ends, "effect": effect}

    def _on_place(self, change: Any) -> None:
        if change["new"]:
            for picker in list(self._pickers):
                picker(self._decision(change["new"]))

    def __repr__(self) -> str:
        header = self._payload.header
        counts = self.counts()
        lines = [
            f"Explorer of {header['title']}",
            self.call,
            f"{header['total']:,} decisions: {counts['ALLOW']:,} ALLOW, {counts['DENY']:,} DENY",
            header["caption"],
        ]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook shows: the live explorer; stored, the matrix of its state."""
        matrix = self.decisions.show(names=self._names)
        state = {name: value for name, value in self._look_now().items() if value != START[name]}
        matrix.state = state
        html = matrix._repr_mimebundle_()["text/html"]
        intro = (
            '<p style="font-size:12px;margin:4px 0">The explorer as it was; run the cell to turn a control. '
            f"<code>{escape(self.call)}</code></p>"
        )
        return bundle(self, intro + html)


def _few(what: str, values: Sequence[str]) -> str:
    return f"{what} {values[0]}" if len(values) == 1 else f"{len(values)} {what}s"


def _count(cube: npt.NDArray[np.bool_], of: npt.NDArray[np.intp], places: npt.NDArray[np.intp] | None) -> int:
    weights = np.bincount(of, minlength=cube.shape[0])
    if places is None:
        return int(cube.reshape(cube.shape[0], -1).sum(axis=1) @ weights)
    columns = np.bincount(places, minlength=cube.shape[-1])
    each = cube.reshape(cube.shape[0], -1, cube.shape[-1]).sum(axis=1)
    return int(weights @ each @ columns)


def _range_state(across: Range) -> dict[str, Any]:
    return {"low": across.low, "high": across.high, "step": across.step}


def _probes(across: Range) -> list[Any]:
    """One amount between any two ticks, and one beyond."""
    edges = [across.low, *across.ticks, across.high]
    middles = {(a + b) / 2 for a, b in zip(sorted(edges), sorted(edges)[1:], strict=False) if a < b}
    return sorted({*map(float, middles), float(across.high)})


def _checked_range(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(wanted) - {"low", "high", "step"}
    if unknown:
        msg = f"'{name}' has low, high and step, no '{min(unknown)}'"
        raise InputError(msg)
    low, high, step = (clean(wanted[part], f"'{name}' {part}") for part in ("low", "high", "step"))
    numbers = amounts(low, high, step=step)
    if len(numbers) > MOST_AMOUNTS:
        msg = f"'{name}' would have {len(numbers):,} values; {MOST_AMOUNTS:,} at most: take a larger step"
        raise InputError(msg)
    return {"low": low, "high": high, "step": step}


def _amounts(wanted: Mapping[str, Any]) -> list[Any]:
    return list(amounts(wanted["low"], wanted["high"], step=wanted["step"]))


def _same(one: Any, other: Any) -> bool:
    """Whether two states, or parts of them, are the same for the PDP."""
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        return all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return [key(value) for value in one] == [key(value) for value in other]
    return bool(one == other)


def _arguments(state: Mapping[str, Any]) -> Iterator[str]:
    """The keywords of the call, as Python."""
    odd: dict[str, str] = {}
    for name, value in state.items():
        if name == "constants":
            continue
        if isinstance(value, dict):
            low, high, step = (_python(value[part]) for part in ("low", "high", "step"))
            text = f"lab.amounts({low}, {high}, step={step})"
        elif len(value) == 1 and not isinstance(value[0], list) and name != "actions":
            text = _python(value[0])
        else:
            text = f"[{', '.join(_python(item) for item in value)}]"
        plain = name.isidentifier() and not keyword.iskeyword(name) and name not in _RESERVED
        if plain or name == "actions":
            yield f"{name}={text}"
        else:
            odd[name] = text
    if odd:
        inner = ", ".join(f"{name!r}: {text}" for name, text in odd.items())
        yield f"attr={{{inner}}}"


_RESERVED: Final = frozenset(
    {"attr", "resource_id", "policy_version", "scope", "principal_policy_version", "principal_scope"}
    | {"aux_data", "method", "audit", "executor"}
)
"""Names that ``lab.sweep`` has for something else."""


def _python(value: Any) -> str:
    if value is MISSING:
        return "lab.MISSING"
    if isinstance(value, Relation):
        return f"lab.{value.value}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    return repr(value)

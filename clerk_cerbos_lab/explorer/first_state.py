"""The first state of an explorer: one in which something is allowed, so that there is something to see."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.errors import LabWarning
from clerk_cerbos_lab.explorer.state import called
from clerk_cerbos_lab.values import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.explorer.controls import Controls, Range
    from clerk_cerbos_lab.explorer.envelope import Envelope
    from clerk_cerbos_lab.explorer.variants import Pair
    from clerk_cerbos_lab.pdp.client import PDP

TRIED: Final = 4
"""How many values of each control are tried."""

MOST_TRIED: Final = 20_000
"""Combinations; with more than this, the first value of each control is taken."""

MOST_PEOPLE: Final = 60


def default_state(controls: Controls, actions: Sequence[str], pair: Pair) -> dict[str, Any]:
    """The given values, or else the first value of each control.

    Args:
        controls: the controls.
        actions: the actions that can be asked in this version and scope.
        pair: the policy version and scope.
    """
    state: dict[str, Any] = {"actions": [actions[0]], "constants": {}, **controls.chosen_variants(pair)}
    for name, choice in controls.choices.items():
        state[called(name)] = list(choice.given or choice.values[:1])
    if controls.range is not None:
        state[called(controls.range.name)] = dict(controls.range.start)
    return state


def first_state(  # noqa: PLR0917 - what a sweep needs
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    controls: Controls,
    actions: Sequence[str],
    envelope: Envelope,
) -> dict[str, Any]:
    """The action whose effect changes most often with the amount, and the values with the most ALLOW.

    Asks about a few principals only; nothing that is shown depends on it.

    Args:
        pdp: the PDP to ask.
        principals: the principals frame.
        kind: the resource kind.
        controls: the controls.
        actions: the actions that can be asked in the version and scope of the envelope.
        envelope: the other arguments of each request.
    """
    state = default_state(controls, actions, envelope.policies)
    tried = {
        name: [value for value in choice.values if value is not MISSING][:TRIED] or [MISSING]
        for name, choice in controls.choices.items()
        if not choice.given
    }
    size = math.prod(len(values) for values in tried.values()) * len(actions)
    if (not tried and len(actions) == 1) or size > MOST_TRIED:
        return state
    attributes: dict[str, object] = {name: list(state[called(name)]) for name in controls.choices}
    attributes |= {name: list(values) for name, values in tried.items()}
    if controls.range:
        attributes[controls.range.name] = _probes(controls.range)
    some = np.unique(np.linspace(0, len(principals) - 1, MOST_PEOPLE).astype(np.intp))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)
        swept = envelope.sweep(pdp, principals.iloc[some], kind, actions, attributes, audit=0)
    part = swept.of(swept.classes()[1])
    allowed = part.allowed()
    action = int(np.argmax(_moving(part, allowed, controls.range)))
    state["actions"] = [actions[action]]
    rest = allowed.take([action], axis=1)
    for name, values in tried.items():
        place = part.dims.index(name)
        counts = _along(rest, place)
        most = 2 if controls.choices[name].of_principal and len(set(counts.tolist())) > 1 else 1
        best = sorted(np.argsort(-counts, kind="stable").tolist()[:most])
        state[called(name)] = [values[i] for i in best]
        rest = rest.take(best, axis=place)
    return state


def _moving(part: Decisions, allowed: npt.NDArray[np.bool_], across: Range | None) -> npt.NDArray[np.intp]:
    """How often the amounts make a difference, for each action; without amounts, how much is allowed."""
    if across is None:
        return _along(allowed, 1)
    place = part.dims.index(across.name)
    return _along(allowed.max(axis=place) != allowed.min(axis=place), 1)


def _along(cube: npt.NDArray[np.bool_], place: int) -> npt.NDArray[np.intp]:
    counts: npt.NDArray[np.intp] = cube.sum(axis=tuple(i for i in range(cube.ndim) if i != place))
    return counts


def _probes(across: Range) -> list[float]:
    """An amount between each two compared numbers, and the last edge."""
    edges = sorted({across.start["low"], *across.ticks, across.start["high"]})
    return sorted({*((a + b) / 2 for a, b in itertools.pairwise(edges)), float(edges[-1])})

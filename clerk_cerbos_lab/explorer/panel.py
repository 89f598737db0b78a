"""The data that the browser and an explorer's controls exchange: values by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.explorer.state import attribute_of, called
from clerk_cerbos_lab.values import RESOURCE_ID, key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerk_cerbos_lab.explorer.controls import Controls
    from clerk_cerbos_lab.explorer.variants import Pair, Variants
    from clerk_cerbos_lab.identity.disclosure import Disclosure

TITLES: Final = {"policy_version": "policy version", "scope": "scope of the policies"}


def offered(
    kind: str, controls: Controls, variants: Variants, pair: Pair, shown: Disclosure, *, exact: bool
) -> dict[str, Any]:
    """The controls as the browser draws them.

    Args:
        kind: the resource kind.
        controls: the controls.
        variants: the actions known in each version and scope.
        pair: the chosen version and scope.
        shown: how values are named.
        exact: whether the attribute across the top is known exactly.
    """
    known = variants.known(*pair)
    default = variants.default_scope
    empty = {
        "policy_version": "(the PDP's default)",
        "scope": f"(the PDP's default, {shown.text(default)})" if default else "(none)",
    }
    made: dict[str, Any] = {
        "kind": kind,
        "policies": [
            {
                "name": name,
                "title": TITLES[name],
                "labels": [shown.text(value) if value else empty[name] for value in values],
            }
            for name, values in controls.variants.items()
        ],
        "actions": [shown.text(action) for action in controls.actions],
        "absent": [i for i, action in enumerate(controls.actions) if action not in known],
        "choices": [
            {
                "name": called(name),
                "labels": [shown.value(value) for value in choice.values],
                "people": [choice.people.get(key(value)) for value in choice.values],
                "unusual": choice.unusual(),
                "read": [choice.read_by is None or action in choice.read_by for action in controls.actions],
                "typed": name != RESOURCE_ID,
            }
            for name, choice in controls.choices.items()
        ],
        "constants": [{"name": name, "value": value} for name, value in controls.constants.items()],
        "range": None,
    }
    across = controls.range
    if across is not None:
        name = called(across.name)
        made["range"] = {"name": name, "ticks": across.ticks, **across.start, "exact": exact}
    return made


def chosen(controls: Controls, state: Mapping[str, Any]) -> dict[str, Any]:
    """A state as the browser holds it."""
    made: dict[str, Any] = {
        "actions": [controls.actions.index(action) for action in state["actions"]],
        "constants": dict(state["constants"]),
    }
    for name, values in controls.variants.items():
        made[name] = values.index(state[name])
    for attribute, choice in controls.choices.items():
        name = called(attribute)
        places = {key(value): i for i, value in enumerate(choice.values)}
        made[name] = [places[key(value)] for value in state[name]]
    if controls.range is not None:
        name = called(controls.range.name)
        made[name] = dict(state[name])
    return made


def state_of(controls: Controls, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The browser's choice as a state, not checked."""
    state: dict[str, Any] = {}
    for name, wanted in chosen.items():
        attribute = attribute_of(name)
        if name == "actions":
            state[name] = [controls.actions[i] for i in wanted]
        elif name in controls.variants:
            state[name] = controls.variants[name][wanted]
        elif name != "constants" and attribute in controls.choices:
            state[name] = [controls.choices[attribute].values[i] for i in wanted]
        else:
            state[name] = wanted
    return state

"""Two explorers in sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.explorer import state as states

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Linkable(Protocol):
    """What is linked of an explorer."""

    kind: str

    @property
    def state(self) -> dict[str, Any]:
        """The current choice."""
        ...

    @state.setter
    def state(self, patch: Mapping[str, Any]) -> None: ...

    def on_change(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call a function after each change."""
        ...


def linked(one: Linkable, other: Linkable, names: Sequence[str]) -> Callable[[], None]:
    """Keep two explorers in sync; ``Explorer.link`` documents it."""
    shared = _shared(one, other, names)

    def follow(own: Linkable) -> Callable[[dict[str, Any]], None]:
        def act(state: dict[str, Any]) -> None:
            now = own.state
            patch = {name: state[name] for name in shared if not states.same(state[name], now[name])}
            if patch:
                own.state = patch

        return act

    follow(other)(one.state)  # first: if this fails, nothing is linked
    ends = [one.on_change(follow(other)), other.on_change(follow(one))]

    def unlink() -> None:
        for end in ends:
            end()

    return unlink


def _shared(one: Linkable, other: Linkable, names: Sequence[str]) -> Sequence[str]:
    """The controls that two explorers can share."""
    if other.kind != one.kind:
        msg = f"these two explorers are about different kinds: '{one.kind}' and '{other.kind}'"
        raise InputError(msg)
    mine, theirs = ([name for name in own.state if name != "look"] for own in (one, other))
    shared = names or tuple(name for name in mine if name in theirs)
    for name in shared:
        for own in (mine, theirs):
            if name not in own:
                msg = f"no control '{name}' in both{did_you_mean(name, own)}"
                raise InputError(msg)
    return shared

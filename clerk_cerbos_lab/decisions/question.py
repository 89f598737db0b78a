"""The question: what is asked about each principal. It is kept with its answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions import call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerk_cerbos_lab.decisions.axes import Axis


@dataclass(frozen=True, slots=True)
class Question:
    """What all requests of a sweep have in common. Together they cover every combination of the axes' values.

    It contains nothing about a PDP or principals, so it can be put to another PDP, about other people, on
    another day.

    Attributes:
        kind: the resource kind.
        actions: the actions asked about.
        axes: the attributes that vary.
        fixed: the other attributes, with ``resource_id`` if that is not an axis.
        policy_version: of the resource, and of the principal unless given; empty: the PDP's default.
        scope: of the resource, and of the principal unless given.
        principal_policy_version: sent with the principal, if it differs.
        principal_scope: sent with the principal, if it differs.
        units: of numeric attributes, by name: ``{"amount": "USD"}``.
        aux_data: a JWT for the conditions; never shown, and not part of the question that decisions keep.
        separately: ask each action in a separate request: if policies read ``runtime``, the PDP's answer for
            an action can depend on the actions before it in the request.
    """

    kind: str
    actions: tuple[str, ...]
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Any]
    policy_version: str = ""
    scope: str = ""
    principal_policy_version: str | None = None
    principal_scope: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    aux_data: Any = field(default=None, repr=False, compare=False)
    separately: bool = field(default=False, compare=False)

    @property
    def resource(self) -> tuple[str, str]:
        """Policy version and scope of the resource."""
        return self.policy_version, self.scope

    @property
    def principal(self) -> tuple[str, str]:
        """Policy version and scope sent with the principal."""
        version, scope = self.principal_policy_version, self.principal_scope
        return self.policy_version if version is None else version, self.scope if scope is None else scope

    @property
    def together(self) -> list[slice]:
        """The positions of the actions that are asked together for one resource."""
        count = len(self.actions)
        return [slice(i, i + 1) for i in range(count)] if self.separately else [slice(0, count)]

    def without_aux_data(self) -> Question:
        """The same without the JWT, which can be stored, copied and shown."""
        return dataclasses.replace(self, aux_data=None)

    def heading(self, name: str) -> str:
        """An attribute's name with its unit, such as ``amount (USD)``."""
        return f"{name} ({self.units[name]})" if name in self.units else name

    def call(self, *, aux_data: bool = False, show: Callable[[Any], Any] = lambda value: value) -> str:
        """The ``lab.sweep(…)`` call that asks this.

        Args:
            aux_data: whether a JWT was sent; the call then has a variable ``aux_data`` in its place.
            show: returns what to write in place of a value, such as a pseudonym.
        """
        attributes = {axis.name: call.axis_text(axis.values, show) for axis in self.axes}
        attributes |= {name: call.fixed_text(value, show) for name, value in self.fixed.items()}
        rest = {
            name: repr(show(value))
            for name, value in (
                ("policy_version", self.policy_version or None),
                ("scope", self.scope or None),
                ("principal_policy_version", self.principal_policy_version),
                ("principal_scope", self.principal_scope),
            )
            if value is not None
        }
        if self.units:
            rest["units"] = call.python_text(dict(self.units))
        if aux_data:
            rest["aux_data"] = "aux_data"  # the name of a variable, never its value
        return call.sweep_text("pdp", self.kind, self.actions, attributes, rest)

"""The parts of an explorer's requests other than principal, action and attributes.

Every sweep and every question of an explorer is made here, so that none of them omits a part.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.call import python_text
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.sweeps.sweep import sweep
from clerk_cerbos_lab.values import RESOURCE_ID, Relation, json_type, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.pdp import messages
    from clerk_cerbos_lab.pdp.client import PDP


@dataclass(frozen=True, slots=True)
class Envelope:
    """The arguments of ``lab.sweep`` that are not attributes, under the same names.

    Attributes:
        policy_version: of the resource, and of the principal if not given separately.
        scope: of the resource, and of the principal if not given separately.
        principal_policy_version: sent with the principal; None: the same as the resource's.
        principal_scope: sent with the principal; None: the same as the resource's.
        units: units of attributes, shown with them.
        resource_id: one fixed id; varying ids come with the attributes, as ``resource_id``.
        aux_data: a JWT for the conditions; never shown, and not copied with the rest.
    """

    policy_version: str = ""
    scope: str = ""
    principal_policy_version: str | None = None
    principal_scope: str | None = None
    resource_id: str = "resource"
    units: Mapping[str, str] = field(default_factory=dict)
    aux_data: messages.AuxData | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("policy_version", "scope"):
            checked_name(name, getattr(self, name))
        for name in ("principal_policy_version", "principal_scope"):
            if getattr(self, name) is not None:
                checked_name(name, getattr(self, name))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy or pickle without the JWT."""
        kept = [getattr(self, part.name) for part in dataclasses.fields(self) if part.name != "aux_data"]
        return (Envelope, tuple(kept))

    @property
    def policies(self) -> tuple[str, str]:
        """The version and scope of the policies that are asked."""
        return self.policy_version, self.scope

    def sweep(
        self,
        pdp: PDP,
        principals: pd.DataFrame,
        kind: str,
        actions: Sequence[str],
        attributes: Mapping[str, object],
        **more: Any,
    ) -> Decisions:
        """``lab.sweep`` of these actions and attributes; ``more`` is passed on unchanged."""
        attr = dict(attributes)
        return sweep(
            pdp,
            principals,
            kind,
            actions=list(actions),
            attr=attr,
            resource_id=attr.pop(RESOURCE_ID, self.resource_id),  # type: ignore[arg-type]
            policy_version=self.policy_version,
            scope=self.scope,
            principal_policy_version=self.principal_policy_version,
            principal_scope=self.principal_scope,
            aux_data=self.aux_data,
            units={name: unit for name, unit in self.units.items() if name in attributes},
            **more,
        )

    def arguments(self, default: str, show: Callable[[Any], Any]) -> Iterator[tuple[str, str]]:
        """Name and text of each argument that differs from the default of ``lab.sweep``.

        Args:
            default: the policy version that an empty one means, if known.
            show: returns the text to write in place of a value.
        """
        if self.policy_version not in {"", default}:
            yield "policy_version", repr(show(self.policy_version))
        if self.scope:
            yield "scope", repr(show(self.scope))
        for name in ("principal_policy_version", "principal_scope"):
            if getattr(self, name) is not None:
                yield name, repr(show(getattr(self, name)))
        if self.resource_id != "resource":
            yield RESOURCE_ID, repr(show(self.resource_id))
        if self.units:
            yield "units", python_text(dict(self.units))
        if self.aux_data is not None:
            yield "aux_data", "aux_data"  # the name of a variable, never what it holds


def checked_name(what: str, value: object) -> str:
    """The name of a policy version or a scope.

    Raises:
        InputError: if it is not a string, or not valid Unicode.
    """
    if not isinstance(value, str) or isinstance(value, Relation):
        msg = f"{what} is one name, a string, not {json_type(value)}"
        raise InputError(msg)
    return text(value, what)

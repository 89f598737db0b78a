"""The question: what is asked about each principal. It travels with its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cerbos.request.v1 import request_pb2

    from clerk_cerbos_lab.decisions.axes import Axis


@dataclass(frozen=True, slots=True)
class Question:
    """What all questions of a sweep have in common.

    Attributes:
        kind: the resource kind.
        actions: asked about.
        axes: the attributes that vary.
        fixed: the others, with ``resource_id`` where that is no axis.
        resource: policy version and scope of the resource.
        principal: policy version and scope sent with the principal.
        aux_data: a JWT for the conditions; shown nowhere.
        separately: ask each action by itself: where policies read ``runtime``, the PDP's answer for an action
            can depend on which actions precede it in the request.
    """

    kind: str
    actions: tuple[str, ...]
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Any]
    resource: tuple[str, str]
    principal: tuple[str, str]
    aux_data: request_pb2.AuxData | None = field(repr=False)
    separately: bool = False

    @property
    def together(self) -> list[slice]:
        """The positions of the actions that one resource of a request holds."""
        count = len(self.actions)
        return [slice(i, i + 1) for i in range(count)] if self.separately else [slice(0, count)]

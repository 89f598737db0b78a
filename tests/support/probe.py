"""Asks a PDP for the values of expressions, many in one request."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from cerbos.engine.v1 import engine_pb2
from small_policies import HEAD, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.pdp import engines, messages

ERROR: Final = "error"
"""The outcome of an expression that fails."""


class Probe:
    """A PDP with one policy whose rules put out the values of expressions.

    Args:
        folder: for the policy.
        expressions: each is a text of CEL, or a match block, whose value is whether it is satisfied.
        binary: the program to run; None for the installed one.
    """

    def __init__(
        self, folder: Path, expressions: Sequence[str | Mapping[str, Any]], binary: Path | None = None
    ) -> None:
        policy = {
            "resourcePolicy": {
                "resource": "thing",
                "version": "default",
                "rules": [_rule(f"e{i}", text) for i, text in enumerate(expressions)],
            }
        }
        write(folder, thing=HEAD + json.dumps(policy)[1:-1] + "\n")
        self._count = len(expressions)
        with pytest.MonkeyPatch.context() as patch:
            if binary is not None:
                patch.setattr(engines, "find_engine", lambda: engines.Engine("path", str(binary)))
            self.pdp = lab.PDP(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pdp.close()

    def ask(self, resources: Sequence[Mapping[str, object]], **attr: object) -> list[list[object]]:
        """Return, for each resource, the value of each expression, or ``ERROR``.

        Args:
            resources: attributes; ``lab.MISSING`` for none.
            **attr: of the principal.
        """
        wire = {name: messages.to_value(value) for name, value in attr.items()}
        person = engine_pb2.Principal(id="ann", roles=["user"], attr=wire)
        found: list[list[object]] = []
        for start in range(0, len(resources), limits.RESOURCES_PER_REQUEST):
            part = resources[start : start + limits.RESOURCES_PER_REQUEST]
            entries = messages.Entries(
                [("thing", attributes) for attributes in part],
                kind="thing",
                actions=["see"],
                policy_version="",
                scope="",
                other="other",
            )
            (outputs,) = self.pdp.outputs([(person, entries.messages)])
            assert len(outputs) == self._count * len(part)
            for row in range(len(part)):
                own = outputs[row * self._count : (row + 1) * self._count]
                by_name = {name: ERROR if error else value for name, value, error in own}
                found.append([by_name[f"e{i}"] for i in range(self._count)])
        return found


def _rule(name: str, expression: str | Mapping[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": name, "actions": ["see"], "roles": ["*"], "effect": "EFFECT_ALLOW"}
    if isinstance(expression, str):
        return {**rule, "output": {"when": {"ruleActivated": expression}}}
    when = {"ruleActivated": "true", "conditionNotMet": "false"}
    return {**rule, "condition": {"match": expression}, "output": {"when": when}}

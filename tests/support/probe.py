"""Asks a PDP what expressions and conditions are, many in one request."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from cerbos.engine.v1 import engine_pb2

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.pdp import messages

ERROR: Final = "error"
"""The outcome of an expression that fails."""


def values(
    folder: Path, expressions: Sequence[str], resources: Sequence[Mapping[str, object]]
) -> list[list[object]]:
    """Return the value of each expression for each resource, from outputs; ``ERROR`` if there is none.

    Args:
        folder: for the policy.
        expressions: in CEL.
        resources: attributes.
    """
    rules = [
        {**_rule(f"e{i}", "see"), "output": {"when": {"ruleActivated": text}}}
        for i, text in enumerate(expressions)
    ]
    _write(folder, rules, {})
    with lab.PDP(folder) as pdp:
        (outputs,) = pdp.outputs(
            [(engine_pb2.Principal(id="ann", roles=["user"]), _entries(resources, ["see"]))]
        )
    found: list[list[object]] = []
    for own in np.array_split(np.arange(len(outputs)), len(resources)):
        by_name = {name: ERROR if error else value for name, value, error in (outputs[i] for i in own)}
        found.append([by_name[f"e{i}"] for i in range(len(expressions))])
    return found


class Conditions:
    """A PDP that allows an action if a condition is satisfied, and another one if its opposite is.

    Args:
        folder: for the policy.
        conditions: each is a text of CEL, or a match block.
        binary: the program to run; None for the installed one.
        variables: of the policy.
    """

    def __init__(
        self,
        folder: Path,
        conditions: Sequence[str | Mapping[str, Any]],
        binary: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._actions: list[str] = []
        rules = []
        for i, condition in enumerate(conditions):
            block = {"expr": condition} if isinstance(condition, str) else condition
            text = isinstance(condition, str)
            opposite = {"expr": f"!({condition})"} if text else {"none": {"of": [condition]}}
            for action, match in ((f"is{i}", block), (f"not{i}", opposite)):
                rules.append({**_rule(action, action), "condition": {"match": match}})
                self._actions.append(action)
        _write(folder, rules, variables or {})
        self.pdp = lab.PDP(folder, binary=binary)

    def outcomes(
        self, numbers: range, resources: Sequence[Mapping[str, object]], **attr: object
    ) -> list[list[object]]:
        """Return for each resource the outcome of each condition: True, False, or ``ERROR`` if both fail.

        Args:
            numbers: of the conditions.
            resources: attributes; ``lab.MISSING`` for none.
            **attr: of the principal.
        """
        person = engine_pb2.Principal(
            id="ann", roles=["user"], attr={name: messages.to_value(value) for name, value in attr.items()}
        )
        most = limits.RESOURCES_PER_REQUEST
        parts = [resources[start : start + most] for start in range(0, len(resources), most)]
        actions = self._actions[2 * numbers.start : 2 * numbers.stop]
        batches = ((person, _entries(part, actions)) for part in parts)
        allowed = np.concatenate(list(self.pdp.check(batches)))
        assert not (allowed[:, ::2] & allowed[:, 1::2]).any()
        named = np.where(allowed[:, ::2], "true", np.where(allowed[:, 1::2], "false", ERROR))
        meaning: dict[str, object] = {"true": True, "false": False, ERROR: ERROR}
        return [[meaning[one] for one in row] for row in named.tolist()]


def _entries(resources: Sequence[Mapping[str, object]], actions: Sequence[str]) -> list[messages.Entry]:
    some = [("thing", attributes) for attributes in resources]
    entries = messages.Entries(
        some, kind="thing", actions=actions, policy_version="", scope="", other="other"
    )
    return entries.messages


def _rule(name: str, action: str) -> dict[str, Any]:
    return {"name": name, "actions": [action], "roles": ["*"], "effect": "EFFECT_ALLOW"}


def _write(folder: Path, rules: Sequence[Mapping[str, Any]], variables: Mapping[str, str]) -> None:
    policy = {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {
            "resource": "thing",
            "version": "default",
            "variables": {"local": dict(variables)},
            "rules": list(rules),
        },
    }
    folder.mkdir()
    (folder / "thing.json").write_text(json.dumps(policy), encoding="utf-8")

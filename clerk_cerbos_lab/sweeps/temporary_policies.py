"""Temporary policies whose rules have expressions as outputs, so that a PDP computes them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.snapshots import Snapshot
    from clerk_cerbos_lab.policies.policy_set import Environment

ERRORS: Final = re.compile(
    r"no such (key|attribute|overload|field)|undefined field|(division|divide|modulus) by zero|"
    r"overflow|out of (bounds|range)|invalid (timestamp|duration)|cannot convert|strconv"
)
"""Errors of the expression itself, which then fails whatever it is compared with."""


class Expressions:
    """The distinct expressions to compute, by the policy whose variables and constants they use.

    Args:
        expressions: pairs of the environment and the text of an expression.

    Attributes:
        requests: pairs of a resource kind and as many of its actions as fit into a request.
    """

    def __init__(self, expressions: Iterable[tuple[Environment, str]]) -> None:
        self._actions: dict[tuple[int, str], str] = {}
        self._environments: dict[int, Environment] = {}
        for environment, text in expressions:
            self._environments[id(environment)] = environment
            self._actions.setdefault((id(environment), text), f"e{len(self._actions)}")
        self.requests: list[tuple[str, list[str]]] = []
        for number in self._environments:
            actions = [action for (own, _), action in self._actions.items() if own == number]
            self.requests += [
                (f"scratch{number}", actions[start : start + limits.RESOURCES_PER_REQUEST])
                for start in range(0, len(actions), limits.RESOURCES_PER_REQUEST)
            ]

    def action(self, environment: Environment, text: str) -> str:
        """The action whose rule has the expression as its output, and the rule's name."""
        return self._actions[id(environment), text]

    def kind(self, environment: Environment) -> str:
        """The resource kind whose rules have the variables and constants of a policy."""
        return f"scratch{id(environment)}"

    def start(self, snapshot: Snapshot, documents: Sequence[Mapping[str, Any]]) -> PDP | None:
        """Start a PDP on the temporary policies; None if they do not compile.

        Args:
            snapshot: has the configuration.
            documents: all policies, for what they export.
        """
        files = {name: json.dumps(content).encode() for name, content in self._files(documents).items()}
        try:
            return snapshot.of(files, {**snapshot.config, "engine": _engine(snapshot.config)}).start()
        except LabError:
            return None

    def _files(self, documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The temporary policies, and what they import."""
        files: dict[str, Any] = {
            f"export{number}.json": {name: held for name, held in document.items() if name != "metadata"}
            for number, document in enumerate(documents)
            if {"exportVariables", "exportConstants"} & set(document)
        }
        for number, environment in self._environments.items():
            policy = environment.policy
            body = next(value for name, value in policy.items() if name in _BODIES)
            files[f"scratch{number}.json"] = {
                "apiVersion": "api.cerbos.dev/v1",
                "variables": policy.get("variables", {}),
                "resourcePolicy": {
                    "resource": f"scratch{number}",
                    "version": "default",
                    "variables": body.get("variables", {}),
                    "constants": body.get("constants", {}),
                    "rules": [
                        {
                            "name": action,
                            "actions": [action],
                            "roles": ["*"],
                            "effect": "EFFECT_ALLOW",
                            "output": {"when": {"ruleActivated": text}},
                        }
                        for (own, text), action in self._actions.items()
                        if own == number
                    ],
                },
            }
        return files


_BODIES: Final = {"resourcePolicy", "principalPolicy", "derivedRoles", "rolePolicy"}


def _engine(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without strict evaluation, in which one missing value would suppress all others."""
    ours = {"defaultPolicyVersion", "defaultScope", "strictEvaluation"}
    return {name: value for name, value in config.get("engine", {}).items() if name not in ours}

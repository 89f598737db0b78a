"""Policies to explain, and the explanation of one request."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from small_policies import HEAD, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule, Explanation


def policy(kind: str, **body: Any) -> str:
    """A policy of any kind, from plain data; JSON is valid YAML."""
    return f"{HEAD}{kind}: {json.dumps(body)}\n"


def a_rule(name: str, match: Any = None, *, effect: str = "ALLOW", **more: Any) -> dict[str, Any]:
    """A rule about the action ``approve`` for users, with a condition as text or as a match block."""
    made: dict[str, Any] = {"name": name, "actions": ["approve"], "effect": f"EFFECT_{effect}", **more}
    if not {"roles", "derivedRoles"} & set(more):
        made["roles"] = ["user"]
    if match is not None:
        made["condition"] = {"match": {"expr": match} if isinstance(match, str) else match}
    return made


def thing(*rules: dict[str, Any], **body: Any) -> str:
    """A resource policy of the kind ``thing``."""
    return policy(
        "resourcePolicy", **{"resource": "thing", "version": "default", **body, "rules": list(rules)}
    )


def person(roles: tuple[str, ...] = ("user",), **attributes: Any) -> pd.DataFrame:
    """A principals frame of one user whose attributes may be shown."""
    frame = pd.DataFrame([{"id": "u0", "roles": roles, **attributes}], dtype=object)
    return lab.shareable(frame, *attributes) if attributes else frame


def swept(
    folder: Path,
    who: pd.DataFrame | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    strict: bool = False,
    **asked: Any,
) -> lab.Decisions:
    """The decisions about one or more requests; their PDP is closed."""
    who = person() if who is None else who
    with lab.PDP(folder, config=dict(config or {}), strict=strict) as pdp:
        return lab.sweep(pdp, who, "thing", **{"actions": ["approve"], "audit": 0, **asked})


def explained(
    folder: Path, files: Mapping[str, str], who: pd.DataFrame | None = None, **asked: Any
) -> Explanation:
    """Why one request about policies is allowed or denied."""
    made = swept(write(folder / "policies", **files), who, **asked)
    found = made.why()
    made.source.close()
    return found


@contextmanager
def explaining(folder: Path) -> Iterator[Callable[..., Explanation]]:
    """A function that explains one request about policies; their PDP stays until it is given others."""
    numbers = itertools.count()
    known: dict[str, lab.PDP] = {}
    with ExitStack() as running:

        def explain(
            files: Mapping[str, str], who: pd.DataFrame | None = None, *, strict: bool = False, **asked: Any
        ) -> Explanation:
            key = json.dumps([files, strict])
            if key not in known:
                running.close()
                known.clear()
                own = write(folder / f"policies{next(numbers)}", **files)
                known[key] = running.enter_context(lab.PDP(own, strict=strict))
            who = person() if who is None else who
            made = lab.sweep(known[key], who, "thing", **{"actions": ["approve"], "audit": 0, **asked})
            running.callback(made.source.close)
            return made.why()

        yield explain


def the_rule(explanation: Explanation, name: str) -> ExplainedRule:
    """A rule of an explanation by its name."""
    (found,) = [rule for rule in explanation.rules if rule.name == name]
    return found


def condition_of(explanation: Explanation, name: str) -> Condition:
    """The condition of a rule of an explanation."""
    found = the_rule(explanation, name).condition
    assert found is not None
    return found


def outcomes(condition: Condition | None) -> dict[str, str]:
    """The outcome of each part of a condition that has a source."""
    assert condition is not None
    return {part.source: part.outcome for part in condition.walk() if part.source}

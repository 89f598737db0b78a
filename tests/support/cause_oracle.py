"""What a DENY is said to lack, put right in a copy of the policies, so that a PDP can say if that allows."""

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clerk_cerbos_lab.decisions.explanation import (
    APPLIED,
    CLOSEST,
    CONSENT,
    DENIED,
    ERRONEOUS,
    ERROR,
    NO_RULE,
    REFUSED,
    ROLE,
    SILENT,
    TRUE,
    Cause,
    Condition,
    ExplainedRule,
    Explanation,
)

Documents = list[dict[str, Any]]

Edit = Callable[[Documents], None]

BODIES = {"resource": "resourcePolicy", "principal": "principalPolicy", "role": "rolePolicy"}

_NUMBERS = itertools.count()

BLOCKING = {DENIED, REFUSED, ERRONEOUS}


class Copies:
    """Copies of resource kinds, each with a change, as policies of one folder."""

    def __init__(self, folder: Path) -> None:
        self._source = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        self._made: Documents = []
        self._count = 0

    def add(self, kind: str, edits: Sequence[Edit]) -> str:
        """Copy a kind with changes; returns the name of the copy."""
        self._count += 1
        name = f"{kind}x{self._count}"
        documents = [one for document in self._source if (one := _about(document, kind))]
        for edit in edits:
            edit(documents)
        text = (
            json.dumps(documents)
            .replace(f'"{kind}"', f'"{name}"')
            .replace(f'"roles_{kind}"', f'"roles_{name}"')
        )
        self._made += json.loads(text)
        return name

    def write(self, folder: Path) -> None:
        """Write the copies; rules of one principal or role come together."""
        folder.mkdir()
        whole: Documents = []
        shared: dict[tuple[str, str], dict[str, Any]] = {}
        for one in self._made:
            form = next(form for form in one if form != "apiVersion")
            owner = one[form].get("principal") or one[form].get("role")
            if owner is None:
                whole.append(one)
            elif (form, owner) in shared:
                shared[form, owner][form]["rules"] += one[form]["rules"]
            else:
                shared[form, owner] = one
        for one in shared.values():
            if "rolePolicy" in one:
                one["rolePolicy"]["rules"].append({"resource": "nothing", "allowActions": ["view"]})
        for number, one in enumerate([*whole, *shared.values()]):
            (folder / f"{number:04}.json").write_text(json.dumps(one))


def _about(document: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """The part of a policy that is about a kind."""
    made = copy.deepcopy(dict(document))
    if "resourcePolicy" in made:
        return made if made["resourcePolicy"]["resource"] == kind else None
    if "derivedRoles" in made:
        return made if made["derivedRoles"]["name"] == f"roles_{kind}" else None
    body = made.get("principalPolicy") or made["rolePolicy"]
    body["rules"] = [rule for rule in body["rules"] if rule["resource"] == kind]
    # A role policy without a rule about a kind refuses everything about it.
    return made if body["rules"] or "rolePolicy" in made else None


def _body(documents: Documents, rule: ExplainedRule) -> dict[str, Any]:
    """The policy that has a rule."""
    form = BODIES[rule.type]
    found: dict[str, Any]
    (found,) = [
        one[form]
        for one in documents
        if form in one
        and one[form].get("scope", "") == rule.scope
        and rule.policy.startswith(f"{rule.type}.{one[form].get(rule.type)}.v")
    ]
    return found


def _place(rule: ExplainedRule) -> int:
    return int(rule.name.rpartition("-")[2]) - 1  # no rule has a name of its own


def without(rules: Sequence[ExplainedRule]) -> Edit:
    """Let rules never apply."""

    def edit(documents: Documents) -> None:
        for rule in rules:
            body = _body(documents, rule)
            never = {"match": {"expr": f"{next(_NUMBERS)} == -1"}}
            if rule.type == "principal":
                for one in body["rules"]:
                    for action in one["actions"]:
                        action["condition"] = never
            else:
                one = body["rules"][_place(rule)]
                one["condition"] = never
                # Other rules may read which derived roles the rules of the policy name.
                if any(_has_error(role.condition) for role in rule.roles):
                    one["roles"] = ["nobody"]
                    one.pop("derivedRoles", None)

    return edit


def unrefused(kind: str) -> Edit:
    """Let role policies refuse nothing about a kind."""

    def edit(documents: Documents) -> None:
        for one in documents:
            if "rolePolicy" in one:
                one["rolePolicy"]["rules"] = [{"resource": kind, "allowActions": ["*"]}]

    return edit


def allowing(action: str) -> Edit:
    """Add a rule that allows an action to the policy without a scope."""

    def edit(documents: Documents) -> None:
        for one in documents:
            body = one.get("resourcePolicy")
            if body is not None and not body.get("scope"):
                body["rules"].append({"actions": [action], "effect": "EFFECT_ALLOW", "roles": ["*"]})

    return edit


class NotFound(Exception):  # noqa: N818 - not an error of what is tested
    """An atom is not in the text as the explanation has it."""


def changed(rule: ExplainedRule, outcomes: Mapping[str, str]) -> Edit:
    """Give atoms of a rule and of its derived roles another outcome; other rules keep theirs."""

    def edit(documents: Documents) -> None:
        body = _body(documents, rule)
        if rule.type == "principal":
            (entry,) = [action for one in body["rules"] for action in one["actions"]]
        else:
            entry = body["rules"][_place(rule)]
        found = _with_outcomes(entry, body, outcomes)
        sets = [one["derivedRoles"] for one in documents if "derivedRoles" in one]
        for name in list(entry.get("derivedRoles", ())):
            for one in sets:
                for role in [role for role in one["definitions"] if role["name"] == name]:
                    own = {**copy.deepcopy(role), "name": f"{name}_changed"}
                    found |= _with_outcomes(own, one, outcomes)
                    one["definitions"].append(own)
                    entry["derivedRoles"] = [*entry["derivedRoles"], own["name"]]
        if found != set(outcomes):
            raise NotFound

    return edit


def _with_outcomes(entry: dict[str, Any], body: dict[str, Any], outcomes: Mapping[str, str]) -> set[str]:
    """Put outcomes in the place of atoms in a condition; which of them were found."""
    local = body.get("variables", {}).get("local", {})
    found: set[str] = set()

    def replaced(text: str) -> str:
        for source, outcome in outcomes.items():
            pattern = rf"(?<![\w.]){re.escape(source)}(?![\w.\[(])"
            # No two copies have the same text: Cerbos can take conditions of the same expressions for one.
            sign, number = "==" if outcome == "true" else "!=", next(_NUMBERS)
            text, count = re.subn(pattern, f"({number} {sign} {number})", text)
            found.update([source] if count else [])
        return re.sub(
            r"(?<![\w.])(V|variables)\.(\w+)",
            lambda one: f"{one[1]}.{one[2]}_changed" if one[2] in local else one[0],
            text,
        )

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return replaced(part)
        if isinstance(part, dict):
            return {name: walk(one) for name, one in part.items()}
        return [walk(one) for one in part]

    if "condition" in entry:
        entry["condition"] = walk(entry["condition"])
        local.update({f"{name}_changed": replaced(text) for name, text in list(local.items())})
    return found


def repairs(found: Explanation) -> Iterator[tuple[list[tuple[str, Edit]], tuple[str, ...]]]:
    """The ways to put everything right that a DENY is said to lack, by cause, with roles to give."""
    ways: list[list[tuple[str, Edit, tuple[str, ...]]]] = []
    for cause in (found.cause, *found.also):
        assert cause is not None
        ways.append([(cause.kind, edit, role) for edit, role in _of_cause(found, cause)])
    for way in itertools.islice(itertools.product(*ways), 16):
        roles = tuple(name for _, _, role in way for name in role)
        yield [(kind, edit) for kind, edit, _ in way], roles


def _of_cause(found: Explanation, cause: Cause) -> Iterator[tuple[Edit, tuple[str, ...]]]:
    own = [rule for rule in found.rules if rule.type != "role"]
    if cause.kind == DENIED:
        denying = [rule for rule in own if rule.effect == "DENY"]
        applied = [rule for rule in denying if rule.status == APPLIED]
        silent = [rule for rule in denying if rule.name == cause.rule and rule.status == SILENT]
        yield without(applied if cause is found.cause else silent), ()
    elif cause.kind == REFUSED:
        yield unrefused(found.kind), ()
    elif cause.kind in {NO_RULE, CONSENT}:
        yield allowing(found.action), ()
    elif cause.kind in {CLOSEST, ROLE}:
        rule = next(one for one in own if one.name == cause.rule and one.effect == "ALLOW" and _lacks(one))
        if rule.to_change is None:
            raise NotFound
        each = [[(atom.source, outcome) for outcome in _others(atom.outcome)] for atom in rule.to_change]
        for outcomes in itertools.product(*each):
            for role in rule.needed_roles or ("",):
                yield changed(rule, dict(outcomes)), (role,) if role else ()
    else:
        raise NotFound


def errors(found: Explanation) -> tuple[list[Edit], list[Edit]]:
    """In strict evaluation: an action that is allowed, and only the rule that is named keeps it from that.

    Returns:
        The changes without that rule, and with it.
    """
    assert found.cause is not None
    own = [rule for rule in found.rules if rule.type != "role"]
    rules = [rule for rule in own if rule.effect == "DENY" or (rule.status != APPLIED and _fails(rule))]
    named = [rule for rule in rules if rule.name == found.cause.rule]
    assert len({(rule.policy, rule.name) for rule in named}) >= 1
    free = [unrefused(found.kind), allowing(found.action)]
    others = [rule for rule in rules if rule not in named]
    return [*free, without(rules)], [*free, without(others)]


def _lacks(rule: ExplainedRule) -> bool:
    return rule.status != APPLIED and (rule.to_change != () or bool(rule.needed_roles))


def _others(outcome: str) -> tuple[str, ...]:
    return ("true", "false") if outcome == ERROR else ("false",) if outcome == TRUE else ("true",)


def _fails(rule: ExplainedRule) -> bool:
    return any(map(_has_error, [rule.condition, *(role.condition for role in rule.roles)]))


def _has_error(condition: Condition | None) -> bool:
    return condition is not None and any(part.outcome == ERROR for part in condition.walk())

"""All policies of a PDP: which expressions can matter to a question, and which names they can see."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import CelError
from clerk_cerbos_lab.policies.lines import Lines
from clerk_cerbos_lab.policies.names import may_match
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.cel import Node

_RUNTIME = re.compile(r"""(?<![\w)\]}"'`]\.)(?<!\w)runtime(?![\w-])""")
"""The name ``runtime``, also as ``.runtime``, but not as a field, such as in ``R.attr.runtime``."""


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """The variables and constants visible to the expressions of one policy.

    Attributes:
        policy: the policy as a dict, as returned by Cerbos's Admin API.
        variables: name to expression.
        constants: name to value.
        sources: the variables as text.
        lines: line numbers in the policy files.
    """

    policy: Mapping[str, Any]
    variables: Mapping[str, Node]
    constants: Mapping[str, Any]
    sources: tuple[str, ...] = ()
    lines: Lines = field(default_factory=Lines, repr=False)

    @property
    def file(self) -> str:
        """The policy's file."""
        return str(self.policy.get("metadata", {}).get("sourceFile") or "a policy")

    def place_of(self, text: str) -> str:
        """Where an expression is: the file, and its line if known."""
        line = self.lines.of_text(self.file, text)
        return self.file if line is None else f"{self.file}, line {line}"


@dataclass(frozen=True, slots=True)
class Audience:
    """The roles and actions of a question: rules that can't apply to them need not be read.

    Attributes:
        actions: the actions asked about.
        roles: the principal's roles; None for any.
    """

    actions: tuple[str, ...]
    roles: tuple[str, ...] | None


class PolicySet:
    """All policies of a PDP, and what they export to each other.

    Args:
        policies: as dicts in the form of Cerbos's policy files; disabled ones are left out.
        lines: line numbers in their files, if known.
    """

    def __init__(self, policies: Sequence[Mapping[str, Any]], lines: Lines | None = None) -> None:
        self._lines = lines or Lines()
        self.policies = [policy for policy in policies if not policy.get("disabled")]
        self._exported = {
            (form, policy[form]["name"]): policy[form].get("definitions", {})
            for policy in self.policies
            for form in ("exportVariables", "exportConstants", "derivedRoles")
            if form in policy
        }
        self._environments: dict[int, Environment] = {}
        self._reads_runtime: dict[str, bool] = {}

    @property
    def lines(self) -> Lines:
        """Line numbers in the policy files."""
        return self._lines

    @property
    def has_role_policies(self) -> bool:
        """Whether there are role policies, by which a principal can have a role it does not list."""
        return any("rolePolicy" in policy for policy in self.policies)

    @property
    def named(self) -> set[str]:
        """The principals that principal policies name."""
        return {
            policy["principalPolicy"]["principal"] for policy in self.policies if "principalPolicy" in policy
        }

    def of_kind(self, kind: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """The resource policies of a kind in every version and scope, each with its body."""
        return [
            (policy, policy["resourcePolicy"])
            for policy in self.policies
            if "resourcePolicy" in policy
            and canonical(policy["resourcePolicy"]["resource"]) == canonical(kind)
        ]

    def about(self, kind: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any], list[Mapping[str, Any]]]]:
        """The principal and role policies that may affect a kind: policy, body, and the rules that may.

        Raises:
            CelError: for a policy of an unknown type.
        """
        found = []
        for policy in self.policies:
            body = policy.get("principalPolicy") or policy.get("rolePolicy")
            if body is not None:
                rules = [rule for rule in body.get("rules", ()) if _may_mean(rule["resource"], kind)]
                if "principalPolicy" in policy:
                    rules = [action for rule in rules for action in rule.get("actions", ())]
                if rules:
                    found.append((policy, body, rules))
            elif not {"derivedRoles", "exportVariables", "exportConstants", "resourcePolicy"} & set(policy):
                msg = f"unknown type of policy: {sorted(policy)}"
                raise CelError(msg)
        return found

    def reads_runtime(self, kind: str) -> bool:
        """Whether anything that can affect a kind reads ``runtime``, that is, the principal's derived roles.

        That can be a rule, a variable or a derived role, in any scope, and in principal and role policies.

        Raises:
            CelError: if a policy could not be understood.
        """
        known = self._reads_runtime.get(kind)
        if known is None:
            policies = [(policy, body) for policy, body in self.of_kind(kind)]
            imported = {name for _, body in policies for name in body.get("importDerivedRoles", ())}
            policies += [(policy, body) for policy, body, _ in self.about(kind)]
            policies += [
                (policy, policy["derivedRoles"])
                for policy in self.policies
                if policy.get("derivedRoles", {}).get("name") in imported
            ]
            known = any(
                _RUNTIME.search(re.sub(r"\\[nrtbf]", " ", json.dumps(body, ensure_ascii=False)))
                or any(_RUNTIME.search(text) for text in self.environment(policy, body).sources)
                for policy, body in policies
            )
            self._reads_runtime[kind] = known
        return known

    def active(self, imported: Iterable[str], audience: Audience | None) -> set[str]:
        """The derived roles of these sets that the audience can have."""
        sets = [self._exported["derivedRoles", name] for name in imported]
        return {role["name"] for roles in sets for role in roles if _can_have(role, audience)}

    def definitions(
        self, policy: Mapping[str, Any], body: Mapping[str, Any]
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The variables (name to expression, as text) and constants (name to value) visible to a policy."""
        texts = dict(policy.get("variables", {}))  # the old form, which Cerbos still reads
        variables, constants = body.get("variables", {}), body.get("constants", {})
        values: dict[str, Any] = {}
        for name in variables.get("import", ()):
            texts.update(self._exported["exportVariables", name])
        for name in constants.get("import", ()):
            values.update(self._exported["exportConstants", name])
        texts.update(variables.get("local", {}))
        values.update(constants.get("local", {}))
        return texts, values

    def environment(self, policy: Mapping[str, Any], body: Mapping[str, Any]) -> Environment:
        """The names visible to the expressions of a policy; the same object for the same policy.

        Raises:
            CelError: if a variable can't be read.
        """
        known = self._environments.get(id(policy))
        if known is None:
            texts, values = self.definitions(policy, body)
            parsed = {name: cel.parse(text) for name, text in texts.items()}
            known = Environment(policy, parsed, values, tuple(texts.values()), self._lines)
            self._environments[id(policy)] = known
        return known


def relevant(
    policy_set: PolicySet, kind: str, audience: Audience | None
) -> Iterator[tuple[Environment, list[str]]]:
    """The expressions that can matter to a kind and an audience, by policy, with the names visible there.

    A request is answered by the resource policies of its kind, by principal policies and by role policies. A
    derived role matters if a rule that can apply names it, in any scope. If anything that can affect the kind
    reads ``runtime``, all derived roles matter.

    Raises:
        CelError: if a policy or a variable could not be understood.
    """
    policies = policy_set.of_kind(kind)
    imported = {name for _, body in policies for name in body.get("importDerivedRoles", ())}
    active = policy_set.active(imported, audience)
    used: set[str] = set()
    for policy, body in policies:
        rules = [rule for rule in body.get("rules", ()) if _applies(rule, active, audience)]
        used.update(name for rule in rules for name in rule.get("derivedRoles", ()))
        yield policy_set.environment(policy, body), list(_of_rules(rules))
    for policy, body, rules in policy_set.about(kind):
        some = [rule for rule in rules if _covers_some(_actions_of(rule), audience)]
        if some:
            yield policy_set.environment(policy, body), list(_of_rules(some))
    every = audience is None or policy_set.reads_runtime(kind)
    for policy in policy_set.policies:
        body = policy.get("derivedRoles", {})
        roles = [
            role
            for role in (body.get("definitions", ()) if body.get("name") in imported else ())
            if (every or any(_may_be(name, role["name"]) for name in used)) and _can_have(role, audience)
        ]
        if roles:
            yield policy_set.environment(policy, body), list(_of_rules(roles))


def _applies(rule: Mapping[str, Any], active: set[str], audience: Audience | None) -> bool:
    """Whether a rule of a resource policy can apply."""
    if not _covers_some(_actions_of(rule), audience):
        return False
    if audience is None or audience.roles is None:
        return True
    roles, derived = rule.get("roles", ()), rule.get("derivedRoles", ())
    by_role = any(_may_be(pattern, role) for pattern in roles for role in audience.roles)
    by_derived = any(_may_be(pattern, role) for pattern in derived for role in active)
    return by_role or by_derived or not (roles or derived)


def _can_have(role: Mapping[str, Any], audience: Audience | None) -> bool:
    """Whether a principal can have a derived role, ignoring its condition."""
    if audience is None or audience.roles is None:
        return True
    return any(_may_be(pattern, own) for pattern in role.get("parentRoles", ()) for own in audience.roles)


def _actions_of(rule: Mapping[str, Any]) -> Sequence[str]:
    one = rule.get("action")
    return [one] if one else [*rule.get("actions", ()), *rule.get("allowActions", ())]


def _covers_some(patterns: Sequence[str], audience: Audience | None) -> bool:
    if audience is None or not patterns:
        return True
    return any(may_match(pattern, action) for pattern in patterns for action in audience.actions)


def _may_be(pattern: str, name: str) -> bool:
    """Whether a role name or pattern in a policy may match a role; True in doubt."""
    return _in_doubt(pattern) or pattern == name


def expressions(policies: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Environment, list[str]]]:
    """Every condition and variable of every policy, with the names visible to it.

    Raises:
        CelError: if a policy could not be understood.
    """
    policy_set = PolicySet(policies)
    for policy in policy_set.policies:
        for form in ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles"):
            body = policy.get(form)
            if body is None:
                continue
            rules = [*body.get("rules", ()), *body.get("definitions", ())]
            rules += [
                action for rule in rules for action in rule.get("actions", ()) if isinstance(action, dict)
            ]
            environment = policy_set.environment(policy, body)
            yield environment, [*_of_rules(rules), *environment.sources]


def _may_mean(pattern: str, kind: str) -> bool:
    """Whether a rule's resource, perhaps a pattern, may match the kind; True in doubt."""
    return _in_doubt(pattern) or canonical(kind) in {pattern, canonical(pattern)}


def _in_doubt(pattern: str) -> bool:
    return bool(re.search(r"[*?\[\]{}\\]", pattern))


def _of_rules(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for rule in rules:
        condition = rule.get("condition", {})
        if set(condition) - {"match"}:
            msg = f"unknown form of condition: {sorted(condition)}"
            raise CelError(msg)
        if condition:
            yield from _of_match(condition["match"])


def _of_match(match: Mapping[str, Any]) -> Iterator[str]:
    for form, content in match.items():
        if form == "expr":
            yield content
        elif form in {"all", "any", "none"}:
            for part in content.get("of", ()):
                yield from _of_match(part)
        else:
            msg = f"unknown form of condition: {form}"
            raise CelError(msg)

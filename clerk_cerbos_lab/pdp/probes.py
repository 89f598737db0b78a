"""What a PDP can compute to explain an effect: parts of conditions, their operands, and the roles held.

For each policy there is a resource kind with its variables and constants, in which every part of a condition
is the output of a rule that never applies. No principal policy, role policy or schema could silence it there:
of role policies, only the roles that they give are kept. No decision ever comes from it.
"""

from __future__ import annotations

import itertools
import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.errors import PolicyError
from clerk_cerbos_lab.pdp.together import together
from clerk_cerbos_lab.policies.conditions import read_expression
from clerk_cerbos_lab.policies.reach import DEFAULT
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cerbos.engine.v1 import engine_pb2

    from clerk_cerbos_lab.pdp import messages
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.pdp.snapshots import Snapshot
    from clerk_cerbos_lab.policies.conditions import Expression, Operand
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule

TOGETHER: Final = 50
"""Probes about one resource: the time they take grows faster than their number."""

_OF_ROLES: Final = frozenset({"roles", "derived role"})

_STRING_OR_KIND: Final = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<![\w.])(?:R|request\.resource)\.kind\b"""
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the PDP computed for an expression.

    Attributes:
        value: None for null, or if there was an error.
        error: Cerbos's words; empty for none.
    """

    value: Any
    error: str = ""


class Facts:
    """A PDP that computes parts of the conditions that can affect a resource kind.

    Args:
        snapshot: the policies and the configuration.
        index: of the same policies.
        kind: the resource kind.

    Attributes:
        left_out: the files of policies whose conditions can't be asked in parts.
    """

    def __init__(self, snapshot: Snapshot, index: PolicyIndex, kind: str) -> None:
        self.kind = kind
        every = affecting(index.rules, kind)
        self._probes = {one.number: _Probes(one, kind) for one in every}
        self.left_out: tuple[str, ...] = ()
        versions = {one.version for one in index.rules} | {DEFAULT}
        self._snapshot = snapshot
        engine = dict(snapshot.config.get("engine") or {})
        engine.pop("strictEvaluation", None)  # lenient is the default, and older versions know no other
        versions |= {str(engine["defaultPolicyVersion"])} if engine.get("defaultPolicyVersion") else set()
        ours = {"engine": {**engine, "lenientScopeSearch": True}}
        config = {**{name: part for name, part in snapshot.config.items() if name != "schema"}, **ours}
        shared = {**_shared_files(index.documents, kind), **_role_files(index.rules)}
        try:
            self._pdp = self._started(shared, versions, config)
        except PolicyError as error:
            wrong = {problem.file.partition("-")[0] for problem in error.problems}
            left_out = [one for one in every if f"why{one.number}" in wrong]
            if not left_out:
                raise
            self.left_out = tuple(one.visible.file for one in left_out)
            for one in left_out:
                del self._probes[one.number]
            self._pdp = self._started(shared, versions, config)

    def _started(
        self, shared: Mapping[str, bytes], versions: Iterable[str], config: Mapping[str, Any]
    ) -> PDP | None:
        """The PDP; None if there is nothing to ask."""
        if not self._probes:
            return None
        return self._snapshot.of({**shared, **self._files(versions)}, config).start()

    def _files(self, versions: Iterable[str]) -> dict[str, bytes]:
        return {
            f"why{number}-{i}.json": json.dumps(probes.policy(version)).encode()
            for number, probes in self._probes.items()
            for i, version in enumerate(sorted(versions))
        }

    def ask(self, questions: Sequence[Question]) -> Iterator[Answer]:
        """Let the PDP compute probes, with several requests in flight.

        Args:
            questions: requests with the same JWT, each with the probes of each policy, by its number.

        Yields:
            For each question what was seen, by policy and probe; what can't be asked is left out.

        Raises:
            PDPError: if the PDP refuses a request.
        """
        if self._pdp is None or not questions:
            yield from ({} for _ in questions)
            return
        groups = [self._groups(wanted) for _, wanted in questions]
        batches = (
            (request, *_batch(request, some))
            for (request, _), some in zip(questions, groups, strict=True)
            if some
        )
        aux_data = questions[0][0].aux_data
        with (
            self._pdp.asking(),
            closing(self._pdp.outputs_of_each(together(batches), aux_data)) as answers,
        ):
            each = itertools.chain.from_iterable(answers)
            for (_, wanted), some in zip(questions, groups, strict=True):
                # A role that is not held puts nothing out.
                found = {
                    (number, probe): Seen(value=False)
                    for number, probes in wanted.items()
                    for probe in (probes if number in self._probes else ())
                    if probe.form in _OF_ROLES
                }
                own = itertools.islice(each, len(some))
                for name, value, error in itertools.chain.from_iterable(own):
                    number = int(name[1:].partition("-")[0])
                    found[number, self._probes[number].probe(name)] = Seen(value, error)
                yield found

    def _groups(self, wanted: Mapping[int, Sequence[Probe]]) -> dict[tuple[int, str], dict[str, None]]:
        """The requests that have these probes, by policy, each with its actions."""
        groups: dict[tuple[int, str], dict[str, None]] = {}
        for number, some in wanted.items():
            for probe in some if number in self._probes else ():
                group, action = self._probes[number].where(probe)
                groups.setdefault((number, group), {})[action] = None
        return groups

    def close(self) -> None:
        """End the PDP."""
        if self._pdp is not None:
            self._pdp.close()


Question: TypeAlias = "tuple[Request, Mapping[int, Sequence[Probe]]]"

Answer: TypeAlias = "dict[tuple[int, Probe], Seen]"


@dataclass(frozen=True, slots=True)
class Probe:
    """Something that the PDP can compute.

    Attributes:
        form: ``expression``, ``match`` (whether a match block is met), ``roles`` (whether the roles of a rule
            are held), ``derived role`` (whether one is held).
        text: the CEL source; the match block or the roles as JSON; the name of the derived role.
    """

    form: str
    text: str


def probe_of(expression: Expression) -> Probe:
    """The probe of a part of a condition."""
    if expression.match is not None:
        return Probe("match", json.dumps(expression.match, sort_keys=True))
    return Probe("expression", expression.text)


def operand_probe(operand: Operand) -> Probe:
    """The probe of an operand."""
    return Probe("expression", operand.text)


def roles_probe(roles: Sequence[str], derived_roles: Sequence[str]) -> Probe:
    """The probe of whether one of these roles is held."""
    return Probe("roles", json.dumps([list(roles), list(derived_roles)]))


def derived_role_probe(name: str) -> Probe:
    """The probe of whether a derived role is held."""
    return Probe("derived role", name)


def rule_probes(rule: Rule) -> Iterator[Probe]:
    """Everything that explains a rule of a policy."""
    if rule.roles or rule.derived_roles:
        yield roles_probe(rule.roles, rule.derived_roles)
    for name in rule.roles:
        yield roles_probe((name,), ())
    yield from map(derived_role_probe, rule.derived_roles)
    if rule.condition is not None:
        yield from _in_condition(rule.condition)
    for output in rule.outputs.values():
        yield probe_of(output)


def probes_of(policy: PolicyRules) -> Iterator[Probe]:
    """Everything that explains a policy."""
    for rule in policy.rules:
        yield from rule_probes(rule)
    for role in policy.derived_roles:
        yield from derived_role_probes(role)
    for name, text in policy.visible.variables.items():
        yield variable_probe(name)
        yield from _in_condition(read_expression(text, policy.visible))


def variable_probe(name: str) -> Probe:
    """The probe of a variable's value."""
    return Probe("expression", f"V.{name}")


def derived_role_probes(role: DerivedRole) -> Iterator[Probe]:
    """Everything that explains a derived role."""
    yield roles_probe(role.parent_roles, ())
    if role.condition is not None:
        yield from _in_condition(role.condition)


def _in_condition(condition: Expression) -> Iterator[Probe]:
    for part in condition.walk():
        if part.match is not None or part.text:
            yield probe_of(part)
        yield from _in_operands(part.operands)


def _in_operands(operands: Sequence[Operand]) -> Iterator[Probe]:
    for operand in operands:
        if not operand.literal:
            yield operand_probe(operand)
        yield from _in_operands(operand.parts)


def _batch(
    request: Request, groups: Mapping[tuple[int, str], Iterable[str]]
) -> tuple[engine_pb2.Principal, list[messages.Entry]]:
    """One request about the probes of several groups, each a resource of its own."""
    each = [request.batch(f"why{number}", list(actions)) for (number, _), actions in groups.items()]
    return each[0][0], [entry for _, entries in each for entry in entries]


class _Probes:
    """The probes of one policy, as the rules of a resource policy with the same variables and constants."""

    def __init__(self, policy: PolicyRules, kind: str) -> None:
        self._policy = policy
        self._kind = kind
        self._names = {
            probe: f"p{policy.number}-{i}" for i, probe in enumerate(dict.fromkeys(probes_of(policy)))
        }
        self._by_name = {name: probe for probe, name in self._names.items()}
        # What applies allows, which ends the evaluation of an action for a role: blocks are asked apart, and
        # each role in an action of its own.
        kinds = {probe: "r" if probe.form in _OF_ROLES else probe.form[0] for probe in self._names}
        self._where: dict[Probe, tuple[str, str]] = {}
        for kind_of_probe in sorted(set(kinds.values())):
            some = [probe for probe in self._names if kinds[probe] == kind_of_probe]
            for place, probe in enumerate(some):
                group = f"{kind_of_probe}{place // TOGETHER}"
                self._where[probe] = group, f"{group}-{place}" if kind_of_probe == "r" else group

    def where(self, probe: Probe) -> tuple[str, str]:
        """The request and its action whose answer has this probe."""
        return self._where[probe]

    def probe(self, name: str) -> Probe:
        """The probe of a rule's name."""
        return self._by_name[name]

    def policy(self, version: str) -> dict[str, Any]:
        """The temporary policy."""
        document, body = self._policy.document, self._policy.body
        imported = self._policy.imported
        if self._policy.type == "derived roles":
            imported = (self._policy.name,)
        return {
            "apiVersion": "api.cerbos.dev/v1",
            "variables": _with_kind(document.get("variables", {}), self._kind),
            "resourcePolicy": {
                "resource": f"why{self._policy.number}",
                "version": version,
                "importDerivedRoles": list(imported),
                "variables": _with_kind(body.get("variables", {}), self._kind),
                "constants": body.get("constants", {}),
                "rules": [self._rule(probe, name) for probe, name in self._names.items()],
            },
        }

    def _rule(self, probe: Probe, name: str) -> dict[str, Any]:
        never: dict[str, Any] = {"match": {"expr": "false"}}
        roles: dict[str, Any] = {"roles": ["*"]}
        when = {"conditionNotMet": "true"}
        condition = never
        if probe.form == "expression":
            when = {"conditionNotMet": _with_kind(probe.text, self._kind)}
        elif probe.form == "match":
            # Without something that makes it unique, Cerbos 0.55 takes `all`, `any` and `none` of the same
            # expressions in one policy for one condition.
            block = _with_kind(json.loads(probe.text), self._kind)
            unique = {"expr": f'"{name}" == "{name}"'}
            condition = {"match": {"all": {"of": [block, unique]}}}
            when = {"ruleActivated": "true", "conditionNotMet": "false"}
        else:
            # Without a condition: one that is not met would put out something for the parent roles, too.
            own, derived = json.loads(probe.text) if probe.form == "roles" else ([], [probe.text])
            roles = {"roles": own, "derivedRoles": derived}
            condition, when = {}, {"ruleActivated": "true"}
        return {
            "name": name,
            "actions": [self._where[probe][1]],
            "effect": "EFFECT_ALLOW",
            **{what: some for what, some in roles.items() if some},
            **({"condition": condition} if condition else {}),
            "output": {"when": when},
        }


def _with_kind(part: Any, kind: str) -> Any:
    """Expressions that read the resource's kind, with the real kind in its place."""
    if isinstance(part, str):
        return _STRING_OR_KIND.sub(lambda found: found[1] or json.dumps(kind, ensure_ascii=False), part)
    if isinstance(part, dict):
        return {name: _with_kind(item, kind) for name, item in part.items()}
    return [_with_kind(item, kind) for item in part] if isinstance(part, list) else part


def affecting(policies: Sequence[PolicyRules], kind: str) -> list[PolicyRules]:
    """The policies with expressions that can affect a kind."""
    imported: set[str] = set()
    found = []
    for one in policies:
        if one.type == "derived roles":
            continue
        if one.type == "resource":
            about = canonical(one.name) == canonical(kind)
        else:
            about = any(one.about(rule, kind) for rule in one.rules)
        if about:
            found.append(one)
            imported.update(one.imported)
    return found + [one for one in policies if one.type == "derived roles" and one.name in imported]


def _shared_files(documents: Sequence[Mapping[str, Any]], kind: str) -> dict[str, bytes]:
    """What policies import, as files."""
    return {
        f"shared{number}.json": json.dumps(_with_kind(plain_policy(document), kind)).encode()
        for number, document in enumerate(documents)
        if {"exportVariables", "exportConstants", "derivedRoles"} & set(document)
    }


def _role_files(policies: Sequence[PolicyRules]) -> dict[str, bytes]:
    """The role policies that give further roles, as files; they refuse nothing."""
    files = {}
    for one in policies:
        if one.type == "role" and one.body.get("parentRoles"):
            kept = {
                name: one.body[name]
                for name in ("role", "version", "scope", "parentRoles")
                if name in one.body
            }
            made = {**kept, "rules": [{"resource": "*", "allowActions": ["*"]}]}
            policy = {"apiVersion": "api.cerbos.dev/v1", "rolePolicy": made}
            files[f"parents{one.number}.json"] = json.dumps(policy).encode()
    return files


def plain_policy(document: Mapping[str, Any]) -> dict[str, Any]:
    """A policy without what Cerbos added: the source file and a hash."""
    return {name: part for name, part in document.items() if name != "metadata"}

"""The rules and derived roles of policies as values, each with its condition as a tree and its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.policies import names
from clerk_cerbos_lab.policies.conditions import read_condition, read_expression, reads, visible_in
from clerk_cerbos_lab.policies.reach import DEFAULT
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.conditions import Expression, Operand, Visible
    from clerk_cerbos_lab.policies.policy_set import PolicySet

RuleKey: TypeAlias = tuple[int, ...]
"""Where a rule is: the position of its policy among the documents, of the rule, and for a principal policy of
the action."""

Path: TypeAlias = tuple[str, ...]
"""Such as ``("R", "attr", "amount")``."""

_TYPES: Final = {
    "resourcePolicy": "resource",
    "principalPolicy": "principal",
    "rolePolicy": "role",
    "derivedRoles": "derived roles",
}


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule of a resource, principal or role policy.

    Attributes:
        key: where it is.
        name: as in the policy, or as Cerbos numbers it (``rule-001``).
        effect: ``ALLOW`` or ``DENY``; a role policy's rule says what is not refused, so ``ALLOW``.
        resource: the kind, or in principal and role policies perhaps a pattern.
        actions: including patterns.
        roles: as in the policy.
        derived_roles: as in the policy.
        condition: None if there is none.
        outputs: ``ruleActivated`` or ``conditionNotMet`` to expression.
        line: in the policy's file, if known.
    """

    key: RuleKey
    name: str
    effect: str
    resource: str
    actions: tuple[str, ...]
    roles: tuple[str, ...]
    derived_roles: tuple[str, ...]
    condition: Expression | None
    outputs: Mapping[str, Expression]
    line: int | None

    def names_action(self, action: str) -> bool:
        """Whether it is about an action, by name or pattern."""
        return any(names.matches(pattern, action) for pattern in self.actions)


@dataclass(frozen=True, slots=True, eq=False)
class DerivedRole:
    """A derived role.

    Attributes:
        number: its position in its policy.
        name: of the role.
        parent_roles: of whom one must be held.
        condition: None if there is none.
        line: in the policy's file, if known.
    """

    number: int
    name: str
    parent_roles: tuple[str, ...]
    condition: Expression | None
    line: int | None


@dataclass(frozen=True, slots=True, eq=False)
class PolicyRules:
    """What a policy says.

    Attributes:
        number: its position among the documents.
        document: the policy as a dict.
        body: the part of it that depends on its type.
        type: ``resource``, ``principal``, ``role`` or ``derived roles``.
        name: the kind, the principal's id, the role, or the name of the set of derived roles.
        version: of the policy.
        scope: of the policy; empty for none.
        visible: the names visible to its expressions.
        rules: none for derived roles.
        derived_roles: only for derived roles.
        imported: the sets of derived roles that it imports.
        parental_consent: whether an ALLOW also needs one of the parent scope.
    """

    number: int
    document: Mapping[str, Any]
    body: Mapping[str, Any]
    type: str
    name: str
    version: str
    scope: str
    visible: Visible
    rules: tuple[Rule, ...]
    derived_roles: tuple[DerivedRole, ...]
    imported: tuple[str, ...]
    parental_consent: bool

    def about(self, rule: Rule, kind: str) -> bool:
        """Whether a rule is about a kind; Cerbos normalizes kinds except in role policies."""
        entry = rule.resource if self.type == "role" else canonical(rule.resource)
        return names.matches(entry, canonical(kind))


def rules_of(documents: Sequence[Mapping[str, Any]], policy_set: PolicySet) -> tuple[PolicyRules, ...]:
    """What each policy says, in the order of the documents, without disabled ones and exports.

    Args:
        documents: as dicts in the form of Cerbos's policy files.
        policy_set: the same policies.
    """
    found = (_read(number, document, policy_set) for number, document in enumerate(documents))
    return tuple(one for one in found if one is not None)


def _read(number: int, document: Mapping[str, Any], policy_set: PolicySet) -> PolicyRules | None:
    form = next((form for form in _TYPES if form in document), None)
    if form is None or document.get("disabled"):
        return None
    body, kind = document[form], _TYPES[form]
    visible = visible_in(policy_set, document, body)
    name = body.get("resource") or body.get("principal") or body.get("role") or body.get("name") or ""
    scope = body.get("scope", "")
    return PolicyRules(
        number=number,
        document=document,
        body=body,
        type=kind,
        name=str(name),
        version=body.get("version") or DEFAULT,
        scope="" if scope == "." else scope,
        visible=visible,
        rules=tuple(_rules(number, form, body, visible)),
        derived_roles=tuple(_derived_roles(body, visible)) if kind == "derived roles" else (),
        imported=tuple(body.get("importDerivedRoles", ())),
        parental_consent=body.get("scopePermissions", "").endswith("REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"),
    )


def _rules(number: int, form: str, body: Mapping[str, Any], visible: Visible) -> Iterator[Rule]:
    for i, rule in enumerate(body.get("rules", ())):
        path: tuple[str | int, ...] = (form, "rules", i)
        if form == "principalPolicy":
            for j, action in enumerate(rule.get("actions", ())):
                own = (*path, "actions", j)
                yield _rule(
                    (number, i, j), {"actions": [action["action"]], **action}, rule["resource"], visible, own
                )
        else:
            resource = body["resource"] if form == "resourcePolicy" else rule["resource"]
            yield _rule((number, i), rule, resource, visible, path)


def _rule(
    key: RuleKey, rule: Mapping[str, Any], resource: str, visible: Visible, path: tuple[str | int, ...]
) -> Rule:
    output = rule.get("output") or {}
    when = {**({"ruleActivated": output["expr"]} if output.get("expr") else {}), **output.get("when", {})}
    return Rule(
        key=key,
        name=str(rule.get("name") or f"rule-{key[-1] + 1:03}"),
        effect=str(rule.get("effect", "EFFECT_ALLOW")).removeprefix("EFFECT_"),
        resource=resource,
        actions=tuple(rule.get("actions") or rule.get("allowActions") or ()),
        roles=tuple(rule.get("roles", ())),
        derived_roles=tuple(rule.get("derivedRoles", ())),
        condition=read_condition(rule.get("condition") or {}, visible, *path, "condition"),
        outputs={name: read_expression(text, visible) for name, text in when.items() if text},
        line=visible.lines.of(visible.file, *path),
    )


def _derived_roles(body: Mapping[str, Any], visible: Visible) -> Iterator[DerivedRole]:
    for i, role in enumerate(body.get("definitions", ())):
        path = ("derivedRoles", "definitions", i)
        condition = read_condition(role.get("condition") or {}, visible, *path, "condition")
        parents = tuple(role.get("parentRoles", ()))
        yield DerivedRole(i, role["name"], parents, condition, visible.lines.of(visible.file, *path))


def read_together(
    policies: Iterable[PolicyRules], kind: str, action: str, paths: Collection[Path]
) -> frozenset[Path] | None:
    """What atoms read that read one of these paths, or something around or inside it.

    Args:
        policies: all of them.
        kind: the resource kind.
        action: the action; derived roles count for each.
        paths: such as ``("P", "attr", "region")``.

    Returns:
        Paths, with those given; None if a condition can't be read.
    """
    found = set(paths)
    for one in policies:
        rules = [rule for rule in one.rules if one.about(rule, kind) and rule.names_action(action)]
        conditions = [owner.condition for owner in rules] + [role.condition for role in one.derived_roles]
        for part in (part for condition in conditions if condition is not None for part in condition.walk()):
            if part.form == "unread" or not all(map(_is_plain, part.operands)):
                return None
            own = set(reads(part.operands))
            if any(overlap(path, read) for path in paths for read in own):
                found |= own
    return frozenset(found)


def overlap(one: Path, other: Path) -> bool:
    """Whether one path is the other, or leads to something inside it."""
    return all(step == same for step, same in zip(one, other, strict=False))


def _is_plain(operand: Operand) -> bool:
    """Whether everything that an operand reads is known."""
    if operand.parts:
        return all(map(_is_plain, operand.parts))
    return operand.literal or operand.path[:1] in {("P",), ("R",), ("C",), ("G",)}

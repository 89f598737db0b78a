"""What a request can reach: the policies of its kind, version and scope, and the actions they name.

Cerbos silently denies whatever no policy is about. This module reports it before asking. Where Cerbos looks
was read from its source (``ruletable/check.go``) and is compared with the PDP in
``tests/policies/test_reach.py``:

- A scope exists if any resource or role policy has it, whatever its kind and version; the scopes of principal
  policies are separate. From there Cerbos searches upwards. A scope that does not exist finds nothing, unless
  the PDP searches leniently: then it starts at the nearest existing parent.
- Principal policies are chosen by the resource's version. They apply if the principal's version and scope, or
  the resource's, find any policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rapidfuzz.distance import OSA

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.policies import names
from clerk_cerbos_lab.policies.names import scope_and_above
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SHORT: Final = 5
"""Shortest name, in letters, for which a difference of one letter suggests a typo."""

DEFAULT: Final = "default"
"""The policy version that Cerbos uses if a request or a policy gives none."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request looks.

    Attributes:
        kind: the resource kind.
        version: the policy version of the resource; None if only the PDP knows its default.
        scope: of the resource; None if only the PDP knows its default.
        principal_version: the same for the principal.
        principal_scope: the same for the principal.
    """

    kind: str
    version: str | None
    scope: str | None
    principal_version: str | None
    principal_scope: str | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The policies that can answer a request.

    Attributes:
        kind: the resource kind.
        policies: with their rules, which name kinds and actions.
        own: the actions that the resource policies name, including patterns, sorted.
        others: the actions that principal and role policies name.
    """

    kind: str
    policies: tuple[Policy, ...]
    own: tuple[str, ...]
    others: tuple[str, ...]

    def check_action(self, action: str) -> None:
        """Refuse an action that no reached policy can match: Cerbos would return a plain DENY.

        Raises:
            InputError: with the nearest name.
        """
        every = (*self.own, *self.others)
        if not any(names.matches(entry, action) for entry in every):
            hint = did_you_mean(action, _named(every) or every)
            msg = f"no action '{action}' in the policies of '{self.kind}'{hint}"
            raise InputError(msg)


def reach(policies: Sequence[Policy], target: Target, *, lenient: bool | None) -> Reached:
    """The policies that can answer a request.

    Args:
        policies: every policy of the PDP (see ``rows_of``).
        target: where the request looks.
        lenient: whether the PDP searches scopes leniently; None if unknown.

    Raises:
        InputError: if there are none: no policy is about the kind, or none in this version or scope.
    """
    found = _reached(policies, target, lenient=lenient)
    if not found:
        raise InputError(_why_nothing(policies, target, lenient=lenient))
    own = {action for policy in found if policy.type == "resource" for action in policy.actions(target.kind)}
    others = {
        action for policy in found if policy.type != "resource" for action in policy.actions(target.kind)
    }
    return Reached(target.kind, tuple(found), tuple(sorted(own)), tuple(sorted(others)))


def doubts(policies: Sequence[Policy], reached: Reached, actions: Iterable[str]) -> list[str]:
    """Names that may be misspelt: no policy names them, or only policies that can't allow anything.

    Args:
        policies: every policy of the PDP.
        reached: the policies that the request can reach.
        actions: the actions asked about.

    Returns:
        One sentence per name, with the nearest existing name.
    """
    found = []
    kind = reached.kind
    meant_by = {entry for policy in reached.policies for entry in policy.kinds if policy.means(entry, kind)}
    kinds = _named(entry for policy in policies for entry in policy.kinds)
    if meant_by <= names.ANYTHING and canonical(kind) not in {canonical(named) for named in kinds}:
        found.append(
            f"no policy names the kind '{kind}', only rules about every kind{did_you_mean(kind, kinds)}"
        )
    elif near := _misspelt(kind, kinds):
        found.append(f"no policy names the kind '{kind}', only patterns; did you mean '{near}'?")
    granting = {
        entry for policy in reached.policies if policy.type != "role" for entry in policy.actions(kind)
    }
    if all(policy.type == "role" for policy in reached.policies):
        found.append(f"only role policies are about '{kind}' here, and they allow nothing by themselves")
        granting = {*reached.others}
    actions_named = _named(entry for policy in policies for entry in policy.actions(None))
    for action in actions:
        meant_by = {entry for entry in granting if names.matches(entry, action)}
        hint = did_you_mean(action, actions_named)
        if not meant_by:
            found.append(
                f"only role policies name the action '{action}', and they allow nothing by themselves"
            )
        elif action in actions_named:
            continue
        elif meant_by <= names.ANYTHING:
            found.append(f"no policy names the action '{action}', only rules about every action{hint}")
        elif near := _misspelt(action, actions_named):
            found.append(f"no policy names the action '{action}', only patterns; did you mean '{near}'?")
    return found


def _misspelt(name: str, known: Iterable[str]) -> str | None:
    """A known name that differs by one letter or by two swapped letters; None if the name itself is known."""
    others = sorted(known)
    if name in others or len(name) < SHORT or canonical(name) in map(canonical, others):
        return None
    return next((other for other in others if OSA.distance(name, other) == 1), None)


def _named(entries: Iterable[str]) -> set[str]:
    """The literal names in policies, without patterns."""
    return {name for name in map(names.only_name, entries) if name is not None}


# -- policies as rows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy that can answer a request.

    Attributes:
        document: the policy as a dict in the form of Cerbos's policy files.
        type: ``resource``, ``principal`` or ``role``.
        version: of the policy.
        scope: of the policy; empty for none.
        rules: the kind (perhaps a pattern in principal and role policies) and the actions of each rule.
    """

    document: Mapping[str, Any]
    type: str
    version: str
    scope: str
    rules: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds, or patterns of kinds, that the rules are about."""
        return tuple(kind for kind, _ in self.rules)

    def means(self, entry: str, kind: str) -> bool:
        """Whether a rule's kind or pattern matches a kind; Cerbos normalizes it except in role policies."""
        return names.matches(entry if self.type == "role" else canonical(entry), canonical(kind))

    def about(self, kind: str) -> bool:
        """Whether a rule is about a kind."""
        return any(self.means(entry, kind) for entry in self.kinds)

    def actions(self, kind: str | None) -> list[str]:
        """The actions named for a kind, including patterns; None for any kind."""
        return [
            action
            for entry, actions in self.rules
            if kind is None or self.means(entry, kind)
            for action in actions
        ]


_TYPES: Final = {"resourcePolicy": "resource", "principalPolicy": "principal", "rolePolicy": "role"}


def rows_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Policy, ...]:
    """The policies that can answer a request: all except disabled ones and those that others import."""
    return tuple(policy for policy in map(_read, documents) if policy is not None)


def _read(document: Mapping[str, Any]) -> Policy | None:
    if document.get("disabled"):
        return None
    form = next((form for form in _TYPES if form in document), None)
    if form is None:
        return None
    body, kind = document[form], _TYPES[form]
    rules: list[tuple[str, tuple[str, ...]]]
    if kind == "resource":
        actions = [action for rule in body.get("rules", ()) for action in rule.get("actions", ())]
        rules = [(body["resource"], tuple(actions))]
    elif kind == "principal":
        rules = [
            (rule["resource"], tuple(action["action"] for action in rule.get("actions", ())))
            for rule in body.get("rules", ())
        ]
    else:
        rules = [(rule["resource"], tuple(rule.get("allowActions", ()))) for rule in body.get("rules", ())]
    scope = body.get("scope", "")
    return Policy(document, kind, body.get("version") or DEFAULT, "" if scope == "." else scope, tuple(rules))


def _reached(policies: Sequence[Policy], target: Target, *, lenient: bool | None) -> list[Policy]:
    of_resource = [policy for policy in policies if policy.type != "principal" and policy.rules]
    of_principal = [policy for policy in policies if policy.type == "principal"]
    scopes = _scopes(target.scope, {policy.scope for policy in of_resource}, lenient=lenient)
    own_scopes = _scopes(target.principal_scope, {policy.scope for policy in of_principal}, lenient=lenient)
    found = [
        policy
        for policy in of_resource
        if policy.about(target.kind) and _in(policy.version, target.version) and policy.scope in scopes
    ]
    theirs = [policy for policy in of_principal if policy.scope in own_scopes]
    if found or any(_in(policy.version, target.principal_version) for policy in theirs):
        found += [
            policy for policy in theirs if policy.about(target.kind) and _in(policy.version, target.version)
        ]
    return found


def _in(version: str, wanted: str | None) -> bool:
    return wanted is None or version == wanted


def _scopes(scope: str | None, held: Collection[str], *, lenient: bool | None) -> set[str]:
    """The existing scopes that Cerbos searches."""
    if scope is None:
        return set(held)
    chain = scope_and_above(scope)
    if lenient is False and chain[0] not in held:
        return set()
    return set(chain) & set(held)


def _why_nothing(policies: Sequence[Policy], target: Target, *, lenient: bool | None) -> str:
    about = [policy for policy in policies if policy.about(target.kind)]
    if not about:
        kinds = _named(entry for policy in policies for entry in policy.kinds)
        return f"no policy is about the resource kind '{target.kind}'{did_you_mean(target.kind, kinds)}"
    versions = {policy.version for policy in about}
    if target.version not in versions:
        hint = did_you_mean(str(target.version), versions)
        return f"'{target.kind}' has no policy version '{target.version}'{hint}"
    scopes = {policy.scope for policy in policies if policy.scope}
    usable = {scope for scope in scopes if _reached(policies, _with_scope(target, scope), lenient=lenient)}
    version = "" if target.version in {None, DEFAULT} else f", version '{target.version}',"
    where = f"in the scope '{target.scope}'" if target.scope else "outside a scope"
    return f"'{target.kind}'{version} has no policy {where}{did_you_mean(target.scope or '', usable)}"


def _with_scope(target: Target, scope: str) -> Target:
    return Target(target.kind, target.version, scope, target.principal_version, scope)

"""Ways to get wrong which rules can matter, to be caught by the generated policies and by the audit."""

from collections.abc import Callable, Mapping

import pytest

from clerk_cerbos_lab.policies import policy_set
from clerk_cerbos_lab.policies.policy_set import PolicySet

Patch = Callable[[pytest.MonkeyPatch], None]


def _runtime_is_never_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PolicySet, "reads_runtime", lambda self, kind: False)


def _runtime_is_read_by_the_own_rules_only(patch: pytest.MonkeyPatch) -> None:
    def own(self: PolicySet, kind: str) -> bool:
        return any("runtime" in repr(body.get("rules")) for _, body in self.of_kind(kind))

    patch.setattr(PolicySet, "reads_runtime", own)


def _runtime_is_not_read_through_variables(patch: pytest.MonkeyPatch) -> None:
    def without(self: PolicySet, kind: str) -> bool:
        imported = {name for _, body in self.of_kind(kind) for name in body.get("importDerivedRoles", ())}
        bodies = [body for _, body in self.of_kind(kind)] + [body for _, body, _ in self.about(kind)]
        bodies += [
            p["derivedRoles"] for p in self.policies if p.get("derivedRoles", {}).get("name") in imported
        ]
        return any("runtime" in repr(body) for body in bodies)

    patch.setattr(PolicySet, "reads_runtime", without)


def _runtime_is_not_read_by_principal_and_role_policies(patch: pytest.MonkeyPatch) -> None:
    def without(self: PolicySet, kind: str) -> bool:
        imported = {name for _, body in self.of_kind(kind) for name in body.get("importDerivedRoles", ())}
        pairs = [*self.of_kind(kind)]
        pairs += [
            (p, p["derivedRoles"]) for p in self.policies if p.get("derivedRoles", {}).get("name") in imported
        ]
        return any(
            "runtime" in repr(body)
            or any("runtime" in text for text in self.environment(policy, body).sources)
            for policy, body in pairs
        )

    patch.setattr(PolicySet, "reads_runtime", without)


def _a_backslash_means_itself(patch: pytest.MonkeyPatch) -> None:
    def plain(pattern: str, name: str) -> bool:
        if "*" not in pattern:
            return pattern == name
        first, *_, last = pattern.split("*")
        return name.startswith(first) and name.endswith(last)

    patch.setattr(policy_set, "may_match", plain)


def _patterns_are_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_set, "may_match", lambda pattern, name: pattern in {name, "*"})


def _principal_policies_are_not_read(patch: pytest.MonkeyPatch) -> None:
    read = PolicySet.about
    patch.setattr(
        PolicySet, "about", lambda self, kind: [one for one in read(self, kind) if "rolePolicy" in one[0]]
    )


def _role_policies_are_not_read(patch: pytest.MonkeyPatch) -> None:
    read = PolicySet.about
    patch.setattr(
        PolicySet, "about", lambda self, kind: [one for one in read(self, kind) if "rolePolicy" not in one[0]]
    )


def _role_policies_give_no_roles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PolicySet, "has_role_policies", property(lambda self: False))


def _scopes_are_not_read(patch: pytest.MonkeyPatch) -> None:
    read = PolicySet.of_kind
    patch.setattr(
        PolicySet, "of_kind", lambda self, kind: [one for one in read(self, kind) if not one[1].get("scope")]
    )


def _derived_roles_have_no_parents_by_pattern(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_set, "_may_be", lambda pattern, name: pattern == name)


def _derived_roles_are_not_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_set, "_can_have", lambda role, audience: False)


def _rules_of_derived_roles_do_not_apply(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PolicySet, "active", lambda self, imported, audience: set())


def _who_is_named_is_nobody_special(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PolicySet, "named", property(lambda self: set()))


def _actions_are_asked_together(patch: pytest.MonkeyPatch) -> None:
    def together(*_: object) -> None:
        return None

    from clerk_cerbos_lab.sweeps import sweep  # noqa: PLC0415 - its own name of the function

    patch.setattr(sweep, "separately", together)


MUTANTS: Mapping[str, Patch] = {
    name.removeprefix("_"): found
    for name, found in list(globals().items())
    if name.startswith("_")
    and callable(found)
    and getattr(found, "__module__", "") == __name__
    and not isinstance(found, type)
}
"""By what is wrong: a patch that makes it so."""

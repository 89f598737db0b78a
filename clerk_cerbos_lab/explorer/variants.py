"""The policy versions and scopes in which a resource kind can be asked, and the actions known there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from clerk_cerbos_lab.errors import InputError, PDPError, did_you_mean
from clerk_cerbos_lab.pdp import inspection
from clerk_cerbos_lab.policies.names import only_name
from clerk_cerbos_lab.sweeps.name_checks import actions_asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.explorer.envelope import Envelope
    from clerk_cerbos_lab.pdp.client import PDP

Pair: TypeAlias = "tuple[str, str]"
"""A policy version and a scope."""


class Variants:
    """The versions and scopes that can be chosen for a kind.

    They are those of its own policies, and those of principal and role policies that ``lab.sweep`` accepts.

    Args:
        pdp: the PDP; if it does not show its policies, only given names can be asked.
        kind: the resource kind.
        start: the initial arguments of requests; an empty version is the PDP's default.
        actions: the actions to offer; None for all that the policies name in any of the versions.

    Raises:
        InputError: if ``lab.sweep`` would not accept the start, or none of the actions there.

    Attributes:
        versions: the policy versions, sorted.
        scopes: the policy scopes, sorted; ``""`` is that of policies without one.
        actions: the actions offered in any of them; a name keeps its position when others are added.
        default_version: the version that an empty one means; ``""`` if only the PDP knows.
        default_scope: the same for an empty scope.
    """

    def __init__(self, pdp: PDP, kind: str, start: Envelope, actions: Sequence[str] | str | None) -> None:
        self._pdp = pdp
        self._kind = kind
        self._every = actions is None
        self._principal = {
            "principal_policy_version": start.principal_policy_version,
            "principal_scope": start.principal_scope,
        }
        self._refused: dict[Pair, str | None] = {}
        self._known: dict[tuple[Pair, tuple[str, ...]], tuple[str, ...]] = {}
        own = pdp.own_policies
        engine = own[1].get("engine", {}) if own is not None else {}
        self.default_version = "" if own is None else _plain(engine.get("defaultPolicyVersion", "default"))
        self.default_scope = _plain(engine.get("defaultScope", ""))
        version, scope = first = (self.version(start.policy_version), start.scope)
        self.versions, self.scopes = [version], [scope]
        self.actions = actions_asked(pdp, kind, actions, {"policy_version": version, "scope": scope})
        if pdp.check_names(kind, (), **self._where(first)) is None:
            return
        self._read(first)
        if self._every:
            for name in self.versions:
                self._join(next((s for s in self.scopes if self.can_be_asked(name, s)), None), name)
            self.actions = tuple(sorted(self.actions))
        else:
            self._check(first)

    def version(self, name: str) -> str:
        """A policy version by its name; an empty name means the default."""
        return name or self.default_version

    def _where(self, pair: Pair) -> dict[str, Any]:
        version, scope = pair
        return {"policy_version": version, "scope": scope, **self._principal}

    def _read(self, first: Pair) -> None:
        """Read the versions and scopes from the policies."""
        try:
            policies = self._pdp.policies
        except PDPError:
            return
        own = inspection.of_kind(policies, self._kind)
        elsewhere = policies[policies["type"].isin(["principal", "role"])]
        scopes = sorted({first[1], "", *own["scope"], *elsewhere["scope"]})
        likely = sorted(scopes, key=lambda scope: scope != first[1])
        versions = {first[0], *own["version"], *elsewhere["version"]}
        versions |= set() if self.default_version else {""}
        self.versions = [
            version
            for version in sorted(versions)
            if version == first[0] or any(self.can_be_asked(version, scope) for scope in likely)
        ]
        certain = {first[1], *own["scope"]}
        self.scopes = [
            scope
            for scope in scopes
            if scope in certain or any(self.can_be_asked(version, scope) for version in self.versions)
        ]

    def _join(self, scope: str | None, version: str) -> None:
        """Also offer the actions that the policies name in a version and scope."""
        if scope is None or not self._every:
            return
        try:
            named = self._pdp.actions(self._kind, policy_version=version, scope=scope) or ()
        except InputError:  # only a principal's own version or scope reaches a policy
            return
        plain = [name for name in map(only_name, named) if name is not None]
        self.actions += tuple(name for name in dict.fromkeys(plain) if name not in self.actions)

    def _check(self, first: Pair) -> None:
        """Refuse an action that no version knows, and actions none of which the first version knows."""
        here = self.known(*first)
        missing = [action for action in self.actions if action not in here]
        pairs = [(version, scope) for version in self.versions for scope in self.scopes] if missing else []
        elsewhere = {action for pair in pairs if self.can_be_asked(*pair) for action in self.known(*pair)}
        for action in [
            *(action for action in missing if action not in elsewhere),
            *(() if here else missing),
        ]:
            self._pdp.check_names(self._kind, [action], **self._where(first))

    def can_be_asked(self, version: str, scope: str) -> bool:
        """Whether ``lab.sweep`` accepts this version together with this scope."""
        return self._why_not((version, scope)) is None

    def _why_not(self, pair: Pair) -> str | None:
        if pair not in self._refused:
            self._refused[pair] = None
            try:
                self._pdp.check_names(self._kind, (), **self._where(pair))
            except InputError as error:
                self._refused[pair] = str(error)
        return self._refused[pair]

    def known(self, version: str, scope: str) -> tuple[str, ...]:
        """The offered actions that ``lab.sweep`` accepts in this version and scope.

        Raises:
            InputError: if it does not accept version and scope.
        """
        pair = (version, scope)
        why_not = self._why_not(pair)
        if why_not is not None:
            raise InputError(why_not)
        self._join(scope, version)
        if (pair, self.actions) not in self._known:
            self._known[pair, self.actions] = tuple(a for a in self.actions if self._takes(a, pair))
        return self._known[pair, self.actions]

    def _takes(self, action: str, pair: Pair) -> bool:
        try:
            self._pdp.check_names(self._kind, [action], **self._where(pair))
        except InputError:
            return False
        return True

    # -- combinations that fit ------------------------------------------------------------------

    def nearest(self, before: Pair, wanted: Pair, fixed: frozenset[str]) -> tuple[Pair, list[str]]:
        """A version and scope that fit together, as close to the wanted ones as possible.

        Args:
            before: the previous choice.
            wanted: the new choice.
            fixed: which of ``policy_version`` and ``scope`` must not change.

        Returns:
            The pair, and sentences about what had to change.

        Raises:
            InputError: if nothing fits with what must not change.
        """
        if self.can_be_asked(*wanted):
            return wanted, []
        versions = wanted[:1] if "policy_version" in fixed else self.versions
        scopes = wanted[1:] if "scope" in fixed else self.scopes
        pairs = ((version, scope) for version in versions for scope in scopes)
        found = next((pair for pair in pairs if self.can_be_asked(*pair)), None)
        if found is None:
            self.known(*wanted)  # raises the error
            return wanted, []
        named = zip(("policy version", "scope"), before, found, wanted, strict=True)
        return found, [
            f"The policies that answer now have no {name} '{was}': '{now}' is used instead."
            for name, was, now, asked in named
            if now != asked
        ]

    def fitting(self, actions: Sequence[str], pair: Pair, *, fixed: bool) -> tuple[list[str], list[str]]:
        """The actions that are known in a version and scope, or else the first known one.

        Args:
            actions: the actions.
            pair: version and scope.
            fixed: whether no action may be left out.

        Returns:
            The actions, and sentences about what was left out.

        Raises:
            InputError: for an unknown action that must not be left out, or if none is known.
        """
        known = self.known(*pair)
        if not known:
            version, scope = pair
            msg = (
                f"policy version '{version}' with scope '{scope}' has none of the actions "
                f"{', '.join(self.actions)}: name some of its own in lab.explore(…, actions=[…])"
            )
            raise InputError(msg)
        unknown = [action for action in actions if action not in known]
        if unknown and fixed:
            msg = f"no action '{unknown[0]}'{did_you_mean(str(unknown[0]), known)}"
            raise InputError(msg)
        kept = [action for action in actions if action in known] or list(known[:1])
        names = ", ".join(f"'{action}'" for action in unknown)
        said = [f"The policies that answer now have no action {names}: deselected."] if unknown else []
        return kept, said


def _names(actions: Sequence[str] | str) -> tuple[str, ...]:
    if not isinstance(actions, (str, list, tuple)):
        msg = f"actions is a name or a list of names, not {actions!r}"
        raise InputError(msg)
    if not actions:
        msg = "actions is empty; leave it out for all that the policies name"
        raise InputError(msg)
    return (actions,) if isinstance(actions, str) else tuple(actions)


def _plain(value: object) -> str:
    """A setting if it is known here: Cerbos may fill in environment variables."""
    return value if isinstance(value, str) and "${" not in value else ""

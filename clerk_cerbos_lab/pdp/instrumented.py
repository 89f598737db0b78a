"""Copies of the policies that report why: which rules applied, and what each part of a condition is.

Two copies, each in a PDP of its own:

- *Flow*: the policies as they are, except that every rule has a name and puts out whether it applied. Its
  effects are those of the original policies, which whoever asks compares.
- *Facts*: parts of conditions, computed alone (see ``probes``).
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.pdp.probes import Facts, plain_policy
from clerk_cerbos_lab.pdp.snapshots import Snapshot, snapshot_of
from clerk_cerbos_lab.pdp.together import together
from clerk_cerbos_lab.policies.reach import DEFAULT, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.messages import Report, Request
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.rules import PolicyRules, RuleKey


@dataclass(frozen=True, slots=True)
class Flow:
    """What the policies did with a request.

    Attributes:
        report: the effect, the policy that decided, what a schema refuses.
        applied: the rules that applied.
        unmet: the rules whose condition was evaluated and not met.
        consulted: the resource policies whose rules were looked at, by their number.
        visited: in strict evaluation, the rules that were come to for one of their roles (of a derived role:
            its parent roles), whether or not an error ended the evaluation there.
    """

    report: Report
    applied: tuple[RuleKey, ...]
    unmet: tuple[RuleKey, ...]
    consulted: frozenset[int] = frozenset()
    visited: frozenset[RuleKey] = frozenset()


class Instrumented:
    """The PDPs on the policies and the two copies: started when first asked, ended with this object.

    Args:
        snapshot: the policies, and the configuration of the PDP that decided.
        index: of the same policies.
        assumed: whether the configuration is not that of the PDP that decided, which does not report it.
        decided: the PDP that decided.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        index: PolicyIndex,
        *,
        assumed: bool = False,
        decided: weakref.ref[PDP] | None = None,
    ) -> None:
        self.index = index
        self.assumed = assumed
        self._decided = decided
        self._snapshot = snapshot
        self._lock = threading.RLock()
        self._flow: PDP | None = None
        self._original: PDP | None = None
        self._facts: dict[str, Facts] = {}
        self._running: list[PDP | Facts] = []
        weakref.finalize(self, _close, self._running)

    @property
    def decided(self) -> PDP | None:
        """The PDP that decided, if it is still there."""
        return None if self._decided is None else self._decided()

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the PDP that decided."""
        return self._snapshot.config

    def with_config(self, config: Mapping[str, Any], now: str | None = None) -> Instrumented:
        """The same policies under another configuration, perhaps at a fixed time; close it after use."""
        return Instrumented(replace(self._snapshot, config=config, now=now), self.index)

    @property
    def binary(self) -> str | None:
        """The program that decided, if one was given to ``lab.PDP``."""
        return self._snapshot.binary

    @property
    def original(self) -> tuple[PDP, Snapshot]:
        """A PDP on the policies as they are, and the policies.

        Raises:
            PDPError: if it does not start.
        """
        with self._lock:
            snapshot = self._snapshot
            if self.assumed or snapshot.now is not None:
                schemas = {} if self.assumed else snapshot.schemas
                files = {
                    f"{number:04}.json": json.dumps(self._plain(document), ensure_ascii=False).encode()
                    for number, document in enumerate(self.index.documents)
                }
                snapshot = snapshot.of({**schemas, **files})
            if self._original is None:
                self._original = snapshot.start()
                self._running.append(self._original)
            return self._original, snapshot

    def start(self, kind: str) -> None:
        """Start both copies at the same time, if neither runs.

        Raises:
            PDPError: if one does not start.
        """
        with self._lock:
            if self._flow is not None or kind in self._facts:
                return
            with ThreadPoolExecutor(1) as other:
                flow = other.submit(self._snapshot.of(self._flow_files()).start)
                self._facts[kind] = Facts(self._snapshot, self.index, kind)
                self._running.append(self._facts[kind])
                self._flow = flow.result()
                self._running.append(self._flow)

    def flows(self, requests: Sequence[Request]) -> Iterator[Flow]:
        """What the policies do with requests, which have the same JWT.

        Raises:
            PDPError: if the copy does not start, or the PDP refuses a request.
        """
        with self._lock:
            if self._flow is None:
                self._flow = self._snapshot.of(self._flow_files()).start()
                self._running.append(self._flow)
            pdp = self._flow
        keys = {_rule_name(rule.key): rule.key for one in self.index.rules for rule in one.rules}
        marks = {_mark(rule.key): rule.key for one in self.index.rules for rule in one.rules}
        policies = {_mark((one.number,)): one.number for one in self.index.rules}
        batches = ((request, *request.batch(request.kind, [request.action])) for request in requests)
        aux_data = requests[0].aux_data if requests else None
        with pdp.asking(), closing(pdp.reports(together(batches), aux_data)) as answers:
            for report in itertools.chain.from_iterable(answers):
                own = [(output, keys[output.rule]) for output in report.outputs if output.rule in keys]
                yield Flow(
                    report,
                    tuple(key for output, key in own if output.value is True),
                    tuple(key for output, key in own if output.value is False),
                    frozenset(policies[output.rule] for output in report.outputs if output.rule in policies),
                    frozenset(marks[output.rule] for output in report.outputs if output.rule in marks),
                )

    def reached(self, request: Request) -> tuple[PolicyRules, ...]:
        """The policies that can answer a request, the most specific first; derived roles come last.

        Principal policies of other people and role policies of roles that the principal neither names nor
        is given by a role policy are left out.

        Raises:
            InputError: if there are none, with the reason.
        """
        engine = self.config.get("engine") or {}
        versions = [
            one or (None if self.assumed else str(engine.get("defaultPolicyVersion") or DEFAULT))
            for one in (request.resource[0], request.who[0])
        ]
        scopes = [
            one or (None if self.assumed else str(engine.get("defaultScope") or ""))
            for one in (request.resource[1], request.who[1])
        ]
        target = Target(request.kind, versions[0], scopes[0], versions[1], scopes[1])
        lenient = None if self.assumed else bool(engine.get("lenientScopeSearch"))
        ids = {id(policy.document) for policy in self.index.reached(target, lenient=lenient).policies}
        own = {"principal": {request.principal.id}, "role": self._with_parents(request, scopes[0])}
        found = [
            one
            for one in self.index.rules
            if id(one.document) in ids and (one.type == "resource" or one.name in own[one.type])
        ]
        order = ("principal", "role", "resource")
        found.sort(key=lambda one: (order.index(one.type), -len(one.scope)))
        imported = {name for one in found for name in one.imported}
        sets = [one for one in self.index.rules if one.type == "derived roles" and one.name in imported]
        return (*found, *sets)

    def _with_parents(self, request: Request, scope: str | None) -> set[str]:
        """The roles of a principal and those that role policies of the resource's scope give them."""
        given: dict[str, list[str]] = {}
        for one in self.index.rules:
            if one.type == "role" and scope in {None, one.scope}:
                given.setdefault(one.name, []).extend(one.body.get("parentRoles", ()))
        roles, waiting = set(), list(request.principal.roles)
        while waiting:
            name = waiting.pop()
            if name not in roles:
                roles.add(name)
                waiting += given.get(name, ())
        return roles

    def check(self, requests: Sequence[Request]) -> list[bool]:
        """The effects of requests by the policies themselves, True for ALLOW.

        Raises:
            PDPError: if a PDP does not start or refuses a request.
        """
        batches = (request.batch(request.kind, [request.action]) for request in requests)
        aux_data = requests[0].aux_data if requests else None
        with self.deciding() as pdp, closing(pdp.check(batches, aux_data)) as answers:
            return [bool(allowed.item()) for allowed in answers]

    @contextmanager
    def deciding(self) -> Iterator[PDP]:
        """A PDP with these policies as they are, for questions of which nothing must be reported.

        It is the one that decided. If that is closed, or has other policies now, it is one on a copy.

        Raises:
            PDPError: if the copy does not start.
        """
        with ExitStack() as asking:
            pdp = self.decided
            if pdp is not None:
                try:
                    asking.enter_context(pdp.asking())
                    same = pdp.index is self.index
                except PDPError:
                    same = False
            if pdp is None or not same:
                asking.close()
                pdp, _ = self.original
                asking.enter_context(pdp.asking())
            yield pdp

    def _plain(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A policy that can be written to a file; without schemas if their files are not known."""
        made = copy.deepcopy(plain_policy(document))
        if self.assumed:
            made.get("resourcePolicy", {}).pop("schemas", None)
        return made

    def _flow_files(self) -> dict[str, bytes]:
        """The policies with a name and outputs for each rule."""
        files = self._snapshot.schemas
        outputs: dict[tuple[str, ...], int] = {}
        for number, document in enumerate(self.index.documents):
            made = self._plain(document)
            for form in ("resourcePolicy", "principalPolicy", "rolePolicy"):
                rules = made.get(form, {}).get("rules", [])
                for i, rule in enumerate(rules):
                    if form == "principalPolicy":
                        for j, action in enumerate(rule.get("actions", ())):
                            action.update(_reporting((number, i, j), action, outputs))
                        rule["actions"] = list(self._with_marks(rule.get("actions", []), (number, i)))
                    else:
                        rule.update(_reporting((number, i), rule, outputs))
                if form == "resourcePolicy" and rules:
                    everything = {"actions": ["*"], "roles": ["*"], **_marking((number,))}
                    made[form]["rules"] = [everything, *self._with_marks(rules, (number,), made[form])]
            files[f"{number:04}.json"] = json.dumps(made, ensure_ascii=False).encode()
        return files

    def _with_marks(
        self, rules: Sequence[dict[str, Any]], above: RuleKey, policy: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """In strict evaluation, a mark before each rule: a rule whose condition fails puts out nothing."""
        for place, rule in enumerate(rules):
            if self.strict and policy is None:
                yield {"action": rule["action"], **_marking((*above, place))}
            elif self.strict and policy is not None:
                parents = self._parents(policy.get("importDerivedRoles", ()), rule.get("derivedRoles", ()))
                roles = list(dict.fromkeys([*rule.get("roles", ()), *parents]))
                yield {"actions": rule["actions"], "roles": roles, **_marking((*above, place))}
            yield rule

    def _parents(self, imported: Sequence[str], derived_roles: Sequence[str]) -> Iterator[str]:
        """The parent roles of derived roles."""
        for one in self.index.rules:
            if one.type == "derived roles" and one.name in imported:
                for role in one.derived_roles:
                    yield from role.parent_roles if role.name in derived_roles else ()

    @property
    def strict(self) -> bool:
        """Whether an error in a condition denies."""
        return bool((self.config.get("engine") or {}).get("strictEvaluation"))

    def facts(self, kind: str) -> Facts:
        """What can be asked about the conditions of a resource kind.

        Raises:
            PDPError: if no PDP starts.
        """
        with self._lock:
            if kind not in self._facts:
                self._facts[kind] = Facts(self._snapshot, self.index, kind)
                self._running.append(self._facts[kind])
            return self._facts[kind]

    def close(self) -> None:
        """End the PDPs; the next question starts them again."""
        with self._lock:
            _close(self._running)
            self._flow, self._original, self._facts = None, None, {}


def _rule_name(key: RuleKey) -> str:
    return "why-" + "-".join(map(str, key))


def _mark(key: RuleKey) -> str:
    return "mark-" + "-".join(map(str, key))


def _marking(key: RuleKey) -> dict[str, Any]:
    """A rule that never applies and puts out that it was looked at."""
    return {
        "name": _mark(key),
        "effect": "EFFECT_DENY",  # where a scope requires consent, an ALLOW that never applies denies
        "condition": {"match": {"expr": "false"}},
        "output": {"when": {"conditionNotMet": "true"}},
    }


def _close(running: list[PDP | Facts]) -> None:
    while running:
        running.pop().close()


def _reporting(key: RuleKey, rule: Mapping[str, Any], outputs: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """A name and outputs for a rule.

    Rules with different outputs have different ones in the copy, too: where Cerbos 0.55 takes conditions for
    one another, it does so only if the outputs of their rules are the same. So do rules of different
    policies: which of their conditions Cerbos keeps can differ between PDPs, and the copy keeps both.
    """
    output = rule.get("output") or {}
    when = output.get("when") or {"ruleActivated": output.get("expr")}
    texts = tuple(text for name in ("ruleActivated", "conditionNotMet") if (text := when.get(name)))
    number = outputs.setdefault((str(key[0]), *texts), len(outputs))
    told = {"ruleActivated": f"{number} == {number}", "conditionNotMet": f"{number} != {number}"}
    return {"name": _rule_name(key), "output": {"when": told}}


_kept: weakref.WeakKeyDictionary[PDP, Instrumented] = weakref.WeakKeyDictionary()


def instrumented_of(pdp: PDP) -> Instrumented | None:
    """What explains the decisions of a PDP, by its current policies; nothing is started yet.

    Returns:
        The same object until the policies change; None for a PDP that does not disclose its policies.
    """
    try:
        index = pdp.index
    except PDPError:
        return None
    known = _kept.get(pdp)
    if known is None or known.index is not index:
        snapshot = snapshot_of(pdp)
        known = Instrumented(
            snapshot or Snapshot({}, {}), index, assumed=snapshot is None, decided=weakref.ref(pdp)
        )
        _kept[pdp] = known
    return known

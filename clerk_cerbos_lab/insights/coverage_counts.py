"""Counts how often each part of the policies was true, false or an error, by instrumented copies."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.coverage_parts import DERIVED_ROLE, RULE, policy_name
from clerk_cerbos_lab.pdp.probes import derived_role_probe, probe_of, roles_probe
from clerk_cerbos_lab.policies.conditions import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.insights.coverage_parts import Context, Parts
    from clerk_cerbos_lab.pdp.instrumented import Flow, Instrumented
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.pdp.probes import Answer, Probe, Seen
    from clerk_cerbos_lab.policies.conditions import Expression
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule

TRUE, FALSE, ERROR, VALUE, UNKNOWN, REACHED = range(6)
"""The columns of counts: what a part was; another value than true and false; not known; any of these."""

OUTCOMES: Final = 6

_AT_ONCE: Final = 500
"""Situations whose answers are held together."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A situation: requests that stand for some cells.

    Attributes:
        requests: one for each action.
        people: the positions of the principals who are in it.
        cells: how many combinations of a principal and values it stands for.
        allowed: what the original decided for each action; None if that is not known.
        first: whether these people were in no case before; the next cases with the same people have the
            same array.
    """

    requests: tuple[Request, ...]
    people: npt.NDArray[np.intp]
    cells: int
    allowed: tuple[bool | None, ...]
    first: bool = True


@dataclass(slots=True)
class Counts:
    """What was counted.

    Attributes:
        cells: ``[part, outcome]``.
        people: ``[part, outcome]``.
        total_people: how many principals.
        total_cells: how many decisions.
        held: the parts (rules and derived roles) that somebody has the roles for, or is named by.
        reached: the numbers of the policies that a request could reach.
        asked: kind and action of every request.
        differing: decisions for which the copy gave another effect than the original.
        disagreeing: parts that were something else alone than in their rule.
        left_out: files whose conditions could not be asked in parts.
        constants: by policy and probe, what an expression that reads nothing of a request is.
    """

    cells: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]
    total_people: int
    total_cells: int = 0
    held: set[int] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)
    differing: int = 0
    disagreeing: set[int] = field(default_factory=set)
    left_out: dict[str, None] = field(default_factory=dict)
    constants: dict[tuple[int, Probe], int] = field(default_factory=dict)


class Tally:
    """Adds up what the parts were in one situation after another.

    Args:
        parts: of the policies.
        people: how many principals there are.
    """

    def __init__(self, parts: Parts, people: int) -> None:
        self._parts = parts
        width = len(parts.every) * OUTCOMES
        self._cells = np.zeros(width, np.int64)
        self._bits = np.zeros((people, (width + 7) // 8), np.uint8)  # [principal, part and outcome]
        self._pending: tuple[npt.NDArray[np.intp], set[int]] | None = None
        shape = (len(parts.every), OUTCOMES)
        self.counts = Counts(self._cells.reshape(shape), np.zeros(shape, np.int64), people)

    def add(self, people: npt.NDArray[np.intp], cells: int, found: set[int]) -> None:
        """Count one situation: ``found`` has ``part * OUTCOMES + outcome``."""
        self.counts.total_cells += cells
        self._cells[list(found)] += cells
        if self._pending is None or self._pending[0] is not people:
            self._flush()
            self._pending = people, set()
        self._pending[1].update(found)

    def _flush(self) -> None:
        if self._pending is not None:
            row = np.zeros(self._bits.shape[1] * 8, np.bool_)
            row[list(self._pending[1])] = True
            self._bits[self._pending[0]] |= np.packbits(row)
        self._pending = None

    def finish(self) -> Counts:
        """Everything that was counted."""
        self._flush()
        total = np.zeros(self._bits.shape[1] * 8, np.int64)
        for start in range(0, len(self._bits), 10_000):
            total += np.unpackbits(self._bits[start : start + 10_000], axis=1).sum(axis=0, dtype=np.int64)
        self.counts.people[...] = total[: self._cells.size].reshape(self.counts.people.shape)
        return self.counts


def count(source: Instrumented, parts: Parts, cases: Iterable[Case], tally: Tally) -> None:
    """Ask about situations of one kind, with the same JWT, and count what the parts were."""
    counter: _Counter | None = None
    every = iter(cases)
    while some := list(itertools.islice(every, _AT_ONCE)):
        if counter is None:
            counter = _Counter(source, parts, some[0].requests[0].kind, tally)
        counter.count(some)


class _Counter:
    """Counts the situations of one kind."""

    def __init__(self, source: Instrumented, parts: Parts, kind: str, tally: Tally) -> None:
        self._source = source
        self._parts = parts
        self._tally = tally
        self._counts = tally.counts
        self._facts = source.facts(kind)
        self._counts.left_out |= dict.fromkeys(self._facts.left_out)
        self._sets = {
            (one.name, role.name): (one, role) for one in parts.policies for role in one.derived_roles
        }
        self._by_number = {one.number: one for one in parts.policies}
        self._kind = kind
        self._asked_constants = False

    def count(self, cases: Sequence[Case]) -> None:
        """Ask about situations and count them."""
        reached = [self._reached(case) for case in cases]
        questions = [
            (case.requests[0], self._wanted(case, own)) for case, own in zip(cases, reached, strict=True)
        ]
        flows = self._source.flows([request for case in cases for request in case.requests])
        answers = self._facts.ask(questions)
        for case, own, seen in zip(cases, reached, answers, strict=True):
            if case.first:
                self._note_roles(case, seen)
            self._note_constants(seen)
            outcomes = _Outcomes(seen, self._parts)
            for request, allowed in zip(case.requests, case.allowed, strict=True):
                flow = next(flows)
                self._counts.asked.add((self._kind, request.action))
                if allowed is not None and flow.report.allowed != allowed:
                    self._counts.differing += case.cells
                found = self._found(request, own, flow, outcomes)
                found |= {flat - flat % OUTCOMES + REACHED for flat in found}
                self._tally.add(case.people, case.cells, found)

    def _reached(self, case: Case) -> tuple[PolicyRules, ...]:
        try:
            found = self._source.reached(case.requests[0])
        except InputError:  # no policy answers: everything stays unreached
            return ()
        self._counts.reached.update(one.number for one in found)
        return tuple(one for one in found if one.number in self._by_number)

    # -- what is asked ------------------------------------------------------------------------------

    def _wanted(self, case: Case, reached: Sequence[PolicyRules]) -> dict[int, list[Probe]]:
        """What has to be computed for a situation; the roles of all rules if its people are new."""
        wanted: dict[int, dict[Probe, None]] = {}
        for number, probe in itertools.chain(self._of_constants(), self._of_roles() if case.first else ()):
            wanted.setdefault(number, {})[probe] = None
        for policy in reached:
            rules = [
                rule
                for rule in policy.rules
                if policy.about(rule, self._kind)
                and any(rule.names_action(request.action) for request in case.requests)
            ]
            for rule in rules:
                own = wanted.setdefault(policy.number, {})
                own.update(dict.fromkeys(_levels(rule.condition)))
                if rule.roles or rule.derived_roles:
                    own[roles_probe(rule.roles, rule.derived_roles)] = None
                self._watch((RULE, rule.key), wanted)
            for where, role in self._named(policy, rules):
                wanted.setdefault(policy.number, {})[derived_role_probe(role.name)] = None
                own = wanted.setdefault(where.number, {})
                own.update(dict.fromkeys([roles_probe(role.parent_roles, ()), *_levels(role.condition)]))
                self._watch((DERIVED_ROLE, (where.number, role.number)), wanted)
        return {number: list(probes) for number, probes in wanted.items()}

    def _of_constants(self) -> Iterator[tuple[int, Probe]]:
        """What is the same for every request; asked once."""
        if not self._asked_constants:
            self._asked_constants = True
            yield from ((one.number, one.probe) for one in self._parts.constant)

    def _of_roles(self) -> Iterator[tuple[int, Probe]]:
        """Whether a principal has the roles of any rule or derived role."""
        for policy in self._parts.policies:
            for rule in policy.rules:
                yield from self._held_by(policy, rule)
            for role in policy.derived_roles:
                yield policy.number, roles_probe(role.parent_roles, ())

    def _watch(self, context: Context, wanted: dict[int, dict[Probe, None]]) -> None:
        for one in self._parts.watched.get(context, ()):
            wanted.setdefault(one.number, {})[one.probe] = None

    def _named(self, policy: PolicyRules, rules: Sequence[Rule]) -> Iterator[tuple[PolicyRules, DerivedRole]]:
        """The derived roles that rules of a policy name."""
        for name in dict.fromkeys(name for rule in rules for name in rule.derived_roles):
            found = (self._sets[one, name] for one in policy.imported if (one, name) in self._sets)
            yield from itertools.islice(found, 1)

    def _held_by(self, policy: PolicyRules, rule: Rule) -> Iterator[tuple[int, Probe]]:
        """Probes of which one is true if a principal could have a role of a rule, whatever the values."""
        if rule.roles:
            yield policy.number, roles_probe(rule.roles, ())
        for where, role in self._named(policy, [rule]):
            yield where.number, roles_probe(role.parent_roles, ())

    def _note_roles(self, case: Case, seen: Answer) -> None:
        """Which rules and derived roles somebody has the roles for."""
        who = case.requests[0].principal
        for policy in self._parts.policies:
            for rule in policy.rules:
                part = self._parts.of_rule.get(rule.key)
                if part is None or part in self._counts.held:
                    continue
                if policy.type == "resource":
                    held = not rule.roles and not rule.derived_roles
                    held = held or any(_is_true(seen.get(one)) for one in self._held_by(policy, rule))
                else:
                    held = policy.name == who.id if policy.type == "principal" else policy.name in who.roles
                if held:
                    self._counts.held.add(part)
            for role in policy.derived_roles:
                if _is_true(seen.get((policy.number, roles_probe(role.parent_roles, ())))):
                    self._counts.held.add(self._parts.of_role[policy.number, role.number])

    def _note_constants(self, seen: Answer) -> None:
        """What the expressions are that read nothing of a request."""
        for one in self._parts.constant:
            key = (one.number, one.probe)
            if key not in self._counts.constants and key in seen:
                self._counts.constants[key] = outcome_of(seen[key], boolean=one.boolean)

    # -- what was found -----------------------------------------------------------------------------

    def _found(
        self, request: Request, reached: Sequence[PolicyRules], flow: Flow, outcomes: _Outcomes
    ) -> set[int]:
        """The outcomes in one cell, as ``part * OUTCOMES + outcome``."""
        found: set[int] = set()
        single = len(request.principal.roles) == 1
        for policy in reached:
            rules = [
                rule
                for rule in policy.rules
                if policy.about(rule, self._kind) and rule.names_action(request.action)
            ]
            for rule in rules:
                outcome = self._of_rule(policy, rule, flow, outcomes, single=single)
                if outcome is not None:
                    found.add(self._parts.of_rule[rule.key] * OUTCOMES + outcome)
                    found |= outcomes.within((RULE, rule.key))
            if policy.number not in flow.consulted:
                continue
            for where, role in self._named(policy, rules):
                outcome = outcomes.of_role(policy, where, role)
                if outcome is not None:
                    key = (where.number, role.number)
                    found.add(self._parts.of_role[key] * OUTCOMES + outcome)
                    found |= outcomes.within((DERIVED_ROLE, key))
        return found

    def _of_rule(
        self, policy: PolicyRules, rule: Rule, flow: Flow, outcomes: _Outcomes, *, single: bool
    ) -> int | None:
        """What a rule was; None if it was not reached."""
        applied, unmet = rule.key in flow.applied, rule.key in flow.unmet
        held = None if policy.type != "resource" else outcomes.holds(policy, rule)
        if policy.parental_consent and rule.effect == "ALLOW" and rule.condition is not None:
            # Where consent is required, Cerbos reads it as a DENY rule with the opposite condition.
            applied, unmet = unmet and not applied, applied
        if unmet and rule.derived_roles and held is False:
            return None  # put out again for another role: its derived role is not held
        alone = TRUE if rule.condition is None else outcomes.of_condition(policy.number, rule.condition)
        part = self._parts.of_rule[rule.key]
        if applied or unmet:
            if (applied and alone not in {TRUE, UNKNOWN}) or (unmet and alone == TRUE):
                self._counts.disagreeing.add(part)
            return TRUE if applied else alone if alone in {FALSE, ERROR, UNKNOWN} else FALSE
        if not self._source.strict or held is False:
            return None
        if policy.type == "role":  # a rule that fails refuses, and puts out nothing
            return ERROR if alone == ERROR and flow.report.policy == policy_name(policy) else None
        if rule.key not in flow.visited or flow.report.allowed:  # after an error, nothing is allowed
            return None
        # With several roles it may have been come to for a derived role that is not held.
        certain = alone == ERROR or not rule.derived_roles or single
        return ERROR if certain else UNKNOWN


class _Outcomes:
    """What the parts of conditions are in one situation."""

    def __init__(self, seen: Mapping[tuple[int, Probe], Seen], parts: Parts) -> None:
        self._seen = seen
        self._parts = parts
        self._within: dict[Context, set[int]] = {}

    def within(self, context: Context) -> set[int]:
        """The outcomes of everything that a context evaluates, as ``part * OUTCOMES + outcome``."""
        if context not in self._within:
            self._within[context] = {
                one.part * OUTCOMES + outcome_of(self._seen.get((one.number, one.probe)), boolean=one.boolean)
                for one in self._parts.watched.get(context, ())
            }
        return self._within[context]

    def holds(self, policy: PolicyRules, rule: Rule) -> bool | None:
        """Whether one of the roles of a rule is held; None if that could not be asked."""
        seen = self._seen.get((policy.number, roles_probe(rule.roles, rule.derived_roles)))
        return None if seen is None else seen.value is True

    def of_role(self, policy: PolicyRules, where: PolicyRules, role: DerivedRole) -> int | None:
        """What a derived role is: held, not held, an error; None if no parent role is held."""
        if not _is_true(self._seen.get((where.number, roles_probe(role.parent_roles, ())))):
            return None
        seen = self._seen.get((policy.number, derived_role_probe(role.name)))
        if seen is None:
            return UNKNOWN
        if seen.value is True:
            return TRUE
        alone = FALSE if role.condition is None else self.of_condition(where.number, role.condition)
        return alone if alone in {ERROR, UNKNOWN} else FALSE

    def of_condition(self, number: int, condition: Expression) -> int:
        """What a condition is: a block is an error if an error keeps it from being met."""
        if condition.form not in BLOCKS:
            return outcome_of(self._seen.get((number, probe_of(condition))), boolean=True)
        parts = [self.of_condition(number, part) for part in condition.parts]
        if UNKNOWN in parts:
            return UNKNOWN
        if condition.form == "all":
            return FALSE if FALSE in parts else ERROR if ERROR in parts else TRUE
        if condition.form == "any":
            return TRUE if TRUE in parts else ERROR if ERROR in parts else FALSE
        return FALSE if TRUE in parts else TRUE  # an error is not met, and `none` wants nothing met


def outcome_of(seen: Seen | None, *, boolean: bool) -> int:
    """What the PDP computed, as a column of the counts."""
    if seen is None:
        return UNKNOWN
    if seen.error:
        return ERROR
    if isinstance(seen.value, bool):
        return TRUE if seen.value else FALSE
    return ERROR if boolean else VALUE


def _levels(condition: Expression | None) -> Iterator[Probe]:
    """The probes of the expressions that stand in the match blocks of a condition."""
    if condition is None:
        return
    if condition.form in BLOCKS:
        for part in condition.parts:
            yield from _levels(part)
    elif condition.text:
        yield probe_of(condition)


def _is_true(seen: Seen | None) -> bool:
    return seen is not None and seen.value is True

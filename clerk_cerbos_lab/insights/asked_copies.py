"""What the instrumented copies of the policies say about requests, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.cause_of_deny import Evidence
from clerk_cerbos_lab.insights.explained_rules import ExplainedRules, wanted_probes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.slots import Slots
    from clerk_cerbos_lab.pdp.instrumented import Flow, Instrumented
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.pdp.probes import Answer
    from clerk_cerbos_lab.policies.rules import PolicyRules


@dataclass(frozen=True, slots=True)
class Asked:
    """What the copies of the policies said about one request.

    Attributes:
        source: the copies.
        disclosure: what may be shown.
        request: what was asked.
        allowed: its effect in the decisions, or else that of the copy.
        flow: what became of the rules.
        policies: those that can answer it.
        nothing: why there are none.
        seen: what was computed.
        left_out: notes about what can't be asked.
    """

    source: Instrumented
    disclosure: Disclosure
    request: Request
    allowed: bool
    flow: Flow
    policies: tuple[PolicyRules, ...]
    nothing: str
    seen: Answer
    left_out: Sequence[str]

    def rules(self, slots: Slots | None) -> ExplainedRules:
        """The rules that name the action; with slots, as several cells share them."""
        spelled = self.source.index.literals.texts
        return ExplainedRules(
            self.request, self.flow, self.policies, self.seen, self.disclosure, spelled, slots
        )

    def evidence(self, told: ExplainedRules, required: frozenset[str]) -> Evidence:
        """What is known, with these rules."""
        return Evidence(
            self.source,
            self.request,
            self.flow,
            told.rules,
            told.misfits,
            required,
            self.nothing,
            told.stopped,
        )


def ask_copies(
    source: Instrumented, cases: Sequence[tuple[Request, bool | None]], disclosure: Disclosure
) -> Iterator[Asked]:
    """Ask the copies about requests; as in ``explain``."""
    if not cases:
        return
    source.start(cases[0][0].kind)
    facts = source.facts(cases[0][0].kind)
    flows = source.flows([request for request, _ in cases])
    reached = [_reached(source, request) for request, _ in cases]
    answers = facts.ask(
        [
            (request, wanted_probes(request, found))
            for (request, _), (found, _) in zip(cases, reached, strict=True)
        ]
    )
    left_out = [f"Conditions in {disclosure.file(file)} can't be asked in parts." for file in facts.left_out]
    for (request, known), flow, (policies, nothing), seen in zip(cases, flows, reached, answers, strict=True):
        allowed = flow.report.allowed if known is None else known
        yield Asked(source, disclosure, request, allowed, flow, policies, nothing, seen, left_out)


def _reached(source: Instrumented, request: Request) -> tuple[tuple[PolicyRules, ...], str]:
    """The policies that can answer a request, or why there are none."""
    try:
        return source.reached(request), ""
    except InputError as error:
        return (), str(error)

"""Instrumented copies of policies report which rules applied, and what each part of a condition is."""

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_policies import HEAD, USER, resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import Principal
from clerk_cerbos_lab.pdp.instrumented import Instrumented, instrumented_of
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.pdp.probes import Seen, probes_of


def request(roles: tuple[str, ...] = ("user",), own: dict[str, Any] | None = None, **attr: Any) -> Request:
    who = Principal("u0", roles, own or {})
    return Request(who, "approve", "thing", "r0", attr, ("", ""), ("", ""))


def instrumented(folder: Path, **config: Any) -> Instrumented:
    with lab.PDP(folder, config=config) as pdp:
        found = instrumented_of(pdp)
    assert found is not None
    return found


def facts(made: Instrumented, asked: Request) -> dict[str, Seen]:
    policies = made.index.rules
    (seen,) = made.facts("thing").ask([(asked, {one.number: list(probes_of(one)) for one in policies})])
    return {probe.text: one for (_, probe), one in seen.items()}


def test_a_rule_that_applies_and_one_that_does_not_are_told_apart(write: Callable[..., Path]) -> None:
    made = instrumented(
        write(thing=resource_policy(rule("R.attr.amount > 1"), rule("R.attr.amount > 9"), rule(roles=["x"])))
    )
    (flow,) = made.flows([request(amount=5)])
    assert (flow.report.allowed, flow.applied, flow.unmet) == (True, ((0, 0),), ((0, 1),))
    assert flow.report.policy == "resource.thing.vdefault"
    made.close()
    assert [flow.applied for flow in made.flows([request(amount=0), request(amount=10)])] == [
        (),
        ((0, 0), (0, 1)),
    ]


def test_every_part_of_a_condition_has_a_value_or_its_error(write: Callable[..., Path]) -> None:
    condition = 'R.attr.amount <= P.attr.limit && (R.attr.status == "OPEN" || R.attr.nope == 1)'
    seen = facts(
        instrumented(write(thing=resource_policy(rule(condition)))),
        request(own={"limit": "5"}, amount=5, status="PAID"),
    )
    assert seen["R.attr.amount"].value == 5
    assert seen["P.attr.limit"].value == "5"
    assert seen["R.attr.amount <= P.attr.limit"].error == "no such overload"
    assert seen['R.attr.status == "OPEN"'] == Seen(value=False)
    assert seen["R.attr.nope"].error == seen["R.attr.nope == 1"].error == "no such key: nope"


def test_blocks_of_the_same_expressions_are_told_apart(write: Callable[..., Path]) -> None:
    """Cerbos 0.55 takes them for one condition if nothing else in them differs."""
    blocks = [{form: {"of": [{"expr": "R.attr.amount > 9"}]}} for form in ("all", "none", "any")]
    rules = [
        rule().rstrip() + f"\n      condition: {json.dumps({'match': block})}"
        for block in [*blocks, {"none": {"of": [{"expr": "R.attr.nope > 9"}]}}]
    ]
    seen = facts(instrumented(write(thing=resource_policy(*rules))), request(amount=5))
    outcomes = {text: one.value for text, one in seen.items() if text.startswith("{")}
    assert [outcomes[json.dumps(block, sort_keys=True)] for block in blocks] == [False, True, False]
    assert outcomes[json.dumps({"none": {"of": [{"expr": "R.attr.nope > 9"}]}})] is True


def test_cerbos_takes_blocks_of_the_same_expressions_for_one_condition(write: Callable[..., Path]) -> None:
    """A DENY that should be an ALLOW, in Cerbos 0.55: nothing of the kit is involved."""
    blocks = [{form: {"of": [{"expr": "R.attr.amount > 9"}]}} for form in ("all", "none")]
    rules = [rule().rstrip() + f"\n      condition: {json.dumps({'match': block})}" for block in blocks]
    with lab.PDP(write(thing=resource_policy(*rules))) as pdp:
        assert not pdp.is_allowed("approve", USER, "thing", {"amount": 5})
    with lab.PDP(write(thing=resource_policy(*reversed(rules)))) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 5})


def test_probes_are_silenced_by_nothing(write: Callable[..., Path]) -> None:
    """Neither by the rule of another role, nor by principal policies, role policies, scopes or strictness."""
    principal = f"""{HEAD}principalPolicy:
  principal: u0
  version: default
  rules:
    - resource: "*"
      actions: [{{action: "*", effect: EFFECT_DENY}}]
"""
    role = f"""{HEAD}rolePolicy:
  role: user
  rules:
    - {{resource: "*", allowActions: [view]}}
"""
    rules = [rule(roles=["user"]), rule("R.attr.nope > 1"), rule("R.attr.amount > 1", roles=["boss"])]
    thing = resource_policy(*rules)
    made = instrumented(write(thing=thing, p=principal, r=role), engine={"strictEvaluation": True})
    seen = facts(made, request(("user", "boss"), amount=5))
    assert seen["R.attr.amount > 1"].value is True
    assert seen["R.attr.nope > 1"].error == "no such key: nope"
    assert seen['[["user"], []]'].value is True
    assert seen['[["boss"], []]'].value is True


def test_the_pdps_end_with_the_object(write: Callable[..., Path]) -> None:
    made = instrumented(write(thing=resource_policy(rule("R.attr.amount > 5"))))
    facts(made, request(amount=1))
    list(made.flows([request(amount=1)]))
    running = list(made._running)
    assert len(running) == 2
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    assert not any(one.is_open for one in running if isinstance(one, lab.PDP))
    assert not any(one._pdp.is_open for one in running if not isinstance(one, lab.PDP) and one._pdp)


def test_a_condition_that_reads_the_kind_reads_the_real_one(write: Callable[..., Path]) -> None:
    condition = 'R.kind == "thing" && R.attr.text != "R.kind" && request.resource.kind != "other"'
    seen = facts(instrumented(write(thing=resource_policy(rule(condition)))), request(text="x"))
    assert seen[condition].value is True


def test_more_probes_than_fit_into_one_request_are_all_answered(write: Callable[..., Path]) -> None:
    rules = [rule(f"R.attr.amount > {i}") for i in range(120)]
    seen = facts(instrumented(write(thing=resource_policy(*rules))), request(amount=60))
    assert [seen[f"R.attr.amount > {i}"].value for i in range(120)] == [i < 60 for i in range(120)]

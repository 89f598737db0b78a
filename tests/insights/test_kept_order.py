"""Decisions with moved limits that are read from others: generated policies compared with every cell."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from situations import Case, faults_in
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.insights.kept_order import KeptOrder
from clerk_cerbos_lab.pdp.moved import MovedPolicies
from clerk_cerbos_lab.policies.addresses import Limit
from clerk_cerbos_lab.policies.limit_uses import matters
from clerk_cerbos_lab.sweeps.again import asked_again
from clerk_cerbos_lab.values import is_number

FIRST, STOP = map(int, os.environ.get("LAB_KEPT_ORDER", "0:12").split(":"))
"""Which generated policies are tried."""

BATCH = 12

MOST_MOVES = 6
"""Moves of the limits of a policy."""

NUMBERS = [0, 1, 2.5, 5, 7, 10, 50, 99.99, 100, 250]

ACTIONS = ("see", "do")

ATOMS = [
    *["R.attr.amount {o} {n}"] * 6,
    *["R.attr.amount {o} P.attr.a"] * 3,
    *["R.attr.amount {o} C.one", "R.attr.amount {o} C.of.m"] * 2,
    "{n} {o} R.attr.amount",
    "P.attr.b {o} R.attr.amount",
    "P.attr.a {o} {n}",
    "P.attr.b {o} C.one",
    'R.attr.second == "m"',
    "R.attr.second == P.attr.d",
    "V.small",
    "V.large",
    "V.twice > {n}",
    "R.attr.amount * 2.0 > {n}",
    "R.attr.amount > double({n}) + 1.0",
    "R.attr.amount in [{n}, 5]",
    "R.attr.amount {o} C.of[R.attr.second]",
    "[1.0, 5.0].exists(x, R.attr.amount {o} x)",
    "R.attr.amount {o} R.attr.other",
    "has(P.attr.b)",
]
"""Mostly what can be read, and something of everything else."""


ODD = ATOMS.index("V.twice > {n}")
"""From here on they are more than comparisons of the amount."""


class Maker:
    """Makes the policies of one resource kind, and a question about it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"kept order {seed}")
        self.kind = f"kind{seed}"
        self.plain = self.random.random() < 0.7
        self.atoms = ATOMS[:ODD] if self.plain else ATOMS
        self.numbers = self.random.sample(NUMBERS, 5)

    def atom(self) -> str:
        order = self.random.choice(["<", "<=", "<=", ">", ">=", "==", "!="])
        number = self.random.choice(self.numbers)
        text = repr(float(number)) if self.random.random() < 0.3 else str(number)
        return self.random.choice(self.atoms).format(o=order, n=text)

    def condition(self, depth: int = 2) -> str:
        if not depth or self.random.random() < 0.4:
            return self.atom()
        a, b = self.condition(depth - 1), self.condition(depth - 1)
        plain = [f"({a}) && ({b})", f"({a}) || ({b})", f"!({a})"]
        return self.random.choice([*plain, *([] if self.plain else [f"({a}) == ({b})"])])

    def policy(self) -> str:
        rules = [rule(self.condition(), actions=ACTIONS, roles=["boss"])]
        for number in range(self.random.randint(1, 4)):
            effect = "DENY" if number and self.random.random() < 0.3 else "ALLOW"
            action = self.random.choice([*ACTIONS, "*"])
            role = self.random.choice(["user", "boss", "*"])
            rules.append(rule(self.condition(), actions=[action], effect=effect, roles=[role]))
        constants = {
            "one": self.random.choice(self.numbers),
            "of": {"m": self.random.choice(self.numbers), "x": 5},
        }
        variables = {
            "small": f"R.attr.amount <= {self.random.choice(self.numbers)}",
            "large": "R.attr.amount > C.one",
            **({} if self.plain else {"twice": "P.attr.a * 2.0"}),
        }
        text = resource_policy(*rules, kind=self.kind)
        local = {"constants": {"local": constants}, "variables": {"local": variables}}
        return text + "".join(f"  {name}: {json.dumps(part)}\n" for name, part in local.items())

    def case(self) -> Case:
        count = self.random.randint(1, 12)
        own = [3, 33.3, 60, 75.5, *(self.numbers if self.random.random() < 0.3 else [])]
        columns: dict[str, list[Any]] = {
            name: [self.random.choice(own) for _ in range(count)] for name in ("a", "b")
        }
        columns["b"] = [lab.MISSING if self.random.random() < 0.1 else value for value in columns["b"]]
        who = pd.DataFrame(
            {
                "id": [f"u{i}" for i in range(count)],
                "roles": [self.random.choice([("user",), ("boss",), ("user", "boss")]) for _ in range(count)],
                **columns,
                "d": [self.random.choice(["m", "x", 5]) for _ in range(count)],
            },
            dtype=object,
        )
        near = {x for number in (*own, *self.numbers) for x in beside(number)}
        finer = sorted({*near, *(self.random.uniform(-5, 300) for _ in range(10)), -1e9, 1e9})
        amounts = sorted(self.random.sample(finer, self.random.choice([2, 9, 20])))
        given = {"second": self.random.choice([["m", "x"], "m"]), "other": self.random.choice([5, 60])}
        return Case(self.kind, who, given, amounts, finer)


def beside(value: float) -> list[float]:
    return [math.nextafter(value, -math.inf) + 0.0, float(value), math.nextafter(value, math.inf)]


@pytest.mark.parametrize("start", range(FIRST, STOP, BATCH))
def test_what_is_read_equals_every_cell_at_every_number(tmp_path: Path, start: int) -> None:
    makers = [Maker(seed) for seed in range(start, start + BATCH)]
    folder = write(tmp_path / "policies", **{maker.kind: maker.policy() for maker in makers})
    found = 0
    with lab.PDP(folder) as pdp:
        moved = MovedPolicies(pdp)
        for maker in makers:
            found += read_and_compared(pdp, moved, maker)
        moved.close()
    assert found > 2


def read_and_compared(pdp: lab.PDP, moved: MovedPolicies, maker: Maker) -> int:
    """Move limits of one policy, and return how often decisions were read."""
    case, made, count = maker.case(), maker.random, 0
    asked = {"actions": ACTIONS, "audit": 0, **case.given}
    before = lab.sweep(pdp, case.people, case.kind, amount=case.amounts, **asked)
    if before.provenance.method != "auto":
        return 0
    index = pdp.index
    order = KeptOrder(index, before)
    found = [one for one in index.limits if is_number(one.value)]
    limits = list({one.spot: one for one in found if matters(one, index, case.kind, ACTIONS)}.values())
    known: tuple[lab.Decisions, dict[str, Any]] = before, {}
    for fresh in moves(limits, case, made):
        values = {**known[1], **fresh} if made.random() < 0.5 else fresh
        move = order.between(*known, values)
        if move is None:
            continue
        count += 1
        other = moved.move(values)

        def ask(some: lab.Decisions, pdp: lab.PDP = other) -> lab.Decisions:
            return asked_again(some, pdp, audit=0)

        read = order.read(move, str(other.digest), ask)
        assert moved.digest_with(values) == other.digest
        assert [text_of(one) for one in other.documents()] == [text_of(one) for one in other._documents()]
        finer = sorted({*case.finer, *(x for value in values.values() for x in beside(value))})
        case.finer[:] = finer
        every = lab.sweep(other, case.people, case.kind, method="every-cell", amount=finer, **asked)
        assert faults_in(read, case, every) == [], (case.kind, values)
        if made.random() < 0.3:  # and from decisions with other values than those in the policies
            known = lab.sweep(other, case.people, case.kind, amount=case.amounts, **asked), values
    return count


def text_of(document: dict[str, Any]) -> str:
    """Return a policy as text, without Cerbos's hash of it."""
    about = {name: part for name, part in document["metadata"].items() if name != "hash"}
    return json.dumps({**document, "metadata": about}, sort_keys=True)


def moves(limits: list[Limit], case: Case, made: Random) -> Iterator[dict[str, Any]]:
    """Yield new values of one limit, or of several: often between the numbers next to it."""
    own = {float(x) for name in ("a", "b") for x in case.people[name] if type(x) in {int, float}}
    numbers = sorted({-100.0, 400.0, *own, *(float(one.value) for one in limits)})
    for _ in range(MOST_MOVES if limits else 0):
        values: dict[str, Any] = {}
        for one in made.sample(limits, min(len(limits), made.choice([1, 1, 1, 2, 3]))):
            fresh: float = one.value + made.choice([0.5, 1, -1, -0.01, 20, -20, made.uniform(-9, 9)])
            at = numbers.index(float(one.value))
            between = made.uniform(numbers[at - 1], numbers[at + 1])
            fresh = made.choice([between, between, between, fresh, fresh, made.choice(case.finer)])
            values[one.address] = int(fresh) if float(fresh).is_integer() and made.random() < 0.5 else fresh
        held = {one.address: one.value for one in limits}
        yield {address: value for address, value in values.items() if value != held[address]}

"""Policies that compare attributes of people with amounts and with each other, generated from a seed.

For two claims: a number of one's own that is only compared with the amount matters by its order among the
numbers that the amount is compared with, and an attribute that is only compared with what is the same for
all matters by its place among these. People have numbers at, beside and between those of the policies, and
values of every other type. Some policies read the attributes in another way as well, in each way that CEL
has.
"""

import json
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.intervals import Intervals

API = {"apiVersion": "api.cerbos.dev/v1"}
ACTIONS = ("see", "do")
FARTHEST = sys.float_info.max
NUMBERS = [
    *(0, -0.0, 5e-324, -5e-324, FARTHEST, -FARTHEST, 2**53, 2**53 - 1, 1e15, 0.1, 0.1 + 0.2, 0.3),
    *(-5, 1, 2, 2.5, 3, 5, 7, 10, 50, 99.99, 100, 100.01, 250),
]
TEXTS = ["m", "a", "z", "zz", "", "5", "é", "e\u0301", "\U0001f600", "u1", "somebody-else"]
OTHERS: Sequence[Any] = [
    *(lab.MISSING, lab.MISSING, None, True, False, "5", "", "m", [5], [], ["m", 5], {"k": 5}, {}),
]
NAMES = ("a", "b", "c", "d", "e")
SAID_OTHERWISE = [
    "{p} * 2.0 > {n}",
    "{p} + {n} > R.attr.amount",
    "double({p}) <= {n}",
    "double({p}) > R.attr.amount",
    "int({p}) == 5",
    'string({p}) == "5"',
    "type({p}) == double",
    "-{p} < {n}",
    "{p} < {q}",
    "{p} == {q}",
    "{p} in [R.attr.amount, 5.0]",
    "{p} in [{q}, 5.0]",
    "R.attr.listed.exists(x, x == {p}) && {p} in [{n}]",
    "{p} == R.attr.fixed.k",
    "{p} in R.attr.amount",
    "R.attr.amount in [{p}, 5.0]",
    "R.attr.amount in P.attr.l",
    "[{p}].exists(x, x > {n})",
    "[{p}, 5.0].exists(x, R.attr.amount <= x)",
    "[1.0, 5.0].exists(x, x == {p})",
    "[1.0, 5.0].exists(x, x < {p} && x < R.attr.amount)",
    "[R.attr.amount].exists(x, x <= {p})",
    "P.attr.l.exists(x, x == {p})",
    "P.attr.l.exists(x, x <= R.attr.amount)",
    "P.attr.l.exists(P, P == {n})",
    "size(P.attr) > 4",
    '"a" in P.attr',
    "P.attr.exists(k, k == C.name)",
    "P.attr[C.name] == {n}",
    "P.attr[C.name] < R.attr.amount",
    "P.attr.m.k <= R.attr.amount",
    "P.attr.m.k == {n}",
    "has(P.attr.m.k)",
    "has({p}.k)",
    "{p}.k == {n}",
    'P.attr["m"]["k"] > {n}',
    "P.attr.l[0] == {n}",
    "P.attr == P.attr && {p} > {n}",
    'P.attr.d.startsWith("m")',
    "P.attr.d == P.id",
    "P.id == P.attr.d || R.attr.amount > {p}",
    "{p} == R.attr.second",
    "{p} < R.attr.second",
    "R.attr.second <= {p} && R.attr.amount < {p}",
    "R.attr.amount < R.attr.second",
    "R.attr.amount * 1.5 <= {p}",
    "R.attr[C.attribute] <= {p}",
    "size(R.attr) > 3 && {p} > {n}",
    "math.greatest({p}, 5.0) > {n}",
    "dyn({p}) == {n}",
    "(has({p}) ? {p} : 5.0) >= R.attr.amount",
    "({p} == {n}) == (R.attr.amount < {p})",
    "{p} ? R.attr.amount > {n} : R.attr.amount < {n}",
    "{p} && R.attr.amount > {n}",
    "!{p}",
    "{p} in C.nested",
    "{p} in [[5.0], {n}]",
    '{{"k": {p}}}.k > {n}',
    '{{"k": 5.0}}.k > {p}',
    "V.map.k < {n}",
    "V.twice > {n}",
    "V.twice > R.attr.amount",
    "V.all.a > {n}",
    "V.all.a > R.attr.amount",
    "{p} == G.top",
    "{p} < double(C.text_number)",
    "{p} < C.of[P.attr.d]",
    "{p} in R.attr.listed && R.attr.listed.exists(x, x == {p})",
    "R.attr.listed.exists(x, x > {p})",
    "optional.of({p}).hasValue()",
]
"""Conditions that do more with an attribute than compare it; ``{p}``, ``{q}``: attributes, ``{n}``: fixed."""

SAID_PLAINLY = [
    "C.some.exists(x, x == {p})",
    "C.some.exists(x, x < {p})",
    "C.some.all(C, C != {p})",
    "C.of.exists(k, k == {p})",
    "!has({p})",
    "has({p}) && R.attr.amount <= {p}",
    "has({p}) ? R.attr.amount <= {p} : R.attr.amount < {n}",
    "({p} > {n}) == (R.attr.amount < {n})",
    "({p} > {n}) != (R.attr.amount < {p})",
    "({p} > {n}) ? (R.attr.amount < {q}) : (R.attr.amount > {p})",
    "{p} in C.of",
    "[true].exists(x, x && R.attr.amount <= {p})",
    "V.own <= R.attr.amount",
    "V.own == C.one",
    "V.cond",
    "V.far",
    "variables.shared",
]
"""Conditions with no more than comparisons and ``has``."""

FOCUS = [
    [
        "R.attr.amount >= P.attr.a && R.attr.amount <= P.attr.b",
        "R.attr.amount < P.attr.a || R.attr.amount == P.attr.b",
        "R.attr.amount > P.attr.a && R.attr.amount != P.attr.b",
        "R.attr.amount > P.attr.a && R.attr.amount < {n}",
        "R.attr.amount > {n} && R.attr.amount < P.attr.a",
        "R.attr.amount == P.attr.a && R.attr.amount > {n}",
        "P.attr.a > {n} && R.attr.amount <= P.attr.a",
        "P.attr.a == {n} || R.attr.amount < P.attr.a",
    ],
    [
        "P.attr.d == R.attr.owner",
        "P.attr.d == R.attr.fixed",
        "P.attr.d in R.attr.listed",
        "P.attr.e == {n}",
        'P.attr.e == "m"',
        "P.attr.e == true",
        "P.attr.e <= {n}",
        'P.attr.e > "a"',
    ],
    [
        "P.attr.a in [P.attr.b, 5.0]",
        "double(P.attr.d) <= {n}",
        "P.attr.a < P.attr.b",
        "P.attr.a == P.attr.b && R.attr.amount > {n}",
        "P.attr.a * 2.0 > {n} && R.attr.amount <= P.attr.a",
        "P.attr.b == R.attr.second && P.attr.b < R.attr.amount",
        "P.attr.d == R.attr.second",
    ],
    SAID_OTHERWISE,
]
"""What a policy may say again and again, so that it shows in the effects: of one kind each."""

SAID_BRIEFLY = [
    "has(P.attr.a)",
    "has(P.attr.c)",
    'R.attr.second == "m"',
    "R.attr.second == P.attr.d",
    "R.attr.owner == P.id",
    "R.attr.owner == P.attr.d",
    'P.id in ["u1", "u3"]',
    "R.attr.second > 2",
]
"""The same, without a variable and without anything to fill in."""


@dataclass(slots=True)
class Case:
    """One resource kind, the people asked about, and the question.

    Attributes:
        kind: the resource kind.
        people: the principals.
        given: the arguments of ``lab.sweep`` without ``amount``.
        amounts: the axis of the sweep.
        finer: more amounts, at and beside every number that occurs; they include ``amounts``.
    """

    kind: str
    people: pd.DataFrame
    given: dict[str, Any]
    amounts: list[float]
    finer: list[float]


@dataclass(slots=True)
class Maker:
    """Makes the policies of one resource kind, and a question about it."""

    seed: int
    scopes: str = ""
    random: Random = field(init=False)
    odd: float = field(init=False)
    focus: str | None = field(init=False)
    small: bool = field(init=False)
    strange: float = field(init=False)
    pool: list[float] = field(init=False)
    variables: dict[str, str] = field(init=False)
    exported: dict[str, str] = field(init=False)
    constants: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Choose what is the same in all policies of this seed."""
        self.random = Random(f"situations {self.seed}")
        self.odd = self.random.choice([0.0, 0.0, 0.0, 0.05, 0.25])
        self.focus = self.random.choice([None, *map(self.random.choice, [FOCUS[0], *FOCUS])])
        self.small = self.focus is not None and self.chance(0.6)  # little else, which could hide an error
        self.strange = self.random.choice([0.0, 0.05, 0.3])
        pool = self.random.sample(NUMBERS, self.random.randint(2, 6))
        for number in list(pool):
            if self.chance(0.3):
                pool.append(math.nextafter(number, self.one(-math.inf, math.inf)))
        self.pool = [number for number in pool if math.isfinite(number)]
        self.constants = {
            "one": self.one(*self.pool),
            "text": self.one(*TEXTS),
            "some": [self.one(*self.pool), "m", self.one(*self.pool)],
            "nested": [[self.one(*self.pool)], 5],
            "of": {"m": self.one(*self.pool), "a": 3},
            "name": self.one("a", "b"),
            "attribute": "amount",
            "text_number": "5",
            "flag": True,
        }
        self.variables = {
            "own": "P.attr.a",
            "map": '{"k": P.attr.b}',
            "twice": "P.attr.a * 2.0",
            "all": "P.attr",
        }
        self.exported = {"shared": self.atom(plain=True)}
        self.variables["far"] = self.one("V.own", "P.attr.b") + f" {self.order()} {self.fixed()}"
        self.variables["cond"] = self.atom(plain=True)
        if not self.odd and self.focus is None:  # in strict evaluation every variable is read
            for name in ("map", "twice", "all"):
                del self.variables[name]

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # -- conditions ---------------------------------------------------------------------------

    def order(self) -> str:
        return str(self.one("<", "<=", ">", ">=", "==", "!="))

    def attribute(self, names: Sequence[str] = NAMES) -> str:
        name = self.one(*names)
        return str(
            self.one(
                f"P.attr.{name}", f"P.attr.{name}", f'P.attr["{name}"]', f"request.principal.attr.{name}"
            )
        )

    def amount(self) -> str:
        return str(
            self.one("R.attr.amount", "R.attr.amount", 'R.attr["amount"]', "request.resource.attr.amount")
        )

    def number(self) -> str:
        number = self.one(*self.pool)
        whole = float(number).is_integer() and abs(number) < 2**53
        return str(int(number)) if whole and self.chance(0.5) else repr(float(number))

    def fixed(self) -> str:
        """Return something that is the same for everybody."""
        kind = self.random.random()
        if kind < 0.45:
            return self.number()
        if kind < 0.6:
            return json.dumps(self.one("m", "a", "", "5"))
        if kind < 0.75:
            return str(self.one("C.one", "constants.one", "C.text", "C.of.m", "C.of.absent", 'C.of["m"]'))
        return str(
            self.one("R.attr.fixed", "R.attr.fixed", 'R.attr["fixed"]', "R.attr.absent", "true", "null")
        )

    def compared(self, names: Sequence[str]) -> str:
        sides = [self.amount(), self.one(self.attribute(names), self.attribute(names), self.fixed())]
        self.random.shuffle(sides)
        return f"{sides[0]} {self.order()} {sides[1]}"

    def placed(self, names: Sequence[str]) -> str:
        if self.chance(0.25):
            some = self.one("C.some", "R.attr.listed", "R.attr.fixed", "[]", f'["m", {self.number()}, true]')
            return f"{self.attribute(names)} in {some}"
        sides = [self.attribute(names), self.fixed()]
        self.random.shuffle(sides)
        return f"{sides[0]} {self.order()} {sides[1]}"

    def filled(self, form: str) -> str:
        p = f"P.attr.{self.one(*NAMES)}" if "has({p}" in form else self.attribute()
        return form.format(p=p, q=self.attribute(), n=self.number())

    def atom(self, *, plain: bool = False) -> str:
        if not plain and self.focus and self.chance(0.9 if self.small else 0.4):
            return self.filled(self.focus)
        if not plain and self.chance(self.odd):
            return self.filled(self.one(*SAID_OTHERWISE))
        forms = [
            lambda: self.compared(("a", "b")),
            lambda: self.compared(NAMES),
            lambda: self.placed(("c", "d", "e")),
            lambda: self.placed(NAMES),
            lambda: str(self.one(*SAID_BRIEFLY)),
            lambda: self.filled(self.one(*SAID_PLAINLY)),
        ]
        return self.random.choices(forms, [8, 2, 3, 1.4, 3, 0 if plain else 2.6])[0]()

    def condition(self, depth: int = 2) -> str:
        if depth and self.chance(0.15 if self.small else 0.55):
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            form = self.one("&&", "&&", "||", "||", "!", "?:")
            if form == "!":
                return f"!({a})"
            return f"({a}) ? ({b}) : ({self.condition(0)})" if form == "?:" else f"({a}) {form} ({b})"
        return self.atom()

    def match(self, text: str | None = None) -> dict[str, Any]:
        form = self.one("expr", "expr", "expr", "all", "any", "none")
        if form == "expr" or self.small:
            return {"expr": text or self.condition()}
        return {form: {"of": [self.match() for _ in range(self.random.randint(1, 2))]}}

    # -- policies -----------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        return f"kind{self.seed}"

    def rule(self) -> dict[str, Any]:
        who: dict[str, Any] = {"roles": [self.one("user", "user", "boss", "*")]}
        if self.chance(0.25):
            who = {"derivedRoles": [self.one("near", "far")]}
        effect = "EFFECT_DENY" if self.chance(0.3) else "EFFECT_ALLOW"
        made = {"actions": [self.one("see", "do", "*")], "effect": effect, **who}
        if self.chance(0.92):
            runtime = '"near" in runtime.effectiveDerivedRoles' if self.chance(self.odd / 4) else None
            made["condition"] = {"match": self.match(runtime)}
        if self.chance(0.1):
            made["output"] = {"when": {"ruleActivated": self.one("P.attr.a * 3.0", "P.attr.d", '"x"')}}
        return made

    def policies(self) -> list[dict[str, Any]]:
        """Return every policy of this kind."""
        shared, told = f"variables_{self.kind}", f"constants_{self.kind}"
        imports = self.chance(0.5)
        body: dict[str, Any] = {
            "importDerivedRoles": [f"roles_{self.kind}"],
            "variables": {"local": dict(self.variables), "import": [shared]},
            "constants": {"import": [told]} if imports else {"local": self.constants},
        }
        plain = {**self.constants, "one": self.one(*self.pool)}  # not the same in another file
        definitions = [
            {"name": "near", "parentRoles": ["user", "boss"], "condition": {"match": self.match()}},
            {"name": "far", "parentRoles": ["*"], "condition": {"match": self.match()}},
        ]
        derived = {
            "name": f"roles_{self.kind}",
            "definitions": definitions,
            "variables": body["variables"],
            "constants": {"local": plain},
        }
        made: list[dict[str, Any]] = [
            {"derivedRoles": derived},
            {"exportVariables": {"name": shared, "definitions": self.exported}},
            {"exportConstants": {"name": told, "definitions": self.constants}},
            self.resource_policy(body),
        ]
        if self.chance(0.2):
            made.append(self.resource_policy(body, version="v2"))
        if self.scopes and self.chance(0.4):
            scoped = self.resource_policy(body)
            scoped["resourcePolicy"] |= {"scope": "acme", "scopePermissions": self.scopes}
            made.append(scoped)
        return made

    def resource_policy(self, body: Mapping[str, Any], version: str = "default") -> dict[str, Any]:
        rules = [self.rule() for _ in range(0 if self.small else self.random.randint(1, 4))]
        whole = {"effect": "EFFECT_ALLOW", "roles": ["*"]}
        rules += [
            {"actions": [action], **whole, "condition": {"match": {"expr": self.condition(1)}}}
            for action in ACTIONS
        ]
        return {"resourcePolicy": {"resource": self.kind, "version": version, "rules": rules, **body}}

    def of_principal(self) -> dict[str, Any]:
        """Return a rule of a principal policy."""
        effect = "EFFECT_DENY" if self.chance(0.5) else "EFFECT_ALLOW"
        action = {
            "action": self.one("see", "do", "*"),
            "effect": effect,
            "condition": {"match": self.outside()},
        }
        return {"resource": self.kind, "actions": [action]}

    def of_role(self) -> dict[str, Any]:
        """Return a rule of a role policy."""
        return {
            "resource": self.kind,
            "allowActions": [self.one("see", "do", "*")],
            "condition": {"match": self.outside()},
        }

    def outside(self) -> dict[str, Any]:
        """Return a match that uses no variable and no constant."""
        while True:
            match = self.match()
            text = json.dumps(match)
            if not any(part in text for part in ("V.", "variables.", "C.", "C[", "constants.", "runtime")):
                return match

    # -- the question -------------------------------------------------------------------------

    def near(self) -> float:
        """Return a number at, beside or between those of the policies."""
        number = self.random.choice(self.pool)
        kind = self.random.random()
        if kind < 0.35:
            return float(number) if self.chance(0.5) else number
        if kind < 0.55:
            beside = math.nextafter(number, self.one(-math.inf, math.inf))
            return beside if math.isfinite(beside) else float(number)
        if kind < 0.7 and abs(number) < 1e300:
            return float(number) + self.random.choice([-0.01, 0.01, -1, 1, 3.5])
        between = self.random.uniform(-10, 300)
        return self.random.choice([between, self.random.randint(-3, 12), self.random.choice(NUMBERS)])

    def person(self, number: int, few: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        row: dict[str, Any] = {"id": f"u{number}", "roles": self.one(*few["roles"])}
        for name in ("a", "b", "c"):
            row[name] = self.one(*OTHERS) if self.chance(self.strange) else self.near()
            row[name] = self.one(*few.get(name, [row[name]]))
        if self.chance(0.15):
            row["b"] = row["a"]
        elif self.chance(0.15) and isinstance(row["a"], float) and row["a"] is not lab.MISSING:
            beside = math.nextafter(row["a"], self.one(-math.inf, math.inf))
            row["b"] = beside if math.isfinite(beside) else row["a"]
        rest = self.others()
        row |= {name: self.one(*few.get(name, [rest[name]])) for name in rest}
        return {**row, "d": row["id"]} if self.chance(0.15) else row

    def others(self) -> dict[str, Any]:
        return {
            "d": self.one(*OTHERS) if self.chance(self.strange) else self.one(*TEXTS, "5", "7"),
            "e": self.one(self.one(*OTHERS), self.one(*TEXTS), self.near()),
            "l": self.one(lab.MISSING, [], [self.near()], ["m", self.near()]),
            "m": self.one(lab.MISSING, {}, {"k": self.near()}, {"k": "m"}),
        }

    def people(self) -> pd.DataFrame:
        count = self.one(1, self.random.randint(2, 12), *[self.random.randint(15, 40)] * 3)
        roles = [("user",), ("user",), ("boss",), ("user", "boss"), ("guest",)]
        few: dict[str, Sequence[Any]] = {"roles": self.random.sample(roles, self.one(1, 1, 1, 2, 5))}
        vary = self.one("ab", "ab", "cde", "abcde")  # in the rest, most people are alike
        for name in "abcdelm":
            made = [
                {"c": self.near(), "a": self.near(), "b": self.near(), **self.others()}[name] for _ in "12"
            ]
            if self.chance(0.1 if name in vary else 0.8):
                few[name] = made if self.chance(0.3) else made[:1]
        rows = [self.person(number, few) for number in range(count)]
        return pd.DataFrame(rows, dtype=object)

    def amounts(self, people: pd.DataFrame) -> list[float]:
        """Return amounts at, beside and between all numbers that occur, ascending."""
        numbers = {float(number) for number in self.pool}
        for name in NAMES:
            numbers |= {float(x) for x in people[name] if type(x) in {int, float}}
        found = {0.0, -FARTHEST, FARTHEST}
        for number in numbers:
            found |= {number, math.nextafter(number, -math.inf), math.nextafter(number, math.inf)}
        for number in self.random.sample(sorted(numbers), min(6, len(numbers))):
            found |= {number - 0.01, number + 0.01}
        found |= {self.random.uniform(-20, 300) for _ in range(6)} | {self.random.uniform(-1e16, 1e16)}
        known = sorted({number + 0.0 for number in found if math.isfinite(number)})
        return sorted(self.random.sample(known, min(len(known), 50)))

    def case(self, *, scoped: bool, versioned: bool) -> Case:
        """Return the people and the question."""
        people = self.people()
        finer = self.amounts(people)
        amounts = self.random.sample(finer, min(len(finer), self.one(1, 2, 9, 25, 25, 25)))
        fixed = self.one(
            *self.pool, *TEXTS, *OTHERS, lab.SELF, lab.SELF, lab.OTHER, self.near(), {"k": self.near()}
        )
        given: dict[str, Any] = {
            "fixed": [fixed] if isinstance(fixed, list) or self.chance(0.1) else fixed,
            "listed": [[self.one(*self.pool), "m", self.one(*OTHERS[2:], "u1", lab.SELF)]],
        }
        seconds = [["m", "a"], ["m", 5, None, lab.MISSING, True], [2, 5.5, 100], [5], ["m"], 5, "m"]
        seconds += [lab.MISSING, None, None]
        if self.chance(0.8):
            given["second"] = self.one(*seconds[:2], *seconds)
        if self.chance(0.4):
            given["owner"] = self.one([lab.SELF, lab.OTHER], [lab.SELF, "u1", "m"], lab.SELF, "u1", lab.OTHER)
        if scoped and self.chance(0.7):
            given["scope"] = "acme"
        if versioned and self.chance(0.4):
            given["policy_version"] = "v2"
        combinations = math.prod(len(value) for value in given.values() if isinstance(value, list))
        return Case(self.kind, people.head(24 if combinations > 3 else 60), given, amounts, finer)


def faults(pdp: lab.PDP, case: Case, every: lab.Decisions) -> list[str]:
    """Return what a sweep without an audit gets wrong, in words.

    Args:
        pdp: the PDP.
        case: what is asked.
        every: the decisions at ``case.finer``, from a sweep of every cell.
    """
    asked = {"actions": ACTIONS, "amount": case.amounts, "audit": 0, **case.given}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lab.LabWarning)  # of a contradiction
        swept = lab.sweep(pdp, case.people, case.kind, **asked)
    return faults_in(swept, case, every)


def faults_in(swept: lab.Decisions, case: Case, every: lab.Decisions) -> list[str]:
    """Return what decisions at ``case.amounts`` have wrong, in words, with the arguments of ``faults``."""
    right = every.sel(amount=case.amounts)
    if swept.provenance.method != "auto":
        return ["the answers contradict each other"]
    wrong = [] if np.array_equal(swept.allowed(), right.allowed()) else ["cells"]
    if swept.counts() != right.counts():
        wrong.append("counts")
    if swept.provenance.asked > right.provenance.asked:
        wrong.append("more is asked than cells")
    codes, representatives = swept.classes()
    if not np.array_equal(swept.of(representatives).allowed()[codes], swept.allowed()):
        wrong.append("classes")
    dim = swept.dims.index("amount")
    found, cut = swept.intervals("amount"), swept.segmented("amount")
    if found is None:
        return wrong
    exact = np.moveaxis(every.allowed(), dim, -1)
    if not np.array_equal(_at(found, case.finer, exact.shape), exact):
        wrong.append("intervals")
    if cut is None or not np.array_equal(
        cut.allowed.take(cut.segments.of(case.finer), axis=dim), every.allowed()
    ):
        wrong.append("segments")
    return wrong


def _at(found: Intervals, numbers: Sequence[float], shape: Sequence[int]) -> npt.NDArray[np.int8]:
    """Return the effect of each line at each number: 1 for ALLOW; -9 if not exactly one interval has it."""
    column = {name: np.asarray(values) for name, values in found.columns.items()}
    lower, upper, line = column["lower"][:, None], column["upper"][:, None], np.array(numbers)
    inside = (lower < line) | ((lower == line) & column["lower_closed"][:, None])
    inside &= (line < upper) | ((line == upper) & column["upper_closed"][:, None])
    row, number = np.nonzero(inside)
    place = (*(code[row] for code in found.codes), number)
    effect, many = np.zeros(tuple(shape), dtype=np.int8), np.zeros(tuple(shape), dtype=np.int8)
    np.add.at(many, place, 1)
    effect[place] = (np.asarray(column["effect"]) == "ALLOW")[row]
    return np.where(many == 1, effect, np.int8(-9))


SCOPES = ["", "SCOPE_PERMISSIONS_OVERRIDE_PARENT", "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"]


def batch(folder: Path, seeds: Sequence[int]) -> list[Case]:
    """Write the policies of some seeds into a folder, a resource kind for each, and return the cases."""
    folder.mkdir(exist_ok=True)
    made = []
    shared = Random(f"batch {seeds[0]}")
    scopes = shared.choice(SCOPES)
    has_principals, has_roles = shared.random() < 0.3, shared.random() < 0.15
    of_principals: dict[str, list[Any]] = {}
    of_roles: list[Any] = []
    for seed in seeds:
        maker = Maker(seed, scopes)
        policies = maker.policies()
        for number, policy in enumerate(policies):
            _write(folder / f"{maker.kind}_{number}.json", policy)
        bodies = [policy.get("resourcePolicy", {}) for policy in policies]
        if has_principals and maker.chance(0.5):
            of_principals.setdefault(maker.one("u1", "u3"), []).append(maker.of_principal())
        if has_roles and maker.chance(0.5):
            of_roles.append(maker.of_role())
        scoped = any(body.get("scope") for body in bodies)
        made.append(maker.case(scoped=scoped, versioned=any(body.get("version") == "v2" for body in bodies)))
    for name, rules in of_principals.items():
        body = {"principal": name, "version": "default", "rules": rules}
        _write(folder / f"principal_{name}.json", {"principalPolicy": body})
    if of_roles:
        _write(
            folder / "role.json", {"rolePolicy": {"role": "guest", "version": "default", "rules": of_roles}}
        )
    return made


def _write(path: Path, policy: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({**API, **policy}, indent=1), encoding="utf-8")

"""Policies of all kinds, generated from a seed, to test that a sweep equals asking every cell."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import clerk_cerbos_lab as lab

PEOPLE: Sequence[Mapping[str, Any]] = [
    {"id": "u0", "roles": ("user",), "limit": 10, "region": "south", "level": 1},
    {"id": "u1", "roles": ("user",), "limit": 10, "region": "south", "level": 1},
    {"id": "u2", "roles": ("user", "boss"), "limit": 25.5, "region": "west", "reports": ["u0", "u1"]},
    {"id": "u3", "roles": ("boss",), "limit": "10", "region": None, "manager": "u2", "tags": ["a"]},
    {"id": "u4", "roles": ("boss",), "region": "west", "manager": "u4", "tags": ["a", "b"]},
    {"id": "u5", "roles": ("auditor",), "limit": 0, "region": "south", "hired": "2024-05-01T00:00:00Z"},
    {"id": "u6", "roles": ("user",), "limit": 10, "region": "south", "level": 1, "unread": 7},
    {
        "id": "u7",
        "roles": ("boss",),
        "limit": -5,
        "level": 3,
        "grants": [{"region": "west", "limit": 7}, {"region": "south", "limit": 30}],
        "hired": "2025-01-01T00:00:00Z",
    },
    {"id": "u8", "roles": ("boss",), "limit": True, "org": {"limit": 20, "head": "u8"}, "tags": []},
    {"id": "u10", "roles": ("boss",), "limits": [5, 30], "org": {"limit": 12}, "mail": "u10@acme.com"},
    {"id": "u11", "roles": ("boss",), "limits": [7, 40], "org": {"limit": 15}, "mail": "u11@acme.com"},
    {"id": "u12", "roles": ("boss",), "limits": [26, 26.0], "org": {}, "mail": "u12@x.org"},
    {"id": "u13", "roles": ("user", "boss"), "limits": [12, "x"], "org": "none", "mail": 13},
    {"id": "u:9", "roles": ("user",), "limit": 10.0, "region": "south", "level": 1},
]
"""Some can't be told apart, some only by an id, some have attributes of the wrong type."""

AMOUNTS = [
    -10,
    -5,
    0,
    0.5,
    5,
    5.5,
    7,
    9.99,
    10,
    10.01,
    12,
    15,
    15.5,
    16,
    20,
    21,
    25.5,
    26,
    30,
    30.5,
    40,
    51,
    60,
    100,
]
ATTRIBUTES: Mapping[str, Sequence[Any]] = {
    "region": ["south", "west", "north", "", lab.MISSING],
    "owner": [lab.SELF, lab.OTHER, "u1", "u6", "u8", None],
    "budget": [5, 10, 20],
    "status": ["OPEN", "PAID", "x"],
    "tags": [["a"], [], ["b", "u0"], [lab.SELF]],
    "when": ["2024-05-01T00:00:00Z", "2024-12-31T00:00:00Z", "2025-06-01T00:00:00Z", "no date"],
    "score": [1, 2.5, "high", True, lab.MISSING, 10],
    "money.amount": [4, 5, 11, 13, 20, 21, lab.MISSING],
    "money.unit": ["USD", "EUR", lab.MISSING],
}

SCOPE_PERMISSIONS = [
    "SCOPE_PERMISSIONS_OVERRIDE_PARENT",
    "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS",
]


def people() -> pd.DataFrame:
    """Return the principals of every generated policy."""
    rows = [{"id": "", "roles": (), **row} for row in PEOPLE]
    names = list(dict.fromkeys(name for row in rows for name in row))
    filled = [{name: row.get(name, lab.MISSING) for name in names} for row in rows]
    return pd.DataFrame(filled, dtype=object)


class Maker:
    """Makes the policies of one resource kind."""

    def __init__(self, seed: int, kind: str, scope_permissions: str = "") -> None:
        self.scope_permissions = scope_permissions
        self.random = random.Random(seed)
        self.kind = kind
        self.odd = self.random.choice([0.0, 0.0, 0.05, 0.3])  # how often a use is not a plain comparison
        self.focus = self.random.choice(
            [None, None, "amount", "computed", "odd amount", "identity", "odd identity"]
        )
        self.variables: dict[str, str] = {}
        self.constants: dict[str, Any] = {"low": 5, "high": 25.5, "tiers": [7, 15, 30], "of": {"south": 10}}

    def one(self, *choices: str) -> str:
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def amount(self) -> str:
        return self.one("R.attr.amount", "R.attr.amount", 'R.attr["amount"]', "request.resource.attr.amount")

    def number(self) -> str:
        """Return something an amount is compared with."""
        plain = self.one("5", "10.0", "-5", "0", "25.5", "C.low", "constants.high", "15", "20u")
        own = self.one("P.attr.limit", 'P.attr["limit"]', "request.principal.attr.limit", "P.attr.org.limit")
        other = self.one("R.attr.budget", "R.attr.score")
        return self.random.choices([plain, own, f"({self.computed()})", other], [5, 4, 1.5, 0.6])[0]

    def computed(self) -> str:
        """Return something that only the PDP can compute."""
        return self.one(
            "P.attr.limit * 2.0",
            "P.attr.limit + C.low",
            "C.of[P.attr.region]",
            "double(size(P.attr.tags)) * 5.0",
            'P.attr.region == "south" ? 10.0 : 20.0',
            "C.tiers[1]",
            "P.attr.grants.map(g, g.limit)[0]",
        )

    def order(self) -> str:
        return self.one("<", "<=", ">", ">=", "==", "!=")

    def comparison(self) -> str:
        sides = [self.amount(), self.number()]
        self.random.shuffle(sides)
        return f"{sides[0]} {self.order()} {sides[1]}"

    def focused(self) -> str:
        """Return a typical condition of these policies, which therefore shows in the effects."""
        if self.focus == "computed":
            return f"R.attr.amount {self.one('<', '<=', '>', '>=')} ({self.computed()})"
        if self.focus in {"identity", "odd identity"}:
            return self.about_identity(odd=self.focus == "odd identity")
        return self.about_amount(odd=self.focus == "odd amount")

    def about_amount(self, *, odd: bool = False) -> str:
        if odd or self.chance(self.odd):
            return self.one(
                f"R.attr.amount * 1.3 <= {self.one('13.0', 'P.attr.limit', 'C.high')}",
                "int(R.attr.amount) % 2 == 0",
                'string(R.attr.amount) == "10"',
                f"R.attr.amount - R.attr.budget < {self.number()}",
                "R.attr.amount in P.attr.grants.map(g, g.limit)",
                "size(R.attr) > 3",
                "R.attr.amount * R.attr.amount < 200.0",
                '(R.attr.status == "OPEN" ? R.attr.amount : R.attr.budget) > 9.0',
                "[R.attr.amount, 5.0].exists(x, x > 12.0)",
                "R.attr[R.attr.status] == 5.0",
                "math.greatest(R.attr.amount, 3.0) > 12.0",
            )
        return self.one(
            self.comparison(),
            self.comparison(),
            self.comparison(),
            f"C.low {self.one('<', '<=')} R.attr.amount && R.attr.amount < {self.number()}",
            "R.attr.amount in [5.0, 10.0, 25.5]",
            "R.attr.amount in C.tiers",
            "double(R.attr.amount) > 9.0",
            "has(R.attr.amount) && R.attr.amount > C.low",
            *(["P.attr.?limit.orValue(5.0) >= R.attr.amount"] if self.chance(0.1) else []),
            "C.tiers.exists(t, R.attr.amount == t)",
            "P.attr.grants.exists(g, g.region == R.attr.region && R.attr.amount <= g.limit)",
            "has(P.attr.limit) ? R.attr.amount <= P.attr.limit : R.attr.amount < 5.0",
            "P.attr.limits.exists(l, R.attr.amount <= l)",
            "P.attr.limits.all(l, l != R.attr.amount && l < R.attr.budget)",
            "R.attr.money.amount <= P.attr.org.limit && R.attr.amount > C.low",
            'R.attr.money.amount > 5.0 && R.attr.money.unit == "USD"',
            f"({self.comparison()}) == ({self.comparison()})",
        )

    def about_identity(self, *, odd: bool = False) -> str:
        if odd or self.chance(self.odd):
            return self.one(
                'P.id.endsWith("6")',
                'P.id.matches("^u[0-5]$")',
                "size(P.id) == 3",
                'R.attr.owner.endsWith("6")',
                'R.attr.owner < "u5"',
                'P.id + "" == R.attr.owner',
                "size(R.attr.owner) > 2",
                'P.id < "u4"',
                "[P.id].exists(x, x == R.attr.owner)",
                'R.attr.owner.matches(r"^u\\d$")',
                "R.attr.tags.filter(t, t == R.attr.owner).size() > 0",
            )
        return self.one(
            "R.attr.owner == P.id",
            "P.id != R.attr.owner",
            "request.principal.id == R.attr.owner",
            "P.attr.manager == R.attr.owner",
            'P.id in ["u1", "u4"]',
            'P.id == "u6"',
            'P.id != "u0" && R.attr.owner != P.id',
            "R.attr.owner in P.attr.reports",
            "P.id in P.attr.reports",
            "P.id in R.attr.tags",
            "R.attr.tags.exists(t, t == P.id)",
            "P.attr.org.head == P.id",
            'R.attr.owner == null || R.attr.owner == ""',
            'R.attr.owner in ["u0", "u6"]',
        )

    def about_texts(self) -> str:
        if self.chance(self.odd):
            return self.one(
                'R.attr.region.startsWith("s")',
                "size(R.attr.status) > 3",
                'R.attr.when > "2024-06"',
                'R.attr.region + "" == P.attr.region',
            )
        return self.one(
            "R.attr.region == P.attr.region",
            'R.attr.region in ["south", "west"]',
            'R.attr.status == "OPEN"',
            'R.attr.status != "PAID"',
            'R.attr.region >= "south"',
            "P.attr.region < R.attr.region",
            "R.attr.score > 2.0",
            "R.attr.score == true",
            "R.attr.score in [10.0, 2.5]",
            'R.attr.score == "high"',
            "P.attr.level >= 1.0",
            "has(R.attr.region)",
            "has(P.attr.tags)",
            'timestamp(R.attr.when) > timestamp("2024-06-01T00:00:00Z")',
            "timestamp(R.attr.when) < timestamp(P.attr.hired)",
            "R.attr.tags == P.attr.tags",
            'P.attr.mail.endsWith("@acme.com")',
            'P.attr.mail.split("@")[0] == P.id',
            "P.attr.level < P.attr.limit || P.attr.limits == [7.0, 40.0]",
            "has(P.attr.org.limit)",
            "has(R.attr.money) && !has(R.attr.money.amount)",
            'size(P.attr.limits) == 2 && R.attr.money.unit in ["USD", "GBP"]',
            '"a" in R.attr.tags',
            "hasIntersection(P.attr.tags, R.attr.tags)",
            '"b" in P.attr.tags',
            '"own" in runtime.effectiveDerivedRoles',
        )

    def condition(self, depth: int = 2) -> str:
        if self.focus and self.chance(0.7):
            return self.focused()
        if depth and self.chance(0.5):
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            form = self.one("&&", "&&", "||", "||", "!", "?:")
            if form == "!":
                return f"!({a})"
            return f"({a}) ? ({b}) : ({self.condition(0)})" if form == "?:" else f"({a}) {form} ({b})"
        if self.variables and self.chance(0.25):
            return self.variable()
        share = self.random.random()
        if share < 0.55:
            return self.about_amount()
        return self.about_identity() if share < 0.75 else self.about_texts()

    def variable(self) -> str:
        name = self.random.choice(sorted(self.variables))
        place = f"{self.one('V', 'variables')}.{name}"
        return {"sum": f"{place} {self.order()} {self.number()}", "me": f"{place} == R.attr.owner"}.get(
            name, place
        )

    def match(self) -> dict[str, Any]:
        form = self.one("expr", "expr", "expr", "all", "any", "none")
        if form == "expr":
            return {"expr": self.condition()}
        return {form: {"of": [self.match() for _ in range(self.random.randint(1, 2))]}}

    def rule(self, actions: Sequence[str], who: Mapping[str, Any]) -> dict[str, Any]:
        effect = "EFFECT_DENY" if self.chance(0.3) else "EFFECT_ALLOW"
        rule = {"actions": list(actions), "effect": effect, **who}
        return {**rule, "condition": {"match": self.match()}} if self.chance(0.9) else rule

    def who(self) -> dict[str, Any]:
        if self.chance(0.3):
            return {"derivedRoles": [self.one("own", "near")]}
        return {"roles": [self.one("user", "boss", "*", "boss")]}

    def policies(self) -> list[dict[str, Any]]:
        """Return the resource policy, perhaps one in a scope, and the derived roles."""
        for _ in range(self.random.randint(0, 3)):
            name = self.one("open", "big", "sum", "me", "near", "later")
            text = {
                "open": 'R.attr.status == "OPEN"',
                "big": self.comparison(),
                "sum": self.one("R.attr.amount", "request.resource.attr.amount"),
                "me": "P.id",
                "near": self.about_texts(),
                "later": self.about_amount(),
            }[name]
            self.variables[name] = text
        body = {
            "importDerivedRoles": [f"roles_{self.kind}"],
            "variables": {"local": self.variables},
            "constants": {"local": self.constants},
        }
        made = [self.resource_policy(body, "")]
        if self.chance(0.3):
            made.append(self.resource_policy(body, "acme"))
        derived = {
            "name": f"roles_{self.kind}",
            "definitions": [
                {"name": "own", "parentRoles": ["user", "boss"], "condition": {"match": self.role_match()}},
                {"name": "near", "parentRoles": ["*"], "condition": {"match": self.role_match()}},
            ],
            "variables": {"local": self.variables},
            "constants": {"local": self.constants},
        }
        return [*made, {"derivedRoles": derived}]

    def role_match(self) -> dict[str, Any]:
        while True:  # a derived role can't depend on derived roles
            match = self.match()
            if "runtime" not in json.dumps(match):
                return match

    def resource_policy(self, body: Mapping[str, Any], scope: str) -> dict[str, Any]:
        most = 2 if self.focus else 4
        rules = [
            self.rule([self.one("see", "do", "*")], self.who()) for _ in range(self.random.randint(0, most))
        ]
        whole = {"actions": ["see", "do"], "effect": "EFFECT_ALLOW", "roles": ["*"]}
        rules.append({**whole, "condition": {"match": {"expr": self.condition(1)}}})
        policy = {"resource": self.kind, "version": "default", "rules": rules, **body}
        if scope:
            policy |= {"scope": scope, "scopePermissions": self.scope_permissions}
        return {"resourcePolicy": policy}

    def of_principal(self) -> dict[str, Any]:
        """Return a rule of a principal policy."""
        self.variables = {}
        effect = "EFFECT_DENY" if self.chance(0.5) else "EFFECT_ALLOW"
        action: dict[str, Any] = {"action": self.one("see", "do", "*"), "effect": effect}
        if self.chance(0.7):
            action["condition"] = {"match": self.role_match()}
        return {"resource": self.kind, "actions": [action]}

    def of_role(self) -> dict[str, Any]:
        """Return a rule of a role policy."""
        self.variables = {}
        rule: dict[str, Any] = {"resource": self.kind, "allowActions": [self.one("see", "do", "*")]}
        if self.chance(0.6):
            rule["condition"] = {"match": self.role_match()}
        return rule

    def asked(self, *, scoped: bool) -> dict[str, Any]:
        """Return the arguments of a sweep: some attributes as axes, some fixed, some not sent."""
        given: dict[str, Any] = {"amount": self.random.sample(AMOUNTS, k=self.random.randint(6, 16))}
        names = self.random.sample(sorted(ATTRIBUTES), k=self.random.randint(1, 4))
        if self.focus in {"identity", "odd identity"}:
            names = ["owner", *[name for name in names if name != "owner"]]
        for number, name in enumerate(names):
            values = ATTRIBUTES[name]
            if number < 2:
                given[name] = self.random.sample(values, k=self.random.randint(1, min(4, len(values))))
            else:
                given[name] = self.random.choice([v for v in values if not isinstance(v, list)] or [5])
        if scoped and self.chance(0.7):
            given["scope"] = "acme"
        return given


def batch(folder: Path, seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Write the policies of some seeds into a folder, a resource kind for each.

    Returns:
        For each kind the arguments of its sweep.
    """
    folder.mkdir(exist_ok=True)
    asked = {}
    of_principals: dict[str, list[Any]] = {}
    of_roles: list[Any] = []
    mode = SCOPE_PERMISSIONS[seeds[0] % 2]
    for seed in seeds:
        kind = f"kind{seed}"
        maker = Maker(seed, kind, mode)  # Cerbos requires one mode for all policies of a scope
        policies = maker.policies()
        for number, policy in enumerate(policies):
            _write(folder / f"{kind}_{number}.json", policy)
        asked[kind] = maker.asked(scoped=len(policies) == 3)
        if seeds[0] % 3 == 0 and maker.chance(0.3):  # everybody they name has their own class for every kind
            of_principals.setdefault(maker.one("u1", "u3", "u_9"), []).append(maker.of_principal())
        if maker.chance(0.3):
            of_roles.append(maker.of_role())
    shared = {"constants": {"local": Maker(0, "x").constants}}
    for name, rules in of_principals.items():
        body = {"principal": name, "version": "default", "rules": rules, **shared}
        _write(folder / f"principal_{name}.json", {"principalPolicy": body})
    if of_roles:
        role = {"role": "auditor", "version": "default", "rules": of_roles, **shared}
        _write(folder / "role.json", {"rolePolicy": role})
    return asked


def _write(path: Path, policy: dict[str, Any]) -> None:
    path.write_text(json.dumps({"apiVersion": "api.cerbos.dev/v1", **policy}, indent=1), encoding="utf-8")

"""Policies in which everything can reach everything, generated from a seed.

Derived roles of derived roles, ``runtime`` in rules, variables, derived roles, role and principal policies
and in each scope, action patterns with escapes and braces: for the claim that the kit knows which rules can
matter.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

API = {"apiVersion": "api.cerbos.dev/v1"}
SCOPES = ["", "acme", "acme.hr"]
NUMBERS = [50, 100, 200, 250.5, 1000]
ACTIONS = ["view", "approve", "v*w", "view:own", "sign:a:b"]
PATTERNS = [
    *("view", "approve", "view:own", "*", "view:*", "view\\:*", "v\\*w", "app*", "{view,approve}*"),
    *("sign:**", "*:own", "[va]*", "a\\pprove*"),
]
ROLES = ["employee", "boss", "intern", "auditor"]


def people() -> pd.DataFrame:
    """Return principals, some of whom differ only in an id, a role or one attribute."""
    rows = [
        {"id": "ann", "roles": ("employee",), "limit": 100, "region": "south", "team": "a"},
        {"id": "ben", "roles": ("employee",), "limit": 100, "region": "south", "team": "b"},
        {"id": "cai", "roles": ("employee", "boss"), "limit": 250.5, "region": "west", "team": "a"},
        {"id": "dee", "roles": ("boss", "employee"), "limit": 250.5, "region": "west", "team": "a"},
        {"id": "eve", "roles": ("intern",), "limit": 100, "region": "south", "team": "a"},
        {"id": "fay", "roles": ("auditor", "intern"), "limit": 10, "region": "north", "team": "b"},
        {"id": "gus", "roles": ("boss",), "limit": 400, "region": "south", "team": "b"},
        {"id": "hal", "roles": ("employee",), "limit": 100, "region": "south", "team": "a"},
        {"id": "ida", "roles": ("visitor",), "limit": 100, "region": "south", "team": "a"},
    ]
    return pd.DataFrame(rows, dtype=object)


AMOUNTS = [0, 10, 49, 50, 51, 99.99, 100, 101, 150, 199, 200, 201, 250.5, 251, 399, 400, 401, 999, 1000, 1001]
REGIONS = ["south", "west", "east"]


class Store:
    """The policies of some kinds, and of the principals and roles that they share.

    Attributes:
        kinds: the resource kinds made.
        documents: every policy.
    """

    def __init__(self, seed: int, count: int) -> None:
        self.random = random.Random(seed)
        self.has_role_policies = self.chance(0.35)  # if there are any, every rule is read for every role
        self.kinds = [f"kind{seed}x{number}" for number in range(count)]
        self.documents: list[dict[str, Any]] = []
        self.permissions = {
            "": "",
            "acme": self.one("", "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"),
            "acme.hr": self.one("", "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"),
        }
        self._exported: list[str] = []
        self._principal_rules: dict[str, list[dict[str, Any]]] = {"ann": [], "gus": [], "fay": []}
        self._role_rules: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for kind in self.kinds:
            self._kind(kind)
        self._shared()

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def _plain(self) -> str:
        """Return a condition that reads no derived role."""
        number, other = self.random.sample(NUMBERS, 2)
        return str(
            self.one(
                f"R.attr.amount > {number}",
                f"R.attr.amount <= {number}",
                f"R.attr.amount > {min(number, other)} && R.attr.amount < {max(number, other)}",
                "R.attr.amount <= P.attr.limit",
                "R.attr.amount > P.attr.limit",
                "R.attr.region == P.attr.region",
                f"R.attr.region == {json.dumps(self.one(*REGIONS))}",
                f"P.attr.team == {json.dumps(self.one('a', 'b'))}",
                f"P.id == {json.dumps(self.one('ann', 'ben', 'hal'))}",
            )
        )

    def _of_roles(self, derived: Sequence[str]) -> str:
        """Return a condition that reads the derived roles themselves."""
        name = json.dumps(self.one(*derived))
        return str(
            self.one(
                f"{name} in runtime.effectiveDerivedRoles",
                f"!({name} in runtime.effectiveDerivedRoles)",
                f"{name} in runtime.effectiveDerivedRoles && {self._plain()}",
                f"size(runtime.effectiveDerivedRoles) > {self.one(0, 1)}",
                f"runtime.effectiveDerivedRoles.exists(r, r == {name})",
            )
        )

    def _condition(self, derived: Sequence[str], names: Sequence[str], share: float) -> dict[str, Any]:
        text = self._of_roles(derived) if self.chance(share) else self._plain()
        if names and self.chance(0.25):
            text = f"V.{self.one(*names)}"
        if self.chance(0.2):
            parts = [{"expr": text}, {"expr": self._plain()}]
            return {"condition": {"match": {self.one("all", "any", "none"): {"of": parts}}}}
        return {"condition": {"match": {"expr": text}}}

    def _kind(self, kind: str) -> None:
        places = ("rule", "derived", "role", "principal", "variable")
        read_in = self.one((), (), *((place,) for place in places), ("rule", "derived"), places)
        at = {place: 0.5 if place in read_in else 0.0 for place in places}  # how often runtime is read
        derived = [
            f"{kind}_{name}" for name in ("band", "trusted", "near", "odd")[: self.random.randint(1, 4)]
        ]
        exported, told = f"{kind}_names", f"told_{kind}"
        if self.chance(0.3):  # principal and role policies see every variable that they import
            self._exported.append(exported)
        variable = self._of_roles(derived) if self.chance(2 * at["variable"]) else self._plain()
        self.documents.append({**API, "exportVariables": {"name": exported, "definitions": {told: variable}}})
        sets = []
        for number in range(self.one(1, 1, 2)):
            name = f"{kind}_set{number}"
            sets.append(name)
            own = {"local": {"mine": self._plain()}} if self.chance(0.3) else {"import": [exported]}
            names = ["mine"] if "local" in own else [told]
            definitions = [
                {
                    "name": role if number == 0 or self.chance(0.3) else f"{role}_{number}",
                    "parentRoles": self.one(
                        ["employee"], ["boss", "employee"], ["*"], ["auditor"], ["intern"]
                    ),
                    **({} if self.chance(0.1) else self._condition(derived, names, at["derived"])),
                }
                for role in derived
            ]
            self.documents.append(
                {**API, "derivedRoles": {"name": name, "variables": own, "definitions": definitions}}
            )
        for scope in SCOPES[: self.one(1, 1, 2, 3)]:
            self._policy(kind, scope, sets[-1] if scope else sets[0], exported, derived, at["rule"])
        if self.chance(0.5):
            rules = [
                {
                    "action": self.one(*PATTERNS),
                    "effect": self._effect(),
                    **self._condition(derived, self._seen(exported, told), at["principal"]),
                }
                for _ in range(self.random.randint(1, 2))
            ]
            one = self.one(*self._principal_rules)
            self._principal_rules[one].append({"resource": kind, "actions": rules})
        if self.has_role_policies and self.chance(0.5):
            entry = {
                "resource": kind,
                "allowActions": [self.one(*PATTERNS)],
                **(
                    self._condition(derived, self._seen(exported, told), at["role"])
                    if self.chance(0.8)
                    else {}
                ),
            }
            held = [
                scope for scope in ("", "acme") if not self.permissions[scope]
            ]  # Cerbos does not accept a mixture
            key = (self.one("intern", "auditor"), self.one(*held))
            self._role_rules.setdefault(key, []).append(entry)

    def _seen(self, exported: str, name: str) -> list[str]:
        """Return the variables of a kind that principal and role policies can use."""
        return [name] if exported in self._exported else []

    def _effect(self) -> str:
        return str(self.one("EFFECT_ALLOW", "EFFECT_ALLOW", "EFFECT_DENY"))

    def _policy(  # noqa: PLR0917 - what a policy is made of
        self, kind: str, scope: str, imported: str, exported: str, derived: Sequence[str], share: float
    ) -> None:
        definitions = next(
            document["derivedRoles"]["definitions"]
            for document in self.documents
            if document.get("derivedRoles", {}).get("name") == imported
        )
        known = [role["name"] for role in definitions]
        rules = []
        for _ in range(self.random.randint(2, 5)):
            who: dict[str, Any] = {"roles": [self.one("*", *ROLES)]}
            if self.chance(0.6):
                who = {"derivedRoles": self.random.sample(known, 1)}
            rules.append(
                {
                    "actions": self.random.sample(PATTERNS, self.one(1, 1, 2)),
                    "effect": self._effect(),
                    **who,
                    **({} if self.chance(0.5) else self._condition(derived, [f"told_{kind}"], share)),
                }
            )
        body = {
            "resource": kind,
            "version": "default",
            "scope": scope,
            "importDerivedRoles": [imported],
            "variables": {"import": [exported]},
            "rules": rules,
        }
        if self.permissions[scope]:
            body["scopePermissions"] = self.permissions[scope]
        self.documents.append({**API, "resourcePolicy": body})

    def _shared(self) -> None:
        variables = {"variables": {"import": self._exported}}
        for one, rules in self._principal_rules.items():
            body: dict[str, Any] = {"principal": one, "version": "default", "rules": rules, **variables}
            self.documents.append({**API, "principalPolicy": body})
        for (role, scope), rules in self._role_rules.items():
            parents = {"parentRoles": ["employee"]} if role == "intern" else {}
            body = {"role": role, "scope": scope, "rules": rules, **parents, **variables}
            self.documents.append({**API, "rolePolicy": body})

    def write(self, folder: Path) -> Path:
        """Write every policy into a new folder."""
        folder.mkdir()
        for number, document in enumerate(self.documents):
            (folder / f"{number:04}.json").write_text(json.dumps(document))
        return folder

"""Policies with one thing changed: each edit that somebody might make, by mistake or on purpose."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Policy = dict[str, Any]

COMPARISON = re.compile(r"<=|>=|==|!=|<|>")
SWAPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
NUMBER = re.compile(r"(?<=[<>=] )-?\d+(?:\.\d+)?(?![\w.])")
ALTERNATIVES = ("manager", "finance", "employee", "boss", "user")
NUMBERS = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True)
class Mutant:
    """Policies that differ from others by one edit.

    Attributes:
        edit: which kind of edit.
        place: where, and what was changed.
        policies: as data.
    """

    edit: str
    place: str
    policies: list[Policy]


def mutants(policies: Sequence[Policy]) -> Iterator[Mutant]:
    """Every single edit of the policies, in the order of what is edited."""
    seen = {json.dumps(list(policies), sort_keys=True)}
    for edit, path, change in _edits(policies):
        made = _copied(policies)
        holder: Any = made
        for step in path[:-1]:
            holder = holder[step]
        change(holder, path[-1])
        sign = json.dumps(made, sort_keys=True)
        if sign not in seen:
            seen.add(sign)
            yield Mutant(edit, "/".join(map(str, path)), made)


def renamed(policies: Sequence[Policy], suffix: str) -> list[Policy]:
    """The policies under names of their own, so that many fit into one folder."""
    made = _copied(policies)
    for policy in made:
        if body := policy.get("resourcePolicy"):
            body["resource"] += suffix
            body["importDerivedRoles"] = [name + suffix for name in body.get("importDerivedRoles", [])]
        for part in ("derivedRoles", "exportConstants", "exportVariables"):
            if part in policy:
                policy[part]["name"] += suffix
        for body in (policy.get("resourcePolicy"), policy.get("derivedRoles")):
            for part in ("constants", "variables"):
                if body and body.get(part, {}).get("import"):
                    body[part]["import"] = [name + suffix for name in body[part]["import"]]
    return made


def written(policies: Sequence[Policy], folder: Path, prefix: str) -> None:
    """Write policies as JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, policy in enumerate(policies):
        (folder / f"{prefix}_{number}.json").write_text(json.dumps(policy, indent=1), encoding="utf-8")


def numbers_in(*things: Any) -> set[float]:
    """Every number that occurs in data, also within texts."""
    return {float(text) for thing in things for text in NUMBERS.findall(json.dumps(thing, default=str))}


def _copied(policies: Sequence[Policy]) -> list[Policy]:
    """A copy in which no two policies share a part, as generated ones may."""
    made: list[Policy] = json.loads(json.dumps(list(policies)))
    return made


Edit = tuple[str, tuple[Any, ...], Callable[[Any, Any], None]]


def _edits(policies: Sequence[Policy]) -> Iterator[Edit]:
    for number, policy in enumerate(policies):
        yield from _definitions((number,), policy)
        if body := policy.get("resourcePolicy"):
            yield from _of_resource((number, "resourcePolicy"), body)
        for place, role in enumerate(policy.get("derivedRoles", {}).get("definitions", [])):
            path = (number, "derivedRoles", "definitions", place)
            yield from _roles((*path, "parentRoles"), role["parentRoles"], "another parent role")
            if "condition" in role:
                yield "a derived role without its condition", (*path, "condition"), _delete
                for _, where, change in _match((*path, "condition", "match"), role["condition"]["match"]):
                    yield "a derived role's condition", where, change


def _of_resource(path: tuple[Any, ...], body: Mapping[str, Any]) -> Iterator[Edit]:
    if body.get("scope"):
        yield "another scope", (*path, "scope"), _set("elsewhere")
    for place, rule in enumerate(body.get("rules", [])):
        at = (*path, "rules", place)
        if len(body["rules"]) > 1:
            yield "a removed rule", at, _delete
        other = "EFFECT_DENY" if rule["effect"] == "EFFECT_ALLOW" else "EFFECT_ALLOW"
        yield f"{rule['effect'][7:]} to {other[7:]}", (*at, "effect"), _set(other)
        yield from _roles((*at, "roles"), rule.get("roles", []), "a swapped role")
        if "condition" in rule:
            yield "a dropped condition", (*at, "condition"), _delete
            yield from _match((*at, "condition", "match"), rule["condition"]["match"])


def _roles(path: tuple[Any, ...], roles: Sequence[str], edit: str) -> Iterator[Edit]:
    for place in range(len(roles)):
        for other in ALTERNATIVES[:3] if set(roles) <= set(ALTERNATIVES[:3]) else ALTERNATIVES:
            if other not in roles:
                yield edit, (*path, place), _set(other)


def _match(path: tuple[Any, ...], match: Mapping[str, Any]) -> Iterator[Edit]:
    for form, inner in match.items():
        if form == "expr":
            yield from _expression((*path, form), inner)
            continue
        for place, part in enumerate(inner["of"]):
            if len(inner["of"]) > 1:
                yield "a dropped part of a condition", (*path, form, "of", place), _delete
            yield from _match((*path, form, "of", place), part)


def _expression(path: tuple[Any, ...], text: str) -> Iterator[Edit]:
    for found in COMPARISON.finditer(text):
        if text[found.start() - 1 : found.start()] == " ":
            other = SWAPPED[found[0]]
            yield (
                f"{found[0]} to {other}",
                path,
                _set(f"{text[: found.start()]}{other}{text[found.end() :]}"),
            )
    for found in NUMBER.finditer(text):
        for step in (0.01, -0.01):
            more = repr(round(float(found[0]) + step, 4))
            yield (
                "a number by a cent",
                path,
                _set(f"{text[: found.start()]}{more}{text[found.end() :]}"),
            )


def _definitions(path: tuple[Any, ...], policy: Policy) -> Iterator[Edit]:
    """Edits of constants and variables."""
    places = [(*path, part, "definitions") for part in ("exportConstants", "exportVariables")]
    for body in ("resourcePolicy", "derivedRoles"):
        places += [(*path, body, part, "local") for part in ("constants", "variables")]
    for place in places:
        found: Any = policy
        for step in place[1:]:
            found = found.get(step, {})
        for name, value in found.items():
            if isinstance(value, bool):
                continue
            if isinstance(value, (int, float)):
                for step in (0.01, -0.01):
                    yield "a constant by a cent", (*place, name), _set(round(value + step, 4))
            elif isinstance(value, str) and {"variables", "exportVariables"} & set(place):
                yield from _expression((*place, name), value)


def _set(value: Any) -> Callable[[Any, Any], None]:
    def change(holder: Any, step: Any) -> None:
        holder[step] = value

    return change


def _delete(holder: Any, step: Any) -> None:
    del holder[step]

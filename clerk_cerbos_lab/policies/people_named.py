"""The people that policies name, and their names for other things.

A policy names people if it is a principal policy, or if it compares the principal's id, or an attribute that
contains an id, with a string: ``P.id == "ann"``, ``R.attr.owner in C.auditors``. An attribute contains ids if
some policy compares it with the principal's id, or with an attribute that contains ids. What can't be read
counts as naming somebody, so that no page shows a name by mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name
from clerk_cerbos_lab.policies.paths import ELEMENT, path_of
from clerk_cerbos_lab.policies.policy_set import Environment, PolicySet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.paths import Path

_COMPARES: Final = {"==", "!=", "in", "[]", "[?]"}

_OVER_ELEMENTS: Final = {".all", ".exists", ".exists_one", ".existsOne", ".filter", ".map"}

_BINDS: Final = {*_OVER_ELEMENTS, ".optMap", ".optFlatMap", ".bind"}

_SETS: Final = {
    *("hasIntersection", "hasDuplicates", "intersect", "isSubset", "except"),
    *(".hasIntersection", ".intersect", ".isSubset", ".except", ".contains", ".intersects", ".equivalent"),
}

_SAME_TEXT: Final = {"string", "dyn", ".lowerAscii", ".upperAscii", ".trim"}

_OPTIONAL: Final = {"?", ".or", ".orValue", ".value", ".of", ".ofNonZeroValue"}

_FORMS: Final = ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles")

_EXPRESSIONS: Final = {"expr", "ruleActivated", "conditionNotMet"}

_WORDS: Final = {
    *("resource", "role", "roles", "parentRoles", "derivedRoles", "importDerivedRoles", "action", "actions"),
    *("allowActions", "version", "scope", "name"),
}

_ID: Final = re.compile(r"\b(?:P|principal)\s*(?:\.\s*id\b|\[\s*[\"']id)")

_TEXTS: Final = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")


class PolicyNames(NamedTuple):
    """The names in policies.

    Attributes:
        people: ids of principals.
        words: names of kinds, roles, actions, attributes, variables and constants.
    """

    people: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Group:
    """The two sides of a comparison together: strings, and paths in a request."""

    texts: set[str] = field(default_factory=set)
    paths: set[Path] = field(default_factory=set)


_LAST: list[tuple[Sequence[Mapping[str, Any]], PolicyNames]] = []


def names_in(policies: Sequence[Mapping[str, Any]]) -> PolicyNames:
    """Read the names in policies; the last few results are cached, by object identity.

    Args:
        policies: as dicts in the form of Cerbos's policy files; disabled ones count too.
    """
    known = next((names for read, names in _LAST if read is policies), None)
    if known is None:
        known = _names_in([{**policy, "disabled": False} for policy in policies])
        _LAST[:] = [*_LAST[-7:], (policies, known)]
    return known


def _names_in(policies: Sequence[Mapping[str, Any]]) -> PolicyNames:
    people: set[str] = set()
    words: set[str] = set()
    groups: list[_Group] = []
    policy_set = PolicySet(policies)
    for policy in policy_set.policies:
        _collect_words(policy, words)
        principal = (policy.get("principalPolicy") or {}).get("principal")
        if isinstance(principal, str):
            people.add(principal)
        for environment, text in _expressions(policy_set, policy):
            try:
                groups += _Reader(environment).groups(cel.parse(text), {})
            except (CelError, KeyError, TypeError, IndexError, RecursionError):
                people.update(_in_quotes(text))
    words.update(path[2] for group in groups for path in group.paths if len(path) > 2)
    holds_ids: set[Path] = {("P", "id")}
    while True:
        found = [group for group in groups if group.paths & holds_ids]
        groups = [group for group in groups if not group.paths & holds_ids]
        if not found:
            break
        for group in found:
            holds_ids |= group.paths
            people |= group.texts
    return PolicyNames(frozenset(people - {""}), frozenset(words))


def _expressions(policy_set: PolicySet, policy: Mapping[str, Any]) -> Iterator[tuple[Environment, str]]:
    """Each expression of a policy, including outputs and variables, with the names visible to it."""
    for form in _FORMS:
        body = policy.get(form)
        if isinstance(body, dict):
            try:
                environment = policy_set.environment(policy, body)
            except (CelError, KeyError, TypeError):  # read the rest without them
                environment = Environment(policy, {}, (body.get("constants") or {}).get("local") or {})
            sources = [*environment.sources, *((body.get("variables") or {}).get("local") or {}).values()]
            for text in dict.fromkeys([*_texts_at(body), *sources]):
                yield environment, text
    exported = (policy.get("exportVariables") or {}).get("definitions") or {}
    for text in exported.values():
        yield Environment(policy, {}, {}), text


def _texts_at(part: object) -> Iterator[str]:
    """The expressions in a part of a policy."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in _EXPRESSIONS and isinstance(value, str):
                yield value
            else:
                yield from _texts_at(value)
    elif isinstance(part, list):
        for value in part:
            yield from _texts_at(value)


def _collect_words(part: object, words: set[str]) -> None:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in _WORDS:
                words.update(_strings(value))
            if name in {"local", "definitions"} and isinstance(value, dict):
                words.update(value)
            _collect_words(value, words)
    elif isinstance(part, list):
        for value in part:
            _collect_words(value, words)


def _strings(value: object) -> Iterator[str]:
    """The strings in a value, except the keys of maps."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _in_quotes(text: str) -> set[str]:
    """The quoted strings of an unreadable expression, if it reads the principal's id."""
    return {one or other for one, other in _TEXTS.findall(text)} if _ID.search(text) else set()


class _Reader:
    """Reads the comparisons of one policy's expressions."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def groups(self, node: Node, bound: Mapping[str, Node]) -> Iterator[_Group]:
        """Everything that is compared in a node and its descendants."""
        if isinstance(node, Field):
            yield from self.groups(node.operand, bound)
        if not isinstance(node, Call):
            return
        arguments = node.arguments
        if node.function in _COMPARES or (node.function in _SETS and len(arguments) > 1):
            group = _Group()
            for side in arguments:
                self._add(side, bound, group)
            yield group
        inner = dict(bound)
        if node.function in _BINDS and len(arguments) > 2 and isinstance(arguments[1], Name):
            inner[arguments[1].name] = arguments[2] if node.function == ".bind" else arguments[0]
        for argument in arguments:
            yield from self.groups(argument, inner)

    def _add(self, node: Node, bound: Mapping[str, Node], group: _Group) -> None:
        """Add what one side of a comparison can be: strings and paths, and for a map its keys."""
        if isinstance(node, Literal):
            group.texts.update([node.value] if isinstance(node.value, str) else [])
        elif isinstance(node, Call):
            self._add_call(node, bound, group)
        elif isinstance(node, Name) and node.name in bound:
            self._add(bound[node.name], _without(bound, node.name), group)
        else:
            self._add_place(node, bound, group)

    def _add_call(self, node: Call, bound: Mapping[str, Node], group: _Group) -> None:
        parts = node.arguments
        if node.function == "map":
            parts = parts[::2]
        elif node.function == "?:":
            parts = parts[1:]
        elif node.function == ".?" and isinstance(parts[1], Literal):
            self._add_place(Field(parts[0], parts[1].value), bound, group)
            return
        elif node.function in {"[]", "[?]"}:  # the key belongs to another comparison
            group.texts.update(_strings(self._constant(parts[0])))
            return
        elif node.function in _OVER_ELEMENTS:
            parts = parts[:1] if node.function != ".map" else (parts[0], parts[-1])
        elif node.function not in {"list", "{}", "+", *_SETS, *_SAME_TEXT, *_OPTIONAL}:
            return
        for part in parts:
            self._add(part, bound, group)

    def _add_place(self, node: Node, bound: Mapping[str, Node], group: _Group) -> None:
        head = node.operand.name if isinstance(node, Field) and isinstance(node.operand, Name) else ""
        variable = node.name if isinstance(node, Field) and head in {"V", "variables"} else ""
        if variable in self._environment.variables:
            self._add(self._environment.variables[variable], {}, group)
            return
        path = path_of(node, self._environment, {name: self._place(over) for name, over in bound.items()})
        if path is None and head in bound:  # a field of each element of a literal list
            group.texts.update(_literals(bound[head]))
        elif path is not None and path[0] == "C":
            group.texts.update(_of_constant(self._environment.constants, path[1:]))
        elif path is not None and (path in {("P", "id"), ("R", "id")} or path[1:2] == ("attr",)):
            group.paths.add(tuple(step for step in path if step != ELEMENT))

    def _place(self, over: Node) -> Path | None:
        """The path of an element of a macro's operand."""
        path = path_of(over, self._environment, {})
        return (*path, ELEMENT) if path else None

    def _constant(self, node: Node) -> object:
        """The value of the constant that a node names; None if it names none."""
        path = path_of(node, self._environment, {})
        value: object = self._environment.constants if path and path[0] == "C" else None
        for step in (path or ())[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        return value


def _without(bound: Mapping[str, Node], name: str) -> dict[str, Node]:
    return {other: over for other, over in bound.items() if other != name}


def _literals(node: Node) -> set[str]:
    """The string literals in a node; for a map, those in its values."""
    if isinstance(node, Call):
        parts = node.arguments[1::2] if node.function == "map" else node.arguments
        return set().union(*map(_literals, parts))
    return {node.value} if isinstance(node, Literal) and isinstance(node.value, str) else set()


def _of_constant(value: object, path: Sequence[str]) -> set[str]:
    """The strings at a path in a constant: the items of a list, the keys of a map."""
    if not path:
        held = value if isinstance(value, (list, dict)) else [value]
        return {item for item in held if isinstance(item, str)}
    step, *rest = path
    if step == ELEMENT:
        items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        below: set[str] = set().union(*(_of_constant(item, rest) for item in items))
        return below | set(value) if isinstance(value, dict) and not rest else below
    return _of_constant(value[step], rest) if isinstance(value, dict) and step in value else set()


@lru_cache(maxsize=8)
def names_in_files(files: tuple[str, ...]) -> PolicyNames:
    """The names in policy files that the PDP does not report; files that are not YAML are skipped."""
    import yaml  # noqa: PLC0415 - needed only if a file says that a policy is disabled

    policies: list[dict[str, Any]] = []
    for text in files:
        try:
            policies += [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
        except (
            yaml.YAMLError,
            ValueError,
            RecursionError,
        ):  # for example an invalid date, which the PDP accepts
            continue
    return names_in(policies)

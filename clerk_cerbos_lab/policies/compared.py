"""What the policies of a kind compare attributes with: values that are worth trying in a request.

No decision depends on it: what is found here is asked of the PDP, and what is missed is not tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name
from clerk_cerbos_lab.policies.paths import ELEMENT, attribute_steps, path_of
from clerk_cerbos_lab.policies.policy_set import relevant
from clerk_cerbos_lab.policies.terms import EQUALITIES, LOOPS, ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.paths import Bound, Path
    from clerk_cerbos_lab.policies.policy_set import Audience, Environment, PolicySet

Attribute: TypeAlias = tuple[str, str]
"""``("R", name)`` or ``("P", name)``; ``("P", "id")`` and ``("P", "roles")`` have the names below."""

ID: Final[Attribute] = ("P.", "id")
ROLES: Final[Attribute] = ("P.", "roles")
RESOURCE_ID: Final[Attribute] = ("R.", "id")


@dataclass(slots=True)
class Group:
    """Attributes that are compared with each other, and what they are compared with.

    Attributes:
        attributes: the attributes.
        values: literals and constants, in the order of the policies.
        computed: whether something is computed with them before it is compared.
    """

    attributes: set[Attribute] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)
    computed: bool = False


@dataclass(slots=True)
class Compared:
    """What the policies of a kind read and compare.

    Attributes:
        groups: by attribute; attributes that are compared with each other share one.
        lists: attributes of which elements are looked for or looped over.
        presence: attributes in ``has(…)``.
        strings: every string in the expressions.
        unreadable: why something is missing, in words; None if everything was read.
    """

    groups: dict[Attribute, Group] = field(default_factory=dict)
    lists: set[Attribute] = field(default_factory=set)
    presence: set[Attribute] = field(default_factory=set)
    strings: dict[str, None] = field(default_factory=dict)
    unreadable: str | None = None

    def group(self, attribute: Attribute) -> Group:
        """The group of an attribute, made if there is none."""
        found = self.groups.get(attribute)
        if found is None:
            found = self.groups[attribute] = Group({attribute})
        return found

    def join(self, attributes: Iterable[Attribute]) -> Group | None:
        """Put attributes into one group; None if there are none."""
        joined: Group | None = None
        for attribute in attributes:
            other = self.group(attribute)
            if joined is None:
                joined = other
            elif other is not joined:
                joined.attributes |= other.attributes
                joined.values += other.values
                joined.computed = joined.computed or other.computed
                self.groups.update(dict.fromkeys(other.attributes, joined))
        return joined


def compared(policy_set: PolicySet, kind: str, audience: Audience) -> Compared:
    """Read what can matter to a kind and an audience.

    Args:
        policy_set: all policies.
        kind: the resource kind.
        audience: the roles and actions of the question.
    """
    found = Compared()
    try:
        for environment, texts in relevant(policy_set, kind, audience):
            nodes = [*_parsed(texts, found), *environment.variables.values()]
            for node in nodes:
                _read(found, environment, node, {})
    except (CelError, KeyError, TypeError, RecursionError) as error:
        found.unreadable = str(error)
    return found


def _parsed(texts: Iterable[str], found: Compared) -> Iterator[Node]:
    for text in texts:
        try:
            yield cel.parse(text)
        except (CelError, RecursionError) as error:
            found.unreadable = str(error)


def _read(found: Compared, environment: Environment, node: Node, bound: Bound) -> None:
    path = path_of(node, environment, bound)
    if path is not None:
        attribute = _attribute(path)
        if attribute is not None:
            found.group(attribute)
        return
    if isinstance(node, Field):
        _read(found, environment, node.operand, bound)
    if isinstance(node, Literal) and isinstance(node.value, str):
        found.strings[node.value] = None
    if not isinstance(node, Call):
        return
    if node.function in {*EQUALITIES, *ORDERS, "in"}:
        _compare(found, environment, node, bound)
    if node.function == "has" and (attribute := _attribute_at(node.arguments[0], environment, bound)):
        found.presence.add(attribute)
    inner = _within(found, environment, node, bound)
    for part in node.arguments:
        _read(found, environment, part, inner)


def _within(found: Compared, environment: Environment, node: Call, bound: Bound) -> Bound:
    """The names bound inside a call: a macro's variable is an element of what it loops over."""
    if node.function not in LOOPS or len(node.arguments) < 2 or not isinstance(node.arguments[1], Name):
        return bound
    over = path_of(node.arguments[0], environment, bound)
    if attribute := _attribute_at(node.arguments[0], environment, bound):
        found.lists.add(attribute)
    return {**bound, node.arguments[1].name: None if over is None else (*over, ELEMENT)}


def _attribute_at(node: Node, environment: Environment, bound: Bound) -> Attribute | None:
    path = path_of(node, environment, bound)
    return None if path is None else _attribute(path)


def _compare(found: Compared, environment: Environment, node: Call, bound: Bound) -> None:
    """Put the attributes on both sides into one group, with the literals and constants among them."""
    attributes: list[Attribute] = []
    values: list[Any] = []
    computed = False
    for place, side in enumerate(node.arguments):
        path = path_of(side, environment, bound)
        if node.function == "in" and place == 1 and path is not None and (whole := _attribute(path)):
            found.lists.add(whole)
        plain = path is not None or isinstance(side, Literal) or _is_list(side)
        computed = computed or not plain
        for part in _leaves(side, environment, bound):
            if isinstance(part, Literal):
                values.append(part.value)
            elif part[0] == "C":
                values += _scalars(_constant(part, environment))
            elif (attribute := _attribute(part)) is not None:
                attributes.append(attribute)
    group = found.join(attributes)
    if group is not None:
        group.values += values
        group.computed = group.computed or computed


def _is_list(node: Node) -> bool:
    return isinstance(node, Call) and node.function == "list"


def _leaves(node: Node, environment: Environment, bound: Bound) -> Iterator[Any]:
    """The literals and paths that a side is made of; a variable that is computed counts as its expression."""
    path = path_of(node, environment, bound)
    if path is not None:
        yield path
    elif isinstance(node, Literal):
        yield node
    elif isinstance(node, Field):
        named = isinstance(node.operand, Name) and node.operand.name in {"V", "variables"}
        inner = environment.variables.get(node.name) if named else None
        yield from _leaves(node.operand if inner is None else inner, environment, bound)
    elif isinstance(node, Call):
        for part in node.arguments:
            yield from _leaves(part, environment, bound)


def _attribute(path: Path) -> Attribute | None:
    if path[:2] == ("P", "id"):
        return ID
    if path[:2] == ("P", "roles"):
        return ROLES
    if path[:2] == ("R", "id"):
        return RESOURCE_ID
    if path[0] in {"P", "R"} and path[1:2] == ("attr",) and (steps := attribute_steps(path)):
        return path[0], name_of(steps)
    return None


def _constant(path: Path, environment: Environment) -> Any:
    value: Any = dict(environment.constants)
    for step in path[1:]:
        if step == ELEMENT:
            break
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _scalars(part)
    elif isinstance(value, list):
        for part in value:
            yield from _scalars(part)
    elif value is not None:
        yield value

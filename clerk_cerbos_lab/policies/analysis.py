"""What the policies of a resource kind read: which attributes, and what they compare them with.

It reads the text of every expression that can matter (conditions, variables, derived roles, principal
and role policies, every scope and version) and says which values the policies can't distinguish. It
decides nothing: each effect is the PDP's answer to a question. If it does not understand something, it
says so, and then every value of everything is asked.

The reasoning, for one attribute of the resource with everything else fixed: if an expression uses the
attribute only as one side of comparisons whose other side does not depend on it, the expression's value
can change only where the outcome of one of these comparisons changes. Other operators (``&&``, ``!``,
``?:``, macros) only combine outcomes, including errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.attribute_names import name_of, overlap, steps_of
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name, Node
from clerk_cerbos_lab.policies.paths import (
    ELEMENT,
    _resource_attribute,
    _variable,
    attribute_steps,
    path_of,
    written,
)
from clerk_cerbos_lab.policies.policy_set import relevant
from clerk_cerbos_lab.policies.terms import CLOCK, EQUALITIES, LOOPS, ORDERS, term_of
from clerk_cerbos_lab.values import texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clerk_cerbos_lab.policies.paths import Bound, Path
    from clerk_cerbos_lab.policies.policy_set import Audience, Environment, PolicySet
    from clerk_cerbos_lab.policies.terms import Term

CONTAINS: Final = "contains"
"""``in`` with the attribute on its right."""

_TYPES: Final = {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"} | {
    "optional_type"
}

_NAMESPACES: Final = {"base64", "google", "lists", "math", "optional", "regex", "sets", "strings"}

_ONLY_LOOKS: Final = {".all", ".exists", ".exists_one", ".existsOne"}

_BINDS_OTHERWISE: Final = {
    ".bind",
    ".optFlatMap",
    ".optMap",
    ".sortBy",
    ".transformList",
    ".transformMap",
    ".transformMapEntry",
}

_MACRO_PARTS: Final = 3  # the operand, a variable name, an expression

_LOGIC: Final = {"&&", "||", "!", "?:"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute of the resource compared with something that does not depend on it.

    Attributes:
        operator: ``==``, ``!=``, ``in`` (with the attribute on the left), or an ordering operator.
        other: the other side.
        path: the path of the other side, if it is a plain path.
        environment: the variables and constants visible to the other side.
        reads: the resource attributes that the other side reads.
        converted: whether the attribute is inside ``double(…)``, which makes a difference for strings only.
    """

    operator: str
    other: Node
    path: Path | None
    environment: Environment
    reads: frozenset[str]
    converted: bool


@dataclass(slots=True)
class Use:
    """How the policies use one attribute of the resource.

    Attributes:
        comparisons: what it is compared with.
        terms: expressions that read nothing else.
        otherwise: each other use, in words; if there is one, each value has to be asked.
        not_equality: each use that depends on more than what the value equals, in words.
        present: each ``has(…)``, in words.
        everywhere: each use of the value, also in a comparison, in words.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    not_equality: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    everywhere: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Analysis:
    """What the policies of a resource kind read.

    Attributes:
        principal_attributes: those whose value some expression reads, by name (see ``attribute_names``); None
            for all of them.
        principal_presence: those in ``has(…)``.
        compared_with: by principal attribute, its comparisons as a whole with literals, constants and whole
            resource attributes (``operator`` is ``in`` if the attribute is on its left, else ``CONTAINS``).
        elements_compared: the same for the elements of a list, each compared in a loop such as ``exists``.
        loops: the principal attributes over which there is such a loop.
        terms: expressions that read principal attributes and nothing else.
        read_otherwise: the principal attributes whose value is read in another way as well.
        uses: by resource attribute (``resource_id`` for the id), the uses of just this attribute.
        whole: uses of the whole resource, in words; then every attribute counts as used otherwise.
        identity: uses of ``P.id`` that depend on more than what it equals, in words.
        named: the principals that principal policies name.
        strings: every string in an expression or a constant.
        compares_identity: whether an expression compares ``P.id`` with anything.
        clock: whether an expression reads the time.
        unreadable: why the analysis is not complete, in words; None if everything was understood.
        not_understood: the expressions that were not understood, and all variables that these could use;
            empty although there is no complete analysis: nothing was understood.
    """

    principal_attributes: set[str] | None = field(default_factory=set)
    principal_presence: set[str] = field(default_factory=set)
    compared_with: dict[str, list[Comparison]] = field(default_factory=dict)
    elements_compared: dict[str, list[Comparison]] = field(default_factory=dict)
    loops: set[str] = field(default_factory=set)
    terms: list[Term] = field(default_factory=list)
    read_otherwise: set[str] = field(default_factory=set)
    uses: dict[str, Use] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    identity: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    compares_identity: bool = False
    clock: bool = False
    unreadable: str | None = None
    not_understood: list[str] = field(default_factory=list)

    def only_compared(self) -> dict[str, list[Comparison]]:
        """The principal attributes that are read only in comparisons and ``terms``, in order.

        Either the attributes themselves or the elements of lists are compared.
        """
        read = self.principal_attributes
        if read is None or self.whole:
            return {}
        names = {*self.compared_with, *(name for term in self.terms for name in term.names)} - self.loops
        names |= self.elements_compared.keys() - self.compared_with.keys()
        return {
            name: self.elements_compared.get(name) or self.compared_with.get(name, [])
            for name in sorted(names)
            if name not in self.read_otherwise
            and not any(overlap(other, name) for other in read if other != name)
        }

    def use_of(self, name: str) -> Use | None:
        """How the policies use an attribute, what is inside it, and the maps around it; None if not at all.

        A use of anything but just the attribute depends on more than comparisons of it. ``has(…)`` of a map
        around it is no use: the map is always there.
        """
        found = self.uses.get(name)
        depth = len(steps_of(name))
        made = Use() if found is None else replace(found, otherwise=[*found.otherwise])
        for other, use in self.uses.items():
            if other == name or not overlap(other, name):
                continue
            inside = len(steps_of(other)) > depth
            otherwise = [*use.everywhere, *(use.present if inside else ())]
            if otherwise:
                found = made
                made.otherwise += otherwise
                made.not_equality = [*made.not_equality, *use.not_equality]
        return None if found is None else made


def analyse(policy_set: PolicySet, kind: str, audience: Audience | None = None) -> Analysis:
    """Read the policies that can affect a resource kind.

    Args:
        policy_set: all policies of the PDP.
        kind: the resource kind.
        audience: read only the rules that can apply to these roles and actions, and only the variables
            that these rules use; None for all of them. No rule may be left out in strict evaluation, in
            which a variable that fails denies even if nothing uses it, or if there are role policies,
            which give a principal roles it does not list.

    Returns:
        What they read; ``unreadable`` is set if an expression or a policy could not be understood.
    """
    found = Analysis()
    try:
        found.named = policy_set.named
        for environment, texts in relevant(policy_set, kind, audience):
            reader = _Reader(found, environment)
            for text in texts:
                _try(reader, reader.read, text)
            for variable in environment.variables if audience is None else ():
                _try(reader, reader.variable, variable)
            texts_in(environment.constants, found.strings)
    except _NOT_UNDERSTOOD as error:
        return Analysis(unreadable=_in_words(error))
    return found


_NOT_UNDERSTOOD: Final = (CelError, KeyError, TypeError, RecursionError)


def _try(reader: _Reader, read: Callable[[str], None], what: str) -> None:
    """Read an expression or a variable, or note that it was not understood."""
    try:
        read(what)
    except _NOT_UNDERSTOOD as error:
        reader.not_understood(what, _in_words(error))


def _in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, CelError) else f"an unknown form of policy ({error})"


# -- reading an expression --------------------------------------------------------------------


class _Reader:
    """Reads the expressions of one policy into an analysis."""

    def __init__(self, found: Analysis, environment: Environment) -> None:
        self._found = found
        self._environment = environment
        self._looked_at: set[str] = set()
        self._location = environment.file  # of the current expression
        self._of_variables: dict[str, tuple[frozenset[str], bool]] = {}

    def read(self, text: str) -> None:
        self._location = self._environment.place_of(text)
        self.look(cel.parse(text), {})

    def variable(self, name: str) -> None:
        """Read a variable once; one that is a plain path is read where it is used."""
        node = self._environment.variables[name]
        path = path_of(node, self._environment, {})
        if path is None:
            if name not in self._looked_at:
                self._looked_at.add(name)
                self.look(node, {})
        elif path[0] == "P":  # in strict evaluation a missing attribute is an error even so
            self._principal_presence(path)
        elif path[0] == "R" and (attribute := _resource_attribute(path)):
            self._use(attribute).present.append(self._where(node))

    def not_understood(self, text: str, why: str) -> None:
        """Note an expression that can read anything."""
        self._found.unreadable = self._found.unreadable or why
        self._found.not_understood += [text, *self._environment.sources]

    def look(  # noqa: C901, PLR0912 - one branch per form
        self, node: Node, bound: Bound, within: Node | None = None
    ) -> None:
        """Record what a node and its children read; ``within`` is the expression to quote in messages."""
        path = path_of(node, self._environment, bound)
        if path is not None:
            self._place(path, within or node)
        elif isinstance(node, Name):
            if node.name not in bound and node.name not in _TYPES | _NAMESPACES:
                msg = f"the name '{node.name}' in {self._environment.file} is not known"
                raise CelError(msg)
        elif isinstance(node, Field):
            variable = _variable(node, bound)
            if variable is None:
                self.look(node.operand, bound, within)
            else:
                self.variable(variable)
        elif isinstance(node, Literal):
            if isinstance(node.value, str):
                self._found.strings.add(node.value)
        elif isinstance(node, Call) and not self._term(node, bound):
            if node.function in CLOCK:
                self._found.clock = True
            if node.function in {*EQUALITIES, *ORDERS, "in"}:
                self._comparison(node, bound)
            elif node.function == "has":
                self._presence(node, bound)
            elif node.function == ".?":  # used for its value, whatever that is compared with
                self.look(self._selected(node, bound), bound, within or node)
            elif node.function == ".bind":
                self._bind(node, bound)
            elif node.function in LOOPS | _BINDS_OTHERWISE:
                self._macro(node, bound)
            elif _may_bind(node):
                msg = f"{self._where(node)} may be a macro that is not known here"
                raise CelError(msg)
            else:
                for argument in node.arguments:
                    self.look(argument, bound, within if node.function in _LOGIC else within or node)

    def _term(self, node: Call, bound: Bound) -> bool:
        """Record an expression that reads attributes of one side only, and is no plain comparison."""
        if node.function in {*EQUALITIES, *ORDERS, "in"} and self._is_plain(node, bound):
            return False
        term = term_of(node, self._environment, bound, self._where(node))
        read = self._found.principal_attributes
        if term is None or read is None:
            return False
        parts = (part for part in cel.walk(node) if isinstance(part, Literal))
        self._found.strings.update(part.value for part in parts if isinstance(part.value, str))
        if term.side == "P":
            self._found.terms.append(term)
            read.update(term.names)
        else:
            use = self._use(term.names[0])
            use.terms.append(term)
            use.everywhere.append(term.where)
            equality = node.function in {*EQUALITIES, "in"}
            if not equality or not all(self._is_atom(part, bound) for part in node.arguments):
                use.not_equality.append(term.where)
        return True

    def _is_plain(self, node: Call, bound: Bound) -> bool:
        """Whether an attribute is compared with a literal or a constant, or with those in a list."""
        left, right = node.arguments
        for side, other in ((left, right), (right, left)):
            path = path_of(other, self._environment, bound)
            if path is None or path[0] == "C":
                continue
            constant = path_of(side, self._environment, bound)
            literal = _is_literal(side) if node.function == "in" else isinstance(side, Literal)
            if literal or (constant is not None and constant[0] == "C"):
                return node.function != "in" or other is left
        return False

    def _place(self, path: Path, node: Node) -> None:
        """Record a path that is used for its value, outside any comparison."""
        found, text = self._found, self._where(node)
        if path[0] == "R":
            name = _resource_attribute(path)
            if name is None:
                found.whole.append(text)
            elif name:
                use = self._use(name)
                for some in (use.otherwise, use.not_equality, use.everywhere):
                    some.append(text)
        elif path[0] == "P":
            self._principal(path)
            if path in {("P",), ("P", "id")}:
                found.identity.append(text)
        elif path == ("request",):
            self._principal(("P",))
            found.whole.append(text)
            found.identity.append(text)
        elif path[0] == "V":  # all variables together
            msg = f"{text} uses the variables as a whole"
            raise CelError(msg)

    def _principal(self, path: Path) -> None:
        """Record a path below ``P`` that is read for its value."""
        if len(path) >= 3 and path[1] == "attr":
            steps = attribute_steps(path)
            if not steps:
                self._found.principal_attributes = None
                return
            self._found.read_otherwise.add(name_of(steps))
            if self._found.principal_attributes is not None:
                self._found.principal_attributes.add(name_of(steps))
        elif len(path) < 2 or path[1] not in {"id", "roles", "scope", "policyVersion", "policy_version"}:
            self._found.principal_attributes = None

    def _principal_presence(self, path: Path) -> None:
        """Record a path below ``P`` of which only the presence matters."""
        steps = attribute_steps(path)
        if path[1:2] == ("attr",) and steps and len(steps) == len(path) - 2:
            self._found.principal_presence.add(name_of(steps))
        else:
            self._principal(path)

    def _use(self, name: str) -> Use:
        return self._found.uses.setdefault(name, Use())

    def _where(self, node: Node) -> str:
        return f"`{written(node)}` in {self._location}"

    def _presence(self, node: Call, bound: Bound) -> None:
        """``has(…)`` has the same outcome for every value that is sent under the name."""
        for argument in node.arguments:
            path = path_of(argument, self._environment, bound)
            name = _resource_attribute(path) if path and path[0] == "R" else None
            if name and path is not None:
                use, text = self._use(name), self._where(node)
                if ELEMENT in path:
                    use.otherwise.append(text)
                    use.everywhere.append(text)
                else:
                    use.present.append(text)
            elif path is None or path[0] != "P" or path[:2] == ("P",):
                self.look(argument, bound)
            else:
                self._principal_presence(path)

    def _macro(self, node: Call, bound: Bound) -> None:
        over, *rest = node.arguments
        one_name = node.function in LOOPS and (len(rest) == 2 or node.function == ".map")
        names = rest[:1] if one_name else [part for part in rest[:-1] if isinstance(part, Name)]
        if not all(isinstance(name, Name) for name in names):
            msg = f"{self._where(node)}: a macro without a variable"
            raise CelError(msg)
        path = path_of(over, self._environment, bound)
        inner: dict[str, Path | None] = dict(bound)
        for name in names:
            inner[name.name] = (*path, ELEMENT) if one_name and path else None  # type: ignore[union-attr]
        attribute = _resource_attribute(path) if path and path[0] == "R" else None
        if attribute and node.function in _ONLY_LOOKS and one_name:
            use = self._use(attribute)  # its elements are read below
            use.otherwise.append(self._where(node))
            use.everywhere.append(self._where(node))
        elif one_name and node.function in _ONLY_LOOKS and path and _is_whole(path, "P"):
            self._found.loops.add(name_of(path[2:]))  # its elements are read below
            if self._found.principal_attributes is not None:
                self._found.principal_attributes.add(name_of(path[2:]))
        else:
            self.look(over, bound)
        for part in rest[len(names) :]:
            self.look(part, inner)

    def _selected(self, node: Call, bound: Bound) -> Node:
        """What ``a.?b`` reads: an attribute, or all of a map in one, because its absence is an error."""
        operand, name = node.arguments
        path = path_of(operand, self._environment, bound)
        if path is not None and path[0] in {"P", "R"} and len(path) > 2:
            return operand
        return Field(operand, name.value)  # type: ignore[union-attr]

    def _bind(self, node: Call, bound: Bound) -> None:
        """``cel.bind(name, value, expression)``: what the value reads is asked by value."""
        cel_itself, name, *rest = node.arguments
        if cel_itself != Name("cel") or not isinstance(name, Name) or len(rest) != 2:
            msg = f"{self._where(node)}: a macro without a variable"
            raise CelError(msg)
        self.look(rest[0], bound, node)
        self.look(rest[1], {**bound, name.name: None})

    def _comparison(self, node: Call, bound: Bound) -> None:
        left, right = node.arguments
        for side, other, is_left in ((left, right, True), (right, left, False)):
            self._side(node, side, other, bound, is_left=is_left)

    def _side(self, node: Call, side: Node, other: Node, bound: Bound, *, is_left: bool) -> None:
        converted = isinstance(side, Call) and side.function == "double" and len(side.arguments) == 1
        inner = side.arguments[0] if isinstance(side, Call) and converted else side
        path = path_of(inner, self._environment, bound)
        name = _resource_attribute(path) if path and path[0] == "R" else None
        equality = node.function not in ORDERS and not converted and self._is_atom(other, bound)
        if path == ("P", "id") and not converted:
            self._found.compares_identity = True
            if not equality:
                self._found.identity.append(self._where(node))
            return
        right_of_in = node.function == "in" and not is_left
        operator = CONTAINS if right_of_in else node.function
        if path and not converted and self._compared_as_a_whole(operator, path, other, bound):
            return
        if not name or path is None:
            self.look(side, bound, node)
            return
        use, text = self._use(name), self._where(node)
        use.everywhere.append(text)
        if not equality:
            use.not_equality.append(text)
        reads, blocked = self._reads(other, bound)
        within = any(overlap(name, other) for other in reads)
        if ELEMENT in path or right_of_in or blocked or within:
            use.otherwise.append(text)
            return
        operator = node.function
        place = path_of(other, self._environment, bound)
        use.comparisons.append(Comparison(operator, other, place, self._environment, reads, converted))

    def _compared_as_a_whole(self, operator: str, path: Path, other: Node, bound: Bound) -> bool:
        """Record a principal attribute, or its elements, compared with what ``compared_with`` allows."""
        element = path[-1] == ELEMENT
        whole = path[:-1] if element else path
        if not _is_whole(whole, "P"):
            return False
        opposite = path_of(other, self._environment, bound)
        of_resource = opposite is not None and _is_whole(opposite, "R")
        of_policies = _is_literal(other) or (opposite is not None and opposite[0] == "C")
        if operator == CONTAINS and (element or not of_resource):
            return False
        if self._found.principal_attributes is None or not (of_resource or of_policies):
            return False
        reads = frozenset({name_of(opposite[2:])} if opposite is not None and of_resource else ())
        name = name_of(whole[2:])
        self._found.principal_attributes.add(name)
        found = self._found.elements_compared if element else self._found.compared_with
        found.setdefault(name, []).append(
            Comparison(operator, other, opposite, self._environment, reads, converted=False)
        )
        return True

    def _is_atom(self, node: Node, bound: Bound) -> bool:
        """Whether a value, if it is a string, must occur somewhere in the request or the policies."""
        if isinstance(node, Literal):
            return True
        if isinstance(node, Call):
            return node.function == "list" and all(self._is_atom(part, bound) for part in node.arguments)
        path = path_of(node, self._environment, bound)
        if path is None:
            return False
        inside = path[0] in {"P", "R"} and len(path) > 1 and path[1:] != ("attr",)
        return path[0] == "C" or (inside and path[1:3] != ("attr", ELEMENT))  # else: an attribute's name

    def _reads(  # noqa: C901, PLR0911 - one return per form
        self, node: Node, bound: Bound
    ) -> tuple[frozenset[str], bool]:
        """The resource attributes that a value depends on, and whether it can't be known in advance."""
        path = path_of(node, self._environment, bound)
        if path is not None:
            if path[0] == "R":
                name = _resource_attribute(path)
                return (frozenset({name} if name else ()), not name)
            about = path[0] == "P" and path[1:2] not in {("id",), ("roles",), ("attr",)}
            return frozenset(), about or path[0] in {"runtime", "V"} or path == ("request",)
        variable = _variable(node, bound)
        if variable is not None:
            if variable not in self._of_variables:
                self._of_variables[variable] = self._reads(self._environment.variables[variable], {})
            return self._of_variables[variable]
        if isinstance(node, Name):
            return frozenset(), node.name in bound
        if isinstance(node, Field):
            return self._reads(node.operand, bound)
        if not isinstance(node, Call):
            return frozenset(), False
        if node.function == ".?":
            return self._reads(self._selected(node, bound), bound)
        reads: frozenset[str] = frozenset()
        blocked = node.function in CLOCK or node.function in _BINDS_OTHERWISE
        inner = dict(bound)
        parts = list(node.arguments)
        if node.function in LOOPS and len(parts) > 1 and isinstance(parts[1], Name):
            below, stop = self._reads(parts[0], bound)
            inside = any(isinstance(part, Name) and part.name in bound for part in cel.walk(parts[0]))
            reads, blocked = reads | below, blocked or stop or inside or len(parts) > _MACRO_PARTS
            inner.pop(parts[1].name, None)
            free = {name: place for name, place in inner.items() if name != parts[1].name}
            return self._reads_inside(parts[1].name, parts[2:], free, reads, blocked=blocked)
        for part in parts:
            if any(isinstance(below, Name) and below.name in bound for below in cel.walk(part)):
                blocked = True  # a macro's variable in a computed value
            below, stop = self._reads(part, bound)
            reads, blocked = reads | below, blocked or stop
        return reads, blocked

    def _reads_inside(
        self, name: str, parts: Sequence[Node], bound: Bound, reads: frozenset[str], *, blocked: bool
    ) -> tuple[frozenset[str], bool]:
        """The same for the body of a macro that lies completely inside the value."""
        for part in parts:
            for below in cel.walk(part):
                if isinstance(below, Name) and below.name in bound:
                    blocked = True
                if isinstance(below, Call) and below.function in LOOPS | _BINDS_OTHERWISE | CLOCK:
                    blocked = True  # nested macros are not analysed
            more, stop = self._reads(_without(part, name), bound)
            reads, blocked = reads | more, blocked or stop
        return reads, blocked


def _is_whole(path: Path, side: str) -> bool:
    """Whether a path leads to an attribute of the principal or the resource, or to what is inside a map."""
    return path[:2] == (side, "attr") and len(path) > 2 and ELEMENT not in path


def _is_literal(node: Node) -> bool:
    """Whether a node is a literal, or a list of literals."""
    if isinstance(node, Call):
        return node.function == "list" and all(isinstance(part, Literal) for part in node.arguments)
    return isinstance(node, Literal)


def _may_bind(node: Call) -> bool:
    """Whether a method may be a macro with its own variable, which could shadow another name."""
    parts = node.arguments
    return node.function.startswith(".") and len(parts) >= _MACRO_PARTS and isinstance(parts[1], Name)


def _without(node: Node, name: str) -> Node:
    """The node with a macro's variable replaced by a literal: the variable itself reads no attribute."""
    if isinstance(node, Name) and node.name == name:
        return Literal(None)
    if isinstance(node, Field):
        return Field(_without(node.operand, name), node.name)
    if isinstance(node, Call):
        return Call(node.function, tuple(_without(part, name) for part in node.arguments), node.text)
    return node

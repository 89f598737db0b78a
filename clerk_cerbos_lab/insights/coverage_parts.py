"""What there is to cover in policies, and where each part is evaluated."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.pdp.probes import Probe, affecting, probe_of, variable_probe
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name
from clerk_cerbos_lab.policies.conditions import read_expression
from clerk_cerbos_lab.policies.terms import CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.conditions import Expression
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule, RuleKey

Context: TypeAlias = "tuple[str, RuleKey]"
"""Where expressions are evaluated: ``rule`` or ``derived role``, and its key."""

RULE: Final = "rule"
DERIVED_ROLE: Final = "derived role"
VARIABLE: Final = "variable"
ATOM: Final = "atom"

_FORMS: Final = {
    "resource": "resourcePolicy",
    "principal": "principalPolicy",
    "role": "rolePolicy",
    "derived roles": "derivedRoles",
}

_OF_A_REQUEST: Final = frozenset({"P", "R", "request", "runtime"})

_LONGEST: Final = 60
"""Lines of one expression."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Something in a policy that can be true, false or an error.

    Attributes:
        part: ``rule``, ``derived role``, ``variable`` or ``atom``.
        file: of the policy.
        line: in the file, if known.
        policy: as Cerbos calls it, or the name of a set of derived roles or of exported variables.
        rule: the rule, derived role or variable that it is or belongs to.
        text: of a rule its effect and actions, else CEL.
        number: of the policy among the documents.
        expression: of a rule or derived role its condition; None if it has none.
        of_rule: for a rule.
        of_role: for a derived role.
        boolean: whether it is used as true or false.
    """

    part: str
    file: str
    line: int | None
    policy: str
    rule: str
    text: str
    number: int
    expression: Expression | None = None
    of_rule: Rule | None = None
    of_role: DerivedRole | None = None
    boolean: bool = True


@dataclass(frozen=True, slots=True)
class Watched:
    """A part whose value is seen wherever its context is evaluated.

    Attributes:
        part: its position among the parts.
        number: of the policy in whose environment it is computed.
        probe: that computes it.
        boolean: whether anything but true and false is an error.
    """

    part: int
    number: int
    probe: Probe
    boolean: bool


@dataclass(slots=True)
class Parts:
    """The parts of some policies.

    Attributes:
        policies: that have them.
        every: the parts in order of the policies and their lines.
        of_rule: rule to part.
        of_role: number of the set and of the role to part.
        of_variable: for each policy and variable visible there, the part.
        watched: by context, what is evaluated there.
        users: by variable, the contexts that use it.
        constant: what is the same for every request of a PDP.
    """

    policies: tuple[PolicyRules, ...]
    every: list[Part] = field(default_factory=list)
    of_rule: dict[RuleKey, int] = field(default_factory=dict)
    of_role: dict[RuleKey, int] = field(default_factory=dict)
    of_variable: dict[tuple[int, str], int] = field(default_factory=dict)
    watched: dict[Context, tuple[Watched, ...]] = field(default_factory=dict)
    users: dict[int, list[Context]] = field(default_factory=dict)
    constant: list[Watched] = field(default_factory=list)


def parts_of(index: PolicyIndex, kind: str | None, texts: Mapping[str, str]) -> Parts:
    """What there is to cover.

    Args:
        index: of the policies.
        kind: only what can affect a resource kind; None for everything.
        texts: the policy files by path, for the lines of expressions.
    """
    chosen = index.rules if kind is None else tuple(affecting(index.rules, kind))
    reader = _Reader(index, Parts(tuple(chosen)), {file: text.splitlines() for file, text in texts.items()})
    for policy in chosen:
        reader.read(policy, kind)
    return reader.made


class _Reader:
    """Collects the parts of one policy after another."""

    def __init__(self, index: PolicyIndex, made: Parts, lines: Mapping[str, Sequence[str]]) -> None:
        self.made = made
        self._index = index
        self._lines = lines
        self._variables: dict[tuple[int, str], tuple[int, list[tuple[int, Expression, bool]]]] = {}

    def read(self, policy: PolicyRules, kind: str | None) -> None:
        """The parts of one policy; of the rules only those about the kind."""
        for rule in policy.rules:
            if kind is None or policy.about(rule, kind):
                text = f"{rule.effect} {', '.join(rule.actions)}"
                part = Part(
                    RULE,
                    policy.visible.file,
                    rule.line,
                    policy_name(policy),
                    rule.name,
                    text,
                    policy.number,
                    rule.condition,
                    of_rule=rule,
                )
                self.made.of_rule[rule.key] = self._add(part)
                self._condition(policy, (RULE, rule.key), rule.name, rule.condition)
        for role in policy.derived_roles:
            part = Part(
                DERIVED_ROLE,
                policy.visible.file,
                role.line,
                policy_name(policy),
                role.name,
                role.name,
                policy.number,
                role.condition,
                of_role=role,
            )
            key = (policy.number, role.number)
            self.made.of_role[key] = self._add(part)
            self._condition(policy, (DERIVED_ROLE, key), role.name, role.condition)
        for name in policy.visible.variables:
            where, atoms = self._variable(policy, name)
            watched = [Watched(where, policy.number, variable_probe(name), self.made.every[where].boolean)]
            watched += [Watched(part, policy.number, probe_of(atom), own) for part, atom, own in atoms]
            self._constants(policy, watched)

    def _add(self, part: Part) -> int:
        self.made.every.append(part)
        return len(self.made.every) - 1

    def _condition(
        self, policy: PolicyRules, context: Context, name: str, condition: Expression | None
    ) -> None:
        """The atoms of a condition, and the variables that it uses, directly or through others."""
        watched: list[Watched] = []
        used: dict[str, None] = {}
        for atom, boolean in _atoms(condition, boolean=True) if condition is not None else ():
            where = self._add(self._atom(policy, policy_name(policy), name, atom, boolean=boolean))
            watched.append(Watched(where, policy.number, probe_of(atom), boolean))
            used |= dict.fromkeys(names_used(atom.text))
        for variable in closure(used, policy.visible.variables):
            where, atoms = self._variable(policy, variable)
            self.made.users.setdefault(where, []).append(context)
            watched.append(
                Watched(where, policy.number, variable_probe(variable), self.made.every[where].boolean)
            )
            watched += [Watched(part, policy.number, probe_of(atom), own) for part, atom, own in atoms]
        self.made.watched[context] = tuple(watched)
        self._constants(policy, watched)

    def _constants(self, policy: PolicyRules, watched: Sequence[Watched]) -> None:
        self.made.constant += [
            one for one in watched if is_constant(one.probe.text, policy.visible.variables)
        ]

    def _atom(self, policy: PolicyRules, owner: str, name: str, atom: Expression, *, boolean: bool) -> Part:
        file, line = atom.place
        text = " ".join(atom.text.split())
        return Part(
            ATOM,
            file,
            self._line_of(file, line, atom.text),
            owner,
            name,
            text,
            policy.number,
            atom,
            boolean=boolean,
        )

    def _line_of(self, file: str, line: int | None, text: str) -> int | None:
        """The line of a part of an expression that begins on a line."""
        first = text.strip().partition("\n")[0]
        lines = self._lines.get(file, ())
        if line is None or not first:
            return line
        return next(
            (i + 1 for i in range(line - 1, min(line + _LONGEST, len(lines))) if first in lines[i]), line
        )

    def _variable(self, policy: PolicyRules, name: str) -> tuple[int, list[tuple[int, Expression, bool]]]:
        """The part of a variable where it is defined, and the atoms of its expression."""
        document, path, owner = self._definition(policy, name)
        known = self._variables.get((document, name))
        if known is None:
            file = str(self._index.documents[document].get("metadata", {}).get("sourceFile") or "a policy")
            text = policy.visible.variables[name]
            line = self._index.lines.of(file, *path)
            tree = read_expression(text, policy.visible)
            atoms = list(_atoms(tree, boolean=False))
            single = len(atoms) == 1 and atoms[0][0] is tree
            part = Part(
                VARIABLE,
                file,
                self._line_of(file, line, text),
                owner,
                name,
                " ".join(text.split()),
                document,
                tree,
                boolean=False,
            )
            where = self._add(part)
            own: list[tuple[int, Expression, bool]] = []
            for atom, boolean in () if single else atoms:
                at = Part(
                    ATOM,
                    file,
                    self._line_of(file, line, atom.text),
                    owner,
                    name,
                    " ".join(atom.text.split()),
                    document,
                    atom,
                    boolean=boolean,
                )
                own.append((self._add(at), atom, boolean))
            known = self._variables[document, name] = where, own
        self.made.of_variable[policy.number, name] = known[0]
        return known

    def _definition(self, policy: PolicyRules, name: str) -> tuple[int, tuple[str, ...], str]:
        """Where a variable is defined: the number of the document, the path in it, and what it is called."""
        variables = policy.body.get("variables", {})
        if name in variables.get("local", {}):
            path = (_FORMS[policy.type], "variables", "local", name)
            return policy.number, path, policy_name(policy)
        for imported in reversed(variables.get("import", ())):
            for number, document in enumerate(self._index.documents):
                exported = document.get("exportVariables", {})
                if exported.get("name") == imported and name in exported.get("definitions", {}):
                    return number, ("exportVariables", "definitions", name), f"variables {imported}"
        return policy.number, ("variables", name), policy_name(policy)  # the old form


def policy_name(policy: PolicyRules) -> str:
    """The policy as Cerbos calls it."""
    if policy.type == "derived roles":
        return f"derived roles {policy.name}"
    scope = f"/{policy.scope}" if policy.scope else ""
    return f"{policy.type}.{policy.name}.v{policy.version}{scope}"


def _atoms(expression: Expression, *, boolean: bool) -> Iterator[tuple[Expression, bool]]:
    """The atoms of an expression, variables among them, and whether each is used as true or false."""
    if expression.form in {"atom", "unread", "variable"}:
        if expression.text and (boolean or not _is_literal(expression.text)):
            yield expression, boolean
        return
    for place, part in enumerate(expression.parts):
        yield from _atoms(part, boolean=boolean or expression.form != "if" or place == 0)


def _is_literal(text: str) -> bool:
    try:
        return isinstance(cel.parse(text), Literal)
    except CelError:
        return False


def names_used(text: str) -> list[str]:
    """The variables that an expression names."""
    try:
        root = cel.parse(text)
    except CelError:
        return []
    return [
        node.name
        for node in cel.walk(root)
        if isinstance(node, Field)
        and isinstance(node.operand, Name)
        and node.operand.name in {"V", "variables"}
    ]


def closure(names: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Variables with those that they use, directly or not."""
    found: dict[str, None] = {}
    open_ones = list(names)
    while open_ones:
        name = open_ones.pop()
        if name in variables and name not in found:
            found[name] = None
            open_ones += names_used(variables[name])
    return list(found)


def is_constant(text: str, variables: Mapping[str, str]) -> bool:
    """Whether an expression reads nothing of a request, nor the time."""
    try:
        root = cel.parse(text)
        trees = [
            root,
            *(cel.parse(variables[name]) for name in closure(dict.fromkeys(names_used(text)), variables)),
        ]
    except CelError:
        return False
    for node in itertools.chain.from_iterable(map(cel.walk, trees)):
        if isinstance(node, Name) and node.name in _OF_A_REQUEST:
            return False
        if isinstance(node, Call) and node.function in CLOCK:
            return False
    return all(name in variables for name in names_used(text))

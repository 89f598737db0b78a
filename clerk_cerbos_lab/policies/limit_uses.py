"""Where the policies of a kind read a limit, what they compare it with, and what raising it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.analysis import Comparison
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal
from clerk_cerbos_lab.policies.paths import path_of
from clerk_cerbos_lab.policies.policy_set import Audience, relevant
from clerk_cerbos_lab.policies.terms import EQUALITIES, ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.addresses import Limit
    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.edits import Path
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.policy_set import Environment

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

_RAISING: Final = {"<": 1, "<=": 1, ">": -1, ">=": -1}
"""What raising the right side does to a comparison: it is true more often, or less often."""


def matters(limit: Limit, index: PolicyIndex, kind: str, actions: Sequence[str]) -> bool:
    """Whether an expression that can matter to these actions reads a limit; True in doubt."""
    try:
        return any(True for _ in _reads(limit, index, kind, actions))
    except (CelError, RecursionError):
        return True


def comparisons_of(limit: Limit, index: PolicyIndex, kind: str, actions: Sequence[str]) -> list[Comparison]:
    """Everything that the policies compare a limit with.

    Raises:
        InputError: if an expression does anything else with it, or can't be read.
    """
    found = []
    try:
        for environment, atom, node in _reads(limit, index, kind, actions):
            if not isinstance(atom, Call) or atom.function not in ORDERS | EQUALITIES:
                where = atom.text if isinstance(atom, Call) else limit.text
                msg = f"'{limit.address}' is not only compared with something: {' '.join(where.split())}"
                raise InputError(msg)
            other = next(part for part in atom.arguments if part is not node)
            path = path_of(other, environment, {})
            found.append(Comparison(atom.function, other, path, environment, frozenset(), converted=False))
    except (CelError, RecursionError) as error:
        msg = f"what '{limit.address}' is compared with is not known: {error}"
        raise InputError(msg) from None
    return found


def _reads(
    limit: Limit, index: PolicyIndex, kind: str, actions: Sequence[str]
) -> Iterator[tuple[Environment, Call | None, Node]]:
    """Each place at which a limit is read, with the call that it is an argument of."""
    for environment, texts in relevant(index.policy_set, kind, Audience(tuple(actions), None)):
        if not _sees(environment, limit, index):
            continue
        for text in dict.fromkeys([*texts, *environment.sources]):
            if limit.constant is not None or text == limit.spot.expression:
                for atom, node in _places(limit, cel.parse(text), None):
                    yield environment, atom, node


def _sees(environment: Environment, limit: Limit, index: PolicyIndex) -> bool:
    """Whether the expressions of a policy can read a limit: another policy's constant has the same name."""
    home = index.documents[limit.spot.document]
    if limit.constant is None or environment.policy is home:
        return True
    exporter = (home.get("exportConstants") or {}).get("name")
    bodies = (body for body in environment.policy.values() if isinstance(body, dict))
    imports = (name for body in bodies for name in (body.get("constants") or {}).get("import") or ())
    return exporter is not None and exporter in imports


def _places(limit: Limit, node: Node, atom: Call | None) -> Iterator[tuple[Call | None, Node]]:
    if _is_part_of(limit, node):
        yield atom, node
    elif isinstance(node, Field):
        yield from _places(limit, node.operand, None)
    elif isinstance(node, Call):
        for part in node.arguments:
            yield from _places(limit, part, node)


def _is_part_of(limit: Limit, node: Node) -> bool:
    """Whether a node is the limit, or a map of constants with the limit in it."""
    if limit.constant is None:
        start, end = limit.spot.span
        if isinstance(node, Literal):
            return node.span == (start, end)
        return isinstance(node, Call) and node.function == "list" and node.start == start
    names = _constant(node)
    return bool(names) and tuple(limit.constant.split("."))[: len(names)] == names


def _constant(node: Node) -> tuple[str, ...]:
    """``("limits", "south")`` of ``C.limits.south``; empty for anything else."""
    names: list[str] = []
    while isinstance(node, Field):
        names.insert(0, node.name)
        node = node.operand
    return tuple(names) if isinstance(node, cel.Name) and node.name in {"C", "constants"} else ()


def raising(limit: Limit, index: PolicyIndex, kind: str, actions: Sequence[str]) -> int:
    """What raising a limit can do in lenient evaluation, as far as the text of the policies shows.

    A condition of an ALLOW rule that joins comparisons with ``all``, ``any``, ``&&`` and ``||`` is true for
    more requests if each comparison with the limit is; a comparison that is an error is one whatever the
    limit. In a DENY rule it is the reverse.

    Returns:
        1: only allow more; -1: only allow less; 0: not known, such as for a limit in a variable, in a derived
        role, below ``none`` or ``!``, or compared by ``==``.
    """
    used = [one for one in index.limits if one.spot == limit.spot]
    named = [constant.name for constant in index.constants if constant.name == limit.constant]
    if len(named) > 1 or "." in (limit.constant or ""):
        return 0
    signs: list[int] = []
    try:
        for number, document in enumerate(index.documents):
            for i, rule in enumerate((document.get("resourcePolicy") or {}).get("rules") or ()):
                match = (rule.get("condition") or {}).get("match") or {}
                path = ("resourcePolicy", "rules", i, "condition", "match")
                here = limit.constant is not None or limit.spot.document == number
                effect = 1 if rule.get("effect") == "EFFECT_ALLOW" else -1
                signs += [effect * sign for sign in _signs_of_match(limit, match, path)] if here else []
        for _ in _reads(limit, index, kind, actions):
            pass  # whatever can matter can be read
    except (CelError, RecursionError):
        return 0
    only_there = len(signs) == len(used)  # and not in a variable, a derived role, or a principal's policy
    return signs[0] if signs and len(set(signs)) == 1 and only_there else 0


def _signs_of_match(limit: Limit, match: Mapping[str, Any], path: Path) -> Iterator[int]:
    for form, part in match.items():
        if form == "expr":
            if limit.constant is not None or limit.spot.path == (*path, "expr"):
                yield from _signs(limit, cel.parse(str(part)))
        elif isinstance(part, dict):
            for i, below in enumerate(part.get("of") or ()):
                signs = _signs_of_match(limit, below, (*path, form, "of", i))
                yield from signs if form in {"all", "any"} else (0 for _ in signs)


def _signs(limit: Limit, node: Node) -> Iterator[int]:
    if isinstance(node, Call) and node.function in {"&&", "||"}:
        for part in node.arguments:
            yield from _signs(limit, part)
        return
    for _ in _places(limit, node, None):
        direct = isinstance(node, Call) and node.function in _RAISING
        if isinstance(node, Call) and direct and _is_part_of(limit, node.arguments[1]):
            yield _RAISING[node.function]
        elif isinstance(node, Call) and direct and _is_part_of(limit, node.arguments[0]):
            yield _RAISING[_MIRRORED[node.function]]
        else:
            yield 0

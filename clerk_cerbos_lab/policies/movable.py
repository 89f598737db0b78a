"""What policies compare with: each number, text and list in a condition, and each constant."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.addresses import Limit, Spot, short, shown_value, with_addresses
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name
from clerk_cerbos_lab.policies.conditions import RELATIONS, source
from clerk_cerbos_lab.policies.edits import NotInPlaceError, PolicyText, place_in_source
from clerk_cerbos_lab.values import is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.edits import Path

LOGICAL: Final = frozenset({"&&", "||", "!", "?:"})

_FORMS: Final = ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles")

_ROOTS: Final = re.compile(r"^(?:request\.)?(?:resource|R)\.(?:attr\.)?")


@dataclass(frozen=True, slots=True)
class _Expression:
    """An expression of a policy."""

    owner: str
    document: int
    file: str
    path: Path
    text: str


# -- finding --------------------------------------------------------------------------------------


def limits_of(documents: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> tuple[Limit, ...]:
    """Everything that can be moved, in the order of the policies; constants that nothing compares with last.

    Args:
        documents: the policies as dicts in the form of Cerbos's policy files.
        files: their files as text, by the path in ``sourceFile``.
    """
    expressions = [one for number, document in enumerate(documents) for one in _expressions(number, document)]
    defined = _constants(documents)
    reading = _readers(expressions)
    texts = _texts(files)
    found: list[Limit] = []
    for one in expressions:
        try:
            tree = cel.parse(one.text)
        except (CelError, RecursionError):
            continue
        visible = _visible(documents, one.document, defined)
        readers = reading.get(one.owner, ())
        for use in _values(tree, None):
            limit = _limit(one, use, visible, readers, texts)
            found += [limit] if limit else []
    used = {limit.spot for limit in found}
    found += [
        Limit(name, "", "", "", value, name, "", spot.file, _line(texts, spot), spot)
        for name, spot, value in defined
        if spot not in used
    ]
    return with_addresses(found)


def _expressions(number: int, document: Mapping[str, Any]) -> Iterator[_Expression]:
    """The expressions that can decide something: conditions and variables, without outputs."""
    file = _file(document)
    for form in _FORMS:
        for owner, rule, path in _conditional(form, document.get(form) or {}):
            match = (rule.get("condition") or {}).get("match")
            if isinstance(match, dict):
                for below, text in _match(match, (*path, "condition", "match")):
                    yield _Expression(owner, number, file, below, text)
    for path, held in _holders(document, "Variables"):
        for name, text in sorted(held.items()):  # the PDP returns them in any order
            yield _Expression(f"V.{name}", number, file, (*path, name), text)


def _file(document: Mapping[str, Any]) -> str:
    return str(document.get("metadata", {}).get("sourceFile") or "a policy")


def _holders(document: Mapping[str, Any], what: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each dict of a policy that defines ``Variables`` or ``Constants``, with its path."""
    yield (what.lower(),), document.get(what.lower()) or {}  # the old form of variables
    exported = (document.get(f"export{what}") or {}).get("definitions") or {}
    yield (f"export{what}", "definitions"), exported
    for form in _FORMS:
        local = ((document.get(form) or {}).get(what.lower()) or {}).get("local") or {}
        yield (form, what.lower(), "local"), local


def _conditional(form: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    """Everything in a policy that may have a condition: its name, itself, its path."""
    for i, rule in enumerate(body.get("rules") or ()):
        path: Path = (form, "rules", i)
        if form == "principalPolicy":
            for j, action in enumerate(rule.get("actions") or ()):
                yield str(action.get("name") or f"rule-{j + 1:03}"), action, (*path, "actions", j)
        else:
            yield str(rule.get("name") or f"rule-{i + 1:03}"), rule, path
    for i, role in enumerate(body.get("definitions") or ()):
        yield str(role["name"]), role, (form, "definitions", i)


def _match(match: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for form, part in match.items():
        if form == "expr":
            yield (*path, "expr"), str(part)
        elif isinstance(part, dict):
            for i, below in enumerate(part.get("of") or ()):
                yield from _match(below, (*path, form, "of", i))


def _constants(documents: Sequence[Mapping[str, Any]]) -> list[tuple[str, Spot, Any]]:
    """Every constant, and every value in one that is a map: name, place and value."""
    return [
        (name, Spot(number, _file(document), (*path, *steps)), value)
        for number, document in enumerate(documents)
        for path, held in _holders(document, "Constants")
        for name, steps, value in _nested(held, (), "")
    ]


def _nested(held: Mapping[str, Any], above: tuple[str, ...], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    for name, value in sorted(held.items()):
        yield prefix + name, (*above, name), value
        if isinstance(value, dict):
            yield from _nested(value, (*above, name), f"{prefix}{name}.")


def _visible(
    documents: Sequence[Mapping[str, Any]], number: int, defined: Sequence[tuple[str, Spot, Any]]
) -> dict[str, tuple[Spot, Any]]:
    """The constants that a policy's expressions see; of exported variables those that are defined once."""
    document = documents[number]
    form = next((form for form in _FORMS if form in document), None)
    if form is None:
        names = [name for name, _, _ in defined]
        return {name: (spot, value) for name, spot, value in defined if names.count(name) == 1}
    imported = set(((document[form] or {}).get("constants") or {}).get("import") or ())
    visible: dict[str, tuple[Spot, Any]] = {}
    for name, spot, value in defined:
        exporter = (documents[spot.document].get("exportConstants") or {}).get("name")
        if spot.path[0] == "exportConstants" and exporter in imported:
            visible.setdefault(name, (spot, value))
        if spot.document == number:
            visible[name] = (spot, value)
    return visible


def _readers(expressions: Sequence[_Expression]) -> dict[str, tuple[str, ...]]:
    """For each variable, which rules, derived roles and variables read it, perhaps through another."""
    reads: dict[str, set[str]] = {}
    for one in expressions:
        names = re.findall(r"\b(?:V|variables)\s*\.\s*(\w+)", one.text)
        reads.setdefault(one.owner, set()).update(f"V.{name}" for name in names)
    for _ in reads:  # long enough for the longest chain
        before = {owner: set(names) for owner, names in reads.items()}
        for held in reads.values():
            held.update(*(before[name] for name in before.keys() & held))
        if before == reads:
            break
    return {
        one.owner: tuple(owner for owner, names in reads.items() if one.owner in names)
        for one in expressions
        if one.owner.startswith("V.")
    }


def _values(node: Node, atom: Call | None) -> Iterator[tuple[Call | None, str, Node]]:
    """Each literal, list of literals and constant with the comparison that it is in, and its operator."""
    if isinstance(node, Field):
        yield from _values(node.operand, atom)
    if not isinstance(node, Call):
        return
    if node.function in RELATIONS:
        atom = node
    inside = atom or (None if node.function in LOGICAL else node)
    operator = node.function.removeprefix(".")
    for place, part in enumerate(node.arguments):
        if node.function == ".?" and place == 1:
            continue  # the name of a field
        if isinstance(part, Literal) or _is_list(part) or _constant_name(part):
            yield inside, operator, part
        else:
            yield from _values(part, inside)


def _is_list(node: Node) -> bool:
    return (
        isinstance(node, Call)
        and node.function == "list"
        and all(isinstance(part, Literal) and movable(part.value) for part in node.arguments)
    )


def movable(value: Any) -> bool:
    """Whether a literal is a number or a text."""
    return is_number(value) or is_text(value)


def _constant_name(node: Node) -> str:
    """``limits.south`` of ``C.limits.south``; empty for anything else."""
    if isinstance(node, Field) and isinstance(node.operand, Name):
        return node.name if node.operand.name in {"C", "constants"} else ""
    above = _constant_name(node.operand) if isinstance(node, Field) else ""
    return f"{above}.{node.name}" if above and isinstance(node, Field) else ""


def _limit(
    one: _Expression,
    use: tuple[Call | None, str, Node],
    visible: Mapping[str, tuple[Spot, Any]],
    readers: tuple[str, ...],
    texts: Mapping[str, PolicyText],
) -> Limit | None:
    """The limit that a literal, a list or a constant is; None for a truth value or an unknown constant."""
    atom, operator, node = use
    where = atom or node
    text = " ".join((where.text if isinstance(where, Call) else source(where)).split())
    name = _constant_name(node) or None
    spot = Spot(one.document, one.file, one.path, one.text)
    if name is not None:
        if name not in visible:
            return None
        spot, value = visible[name]
    elif isinstance(node, Call):
        value = [part.value for part in node.arguments if isinstance(part, Literal)]
        spot = replace(spot, span=(node.start, node.start + len(node.text)))
    elif isinstance(node, Literal) and movable(node.value):
        value, spot = node.value, replace(spot, span=node.span)
    else:
        return None
    return Limit(
        address=f"{one.owner}: {short(_with_constants(text, visible))}",
        owner=one.owner,
        attribute=_attribute(where, node),
        operator=operator,
        value=value,
        constant=name,
        text=text,
        file=spot.file,
        line=_line(texts, spot),
        spot=spot,
        readers=readers,
    )


def _with_constants(text: str, visible: Mapping[str, tuple[Spot, Any]]) -> str:
    """A comparison with the values of constants in the place of their names."""
    for name in sorted(visible, reverse=True):  # the longest of those that begin alike first
        value = shown_value(visible[name][1])
        text = re.sub(rf"\b(?:C|constants)\.{re.escape(name)}(?![\w.])", lambda _, value=value: value, text)  # type: ignore[misc]
    return text


def _attribute(where: Node, left_out: Node) -> str:
    """The first thing that a comparison reads beside the value itself."""
    for node in cel.walk(where):
        if isinstance(node, Field) and node is not left_out and not _constant_name(node):
            text = source(node)
            if re.match(r"(?:request|R|P|V|variables)\b", text):
                return _ROOTS.sub("", text)
    names = [node.name for node in cel.walk(where) if isinstance(node, Name)]
    return next((name for name in names if name not in {"C", "constants"}), "")


def _texts(files: Mapping[str, str]) -> dict[str, PolicyText]:
    found = {}
    for name, text in files.items():
        try:
            found[name] = PolicyText(text)
        except NotInPlaceError:
            continue
    return found


def _line(texts: Mapping[str, PolicyText], spot: Spot) -> int | None:
    text = texts.get(spot.file)
    if text is None:
        return None
    try:
        if spot.expression is None:
            return text.line(text.span(text.node(spot.path))[0])
        return text.line(place_in_source(text, spot.path, spot.expression, spot.span))
    except NotInPlaceError:
        return None

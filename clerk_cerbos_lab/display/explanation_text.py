"""An explanation as text: the sentence, then the rules as a tree of ✓ (true), ✗ (false), ? (no outcome)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.decisions.explanation import APPLIED, ERROR, FALSE, SILENT, TRUE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.decisions.explanation import (
        Condition,
        ExplainedRule,
        Explanation,
        Role,
        SeenValue,
    )

MARKS: Final = {TRUE: "✓", FALSE: "✗", ERROR: "?", UNKNOWN: "?"}

_BLOCKS: Final = {
    "all": "all of",
    "any": "any of",
    "none": "none of",
    "and": "and",
    "or": "or",
    "not": "not",
    "if": "if, then, else",
}


def text_of(explanation: Explanation) -> str:
    """The explanation as lines of text."""
    lines = [explanation.sentence, question_line(explanation)]
    for rule in explanation.rules:
        lines += ["", *_rule(rule)]
    if explanation.policy:
        scope = f", scope {explanation.scope}" if explanation.scope else ""
        lines += ["", f"Decided by {explanation.policy}{scope}."]
    return "\n".join([*lines, *explanation.notes])


def question_line(explanation: Explanation) -> str:
    """What was asked, in one line."""
    roles = ", ".join(explanation.roles)
    values = [f"{name} {value}" for name, value in explanation.attributes.items()]
    return "; ".join(
        [f"{explanation.action} {explanation.kind} by {explanation.principal} ({roles})", *values]
    )


def rule_heading(rule: ExplainedRule) -> str:
    """A rule and what became of it."""
    became = {APPLIED: "applied", SILENT: "not evaluated, because the decision was made before"}
    if rule.type == "role":
        what = f"{rule.name} ({rule.policy})"
        return f"{what}: {became.get(rule.status, rule.status)}"
    scope = f", scope {rule.scope}" if rule.scope else ""
    version = f", version {rule.version}" if rule.version != "default" else ""
    policy = f" of the principal policy {rule.policy}" if rule.type == "principal" else ""
    return f"{rule.effect} {rule.name}{policy}{scope}{version}: {became.get(rule.status, rule.status)}"


def place(file: str, line: int | None) -> str:
    """A file and a line."""
    return file if line is None else f"{file}:{line}"


def role_line(role: Role) -> str:
    """A role and whether it is held."""
    if not role.derived:
        return f"role {role.name}"
    parents = " or ".join(role.parent_roles)
    parent_mark = {True: "held", False: "not held", None: "not known"}[role.parent_held]
    return f"derived role {role.name}" + (f", from {parents} ({parent_mark})" if parents else "")


def condition_line(condition: Condition) -> str:
    """A part of a condition, without what is below it."""
    if condition.form == "variable":
        own = condition_line(condition.parts[0])
        return f"{condition.source}: {own}" if is_one_line(condition) else condition.source
    if condition.form in _BLOCKS:
        return _BLOCKS[condition.form]
    error = f": {condition.error}" if condition.error else ""
    asked = " (asked as a whole, because the kit can't read it)" if condition.form == "unread" else ""
    return f"{condition.sentence or condition.source}{error}{asked}"


def is_one_line(condition: Condition) -> bool:
    """Whether a variable is a single atom, which is drawn in the same line."""
    return condition.form == "variable" and not condition.parts[0].parts


def below(condition: Condition) -> tuple[Condition, ...]:
    """The parts that are drawn below a condition."""
    return () if is_one_line(condition) else condition.parts


def value_line(value: SeenValue) -> str:
    """A variable or computed value, and what it was computed from."""
    return f"{value.source}: {value.label}"


def computed(values: Sequence[SeenValue]) -> Iterator[tuple[int, SeenValue]]:
    """What the values of an atom were computed from, each with its depth."""
    for value in values:
        for part in value.parts:
            yield 0, part
            yield from ((depth + 1, below) for depth, below in computed([part]))


def held_mark(held: bool | None) -> str:  # noqa: FBT001 - a role is held, is not, or is not known
    """The mark of a role."""
    return {True: "✓", False: "✗", None: "?"}[held]


def _rule(rule: ExplainedRule) -> Iterator[str]:
    mark = "✓" if rule.status == APPLIED else "✗"
    yield f"{mark} {rule_heading(rule)}  [{place(rule.file, rule.line)}]"
    for role in rule.roles:
        where = f"  [{place(role.file, role.line)}]" if role.file else ""
        yield f"    {held_mark(role.held)} {role_line(role)}{where}"
        if role.condition is not None:
            yield from _condition(role.condition, 2)
    if rule.condition is not None:
        yield from _condition(rule.condition, 1)
    for when, value in rule.outputs:
        yield f"    output {when}: {value.source}: {value.label}"


def _condition(condition: Condition, depth: int) -> Iterator[str]:
    space = "    " * depth
    line = "" if condition.line is None else f"  [{condition.line}]"
    yield f"{space}{MARKS[condition.outcome]} {condition_line(condition)}{line}"
    values = condition.parts[0].values if is_one_line(condition) else condition.values
    for deeper, value in computed(values):
        yield f"{space}{'    ' * (deeper + 1)}· {value_line(value)}"
    for part in below(condition):
        yield from _condition(part, depth + 1)

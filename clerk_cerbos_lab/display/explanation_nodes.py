"""Explanations as the browser draws them: lines with a mark, a place and lines below, each stored once.

All words are written here; the browser only fills in values of a person and a cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.explanation import APPLIED
from clerk_cerbos_lab.display import explanation_text as words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule, Explanation, Role, SeenValue

_CODE = frozenset({"atom", "and", "or", "not", "if"})


class Nodes:
    """Explanations that share their equal parts."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._nodes: dict[tuple[int, int, int, int, tuple[int, ...]], int] = {}
        self._explanations: dict[tuple[Any, ...], int] = {}

    def add(self, explanation: Explanation) -> int:
        """The number of an explanation."""
        decisive = [rule for rule in explanation.rules if rule.status == APPLIED]
        opened = {id(rule) for rule in decisive or explanation.rules[:1]}
        rules = [self._rule(rule) for rule in explanation.rules]
        shown = [place for place, rule in enumerate(explanation.rules) if id(rule) in opened]
        ends = list(explanation.notes)
        if explanation.policy:
            scope = f", scope {explanation.scope}" if explanation.scope else ""
            ends.insert(0, f"Decided by {explanation.policy}{scope}.")
        kind = "" if explanation.cause is None else explanation.cause.kind
        key = (
            self._text(explanation.sentence),
            self._text(kind),
            tuple(rules),
            tuple(shown),
            tuple(map(self._text, ends)),
        )
        return self._explanations.setdefault(key, len(self._explanations))

    def to_dict(self) -> dict[str, Any]:
        """The texts, the nodes and the explanations, which refer to each other by number."""
        return {
            "texts": list(self._texts),
            "nodes": [[*node[:4], list(node[4])] for node in self._nodes],
            "explanations": [
                [part if isinstance(part, int) else list(part) for part in one] for one in self._explanations
            ],
        }

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _node(self, mark: str, text: str, place: str, code: str, below: Sequence[int]) -> int:
        texts = (self._text(mark), self._text(text), self._text(place), self._text(code))
        return self._nodes.setdefault((*texts, tuple(below)), len(self._nodes))

    def _rule(self, rule: ExplainedRule) -> int:
        below = [self._role(role) for role in rule.roles]
        if rule.condition is not None:
            below.append(self._condition(rule.condition))
        below += [self._value(f"output {when}: {value.label}", value) for when, value in rule.outputs]
        mark = "✓" if rule.status == APPLIED else "✗"
        return self._node(mark, words.rule_heading(rule), words.place(rule.file, rule.line), "", below)

    def _role(self, role: Role) -> int:
        below = [] if role.condition is None else [self._condition(role.condition)]
        place = words.place(role.file, role.line) if role.file else ""
        return self._node(words.held_mark(role.held), words.role_line(role), place, "", below)

    def _condition(self, condition: Condition) -> int:
        below = list(self._values(condition))
        below += [self._condition(part) for part in words.below(condition)]
        place = "" if condition.line is None else f"line {condition.line}"
        code = condition.source if condition.form in _CODE else ""
        mark = words.MARKS[condition.outcome]
        return self._node(mark, words.condition_line(condition), place, code, below)

    def _values(self, condition: Condition) -> Iterator[int]:
        values = condition.parts[0].values if words.is_one_line(condition) else condition.values
        for value in values:
            yield from (self._computed(part) for part in value.parts)

    def _computed(self, value: SeenValue) -> int:
        return self._value(value.label, value, [self._computed(part) for part in value.parts])

    def _value(self, text: str, value: SeenValue, below: Sequence[int] = ()) -> int:
        return self._node("", text, "", value.source, below)

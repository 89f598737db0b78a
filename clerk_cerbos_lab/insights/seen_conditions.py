"""Conditions with what the PDP saw in them: outcomes, values, and which values don't fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import name_of, steps_of
from clerk_cerbos_lab.decisions.explanation import ERROR, FALSE, TRUE, UNKNOWN, Condition, SeenValue
from clerk_cerbos_lab.insights.slots import NOT_STORED
from clerk_cerbos_lab.insights.spelling import twin
from clerk_cerbos_lab.pdp.probes import operand_probe, probe_of
from clerk_cerbos_lab.policies.conditions import reads
from clerk_cerbos_lab.values import json_number, json_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.slots import Slots
    from clerk_cerbos_lab.pdp.probes import Probe, Seen
    from clerk_cerbos_lab.policies.conditions import Expression, Operand

ROLES: Final = "roles"
"""In place of the name of an attribute, for the principal's roles."""

WITHHELD: Final = "not shown"

_SIGNS: Final = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}

_ORDER: Final = frozenset({"<", "<=", ">", ">="})

_MISSING: Final = re.compile(r"no such (key|attribute|field)")

_OWNERS: Final[dict[tuple[str, ...], str]] = {("P",): "principal's ", ("R",): "resource's "}

_WORDS: Final = {
    "a string": "the text",
    "a number": "the number",
    "a boolean": "the boolean",
    "a list": "the list",
    "a map": "the map",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """An attribute whose value does not fit the comparison that a condition makes.

    Attributes:
        owner: ``principal`` or ``resource``.
        attribute: its name.
        state: ``mistyped``, ``missing``, or ``misspelled``: a text that differs only in case or spaces from
            what it is compared with.
        value: as sent; None if it is missing.
        needs: the type it is compared as, in words; empty if that is not known.
        other: what it is compared with, or for a misspelled text what it was meant to be; None if that is
            not known.
        sentence: what is wrong, in words that may be shown.
    """

    owner: str
    attribute: str
    state: str
    value: Any
    needs: str
    other: Any
    sentence: str

    @property
    def is_role(self) -> bool:
        """Whether it is about the principal's roles."""
        return (self.owner, self.attribute) == ("principal", ROLES)

    @property
    def path(self) -> str:
        """Owner and attribute."""
        return f"{self.owner}.{self.attribute}"


class ConditionReader:
    """Puts what was seen into conditions, as far as it may be shown.

    Args:
        seen: what the PDP computed.
        disclosure: what may be shown.
        spelled: texts that are in the policies: none of them is misspelled.
        slots: for an explanation that several people and cells share: what differs between them.
    """

    def __init__(
        self,
        seen: Mapping[tuple[int, Probe], Seen],
        disclosure: Disclosure,
        spelled: Collection[str],
        slots: Slots | None = None,
    ) -> None:
        self._seen = seen
        self._spelled = spelled
        self._slots = slots
        self._shown = disclosure

    def read(self, number: int, expression: Expression, misfits: list[Misfit]) -> Condition:
        """A condition of a policy with outcomes and values.

        Args:
            number: of the policy.
            expression: the condition.
            misfits: where attributes that do not fit are added.
        """
        parts = tuple(self.read(number, part, misfits) for part in expression.parts)
        outcome, error = self._outcome(number, expression)
        values = [self._value(number, operand) for operand in expression.operands]
        own: list[Misfit] = []
        if expression.form == "atom":
            own = self._misfits(number, expression, outcome)
            misfits += own
            for misfit in own:
                for i, operand in enumerate(expression.operands):
                    if _attribute(operand) == (misfit.owner, misfit.attribute) and misfit.state == "mistyped":
                        values[i] = self._mistyped(values[i], operand, misfit.needs)
        if outcome == ERROR and expression.form in {"atom", "unread"}:
            error = self._reason(own, values, error)
        sentence = self._sentence(expression, values) or (parts[0].sentence if len(parts) == 1 else "")
        if outcome == UNKNOWN and expression.why:
            error = expression.why
        return Condition(
            form=expression.form,
            source=self._shown.text(expression.text),
            outcome=outcome,
            sentence=sentence,
            error=error if outcome in {ERROR, UNKNOWN} else "",
            values=tuple(values),
            parts=parts,
            file=self._shown.file(expression.place[0]),
            line=expression.place[1],
        )

    def output(self, number: int, expression: Expression) -> SeenValue:
        """The value of an output."""
        seen = self._seen.get((number, probe_of(expression)))
        withheld = any(self._is_withheld(path) for part in expression.walk() for path in reads(part.operands))
        if expression.form == "unread":
            withheld = withheld or not self._shown.names
        text = self._shown.text(expression.text)
        if seen is None or (seen.error and not withheld):
            return SeenValue(text, text, "error" if seen else "unknown", None, _kind_of(seen))
        if withheld:
            return SeenValue(text, text, "withheld", None, WITHHELD)
        every = [path for part in expression.walk() for path in reads(part.operands)]
        if self._slots is not None and (expression.form == "unread" or self._slots.differs(every)):
            return SeenValue(text, text, "unknown", None, NOT_STORED)
        value = plain(seen.value)
        return SeenValue(text, text, "seen", self._shown.hidden(value), self._shown.value(value))

    def _outcome(self, number: int, expression: Expression) -> tuple[str, str]:
        if expression.match is None and not expression.text:
            return UNKNOWN, expression.why
        seen = self._seen.get((number, probe_of(expression)))
        if seen is None:
            return UNKNOWN, "it could not be asked alone"
        if seen.error:
            return ERROR, _kind_of(seen)
        if isinstance(seen.value, bool):
            return TRUE if seen.value else FALSE, ""
        return ERROR, f"it is {json_type(seen.value)}, not a boolean"

    # -- values -------------------------------------------------------------------------------------

    def _value(self, number: int, operand: Operand) -> SeenValue:  # noqa: PLR0911 - one return per state
        text, name = self._shown.text(operand.text), self._shown.text(_name(operand))
        if operand.literal:
            value = operand.value
            return SeenValue(text, text, "seen", self._shown.hidden(value), self._shown.value(value))
        parts = tuple(self._value(number, part) for part in operand.parts)
        seen = self._seen.get((number, operand_probe(operand)))
        if seen is None:
            return SeenValue(text, name, "unknown", None, "not known", parts=parts)
        if seen.error:
            state = "missing" if _MISSING.search(seen.error) else "error"
            return SeenValue(text, name, state, None, _kind_of(seen), parts=parts)
        if any(self._is_withheld(path) for path in reads([operand])):
            return SeenValue(text, name, "withheld", None, WITHHELD, parts=parts)
        value = plain(seen.value)
        if self._slots is not None:
            slot = None if operand.parts else self._slots.of(operand.path)
            if slot is not None:
                return SeenValue(text, name, "seen", self._shown.hidden(value), slot)
            if self._slots.differs(reads([operand])):
                return SeenValue(text, name, "unknown", None, NOT_STORED, parts=parts)
        return SeenValue(text, name, "seen", self._shown.hidden(value), self._shown.value(value), "", parts)

    def _is_withheld(self, path: tuple[str, ...]) -> bool:
        """Whether a path leads to an attribute of the principal that may be personal."""
        if self._shown.names or path[0] != "P" or path[1:2] != ("attr",):
            return path == ("P",) and not self._shown.names
        return len(path) == 2 or path[2] not in self._shown.attributes

    def _raw(self, number: int, operand: Operand) -> tuple[str, Any]:
        """``seen``, ``missing`` or ``error``, and the value as it was sent."""
        if operand.literal:
            return "seen", operand.value
        seen = self._seen.get((number, operand_probe(operand)))
        if seen is None:
            return "error", None
        if seen.error:
            return "missing" if _MISSING.search(seen.error) else "error", None
        return "seen", plain(seen.value)

    # -- what does not fit --------------------------------------------------------------------------

    def _misfits(self, number: int, atom: Expression, outcome: str) -> list[Misfit]:
        if outcome == TRUE:
            return []
        raw = [self._raw(number, operand) for operand in atom.operands]
        found = []
        for operand, (state, value) in zip(atom.operands, raw, strict=True):
            at = _attribute(operand)
            if at is None:
                continue
            others = [
                (other, one) for other, one in zip(atom.operands, raw, strict=True) if other is not operand
            ]
            other = others[0][1][1] if atom.operator and others and others[0][1][0] == "seen" else None
            if state == "missing" and outcome == ERROR:
                found.append(self._misfit(at, "missing", None, "", other))
            elif state == "seen" and atom.operator and others and others[0][1][0] == "seen":
                needs = _needs(atom, operand, value, others[0][0], other, outcome)
                if needs:
                    found.append(self._misfit(at, "mistyped", value, needs, other))
                elif operand is atom.operands[0] or atom.operator == "==":
                    found += self._misspelled(at, value, atom.operator, others[0][0], other)
            elif state == "seen" and outcome == ERROR and not atom.operator:
                seen = self._seen.get((number, probe_of(atom)))
                if seen is not None and "no such overload" in seen.error:
                    found.append(self._misfit(at, "mistyped", value, "", None))
        return found

    def _misspelled(
        self, at: tuple[str, str], value: Any, operator: str, opposite: Operand, other: Any
    ) -> Iterator[Misfit]:
        """A text of the principal that differs only in case or spaces from what it is compared with."""
        owner, name = at
        if owner != "principal" or not isinstance(value, str) or value in self._spelled:
            return
        every = [other] if operator == "==" else other if operator == "in" else ()
        meant = twin(value, [one for one in every if isinstance(one, str)])
        if meant is None:
            return
        path = ("P", "attr", *steps_of(name))
        called = self._shown.text(name)
        withheld = self._is_withheld(path)
        label = "" if withheld else f" {self._quoted(path, value)}"
        if opposite.literal and not withheld:
            which = f'"{self._shown.hidden(meant)}"'
        elif _attribute(opposite) is not None:
            owner_of = _OWNERS[opposite.path[:1]]
            which = f"the {owner_of}{self._shown.text(_name(opposite))}"
        else:
            which = "what it is compared with"
        told = f"{called}{label} differs only in case or spaces from {which}"
        yield Misfit(owner, name, "misspelled", value, "", meant, told)

    def _misfit(self, at: tuple[str, str], state: str, value: Any, needs: str, other: Any) -> Misfit:
        owner, name = at
        called = self._shown.text(name)
        if state == "missing":
            return Misfit(owner, name, state, None, needs, other, f"{called} is missing")
        hidden = owner == "principal" and self._is_withheld(("P", "attr", *steps_of(name)))
        kind = json_type(value)
        if kind == "null" or hidden:
            what = kind
        else:
            path = ("P" if owner == "principal" else "R", "attr", *steps_of(name))
            slot = None if self._slots is None or isinstance(value, str) else self._slots.of(path)
            label = self._quoted(path, value) if isinstance(value, str) else slot or self._shown.value(value)
            what = f"{_WORDS[kind]} {label}"
        wanted = f"the rule compares it as {needs}" if needs else "the rule needs another type"
        return Misfit(owner, name, state, value, needs, other, f"{called} is {what}, {wanted}")

    def _mistyped(self, value: SeenValue, operand: Operand, needs: str) -> SeenValue:
        state = value.state if value.state == "withheld" else "mistyped"
        own = value.value
        label = self._quoted(operand.path, own) if isinstance(own, str) else value.label
        return SeenValue(value.source, value.name, state, own, label, needs, value.parts)

    def _quoted(self, path: tuple[str, ...], text: str) -> str:
        """A text in quotation marks, or the slot that stands for it."""
        slot = None if self._slots is None else self._slots.quoted(path)
        return slot or f'"{self._shown.hidden(text)}"'

    def _reason(self, misfits: Sequence[Misfit], values: Sequence[SeenValue], error: str) -> str:
        """Why an atom has no outcome."""
        if misfits:
            return "; ".join(dict.fromkeys(misfit.sentence for misfit in misfits))
        for value in _flat(values):
            if value.state == "missing":
                return f"{value.name} is missing"
        return error

    # -- sentences ----------------------------------------------------------------------------------

    def _sentence(self, expression: Expression, values: Sequence[SeenValue]) -> str:
        if expression.form == "unread":
            return self._shown.text(" ".join(expression.text.split()))
        if expression.form != "atom":
            return ""
        if expression.operator:
            left, right = (_in_words(value) for value in values)
            if values[0].name == values[1].name and expression.operands[0].path:
                left, right = (
                    f"{_OWNERS.get(operand.path[:1], '')}{words}"
                    for operand, words in zip(expression.operands, (left, right), strict=True)
                )
            return f"{left} {_SIGNS.get(expression.operator, expression.operator)} {right}"
        text = self._shown.text(" ".join(expression.text.split()))
        told = [_in_words(value) for value in values if value.source != expression.text]
        if not told and len(values) == 1:
            return _in_words(values[0])
        return f"{text} (with {', '.join(told)})" if told else text


def plain(value: Any) -> Any:
    """A value as JSON has it: whole numbers as ints."""
    if isinstance(value, float):
        return json_number(value) if abs(value) < float("inf") else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def _flat(values: Sequence[SeenValue]) -> list[SeenValue]:
    return [one for value in values for one in (value, *_flat(value.parts))]


def _in_words(value: SeenValue) -> str:
    if value.source == value.name and not value.parts and value.state == "seen":
        return value.label  # a literal
    if value.state in {"seen", "mistyped"}:
        if value.source[:1] in "[{" and not value.parts:
            return value.label
        return f"{value.name} {value.label}"
    return f"{value.name} ({value.label})"


def _name(operand: Operand) -> str:
    path = operand.path
    if not path:
        return operand.name
    if path == ("runtime", "effectiveDerivedRoles"):
        return "derived roles"
    if path[0] in {"P", "R"}:
        owner = "principal's" if path[0] == "P" else "resource's"
        if path[1:] == ("attr",):
            return f"{owner} attributes"
        if path[1:2] == ("attr",):
            return name_of(path[2:])
        return f"{owner} {'.'.join(path[1:])}".strip()
    return ".".join(path[1:]) or path[0]


def _attribute(operand: Operand) -> tuple[str, str] | None:
    """Owner and name of the attribute that an operand is; it may be inside a map."""
    path = operand.path
    if len(path) > 2 and path[0] in {"P", "R"} and path[1] == "attr":
        return ("principal" if path[0] == "P" else "resource"), name_of(path[2:])
    return None


def _kind_of(seen: Seen | None) -> str:
    """An error in words that contain no value."""
    if seen is None:
        return "not known"
    if _MISSING.search(seen.error):
        return "missing"
    if "no such overload" in seen.error:
        return "the types do not fit"
    if "undefined field" in seen.error:
        return "its own expression failed"
    known = ("division by zero", "modulus by zero", "index out of bounds", "overflow", "range error")
    return next((words for words in known if words in seen.error), "an error")


def _needs(  # noqa: PLR0917 - one return per operator
    atom: Expression, operand: Operand, value: Any, opposite: Operand, other: Any, outcome: str
) -> str:
    """The type that an operand would have to have to be comparable with the other; empty if it fits."""
    own, theirs = json_type(value), json_type(other)
    if atom.operator == "in":
        if operand is atom.operands[1]:
            return "" if own in {"a list", "a map"} else "a list"
        items = {json_type(item) for item in other} if isinstance(other, (list, dict)) and other else {own}
        return "" if own in items else min(items)
    if own == theirs or (outcome != ERROR and atom.operator in _ORDER):
        return ""
    if atom.operator in {"==", "!="} and "null" in {theirs, own} and _attribute(opposite) is None:
        return "" if theirs == "null" else theirs
    if _attribute(opposite) is not None and not _at_fault(atom.operator, operand, own, theirs):
        return ""
    return theirs


def _at_fault(operator: str, operand: Operand, own: str, theirs: str) -> bool:
    """Whether of two attributes of different types this is the one that does not fit."""
    if operator in _ORDER and "a number" in {own, theirs}:
        return own != "a number"
    unusual = {"a list", "a map", "null"}
    if (own in unusual) != (theirs in unusual):
        return own in unusual
    return operand.path[0] == "P"

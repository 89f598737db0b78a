"""Why a decision is what it is, as data: what the PDP did with the rules, and what it saw in conditions.

``insights`` makes these values and ``display`` draws them. They contain what may be shown: pseudonyms in
place of ids, and no value of an attribute that may be personal, unless ``names=True`` was given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.views import drawn_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRUE: Final = "true"
FALSE: Final = "false"
ERROR: Final = "error"
UNKNOWN: Final = "unknown"

APPLIED: Final = "applied"
UNMET: Final = "condition not met"
NOT_HELD: Final = "role not held"
SILENT: Final = "not evaluated"


@dataclass(frozen=True, slots=True)
class SeenValue:
    """A value that a condition read.

    Attributes:
        source: its CEL source, such as ``R.attr.amount``.
        name: what a sentence calls it, such as ``amount``.
        state: ``seen``, ``missing``, ``mistyped``, ``error``, ``unknown`` (it could not be asked), or
            ``withheld`` (it may be personal).
        value: as JSON; None unless it was seen or is mistyped.
        label: the value as text, or why there is none.
        needs: of a mistyped value: the type that it is compared as.
        parts: what it is computed from.
    """

    source: str
    name: str
    state: str
    value: Any
    label: str
    needs: str = ""
    parts: tuple[SeenValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition or a part of it, with its outcome.

    Attributes:
        form: ``all``, ``any``, ``none``, ``and``, ``or``, ``not``, ``if``, ``variable``, ``atom``, or
            ``unread`` (asked as a whole, because the kit can't read it).
        source: its CEL source; empty for a match block.
        outcome: ``true``, ``false``, ``error``, or ``unknown`` if it could not be asked.
        sentence: an atom with the values it saw: ``amount 12,000 ≤ limit 10,000``.
        error: why it has no outcome: ``approval_limit is missing``.
        values: of an atom, in the order of the source.
        parts: what it consists of.
        file: the policy's file.
        line: in the file, if known.
    """

    form: str
    source: str
    outcome: str
    sentence: str
    error: str = ""
    values: tuple[SeenValue, ...] = ()
    parts: tuple[Condition, ...] = ()
    file: str = ""
    line: int | None = None

    def walk(self) -> Iterator[Condition]:
        """This condition and everything below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a rule names.

    Attributes:
        name: of the role.
        derived: whether it is a derived role.
        held: None if it could not be asked.
        parent_roles: of a derived role: one of them must be held.
        parent_held: whether one is; None for a role that is not derived.
        condition: of a derived role.
        file: of a derived role.
        line: in the file, if known.
    """

    name: str
    derived: bool
    held: bool | None
    parent_roles: tuple[str, ...] = ()
    parent_held: bool | None = None
    condition: Condition | None = None
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule that names the action, and what became of it.

    Attributes:
        name: as in the policy.
        effect: ``ALLOW`` or ``DENY``.
        policy: such as ``resource.expense.vdefault``.
        type: of the policy: ``resource``, ``principal`` or ``role``.
        scope: of the policy.
        version: of the policy.
        status: ``applied``, ``condition not met``, ``role not held``, or ``not evaluated``.
        held: whether one of its roles is held; None if it could not be asked.
        roles: roles and derived roles.
        condition: None if it has none.
        outputs: of the rule: when it is put out, and what was seen.
        file: the policy's file.
        line: in the file, if known.
        to_change: the parts of its conditions that would have to change for it to apply; None if that would
            not be enough, or is not known.
        needed_roles: the roles of which one is needed besides, because no change of an attribute gives one
            that the rule names.
        needs_consent: whether it allows only what a rule of a parent scope allows, too.
    """

    name: str
    effect: str
    policy: str
    type: str
    scope: str
    version: str
    status: str
    held: bool | None
    roles: tuple[Role, ...]
    condition: Condition | None
    outputs: tuple[tuple[str, SeenValue], ...]
    file: str
    line: int | None
    to_change: tuple[Condition, ...] | None = None
    needed_roles: tuple[str, ...] = ()
    needs_consent: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a decision is DENY, in one word and one sentence.

    Attributes:
        kind: one of ``CAUSES``.
        rule: the rule it is about; empty for none.
        detail: the atoms or attributes, in words.
        attributes: for broken data: what is broken, such as ``principal.approval_limit``.
    """

    kind: str
    rule: str = ""
    detail: str = ""
    attributes: tuple[str, ...] = ()


SCHEMA: Final = "schema rejection"
NO_POLICY: Final = "no policy"
DENIED: Final = "denied by a rule"
REFUSED: Final = "refused by a role policy"
BROKEN: Final = "broken data"
ERRONEOUS: Final = "error in strict evaluation"
CONSENT: Final = "no consent of a parent scope"
CLOSEST: Final = "condition not met"
ROLE: Final = "role not held"
NO_RULE: Final = "no rule for the action"
NOT_KNOWN: Final = "not known"

CAUSES: Final = (
    SCHEMA,
    NO_POLICY,
    DENIED,
    BROKEN,
    REFUSED,
    ERRONEOUS,
    CLOSEST,
    CONSENT,
    ROLE,
    NO_RULE,
    NOT_KNOWN,
)
"""The kinds of causes; the first that is true is the primary one."""


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why one decision is ALLOW or DENY. As the last line of a notebook cell it is shown.

    Attributes:
        effect: ``ALLOW`` or ``DENY``, as in the decisions.
        sentence: the answer in one sentence.
        cause: of a DENY; None for an ALLOW.
        principal: the label of the principal.
        roles: of the principal.
        kind: the resource kind.
        action: the action.
        attributes: of the resource, as they are shown.
        policy: the policy that decided, such as ``resource.expense.vdefault``; empty if none did.
        scope: its scope.
        rules: the rules that name the action: DENY rules that applied, ALLOW rules that applied, then the
            closest first.
        notes: what a reader must know: what could not be asked, what differs from the original.
        also: further causes of a DENY: what else would have to change.
    """

    effect: str
    sentence: str
    cause: Cause | None
    principal: str
    roles: tuple[str, ...]
    kind: str
    action: str
    attributes: Mapping[str, str]
    policy: str
    scope: str
    rules: tuple[ExplainedRule, ...]
    notes: tuple[str, ...]
    also: tuple[Cause, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain data, which can be written as JSON."""
        return dataclasses.asdict(self)

    def __repr__(self) -> str:
        return str(drawn_by("explanation text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("explanation html")(self))

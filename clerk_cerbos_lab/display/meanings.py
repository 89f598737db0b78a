"""What the words and marks of a view mean, as far as they occur in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.identity.quality import cannot_sign_in
from clerk_cerbos_lab.values import MISSING, OTHER, SELF

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

_EVALUATION: Final = {
    "lenient": "a condition that can't be computed, as where a value is missing, counts as not met",
    "strict": "if a condition can't be computed, as where a value is missing, the request is denied",
}

_EXACT: Final = (
    "Cerbos was asked at each {} where an answer changes and just beside it, so a limit is known to the "
    "cent; otherwise only the checked values are known"
)


def meanings(decisions: Decisions, shown: Disclosure) -> list[tuple[str, str]]:
    """A word or mark, and what it means."""
    kind = shown.text(decisions.kind)
    values = [value for axis in decisions.axes for value in axis.values] + list(decisions.fixed.values())
    found = [("✓ ALLOW, ✗ DENY", "Cerbos's answer: this person may, or may not")]
    if decisions.explanations is not None:
        found.append(("? DENY", "denied because of broken data: with a value that fits, Cerbos allows it"))
    report = decisions.principals.attrs.get("problems", ())
    if cannot_sign_in(report):
        found.append(("⊘", "may, but can't sign in at present: banned, locked or suspended"))
    if len(report):
        found.append(("⚠", "a value in this person's data is missing, mistyped or unusual"))
    if any(value is SELF for value in values):
        found.append(("SELF", f"the person themselves: it is their own {kind}"))
    if any(value is OTHER for value in values):
        found.append(("OTHER", f"somebody else: the {kind} does not belong to the person"))
    missing = any(value is MISSING for value in values)
    if missing or any(decisions.principals[name].isna().any() for name in shown.attributes):
        found.append(("MISSING", "the attribute is not there at all, which is not the same as empty"))
    if not shown.by_id:
        found.append(("p-…", "a pseudonym: it stands for the same person in every table of this project"))
    numeric = [axis.name for axis in decisions.axes if axis.numeric and len(axis.values) > 1]
    if numeric:
        found.append(("exact", _EXACT.format(numeric[0])))
    if decisions.provenance.evaluation in _EVALUATION:
        evaluation = decisions.provenance.evaluation
        found.append((f"{evaluation} evaluation", _EVALUATION[evaluation]))
    return found

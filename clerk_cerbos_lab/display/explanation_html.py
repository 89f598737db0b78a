"""An explanation as HTML: the sentence, and the rules as lists that open and close, without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.decisions.explanation import APPLIED
from clerk_cerbos_lab.display import explanation_text as words
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.explanation import Explanation


def html_of(explanation: Explanation) -> str:
    """The explanation as HTML; every value is escaped, and every mark is also a word."""
    decisive = [rule for rule in explanation.rules if rule.status == APPLIED]
    return render(
        "explanation.html.j2",
        explanation=explanation,
        question=words.question_line(explanation),
        opened={id(rule) for rule in decisive or explanation.rules[:1]},
        applied=APPLIED,
        words=words,
        identity=id,
    )

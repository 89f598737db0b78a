"""Counterfactuals as HTML: one sentence each, with the call that asks the changed request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.display import counterfactual_text as words
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.counterfactual import Counterfactuals


def html_of(found: Counterfactuals) -> str:
    """The counterfactuals as HTML; every value is escaped."""
    return render("counterfactuals.html.j2", found=found, words=words)

"""A page of a comparison: one offline file with the plan, the marked matrix, and the policies' difference."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from clerk_cerbos_lab.display import assets, plain_text
from clerk_cerbos_lab.display.changes_payload import changes_payload
from clerk_cerbos_lab.display.changes_text import html_of
from clerk_cerbos_lab.display.page import POLICY, provenance
from clerk_cerbos_lab.files import whole_file
from clerk_cerbos_lab.pdp.policy_diff import policy_diff
from clerk_cerbos_lab.templates import render, static_text

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure


def write_changes_page(
    changes: Changes,
    path: str | os.PathLike[str],
    *,
    rows: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    names: bool = False,
    title: str | None = None,
) -> None:
    """Write the page; arguments and errors as ``Changes.to_html``."""
    made = page_of(changes, rows=rows, columns=columns, names=names, title=title)
    with whole_file(path) as fresh:
        fresh.write_text(made, encoding="utf-8")


def page_of(
    changes: Changes,
    *,
    rows: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    names: bool = False,
    title: str | None = None,
) -> str:
    """The page as HTML."""
    ids = frozenset(changes.before.principals["id"]) | frozenset(changes.after.principals["id"])
    before, after = (one.shown(names=names, ids=ids) for one in (changes.before, changes.after))
    data = changes_payload(changes, (before, after), rows=rows, columns=columns).to_bytes()
    name = hashlib.sha256(data).hexdigest()[:12]
    script = assets.page_script(name, [data], {"effect": "changed"} if changes.groups else {})
    sides = (("before", changes.before, before), ("after", changes.after, after))
    return render(
        "changes_page.html.j2",
        policy=POLICY.format(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
        title=title or after.text(f"What changes: {changes.after.kind}"),
        warning=plain_text.WARNING if names else None,
        style=static_text("report.css"),
        plan=html_of(changes, names=names),
        name=name,
        difference=_difference(changes, before, after),
        each={when: provenance(one, shown) for when, one, shown in sides},
        script=script,
    )


def _difference(changes: Changes, before: Disclosure, after: Disclosure) -> str:
    """The text difference of both policies; empty if those of a PDP are not known."""
    if changes.before.policies is None or changes.after.policies is None:
        return ""
    return policy_diff(_files(changes.before, before), _files(changes.after, after))._repr_html_()


def _files(decisions: Decisions, shown: Disclosure) -> dict[str, bytes]:
    return {shown.file(name): shown.text(text).encode() for name, text in (decisions.policies or {}).items()}

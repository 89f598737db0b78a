"""A page of decisions: one offline file, interactive without a kernel, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display import (
    assets,
    broken_stretches,
    page_parts,
    plain_text,
    static_html,
    threshold_strips,
)
from clerk_cerbos_lab.display.headline import heading, headline
from clerk_cerbos_lab.display.payload import first_look, payload
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.files import whole_file
from clerk_cerbos_lab.templates import render, static_text
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

POLICY: Final = (
    "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
"""The content security policy of a page: it sends no requests and runs no script but its own."""

_STYLE: Final = re.compile(r' style="([^"]*)"')  # of our own templates, which escape quotation marks


def write_page(
    decisions: Decisions,
    path: str | os.PathLike[str],
    *,
    scenarios: Mapping[str, Decisions] | None,
    scenario: str,
    rows: str | Sequence[str] | None,
    columns: str | Sequence[str] | None,
    names: bool,
    title: str | None,
    note: str | None = None,
) -> None:
    """Write one offline page; arguments and errors as ``Decisions.to_html``."""
    every = _scenarios(decisions, scenarios, scenario)
    ids = frozenset[str]().union(*(one.shown(names=names).ids for one in every.values()))
    showns = {name: one.shown(names=names, ids=ids) for name, one in every.items()}
    shown = showns[scenario]
    payloads = [
        payload(one, showns[name], rows=rows, columns=columns, scenario=name if scenarios else None)
        for name, one in every.items()
    ]
    first = payloads[0]
    for other in payloads[1:]:  # people who are the same are written once
        head, own = first.header["dims"][0], other.header["dims"][0]
        if all(own[part] == head[part] for part in ("labels", "attributes", "problems")):
            other.header["dims"][0] = {"name": own["name"], "map": own["map"], "same": True}
    static = static_html.html(decisions, shown)
    numeric = _numeric(decisions, first.header["columns"])
    if numeric:
        broken = broken_stretches.finder(decisions, shown, first.header["columns"][0])
        drawn = (threshold_strips.svg(first, broken), threshold_strips.table(first, broken))
        static = "".join([*drawn, static])
    static = _on_page(_with_classes(static), "below")
    for one in payloads:
        one.header["notes"] = [_on_page(note, "below") for note in one.header["notes"]]
    if len(payloads) == 1:
        first.header["said"] = True
    data = [one.to_bytes() for one in payloads]
    name = hashlib.sha256(b"".join(data)).hexdigest()[:12]
    head, lines, more = _totals(every, shown)
    common, each = _provenances(every, showns)
    look: dict[str, object] = {
        **first_look(first),
        "view": "thresholds" if numeric else "matrix",
    }
    script = assets.page_script(name, data, look)
    wrong, wrong_more = page_parts.problems(decisions, shown)
    text = render(
        "decisions.html.j2",
        policy=POLICY.format(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
        title=title or shown.text(f"{decisions.kind}: who may {' and '.join(decisions.actions)}"),
        warning=plain_text.WARNING if shown.names else None,
        style=static_text("report.css"),
        headline=headline(decisions, shown),
        question=first.header["title"],
        note=note,
        pseudonyms=not shown.by_id,
        people=page_parts.people_table(decisions, shown),
        do=shown.text(decisions.actions[0]) if len(decisions.actions) == 1 else "do what",
        of_scenario=scenario if scenarios else None,
        problems=wrong,
        problems_more=wrong_more,
        explained=decisions.explanations is not None,
        origin=page_parts.origin(decisions, shown, f"Sent by: {note}" if note else ""),
        meanings=first.header["meanings"],
        totals_head=head,
        totals=lines,
        totals_more=more,
        first=next(iter(every)) if scenarios else None,
        name=name,
        static=static,
        about=common,
        each=each,
        policies=_policies(every, showns),
        script=script,
    )
    with whole_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


def _on_page(text: str, where: str) -> str:
    """A note on a page, which lists the data problems itself."""
    return text.replace(plain_text.LISTED, f"they are listed {where}")


def _with_classes(html: str) -> str:
    """The static part with a class in place of each inline style that occurs again and again.

    A notebook's output needs them inline; in a page they would be a sixth of its bytes.
    """
    names: dict[str, str] = {}
    for style, times in Counter(_STYLE.findall(html)).items():
        if times > 1 and "&" not in style:
            names[style] = f"ccl-i{len(names)}"
    rules = "".join(f":is(#ccl,.{name}){{{style}}}" for style, name in names.items())
    short = _STYLE.sub(lambda found: f' class="{names[found[1]]}"' if found[1] in names else found[0], html)
    return f"<style>{rules}</style>{short}"


def _scenarios(
    decisions: Decisions, scenarios: Mapping[str, Decisions] | None, scenario: str
) -> dict[str, Decisions]:
    if scenarios is not None and not (
        isinstance(scenarios, dict) and all(type(one) is type(decisions) for one in scenarios.values())
    ):
        msg = "scenarios= must be a dict of names and decisions: {'limit 7,500': lab.sweep(…)}"
        raise InputError(msg)
    every = {scenario: decisions, **(scenarios or {})}
    if len(every) != 1 + len(scenarios or {}):
        msg = f"two scenarios are called '{scenario}'; rename the first with scenario="
        raise InputError(msg)
    for name, one in every.items():
        for what, own, others in (
            ("kind", decisions.kind, one.kind),
            ("dimensions", decisions.dims, one.dims),
            ("actions", decisions.actions, one.actions),
            ("values", _values(decisions), _values(one)),
        ):
            if own != others:
                msg = f"the scenario '{name}' is a different question: its {what} differ from the first one's"
                raise InputError(msg)
    return every


def _values(decisions: Decisions) -> list[list[str]]:
    """The swept and the fixed values, in a form that can be compared."""
    fixed = [[name, key(value)] for name, value in sorted(decisions.fixed.items())]
    return [[axis.name, *map(key, axis.values)] for axis in decisions.axes] + fixed


def _numeric(decisions: Decisions, across: Sequence[str]) -> bool:
    return any([axis.name] == list(across) and axis.numeric for axis in decisions.axes)


def _provenances(
    every: Mapping[str, Decisions], showns: Mapping[str, Disclosure]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The lines that all scenarios share, and the other lines by scenario."""
    lines = {name: provenance(one, showns[name]) for name, one in every.items()}
    first = next(iter(lines.values()))
    common = {
        what: text
        for what, text in first.items()
        if all(others.get(what) == text for others in lines.values())
    }
    each = {
        name: {what: text for what, text in own.items() if what not in common} for name, own in lines.items()
    }
    return common, {name: own for name, own in each.items() if own}


def _policies(every: Mapping[str, Decisions], showns: Mapping[str, Disclosure]) -> list[tuple[str, str]]:
    """Each policy file and its text, once where scenarios share it; else with those whose it is."""
    held: dict[tuple[str, str], list[str]] = {}
    for name, one in every.items():
        for file, text in (one.policies or {}).items():
            held.setdefault((showns[name].file(file), showns[name].text(text)), []).append(name)
    order = list(dict.fromkeys(file for file, _ in held))
    return [
        (file if len(names) == len(every) else f"{file} ({', '.join(names)})", text)
        for (file, text), names in sorted(held.items(), key=lambda item: order.index(item[0][0]))
    ]


def provenance(decisions: Decisions, shown: Disclosure) -> dict[str, str]:
    """Where decisions come from and how they were verified, as lines for a footer."""
    source = decisions.provenance
    digest = source.policy_digest or "not known: the PDP is at an address"
    mapping = (
        json.dumps(source.mapping, ensure_ascii=False) if source.mapping else "none: a frame made by hand"
    )
    lines = {
        "PDP": f"Cerbos {source.pdp_version}, {source.engine}",
        "policies": f"SHA-256 {digest}" if source.policy_digest else digest,
        "evaluation": source.evaluation,
        "mapping": mapping,
        "checked": f"{source.started:%Y-%m-%d %H:%M UTC}",
        "method": f"{source.method}, {source.asked:,} checks, {source.audited:,} spot checks",
        "verified": source.verified,
        "resource": ", ".join(
            f"{shown.text(name)} {shown.value(value)}" for name, value in decisions.fixed.items()
        ),
        "policy version and scope": f"{source.policy_version or 'default'}, {source.scope or 'no scope'}",
        "principals are named": "by their ids" if shown.by_id else "by pseudonyms, a keyed hash of their ids",
        "notes": _on_page(" ".join(plain_text.notes(decisions, shown)), "above") or "none",
        "clerk-cerbos-lab": version("clerk-cerbos-lab"),
    }
    return {name: text for name, text in lines.items() if text}


def _totals(
    every: Mapping[str, Decisions], shown: Disclosure
) -> tuple[list[str], list[list[str]], str | None]:
    """Counts of ALLOW and DENY for each scenario, action and value of each other dimension."""
    first = next(iter(every.values()))
    others = [axis.name for axis in first.axes if 1 < len(axis.values) <= 24 and not axis.numeric]
    head = [*(["scenario"] if len(every) > 1 else []), "action", *(heading(first, name) for name in others)]
    lines = list(itertools.islice(_total_lines(every, others, shown), limits.TOTALS_LINES + 1))
    total = len(every) * len(first.actions) * int(np.prod([len(first.values(dim)) for dim in others]))
    more = f"The first {limits.TOTALS_LINES} of {total:,} lines." if total > limits.TOTALS_LINES else None
    return [*head, "decisions", "✓ ALLOW", "share", "✗ DENY"], lines[: limits.TOTALS_LINES], more


def _total_lines(
    every: Mapping[str, Decisions], others: Sequence[str], shown: Disclosure
) -> Iterator[list[str]]:
    for name, one in every.items():
        for action in one.actions:
            for values in itertools.product(*(one.values(dim) for dim in others)):
                part = one.sel(
                    action=action, **{dim: [value] for dim, value in zip(others, values, strict=True)}
                )
                counts, n = part.counts(), len(part)
                yield [
                    *([name] if len(every) > 1 else []),
                    action,
                    *(shown.value(value) for value in values),
                    f"{n:,}",
                    f"{counts['ALLOW']:,}",
                    f"{counts['ALLOW'] / n:.1%}",
                    f"{counts['DENY']:,}",
                ]

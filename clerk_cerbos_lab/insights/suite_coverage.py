"""Coverage of Cerbos's own test suites: their requests, put to instrumented copies of the policies."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.coverage import Coverage
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.disclosure import Disclosure
from clerk_cerbos_lab.identity.principals import Principal
from clerk_cerbos_lab.insights.coverage_counts import Case, Tally, count
from clerk_cerbos_lab.insights.coverage_parts import parts_of
from clerk_cerbos_lab.insights.coverage_result import covered_parts
from clerk_cerbos_lab.pdp.fixed_time import can_be_fixed
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data, suite_document
from clerk_cerbos_lab.policies import disk
from clerk_cerbos_lab.policies.suites import read_suites

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.instrumented import Instrumented
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.suites import SuiteTest

_ENGINE: Final = frozenset(
    ["globals", "lenientScopeSearch", "defaultPolicyVersion", "defaultScope", "strictEvaluation"]
)
"""Options of a suite that are part of a PDP's configuration."""


def suite_coverage(
    pdp: PDP, source: Instrumented, folder: str | os.PathLike[str] | None, *, names: bool
) -> Coverage:
    """What test suites exercise; ``coverage`` documents it."""
    own = pdp.own_policies
    if folder is None:
        if own is None:
            msg = "a PDP at an address has no folder with test suites: give suites='FOLDER'"
            raise InputError(msg)
        folder = own[0]
    suites = read_suites(folder, suite_document)
    notes = list(suites.notes)
    texts = {} if own is None else disk.texts(own[0])
    parts = parts_of(source.index, None, texts)
    people: dict[str, int] = {}
    for test in suites.tests:
        people.setdefault(_key(test.principal), len(people))
    tally = Tally(parts, max(len(people), 1))
    for group in _groups(suites.tests, source.index, notes):
        config = _config(group[0])
        now = group[0].options.get("now")  # tests of a group have the same, if their policies read it
        copies = source.with_config(config, None if now is None else str(now))
        try:
            count(copies, parts, _cases(group, people), tally)
        finally:
            copies.close()
    counts = tally.finish()
    if counts.differing:
        notes.append(f"{counts.differing:,} tests do not have the effect that their suite expects.")
    disclosure = _disclosure(suites.tests, source.index, names=names)
    notes += [f"Not asked in parts: {name}." for name in counts.left_out]
    files = sorted({one.file for one in parts.every} & set(texts))
    return Coverage(
        title=f"{len(suites.files)} test suite{'s' * (len(suites.files) != 1)}",
        parts=covered_parts(source.index, parts, counts, disclosure),
        files={disclosure.file(name): disclosure.text(texts[name]) for name in files},
        people=len(people),
        cells=counts.total_cells,
        unit="principals of the suites",
        notes=tuple(map(disclosure.text, notes)),
        made=time.time(),
    )


def _groups(tests: Sequence[SuiteTest], index: PolicyIndex, notes: list[str]) -> Iterator[list[SuiteTest]]:
    """Tests that one PDP can be asked with one JWT about one kind, those of each principal together."""
    found: dict[str, list[SuiteTest]] = {}
    timed, fixed = 0, can_be_fixed(index.documents)
    for test in tests:
        kind = str(test.resource.get("kind", ""))
        now = str(test.options["now"]) if "now" in test.options and index.analysis(kind).clock else None
        if now is not None and not fixed:
            timed += len(test.actions)
            continue
        options = {name: value for name, value in test.options.items() if name in _ENGINE}
        found.setdefault(json.dumps([options, test.claims, kind, now], sort_keys=True), []).append(test)
    if timed:
        notes.append(
            f"{timed:,} tests set the time, which a running PDP can't be told, and policies read it by "
            "timeSince(): they are not counted. With now() instead, such as now() - R.attr.at, they are."
        )
    for group in found.values():
        yield sorted(group, key=lambda test: _key(test.principal))


def _config(test: SuiteTest) -> dict[str, Any]:
    """The configuration under which ``cerbos compile`` runs a test."""
    config: dict[str, Any] = {
        "engine": {name: value for name, value in test.options.items() if name in _ENGINE},
        "schema": {"enforcement": "reject"},
    }
    if test.claims is not None:
        config["auxData"] = {"jwt": {"disableVerification": True}}
    return config


def _cases(tests: Sequence[SuiteTest], people: Mapping[str, int]) -> Iterator[Case]:
    jwt = None if tests[0].claims is None else hidden_aux_data(_unsigned(tests[0].claims))
    before: str | None = None
    who = np.zeros(0, dtype=np.intp)
    for test in tests:
        key = _key(test.principal)
        first = key != before
        if first:
            who, before = np.array([people[key]], dtype=np.intp), key
        principal, resource = test.principal, test.resource
        requests = tuple(
            Request(
                principal=Principal(principal["id"], tuple(principal["roles"]), principal.get("attr", {})),
                action=action,
                kind=resource["kind"],
                resource_id=resource["id"],
                attributes=resource.get("attr", {}),
                resource=(resource.get("policyVersion", ""), resource.get("scope", "")),
                who=(principal.get("policyVersion", ""), principal.get("scope", "")),
                aux_data=jwt,
            )
            for action in test.actions
        )
        if requests:
            yield Case(requests, who, 1, tuple(test.expected[action] for action in test.actions), first)


def _unsigned(claims: Mapping[str, Any]) -> str:
    """The claims as a JWT without a signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


def _key(principal: Mapping[str, Any]) -> str:
    return json.dumps(principal, sort_keys=True)


def _disclosure(tests: Sequence[SuiteTest], index: PolicyIndex, *, names: bool) -> Disclosure:
    """What may be shown: the ids in suites may be those of people."""
    rows = {test.principal["id"]: tuple(test.principal["roles"]) for test in tests}
    frame = pd.DataFrame({"id": list(rows), "roles": list(rows.values())}, dtype=object)
    words = {str(test.resource["kind"]) for test in tests} | {a for test in tests for a in test.actions}
    return Disclosure(frame, names=names, policies=lambda: index.names, words=words)

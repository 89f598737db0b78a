"""Coverage: what decisions, people or test suites exercise of the policies, each part counted by the PDP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import nested
from clerk_cerbos_lab.decisions.alike import alike
from clerk_cerbos_lab.decisions.coverage import Coverage
from clerk_cerbos_lab.decisions.decisions import Decisions
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.compared_values import compared_values
from clerk_cerbos_lab.insights.coverage_counts import Case, Tally, count
from clerk_cerbos_lab.insights.coverage_parts import parts_of
from clerk_cerbos_lab.insights.coverage_result import covered_parts
from clerk_cerbos_lab.insights.suite_coverage import suite_coverage
from clerk_cerbos_lab.insights.why import ASSUMED, unknown_pdp
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import Instrumented, instrumented_of
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data
from clerk_cerbos_lab.sweeps.name_checks import actions_asked
from clerk_cerbos_lab.sweeps.sweep import sweep

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from clerk_cerbos_lab.decisions.alike import Alike
    from clerk_cerbos_lab.insights.coverage_counts import Counts

MOST_SITUATIONS: Final = 1_000_000
"""Situations that are asked about, each with every action: some minutes."""


def coverage(
    pdp: PDP | Decisions,
    about: Decisions | pd.DataFrame | None = None,
    /,
    *,
    kind: str | None = None,
    actions: Sequence[str] | str | None = None,
    attr: Mapping[str, object] | None = None,
    suites: bool | str | os.PathLike[str] = False,
    policy_version: str = "",
    scope: str = "",
    aux_data: Any = None,
    names: bool = False,
) -> Coverage:
    """What decisions, people or test suites exercise of the policies.

    For each rule, derived role, variable and atom (the comparisons and calls that conditions consist of):
    how often it was true, false or an error, and how often it was not evaluated. A rule is true if it
    applied. An expression is counted where a rule or derived role that uses it was evaluated; whether Cerbos
    could skip it because another one had decided makes no difference. Everything is asked on
    instrumented copies of the policies (as ``Decisions.why`` does), once for each distinct situation, and
    counted for every cell that the situation stands for.

    Args:
        pdp: the PDP whose policies are covered; or decisions, which know theirs.
        about: decisions; or a principals frame with ``kind``, which is swept, action by action, over the
            values that the policies compare each attribute with.
        kind: with a principals frame: the resource kind.
        actions: with a principals frame: as in ``lab.sweep``.
        attr: with a principals frame: values of some attributes, as in ``lab.sweep``.
        suites: True for Cerbos's test suites in the folder of the policies, or another folder of suites.
        policy_version: with a principals frame: as in ``lab.sweep``.
        scope: with a principals frame: as in ``lab.sweep``.
        aux_data: the JWT, if decisions were made with one; they do not keep it.
        names: whether policy texts may show ids; by default pseudonyms take their place.

    Returns:
        ``Coverage``: a table as text, policy text with counts in a notebook; ``.frame()``, ``.percent``,
        ``.to_cobertura(path)``.

    Raises:
        InputError: for decisions from a pickle without a PDP, policies that are not disclosed, arguments that
            contradict each other, or a suite that can't be read.
        PDPError: if the copies do not start.
    """
    if isinstance(pdp, Decisions):
        if about is not None or suites or kind is not None:
            msg = "coverage(decisions) takes no other policies, principals or suites: give a PDP first"
            raise InputError(msg)
        return _of_decisions(_source(pdp.source), [pdp], aux_data, names=names)
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP or decisions, not a {type(pdp).__name__}"
        raise InputError(msg)
    source = _source(instrumented_of(pdp) or pdp)
    if suites is not False:
        if about is not None or kind is not None:
            msg = "suites= has its own principals and kinds"
            raise InputError(msg)
        return suite_coverage(pdp, source, None if suites is True else suites, names=names)
    if isinstance(about, Decisions):
        if about.provenance.policy_digest != pdp.digest:
            msg = "these decisions were made with other policies than this PDP has: sweep again"
            raise InputError(msg)
        return _of_decisions(source, [about], aux_data, names=names)
    if about is None or kind is None:
        msg = "coverage needs decisions, or a PDP and decisions, principals and kind=, or suites=True"
        raise InputError(msg)
    where: dict[str, Any] = {"policy_version": policy_version, "scope": scope}
    every: list[Decisions] = []
    notes: dict[str, None] = {}
    for action in actions_asked(pdp, kind, actions, where):  # each reads attributes of its own
        values, some = compared_values(pdp, about, kind, action, dict(attr or {}))
        notes |= dict.fromkeys(some)
        every.append(
            sweep(pdp, about, kind, actions=action, attr=values, aux_data=aux_data, audit=0, **where)
        )
    return _of_decisions(source, every, aux_data, names=names, notes=list(notes))


def _source(source: object) -> Instrumented:
    if not isinstance(source, Instrumented):
        raise InputError(unknown_pdp(source))
    return source


def _of_decisions(
    source: Instrumented,
    every: Sequence[Decisions],
    aux_data: Any,
    *,
    names: bool,
    notes: Sequence[str] = (),
) -> Coverage:
    """The coverage of decisions about the same people and kind, together."""
    decisions = every[0]
    texts = decisions.policies or {}
    parts = parts_of(source.index, decisions.kind, texts)
    tally = Tally(parts, len(decisions.names))
    groups = [list(alike(one.cube, one.index)) for one in every]
    many = sum(len(one.places) for some in groups for one in some)
    if many > MOST_SITUATIONS:
        msg = (
            f"{many:,} situations; coverage asks about {MOST_SITUATIONS:,} at most: choose fewer people or "
            "values with .sel(…)"
        )
        raise InputError(msg)
    for one, some in zip(every, groups, strict=True):
        count(source, parts, _cases(one, some, aux_data), tally)
    counts = tally.finish()
    disclosure = decisions.shown(names=names)
    found = covered_parts(source.index, parts, counts, disclosure)
    files = {one.file for one in parts.every}
    actions = [action for one in every for action in one.actions]
    return Coverage(
        title=disclosure.text(f"{decisions.kind}: {', '.join(actions)}"),
        parts=found,
        files={
            disclosure.file(name): disclosure.text(texts[name]) for name in sorted(files) if name in texts
        },
        people=counts.total_people,
        cells=counts.total_cells,
        unit="people",
        notes=(
            *notes,
            *notes_on(source, counts),
            *(f"Not asked in parts: {disclosure.file(name)}." for name in counts.left_out),
        ),
        made=time.time(),
    )


def notes_on(source: Instrumented, counts: Counts) -> Iterator[str]:
    """What a reader must know."""
    if source.assumed:
        yield ASSUMED.replace("this explanation is", "coverage is")
    kinds = sorted({one.name for one in source.index.rules if one.type == "resource"})
    confused = [kind for kind in kinds if source.index.may_confuse(kind)] if counts.differing else []
    if confused:
        yield (
            f"{counts.differing:,} decisions are not what the conditions say: about {', '.join(confused)}, "
            "Cerbos takes one condition for another that has the same expressions in other blocks. What is "
            "counted is what the conditions say; write the expressions differently in one of them."
        )
    elif counts.differing:
        yield (
            f"The instrumented copy of the policies has another effect for {counts.differing:,} decisions. "
            "This is an error of clerk-cerbos-lab, or something outside the policies has changed, such as "
            "the time: do not rely on this coverage."
        )


def _cases(decisions: Decisions, groups: Sequence[Alike], aux_data: Any) -> Iterator[Case]:
    """One case for each situation."""
    jwt = hidden_aux_data(aux_data)
    if decisions.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    fixed = dict(decisions.fixed)
    for group in groups:
        (who,) = read_principals(decisions.principals.iloc[[group.example]])[:1]
        actions = [decisions.actions[i] for i in group.actions]
        for number, (places, cells) in enumerate(
            zip(group.places.tolist(), group.cells.tolist(), strict=True)
        ):
            values = dict(fixed)
            values |= {axis.name: axis.values[i] for axis, i in zip(decisions.axes, places, strict=True)}
            resource_id, attributes = str(values.pop("resource_id")), nested(values)
            at = [own[[i]] for own, i in zip(decisions.index[2:], places, strict=True)]
            index = [decisions.index[0][[group.example]], decisions.index[1][group.actions], *at]
            allowed = decisions.cube.take(index).ravel()
            requests = tuple(
                Request(
                    principal=who,
                    action=action,
                    kind=decisions.kind,
                    resource_id=resource_id,
                    attributes=attributes,
                    resource=decisions.question.resource,
                    who=decisions.question.principal,
                    aux_data=jwt,
                )
                for action in actions
            )
            yield Case(requests, group.principals, cells, tuple(map(bool, allowed)), number == 0)

"""The causes of every DENY of a sweep: one row per situation and action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.axes import Axis, take
from clerk_cerbos_lab.decisions.explanation import NOT_KNOWN
from clerk_cerbos_lab.decisions.situations import situations_of
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.why import explain, required_of, unknown_pdp
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation

COLUMNS: Final = ("action", "principals", "cells", "cause", "rule", "detail", "attributes", "also")


def causes(decisions: Decisions, *, aux_data: Any = None, names: bool = False) -> pd.DataFrame:
    """Why each DENY is one; ``Decisions.causes`` documents it."""
    source = decisions.source
    if not isinstance(source, Instrumented):
        raise InputError(unknown_pdp(source))
    axes = [axis.name for axis in decisions.axes]
    twice = sorted({name for name in axes if name in {*COLUMNS, "principal"}})
    if twice:
        msg = f"the table of causes would have several columns {twice}: rename the axis"
        raise InputError(msg)
    found = situations_of(decisions.cube, decisions.index)
    rows, actions = np.nonzero(~found.allowed)
    order = np.lexsort((rows, -found.cells[rows], actions))
    rows, actions = rows[order], actions[order]
    places = found.places[rows]
    requests = _requests(decisions, places, actions.tolist(), aux_data)
    explained = list(
        explain(
            source,
            [(request, False) for request in requests],
            decisions.shown(names=names),
            required_of(decisions),
        )
    )
    table: dict[str, Any] = {
        "action": [decisions.actions[action] for action in actions],
        "principals": found.principals[rows],
        "cells": found.cells[rows],
        **_told(explained),
    }
    for place, dim in enumerate(["principal", *axes]):
        table[dim] = take(Axis(dim, decisions.values(dim)).array(), places[:, place])
    return pd.DataFrame(table)


def _told(explained: list[Explanation]) -> dict[str, list[Any]]:
    """The columns that say why."""
    first = [one.cause for one in explained]
    return {
        "cause": [NOT_KNOWN if cause is None else cause.kind for cause in first],
        "rule": ["" if cause is None else cause.rule for cause in first],
        "detail": ["" if cause is None else cause.detail for cause in first],
        "attributes": [() if cause is None else cause.attributes for cause in first],
        "also": [
            "; ".join(": ".join(filter(None, (cause.kind, cause.rule, cause.detail))) for cause in one.also)
            for one in explained
        ],
    }


def _requests(decisions: Decisions, places: Any, actions: list[int], aux_data: Any) -> list[Request]:
    """One request of each situation."""
    jwt = hidden_aux_data(aux_data)
    if decisions.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    who, rows = np.unique(places[:, 0], return_inverse=True)
    people = read_principals(decisions.principals.iloc[who])
    each = [people[row] for row in range(len(who))]
    made = []
    for row, action, at in zip(rows.tolist(), actions, places[:, 1:].tolist(), strict=True):
        values = dict(decisions.fixed)
        values |= {axis.name: axis.values[i] for axis, i in zip(decisions.axes, at, strict=True)}
        made.append(
            Request(
                principal=each[row],
                action=decisions.actions[action],
                kind=decisions.kind,
                resource_id=str(values.pop("resource_id")),
                attributes=values,
                resource=decisions.question.resource,
                who=decisions.question.principal,
                aux_data=jwt,
            )
        )
    return made

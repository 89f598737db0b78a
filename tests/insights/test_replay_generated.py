"""Replays of generated policies, compared with every pair of a person and a record."""

import os
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from situations import ACTIONS, Case, batch

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.sweeps.ask import Batch, ask

FIRST, STOP = map(int, os.environ.get("LAB_REPLAYED", "0:12").split(":"))
"""Which generated policies are tried."""

BATCH = 12

RECORDS = 70


def records_of(case: Case) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return records with the values of a case's axes, and what is the same for all of them."""
    random = Random(f"records {case.kind}")
    frame = pd.DataFrame({"money": [random.randint(-500, 99_000) / 100 for _ in range(RECORDS)]})
    fixed: dict[str, Any] = {}
    ids = list(case.people["id"])
    absent = dict.fromkeys(["owner", "second", "absent"], lab.MISSING)
    given: dict[str, Any] = {**absent, "amount": case.finer, **case.given}
    for name, value in given.items():
        if name in {"scope", "policy_version"}:
            continue
        some = value if isinstance(value, list) else [value]
        if name == "owner" and value is not lab.MISSING:
            some = [*ids, *ids, "u1", "somebody else", "m", ""]
        elif any(one is lab.SELF or one is lab.OTHER for one in some):
            some = [*ids[:3], "m"]
        if value is lab.MISSING or not (isinstance(value, list) or name == "owner"):
            fixed[name] = value
        else:
            column = np.empty(RECORDS, dtype=object)
            column[:] = [random.choice(some) for _ in range(RECORDS)]
            frame[name] = column
    return frame, fixed


def every_pair(
    pdp: lab.PDP, case: Case, frame: pd.DataFrame, fixed: dict[str, Any], action: str
) -> npt.NDArray[np.bool_]:
    """Return ``[principal, record]``, each asked."""
    people = read_principals(case.people)
    names = [name for name in frame.columns if name != "money"]
    places = {name: case.given[name] for name in ("policy_version", "scope") if name in case.given}
    axes = tuple(Axis(name, (0,)) for name in names)
    question = Question(case.kind, (action,), axes, {**fixed, "resource_id": "resource"}, **places)
    columns = tuple(frame[name].tolist() for name in names)
    with pdp.asking():
        (answer,) = ask(pdp, question, [Batch(people, columns, listed=True)], lambda _: None)
    return answer[:, 0]


@pytest.mark.parametrize("first", range(FIRST, STOP, BATCH))
def test_a_replay_counts_as_every_pair_of_a_person_and_a_record(tmp_path: Path, first: int) -> None:
    cases = batch(tmp_path / "before", range(first, min(first + BATCH, STOP)))
    (tmp_path / "after").mkdir()
    for file in (tmp_path / "before").iterdir():
        text = file.read_text(encoding="utf-8").replace(" <= ", " < ").replace('"boss"', '"guest"')
        (tmp_path / "after" / file.name).write_text(text, encoding="utf-8")
    with lab.PDP(tmp_path / "before") as pdp, lab.PDP(tmp_path / "after") as other:
        for case in cases:
            compare(pdp, other, case, ACTIONS[first % len(ACTIONS)])


def compare(pdp: lab.PDP, other: lab.PDP, case: Case, action: str) -> None:
    """Compare a replay with each pair."""
    frame, fixed = records_of(case)
    places = {name: case.given[name] for name in ("policy_version", "scope") if name in case.given}
    found = lab.replay(
        pdp,
        case.people,
        frame,
        case.kind,
        action=action,
        against=other,
        amount="money",
        nulls="null",
        unknown_owners="keep",
        attr=fixed,
        **places,
    )
    before, after = (every_pair(one, case, frame, fixed, action) for one in (pdp, other))
    state = before + 2 * after.astype(int)
    minor = np.round(frame["money"].to_numpy() * 10**found.money.decimals).astype(int)
    for one in range(4):
        said = f"{case.kind} {one}"
        assert found.approvers[one].tolist() == (state == one).sum(axis=0).tolist(), said
        assert found.handled[one].tolist() == (state == one).sum(axis=1).tolist(), said
        assert found.handled_money[one].tolist() == ((state == one) @ minor).tolist(), said
    for record in (0, RECORDS - 1):
        assert found.states.of_record(record).tolist() == state[:, record].tolist()

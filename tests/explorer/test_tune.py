"""Tune without a browser: marks of what changes, records that are read once, and goals about them."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from compared import people
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.changes_payload import changes_payload

Write = Callable[..., Path]
LIMIT = "rule-001: amount <= 100"
ASKED: dict[str, Any] = {"amount": [0, 50, 150, 300], "team": ["x", "y"]}
RECORDS = pd.DataFrame({"id": ["a", "b", "c"], "amount": ["10.00", "99.99", "250.50"], "team": "x"})


@pytest.fixture
def pdp(write: Write) -> Any:
    """A PDP with one limit."""
    policy = resource_policy(rule('R.attr.amount <= 100 && R.attr.team == "x" && P.attr.level > 1'))
    with lab.PDP(write(thing=policy)) as made:
        yield made


def header_of(data: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<I", data[:4])
    made: dict[str, Any] = json.loads(data[4 : 4 + length])
    return made


def test_the_matrix_marks_what_is_gained_and_lost(pdp: lab.PDP) -> None:
    with lab.tune(pdp, people(level=[1, 2, 3]), "thing", **ASKED) as tune:
        widget = tune.widget
        assert header_of(widget.payload)["changed"]
        for value, sign in ((200, 1), (20, -1), (100, 0)):
            choice = {"request": value, "values": {**widget.choice["values"], LIMIT: value}, "settled": False}
            widget.choice = choice
            assert widget.answer["error"] is None
            shown = tune.decisions.shown()
            made = changes_payload(tune.changes, (shown, shown))
            data = made.to_bytes()
            assert widget.payload[-2 * -(-made.small.size // 8) :] == data[-2 * -(-made.small.size // 8) :]
            assert made.past is not None
            found = made.small.astype(int) - made.past.astype(int)
            assert {int(one) for one in found.ravel()} == {0, sign}
            header, other = header_of(widget.payload), header_of(data)
            assert header["dims"] == other["dims"]
            assert header["exact"] == other["exact"]
            assert "thing" in header["title"]


def test_real_names_are_shown_with_a_warning(pdp: lab.PDP) -> None:
    for names, warning in ((True, plain_text.WARNING), (False, None)):
        with lab.tune(pdp, people(level=[1, 2, 3]), "thing", names=names, **ASKED) as tune:
            header = header_of(tune.widget.payload)
            assert header["warning"] == warning
            assert ("u0" in header["dims"][0]["labels"]) == names


def test_an_edited_policy_changes_who_is_shown_with_what(pdp: lab.PDP, write: Write) -> None:
    with lab.tune(pdp, people(level=[1, 2, 3], size=[1, 2, 3]), "thing", **ASKED) as tune:
        first = header_of(tune.widget.payload)
        write(thing=resource_policy(rule("R.attr.amount <= 100 && P.attr.size > 1")))
        assert tune._draw(pdp)
        second = header_of(tune.widget.payload)
    withheld = [next(note for note in one["notes"] if "personal" in note) for one in (first, second)]
    assert ("level" in withheld[0], "level" in withheld[1]) == (True, False)
    assert ("size" in withheld[0], "size" in withheld[1]) == (False, True)


def test_a_file_of_records_is_read_once(
    pdp: lab.PDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.csv"
    RECORDS.to_csv(path, index=False)
    read: list[Any] = []

    def noted(given: Path) -> pd.DataFrame:
        read.append(given)
        return pd.read_csv(given, dtype=str, keep_default_na=False)

    monkeypatch.setattr("clerk_cerbos_lab.insights.records.read_csv", noted)
    with lab.tune(pdp, people(level=[1, 2]), "thing", records=str(path), **ASKED) as tune:
        for value in (200, 300, 20):
            tune.values = {LIMIT: value}
            with lab.what_if(pdp, {LIMIT: value}) as moved:
                again = lab.replay(pdp, people(level=[1, 2]), RECORDS, "thing", against=moved)
            assert tune.replay is not None
            assert repr(tune.replay) == repr(again)
        found = tune.smallest(LIMIT, at_least=1, of_records=True)
    assert len(read) == 1
    assert (found.value, found.beside) == (251, 250)


def test_records_in_a_database_are_tuned_and_have_goals(pdp: lab.PDP, tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/records.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE records (id TEXT, amount DECIMAL(12, 2), team TEXT)"))
        for one in RECORDS.itertuples():
            connection.execute(
                sa.text(f"INSERT INTO records VALUES ('{one.id}', {one.amount}, '{one.team}')")
            )
    table = lab.sql_table(engine, "records")
    with (
        lab.tune(pdp, people(level=[1, 2]), "thing", records=table, **ASKED) as tune,
        lab.tune(pdp, people(level=[1, 2]), "thing", records=RECORDS, **ASKED) as other,
    ):
        for value in (100, 200, 300, 20):
            tune.values = other.values = {LIMIT: value}
            assert tune.replay is not None
            assert other.replay is not None
            assert tune.replay.people().to_dict() == other.replay.people().to_dict()
        goals = [one.smallest(LIMIT, at_least=1, of_records=True) for one in (tune, other)]
    assert [(one.value, one.beside, one.missing) for one in goals] == [
        (251, 250, "1 record has too few people, 250.50")
    ] * 2
    engine.dispose()

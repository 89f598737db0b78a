"""Replays of tables in a database: grouped by the database, and equal to the same records one by one."""

import datetime
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from cerbos.engine.v1 import engine_pb2
from cerbos.sdk.grpc.client import CerbosClient
from cerbos_sqlalchemy import get_query
from hypothesis import given
from hypothesis import strategies as st
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.sql_query import first_units
from clerk_cerbos_lab.pdp.messages import principal_message
from clerk_cerbos_lab.sweeps.ask import Batch, ask

EXPENSES = """
CREATE TABLE expenses AS SELECT
  'e' || i AS id,
  'user_' || (i * 37 % 1000) AS owner,
  (ARRAY['northeast', 'south', 'west', 'midwest'])[1 + i * 7 % 4] AS region,
  (ARRAY['engineering', 'sales', 'finance'])[1 + i * 11 % 3] AS department,
  (ARRAY['OPEN', 'OPEN', 'PAID', 'DRAFT'])[1 + i * 13 % 4] AS status,
  CAST(CASE WHEN i % 17 = 0 THEN (ARRAY[5000, 5000.01, 10000, 9999.99])[1 + i % 4]
       ELSE (i * 7919 % 6000000) / 100.0 END AS DECIMAL(12, 2)) AS amount,
  'USD' AS currency,
  DATE '2026-01-01' + CAST(i % 365 AS INTEGER) AS day
FROM {series}
"""
"""Made-up expenses, in the SQL of DuckDB and of PostgreSQL."""


def managers(count: int = 1) -> pd.DataFrame:
    """Return managers of the northeast with personal limits."""
    who = users(count, region="northeast", department="sales")
    who["id"] = [f"user_{i}" for i in range(count)]
    who["roles"] = [("manager", "employee")] * count
    who["approval_limit"] = [float(12_000 + 100 * i) for i in range(count)]
    return who


def same(found: lab.Replay, right: lab.Replay) -> None:
    """Compare a replay of groups with one of records: how many, and for how much money, by month."""
    assert len(found) == len(right)
    assert found.people().to_dict() == right.people().to_dict()
    columns = ["records", "money", "nobody", "nobody_money"]
    assert found.by_month()[columns].astype(str).equals(right.by_month()[columns].astype(str))


def effects(pdp: lab.PDP, who: pd.DataFrame, records: pd.DataFrame) -> Any:
    """Return ``[principal, record]``: each pair, asked."""
    names = ["owner", "region", "department", "status", "amount"]
    axes = tuple(Axis(name, (0,)) for name in names)
    question = Question("expense", ("approve",), axes, {"resource_id": "resource"})
    columns = tuple(
        [float(one) for one in records[name]] if name == "amount" else records[name].tolist()
        for name in names
    )
    with pdp.asking():
        (answer,) = ask(pdp, question, [Batch(read_principals(who), columns, listed=True)], lambda _: None)
    return answer[:, 0]


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> sa.Engine:
    """A DuckDB file with a million expenses."""
    engine = sa.create_engine(f"duckdb:///{tmp_path_factory.mktemp('duckdb')}/expenses.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text(EXPENSES.format(series="range(1000000) t(i)")))
    return engine


def check(pdp: lab.PDP, engine: sa.Engine, who: pd.DataFrame) -> None:
    """Compare a replay of 20,000 rows of a table, and some at the limits, with every answer."""
    keep: dict[str, Any] = {"date": "day", "unknown_owners": "keep"}
    limits = "0, 5000, 5000.01, 10000, 9999.99, 10000.01, 12000, 12000.01"
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE picked AS (SELECT * FROM expenses ORDER BY random() LIMIT 20000) UNION ALL "
                f"(SELECT * FROM expenses WHERE amount IN ({limits}) LIMIT 2000)"
            )
        )
        some = pd.read_sql_query(sa.text("SELECT * FROM picked"), connection, coerce_float=False)
    allowed = effects(pdp, who, some)
    right = lab.replay(pdp, who, some, "expense", **keep)
    assert right.before.tolist() == allowed.sum(axis=0).tolist()
    same(lab.replay(pdp, who, lab.sql_table(engine, "picked"), "expense", **keep), right)


def test_a_million_records_in_duckdb_are_as_the_same_records_one_by_one(
    pdp: lab.PDP, million: sa.Engine
) -> None:
    check(pdp, million, managers())
    keep: dict[str, Any] = {"date": "day", "unknown_owners": "keep"}
    found = lab.replay(pdp, managers(), lab.sql_table(million, "expenses"), "expense", **keep)
    assert len(found) == 1_000_000
    assert found.asked < 500
    count = "SELECT count(*), sum(amount) FROM expenses WHERE status = 'OPEN' AND region = 'northeast' {more}"
    more = (
        "AND owner <> 'user_0' AND amount > 0 AND amount <= 12000"  # as the policies say it of this manager
    )
    other = "SELECT count(*), sum(amount) FROM expenses WHERE status = 'OPEN' AND region <> 'northeast' "
    other += "AND owner <> 'user_0' AND amount > 0 AND amount <= 5000"
    with million.connect() as connection:
        own, cross = (connection.execute(sa.text(one)).one() for one in (count.format(more=more), other))
    assert found.people()["records"].tolist() == [own[0] + cross[0]]
    assert found.people()["money"].tolist() == [own[1] + cross[1]]


@pytest.mark.parametrize("owner", ["user_9", ""])
def test_what_the_plan_of_cerbos_selects_is_what_a_replay_counts(
    pdp: lab.PDP, tmp_path: Path, owner: str
) -> None:
    """A second witness: PlanResources as a WHERE clause, but for what the planner does otherwise."""
    engine = sa.create_engine(f"duckdb:///{tmp_path}/planned.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text(EXPENSES.format(series="range(200000) t(i)")))
        connection.execute(sa.text(f"UPDATE expenses SET owner = '{owner}' WHERE amount < 100"))
    table = lab.sql_table(engine, "expenses")
    (person,) = read_principals(managers())
    message = principal_message(person, policy_version="", scope="")
    with CerbosClient(pdp.address) as client:
        plan = client.plan_resources(
            "approve", message, engine_pb2.PlanResourcesInput.Resource(kind="expense")
        )
    names = ("owner", "region", "department", "status", "amount")
    columns = {f"request.resource.attr.{name}": table.table.c[name] for name in names}
    chosen = get_query(plan, table.table, columns).subquery()
    with engine.connect() as connection:
        planned = connection.execute(sa.select(sa.func.count(), sa.func.sum(chosen.c.amount))).one()
        empty = connection.execute(sa.select(sa.func.count()).where(chosen.c.owner == "")).scalar_one()
    found = lab.replay(pdp, managers(), table, "expense", date="day", unknown_owners="keep")
    records, money = found.people()["records"].item(), found.people()["money"].item()
    if owner:
        assert (records, money) == tuple(planned)
    else:  # the planner makes `owner != null` of `owner != null && owner != ""`
        assert records == planned[0] - empty < planned[0]


def test_many_principals_and_a_change_are_counted_in_groups(pdp: lab.PDP, million: sa.Engine) -> None:
    who = managers(60)
    with million.begin() as connection:
        connection.execute(sa.text("CREATE TABLE few AS SELECT * FROM expenses LIMIT 5000"))
        rows = pd.read_sql_query(sa.text("SELECT * FROM few"), connection, coerce_float=False)
    more: dict[str, Any] = {"unknown_owners": "keep", "status": "OPEN"}
    with lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
        found = lab.replay(pdp, who, lab.sql_table(million, "few"), "expense", against=moved, **more)
        right = lab.replay(pdp, who, rows, "expense", against=moved, **more)
    assert found.total(found.change != "") == right.total(right.change != "")
    assert found.people().to_dict() == right.people().to_dict()
    assert found.frame()["records"].sum() == 5_000


VALUES = [5_000, 5_000.01, 0.1 + 0.2, 0.3, -0.0, 1e300, -7.5, 0.005, 123_456_789.015]


@pytest.mark.parametrize("rest", ["", " && R.attr.name != P.attr.friend", " && P.attr.friend == R.attr.name"])
def test_people_whom_only_their_ids_tell_apart_are_told_apart_in_sql(tmp_path: Path, rest: str) -> None:
    """One of them stands for the others in a plan, but not where the owner is somebody of them."""
    who = users(6)
    who["friend"] = pd.Series(["user_9", "b", "user_9", "a", lab.MISSING, "x"], dtype=object)
    names = [*who["id"], "user_9", "a", "b", "", None]
    rows = [{"amount": i % 7, "name": names[i % len(names)]} for i in range(300)]
    engine = sa.create_engine(f"duckdb:///{tmp_path}/t.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (amount INTEGER, name VARCHAR)"))
        connection.execute(sa.text("INSERT INTO t VALUES (:amount, :name)"), rows)
    policy = resource_policy(rule(f"R.attr.amount <= 3 && R.attr.name != P.id{rest}"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        frame = pd.DataFrame(rows).astype({"name": object})
        asked: dict[str, Any] = {"record": None, "unknown_owners": "keep"}
        right = lab.replay(pdp, who, frame, "thing", **asked)
        same(lab.replay(pdp, who, lab.sql_table(engine, "t"), "thing", **asked), right)


@given(st.sampled_from(VALUES) | st.floats(-1e9, 1e9), st.integers(0, 6))
def test_the_first_units_are_where_the_doubles_that_are_sent_pass_a_number(number: float, scale: int) -> None:
    ends = sorted(first_units(number, scale))
    if abs(number) > 1e25:
        assert not ends
        return

    def sent(units: int) -> float:
        return float(Decimal(units).scaleb(-scale))

    assert sent(ends[0] - 1) < number <= sent(ends[0])
    assert sent(ends[-1] - 1) <= number < sent(ends[-1])


NUMBERS = resource_policy(
    rule("R.attr.amount <= 0.3"),
    rule("R.attr.amount > P.attr.limit && R.attr.amount < 1e18"),
    rule('R.attr.flag == true || R.attr.name == "a" || R.attr.days in [1, 2]'),
)


@pytest.mark.parametrize("type_", ["DECIMAL(20, 2)", "DECIMAL(9, 3)", "BIGINT", "DOUBLE"])
def test_numbers_texts_and_booleans_of_any_type_are_told_apart_as_cerbos_does(
    tmp_path: Path, type_: str
) -> None:
    whole = type_ == "BIGINT"
    amounts = [0, 1, 2, 7, 8] if whole else [0, 0.29, 0.3, 0.31, 7.5, 7.51, 7.49, 100_000]
    names = ["a", "A", "a ", "á", "a\u0301", "", None]
    flags, days = [True, False, None], [1, 2, 3, None]
    random = np.random.default_rng(5)
    rows = [
        {
            "money": int(random.integers(0, 9)),
            "amount": amounts[random.integers(len(amounts))],
            "name": names[random.integers(len(names))],
            "flag": flags[random.integers(3)],
            "days": days[random.integers(4)],
        }
        for _ in range(400)
    ]
    who = users(3)
    who["limit"] = [7.5, 0.3, lab.MISSING]
    with lab.PDP(write(tmp_path / "p", thing=NUMBERS)) as pdp:
        engine = sa.create_engine(f"duckdb:///{tmp_path}/t.duckdb")
        with engine.begin() as connection:
            columns = (
                f"money INTEGER, amount {type_}, name VARCHAR COLLATE NOCASE, flag BOOLEAN, days INTEGER"
            )
            connection.execute(sa.text(f"CREATE TABLE t ({columns})"))
            insert = sa.text("INSERT INTO t VALUES (:money, :amount, :name, :flag, :days)")
            connection.execute(insert, rows)
        found = lab.replay(pdp, who, lab.sql_table(engine, "t"), "thing", amount="money", record=None)
        frame = pd.DataFrame(rows).astype({"name": object, "flag": object, "days": object})
        frame["days"] = [None if one is None or math.isnan(one) else int(one) for one in frame["days"]]
        right = lab.replay(pdp, who, frame, "thing", amount="money", record=None)
    same(found, right)
    assert found.frame()["records"].sum() == 400
    assert len(found.money.minor) < 400


@pytest.mark.parametrize(
    ("columns", "rows", "more", "message"),
    [
        ("amount DOUBLE", "(1.5)", {}, "amounts that are added are decimals or whole cents"),
        ("amount VARCHAR", "('1.5')", {}, "not known to compare|decimals or whole cents"),
        ("amount BIGINT", "(9007199254740993)", {}, "no double holds"),
        ("amount DECIMAL(9, 2)", "(NULL), (1)", {}, "1 of 2 records have no 'amount'"),
        ("amount INTEGER, currency VARCHAR", "(1, 'USD'), (1, 'EUR')", {}, "EUR 1, USD 1"),
        ("amount INTEGER, moment TIMESTAMP", "(1, '2026-01-01')", {"date": "moment"}, "without time zone"),
        ("amount INTEGER, moment VARCHAR", "(1, '2026-01-01')", {"date": "moment"}, "should be a date"),
        ("amount INTEGER", "(1)", {"date": "day"}, "no column 'day'"),
        ("total INTEGER", "(1)", {}, "no column 'amount'"),
        ("amount INTEGER", "", {}, "no records in the table"),
    ],
)
def test_a_table_in_a_wrong_form_is_one_clear_error(
    tmp_path: Path, columns: str, rows: str, more: dict[str, Any], message: str
) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/t.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE t ({columns})"))
        if rows:
            connection.execute(sa.text(f"INSERT INTO t VALUES {rows}"))
    policy = resource_policy(rule("R.attr.amount <= 3"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp, pytest.raises(lab.InputError, match=message):
        lab.replay(pdp, users(), lab.sql_table(engine, "t"), "thing", **more)


def test_a_database_that_can_not_be_read_is_one_clear_error(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/t.duckdb"
    with pytest.raises(lab.InputError, match="no table 'expenses'"):
        lab.sql_table(url, "expenses")
    with pytest.raises(lab.InputError, match="can't be read") as raised:
        lab.sql_table("postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "expenses")
    assert "hunter2" not in str(raised.value)
    with pytest.raises(lab.InputError, match=r"can't be read|not installed"):
        lab.sql_table("nosuch://x", "expenses")
    with pytest.raises(lab.InputError, match="URL or an engine"):
        lab.sql_table(7, "expenses")  # type: ignore[arg-type]


def test_the_rows_of_another_database_are_read(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/t.sqlite")
    pd.DataFrame({"id": ["a", "b"], "amount": [1, 5]}).to_sql("t", engine, index=False)
    policy = resource_policy(rule("R.attr.amount <= 3"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay(pdp, users(), lab.sql_table(engine, "t"), "thing")
    assert found.frame()["approvers"].tolist() == [1, 0]
    assert "The rows of 't' were read one by one." in found.notes


def test_a_table_has_cents_a_time_zone_and_views(tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/t.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (cents BIGINT, moment TIMESTAMPTZ)"))
        connection.execute(
            sa.text(
                "INSERT INTO t VALUES (30, '2026-04-01T01:00:00Z'), (31, '2026-04-01T05:00:00Z'), (29, NULL)"
            )
        )
        connection.execute(sa.text("CREATE VIEW v AS SELECT * FROM t"))
    policy = resource_policy(rule("R.attr.amount <= 0.3"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay(
            pdp,
            users(),
            lab.sql_table(engine, "v"),
            "thing",
            columns={"amount": "cents"},
            cents=True,
            date="moment",
            timezone="America/New_York",
        )
    months = found.by_month()
    assert months["month"].tolist() == ["2026-03", "2026-04", "no date"]
    assert months["nobody"].tolist() == [0, 1, 0]
    assert list(months["money"]) == [Decimal("0.30"), Decimal("0.31"), Decimal("0.29")]


def test_a_column_can_be_two_attributes(tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/t.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t AS SELECT i AS amount FROM range(10) r(i)"))
    policy = resource_policy(rule("R.attr.amount < 4 || R.attr.total >= 7"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay(pdp, users(), lab.sql_table(engine, "t"), "thing", columns={"total": "amount"})
    assert found.by_month()["nobody"].tolist() == [3]


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A PostgreSQL of our own, started as an ordinary user."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    bin_ = found[-1].parent
    folder = Path(tmp_path_factory.mktemp("postgres"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        for part in (folder, *folder.parents[:2]):
            part.chmod(0o755)
        folder.chmod(0o777)
        as_user = [shutil.which("runuser") or "runuser", "-u", "nobody", "--"]
    data = folder / "data"
    subprocess.run(
        [*as_user, bin_ / "initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
    )
    options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen([*as_user, bin_ / "postgres", "-D", data, *options], stderr=subprocess.DEVNULL)
    engine = sa.create_engine(f"postgresql+psycopg://lab@/postgres?host={folder}")
    try:
        for _ in range(100):
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                time.sleep(0.1)
        yield engine
    finally:
        engine.dispose()
        server.terminate()
        server.wait(30)


@pytest.mark.long
def test_ten_million_records_in_postgresql_are_as_the_same_records_one_by_one(
    pdp: lab.PDP, postgres: sa.Engine
) -> None:
    count = int(os.environ.get("LAB_ROWS", "10000000"))
    with postgres.begin() as connection:
        connection.execute(
            sa.text(
                EXPENSES.format(series=f"generate_series(0, {count - 1}) t(i)").replace(
                    "i * 7919", "i::bigint * 7919"
                )
            )
        )
        connection.execute(sa.text("ANALYZE expenses"))
    begun = time.perf_counter()
    lab.replay(
        pdp, managers(), lab.sql_table(postgres, "expenses"), "expense", date="day", unknown_owners="keep"
    )
    print(f"{count:,} records in PostgreSQL: {time.perf_counter() - begun:.2f} s")  # noqa: T201 - a measurement
    check(pdp, postgres, managers())


@pytest.mark.long
def test_timestamps_and_texts_in_postgresql(tmp_path: Path, postgres: sa.Engine) -> None:
    with postgres.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)"
            )
        )
        connection.execute(
            sa.text('CREATE TABLE t (amount NUMERIC, name TEXT COLLATE "loose", moment TIMESTAMPTZ)')
        )
        rows = [
            {"amount": Decimal(1), "name": name, "moment": datetime.datetime(2026, 4, 1, tzinfo=datetime.UTC)}
            for name in ("a", "A", "á", "a ")
        ]
        connection.execute(sa.text("INSERT INTO t VALUES (:amount, :name, :moment)"), rows)
    policy = resource_policy(rule('R.attr.name == "a"'))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay(pdp, users(), lab.sql_table(postgres, "t"), "thing", date="moment")
    assert found.before.tolist().count(1) == 1
    assert sorted(found.frame()["records"]) == [1, 3]


MOMENTS = ["1970-01-01", "2026-02-28", "2026-02-28 23:59:59.999", "2026-03-01", "2069-12-31 23:30", None]


@pytest.mark.long
@pytest.mark.parametrize("type_", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("odd", [[], ["1969-12-31 23:30"], ["2070-01-01"], ["1900-01-01", "2200-05-31"]])
def test_months_of_any_year_in_postgresql_are_those_of_the_records(
    tmp_path: Path, postgres: sa.Engine, type_: str, odd: list[str]
) -> None:
    rows = [{"amount": Decimal(10 + n), "moment": moment} for n, moment in enumerate([*MOMENTS, *odd] * 3)]
    with postgres.begin() as connection:
        connection.execute(
            sa.text(f"DROP TABLE IF EXISTS m; CREATE TABLE m (amount NUMERIC, moment {type_})")
        )
        connection.execute(sa.text("SET LOCAL timezone = 'UTC'"))
        connection.execute(sa.text(f"INSERT INTO m VALUES (:amount, CAST(:moment AS {type_}))"), rows)
    frame = pd.DataFrame(rows)
    frame["moment"] = pd.to_datetime(frame["moment"], format="ISO8601", utc=type_ == "TIMESTAMPTZ")
    asked: dict[str, Any] = {"date": "moment", "record": None}
    if type_ == "DATE":
        frame["moment"] = [None if pd.isna(one) else one.date() for one in frame["moment"]]
    if type_ != "DATE":
        asked["timezone"] = "Asia/Tokyo" if type_ == "TIMESTAMPTZ" else "UTC"
    with lab.PDP(write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= 12")))) as pdp:
        found = lab.replay(pdp, users(), lab.sql_table(postgres, "m"), "thing", **asked)
        same(found, lab.replay(pdp, users(), frame, "thing", **asked))


@pytest.mark.long
@pytest.mark.parametrize("type_", ["NUMERIC", "NUMERIC(40, 20)", "DOUBLE PRECISION", "REAL"])
def test_decimals_of_any_scale_in_postgresql_are_compared_as_the_doubles_that_are_sent(
    tmp_path: Path, postgres: sa.Engine, type_: str
) -> None:
    told = ["11.5", "12", "12.000000000001", "11.999999999999", "12.5", "12.25", "-3", "0.1", "0.2"]
    with postgres.begin() as connection:
        connection.execute(
            sa.text(f"DROP TABLE IF EXISTS n; CREATE TABLE n (paid NUMERIC(9, 2), size {type_})")
        )
        for one in told:
            connection.execute(sa.text(f"INSERT INTO n VALUES (1.25, CAST('{one}' AS {type_}))"))
        held = [row[0] for row in connection.execute(sa.text("SELECT size FROM n"))]
    policy = resource_policy(
        rule("R.attr.size <= 12"), rule("R.attr.size > 12.25"), rule("R.attr.size == 0.1")
    )
    asked: dict[str, Any] = {"amount": "paid", "record": None}
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay(pdp, users(), lab.sql_table(postgres, "n"), "thing", **asked)
        assert {0, 1} <= set(found.before.tolist())
        frame = pd.DataFrame({"paid": [Decimal("1.25")] * len(held), "size": list(map(float, held))})
        same(found, lab.replay(pdp, users(), frame, "thing", **asked))


PLACES = {
    "table": 'CREATE TABLE "Some Rows" ({columns})',
    "inherited": 'CREATE TABLE "Some Rows" ({columns}); CREATE TABLE child () INHERITS ("Some Rows")',
    "parts": 'CREATE TABLE "Some Rows" ({columns}) PARTITION BY LIST (flag); '
    'CREATE TABLE yes PARTITION OF "Some Rows" FOR VALUES IN (true); '
    'CREATE TABLE rest PARTITION OF "Some Rows" DEFAULT',
    "view": 'CREATE TABLE held ({columns}); CREATE VIEW "Some Rows" AS SELECT * FROM held',
}


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_row_of_each_group_is_found_in_any_kind_of_table_of_postgresql(
    tmp_path: Path, postgres: sa.Engine, place: str
) -> None:
    amounts = [Decimal(one) for one in ("0", "0.29", "0.30", "0.31", "7.50", "7.51", "1e17")]
    names = ["a", "A", "á", "", None]
    rows = [
        {"money": i, "amount": amounts[i % 7], "name": names[i % 5], "flag": (True, False, None)[i % 3]}
        for i in range(210)
    ]
    columns = "money INTEGER, amount NUMERIC(20, 2), name TEXT, flag BOOLEAN"
    who = users(3)
    who["limit"] = [7.5, 0.3, lab.MISSING]
    with postgres.begin() as connection:
        connection.execute(sa.text(f'DROP SCHEMA IF EXISTS "{place}" CASCADE; CREATE SCHEMA "{place}"'))
        connection.execute(sa.text(f'SET LOCAL search_path = "{place}"'))
        connection.execute(sa.text(PLACES[place].format(columns=columns)))
        target = "held" if place == "view" else '"Some Rows"'
        connection.execute(sa.text(f"INSERT INTO {target} VALUES (:money, :amount, :name, :flag)"), rows)
        if place == "inherited":
            connection.execute(sa.text('INSERT INTO child SELECT * FROM ONLY "Some Rows"'))
            rows = rows * 2
    asked: dict[str, Any] = {"amount": "money", "record": None, "days": lab.MISSING}
    table = lab.sql_table(postgres, "Some Rows", schema=place)
    with lab.PDP(write(tmp_path / "p", thing=NUMBERS)) as pdp:
        found = lab.replay(pdp, who, table, "thing", **asked)
        frame = pd.DataFrame(rows).astype({"name": object, "flag": object})
        same(found, lab.replay(pdp, who, frame, "thing", **asked))
        assert len(found.money.minor) < 150
        with postgres.begin() as connection:
            connection.execute(sa.text(f"UPDATE \"{place}\".{target} SET amount = 'NaN' WHERE money = 7"))
        with pytest.raises(lab.InputError, match="amount"):
            lab.replay(pdp, who, table, "thing", **asked)


def test_cents_in_a_column_of_decimals_are_read_one_by_one(tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/cents.duckdb")
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE t AS SELECT range AS id, 400000::DECIMAL(12, 0) AS amount FROM range(9)")
        )
        connection.execute(sa.text("INSERT INTO t VALUES (9, 600000)"))
        connection.execute(sa.text("CREATE TABLE odd AS SELECT 1 AS id, 1000.5::DECIMAL(12, 1) AS amount"))
    with lab.PDP(write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= 5000")))) as pdp:
        found = lab.replay(pdp, users(1), lab.sql_table(engine, "t"), "thing", cents=True)
        assert found.people(names=True)["records"].tolist() == [9]
        with pytest.raises(lab.InputError, match="not a whole number of cents"):
            lab.replay(pdp, users(1), lab.sql_table(engine, "odd"), "thing", cents=True)
    engine.dispose()


def test_a_table_is_counted_where_the_policies_read_nothing_of_a_record(tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path}/some.duckdb")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t AS SELECT range AS id, 4 AS amount FROM range(9)"))
        connection.execute(
            sa.text("CREATE VIEW broken AS SELECT id, CAST('x' || id AS INTEGER) AS amount FROM t")
        )
    with lab.PDP(write(tmp_path / "p", thing=resource_policy(rule()))) as pdp:
        found = lab.replay(pdp, users(1), lab.sql_table(engine, "t"), "thing")
        assert found.people(names=True)["records"].tolist() == [9]
        with pytest.raises(lab.InputError, match="the table 'broken' can't be read: Conversion Error"):
            lab.replay(pdp, users(1), lab.sql_table(engine, "broken"), "thing")
    engine.dispose()

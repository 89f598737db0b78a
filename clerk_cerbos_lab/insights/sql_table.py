"""A database table of records: its columns, and its rows where the database does not group them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

GROUPED: Final = ("duckdb", "postgresql")
"""Databases whose comparisons are known to mean what Cerbos's mean."""


@dataclass(frozen=True, slots=True, eq=False)
class SqlTable:
    """A table or view of records in a database, for ``lab.replay``. Make one with ``lab.sql_table``.

    Attributes:
        engine: of SQLAlchemy.
        table: with its columns.
    """

    engine: sa.Engine
    table: sa.Table

    @property
    def name(self) -> str:
        """With the schema, if it was given."""
        return str(self.table)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.table.columns]

    def is_whole(self, column: str) -> bool:
        """Whether a column has integers; also for one that is not there."""
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        return column not in self.table.c or isinstance(self.table.c[column].type, sa.Integer)

    def is_number(self, column: str) -> bool:
        """Whether a column has numbers."""
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        return isinstance(self.table.c[column].type, (sa.Integer, sa.Numeric, sa.Float))


def sql_table(source: str | sa.Engine, name: str, /, *, schema: str | None = None) -> SqlTable:
    """A database table of records, for ``lab.replay``.

    >>> lab.sql_table("duckdb:///expenses.duckdb", "expenses")
    >>> lab.sql_table("postgresql+psycopg://localhost/finance", "expenses", schema="archive")

    In DuckDB and PostgreSQL the database groups the rows by what the policies can tell apart, so that ten
    million rows stay where they are. Of other databases the rows are read.

    Args:
        source: a database URL or an engine of SQLAlchemy.
        name: the table or view.
        schema: where it is, if not in the default one.

    Raises:
        InputError: if SQLAlchemy or the driver is not installed, the database can't be reached, or there is
            no such table. A password in a URL is not shown.
    """
    try:
        import sqlalchemy as sa  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "tables in a database need SQLAlchemy and DuckDB: pip install 'clerk-cerbos-lab[sql]'"
        raise InputError(msg) from None
    try:
        engine = sa.create_engine(source) if isinstance(source, str) else source
        if not isinstance(engine, sa.Engine):
            msg = f"the database must be a URL or an engine of SQLAlchemy, not a {type(source).__name__}"
            raise InputError(msg)
        known = sa.inspect(engine)
        names = [*known.get_table_names(schema), *known.get_view_names(schema)]
        if name not in names:
            msg = f"the database has no table '{name}'{did_you_mean(name, names)}"
            raise InputError(msg)
        return SqlTable(engine, sa.Table(name, sa.MetaData(), schema=schema, autoload_with=engine))
    except ImportError as error:
        msg = f"the driver of this database is not installed: {error}"
        raise InputError(msg) from None
    except (sa.exc.ArgumentError, sa.exc.SQLAlchemyError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        msg = f"the database can't be read: {cause}"
        raise InputError(msg) from None


@contextmanager
def reading(table: SqlTable, *of_driver: type[Exception]) -> Iterator[None]:
    """Say what a database says when it can't read a table, in one line.

    Args:
        table: the table.
        of_driver: further errors with which a driver refuses a value.

    Raises:
        InputError: in place of theirs.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    refused: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, *of_driver)
    try:
        yield
    except refused as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        msg = f"the table '{table.name}' can't be read: {cause}"
        raise InputError(msg) from None


def different_values(table: SqlTable, column: str) -> list[Any]:
    """The different values of a column, without NULL."""
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    held = table.table.c[column]
    with table.engine.connect() as connection:
        return list(connection.execute(sa.select(held).distinct().where(held.is_not(None))).scalars())


def rows_as_frame(table: SqlTable) -> pd.DataFrame:
    """All rows, with decimals as they are."""
    refused = (TypeError, ValueError, ArithmeticError)
    with reading(table, *refused), table.engine.connect() as connection:
        return pd.read_sql_query(table.table.select(), connection, coerce_float=False)

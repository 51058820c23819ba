"""Insertions that run for every request: made by SQLAlchemy once, given to SQLite's driver ever after.

What SQLAlchemy does at each execution (its cache of compiled statements, contexts, results) takes five times
as long as what SQLite does then. PostgreSQL's asynchronous driver is reached through SQLAlchemy as ever.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

from sqlalchemy import Column, Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from tramontane.storage.upsert import Insert

Parameters = Mapping[str, Any]
Convert = Callable[[Any], Any]

_SQLITE: Final = sqlite.dialect(paramstyle="qmark")


class DriverStatement:
    """An insertion that may return some columns.

    Args:
        statement: as it is to run, all but the values.
        returning: the columns that it returns.
    """

    def __init__(self, statement: Insert, returning: Sequence[Column[Any]] = ()) -> None:
        self._statement = statement.returning(*returning) if returning else statement
        self._columns = tuple(column.name for column in statement.table.columns)
        self._returning = returning

    def execute(self, connection: Connection, parameters: Sequence[Parameters]) -> list[tuple[Any, ...]]:
        """Insert a row for each of `parameters`, which have a value for every column; what they return."""
        if connection.dialect.name != "sqlite":
            result = connection.execute(self._statement, list(parameters))
            return [tuple(row) for row in result] if self._returning else []
        sql, conversions = self._compiled
        driver = driver_of(connection)
        returned: list[tuple[Any, ...]] = []
        for row in parameters:
            values = [convert(row[name]) if convert else row[name] for name, convert in conversions]
            returned += driver.execute(sql, values)
        return [self._read(row) for row in returned]

    @cached_property
    def _compiled(self) -> tuple[str, Sequence[tuple[str, Convert | None]]]:
        """The SQL, and what becomes of each value in its order."""
        compiled = self._statement.compile(dialect=_SQLITE, column_keys=list(self._columns))
        assert isinstance(compiled, SQLCompiler)
        assert compiled.positiontup is not None
        return compiled.string, [
            (name, _to_driver(compiled.binds[name].type)) for name in compiled.positiontup
        ]

    @cached_property
    def _from_driver(self) -> Sequence[Convert | None]:
        return [_from_driver(column.type) for column in self._returning]

    def _read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            convert(value) if convert else value
            for value, convert in zip(row, self._from_driver, strict=True)
        )


def driver_of(connection: Connection) -> sqlite3.Connection:
    """What SQLAlchemy's connection to SQLite stands on."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _to_driver(kind: TypeEngine[Any]) -> Convert | None:
    """None is converted by no one: SQLAlchemy's converters let it pass, as ours do."""
    return cast("Convert | None", kind.dialect_impl(_SQLITE).bind_processor(_SQLITE))


def _from_driver(kind: TypeEngine[Any]) -> Convert | None:
    return cast("Convert | None", kind.dialect_impl(_SQLITE).result_processor(_SQLITE, None))

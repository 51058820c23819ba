"""What commands list: a table for people, JSON for programs."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from pydantic import BaseModel
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from tramontane.core.text import printable

_WIDE = 10_000
"""For a program that reads the table: no line is broken."""


def echo_json(model: BaseModel) -> None:
    """The object, as the admin API answers it."""
    click.echo(model.model_dump_json(indent=2))


def echo_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """The rows under their headings; lines are broken only where a terminal is too narrow.

    Columns whose headings are in `numbers` stand to the right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        side: JustifyMethod = "right" if column in numbers else "left"
        table.add_column(column, justify=side, overflow="fold", no_wrap=column == "ID")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE).print(table)


def date(seconds: int | None, otherwise: str = "") -> str:
    """A time to the minute, UTC."""
    if seconds is None:
        return otherwise
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def ago(seconds: int | None, now: float, otherwise: str = "never") -> str:
    """How long ago a time was, in its largest unit."""
    if seconds is None:
        return otherwise
    passed = max(0, int(now) - seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if passed >= length:
            return f"{passed // length} {unit} ago"
    return "just now"

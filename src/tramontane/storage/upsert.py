"""`INSERT … ON CONFLICT`, which both databases understand and SQLAlchemy spells once for each."""

from typing import TypeAlias

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

Insert: TypeAlias = sqlite.Insert | postgresql.Insert


def insert(table: Table, dialect: str) -> Insert:
    """An insertion that can say what to do with a row that is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)

"""Blocks of `docs/structured-output.md`: of the rows that tests check."""

from scripts.pages.markdown import table

from tests.support.schema_features import ENFORCED, REFUSED


def enforced_table() -> str:
    """Every feature of JSON Schema that answers obey."""
    return table(["keyword", "note"], [(row.feature, row.note) for row in ENFORCED])


def refused_table() -> str:
    """Every feature that is an error."""
    return table(["keyword", "instead"], [(row.feature, row.note) for row in REFUSED])


BLOCKS = {"enforced": enforced_table, "refused": refused_table}

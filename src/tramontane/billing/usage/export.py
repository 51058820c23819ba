"""Reports as JSON and CSV. Money is text with all its decimals: most readers make a float of a number."""

import csv
import io
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from tramontane.billing.usage.report import By, UsageLine, UsageReport
from tramontane.core.money import exact_text

_MONEY: Final = {"cost": "cost_usd", "hosted_cost": "hosted_cost_usd"}


def as_json(report: UsageReport) -> dict[str, Any]:
    """The report, its span of days, and its total."""
    query = report.query
    total = _fields(report.total, query.by)
    del total[query.by], total["name"]
    return {
        "since": query.since.isoformat(),
        "until": query.until.isoformat(),
        "by": query.by.value,
        "lines": [_fields(line, query.by) for line in report.lines],
        "total": total,
    }


def as_csv(report: UsageReport) -> str:
    """A header and the lines, without the total, lest whoever adds them up counts everything twice."""
    by = report.query.by
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_fields(UsageLine(""), by)), lineterminator="\n")
    writer.writeheader()
    for line in report.lines:
        writer.writerow({name: _harmless(value) for name, value in _fields(line, by).items()})
    return text.getvalue()


def _fields(line: UsageLine, by: By) -> dict[str, Any]:
    fields = {_MONEY.get(name, name): _plain(value) for name, value in asdict(line).items()}
    return {by.value: fields.pop("of"), **fields}


def _plain(value: object) -> object:
    return exact_text(value) if isinstance(value, Decimal) else value


def _harmless(value: object) -> object:
    """Spreadsheets take what begins like a formula for one, and names are chosen by users."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value

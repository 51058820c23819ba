"""Logging for people or for machines, on stderr, with the request's id and without keys."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from tramontane.core.text import printable

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""The request that the current task works for. A record's own `extra={"correlation_id": …}` goes first."""

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

# The last net under messages and tracebacks: keys should not get as far.
_SECRETS: Final = re.compile(r"\btma?_[0-9A-Za-z]{8,}|(?<=(?i:bearer) )[!-~]+|(?<=://)[^\s/@]+(?=@)")
_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
}
_LIBRARIES: Final = ("uvicorn", "alembic", "sqlalchemy", "aiosqlite", "httpx", "httpcore", "asyncio")


def configure_logging(level: Level, log_format: Format) -> None:
    """Send every record of `level` and above to stderr, those of libraries from one level higher.

    Replaces what was configured before. Uvicorn must be told to leave logging alone (`log_config=None`).
    """
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.captureWarnings(capture=True)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(min(threshold + 10, logging.ERROR))


class ConsoleFormatter(logging.Formatter):
    """`13:37:02 WARNING tramontane.engines  The worker ended  [correlation id]`, safe for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it if there is one."""
        line = f"{_time(record):%H:%M:%S} {record.levelname:<7} {record.name}  {_message(record)}"
        if request := _correlation_id(record):
            line += f"  [{request}]"
        return "\n".join([printable(line.replace("\n", "\\n")), *_trace(self, record)])


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, logger, message, and what `extra` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, Any] = {
            "time": _time(record).astimezone(UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if request := _correlation_id(record):
            entry["correlation_id"] = request
        for name in vars(record).keys() - _STANDARD_ATTRIBUTES - entry.keys():
            entry[name] = vars(record)[name]
        if trace := list(_trace(self, record)):
            entry["exception"] = "\n".join(trace)
        return json.dumps(entry, default=str)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what is stderr now: a progress display takes its place for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        raise NotImplementedError


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created).astimezone()


def _message(record: logging.LogRecord) -> str:
    return _SECRETS.sub("[key]", record.getMessage())


def _correlation_id(record: logging.LogRecord) -> str | None:
    return getattr(record, "correlation_id", None) or correlation_id.get()


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    trace = []
    if record.exc_info:
        trace.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        trace.append(formatter.formatStack(record.stack_info))
    return [printable(_SECRETS.sub("[key]", text)) for text in trace]

import io
import json
import logging
import sys
import warnings

import pytest

from tramontane.accounts.keys import generate_key
from tramontane.observability.logging import configure_logging, correlation_id


@pytest.fixture(autouse=True)
def restored_logging():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    for library in ("uvicorn", "alembic", "sqlalchemy", "aiosqlite", "httpx", "httpcore", "asyncio"):
        logging.getLogger(library).setLevel(logging.NOTSET)


class Stderr:
    def __init__(self, capsys):
        self._capsys = capsys
        self._seen = ""

    def getvalue(self):
        self._seen += self._capsys.readouterr().err
        return self._seen


@pytest.fixture
def stderr(capsys):
    return Stderr(capsys)


def fail(message):
    raise ValueError(message)


logger = logging.getLogger("tramontane.test")


def test_a_line_for_people_has_time_level_logger_and_message(stderr):
    configure_logging("info", "console")
    logger.warning("The %s ended", "worker")

    time, rest = stderr.getvalue().split(" ", 1)
    assert time.count(":") == 2
    assert rest == "WARNING tramontane.test  The worker ended\n"


def test_an_entry_for_machines_is_one_object_with_what_the_record_adds(stderr):
    configure_logging("info", "json")
    logger.info("two\nlines", extra={"status": 200, "path": "/v1"})

    entry = json.loads(stderr.getvalue())
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "logger": "tramontane.test",
        "message": "two\nlines",
        "status": 200,
        "path": "/v1",
    }
    assert stderr.getvalue().count("\n") == 1


def test_an_entry_says_nothing_else_in_the_name_of_its_own_fields(stderr):
    configure_logging("info", "json")
    logger.info("real", extra={"level": "forged", "logger": "forged", "time": "forged"})

    assert "forged" not in stderr.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_request_is_named_from_the_context_or_the_record(log_format, stderr):
    configure_logging("info", log_format)
    token = correlation_id.set("from-context")
    logger.info("one")
    logger.info("two", extra={"correlation_id": "from-record"})
    correlation_id.reset(token)
    logger.info("three")

    one, two, three = stderr.getvalue().splitlines()
    assert "from-context" in one
    assert "from-record" in two
    assert "from-" not in three


def test_what_is_below_the_level_is_left_out_and_libraries_are_quieter(stderr):
    configure_logging("info", "console")
    logger.debug("hidden")
    logging.getLogger("uvicorn.error").info("hidden")
    logging.getLogger("uvicorn.error").warning("shown")

    assert "hidden" not in stderr.getvalue()
    assert "shown" in stderr.getvalue()


def test_the_parameters_of_queries_are_not_logged_even_when_debugging(stderr):
    configure_logging("debug", "console")
    logging.getLogger("aiosqlite").debug("executing SELECT with %s", ["a digest"])

    assert stderr.getvalue() == ""


def test_errors_of_libraries_are_shown_at_every_level(stderr):
    configure_logging("error", "console")
    logging.getLogger("uvicorn.error").error("shown")

    assert "shown" in stderr.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_keys_are_not_logged(log_format, stderr):
    configure_logging("info", log_format)
    key = generate_key()
    try:
        fail(f"refused {key}")
    except ValueError:
        logger.exception("Key %s in Authorization: Bearer an-operators-key", key)

    assert key not in stderr.getvalue()
    assert "an-operators-key" not in stderr.getvalue()
    if log_format == "json":
        assert "ValueError" in json.loads(stderr.getvalue())["exception"]


def test_a_message_can_neither_forge_a_line_nor_command_the_terminal(stderr):
    configure_logging("info", "console")
    logger.info("GET /\n13:37:00 ERROR forged \x1b[2J")

    assert stderr.getvalue().count("\n") == 1
    assert "\x1b" not in stderr.getvalue()


def test_a_traceback_is_below_its_line(stderr):
    configure_logging("info", "console")
    try:
        fail("why")
    except ValueError:
        logger.exception("It failed")

    lines = stderr.getvalue().splitlines()
    assert lines[0].endswith("It failed")
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "ValueError: why"


def test_warnings_are_logged(stderr):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", "console")
        warnings.warn("old ways", stacklevel=1)

    assert "old ways" in stderr.getvalue()


def test_lines_go_to_whatever_stderr_is_now(monkeypatch):
    configure_logging("info", "console")
    first, second = io.StringIO(), io.StringIO()
    for stream in (first, second):
        monkeypatch.setattr(sys, "stderr", stream)
        logger.info("hello")

    assert first.getvalue().count("hello") == second.getvalue().count("hello") == 1

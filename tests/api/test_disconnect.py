"""Clients that leave: whatever is done for them stops at once."""

import asyncio
import json
import logging
import time

import pytest

from tests.api.conftest import CHAT
from tests.api.fakes import answer
from tramontane.api.disconnect import CancelOnDisconnect, unless_disconnected
from tramontane.core.events import TextDelta


@pytest.fixture(autouse=True)
def request_log(caplog):
    caplog.set_level(logging.INFO)


URL = "/v1/chat/completions"


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stream", [True, False], ids=["before the first event", "of a whole answer"])
def test_leaving_while_waiting_closes_the_generator(live, chat, caplog, stream):
    chat.script = [60, *answer("never")]
    with live.post(URL, json.dumps(CHAT | {"stream": stream}).encode()):
        wait_until(lambda: chat.played)
        assert not chat.closed.is_set()

    wait_until(chat.closed.is_set)
    wait_until(lambda: " 499 " in caplog.text)
    assert "Traceback" not in caplog.text


def test_leaving_between_two_events_closes_the_generator(live, chat):
    chat.script = [TextDelta(0, "first"), 60, *answer("never")]
    with live.post(URL, json.dumps(CHAT | {"stream": True}).encode()) as connection:
        data = b""
        while b"first" not in data:
            data += connection.recv(65536)

    wait_until(chat.closed.is_set)
    assert chat.played == 2


def test_leaving_without_reading_closes_the_generator(live, chat):
    chat.script = [TextDelta(0, "x" * 65536)] * 1000 + answer("end")
    with live.post(URL, json.dumps(CHAT | {"stream": True}).encode()):
        wait_until(lambda: chat.played > 1)
        time.sleep(0.3)
        stalled = chat.played

    wait_until(chat.closed.is_set)
    assert stalled < 1000


def test_leaving_in_the_middle_of_the_body_is_no_fault(live, chat, caplog):
    head = (
        f"POST {URL} HTTP/1.1\nHost: test\nAuthorization: Bearer the-key\nContent-Length: 1000\n"
        "Content-Type: application/json\n\n"
    )
    with live.sent(head, b'{"model":'):
        time.sleep(0.1)

    wait_until(lambda: " 499 " in caplog.text)
    assert "Traceback" not in caplog.text
    assert not chat.requests


@pytest.mark.anyio
async def test_a_cancellation_from_outside_passes_through():
    async def silent():
        await asyncio.sleep(60)

    async def work():
        async with CancelOnDisconnect(silent):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.anyio
async def test_work_goes_on_after_a_client_that_left():
    async def gone():
        return {"type": "http.disconnect"}

    async with CancelOnDisconnect(gone) as connection:
        await asyncio.sleep(60)
    assert connection.left
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.anyio
async def test_errors_of_the_work_are_its_own():
    async def silent():
        await asyncio.sleep(60)

    async def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_disconnected(silent, fail())

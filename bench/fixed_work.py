"""What `bench.guard` counts instructions of: fixed work in one process, without a network or a model.

It is run under callgrind, and has it write its counts behind each part: the start, requests, streams.
"""

import asyncio
import gc
import json
import os
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Message

from tramontane.bootstrap import build
from tramontane.settings import load_settings

KEY: Final = "guard-key-of-the-operator"
REQUESTS: Final = 150
STREAMS: Final = 8
CHUNKS: Final = 500
WARM_UP: Final = 10
PATH: Final = "/v1/chat/completions"


async def _ask(app: ASGIApp, body: bytes) -> int:
    """One request; how many pieces its answer has."""
    pieces = 0
    asked = False
    left = asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await left.wait()
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal pieces
        assert message.get("status", 200) == 200, message
        pieces += 1

    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json", "host": "guard"}
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("guard", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return pieces


def _body(text: str, **more: object) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "mistral-small-latest", "messages": messages} | more).encode()


async def _repeat(times: int, work: Callable[[], Awaitable[int]]) -> None:
    for _ in range(times):
        await work()


def _dump() -> None:
    quiet = subprocess.DEVNULL
    subprocess.run(["callgrind_control", "--dump", str(os.getpid())], check=True, stdout=quiet, stderr=quiet)


async def _run(folder: Path) -> None:
    script = folder / "script.json"
    story = {"match": "story", "answer": "".join(f" word{number}" for number in range(CHUNKS))}
    script.write_text(json.dumps({"rules": [story, {"answer": "The sea and the wind."}]}))
    settings = load_settings(
        engine="fake", fake_script=script, data_dir=folder, plan="unlimited", api_key=KEY
    )
    async with build(settings, []) as running:
        short, long = _body("What is there?"), _body("Tell me a story", stream=True)
        await _repeat(WARM_UP, lambda: _ask(running.app, short))
        assert await _ask(running.app, long) > CHUNKS
        gc.collect()
        gc.disable()  # when it comes depends on too much
        _dump()
        await _repeat(REQUESTS, lambda: _ask(running.app, short))
        _dump()
        await _repeat(STREAMS, lambda: _ask(running.app, long))
        _dump()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(_run(Path(data)))

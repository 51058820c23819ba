"""Takes the place of `tramontane.bootstrap` in tests of commands: all of their behaviour, no model.

`python -m tests.support.fake_bootstrap serve …` is a `tramontane` that serves this.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from tramontane.accounts.entities import ApiKey, NewKey
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.cli.main import main as tramontane
from tramontane.core.lifecycle import Lifecycle
from tramontane.errors import ModelStoreError
from tramontane.weights.progress import FetchProgress, Stage

NEW_KEY = "tm_" + "0" * 36
CHAT = ModelProfile(
    "tiny-chat", "", Capabilities(completion_chat=True), 100, aliases=("mistral-large-latest",)
)
EMBED = ModelProfile("tiny-embed", "", Capabilities(), 100)


@dataclass
class PreparedModels:
    pass


@dataclass
class RunningServer:
    app: Starlette
    catalog: list
    plan: str
    new_key: NewKey | None
    key: ApiKey | None
    console_token: str | None = None
    lifecycle: Lifecycle = field(default_factory=Lifecycle)


def prepare_models(settings, progress, ask=None):
    match os.environ.get("FAKE_PREPARATION"):
        case "fails":
            raise ModelStoreError("tiny-chat cannot be fetched: no network")
        case "hangs":
            progress.fetching(FetchProgress("tiny-chat", Stage.LOCATING))
            time.sleep(60)
        case "works":
            for done in range(0, 101, 5):
                progress.fetching(FetchProgress("tiny-chat", Stage.DOWNLOADING, done * 10**6, 100 * 10**6))
            progress.fetching(FetchProgress("tiny-chat", Stage.DONE))
            progress.converting("tiny-chat")
    return PreparedModels()


@asynccontextmanager
async def build(settings, prepared):
    if os.environ.get("FAKE_START") == "hangs":
        try:
            await asyncio.sleep(60)
        finally:
            print("gave up starting", file=sys.stderr, flush=True)
    record = ApiKey(
        id="id", owner_id="workspace", name="First key", digest="digest", hint="tm_…0000", created_at=0
    )
    operators = settings.api_key and settings.api_key.get_secret_value()
    known = operators or NEW_KEY
    try:
        yield RunningServer(
            application(known),
            [SimpleNamespace(profile=CHAT), SimpleNamespace(profile=EMBED)],
            settings.plan or "experiment",
            None if operators else NewKey(NEW_KEY, record),
            None if operators else record,
        )
    finally:
        print("closed", file=sys.stderr, flush=True)


def application(key):
    async def models(request):
        if request.headers.get("authorization") != f"Bearer {key}":
            return JSONResponse({"detail": "Invalid API Key"}, 401)
        return JSONResponse({"data": [{"id": CHAT.id, "capabilities": {"completion_chat": True}}]})

    async def chat(request):
        body = await request.json()
        question = body["messages"][-1]["content"]

        async def frames():
            for number in range(10_000 if question == "endless" else 3):
                choice = {"index": 0, "delta": {"content": f"{question} {number} "}, "finish_reason": None}
                yield f"data: {json.dumps({'choices': [choice]})}\n\n"
                await asyncio.sleep(0.02 if question == "endless" else 0)
            yield "data: [DONE]\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def ready(request):
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/health/ready", ready),
        ]
    )


def main():
    sys.modules["tramontane.bootstrap"] = sys.modules[__name__]
    tramontane()


if __name__ == "__main__":
    main()

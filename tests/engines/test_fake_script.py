"""The script in the documentation does what the documentation says."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.engines.conformance import complete
from tramontane.core.events import FinishReason
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import TURN_END, TURN_START
from tramontane.engines.fake.engine import FakeGenerationEngine
from tramontane.engines.fake.script import Script
from tramontane.errors import EngineError, EngineUnavailableError

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs" / "engines.md"


@pytest.fixture
async def engine(tmp_path):
    example = re.search(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "script.json"
    path.write_text(example[1], encoding="utf-8")
    engine = FakeGenerationEngine(Script.read(path))
    await engine.start()
    return engine


def prompt(text):
    return [TURN_START, *f"user\n{text}".encode(), TURN_END, *b"\n", TURN_START, *b"assistant\n"]


async def say(engine, text):
    answer = await complete(engine, prompt(text), max_tokens=1000)
    return bytes(answer.token_ids).decode(), answer.finish_reason


async def test_answers_are_those_of_the_rules(engine):
    assert await say(engine, "How is the Weather?") == ("Sunny, 24 degrees.", FinishReason.STOP)
    assert [(await say(engine, "ping"))[0] for _ in range(3)] == ["pong", "pong again", "pong"]
    assert await say(engine, "echo ha") == ("You said: echo ha", FinishReason.STOP)
    assert await say(engine, "long") == ("It goes on and", FinishReason.LENGTH)
    assert (await say(engine, "else"))[0].endswith("else")


async def test_a_delay_comes_before_the_first_token(engine):
    slow = asyncio.create_task(say(engine, "slow"))
    await say(engine, "ping")

    assert not slow.done()
    slow.cancel()
    await asyncio.wait([slow])
    assert engine.running == 0


async def test_a_flaky_answer_comes_after_two_failures(engine):
    for _ in range(2):
        with pytest.raises(EngineUnavailableError):
            await say(engine, "flaky")

    assert (await say(engine, "flaky"))[0] == "Third time lucky."


async def test_a_broken_answer_breaks_after_its_tokens(engine):
    received = []
    deltas = engine.generate(TokensPrompt(prompt("broken")), SamplingParams(max_tokens=100))

    async def read():
        async for delta in deltas:
            received.extend(delta.token_ids)

    with pytest.raises(EngineError):
        await read()

    assert bytes(received) == b"It breaks"


async def test_a_pace_is_kept_by_waiting():
    engine = FakeGenerationEngine(tokens_per_second=1e-3)
    await engine.start()
    answer = asyncio.create_task(say(engine, "x"))
    await asyncio.sleep(0.05)

    assert not answer.done()
    await engine.close()
    with pytest.raises(EngineUnavailableError):
        await answer

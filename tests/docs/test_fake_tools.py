"""The tool loop in the documentation of the fake engine plays as it says."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, generation_model
from tests.support.served import served
from tramontane.catalog.fake import CHAT_TEMPLATE
from tramontane.engines.fake.engine import FakeGenerationEngine
from tramontane.engines.fake.script import Script
from tramontane.models.catalog import Catalog
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.tokenizer import ByteTokenizer
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.chat import ChatService

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs" / "engines.md"
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
QUESTION = {"role": "user", "content": "How is the weather?"}


@pytest.fixture
async def service(tmp_path):
    _, example = re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "script.json"
    path.write_text(example, encoding="utf-8")
    engine = FakeGenerationEngine(Script.read(path))
    await engine.start()
    chat = ChatRenderer(ByteTokenizer(), CHAT_TEMPLATE)
    return ChatService(Catalog([served(replace(generation_model(engine), chat=chat))]), FreeMetering())


async def answer(service, *messages, **fields):
    body = {"model": "chat", "messages": messages, "tools": [TOOL], **fields}
    completion = await service.complete(CONTEXT, ChatCompletionRequest.model_validate(body))
    return completion.choices[0]


@pytest.mark.parametrize("tool_choice", ["auto", "any"])
async def test_the_script_thinks_calls_and_reads_the_result(service, tool_choice):
    choice = await answer(service, QUESTION, tool_choice=tool_choice)
    assert (choice.thought, choice.text, choice.finish_reason) == (
        "I need the weather.",
        "I look it up.",
        "tool_calls",
    )
    [call] = choice.tool_calls
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')

    function = {"name": call.name, "arguments": call.arguments}
    asked = {"role": "assistant", "content": "", "tool_calls": [{"id": call.id, "function": function}]}
    told = {"role": "tool", "content": "sunny", "tool_call_id": call.id}
    assert (await answer(service, QUESTION, asked, told)).text == "Take what the weather asks for."


async def test_without_tools_a_call_is_text(service):
    assert "<tool_call>" in (await answer(service, QUESTION, tool_choice="none")).text

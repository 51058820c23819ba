import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, catalog_of
from tramontane.core.events import FinishReason
from tramontane.errors import (
    ContextLengthError,
    FeatureNotEnabledError,
    InvalidModelError,
    SupersededError,
)
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.assemble import Choice
from tramontane.serving.fim import FimService

pytestmark = pytest.mark.anyio


def gap(prompt="def f(a, b):\n    ", suffix="\n    return c\n", **fields):
    return FIMCompletionRequest(**{"model": "chat", "prompt": prompt, "suffix": suffix} | fields)


async def filled(engine, request):
    return await FimService(catalog_of(engine), FreeMetering()).complete(CONTEXT, request)


async def test_the_answer_ends_where_the_suffix_resumes():
    engine = ScriptedEngine("c = a + b\n    return c\n\nprint(f(1, 2))")
    completion = await filled(engine, gap())
    assert completion.choices == (Choice(0, "c = a + b", FinishReason.STOP),)
    assert completion.usage.completion_tokens == len("c = a + b\n    return c\n")
    assert engine.prompts == ["def f(a, b):\n    "]
    assert engine.log[-1] == ("close", 0)


@pytest.mark.parametrize("suffix", [None, "", "  \n"])
async def test_without_a_suffix_the_prompt_is_continued(suffix):
    completion = await filled(ScriptedEngine("return a\n"), gap(suffix=suffix))
    assert completion.choices == (Choice(0, "return a\n", FinishReason.STOP),)


async def test_stop_strings_work_beside_the_suffix():
    completion = await filled(ScriptedEngine("c = 1\n\n    return c"), gap(stop=["\n\n"]))
    assert completion.choices[0].text == "c = 1"


async def test_streamed_text_never_holds_a_piece_of_the_suffix():
    service = FimService(catalog_of(ScriptedEngine("c = 1\n    return c\n")), FreeMetering())
    events = [event async for event in service.stream(CONTEXT, gap())]
    assert "".join(event.text for event in events) == "c = 1"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (gap(model="nobody"), InvalidModelError),
        (gap(model="embed"), FeatureNotEnabledError),
        (gap(prompt="x" * 5000), ContextLengthError),
    ],
)
async def test_errors_of_the_request_come_before_the_first_event(request_, error):
    with pytest.raises(error):
        await anext(FimService(catalog_of(ScriptedEngine("x")), FreeMetering()).stream(CONTEXT, request_))


class TestSuperseding:
    """Requests of an editor, one a keystroke."""

    async def test_a_newer_request_with_the_same_key_ends_the_older_one(self):
        engine = ScriptedEngine("x" * 1000)
        service = FimService(catalog_of(engine), FreeMetering())
        older = service.stream(CONTEXT, gap(prompt_cache_key="editor", suffix=""))
        assert await anext(older)

        newer = await service.complete(CONTEXT, gap(prompt_cache_key="editor", suffix="", max_tokens=3))
        with pytest.raises(SupersededError):
            async for _ in older:
                pass

        assert newer.choices[0].text == "xxx"
        closed = engine.log.index(("close", 0))
        assert ("delta", 0) not in engine.log[closed:]
        assert closed < engine.log.index(("close", 1))

    async def test_one_that_waits_for_a_slot_leaves_the_queue(self):
        engine = ScriptedEngine("x" * 1000)
        catalog = catalog_of(engine)
        service = FimService(catalog, FreeMetering())
        admission = catalog.generation("chat", "FIM").admission
        async with AsyncExitStack() as stack:
            for _ in range(admission.slots):
                await stack.enter_async_context(admission.slot("other"))
            requests = [
                asyncio.create_task(service.complete(CONTEXT, gap(prompt_cache_key="editor", max_tokens=1)))
                for _ in range(3)
            ]
            with pytest.raises(SupersededError):
                await requests[0]
            with pytest.raises(SupersededError):
                await requests[1]
            assert admission.waiting == 1
        assert (await requests[2]).choices[0].text == "x"
        assert (admission.waiting, admission.running) == (0, 0)

    @pytest.mark.parametrize("key", [None, "", "another"])
    async def test_other_requests_go_on(self, key):
        service = FimService(catalog_of(ScriptedEngine("x" * 10)), FreeMetering())
        older = service.stream(CONTEXT, gap(prompt_cache_key=key and "editor", suffix=""))
        await anext(older)
        await service.complete(CONTEXT, gap(prompt_cache_key=key, suffix=""))
        assert [event async for event in older][-1].finish_reason is FinishReason.STOP

    async def test_another_workspace_has_keys_of_its_own(self):
        service = FimService(catalog_of(ScriptedEngine("x" * 10)), FreeMetering())
        older = service.stream(CONTEXT, gap(prompt_cache_key="editor", suffix=""))
        await anext(older)
        stranger = replace(CONTEXT, principal=replace(CONTEXT.principal, workspace_id="stranger"))
        await service.complete(stranger, gap(prompt_cache_key="editor", suffix=""))
        assert [event async for event in older][-1].finish_reason is FinishReason.STOP

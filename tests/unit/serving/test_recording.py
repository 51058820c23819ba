import pytest

from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, catalog_of
from tramontane.errors import EngineError, InvalidModelError, InvalidRequestError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.chat import ChatService
from tramontane.serving.fim import FimService

pytestmark = pytest.mark.anyio


class Recorder:
    def __init__(self):
        self.said = []

    def note(self, said):
        self.said.append(said)


@pytest.fixture
def recorder():
    return Recorder()


def asking(**fields):
    messages = [{"role": "user", "content": "Hi"}]
    return ChatCompletionRequest.model_validate({"model": "chat", "messages": messages, **fields})


async def test_a_request_and_its_answers_are_recorded_when_it_ends(recorder):
    service = ChatService(catalog_of(ScriptedEngine("Hello!", "Hey!")), FreeMetering(), recorder=recorder)
    await service.complete(CONTEXT, asking(n=2))
    (said,) = recorder.said

    assert (said.request_id, said.principal) == (CONTEXT.request_id, CONTEXT.principal)
    assert said.request.messages[0].content == "Hi"
    assert said.answers == [
        {"text": "Hello!", "finish_reason": "stop"},
        {"text": "Hey!", "finish_reason": "stop"},
    ]


async def test_an_answer_that_is_cut_is_recorded_as_far_as_it_came(recorder):
    service = ChatService(catalog_of(ScriptedEngine("Hello!")), FreeMetering(), recorder=recorder)
    stream = service.stream(CONTEXT, asking())
    await anext(stream)
    await anext(stream)
    await stream.aclose()

    assert recorder.said[0].answers == [{"text": "He"}]


async def test_an_engine_that_fails_leaves_what_was_asked(recorder):
    service = ChatService(catalog_of(ScriptedEngine([EngineError()])), FreeMetering(), recorder=recorder)
    with pytest.raises(EngineError):
        await service.complete(CONTEXT, asking())

    assert recorder.said[0].answers == []


async def test_what_is_refused_is_not_recorded(recorder):
    refusing = ScriptedEngine([InvalidRequestError("no")])
    service = ChatService(catalog_of(refusing), FreeMetering(), recorder=recorder)
    with pytest.raises(InvalidRequestError):
        await service.complete(CONTEXT, asking())
    with pytest.raises(InvalidModelError):
        await service.complete(CONTEXT, asking(model="nothing"))

    assert recorder.said == []


async def test_gaps_are_recorded_too(recorder):
    service = FimService(catalog_of(ScriptedEngine("x")), FreeMetering(), recorder)
    await service.complete(CONTEXT, FIMCompletionRequest(model="chat", prompt="a = ", suffix="\n"))

    assert recorder.said[0].request.suffix == "\n"
    assert recorder.said[0].answers == [{"text": "x", "finish_reason": "stop"}]

import pytest

from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta
from tramontane.core.usage import Usage
from tramontane.errors import EngineError
from tramontane.serving.assemble import Choice, Completion, assemble

pytestmark = pytest.mark.anyio


async def test_texts_are_put_together_by_answer_and_ordered_by_index():
    async def events():
        yield TextDelta(1, "b")
        yield TextDelta(0, "a")
        yield ChoiceEnd(1, "B", FinishReason.STOP)
        yield TextDelta(0, "a")
        yield ChoiceEnd(0, "", FinishReason.LENGTH, Usage(3, 2))

    assert await assemble(events()) == Completion(
        (Choice(0, "aa", FinishReason.LENGTH), Choice(1, "bB", FinishReason.STOP)), Usage(3, 2)
    )


async def test_an_error_on_the_way_is_the_outcome():
    async def events():
        yield TextDelta(0, "a")
        raise EngineError

    with pytest.raises(EngineError):
        await assemble(events())

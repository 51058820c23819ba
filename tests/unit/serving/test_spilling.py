"""A model that has no room, and those behind it."""

import pytest

from tests.support.scripted_engine import ScriptedEngine, generation_model
from tests.support.served import served
from tramontane.core.context import RequestContext
from tramontane.core.principal import Principal
from tramontane.errors import (
    CapacityError,
    ConfigurationError,
    ContextLengthError,
    EngineError,
    EngineUnavailableError,
    FeatureNotEnabledError,
)
from tramontane.models.catalog import Catalog
from tramontane.serving.spilling import first_of

pytestmark = pytest.mark.anyio


class Meter:
    def __init__(self):
        self.served = []

    def serve(self, model, listed_as, *, can_hand_over):
        self.served.append((model, listed_as, can_hand_over))


@pytest.fixture
def context():
    return RequestContext("0" * 32, Principal("organization", "workspace", "key"), created=0)


@pytest.fixture
def meter():
    return Meter()


def model(name, spill=(), listed_as=None):
    return served(generation_model(ScriptedEngine(), name, listed_as=listed_as), spill=tuple(spill))


def answering(**scripts):
    """What models say: texts, or errors that they raise."""

    async def answer(chosen):
        for said in scripts[chosen.name]:
            if isinstance(said, Exception):
                raise said
            yield said

    return answer


async def read(context, meter, models, answer):
    return [item async for item in first_of(context, meter, models, answer)]


@pytest.mark.parametrize("refusal", [CapacityError(), EngineUnavailableError()])
async def test_the_next_model_answers_and_is_named(context, meter, refusal):
    models = [model("a"), model("b", listed_as="mistral-large-latest"), model("c")]

    answer = await read(context, meter, models, answering(a=[refusal], b=["from b"], c=[]))

    assert answer == ["from b"]
    assert context.headers["x-tramontane-model"] == "b"
    assert meter.served == [("a", None, True), ("b", "mistral-large-latest", True)]


async def test_what_has_begun_stays_where_it_is(context, meter):
    answer = first_of(
        context, meter, [model("a"), model("b")], answering(a=["half", EngineUnavailableError()], b=["x"])
    )

    assert await anext(answer) == "half"
    with pytest.raises(EngineUnavailableError):
        await anext(answer)


@pytest.mark.parametrize("error", [EngineError(), ContextLengthError(9, 4), ValueError()])
async def test_other_errors_are_not_passed_on(context, meter, error):
    with pytest.raises(type(error)):
        await read(context, meter, [model("a"), model("b")], answering(a=[error], b=["x"]))


async def test_a_model_that_cannot_do_it_is_passed_over(context, meter):
    models = [model("a"), model("b"), model("c")]
    scripts = answering(a=[CapacityError(3)], b=[FeatureNotEnabledError("Image input")], c=["from c"])

    assert await read(context, meter, models, scripts) == ["from c"]


async def test_if_nobody_takes_it_the_first_model_has_spoken(context, meter):
    models = [model("a"), model("b"), model("c")]
    scripts = answering(
        a=[CapacityError(7)], b=[EngineUnavailableError()], c=[FeatureNotEnabledError("Image input")]
    )

    with pytest.raises(CapacityError) as raised:
        await read(context, meter, models, scripts)
    assert raised.value.headers["retry-after"] == "7"
    assert meter.served[-1] == ("c", None, False)


def test_the_models_behind_one_are_those_that_are_served():
    a, b, c = model("a", spill=["c", "gone", "b"]), model("b"), model("c")

    assert Catalog([a, b, c]).with_spill(a) == (a, c, b)
    assert Catalog([a, b, c]).with_spill(b) == (b,)


@pytest.mark.parametrize("behind", ["gone", "a"])
def test_a_list_with_a_wrong_name_is_found_at_the_start(behind):
    with pytest.raises(ConfigurationError, match=f"spill of model a: {behind}"):
        Catalog([model("a", spill=[behind])]).check_spill()

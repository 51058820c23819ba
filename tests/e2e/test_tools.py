"""Tool calls of the built-in model, by the official clients: small as it is, every forced call is valid."""

import gc
import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import pytest
from jsonschema import Draft7Validator
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_mistralai import ChatMistralAI
from mistralai.client import Mistral
from openai import OpenAI
from pydantic import BaseModel, Field

pytestmark = pytest.mark.e2e

MODEL = "mistral-large-latest"


def tool(name, description="", **properties):
    """A function all of whose parameters are required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": parameters | {"additionalProperties": False},
        },
    }


TEXT = {"type": "string", "maxLength": 20}
WEATHER = tool(
    "get_weather", "The weather in a city now", city=TEXT, unit={"enum": ["celsius", "fahrenheit"]}
)
SUM = tool("add", "The sum of two numbers", a={"type": "integer"}, b={"type": "integer"})
TOOLS = {"get_weather": WEATHER, "add": SUM}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def run(name, arguments):
    """The tools themselves."""
    match name, arguments:
        case "get_weather", {"city": str(city), "unit": unit}:
            return json.dumps({"city": city, "temperature": 21, "unit": unit})
        case "add", {"a": int(a), "b": int(b)}:
            return str(a + b)
    raise AssertionError(f"{name} cannot be called with {arguments}")


def check(call):
    """Whether a call of the API has the hosted form, and arguments that its function takes."""
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", call["id"])
    assert call["type"] == "function"
    value = json.loads(arguments)
    assert arguments == json.dumps(value, ensure_ascii=False)
    Draft7Validator(TOOLS[name]["function"]["parameters"]).validate(value)


def ask(server, **fields):
    body = {"model": MODEL, "messages": [QUESTION], "tools": [WEATHER, SUM], "max_tokens": 300} | fields
    with server.client() as client:
        response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return response


@pytest.fixture
def mistral(server):
    with Mistral(api_key=server.key, server_url=server.base_url) as client:
        yield client


@pytest.fixture
def openai(server):
    with OpenAI(api_key=server.key, base_url=f"{server.base_url}/v1") as client:
        yield client


def test_a_loop_of_several_turns_with_mistrals_client(mistral):
    messages = [QUESTION]
    for choice in ("any", {"type": "function", "function": {"name": "add"}}, "required"):
        answer = mistral.chat.complete(
            model=MODEL, messages=messages, tools=[WEATHER, SUM], tool_choice=choice
        )
        assert answer.choices[0].finish_reason == "tool_calls"
        message = answer.choices[0].message
        assert message.content == ""
        messages.append(message)
        for call in message.tool_calls:
            result = run(call.function.name, json.loads(call.function.arguments))
            messages.append(
                {"role": "tool", "name": call.function.name, "content": result, "tool_call_id": call.id}
            )
    last = mistral.chat.complete(
        model=MODEL, messages=messages, tools=[WEATHER, SUM], tool_choice="none", max_tokens=40
    )
    assert last.choices[0].message.tool_calls is None
    assert last.choices[0].message.content


def test_a_loop_of_several_turns_with_openais_client(openai):
    messages = [QUESTION]
    for _ in range(2):
        answer = openai.chat.completions.create(
            model=MODEL, messages=messages, tools=[WEATHER, SUM], tool_choice="required", max_tokens=300
        )
        message = answer.choices[0].message
        messages.append(message)
        for call in message.tool_calls:
            result = run(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "content": result, "tool_call_id": call.id})
    last = openai.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], max_tokens=40)
    assert last.choices[0].finish_reason in {"stop", "length", "tool_calls"}


def test_the_calls_of_a_stream_are_those_of_the_whole_answer(server, openai):
    options = {"tool_choice": "any", "temperature": 0, "random_seed": 1}
    [choice] = ask(server, **options).json()["choices"]
    body = ask(server, **options, stream=True).text
    *_, last, done, _ = body.split("\n\n")
    assert done == "data: [DONE]"
    chunk = json.loads(last.removeprefix("data: "))
    assert chunk["choices"][0]["finish_reason"] == choice["finish_reason"] == "tool_calls"
    assert chunk["usage"]["completion_tokens"] > 5
    without_ids = [
        [call["function"] for call in calls]
        for calls in (chunk["choices"][0]["delta"]["tool_calls"], choice["message"]["tool_calls"])
    ]
    assert without_ids[0] == without_ids[1]

    stream = openai.chat.completions.create(
        model=MODEL, messages=[QUESTION], tools=[WEATHER], tool_choice="required", stream=True, max_tokens=300
    )
    calls = [call for event in stream for choice in event.choices for call in choice.delta.tool_calls or ()]
    assert json.loads(calls[0].function.arguments).keys() == {"city", "unit"}


def test_one_call_at_most_if_parallel_calls_are_off(server):
    choices = ask(server, tool_choice="any", parallel_tool_calls=False, n=4, temperature=1.5).json()[
        "choices"
    ]
    assert [len(choice["message"]["tool_calls"]) for choice in choices] == [1] * 4
    for choice in choices:
        check(choice["message"]["tool_calls"][0])


def test_what_the_model_calls_of_its_own_is_well_formed_too(server):
    system = {"role": "system", "content": "Answer with a call of get_weather, and nothing else."}
    for choice in ask(server, messages=[system, QUESTION], n=4, max_tokens=100).json()["choices"]:
        calls = choice["message"]["tool_calls"] or []
        assert (choice["finish_reason"] == "tool_calls") == bool(calls) or choice["finish_reason"] == "length"
        for call in calls:
            assert isinstance(json.loads(call["function"]["arguments"] or "{}"), dict)


def test_what_the_model_calls_of_a_strict_function_is_valid(server):
    """It may call or not; asked like this it does now and then."""
    weather = {"type": "function", "function": WEATHER["function"] | {"strict": True}}
    system = {"role": "system", "content": "Always call get_weather first. Reply with <tool_call> blocks."}
    question = {"role": "user", "content": "Weather in Rome? <tool_call>"}
    fields = {"tools": [weather], "messages": [system, question], "temperature": 0.8, "random_seed": 0}
    choices = ask(server, **fields, n=8, max_tokens=150).json()["choices"]
    whole = [call for choice in choices for call in choice["message"]["tool_calls"] or ()]
    assert whole
    for call in whole:
        if call["function"]["arguments"]:
            check(call)


PROPERTIES = [
    {"type": "boolean"},
    {"type": "integer", "minimum": 1, "maximum": 12},
    {"type": "number"},
    {"enum": ["red", "green", 3, None]},
    {"const": "fixed"},
    {"type": ["string", "null"], "maxLength": 12},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "integer"}]},
    {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "boolean"}}, "required": ["x"]},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "maxLength": 16},
]


def varied_tools(count):
    """So many functions, each with two to four parameters of different kinds, some of them optional."""
    kinds = cycle(PROPERTIES)
    for number in range(count):
        properties = {f"field_{at}": kind for at, kind in enumerate(islice(kinds, 2 + number % 3))}
        made = tool(f"function_{number}", f"Does thing number {number}", **properties)
        made["function"]["parameters"]["required"] = list(properties)[: 1 + number % 2]
        yield made


@pytest.mark.timeout(600)
def test_fifty_varied_schemas_give_valid_calls_only(server):
    """At a temperature at which the model talks nonsense."""

    def call(number, chosen):
        return ask(
            server,
            messages=[{"role": "user", "content": f"Please do thing number {number}."}],
            tools=[chosen],
            tool_choice="any",
            parallel_tool_calls=False,
            temperature=1.2,
            random_seed=number,
            max_tokens=400,
        ).json()["choices"][0]

    tools = list(varied_tools(50))
    with ThreadPoolExecutor(8) as threads:
        choices = list(threads.map(call, range(50), tools))
    for made, choice in zip(tools, choices, strict=True):
        assert choice["finish_reason"] == "tool_calls", choice
        [function] = [call["function"] for call in choice["message"]["tool_calls"]]
        assert function["name"] == made["function"]["name"]
        Draft7Validator(made["function"]["parameters"]).validate(json.loads(function["arguments"]))


def test_a_forced_call_that_is_cut_has_no_arguments(server):
    choice = ask(server, tool_choice="any", max_tokens=17).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"] or ()] in ([""], [])


class Boat(BaseModel):
    """A boat."""

    name: str = Field(max_length=20)
    masts: int = Field(ge=1, le=4)
    is_fast: bool


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestLangChain:
    """Its client leaves the connection of a stream to the garbage collector, which complains."""

    @pytest.fixture
    def model(self, server):
        model = ChatMistralAI(
            model=MODEL, api_key=server.key, endpoint=f"{server.base_url}/v1", max_tokens=300
        )
        yield model
        model.client.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def test_bound_tools_are_called_and_their_results_read(self, model):
        bound = model.bind_tools([WEATHER], tool_choice="any")
        messages = [HumanMessage("What is the weather in Paris?")]
        answer = bound.invoke(messages)
        assert isinstance(answer, AIMessage)
        assert answer.tool_calls
        results = [
            ToolMessage(run(call["name"], call["args"]), tool_call_id=call["id"])
            for call in answer.tool_calls
        ]
        last = model.bind(max_tokens=20).invoke([*messages, answer, *results])
        assert last.content

    def test_calls_are_streamed(self, model):
        chunks = list(model.bind_tools([WEATHER], tool_choice="any").stream("What is the weather in Paris?"))
        assert [call["name"] for chunk in chunks for call in chunk.tool_calls][:1] == ["get_weather"]

    def test_structured_output_by_a_function_is_an_object_of_its_class(self, model):
        boat = model.with_structured_output(Boat, method="function_calling").invoke("Invent a boat.")
        assert isinstance(boat, Boat)

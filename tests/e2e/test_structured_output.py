"""JSON mode and JSON schemas with the built-in model: whatever it says, it is valid."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from jsonschema import Draft202012Validator
from mistralai.client import Mistral
from openai import OpenAI
from pydantic import BaseModel, Field, HttpUrl

from tests.support.json_schemas import OBJECT_SCHEMAS
from tramontane.errors import SchemaError
from tramontane.prompts.grammar.builder import GrammarBuilder

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MODEL = "mistral-large-latest"


class Address(BaseModel):
    street: str = Field(max_length=40)
    city: str
    postcode: str = Field(pattern=r"^\d{5}$")


class Person(BaseModel):
    name: str = Field(min_length=1, max_length=30)
    age: int = Field(ge=0, le=120)
    email: str | None = None
    addresses: list[Address] = Field(max_length=2)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    trick: str


class Owner(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Tree(BaseModel):
    label: str
    children: list["Tree"] = Field(max_length=2)


class Page(BaseModel):
    url: HttpUrl
    rating: float = Field(gt=0, lt=5)
    tags: dict[Literal["topic", "mood"], str]


MODELS = [Address, Person, Owner, Tree, Page]
REALISTIC = [model.model_json_schema() for model in MODELS]
RANDOM = 195


def random_schemas():
    """The same ones each time, all of which some value satisfies."""
    found = {}

    @seed(20)
    @settings(
        max_examples=3 * RANDOM,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(OBJECT_SCHEMAS)
    def collect(schema):
        builder = GrammarBuilder()
        try:
            builder.build(builder.schema(schema))
        except SchemaError:
            return
        found.setdefault(json.dumps(schema, sort_keys=True), schema)

    collect()
    return list(found.values())[:RANDOM]


def asking(schema, text="Invent an example.", **fields):
    json_schema = {"name": "answer", "schema": schema}
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "response_format": {"type": "json_schema", "json_schema": json_schema},
        **fields,
    }


def answer_of(response):
    assert response.status_code == 200, response.text
    [choice] = response.json()["choices"]
    return choice["message"]["content"], choice["finish_reason"]


def streamed(client, body):
    """The pieces of a streamed answer, and why it ended."""
    pieces, reason = [], None
    with client.stream("POST", "/v1/chat/completions", json=body | {"stream": True}) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                [choice] = json.loads(line.removeprefix("data: "))["choices"]
                pieces.append(choice["delta"].get("content") or "")
                reason = choice["finish_reason"] or reason
    return "".join(pieces), reason


def test_every_answer_that_is_not_cut_is_valid(server):
    schemas = REALISTIC + random_schemas()
    assert len(schemas) == 200

    def ask(numbered):
        number, schema = numbered
        body = asking(schema, temperature=1, max_tokens=120, random_seed=number)
        return schema, *answer_of(client.post("/v1/chat/completions", json=body))

    with server.client(timeout=250) as client, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, enumerate(schemas)))
    whole = [(schema, text) for schema, text, reason in answers if reason == "stop"]
    assert {reason for *_, reason in answers} <= {"stop", "length"}
    assert len(whole) > 150
    for schema, text in whole:
        value = json.loads(text)
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert [error.message for error in validator.iter_errors(value)] == [], (text, schema)
        assert text.startswith("{")


@pytest.mark.parametrize("schema", REALISTIC, ids=[model.__name__ for model in MODELS])
def test_a_stream_says_the_same_as_the_whole(server, schema):
    body = asking(schema, temperature=0, max_tokens=120)
    with server.client() as client:
        assert streamed(client, body) == answer_of(client.post("/v1/chat/completions", json=body))


def test_json_mode_is_an_object(server):
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Three colours and their hex codes, as a JSON object."}],
        "response_format": {"type": "json_object"},
        "max_tokens": 120,
        "temperature": 0.7,
    }
    with server.client() as client:
        texts = [
            answer_of(client.post("/v1/chat/completions", json=body | {"random_seed": i})) for i in range(4)
        ]
    assert all(text.startswith("{") for text, _ in texts)
    whole = [json.loads(text) for text, reason in texts if reason == "stop"]
    assert all(isinstance(value, dict) for value in whole)


def test_n_answers_each_have_the_form(server):
    body = asking(Owner.model_json_schema(), n=3, temperature=1, max_tokens=80, random_seed=3)
    with server.client() as client:
        choices = client.post("/v1/chat/completions", json=body).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    for choice in choices:
        if choice["finish_reason"] == "stop":
            Owner.model_validate_json(choice["message"]["content"])


def test_a_cut_says_so(server):
    with server.client() as client:
        text, reason = answer_of(client.post("/v1/chat/completions", json=asking(REALISTIC[1], max_tokens=4)))
    assert reason == "length"
    assert '{"name": "'.startswith(text)


def test_the_answer_is_about_what_was_asked(server):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"}},
        "required": ["name", "age", "city"],
    }
    body = asking(schema, "Ann is 34 years old and lives in Paris.", temperature=0, max_tokens=60)
    with server.client() as client:
        text, _ = answer_of(client.post("/v1/chat/completions", json=body))
    assert json.loads(text) == {"name": "Ann", "age": 34, "city": "Paris"}


def test_the_mistral_client_parses_models(server):
    messages = [{"role": "user", "content": "My dog Rex rolls over."}]
    options = {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 100}
    with Mistral(api_key=server.key, server_url=server.base_url) as client:
        answer = client.chat.parse(Owner, **options)
        assert isinstance(answer.choices[0].message.parsed, Owner)
        stream = client.chat.parse_stream(Owner, **options)
        text = "".join(event.data.choices[0].delta.content for event in stream)
    assert Owner.model_validate_json(text) == answer.choices[0].message.parsed


def test_the_openai_client_parses_models(server):
    messages = [{"role": "user", "content": "A cat with nine lives."}]
    with OpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", max_retries=0) as client:
        answer = client.chat.completions.parse(
            model=MODEL, messages=messages, response_format=Cat, temperature=0, max_tokens=60
        )
    assert isinstance(answer.choices[0].message.parsed, Cat)


def deep(levels):
    schema = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"properties": {str(i): {"type": "string"} for i in range(5000)}}, "more than 512 names"),
        (deep(300), "nested deeper"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "(.{500},){500}"}}},
            "too complex",
        ),
        ({"type": "object", "properties": {"a": {"not": {}}}}, "$.properties.a: `not` cannot be enforced"),
    ],
)
def test_a_hostile_schema_is_refused(server, schema, says):
    with server.client() as client:
        answer = client.post("/v1/chat/completions", json=asking(schema))
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert answer.json()["code"] == "3051"


def test_a_large_schema_does_not_hold_up_a_running_stream(server):
    """Its reading takes a second or so, and the stream goes on meanwhile."""
    big = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 63}}, "required": ["a"]}
    frames, running = [], threading.Event()

    def watch():
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Count to 500."}], "max_tokens": 400}
        with (
            server.client() as client,
            client.stream(
                "POST", "/v1/chat/completions", json=body | {"stream": True, "min_tokens": 400}
            ) as response,
        ):
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    frames.append(line)
                    running.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert running.wait(60)
    before = len(frames)
    with (
        server.client() as client,
        client.stream(
            "POST", "/v1/chat/completions", json=asking(big, max_tokens=60) | {"stream": True}
        ) as response,
    ):
        next(response.iter_lines())
        meanwhile = len(frames) - before
    watcher.join()
    assert json.loads(frames[-1].removeprefix("data: "))["usage"]["completion_tokens"] == 400
    assert meanwhile > 3


def strings(**limits):
    return {"type": "object", "properties": {"a": {"type": "string", **limits}}, "required": ["a"]}


HOSTILE = [
    deep(300),
    deep(60),
    strings(pattern="(.{500},){500}"),
    strings(pattern="^(a+)+(b|b)*(c?){40}$"),
    strings(maxLength=5000),
    strings(enum=[f"word {number}" for number in range(3000)]),
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
    {"anyOf": [strings(maxLength=length) for length in range(1, 60)]},
]


def test_hostile_schemas_all_at_once_hold_up_no_stream(server):
    """Each is refused or obeyed, and an answer without a schema goes on meanwhile."""
    plain = {"model": MODEL, "messages": [{"role": "user", "content": "Count."}], "stream": True}
    with server.client(timeout=120) as client, ThreadPoolExecutor(len(HOSTILE)) as pool:
        answers = [
            pool.submit(client.post, "/v1/chat/completions", json=asking(schema, max_tokens=8))
            for schema in HOSTILE
        ]
        whole = 0
        while not all(answer.done() for answer in answers):
            with client.stream("POST", "/v1/chat/completions", json=plain | {"max_tokens": 30}) as response:
                whole += list(response.iter_lines())[-2:].count("data: [DONE]")
        assert whole
        for answer in answers:
            assert answer.result().status_code in (200, 400)
        assert client.post("/v1/chat/completions", json=asking(strings(), max_tokens=40)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "{", "prefix": True},
                ]
            },
            "response_format cannot be combined with a prefix",
        ),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format of type json_schema requires json_schema",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(server, fields, says):
    with server.client() as client:
        answer = client.post("/v1/chat/completions", json=asking({"type": "object"}) | fields)
    assert answer.status_code == 400
    assert says in answer.json()["message"]

"""Bodies that nobody would send, to the routes that make something of them."""

import json

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.conftest import effort

pytestmark = pytest.mark.process

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HARMLESS = {400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 431}
CHAT = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 20}
FIELDS = [
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "stop",
    "n",
    "temperature",
    "max_tokens",
    "stream",
    "metadata",
    "prediction",
    "min_tokens",
    "random_seed",
    "guardrails",
    "reasoning_effort",
]
PATHS = ["/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings"]


@pytest.fixture(scope="module")
def client(server):
    with server.client(timeout=60) as client:
        yield client


def is_harmless(answer):
    """An answer, or a refusal in one of the hosted shapes."""
    if answer.status_code == 200:
        return True
    body = answer.json()
    return answer.status_code in HARMLESS and ("detail" in body or body.get("object") == "error")


@effort(60)
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
@example(PATHS[0], b"[" * 100_000)
@example(PATHS[0], b'{"a":' * 100_000)
@example(PATHS[0], b'{"messages": [' + b"{}," * 100_000 + b"{}]}")
@example(PATHS[0], b'{"model": "\\ud800"}')
@example(PATHS[0], b"\xff\xfe{\x00}\x00")
@example(PATHS[2], b'{"model": "mistral-embed", "input": ' + b"9" * 100_000 + b"}")
def test_any_bytes(client, path, body):
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert is_harmless(answer), answer.text


@effort(80)
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_of_a_field(client, field, value):
    body = json.dumps(CHAT | {field: value}).encode()
    answer = client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert is_harmless(answer), answer.text


SCHEMA_WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "items",
        "$ref",
        "$defs",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "enum",
        "const",
        "pattern",
        "required",
        "additionalProperties",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "format",
        "prefixItems",
        "patternProperties",
        "if",
        "then",
        "else",
        "multipleOf",
        "propertyNames",
    ]
)
SCHEMA_VALUES = st.sampled_from(
    ["object", "array", "string", "integer", "#", "#/$defs/a", "(a+)+$", "(a|a)*b", "[", "^(?=x)"]
) | st.sampled_from([0, -1, 10**9, 1e308])
SCHEMAS = st.recursive(
    SCHEMA_VALUES | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(SCHEMA_WORDS | st.just("a"), inner, max_size=4)
    ),
    max_leaves=15,
)


@effort(100)
@given(schema=SCHEMAS, as_tool=st.booleans())
def test_any_schema(client, schema, as_tool):
    if as_tool:
        function = {"name": "f", "parameters": schema}
        demand = {"tools": [{"type": "function", "function": function}], "tool_choice": "any"}
    else:
        json_schema = {"name": "s", "schema": schema}
        demand = {"response_format": {"type": "json_schema", "json_schema": json_schema}}
    answer = client.post("/v1/chat/completions", json=CHAT | demand)
    assert is_harmless(answer), answer.text


@effort(40)
@given(
    key=st.binary(max_size=60),
    name=st.sampled_from(
        [b"authorization", b"Authorization", b"x-api-key", b"content-length", b"host", b"expect"]
    ),
)
def test_any_header(server, key, name):
    value = key.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    with httpx.Client(base_url=server.base_url, timeout=60, trust_env=False) as client:
        try:
            answer = client.request("GET", "/v1/models", headers=[(name, value)])
        except (httpx.ProtocolError, httpx.NetworkError):
            return  # not sent at all by this client, or cut without an answer
    assert answer.status_code != 200
    assert answer.status_code < 500

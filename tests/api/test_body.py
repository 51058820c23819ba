"""The way of a body to its schema, and all the ways to fail on it."""

import json

import httpx
import pytest

from tests.api.conftest import CHAT, received
from tests.api.fakes import KEY
from tramontane.api.body import MAX_OBJECTS
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"


async def details(client, content, url=URL, **headers):
    response = await client.post(url, content=content, headers={"content-type": "application/json"} | headers)
    assert response.status_code == 422, response.text
    assert list(response.json()) == ["detail"]
    return response.json()["detail"]


def changed(**fields):
    return json.dumps(CHAT | fields)


class TestHostedShapes:
    async def test_unknown_field(self, client):
        assert await details(client, changed(top_a=False)) == [
            {
                "type": "extra_forbidden",
                "loc": ["body", "top_a"],
                "msg": "Extra inputs are not permitted",
                "input": False,
            }
        ]

    async def test_out_of_range(self, client):
        assert await details(client, changed(temperature=2.5)) == [
            {
                "type": "less_than_equal",
                "loc": ["body", "temperature"],
                "msg": "Input should be less than or equal to 1.5",
                "input": 2.5,
                "ctx": {"le": 1.5},
            }
        ]

    async def test_enum(self, client):
        (detail,) = await details(client, changed(response_format={"type": "yaml"}))
        assert detail["loc"] == ["body", "response_format", "type"]
        assert detail["msg"] == "Input should be 'text', 'json_object' or 'json_schema'"
        assert detail["ctx"] == {"expected": "'text', 'json_object' or 'json_schema'"}

    async def test_missing_field(self, client):
        (detail,) = await details(client, json.dumps({"model": "m"}))
        assert detail == {
            "type": "missing",
            "loc": ["body", "messages"],
            "msg": "Field required",
            "input": {"model": "m"},
        }

    async def test_fields_of_messages_are_found_under_their_role(self, client):
        messages = [*CHAT["messages"], {"role": "assistant", "content": "", "finish_reason": "stop"}]
        (detail,) = await details(client, changed(messages=messages))
        assert detail["loc"] == ["body", "messages", 1, "assistant", "finish_reason"]

    async def test_content_is_found_under_the_kinds_it_could_be(self, client):
        found = await details(client, changed(messages=[{"role": "system", "content": 5}]))
        assert found[0]["loc"] == ["body", "messages", 0, "system", "content", "str"]

    async def test_unknown_role(self, client):
        (detail,) = await details(client, changed(messages=[{"role": "robot", "content": "x"}]))
        assert detail["type"] == "union_tag_invalid"
        assert detail["loc"] == ["body", "messages", 0]
        assert detail["msg"] == (
            "Input tag 'robot' found using 'role' does not match any of the expected tags: "
            "'assistant', 'system', 'tool', 'user'"
        )

    async def test_bad_json(self, client):
        (detail,) = await details(client, '{"model": }')
        assert detail["type"] == "json_invalid"
        assert detail["loc"] == ["body", 10]
        assert detail["msg"] == "JSON decode error"
        assert detail["input"] == {}

    async def test_empty_body(self, client):
        assert await details(client, "") == [
            {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
        ]

    @pytest.mark.parametrize("value", [[], "text", 5, None, True])
    async def test_json_that_is_no_object(self, client, value):
        (detail,) = await details(client, json.dumps(value))
        assert detail["type"] == "model_attributes_type"
        assert detail["loc"] == ["body"]
        assert detail["input"] == value

    @pytest.mark.parametrize(
        ("url", "body", "loc"),
        [
            ("/v1/fim/completions", {"model": "m"}, ["body", "prompt"]),
            ("/v1/embeddings", {"model": "m"}, ["body", "input"]),
            ("/v1/embeddings", {"model": "m", "input": [[1, 2]]}, ["body", "input", "str"]),
        ],
    )
    async def test_other_endpoints(self, client, url, body, loc):
        assert (await details(client, json.dumps(body), url=url))[0]["loc"] == loc


class TestLists:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("messages", [{"role": "user", "content": "x"}] * (MAX_OBJECTS + 1)),
            ("messages", [{"role": "user", "content": [{"type": "text", "text": "x"}] * MAX_OBJECTS}]),
            (
                "messages",
                [
                    {
                        "role": "assistant",
                        "content": [{"type": "thinking", "thinking": [{"text": "x"}] * MAX_OBJECTS}],
                    }
                ],
            ),
            ("tools", [{"type": "function"}] * (MAX_OBJECTS + 1)),
            ("guardrails", [{}] * (MAX_OBJECTS + 1)),
        ],
    )
    async def test_absurdly_many_objects_are_refused_before_they_are_looked_at(self, client, field, value):
        assert await details(client, changed(**{field: value})) == [
            {
                "type": "too_long",
                "loc": ["body", field],
                "msg": "List should have at most 16384 items, those inside of its items included",
                "ctx": {"field_type": "List", "max_length": MAX_OBJECTS},
            }
        ]

    async def test_as_many_as_there_may_be(self, client):
        messages = CHAT["messages"] * MAX_OBJECTS
        assert (await client.post(URL, content=changed(messages=messages))).status_code == 200

    async def test_objects_of_schemas_and_arguments_do_not_count(self, client):
        big = {"anyOf": [{"const": number} for number in range(MAX_OBJECTS + 1)]}
        tool = {"type": "function", "function": {"name": "f", "parameters": big}}
        assert (await client.post(URL, content=changed(tools=[tool]))).status_code == 200

    async def test_texts_to_embed_are_for_their_own_limit(self, client):
        body = json.dumps({"model": "mistral-embed", "input": ["x"] * (MAX_OBJECTS + 1)})
        assert (await client.post("/v1/embeddings", content=body)).status_code == 200


class TestContentType:
    @pytest.mark.parametrize(
        "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"]
    )
    async def test_json_by_any_name(self, client, content_type):
        response = await client.post(URL, content=changed(), headers={"content-type": content_type})
        assert response.status_code == 200

    async def test_none_is_json(self, client):
        response = await client.post(URL, content=changed())
        assert "content-type" not in response.request.headers
        assert response.status_code == 200

    async def test_curls_default_is_refused_as_by_fastapi(self, client):
        (detail,) = await details(client, changed(), **{"content-type": "application/x-www-form-urlencoded"})
        assert detail["type"] == "model_attributes_type"
        assert detail["input"] == changed()


class TestHostileJson:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"model": NaN}',
            b'{"temperature": Infinity}',
            b'{"temperature": 1e999}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"model": "\xff\xfe"}',
            b'{"model": "\\ud800"}',
            b'{"model": "a\x00b"}',
            b"{} {}",
            b"\xef\xbb\xbf{}",
            b"{'model': 'm'}",
        ],
        ids=lambda body: body[:24].decode(errors="replace"),
    )
    async def test_what_is_no_json_is_422(self, client, body):
        (detail,) = await details(client, body)
        assert detail["type"] == "json_invalid"

    async def test_the_last_of_two_equal_keys_counts(self, client, chat):
        body = '{"temperature": 5, "temperature": 1, ' + json.dumps(CHAT)[1:]
        response = await client.post(URL, content=body)
        assert response.status_code == 200
        assert chat.requests[0].temperature == 1

    @pytest.mark.parametrize("depth", [100, 250])
    async def test_nesting_in_a_free_field_is_data(self, client, depth):
        metadata = b'{"a":' * depth + b"1" + b"}" * depth
        body = json.dumps(CHAT)[:-1].encode() + b', "metadata": ' + metadata + b"}"
        assert (await client.post(URL, content=body)).status_code == 200

    @pytest.mark.parametrize("depth", [300, 900])
    async def test_nesting_that_could_not_be_written_again_is_422(self, client, depth):
        metadata = b'{"a":' * depth + b"1" + b"}" * depth
        body = json.dumps(CHAT)[:-1].encode() + b', "metadata": ' + metadata + b"}"
        (detail,) = await details(client, body)
        assert detail == {
            "type": "too_deep",
            "loc": ["body", "metadata"],
            "msg": "Object is nested too deeply to be kept",
        }

    @pytest.mark.parametrize("depth", [100, 300, 900])
    async def test_deep_nesting_where_it_does_not_belong_is_422(self, client, depth):
        value = b"[" * depth + b"]" * depth
        body = json.dumps(CHAT)[:-1].encode() + b', "temperature": ' + value + b"}"
        (detail,) = await details(client, body)
        assert detail["loc"] == ["body", "temperature"]

    async def test_a_large_offender_is_not_repeated(self, client):
        (detail,) = await details(client, changed(temperature="x" * 100_000))
        assert "input" not in detail
        assert detail["loc"] == ["body", "temperature"]

    @pytest.mark.parametrize(
        "fields",
        [
            {f"unknown{number}": 0 for number in range(30_000)},
            {"messages": [0] * 100_000},
            {"messages": [{"role": "user", "content": [0] * 100_000}]},
            {"messages": [{"role": "user"} | {f"unknown{number}": 0 for number in range(30_000)}]},
            {"stop": [0] * 100_000},
            {"tools": [{}] * 100_000},
        ],
        ids=["fields", "messages", "chunks", "fields of a message", "stops", "tools"],
    )
    async def test_a_hundred_thousand_mistakes_are_a_few_errors(self, client, fields):
        response = await client.post(URL, json=CHAT | fields)
        assert response.status_code == 422
        assert len(response.json()["detail"]) <= 3
        assert len(response.content) < 64 * 1024

    @pytest.mark.parametrize("number", ["1e25", "18446744073709551616", "-1", "1.5", "9" * 400])
    async def test_numbers_beyond_64_bits_are_422(self, client, number):
        body = json.dumps(CHAT)[:-1] + f', "random_seed": {number}}}'
        response = await client.post(URL, content=body)
        assert response.status_code == 422

    async def test_the_largest_seed_is_exact(self, client, chat):
        await client.post(URL, content=changed(random_seed=2**64 - 1))
        assert chat.requests[0].random_seed == 2**64 - 1


class TestOrder:
    @pytest.mark.parametrize("url", [URL, "/v1/fim/completions", "/v1/embeddings"])
    async def test_no_key_and_bad_json_is_401(self, client, url):
        response = await client.post(url, content="{", headers={"authorization": ""})
        assert response.status_code == 401

    async def test_no_byte_of_a_strangers_body_is_waited_for(self, live):
        head = f"POST {URL} HTTP/1.1\nHost: test\nContent-Length: 100000\nConnection: close\n\n"
        with live.sent(head) as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 401")


class TestTooLarge:
    def check(self, live, body):
        """A body is refused, and the connection lives on for the next request."""
        with httpx.Client(base_url=live.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            response = client.post(URL, content=body)
            assert response.status_code == 413
            assert response.json() == {
                "object": "error",
                "message": "Request body is larger than 1048576 bytes",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
                "raw_status_code": 413,
            }
            assert "mistral-correlation-id" in response.headers
            assert client.post(URL, json=CHAT).status_code == 200

    def test_declared(self, live):
        self.check(live, b" " * (4 * 1024 * 1024))

    def test_undeclared(self, live):
        self.check(live, (b" " * 0x10000 for _ in range(64)))

    def test_the_largest_body_is_read(self, live):
        body = changed().encode()
        with live.post(URL, body + b" " * (1024 * 1024 - len(body))) as connection:
            assert received(connection)[0] == "HTTP/1.1 200 OK"


class TestStrict:
    @pytest.fixture
    def settings(self):
        return Settings(strict=True)

    @pytest.mark.parametrize(
        ("fields", "loc"),
        [
            ({"max_completion_tokens": 3}, ["body", "max_completion_tokens"]),
            ({"seed": 3}, ["body", "seed"]),
            ({"temperature": 1.6}, ["body", "temperature"]),
            ({"user": "u"}, ["body", "user"]),
            ({"stream_options": {"include_usage": True}}, ["body", "stream_options"]),
            ({"messages": [{"role": "developer", "content": "x"}]}, ["body", "messages", 0]),
            (
                {"messages": [{"role": "user", "content": "x", "name": "n"}]},
                ["body", "messages", 0, "user", "name"],
            ),
        ],
    )
    async def test_what_the_hosted_api_refuses_is_refused(self, client, fields, loc):
        (detail,) = await details(client, changed(**fields))
        assert detail["loc"] == loc

    async def test_what_it_takes_is_taken(self, client):
        assert (await client.post(URL, json=CHAT)).status_code == 200

"""What all routes share: keys, paths, methods, headers, health, the OpenAPI document."""

import uuid

import pytest

from tests.api.conftest import CHAT
from tests.api.fakes import KEY

pytestmark = pytest.mark.anyio

POSTS = ["/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings"]
GETS = ["/v1/models", "/v1/models/tiny-chat"]


class TestKeys:
    @pytest.mark.parametrize(("method", "path"), [*(("POST", p) for p in POSTS), *(("GET", p) for p in GETS)])
    @pytest.mark.parametrize(
        "authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", KEY, f"Basic {KEY}", "Bearer \xe9"]
    )
    async def test_no_key_or_a_wrong_one_is_the_hosted_401(self, client, method, path, authorization):
        del client.headers["authorization"]
        headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
        response = await client.request(method, path, headers=headers)

        assert response.status_code == 401
        assert response.json() == {"detail": "Invalid API Key"}
        assert response.headers["www-authenticate"] == "Bearer"
        assert "mistral-correlation-id" in response.headers

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    async def test_the_scheme_is_read_in_any_case(self, client, scheme):
        response = await client.get("/v1/models", headers={"authorization": f"{scheme} {KEY}"})
        assert response.status_code == 200

    async def test_continues_extra_header_does_no_harm(self, client):
        assert (await client.get("/v1/models", headers={"x-api-key": "anything"})).status_code == 200


class TestPathsAndMethods:
    @pytest.mark.parametrize("path", ["/", "/v1", "/v2/models", "/v1/chat", "/chat/completions", "/docs"])
    async def test_an_unknown_path_is_404(self, client, path):
        response = await client.get(path)
        assert response.status_code == 404
        assert response.json() == {"detail": "Not Found"}
        assert "mistral-correlation-id" in response.headers

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [("GET", POSTS[0], "POST"), ("DELETE", POSTS[2], "POST"), ("POST", "/v1/models", "GET")],
    )
    async def test_a_wrong_method_is_405(self, client, method, path, allowed):
        response = await client.request(method, path)
        assert response.status_code == 405
        assert response.json() == {"detail": "Method Not Allowed"}
        assert response.headers["allow"] == allowed

    @pytest.mark.parametrize("path", ["/health/live", "/health/ready", *GETS])
    async def test_head_is_get_without_the_body(self, client, path):
        whole, head = await client.get(path), await client.head(path)
        assert head.status_code == 200
        assert head.content == b""
        for name in ("content-type", "content-length"):
            assert head.headers[name] == whole.headers[name]

    async def test_head_fails_as_get_does(self, client):
        assert (await client.head("/nowhere")).status_code == 404
        assert (await client.head(POSTS[0])).status_code == 405
        del client.headers["authorization"]
        assert (await client.head("/v1/models")).status_code == 401


class TestHeaders:
    async def test_every_answer_has_an_id_of_its_own(self, client):
        ids = [(await client.get("/v1/models")).headers["mistral-correlation-id"] for _ in range(2)]
        assert ids[0] != ids[1]
        assert all(uuid.UUID(value).version == 7 for value in ids)

    async def test_common_headers(self, client):
        headers = (await client.get("/v1/models")).headers
        assert headers["access-control-allow-origin"] == "*"
        assert headers["access-control-expose-headers"] == "*"
        assert headers["x-content-type-options"] == "nosniff"

    async def test_a_page_may_ask_to_call_the_api(self, client):
        response = await client.options(
            POSTS[0],
            headers={
                "authorization": "",
                "origin": "https://example.org",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, content-type",
            },
        )
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert "POST" in response.headers["access-control-allow-methods"]
        assert response.headers["access-control-allow-headers"] == "authorization, content-type"
        assert "access-control-allow-credentials" not in response.headers

    async def test_options_alone_is_just_a_wrong_method(self, client):
        assert (await client.options(POSTS[0])).status_code == 405


class TestLog:
    async def test_one_line_a_request_and_no_key(self, client, caplog):
        caplog.set_level("INFO")
        await client.post(POSTS[0], json=CHAT)

        (record,) = [record for record in caplog.records if record.name == "tramontane.api.middleware"]
        assert record.getMessage().startswith("POST /v1/chat/completions 200 in ")
        assert KEY not in caplog.text

    async def test_a_path_cannot_forge_a_line(self, client, caplog):
        caplog.set_level("INFO")
        await client.get("/v1/%0Aforged")
        assert "\nforged" not in caplog.text

    async def test_health_checks_are_not_worth_a_line(self, client, caplog):
        caplog.set_level("INFO")
        await client.get("/health/live")
        assert "/health/live" not in " ".join(
            record.message for record in caplog.records if record.name.startswith("tramontane")
        )


class TestHealth:
    async def test_needs_no_key(self, client):
        del client.headers["authorization"]
        for path in ("/health/live", "/health/ready"):
            assert (await client.get(path)).status_code == 200

    async def test_not_ready_says_which_model_and_why(self, client, engine):
        engine.problem = "The engine is restarting."
        response = await client.get("/health/ready")

        assert response.status_code == 503
        assert response.json() == {
            "status": "not ready",
            "models": {"tiny-chat": "The engine is restarting."},
        }
        assert (await client.get("/health/live")).status_code == 200


class TestOpenapi:
    @pytest.fixture
    async def document(self, client):
        return (await client.get("/openapi.json")).json()

    async def test_every_reference_leads_somewhere(self, document):
        schemas = document["components"]["schemas"]
        names = {name.rsplit("/", 1)[1] for name in references(document)}
        assert names <= schemas.keys()

    async def test_bodies_are_declared(self, document):
        for path, schema in zip(
            POSTS, ["ChatCompletionRequest", "FIMCompletionRequest", "EmbeddingRequest"], strict=True
        ):
            body = document["paths"][path]["post"]["requestBody"]
            assert body["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{schema}"}
            assert document["components"]["schemas"][schema]["additionalProperties"] is False

    async def test_streams_are_declared(self, document):
        content = document["paths"][POSTS[0]]["post"]["responses"]["200"]["content"]
        assert content.keys() == {"application/json", "text/event-stream"}

    async def test_every_v1_route_asks_for_the_key(self, document):
        for path, methods in document["paths"].items():
            for operation in methods.values():
                assert bool(operation.get("security")) == path.startswith("/v1/"), path


def references(node):
    match node:
        case {"$ref": reference}:
            yield reference
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)

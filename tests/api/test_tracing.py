"""Spans on their way, from a request to a collector."""

import asyncio
import subprocess
import sys

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.waiting import eventually
from tramontane.bootstrap import build
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

KEY = "the-operators-api-key"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CHAT = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Ping"}]}


@pytest.fixture
async def collector(anyio_backend):
    """Its address, and what it gets."""
    got = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        got.append((head.split(b" ")[1], body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    server.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_told_to_the_collector_under_its_callers_span(tmp_path, collector, stream):
    endpoint, got = collector
    settings = Settings(
        data_dir=tmp_path, engine="fake", plan="unlimited", api_key=KEY, otlp_endpoint=endpoint
    )
    async with build(settings, []) as running:
        transport = httpx.ASGITransport(running.app)
        headers = {"authorization": f"Bearer {KEY}", "traceparent": CALLER}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            await client.post("/v1/chat/completions", json=CHAT | {"stream": stream})
    await eventually(lambda: got)
    path, body = got[0]
    assert path == b"/v1/traces"
    sent = ExportTraceServiceRequest.FromString(body)
    spans = [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert {span.name for span in spans} == {"chat mistral-small-latest", "wait for a slot"}
    assert {span.trace_id.hex() for span in spans} == {CALLER.split("-")[1]}
    assert b"Ping" not in body


def test_nothing_of_opentelemetry_is_loaded_without_it():
    script = (
        "import sys, tramontane.bootstrap;"
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

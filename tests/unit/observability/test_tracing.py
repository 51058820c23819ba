import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tramontane.core.usage import Usage
from tramontane.observability.requests import FinishedRequest
from tramontane.observability.tracing import Tracing, traceparent

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ID = "0" * 32


def finished(**fields):
    whole = {
        "request_id": ID,
        "endpoint": "chat",
        "model_asked": "mistral-small-latest",
        "model_served": "smollm2",
        "stream": True,
        "status": "ok",
        "error": None,
        "usage": Usage(10, 20, 5),
        "queued": 1.0,
        "time_to_first_token": 1.5,
        "duration": 3.0,
    }
    return FinishedRequest(**(whole | fields))


@pytest.fixture
def spans_of():
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter)

    def make(request):
        tracing.finished(request)
        tracing._provider.force_flush()
        return {span.name: span for span in exporter.get_finished_spans()}

    yield make
    tracing.close()


def seconds(span):
    return (span.end_time - span.start_time) / 1e9


def test_a_request_is_a_span_by_the_conventions_for_generative_ai(spans_of):
    spans = spans_of(finished())
    span = spans["chat mistral-small-latest"]
    assert seconds(span) == pytest.approx(3)
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["gen_ai.response.model"] == "smollm2"
    assert span.attributes["gen_ai.response.id"] == ID
    assert span.attributes["gen_ai.usage.input_tokens"] == 10
    assert span.attributes["gen_ai.usage.output_tokens"] == 20
    assert "error.type" not in span.attributes
    (first,) = span.events
    assert (first.timestamp - span.start_time) / 1e9 == pytest.approx(1.5)
    waiting = spans["wait for a slot"]
    assert seconds(waiting) == pytest.approx(1)
    assert waiting.parent.span_id == span.context.span_id


def test_an_error_is_one_in_the_span(spans_of):
    spans = spans_of(finished(status="error", error="request_timeout", queued=None, time_to_first_token=None))
    (span,) = spans.values()
    assert span.attributes["error.type"] == "request_timeout"
    assert not span.status.is_ok


def test_the_span_of_the_caller_is_its_parent(spans_of):
    token = traceparent.set(CALLER)
    span = spans_of(finished())["chat mistral-small-latest"]
    traceparent.reset(token)
    assert f"{span.context.trace_id:032x}" == CALLER.split("-")[1]
    assert f"{span.parent.span_id:016x}" == CALLER.split("-")[2]


def test_a_caller_that_says_nonsense_has_no_span(spans_of):
    token = traceparent.set("nonsense")
    assert spans_of(finished())["chat mistral-small-latest"].parent is None
    traceparent.reset(token)

"""Spans of requests, by OpenTelemetry's conventions for generative AI, sent by OTLP. Off unless configured.

A span is made when its request is over, of what is known then: nothing is done for it while tokens stream. It
holds no text, and the caller's span is its parent.
"""

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import tramontane
from tramontane.errors import ConfigurationError
from tramontane.observability.requests import FinishedRequest

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""What the caller of the current request calls its span, in the words of W3C's Trace Context."""

_OPERATIONS: Final = {"chat": "chat", "fim": "text_completion", "embeddings": "embeddings"}
_NANOSECONDS: Final = 1_000_000_000


def otlp_exporter(endpoint: str) -> "SpanExporter":
    """Sends spans to `endpoint`; `OTEL_EXPORTER_OTLP_HEADERS` and its like are obeyed.

    Raises:
        ConfigurationError: the extra that it needs is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise ConfigurationError(
            "otlp_endpoint needs OpenTelemetry: pip install 'tramontane[tracing]'"
        ) from error
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")


class Tracing:
    """Makes a span of each request. Between its making and `close`."""

    def __init__(self, exporter: "SpanExporter") -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        resource = Resource.create({"service.name": "tramontane", "service.version": tramontane.__version__})
        self._provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tramontane", tramontane.__version__)

    def finished(self, request: FinishedRequest) -> None:
        """A completion or embedding is over."""
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        end = time.time_ns()
        start = end - _nanoseconds(request.duration)
        caller = TraceContextTextMapPropagator().extract({"traceparent": traceparent.get() or ""})
        span = self._tracer.start_span(
            f"{_OPERATIONS[request.endpoint]} {request.model_asked}",
            context=caller,
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(request),
            start_time=start,
        )
        within = trace.set_span_in_context(span)
        if request.queued is not None:
            waiting = self._tracer.start_span("wait for a slot", context=within, start_time=start)
            waiting.end(start + _nanoseconds(request.queued))
        if request.time_to_first_token is not None:
            span.add_event("first token", timestamp=start + _nanoseconds(request.time_to_first_token))
        if request.error is not None:
            span.set_status(trace.StatusCode.ERROR, request.error)
        span.end(end)

    def close(self) -> None:
        """Send what is left. Blocks, at most for the exporter's own timeout."""
        self._provider.shutdown()


def _attributes(request: FinishedRequest) -> dict[str, str | int | float | bool]:
    attributes: dict[str, str | int | float | bool] = {
        "gen_ai.operation.name": _OPERATIONS[request.endpoint],
        "gen_ai.provider.name": "tramontane",
        "gen_ai.request.model": request.model_asked,
        "gen_ai.response.model": request.model_served,
        "gen_ai.response.id": request.request_id,
        "gen_ai.request.stream": request.stream,
        "gen_ai.usage.input_tokens": request.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": request.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": request.usage.cached_tokens,
        "tramontane.status": str(request.status),
    }
    if request.time_to_first_token is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = request.time_to_first_token
    if request.error is not None:
        attributes["error.type"] = request.error
    return attributes


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)

"""What is counted while the server works, for Prometheus. `docs/observability.md` lists it all.

Labels have few values: models that are served, routes, names of errors. Nothing that a client sends becomes
one.
A request costs a dozen additions when it ends, a token none.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from tramontane.observability.requests import FinishedRequest

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_TOKEN_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1)
_COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
UNFORESEEN: Final = "unforeseen"
"""The name of an error that is a fault of ours."""
_METHODS: Final = frozenset({"GET", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD", "PUT"})
_OF_A_MODEL: Final = ("endpoint", "model")


@dataclass(frozen=True, slots=True)
class _OfOne:
    """The children of one endpoint and model: looking them up costs more than adding to them."""

    prompt_tokens: Counter
    cached_tokens: Counter
    completion_tokens: Counter
    seconds: Histogram
    queue: Histogram
    first_token: Histogram
    token: Histogram


class Metrics:
    """The counters of one server, in a registry of its own; collectors of states can be added to it."""

    def __init__(self) -> None:
        # A second line for each counter, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._http = self._counter(
            "http_requests", "Answers of the API, by route and status.", ("method", "route", "status")
        )
        self._errors = self._counter(
            "errors", "Errors told to clients, by their name in docs/errors.md.", ("error",)
        )
        self._requests = self._counter(
            "requests",
            "Completions and embeddings that came as far as the queue, by how they ended.",
            (*_OF_A_MODEL, "status"),
        )
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts.", _OF_A_MODEL)
        self._cached_tokens = self._counter(
            "cached_tokens", "Of the tokens of prompts, those found in the prefix cache.", _OF_A_MODEL
        )
        self._completion_tokens = self._counter("completion_tokens", "Tokens of answers.", _OF_A_MODEL)
        self._seconds = self._histogram(
            "request_seconds", "From the arrival of a request to its end.", _SECONDS, _OF_A_MODEL
        )
        self._queue = self._histogram(
            "queue_seconds", "From the arrival of a request to its slot.", _SECONDS, _OF_A_MODEL
        )
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "From the arrival to the first token.", _SECONDS, _OF_A_MODEL
        )
        self._token = self._histogram(
            "time_per_output_token_seconds",
            "Of each answer, the mean time between its tokens after the first.",
            _TOKEN_SECONDS,
            _OF_A_MODEL,
        )
        self._commits = self._histogram(
            "ledger_commit_seconds", "Transactions that write the ledger.", _COMMIT_SECONDS
        )
        self._rows = self._counter("ledger_rows", "Rows that were written to the ledger.")
        # A cache of children that stand for ever: what is served, times three endpoints.
        self._of_one = lru_cache(maxsize=None)(self._children)

    def answered(self, method: str, route: str, status: int) -> None:
        """An answer of the API has ended. `route` is a template, such as `/v1/models/{model_id}`."""
        self._http.labels(method if method in _METHODS else "other", route, str(status)).inc()

    def refused(self, error: str) -> None:
        """A client was told of an error of this name."""
        self._errors.labels(error).inc()

    def finished(self, request: FinishedRequest) -> None:
        """A completion or embedding is over."""
        self._requests.labels(request.endpoint, request.model_served, request.status).inc()
        of_one = self._of_one(request.endpoint, request.model_served)
        usage = request.usage
        of_one.prompt_tokens.inc(usage.prompt_tokens)
        of_one.cached_tokens.inc(usage.cached_tokens)
        of_one.completion_tokens.inc(usage.completion_tokens)
        of_one.seconds.observe(request.duration)
        if request.queued is not None:
            of_one.queue.observe(request.queued)
        first = request.time_to_first_token
        if first is not None:
            of_one.first_token.observe(first)
            if usage.completion_tokens > 1:
                of_one.token.observe((request.duration - first) / (usage.completion_tokens - 1))

    def committed(self, rows: int, seconds: float) -> None:
        """A transaction of the ledger is written."""
        self._commits.observe(seconds)
        self._rows.inc(rows)

    def exposition(self, accept: str | None) -> tuple[bytes, str]:
        """Everything, and the content type: OpenMetrics to those who ask for it, else Prometheus' text."""
        encode, content_type = choose_encoder(accept or "")
        return encode(self.registry), content_type

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"tramontane_{name}", help_text, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(f"tramontane_{name}", help_text, labels, buckets=buckets, registry=self.registry)

    def _children(self, endpoint: str, model: str) -> _OfOne:
        return _OfOne(
            prompt_tokens=self._prompt_tokens.labels(endpoint, model),
            cached_tokens=self._cached_tokens.labels(endpoint, model),
            completion_tokens=self._completion_tokens.labels(endpoint, model),
            seconds=self._seconds.labels(endpoint, model),
            queue=self._queue.labels(endpoint, model),
            first_token=self._first_token.labels(endpoint, model),
            token=self._token.labels(endpoint, model),
        )

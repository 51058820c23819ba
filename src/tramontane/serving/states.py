"""What Prometheus sees of a server at the moment at which it looks: nothing is counted for it in between."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import tramontane
from tramontane.billing.service import BillingService
from tramontane.core.lifecycle import Lifecycle
from tramontane.core.processes import memory_of
from tramontane.limits.failover import FailoverLimitStore
from tramontane.limits.store import LimitStore
from tramontane.models.catalog import Catalog
from tramontane.scheduling.admission import Admission

_PREFIX: Final = "tramontane_"


@runtime_checkable
class _InAProcess(Protocol):
    """An engine whose model is in a process of its own."""

    @property
    def worker_pid(self) -> int | None: ...

    @property
    def restarts(self) -> int: ...


@dataclass(frozen=True, eq=False)
class ServerStates(Collector):
    """The models, the ledger and the limiter of one server."""

    catalog: Catalog
    billing: BillingService
    limits: LimitStore
    lifecycle: Lifecycle

    def collect(self) -> Iterable[Metric]:
        """All of it, now."""
        info = GaugeMetricFamily(
            f"{_PREFIX}info", "Always 1; the label tells the release.", labels=["version"]
        )
        info.add_metric([tramontane.__version__], 1)
        yield info
        yield _gauge("stopping", "Whether the server was told to stop.", self.lifecycle.is_stopping)
        yield from self._admissions()
        yield from self._workers()
        yield from self._ledger()
        yield from self._limiter()

    def _admissions(self) -> Iterator[Metric]:
        def sums(of_one: Callable[[Admission], int]) -> dict[str, float]:
            return {model.profile.id: sum(map(of_one, model.admissions)) for model in self.catalog}

        yield _gauges("slots", "Answers that a model works on side by side.", sums(lambda one: one.slots))
        yield _gauges("running", "Slots in use: the batch.", sums(lambda one: one.running))
        yield _gauges("queue_limit", "Requests that may wait for a slot.", sums(lambda one: one.max_queue))
        yield _gauges("waiting", "Requests that wait for a slot.", sums(lambda one: one.waiting))

    def _workers(self) -> Iterator[Metric]:
        engines = {model.profile.id: model.loaded.engine for model in self.catalog if model.loaded}
        workers = {i: engine for i, engine in engines.items() if isinstance(engine, _InAProcess)}
        memory = {i: memory_of(worker.worker_pid) for i, worker in workers.items()}
        yield _gauges(
            "model_loaded",
            "Whether the model is in memory; of one that is not, nothing else is told of an engine.",
            {model.profile.id: model.loaded is not None for model in self.catalog},
        )
        yield _gauges(
            "engine_up",
            "Whether the process of the model runs and has loaded it.",
            {i: worker.worker_pid is not None for i, worker in workers.items()},
        )
        restarts = CounterMetricFamily(
            f"{_PREFIX}engine_restarts",
            "How often the process of the model died, or hung, and was started again.",
            labels=["model"],
        )
        for model_id, worker in workers.items():
            restarts.add_metric([model_id], worker.restarts)
        yield restarts
        yield _gauges(
            "engine_memory_bytes",
            "What the process of the model has in memory.",
            {i: size for i, size in memory.items() if size is not None},
        )

    def _ledger(self) -> Iterator[Metric]:
        backlog = self.billing.backlog()
        yield _gauge("ledger_backlog_rows", "Rows that are not yet committed.", backlog.rows)
        yield _gauge("ledger_lag_seconds", "How long the oldest of them has waited.", backlog.seconds)
        yield _counter("ledger_failures", "Transactions that failed and were tried again.", backlog.failures)

    def _limiter(self) -> Iterator[Metric]:
        shared = self.limits if isinstance(self.limits, FailoverLimitStore) else None
        yield _gauge(
            "limiter_down",
            "Whether Redis is away and this process counts its own requests.",
            shared is not None and shared.is_down,
        )
        yield _counter("limiter_outages", "How often Redis has gone away.", shared.outages if shared else 0)
        yield _counter(
            "limiter_local_requests",
            "Requests that were counted by this process alone, because Redis was away.",
            shared.locally_limited if shared else 0,
        )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, help_text, value=value)


def _gauges(name: str, help_text: str, of_models: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, help_text, labels=["model"])
    for model_id, value in of_models.items():
        family.add_metric([model_id], value)
    return family


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, help_text, value=value)

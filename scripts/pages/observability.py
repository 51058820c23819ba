"""The generated block of `docs/observability.md`, of what a server really shows."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.core import Metric
from scripts.pages.markdown import table

from tramontane.billing.ledger.writer import Backlog
from tramontane.core.lifecycle import Lifecycle
from tramontane.core.usage import Usage
from tramontane.observability.metrics import Metrics
from tramontane.observability.requests import FinishedRequest
from tramontane.scheduling.admission import Admission
from tramontane.serving.states import ServerStates


@dataclass
class _Engine:
    """One in a process, so that all families have a sample."""

    worker_pid: int | None = field(default_factory=os.getpid)
    restarts: int = 0


def families() -> Iterable[Metric]:
    """Everything that `/metrics` shows of Tramontane itself."""
    shown = Metrics()
    shown.answered("GET", "/health/live", 200)
    shown.refused("CapacityError")
    shown.finished(
        FinishedRequest(
            request_id="",
            endpoint="chat",
            model_asked="",
            model_served="model",
            stream=True,
            status="ok",
            error=None,
            usage=Usage(1, 2),
            queued=0.1,
            time_to_first_token=0.2,
            duration=0.3,
        )
    )
    model = SimpleNamespace(
        profile=SimpleNamespace(id="model"),
        admissions=[Admission(16, 256)],
        loaded=SimpleNamespace(engine=_Engine()),
    )
    billing = SimpleNamespace(backlog=lambda: Backlog(0, 0, 0))
    parts = cast("Any", ([model], billing, None, Lifecycle()))
    shown.registry.register(ServerStates(*parts))
    return [one for one in shown.registry.collect() if one.name.startswith("tramontane_")]


def metrics() -> str:
    """Every metric of our own."""
    return table(["metric", "type", "labels", "meaning"], [_row(one) for one in families()])


BLOCKS = {"metrics": metrics}


def _row(family: Metric) -> list[str]:
    labels = dict.fromkeys(name for sample in family.samples for name in sample.labels if name != "le")
    name = f"{family.name}_total" if family.type == "counter" else family.name
    shown = ", ".join(f"`{label}`" for label in labels)
    return [f"`{name}`", family.type, shown, family.documentation]

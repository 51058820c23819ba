"""The worker process: `python -m tramontane.engines.vllm.worker DESCRIPTOR`."""

from collections.abc import Callable

import msgspec

from tramontane.engines.vllm.messages import Command, LoadVllm
from tramontane.engines.worker.async_child import AsyncHost, run_async_worker
from tramontane.engines.worker.messages import Abort, Generate


async def load(hello: LoadVllm, send: Callable[[msgspec.Struct], None]) -> AsyncHost[Generate | Abort]:
    """The host of the model that `hello` names, warm. The parent never imports what is imported here."""
    from tramontane.engines.vllm.host import VllmHost  # noqa: PLC0415 - imports vLLM

    host = VllmHost(hello, send)
    await host.warm_up()
    return host


if __name__ == "__main__":
    run_async_worker(Command, load)

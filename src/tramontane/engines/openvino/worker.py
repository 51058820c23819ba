"""The worker process: `python -m tramontane.engines.openvino.worker DESCRIPTOR`."""

from typing import Any

from tramontane.engines.openvino.messages import Command, LoadEmbedding, LoadGeneration
from tramontane.engines.worker.child import Host, run_worker


def load(hello: LoadGeneration | LoadEmbedding) -> Host[Any]:
    """The host of the model that `hello` names, warm. The parent never imports what is imported here."""
    match hello:
        case LoadGeneration():
            from tramontane.engines.openvino.generation import GenerationHost  # noqa: PLC0415

            return GenerationHost(hello)
        case LoadEmbedding():
            from tramontane.engines.openvino.embedding import EmbeddingHost  # noqa: PLC0415

            return EmbeddingHost(hello)


if __name__ == "__main__":
    run_worker(Command, load)

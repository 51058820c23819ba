"""The engines that the server sees. The models are in worker processes; nothing here imports OpenVINO."""

from typing import Final

from tramontane.engines.control_characters import control_characters
from tramontane.engines.openvino.messages import LoadEmbedding, LoadGeneration
from tramontane.engines.openvino.prefix_estimate import BLOCK_TOKENS
from tramontane.engines.protocol import Ability, EngineInfo
from tramontane.engines.worker.embedding import WorkerEmbeddingEngine
from tramontane.engines.worker.generation import WorkerGenerationEngine
from tramontane.engines.worker.messages import Reply
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy
from tramontane.weights.artifact import Artifact

_MODULE: Final = "tramontane.engines.openvino.worker"

GENERATION_ABILITIES: Final = frozenset({Ability.GRAMMAR, Ability.LOGPROBS})


class OpenVinoGenerationEngine(WorkerGenerationEngine):
    """Continues prompts with OpenVINO GenAI on the CPU, all requests in one continuous batch.

    Args:
        artifact: a converted model whose task is "generate".
        kv_cache_tokens: room for all running answers and the prefix cache together, in tokens.
        slots: how many requests run well side by side; told to the caller, not enforced.
        threads: of the model; 0 lets the library choose.
        policy: of the restarts of a worker that died.

    A new grammar is read in a thread beside the running answers, in 10 to 50 ms as a rule, in seconds if it
    counts the characters of long texts; one that takes longer than 30 s is refused. The library forgets none.
    When they may hold 512 MiB (a thousand of usual ones), the worker loads its model anew as soon as no
    request runs; at 2 GiB, new requests wait for that.

    `EngineDelta.cached_tokens` is an estimate in whole blocks of 32 tokens, since the library does not tell.
    The same seed gives the same answer to a request that runs alone; in a batch with others, rounding differs
    with the batch, and with it now and then a token.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        kv_cache_tokens: int = 65_536,
        slots: int = 16,
        threads: int = 0,
        policy: RestartPolicy | None = None,
    ) -> None:
        manifest = artifact.manifest
        blocks = kv_cache_tokens // BLOCK_TOKENS
        info = EngineInfo(
            name="openvino",
            vocabulary_size=manifest.vocabulary_size,
            max_context_length=min(manifest.max_context_length, blocks * BLOCK_TOKENS),
            slots=slots,
            abilities=GENERATION_ABILITIES,
            control_characters=control_characters((*manifest.special_token_ids, *manifest.stop_token_ids)),
        )
        hello = LoadGeneration(str(artifact.path), blocks, threads)
        super().__init__(info, str(artifact.path), WorkerSpec(_MODULE, hello, Reply), policy)


class OpenVinoEmbeddingEngine(WorkerEmbeddingEngine):
    """Turns token sequences into vectors with OpenVINO on the CPU, many at a time.

    Args:
        artifact: a converted model whose task is "embed".
        slots: how many requests are worked on in turn; told to the caller, not enforced.
        threads: of the model; 0 lets the library choose.
        policy: of the restarts of a worker that died.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        slots: int = 16,
        threads: int = 0,
        policy: RestartPolicy | None = None,
    ) -> None:
        manifest = artifact.manifest
        assert manifest.embedding_dimension is not None
        info = EngineInfo(
            name="openvino",
            vocabulary_size=manifest.vocabulary_size,
            max_context_length=manifest.max_context_length,
            slots=slots,
            embedding_dimension=manifest.embedding_dimension,
        )
        hello = LoadEmbedding(str(artifact.path), manifest.max_context_length, threads)
        super().__init__(info, str(artifact.path), WorkerSpec(_MODULE, hello, Reply), policy)

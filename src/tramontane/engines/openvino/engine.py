"""The engines that the server sees. The models are in worker processes; nothing here imports OpenVINO."""

import asyncio
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.checks import check_generation, check_input
from tramontane.engines.openvino.control_characters import control_characters
from tramontane.engines.openvino.grammar_limits import check_grammar
from tramontane.engines.openvino.messages import (
    Abort,
    Embed,
    Failed,
    Generate,
    LoadEmbedding,
    LoadGeneration,
    Reply,
    Step,
    Vectors,
)
from tramontane.engines.openvino.prefix_estimate import BLOCK_TOKENS
from tramontane.engines.protocol import Ability, EngineDelta, EngineInfo
from tramontane.engines.worker.mailbox import Mailbox
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy, Supervisor
from tramontane.errors import (
    ApiError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from tramontane.weights.artifact import Artifact

logger = logging.getLogger(__name__)

_MODULE: Final = "tramontane.engines.openvino.worker"


class _OpenVinoEngine(ABC):
    """What both engines have in common: a worker, and requests that wait for what it says."""

    def __init__(
        self,
        info: EngineInfo,
        path: Path,
        hello: LoadGeneration | LoadEmbedding,
        policy: RestartPolicy | None,
    ) -> None:
        self._info = info
        self._ids = itertools.count()
        self._supervisor = Supervisor(
            str(path),
            WorkerSpec(_MODULE, hello, Reply),
            on_reply=self._deliver,
            on_lost=lambda: self._fail_all(EngineError()),
            policy=policy,
        )

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned."""
        if not self._supervisor.started:
            raise EngineUnavailableError
        return self._info

    @property
    def worker_pid(self) -> int | None:
        """The process that holds the model; another after a restart, None during one."""
        return self._supervisor.worker_pid

    async def start(self) -> None:
        """Run the worker and load the model."""
        await self._supervisor.start()

    async def close(self) -> None:
        """End the worker and with it all requests."""
        self._fail_all(EngineUnavailableError())
        await self._supervisor.close()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless the worker is ready."""
        self._supervisor.check()

    @abstractmethod
    def _deliver(self, reply: Reply) -> None:
        """Hand on what the worker says."""

    @abstractmethod
    def _fail_all(self, error: ApiError) -> None:
        """End every request that runs."""


class OpenVinoGenerationEngine(_OpenVinoEngine):
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
        control_ids = frozenset((*manifest.special_token_ids, *manifest.stop_token_ids))
        info = EngineInfo(
            name="openvino",
            vocabulary_size=manifest.vocabulary_size,
            max_context_length=min(manifest.max_context_length, blocks * BLOCK_TOKENS),
            slots=slots,
            abilities=frozenset({Ability.GRAMMAR, Ability.LOGPROBS}),
            control_characters=control_characters(control_ids),
        )
        self._control_ids = control_ids
        hello = LoadGeneration(str(artifact.path), blocks, threads)
        super().__init__(info, artifact.path, hello, policy)
        self._mailboxes: dict[int, Mailbox] = {}

    async def generate(self, prompt: TokensPrompt, params: SamplingParams) -> AsyncGenerator[EngineDelta]:
        """Continue `prompt`; see the protocol."""
        params = check_generation(prompt, params, self._info)
        check_grammar(params, self._control_ids)
        command = Generate(next(self._ids), list(prompt.token_ids), params)
        worker = await self._supervisor.worker()
        mailbox = self._mailboxes[command.id] = Mailbox()
        worker.send(command)
        try:
            while True:
                delta = await mailbox.take()
                yield delta
                if delta.finish_reason is not None:
                    return
        finally:
            if self._mailboxes.pop(command.id, None) is not None:
                worker.send(Abort(command.id))

    def _deliver(self, reply: Reply) -> None:
        match reply:
            case Step(tokens):
                for item in tokens:
                    mailbox = self._mailboxes.get(item.id)
                    if mailbox is None:
                        continue  # aborted; the worker does not know it yet
                    mailbox.put(item.token_ids, item.finish_reason, item.cached_tokens, item.logprobs)
                    if item.finish_reason is not None:
                        del self._mailboxes[item.id]
            case Failed():
                if mailbox := self._mailboxes.pop(reply.id, None):
                    mailbox.fail(_error_of(reply))

    def _fail_all(self, error: ApiError) -> None:
        mailboxes, self._mailboxes = self._mailboxes, {}
        for mailbox in mailboxes.values():
            mailbox.fail(error)


class OpenVinoEmbeddingEngine(_OpenVinoEngine):
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
        self._dimension = manifest.embedding_dimension
        info = EngineInfo(
            name="openvino",
            vocabulary_size=manifest.vocabulary_size,
            max_context_length=manifest.max_context_length,
            slots=slots,
            embedding_dimension=manifest.embedding_dimension,
        )
        hello = LoadEmbedding(str(artifact.path), manifest.max_context_length, threads)
        super().__init__(info, artifact.path, hello, policy)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The vectors of `inputs`; see the protocol."""
        for token_ids in inputs:
            check_input(token_ids, self._info)
        command = Embed(next(self._ids), [list(token_ids) for token_ids in inputs])
        worker = await self._supervisor.worker()
        if not inputs:
            return np.empty((0, self._dimension), np.float32)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = answer
        worker.send(command)
        try:
            data = await answer
        finally:
            if self._waiting.pop(command.id, None) is not None:
                worker.send(Abort(command.id))
        return np.frombuffer(data, "<f4").reshape(len(inputs), self._dimension)

    def _deliver(self, reply: Reply) -> None:
        match reply:
            case Vectors(id, data):
                if answer := self._take_waiting(id):
                    answer.set_result(data)
            case Failed(id):
                if answer := self._take_waiting(id):
                    answer.set_exception(_error_of(reply))

    def _take_waiting(self, request_id: int) -> asyncio.Future[bytes] | None:
        """The future of a request that nobody has cancelled."""
        answer = self._waiting.pop(request_id, None)
        return None if answer is None or answer.done() else answer

    def _fail_all(self, error: ApiError) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(error)


def _error_of(failed: Failed) -> ApiError:
    logger.warning("Request %d failed in the worker: %s", failed.id, failed.message)
    match failed.reason:
        case "invalid":
            return InvalidRequestError(failed.message)
        case "busy":
            return EngineUnavailableError()
        case "engine":
            return EngineError()

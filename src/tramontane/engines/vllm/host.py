"""Host of a generation model in the worker process: vLLM's async engine, driven by token ids."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from vllm.exceptions import VLLMClientError
from vllm.lora.request import LoRARequest
from vllm.outputs import RequestOutput
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.engines.vllm.arguments import engine_arguments
from tramontane.engines.vllm.messages import LoadVllm
from tramontane.engines.vllm.sampling import vllm_params
from tramontane.engines.worker.messages import Abort, Failed, Generate, Step, Tokens

logger = logging.getLogger(__name__)

_WARM_UP: Final = SamplingParams(max_tokens=2, temperature=0)
_FINISH_REASONS: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


class VllmHost:
    """All running requests of one model.

    `send` writes a reply; what all requests got in one turn of the event loop goes out as one message.

    Raises:
        ValueError, RuntimeError, OSError: vLLM cannot load the model, and says why.
    """

    def __init__(self, hello: LoadVllm, send: Callable[[msgspec.Struct], None]) -> None:
        self._send = send
        self._adapters = {
            name: LoRARequest(name, number, path)
            for number, (name, path) in enumerate(sorted(hello.adapters.items()), start=1)
        }
        self._engine = AsyncLLM.from_engine_args(engine_arguments(hello.arguments))
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._outbox: list[Tokens] = []

    def apply(self, command: Generate | Abort) -> None:
        """Begin or end a request."""
        match command:
            case Generate(id):
                self._tasks[id] = asyncio.create_task(self._answer(command))
            case Abort(id):
                if task := self._tasks.get(id):
                    task.cancel()

    async def warm_up(self) -> None:
        """The first request compiles what is compiled late: let none of the clients wait for that."""
        async for _ in self._engine.generate({"prompt_token_ids": [0] * 8}, vllm_params(_WARM_UP), "warm-up"):
            pass

    def close(self) -> None:
        """End vLLM's own processes."""
        self._engine.shutdown()

    async def _answer(self, command: Generate) -> None:
        try:
            await self._generate(command)
        except EngineDeadError:
            logger.exception("vLLM's engine died")
            os._exit(1)  # the parent starts it anew
        except (ValueError, VLLMClientError) as error:
            self._fail(command.id, "invalid", str(error))
        except Exception as error:  # of whatever kind: nobody else would tell the one who waits
            logger.exception("A request failed in vLLM")
            self._fail(command.id, "engine", str(error.__cause__ or error))
        finally:
            del self._tasks[command.id]

    async def _generate(self, command: Generate) -> None:
        answer = self._engine.generate(
            {"prompt_token_ids": command.token_ids},
            vllm_params(command.params),
            str(command.id),
            lora_request=self._adapters[command.adapter] if command.adapter else None,
        )
        is_first = True
        async for output in answer:
            reason = output.outputs[0].finish_reason
            if reason is not None and reason not in _FINISH_REASONS:
                self._fail(command.id, *_why(command, reason, is_first=is_first))
                return
            self._put(_tokens(command, output, is_first=is_first))
            is_first = False

    def _put(self, tokens: Tokens) -> None:
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(tokens)

    def _flush(self) -> None:
        tokens, self._outbox = self._outbox, []
        if tokens:
            self._send(Step(tokens))

    def _fail(self, request_id: int, reason: Literal["invalid", "engine"], message: str) -> None:
        self._flush()
        self._send(Failed(request_id, reason, message))


def _why(command: Generate, reason: str, *, is_first: bool) -> tuple[Literal["invalid", "engine"], str]:
    if is_first and command.params.grammar is not None:
        return "invalid", "The grammar cannot be read"  # only vLLM's own processes know why
    return "engine", f"vLLM ended the answer: {reason}"


def _tokens(command: Generate, output: RequestOutput, *, is_first: bool) -> Tokens:
    answer = output.outputs[0]
    token_ids = list(answer.token_ids)
    reason = _FINISH_REASONS[answer.finish_reason] if answer.finish_reason else None
    if reason is FinishReason.STOP and token_ids and token_ids[-1] in command.params.stop_token_ids:
        token_ids.pop()
    logprobs = []
    if answer.logprobs is not None:
        ranked = zip(token_ids, answer.logprobs, strict=False)
        logprobs = [min(candidates[token].logprob, 0.0) for token, candidates in ranked]
    cached_tokens = (output.num_cached_tokens or 0) if is_first else None
    return Tokens(command.id, token_ids, reason, cached_tokens, logprobs)

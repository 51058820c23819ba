"""Host of a generation model in the worker process: the one owner of a ContinuousBatchingPipeline.

The library does not guard itself, so the rules that it silently expects are kept here and in the parent:
requests fit into the cache alone, library ids are unique, a handle lives as long as its request and is read
only when it says that it can be (its `read` would otherwise block for ever).

The library works off prompts in the order of their arrival, each to its end. So it is not given a long one at
once, but piece by piece: as beginnings of the prompt, each of which it takes up to its last piece from its
prefix cache. Long prompts have their pieces in turn, and a short one waits for no more than a step.
"""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import openvino as ov
import openvino_genai as genai
from openvino_genai.py_openvino_genai import GenerationHandle

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.engines.openvino.grammar_queue import GrammarQueue
from tramontane.engines.openvino.grammar_reader import GrammarReader
from tramontane.engines.openvino.messages import LoadGeneration
from tramontane.engines.openvino.prefix_estimate import BLOCK_TOKENS, PrefixEstimate
from tramontane.engines.openvino.sampling import generation_config, is_repeatable
from tramontane.engines.worker.child import last_line
from tramontane.engines.worker.messages import Abort, Failed, Generate, Step, Tokens
from tramontane.weights.artifact import read_artifact

logger = logging.getLogger(__name__)

_BATCH_TOKENS = 256
"""Most tokens of prompts and answers in one step: a longer step would hold up the answers that run."""
_DRAIN_STEPS = 3
_GRAMMARS_KEPT = 512 << 20
"""Bytes of grammars that the library may remember before it is loaded anew when idle."""
_MOST_GRAMMARS = 4 * _GRAMMARS_KEPT
"""Before new requests wait for that."""
_GRAMMAR_PAUSE = 0.005
"""Seconds between two looks for commands while nothing goes on but the reading of a grammar."""
_WARM_UP = SamplingParams(max_tokens=2, temperature=0)
_PRIMING = SamplingParams(max_tokens=1, temperature=0)


@dataclass(slots=True)
class _Request:
    id: int
    prompt: list[int]
    params: SamplingParams
    cached_tokens: int = 0
    handle: GenerationHandle = None
    fed: int = 0
    """Tokens of the prompt that the library has worked off, or works on."""
    due: int = 0
    """Those of them that it had to compute when it was last given some."""
    turn: int = 0
    """Of long prompts the lowest is next."""
    feeding: bool = False
    """What the library has is a piece of a long prompt, and no answer comes of it."""
    priming: bool = False
    retried: bool = False
    answer: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Output:
    """What a request has to read."""

    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None


class GenerationHost:
    """All running requests of the model in `hello.path`."""

    def __init__(self, hello: LoadGeneration) -> None:
        self._hello = hello
        self._vocabulary_size = read_artifact(Path(hello.path)).manifest.vocabulary_size
        self._capacity = hello.kv_blocks * BLOCK_TOKENS
        self._library_ids = itertools.count()
        self._live: dict[int, _Request] = {}
        self._long: dict[int, _Request] = {}
        """Of which the library has nothing now."""
        self._turn = 0
        self._waiting: dict[int, _Request] = {}
        self._failures: list[Failed] = []
        self._load()

    def _load(self) -> None:
        hello = self._hello
        tokenizer = genai.Tokenizer(hello.path)
        self._pipeline = genai.ContinuousBatchingPipeline(
            hello.path, tokenizer, _scheduler_config(hello.kv_blocks), "CPU", **_properties(hello.threads)
        )
        self._grammars = GrammarQueue(GrammarReader(tokenizer, self._vocabulary_size).read)
        self._prefixes = PrefixEstimate(hello.kv_blocks)
        self._warm_up()

    @property
    def busy(self) -> bool:
        """A step is due, be it only to free what was cancelled."""
        due = self._failures or self._waiting or self._long or self._is_full
        return bool(due) or self._pipeline.has_non_finished_requests()

    def apply(self, command: Generate | Abort) -> None:
        """Begin or end a request."""
        match command:
            case Generate(id, prompt, params):
                self._receive(_Request(id, prompt, params))
            case Abort(id):
                self._abort(id)

    def step(self) -> Sequence[msgspec.Struct]:
        """One step of the pipeline: a token for each running answer, or a piece of the prompts that wait."""
        self._feed()
        running = self._pipeline.has_non_finished_requests()
        tokens = self._step() if running else []
        if self._is_full and not running:
            self._reload()
        elif self._waiting:
            self._take_verdicts(timeout=0 if running else _GRAMMAR_PAUSE)
        failures, self._failures = self._failures, []
        return [Step(tokens), *failures] if tokens else failures

    def _step(self) -> list[Tokens]:
        try:
            self._pipeline.step()
            return self._collect()
        except RuntimeError:
            logger.exception("A step of the pipeline failed")
            return self._recover()

    def _receive(self, request: _Request) -> None:
        grammar = request.params.grammar
        if self._grammars.remembered > _MOST_GRAMMARS:
            self._waiting[request.id] = request
        elif grammar is None or self._grammars.knows(grammar):
            self._begin(request)
        else:
            self._waiting[request.id] = request
            self._grammars.add(request.id, grammar)

    def _take_verdicts(self, timeout: float) -> None:
        for verdict in self._grammars.collect(timeout):
            request = self._waiting.pop(verdict.id)
            if verdict.failed is not None:
                self._failures.append(verdict.failed)
            else:
                self._begin(request)

    @property
    def _is_full(self) -> bool:
        return self._grammars.remembered > _GRAMMARS_KEPT and not self._grammars.reading

    def _reload(self) -> None:
        """The library never forgets a grammar while its model is loaded."""
        logger.info("The model is loaded anew to forget %d bytes of grammars", self._grammars.remembered)
        del self._pipeline, self._grammars  # before there are others
        self._load()
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            self._receive(request)

    def _begin(self, request: _Request) -> None:
        request.cached_tokens = request.fed = self._prefixes.count_cached(request.prompt)
        if len(request.prompt) - request.fed > _BATCH_TOKENS:
            request.turn = self._turn
            self._long[request.id] = request
        else:
            self._submit(request)

    def _feed(self) -> None:
        """Give the library what it can compute of long prompts in the next step: one piece at a time."""
        while self._long and not any(request.feeding for request in self._live.values()):
            room = _BATCH_TOKENS - sum(
                1 if request.answer else request.due for request in self._live.values()
            )
            request = self._long.pop(self._next_long())
            known = self._prefixes.count_cached(request.prompt)  # others may have the same beginning
            if not request.fed:
                request.cached_tokens = known
            request.fed = max(request.fed, known)
            # At least a block, however much else there is: else it might never end.
            piece = max(room // BLOCK_TOKENS, 1) * BLOCK_TOKENS
            if len(request.prompt) - request.fed <= piece:
                self._submit(request)
            else:
                request.fed += piece
                request.due = piece
                request.feeding = True
                self._start(request, request.prompt[: request.fed], _PRIMING)

    def _next_long(self) -> int:
        """Whose turn it is, of those that came first and together take no more than half of the cache.

        If all had turns and did not fit, each piece would push the beginning of the next prompt out.
        """
        room = self._capacity // 2
        taking_turns: list[_Request] = []
        for request_id in sorted(self._long):
            request = self._long[request_id]
            room -= len(request.prompt)
            if room < 0 and taking_turns:
                break
            taking_turns.append(request)
        chosen = min(taking_turns, key=lambda request: request.turn)
        self._turn = chosen.turn
        return chosen.id

    def _submit(self, request: _Request) -> None:
        """Give the library the whole prompt."""
        primer = self._primer(request)
        request.due = len(request.prompt) - request.fed
        request.fed = len(request.prompt)
        request.feeding = False
        request.priming = primer is not None
        if primer is None:
            self._start(request, request.prompt, request.params)
        else:
            self._start(request, primer, _PRIMING)

    def _start(self, request: _Request, token_ids: Sequence[int], params: SamplingParams) -> None:
        try:
            request.handle = self._add(token_ids, generation_config(params))
        except (RuntimeError, TypeError, ValueError) as error:
            self._live.pop(request.id, None)
            self._failures.append(Failed(request.id, "invalid", last_line(error)))
            return
        self._live[request.id] = request

    def _add(self, token_ids: Sequence[int], config: genai.GenerationConfig) -> GenerationHandle:
        tensor = ov.Tensor(np.array([token_ids], dtype=np.int64))
        return self._pipeline.add_request(next(self._library_ids), tensor, config)

    def _primer(self, request: _Request) -> list[int] | None:
        """A prompt to run before this one, so that its answer does not depend on what is cached.

        A prompt of whole cache blocks, or one token more, has a single token left to compute once its blocks
        are cached. The library computes a single token with another kernel than several, which rounds
        differently: the first answer would differ from all later ones. The primer puts the blocks there the
        first time too; being two tokens longer than whole blocks, it is always computed as several. It costs
        a step.
        """
        length = len(request.prompt)
        missing = 2 - length % BLOCK_TOKENS
        if request.priming or missing < 1 or length < BLOCK_TOKENS or not is_repeatable(request.params):
            return None
        if length + missing >= self._capacity:
            return None
        return request.prompt + request.prompt[-1:] * missing

    def _abort(self, request_id: int) -> None:
        if self._waiting.pop(request_id, None) is not None:
            self._grammars.discard(request_id)
            return
        request = self._live.pop(request_id, None)
        if request is None:
            self._long.pop(request_id, None)
            return  # or it ended while the command was on its way
        request.handle.cancel()
        self._remember(request)

    def _collect(self) -> list[Tokens]:
        """What the last step brought each request."""
        collected = []
        ignored = []
        for request in list(self._live.values()):
            output = _read(request)
            if request.feeding and output.finish_reason is not None:
                self._fed(request)
            elif request.priming and output.finish_reason is not None:
                self._submit(request)
            elif output.token_ids and not (request.priming or request.feeding):
                collected.append(self._advance(request, output))
            elif request.handle.get_status() == genai.GenerationStatus.IGNORED:
                ignored.append(request)
        for request in ignored[:1]:
            self._fail(request)  # it cannot fit, and has taken those behind it down with it
        self._retry(ignored[1:])
        return collected

    def _fed(self, request: _Request) -> None:
        """A piece of it is in the cache; the next one comes after those of the others."""
        request.feeding = False
        request.handle = None  # as long as there is one, a step that failed cannot be cleaned up
        request.turn += 1
        self._prefixes.add(request.prompt[: request.fed])
        self._long[request.id] = self._live.pop(request.id)

    def _advance(self, request: _Request, output: _Output) -> Tokens:
        cached_tokens = None
        if not request.answer:
            cached_tokens = request.cached_tokens
            self._prefixes.add(request.prompt)
        request.answer += output.token_ids
        if output.token_ids[-1] in request.params.stop_token_ids:
            output.token_ids.pop()
            output.finish_reason = FinishReason.STOP
        if output.finish_reason is not None:
            del self._live[request.id]
            self._remember(request)
        logprobs = []
        if request.params.logprobs:
            logprobs = [min(logprob, 0.0) for logprob in output.logprobs[: len(output.token_ids)]]
        return Tokens(request.id, output.token_ids, output.finish_reason, cached_tokens, logprobs)

    def _remember(self, request: _Request) -> None:
        """The last token of an answer is never computed on, and so not cached."""
        if request.answer:
            self._prefixes.add(request.prompt + request.answer[:-1])

    def _recover(self) -> list[Tokens]:
        """After an exception the pipeline refuses to work until all that was in it is gone.

        Raises:
            RuntimeError: it still refuses; then only a new process helps.
        """
        tokens = self._collect()
        for request in self._live.values():
            request.handle.cancel()
        for _ in range(_DRAIN_STEPS):
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
        self._retry(list(self._live.values()))
        return tokens

    def _retry(self, requests: Sequence[_Request]) -> None:
        """Start again what the library gave up, once, unless some of the answer is already out."""
        for request in requests:
            if request.answer or request.retried:
                self._fail(request)
                continue
            request.retried = True
            request.priming = False
            self._submit(request)

    def _fail(self, request: _Request) -> None:
        del self._live[request.id]
        self._failures.append(Failed(request.id, "engine", "given up by the pipeline"))

    def _warm_up(self) -> None:
        """The first request repacks the weights: let none of the clients wait for that."""
        handle = self._add([0] * BLOCK_TOKENS, generation_config(_WARM_UP))
        while handle.get_status() == genai.GenerationStatus.RUNNING:
            self._pipeline.step()


def _read(request: _Request) -> _Output:
    output = _Output()
    while request.handle.can_read():
        for part in request.handle.read().values():
            output.token_ids += part.generated_ids
            output.logprobs += part.generated_log_probs
            output.finish_reason = _FINISH_REASONS.get(part.finish_reason)
    return output


_FINISH_REASONS = {
    genai.GenerationFinishReason.STOP: FinishReason.STOP,
    genai.GenerationFinishReason.LENGTH: FinishReason.LENGTH,
}


def _scheduler_config(kv_blocks: int) -> genai.SchedulerConfig:
    config = genai.SchedulerConfig()
    config.num_kv_blocks = kv_blocks
    config.enable_prefix_caching = True
    config.dynamic_split_fuse = True
    config.max_num_batched_tokens = _BATCH_TOKENS
    return config


def _properties(threads: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        # One scale a token: one that is written again into a cached block leaves its neighbours as they were.
        "KEY_CACHE_QUANT_MODE": "BY_TOKEN",
        # Activations stay as they are. In 8 bits, small models get plain facts wrong: the built-in one then
        # does not know the capital of France. It costs a tenth to a fifth of the speed.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    if threads:
        properties["INFERENCE_NUM_THREADS"] = threads
    return properties

"""Engines that say what a test told them to, and write down what is asked of them."""

import asyncio

import numpy as np

from tests.support.served import served
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.core.context import RequestContext
from tramontane.core.events import FinishReason
from tramontane.core.principal import Principal
from tramontane.core.vocabulary import TURN_END, TURN_START
from tramontane.engines.protocol import EngineDelta, EngineInfo
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import EmbeddingModel, GenerationModel
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.fim import FimRenderer
from tramontane.prompts.tokenizer import ByteTokenizer, EncodedBatch
from tramontane.scheduling.admission import Admission

CONTEXT = RequestContext("0" * 32, Principal("organization", "workspace", "key"), created=0)


class ScriptedEngine:
    """Answers the n-th request with the n-th script, one byte a token, one token a delta.

    A script is a text, or a list of texts (a delta each) and exceptions (raised). Answers as long as
    `max_tokens` end with LENGTH, others with STOP. Higher bytes are less probable.
    `log` has ("start", n), ("delta", n) and ("close", n).
    """

    def __init__(self, *scripts, max_context_length=4096, cached_tokens=None):
        self.scripts = scripts
        self.info = EngineInfo("scripted", 258, max_context_length, slots=4)
        self.cached_tokens = cached_tokens
        self.prompts = []
        self.params = []
        self.log = []

    async def generate(self, prompt, params):
        number = len(self.prompts)
        self.prompts.append(bytes(i for i in prompt.token_ids if i < 256).decode())
        self.params.append(params)
        self.log.append(("start", number))
        try:
            async for delta in self._deltas(self.scripts[number % len(self.scripts)], params):
                self.log.append(("delta", number))
                yield delta
        finally:
            self.log.append(("close", number))

    async def _deltas(self, script, params):
        cached_tokens = self.cached_tokens
        left = params.max_tokens
        steps = [bytes([byte]) for byte in script.encode()] if isinstance(script, str) else script
        for step in steps:
            await asyncio.sleep(0)
            if isinstance(step, Exception):
                raise step
            ids = list(step.encode() if isinstance(step, str) else step)[:left]
            left -= len(ids)
            logprobs = [-token_id / 256 for token_id in ids] if params.logprobs else ()
            yield EngineDelta(ids, None if left else FinishReason.LENGTH, cached_tokens, logprobs)
            cached_tokens = None
            if not left:
                return
        yield EngineDelta([], FinishReason.STOP, cached_tokens)


class ScriptedEmbeddingEngine:
    """Turns a sequence into its own first ids, scaled to -1…1; `inputs` has what it was asked for."""

    def __init__(self, max_context_length=16, dimension=4):
        self.info = EngineInfo("scripted", 258, max_context_length, slots=1, embedding_dimension=dimension)
        self.inputs = []

    async def embed(self, inputs):
        self.inputs.extend(inputs)
        rows = [[*ids, *([0] * 8)][: self.info.embedding_dimension] for ids in inputs]
        return (np.array(rows, dtype=np.float32) - 128) / 256


class ByteInputs:
    """A token a byte, between a turn's start and end."""

    def encode_batch(self, texts, max_length):
        encoded = [text.encode() for text in texts]
        return EncodedBatch(
            token_ids=[[TURN_START, *text[: max_length - 2], TURN_END] for text in encoded],
            lengths=[len(text) + 2 for text in encoded],
        )


def generation_model(engine, model_id="chat", **profile):
    tokenizer = ByteTokenizer()
    return GenerationModel(
        profile=ModelProfile(
            id=model_id,
            description="",
            capabilities=Capabilities(completion_chat=True, completion_fim=True),
            max_context_length=8192,
            **profile,
        ),
        engine=engine,
        admission=Admission(slots=4, max_queue=8),
        vocabulary=tokenizer.vocabulary,
        chat=ChatRenderer(tokenizer),
        fim=FimRenderer(tokenizer),
    )


def embedding_model(engine):
    profile = ModelProfile(id="embed", description="", capabilities=Capabilities(), max_context_length=8192)
    admissions = [Admission(slots=1, max_queue=8) for _ in range(2)]
    return EmbeddingModel(profile, engine, *admissions, ByteInputs())


def catalog_of(engine, **profile):
    return Catalog(
        [served(generation_model(engine, **profile)), served(embedding_model(ScriptedEmbeddingEngine()))]
    )

"""Embeddings: texts in, vectors out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from tramontane.billing.entities import Endpoint
from tramontane.core.context import RequestContext
from tramontane.core.usage import Usage
from tramontane.errors import ContextLengthError, EmbeddingBatchError, InvalidRequestError
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import AnyEmbeddingModel, EmbeddingModel, RemoteEmbeddingModel
from tramontane.models.served import ServedModel
from tramontane.prompts.dialects.size import prompt_size
from tramontane.prompts.tokenizer import EncodedBatch
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.serving.embedding_formats import Numbers, encode, quantize
from tramontane.serving.features import EMBEDDING_FIELDS, check_features
from tramontane.serving.leasing import leased
from tramontane.serving.metering import Meter, Metering, Order
from tramontane.serving.offload import off_loop
from tramontane.serving.recording import Recorder, record
from tramontane.serving.relay import say_estimated
from tramontane.serving.spilling import first_of

MAX_INPUTS: Final = 512
MAX_INPUT_TOKENS: Final = 8192
MAX_TOKENS: Final = 16_384
MAX_CHARACTERS: Final = 64 * MAX_TOKENS
"""No text that anybody writes has so many characters a token: more need not be counted to be too many."""
BRIEF_TOKENS: Final = 512
"""A request of no more waits for a slot among its like; the engine takes it before the rest of long ones."""

TOO_MANY_INPUTS: Final = "Too many inputs in request, split into more batches."
TOO_MANY_TOKENS: Final = "Too many tokens overall, split into more batches."


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """The vectors of one request."""

    vectors: Sequence[Numbers | str]
    """One an input, in order: a contiguous array, or base64."""
    usage: Usage
    """The tokens that the model read, special ones included."""
    truncated_inputs: int
    """Inputs within the hosted limits of which a smaller stand-in model read the beginning only."""


@dataclass(frozen=True, slots=True)
class _Embedded:
    """The vectors as an engine makes them."""

    vectors: npt.NDArray[np.float32]
    usage: Usage
    truncated_inputs: int


class EmbeddingService:
    """Turns texts into vectors with the models of the catalog."""

    def __init__(self, catalog: Catalog, metering: Metering, recorder: Recorder | None = None) -> None:
        self._catalog = catalog
        self._metering = metering
        self._recorder = recorder

    async def embed(self, context: RequestContext, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector an input, in the type and encoding that were asked for.

        Raises:
            InvalidModelError: nothing answers to the id, or a model without embeddings.
            EmbeddingBatchError, ContextLengthError: too many inputs or tokens, as the hosted API counts.
            InvalidRequestError: more dimensions than the model has.
            RateLimitError, SpendingLimitError, CapacityError, DeadlineError, EngineError: as for completions.
        """
        served = self._catalog.embedding(request.model)
        check_features(request, EMBEDDING_FIELDS)
        dimension = _dimension(served.traits.embedding_dimension, request.output_dimension)
        texts = [request.input] if isinstance(request.input, str) else request.input
        order = Order(Endpoint.EMBEDDINGS, request.model, metadata=request.metadata)
        meter = await self._metering.admit(context, order, served.profile.id)
        _check_size(texts)
        models = self._catalog.with_spill(served)
        answer = first_of(context, meter, models, partial(self._answer, context, texts, meter))
        async with aclosing(answer) as answers:
            embedded = await anext(answers)
        if self._recorder is not None:
            record(self._recorder, context, request)
        numbers = quantize(embedded.vectors[:, :dimension], request.output_dtype)
        return EmbeddingResult(
            vectors=[encode(vector, request.encoding_format) for vector in numbers],
            usage=embedded.usage,
            truncated_inputs=embedded.truncated_inputs,
        )

    async def _answer(
        self,
        context: RequestContext,
        texts: Sequence[str],
        meter: Meter,
        served: ServedModel[AnyEmbeddingModel],
    ) -> AsyncGenerator[_Embedded]:
        """The vectors of one model, once."""
        async with leased(served, meter) as model:
            if isinstance(model, RemoteEmbeddingModel):
                embedded = await _remote(context, model, texts, meter)
            else:
                embedded = await _local(context, model, texts, meter)
        yield embedded


async def _local(
    context: RequestContext, model: EmbeddingModel, texts: Sequence[str], meter: Meter
) -> _Embedded:
    batch = await _encode(model, texts)
    usage = Usage(prompt_tokens=sum(map(len, batch.token_ids)))
    admission = model.brief if usage.prompt_tokens <= BRIEF_TOKENS else model.admission
    async with meter.running(usage.prompt_tokens, 0, lambda: Usage(0)):
        async with meter.deadline(), admission.slot(context.principal.workspace_id):
            meter.start()
            vectors = await model.engine.embed(batch.token_ids)
        await meter.settle(usage)
    return _Embedded(vectors, usage, batch.truncated)


async def _remote(
    context: RequestContext, model: RemoteEmbeddingModel, texts: Sequence[str], meter: Meter
) -> _Embedded:
    """What the texts have of tokens only the server knows."""
    size = prompt_size({"input": texts})
    async with meter.running(min(size.most, MAX_TOKENS), 0, lambda: Usage(0)):
        async with meter.deadline(), model.admission.slot(context.principal.workspace_id):
            meter.start()
            vectors, usage = await model.engine.embed_texts(texts)
        if usage is None:
            usage = Usage(min(size.likely, MAX_TOKENS))
            say_estimated(context, model.profile.id)
        await meter.settle(usage)
    return _Embedded(vectors, usage, truncated_inputs=0)


def _check_size(texts: Sequence[str]) -> None:
    """Refuse what no tokenizer has to count."""
    if not texts:
        raise EmbeddingBatchError("No inputs in request.")
    if len(texts) > MAX_INPUTS:
        raise EmbeddingBatchError(TOO_MANY_INPUTS)
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise EmbeddingBatchError(TOO_MANY_TOKENS)


async def _encode(model: EmbeddingModel, texts: Sequence[str]) -> EncodedBatch:
    characters = sum(map(len, texts))
    max_length = model.engine.info.max_context_length
    batch = await off_loop(characters, model.tokenizer.encode_batch, texts, max_length)
    longest = max(batch.lengths)
    if longest > MAX_INPUT_TOKENS:
        raise ContextLengthError(longest, MAX_INPUT_TOKENS)
    if sum(batch.lengths) > MAX_TOKENS:
        raise EmbeddingBatchError(TOO_MANY_TOKENS)
    return batch


def _dimension(native: int | None, wanted: int | None) -> int | None:
    if wanted is not None and native is not None and wanted > native:
        raise InvalidRequestError(f"output_dimension must be at most {native} for this model, got {wanted}")
    return wanted

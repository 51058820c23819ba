"""Fill-in-the-middle: code around a gap in, the stages in order, events out."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

from tramontane.billing.entities import Endpoint
from tramontane.core.context import RequestContext
from tramontane.core.events import Event
from tramontane.errors import FeatureNotEnabledError
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import AnyGenerationModel, GenerationModel, RemoteModel
from tramontane.models.served import ServedModel
from tramontane.parsing.suffix import suffix_anchor
from tramontane.scheduling.admission import Lane
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.assemble import Completion, assemble
from tramontane.serving.features import FIM_FIELDS, check_features
from tramontane.serving.generation import Generation, generate, routed
from tramontane.serving.leasing import leased
from tramontane.serving.metering import Meter, Metering, Order
from tramontane.serving.offload import off_loop
from tramontane.serving.recording import Recorder, Recording
from tramontane.serving.relay import Relay, relay
from tramontane.serving.sampling import context_length, room_for_answer, sampling_params, stop_strings
from tramontane.serving.spilling import first_of
from tramontane.serving.superseding import Superseding

FEATURE: Final = "FIM completion"


class FimService:
    """Fills gaps with the models of the catalog."""

    def __init__(self, catalog: Catalog, metering: Metering, recorder: Recorder | None = None) -> None:
        self._catalog = catalog
        self._metering = metering
        self._recorder = recorder
        self._superseding = Superseding[Event]()

    async def stream(self, context: RequestContext, request: FIMCompletionRequest) -> AsyncGenerator[Event]:
        """The answer as it comes. Errors of the request are raised before the first event.

        Of a workspace's requests with one `prompt_cache_key` the newest ends those before it.

        Raises:
            InvalidModelError: nothing answers to the id.
            InvalidRequestError: something in it cannot be; its subclasses say what.
            RateLimitError, SpendingLimitError: the workspace may not ask for it now.
            CapacityError: too many requests wait already.
            EngineError: the engine failed or is not there.
            SupersededError: a newer request took its place.
        """
        served = self._model(request)
        order = Order(Endpoint.FIM, request.model, stream=bool(request.stream), metadata=request.metadata)
        meter = await self._metering.admit(context, order, served.profile.id)
        models = self._catalog.with_spill(served)
        answer = first_of(context, meter, models, partial(self._answer, context, request, meter))
        if request.prompt_cache_key:
            key = (context.principal.workspace_id, request.prompt_cache_key)
            answer = self._superseding.run(key, answer)
        if self._recorder is not None:
            answer = Recording(self._recorder, context, request).follow(answer)
        async with aclosing(answer) as events:
            async for event in events:
                yield event

    async def complete(self, context: RequestContext, request: FIMCompletionRequest) -> Completion:
        """The answer as a whole. Raises as `stream` does."""
        return await assemble(self.stream(context, request))

    async def _answer(
        self,
        context: RequestContext,
        request: FIMCompletionRequest,
        meter: Meter,
        served: ServedModel[AnyGenerationModel],
    ) -> AsyncGenerator[Event]:
        """The answer of one model."""
        _check(served)
        async with leased(served, meter) as model:
            if isinstance(model, RemoteModel):
                remote = model.renderer.fim(request, context.principal.workspace_id)
                answer = relay(context, model, Relay(remote, request.max_tokens, Lane.FIM), meter)
            else:
                generation = routed(await _generation(model, request), model, request, context)
                answer = generate(context, model, generation, meter)
            async with aclosing(answer) as events:
                async for event in events:
                    yield event

    def _model(self, request: FIMCompletionRequest) -> ServedModel[AnyGenerationModel]:
        model = self._catalog.generation(request.model, FEATURE)
        _check(model)
        check_features(request, FIM_FIELDS)
        return model


def _check(model: ServedModel[AnyGenerationModel]) -> None:
    if not model.profile.capabilities.completion_fim:
        raise FeatureNotEnabledError(FEATURE)


async def _generation(model: GenerationModel, request: FIMCompletionRequest) -> Generation:
    suffix = request.suffix or ""
    max_context_length = context_length(model)
    characters = len(request.prompt) + len(suffix)
    rendered = await off_loop(characters, model.fim.render, request.prompt, suffix, max_context_length)
    room = room_for_answer(request.max_tokens, len(rendered.tokens), max_context_length)
    params = sampling_params(request, model, room)
    return Generation(
        prompt=rendered.tokens,
        params=replace(params, stop_token_ids=params.stop_token_ids | rendered.stop_ids),
        room=room,
        stop=stop_strings(request.stop),
        drops_blank=rendered.leaves_blank,
        suffix=None if rendered.knows_suffix else suffix_anchor(request.prompt, suffix),
        lane=Lane.FIM,
    )

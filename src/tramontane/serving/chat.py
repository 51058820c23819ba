"""Chat completions: a conversation in, the stages in order, events out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

from tramontane.billing.entities import Endpoint
from tramontane.core.context import RequestContext
from tramontane.core.events import Event
from tramontane.core.remote import Dialect
from tramontane.engines.protocol import Ability
from tramontane.errors import FeatureNotEnabledError, InvalidRequestError
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import AnyGenerationModel, GenerationModel, RemoteModel
from tramontane.models.served import ServedModel
from tramontane.prompts.renderer import ChatInput, text_length
from tramontane.remote.files import RemoteFiles
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.messages import AssistantMessage, Message, SystemMessage
from tramontane.serving.assemble import Completion, assemble
from tramontane.serving.constraints import Beginning, Constraint, Demand
from tramontane.serving.features import CHAT_FIELDS, check_features
from tramontane.serving.generation import Generation, generate, routed
from tramontane.serving.leasing import leased
from tramontane.serving.media import Files, MediaFiles, check_media
from tramontane.serving.metering import Meter, Metering, Order
from tramontane.serving.offload import LONG_TEXT, off_loop
from tramontane.serving.reasoning import check_reasoning
from tramontane.serving.recording import Recorder, Recording
from tramontane.serving.relay import Relay, relay
from tramontane.serving.response_format import answer_format
from tramontane.serving.sampling import context_length, room_for_answer, sampling_params, stop_strings
from tramontane.serving.spilling import first_of
from tramontane.serving.tools import tool_use

FEATURE: Final = "Chat completion"
SAFE_PROMPT: Final = (
    "Always assist with care, respect, and truth. Respond with utmost utility yet securely. Avoid harmful, "
    "unethical, prejudiced, or negative content. Ensure replies promote fairness and positivity."
)
"""The hosted API's own, word for word."""


class ChatService:
    """Continues conversations with the models of the catalog."""

    def __init__(
        self,
        catalog: Catalog,
        metering: Metering,
        media: MediaFiles | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._catalog = catalog
        self._metering = metering
        self._recorder = recorder
        self._media = media or MediaFiles(RemoteFiles())

    async def stream(self, context: RequestContext, request: ChatCompletionRequest) -> AsyncGenerator[Event]:
        """The answers as they come. Errors of the request are raised before the first event.

        Raises:
            InvalidModelError: nothing answers to the id.
            InvalidRequestError: something in it cannot be; its subclasses say what.
            RateLimitError, SpendingLimitError: the workspace may not ask for it now.
            CapacityError: too many requests wait already.
            EngineError: the engine failed or is not there.
        """
        served = self._model(request)
        models = self._catalog.with_spill(served)
        order = Order(Endpoint.CHAT, request.model, stream=bool(request.stream), metadata=request.metadata)
        meter = await self._metering.admit(context, order, served.profile.id)
        answer = first_of(context, meter, models, partial(self._answer, context, request, meter))
        if self._recorder is not None:
            answer = Recording(self._recorder, context, request).follow(answer)
        async with aclosing(answer) as events:
            async for event in events:
                yield event

    async def complete(self, context: RequestContext, request: ChatCompletionRequest) -> Completion:
        """The answers as a whole. Raises as `stream` does."""
        return await assemble(self.stream(context, request))

    async def _answer(
        self,
        context: RequestContext,
        request: ChatCompletionRequest,
        meter: Meter,
        served: ServedModel[AnyGenerationModel],
    ) -> AsyncGenerator[Event]:
        """The answers of one model."""
        if served is not self._catalog.find(request.model):  # which has been checked
            _check(request, served)
        files = {} if served.traits.checks_itself else await self._media.load(request.messages)
        async with leased(served, meter) as model:
            if isinstance(model, RemoteModel):
                answer = relay(context, model, _relay(model, request, context), meter)
            else:
                generation = await off_loop(_size(request, files), _generation, model, request, files)
                generation = routed(generation, model, request, context)
                answer = generate(context, model, generation, meter)
            async with aclosing(answer) as events:
                async for event in events:
                    yield event

    def _model(self, request: ChatCompletionRequest) -> ServedModel[AnyGenerationModel]:
        """The model that it asks for, and that can do what it asks: nothing is loaded to find that out."""
        model = self._catalog.generation(request.model, FEATURE)
        check_features(request, CHAT_FIELDS)
        if request.prediction.content and (request.n or 1) > 1:
            raise InvalidRequestError("prediction cannot be combined with n greater than 1")
        _check(request, model)
        return model


def _check(request: ChatCompletionRequest, model: ServedModel[AnyGenerationModel]) -> None:
    """Return if the model can do what the request asks, as far as that is known here.

    Raises:
        FeatureNotEnabledError, InvalidRequestError: it cannot.
    """
    if not model.profile.capabilities.completion_chat:
        raise FeatureNotEnabledError(FEATURE)
    traits = model.traits
    if traits.checks_itself:
        return
    if request.logprobs and Ability.LOGPROBS not in traits.abilities:
        raise FeatureNotEnabledError("Logprobs", "are")
    check_reasoning(request, traits.reasoning_efforts)
    check_media(request.messages, traits.modalities)


def _relay(model: RemoteModel, request: ChatCompletionRequest, context: RequestContext) -> Relay:
    """The request in the words of the server that it goes on to."""
    tools, renderer = tool_use(request), model.renderer
    if renderer.dialect is not Dialect.MISTRAL and request.safe_prompt:
        request = request.model_copy(update={"messages": _messages(request)})
    remote = renderer.chat(request, context.principal.workspace_id, tools.max_calls)
    return Relay(remote, request.max_tokens)


def _size(request: ChatCompletionRequest, files: Files) -> int:
    """Characters to be read; a request with files or JSON in it counts as long.

    A small schema can make a large grammar, and nested values cannot be measured without a walk through them.
    """
    has_calls = any(isinstance(said, AssistantMessage) and said.tool_calls for said in request.messages)
    if files or has_calls or request.tools or request.response_format.json_schema:
        return LONG_TEXT + 1
    return text_length(request.messages) + len(request.messages)


def _generation(model: GenerationModel, request: ChatCompletionRequest, files: Files) -> Generation:
    """The request in the words of the model side. Pure: a long one is read in a thread."""
    tools, output_format = tool_use(request), model.chat.output_format
    demand = Demand(tools, answer_format(request))
    constraint = Constraint(demand, output_format, model.engine.info, model.vocabulary.stop_ids)
    chat = ChatInput(
        messages=_messages(request),
        tools=tools.shown,
        response_format=request.response_format,
        is_formed=demand.is_form,
        reasoning_effort=request.reasoning_effort,
        prompt_mode=request.prompt_mode,
        files=files,
    )
    max_context_length = context_length(model)
    rendered = model.chat.render(chat, max_context_length)
    room = room_for_answer(request.max_tokens, len(rendered.prompt), max_context_length)
    drops_blank = model.vocabulary.blank_before_text and not rendered.prefix
    beginning = Beginning(rendered.begins_in, chat.asks_to_think, drops_blank)
    grammar = constraint.grammar(beginning)
    params = sampling_params(request, model, room, is_free=grammar is None and not tools.shown)
    return Generation(
        prompt=rendered.prompt,
        params=replace(params, grammar=grammar, logprobs=bool(request.logprobs)),
        room=room,
        n=request.n or 1,
        stop=stop_strings(request.stop),
        prefix=rendered.prefix,
        thought=rendered.thought,
        output_format=output_format if tools.shown else replace(output_format, calls=None),
        begins_in=rendered.begins_in,
        drops_blank=drops_blank,
        max_calls=tools.max_calls,
    )


def _messages(request: ChatCompletionRequest) -> Sequence[Message]:
    if not request.safe_prompt:
        return request.messages
    return [SystemMessage(content=SAFE_PROMPT), *request.messages]

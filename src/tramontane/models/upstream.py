"""Models that other servers have, of the settings of their pool and of what the servers say."""

import logging
from dataclasses import replace
from typing import Final

from tramontane.catalog.hosted import HostedModel, find_hosted
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.core.clock import SystemClock
from tramontane.core.prompt import Modality
from tramontane.core.remote import Dialect
from tramontane.engines.protocol import Ability
from tramontane.engines.upstream.completions import UpstreamCompletionEngine
from tramontane.engines.upstream.connection import UNKNOWN_CONTEXT_LENGTH, Connection
from tramontane.engines.upstream.embedding import UpstreamEmbeddingEngine
from tramontane.engines.upstream.facts import Facts
from tramontane.engines.upstream.generation import UpstreamGenerationEngine
from tramontane.engines.upstream.options import PoolOptions, Timeouts
from tramontane.engines.upstream.token_streams import token_stream
from tramontane.models.loaded import GenerationModel, LoadedModel, RemoteEmbeddingModel, RemoteModel
from tramontane.models.loader import Traits, traits_of
from tramontane.models.servers import name_there, servers_of, task_of, upstream_profile
from tramontane.prompts.of_artifact import prompts_of
from tramontane.scheduling.admission import Admission
from tramontane.schemas.chat import ReasoningEffort
from tramontane.settings import ModelSettings, UpstreamSettings, read_key
from tramontane.weights.artifact import Artifact

logger = logging.getLogger(__name__)

_CHAT: Final = frozenset({"completion_chat", "function_calling"})
_EFFORTS: Final = tuple(ReasoningEffort)


class UpstreamLoader:
    """Makes a model that other servers have.

    Args:
        model: its settings, complete.
        facts: what a server says of it; None if none answers yet.
        text: its text side, if it is driven by tokens.
        strict: take ids of tool calls in the hosted API's form only.

    Raises:
        ConfigurationError: the settings do not go together, or the key cannot be read.
    """

    memory = 0

    def __init__(
        self, model: ModelSettings, facts: Facts | None, text: Artifact | None, *, strict: bool
    ) -> None:
        upstream = servers_of(model)
        self.settings = model
        self.admission = Admission(model.slots, model.max_queue)
        self._name = name_there(model)
        self._options = pool_options(upstream)
        self._dialect = Dialect(upstream.dialect) if upstream.dialect else None
        self._known = self._dialect or (facts.dialect if facts else None)
        self._text = text
        self._strict = strict
        self._hosted = find_hosted(self._name)
        self._capabilities = _capabilities(upstream, facts, self._hosted)
        self.profile = self._profile(model, upstream, facts)

    def make(self) -> LoadedModel:
        """The model; its servers are asked when its engine is started.

        Raises:
            ModelStoreError: its tokenizer cannot be used.
        """
        if task_of(self.settings) == "embed":
            embedder = UpstreamEmbeddingEngine(self._options, self._name, slots=self.settings.slots)
            return RemoteEmbeddingModel(self.profile, embedder, self.admission)
        if self._text is None:
            engine = UpstreamCompletionEngine(
                self._options, self._name, self._dialect, slots=self.settings.slots
            )
            return RemoteModel(self.profile, engine, self.admission, self._strict)
        prompts = prompts_of(self._text, strict=self._strict)
        driven = UpstreamGenerationEngine(
            self._options,
            self._name,
            vocabulary_size=len(prompts.vocabulary),
            max_context_length=self.profile.max_context_length,
            slots=self.settings.slots,
            dialect=self._dialect,
        )
        return GenerationModel(
            self.profile, driven, self.admission, prompts.vocabulary, prompts.chat, prompts.fim
        )

    def traits(self, made: LoadedModel) -> Traits:
        """Driven by tokens, it can do what our prompts can say; else what its servers or the settings say."""
        if isinstance(made, GenerationModel):
            return traits_of(made, token_stream(self._known or Dialect.VLLM).abilities)
        has = self._capabilities
        return Traits(
            function_calling="function_calling" in has,
            reasoning_efforts=_EFFORTS if "reasoning" in has else (),
            modalities=frozenset({Modality.IMAGE} if "vision" in has else ()),
            abilities=frozenset({Ability.LOGPROBS}),
            checks_itself=True,
        )

    def _profile(self, model: ModelSettings, upstream: UpstreamSettings, facts: Facts | None) -> ModelProfile:
        hosted, text, is_driven = self._hosted, self._text, self._text is not None
        said = facts.max_context_length if facts else None
        lengths = (
            upstream.max_context_length,
            said,
            text.manifest.max_context_length if text else None,
            hosted.max_context_length if hosted else None,
        )
        has = self._capabilities
        temperature = facts.default_temperature if facts else None
        if temperature is None and hosted is not None and self._known is not Dialect.MISTRAL:
            temperature = hosted.default_temperature
        return replace(
            upstream_profile(model),
            capabilities=Capabilities(
                completion_chat=is_driven or "completion_chat" in has,
                completion_fim=is_driven or "completion_fim" in has,
            ),
            max_context_length=next(filter(None, lengths), UNKNOWN_CONTEXT_LENGTH),
            default_temperature=temperature,
        )


async def ask_servers(model: ModelSettings) -> Facts | None:
    """What the servers say of the model; None if none answers now.

    Raises:
        ConfigurationError: the key cannot be read.
    """
    connection = Connection(pool_options(servers_of(model)), name_there(model), SystemClock())
    try:
        await connection.open()
        if connection.facts is None:
            logger.warning(
                "No server of %s tells of its models yet; what it can do is taken from the settings", model.id
            )
        return connection.facts
    finally:
        await connection.close()


def pool_options(upstream: UpstreamSettings) -> PoolOptions:
    """The pool in the words of the engine.

    Raises:
        ConfigurationError: the key cannot be read.
    """
    return PoolOptions(
        urls=upstream.urls,
        key=read_key(upstream),
        timeouts=Timeouts(
            upstream.connect_timeout, upstream.first_token_timeout, upstream.between_tokens_timeout
        ),
        retries=upstream.retries,
        health_interval=upstream.health_interval,
        breaker_failures=upstream.breaker_failures,
        breaker_seconds=upstream.breaker_time,
    )


def _capabilities(
    upstream: UpstreamSettings, facts: Facts | None, hosted: HostedModel | None
) -> frozenset[str]:
    if upstream.capabilities is not None:
        return frozenset(upstream.capabilities)
    if facts is not None and facts.capabilities is not None:
        return facts.capabilities
    if hosted is None:
        return _CHAT
    has = frozenset[str](hosted.capabilities)
    is_mistral = upstream.dialect == "mistral" or (facts is not None and facts.dialect is Dialect.MISTRAL)
    return has if is_mistral else has - {"completion_fim"}

"""Services that do what a test tells them, without any model."""

import asyncio
from dataclasses import dataclass, field

from tests.support.served import served
from tramontane.api.deps import Services
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta
from tramontane.core.principal import Principal
from tramontane.core.usage import Usage
from tramontane.errors import (
    AuthenticationError,
    EngineUnavailableError,
    InvalidModelError,
    PermissionDeniedError,
)
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import EmbeddingModel, GenerationModel
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.tokenizer import ByteTokenizer
from tramontane.serving.assemble import assemble
from tramontane.serving.embeddings import EmbeddingResult

KEY = "the-key"
NOW = 1_764_296_393
USAGE = Usage(prompt_tokens=23, completion_tokens=3, cached_tokens=16)

CHAT_PROFILE = ModelProfile(
    id="tiny-chat",
    description="A tiny model.",
    capabilities=Capabilities(completion_chat=True, completion_fim=True),
    max_context_length=8192,
    default_temperature=0.2,
    aliases=("mistral-large-latest", "org/model:tag"),
)
EMBEDDING_PROFILE = ModelProfile(
    id="tiny-embed",
    description="A tiny embedding model.",
    capabilities=Capabilities(),
    max_context_length=256,
    aliases=("mistral-embed",),
    owned_by="someone",
)


class FakeAccounts:
    async def authenticate(self, key):
        if key != KEY:
            raise AuthenticationError
        return Principal("org", "workspace", "key")

    async def authenticate_admin(self, key):
        await self.authenticate(key)
        raise PermissionDeniedError("This is an API key.")


class StillClock:
    def now(self):
        return NOW + 0.9

    def monotonic(self):
        return 0.0


@dataclass
class FakeEngine:
    problem: str | None = None

    async def check_health(self):
        if self.problem:
            raise EngineUnavailableError(self.problem)


@dataclass
class FakeCompletions:
    """Plays a script of events, errors to raise, and waits (numbers of seconds)."""

    script: list = field(default_factory=lambda: answer("Pong"))
    requests: list = field(default_factory=list)
    contexts: list = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    played: int = 0

    async def stream(self, context, request):
        self.requests.append(request)
        self.contexts.append(context)
        try:
            if request.model not in ("tiny-chat", *CHAT_PROFILE.aliases):
                raise InvalidModelError(request.model)
            for step in self.script:
                self.played += 1
                match step:
                    case Exception():
                        raise step
                    case int() | float():
                        await asyncio.sleep(step)
                    case _:
                        yield step
        finally:
            self.closed.set()

    async def complete(self, context, request):
        return await assemble(self.stream(context, request))


@dataclass
class FakeEmbeddings:
    vectors: list = field(default_factory=lambda: [[0.5, -0.25]])
    truncated_inputs: int = 0
    requests: list = field(default_factory=list)

    async def embed(self, context, request):
        self.requests.append(request)
        return EmbeddingResult(self.vectors, Usage(prompt_tokens=12), self.truncated_inputs)


def answer(*texts):
    """The events of one answer of these pieces."""
    return [
        *(TextDelta(0, text) for text in texts[:-1]),
        ChoiceEnd(0, texts[-1], FinishReason.STOP, USAGE),
    ]


def fake_services(chat=None, fim=None, embeddings=None, engine=None):
    chat_model = GenerationModel(
        CHAT_PROFILE, engine or FakeEngine(), None, None, ChatRenderer(ByteTokenizer()), None
    )
    embedding_model = EmbeddingModel(EMBEDDING_PROFILE, FakeEngine(), None, None, None)
    return Services(
        accounts=FakeAccounts(),
        workspaces=None,
        keys=None,
        limits=None,
        prices=None,
        spending=None,
        usage=None,
        catalog=Catalog([served(chat_model), served(embedding_model)]),
        models=None,
        chat=chat or FakeCompletions(),
        fim=fim or FakeCompletions(),
        embeddings=embeddings or FakeEmbeddings(),
        clock=StillClock(),
    )

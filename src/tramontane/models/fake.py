"""Models of the fake engine: nothing to fetch, and no memory to speak of."""

from typing import Final

from tramontane.catalog.fake import CHAT_TEMPLATE, fake_profile
from tramontane.engines.fake.engine import FakeEmbeddingEngine, FakeGenerationEngine
from tramontane.engines.fake.script import Script
from tramontane.engines.fake.vectors import EMBEDDING_DIMENSION
from tramontane.engines.protocol import Ability
from tramontane.models.loaded import EmbeddingModel, GenerationModel, LoadedModel
from tramontane.models.loader import Traits, traits_of
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.fim import FimRenderer
from tramontane.prompts.tokenizer import ByteGroupTokenizer, ByteTokenizer
from tramontane.scheduling.admission import Admission
from tramontane.settings import ModelSettings, Settings

CONTEXT_LENGTH: Final = 1_048_576
"""Tokens, of a byte or four: more than any prompt that a test of a client would send."""


class FakeLoader:
    """Makes the model that `model` asks for, with the script and the pace of `settings`."""

    memory = 0

    def __init__(self, settings: Settings, model: ModelSettings) -> None:
        self.settings = model
        self.profile = fake_profile(model, CONTEXT_LENGTH)
        self.admission = Admission(model.slots, model.max_queue)
        self._brief = Admission(model.slots, model.max_queue)
        self._script = settings.fake_script
        self._tokens_per_second = settings.fake_tokens_per_second
        self._strict = settings.strict

    def make(self) -> LoadedModel:
        """The model.

        Raises:
            ConfigurationError: the script cannot be read.
        """
        slots = self.settings.slots
        if self.settings.task == "embed":
            engine = FakeEmbeddingEngine(slots=slots, max_context_length=CONTEXT_LENGTH)
            return EmbeddingModel(self.profile, engine, self.admission, self._brief, ByteGroupTokenizer())
        tokenizer = ByteTokenizer()
        return GenerationModel(
            profile=self.profile,
            engine=FakeGenerationEngine(
                Script.read(self._script) if self._script else Script(),
                tokens_per_second=self._tokens_per_second,
                slots=slots,
                max_context_length=CONTEXT_LENGTH,
            ),
            admission=self.admission,
            vocabulary=tokenizer.vocabulary,
            chat=ChatRenderer(tokenizer, CHAT_TEMPLATE, strict=self._strict),
            fim=FimRenderer(tokenizer),
        )

    def traits(self, made: LoadedModel) -> Traits:
        """As its prompts are."""
        return traits_of(made, frozenset({Ability.SCRIPTED}), EMBEDDING_DIMENSION)

"""Models of the fake engine: nothing to fetch, nothing to load."""

from typing import Final

from tramontane.catalog.catalog import EmbeddingModel, GenerationModel, LoadedModel
from tramontane.catalog.fake import CHAT_TEMPLATE, fake_profile
from tramontane.engines.fake.engine import FakeEmbeddingEngine, FakeGenerationEngine
from tramontane.engines.fake.script import Script
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.fim import FimRenderer
from tramontane.prompts.tokenizer import ByteGroupTokenizer, ByteTokenizer
from tramontane.scheduling.admission import Admission
from tramontane.settings import ModelSettings, Settings

CONTEXT_LENGTH: Final = 1_048_576
"""Tokens, of a byte or four: more than any prompt that a test of a client would send."""


def fake_model(settings: Settings, model: ModelSettings) -> LoadedModel:
    """The model that `model` asks for, with the script and the pace of `settings`.

    Raises:
        ConfigurationError: the script cannot be read.
    """
    profile = fake_profile(model, CONTEXT_LENGTH)
    admission = Admission(model.slots, model.max_queue)
    if model.task == "embed":
        engine = FakeEmbeddingEngine(slots=model.slots, max_context_length=CONTEXT_LENGTH)
        brief = Admission(model.slots, model.max_queue)
        return EmbeddingModel(profile, engine, admission, brief, ByteGroupTokenizer())
    script = Script.read(settings.fake_script) if settings.fake_script else Script()
    tokenizer = ByteTokenizer()
    return GenerationModel(
        profile=profile,
        engine=FakeGenerationEngine(
            script,
            tokens_per_second=settings.fake_tokens_per_second,
            slots=model.slots,
            max_context_length=CONTEXT_LENGTH,
        ),
        admission=admission,
        vocabulary=tokenizer.vocabulary,
        chat=ChatRenderer(tokenizer, CHAT_TEMPLATE, strict=settings.strict),
        fim=FimRenderer(tokenizer),
    )

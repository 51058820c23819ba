"""The models of the fake engine, as plain about themselves as all others."""

from typing import Final

from tramontane.catalog.hosted import hosted_ids
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.prompts.chat_template import CHATML

CHAT_ID: Final = "fake"
EMBEDDING_ID: Final = "fake-embed"
CHAT_TEMPLATE: Final = (
    CHATML + "{% if enable_thinking %}{# Scripts may <think>, whether asked to or not. #}{% endif %}"
)
"""ChatML, and the tags between which a script writes what it thinks."""


def fake_chat_profile(max_context_length: int) -> ModelProfile:
    """Answers to every hosted chat and code model."""
    return ModelProfile(
        id=CHAT_ID,
        description="Scripted answers for tests of client programs; no model at all.",
        capabilities=Capabilities(completion_chat=True, completion_fim=True),
        max_context_length=max_context_length,
        default_temperature=0.3,
        aliases=hosted_ids("generate"),
    )


def fake_embedding_profile(max_context_length: int) -> ModelProfile:
    """Answers to every hosted embedding model."""
    return ModelProfile(
        id=EMBEDDING_ID,
        description="Vectors of hashed words for tests of client programs; no model at all.",
        capabilities=Capabilities(),
        max_context_length=max_context_length,
        aliases=hosted_ids("embed"),
    )

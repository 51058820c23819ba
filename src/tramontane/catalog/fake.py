"""The models of the fake engine, as plain about themselves as all others."""

from typing import Final

from tramontane.catalog.hosted import Task, hosted_ids
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.catalog.resolve import letters_of
from tramontane.prompts.chat_template import CHATML
from tramontane.settings import ModelSettings

CHAT_ID: Final = "fake"
EMBEDDING_ID: Final = "fake-embed"
_DESCRIPTIONS: Final[dict[Task, str]] = {
    "generate": "Scripted answers for tests of client programs; no model at all.",
    "embed": "Vectors of hashed words for tests of client programs; no model at all.",
}
CHAT_TEMPLATE: Final = (
    CHATML + "{% if enable_thinking %}{# Scripts may <think>, whether asked to or not. #}{% endif %}"
)
"""ChatML, and the tags between which a script writes what it thinks."""


def fake_profile(settings: ModelSettings, max_context_length: int) -> ModelProfile:
    """Answers to every hosted model of its task, unless the settings name some of them.

    A model that they name is not looked for: the name alone is taken.
    """
    task = settings.task or "generate"
    is_chat = task == "generate"
    named = settings.model and letters_of(settings.model.rpartition("/")[2])
    return ModelProfile(
        id=settings.id or named or (CHAT_ID if is_chat else EMBEDDING_ID),
        description=_DESCRIPTIONS[task],
        capabilities=Capabilities(completion_chat=is_chat, completion_fim=is_chat),
        max_context_length=max_context_length,
        default_temperature=0.3 if is_chat else None,
        aliases=hosted_ids(task) if settings.aliases is None else settings.aliases,
        yields=settings.aliases is None,
    )

"""How a model that has no setting for it is told of the schema that its answer must follow: by a message."""

from dataclasses import replace
from typing import Final

from tramontane.prompts.grammar.keywords import written
from tramontane.prompts.renderer import ChatInput
from tramontane.schemas.messages import SystemMessage

_INSTRUCTION: Final = "Your output should be an instance of a JSON object following this schema: {schema}"
"""The hosted API's own sentence."""


def told_of_schema(chat: ChatInput) -> ChatInput:
    """`chat` with the schema in a message before all others; nothing of any object, as hosted.

    The hosted API asks its users to say it in the prompt.
    """
    form = chat.response_format
    if form is None or form.json_schema is None:
        return chat
    schema = written(form.json_schema.schema_definition)
    instruction = SystemMessage(content=_INSTRUCTION.format(schema=schema))
    return replace(chat, messages=[instruction, *chat.messages])

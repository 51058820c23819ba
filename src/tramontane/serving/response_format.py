"""What `response_format` asks of the answer."""

from dataclasses import dataclass
from typing import Final

from tramontane.errors import InvalidRequestError
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.prompts.grammar.keywords import written
from tramontane.schemas.chat import ChatCompletionRequest, JsonSchema, ResponseFormats
from tramontane.schemas.messages import AssistantMessage, SystemMessage

_INSTRUCTION: Final = "Your output should be an instance of a JSON object following this schema: {schema}"
"""The hosted API's own sentence."""


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """JSON that the answer must be: of a schema, or any object."""

    json_schema: JsonSchema | None = None

    def grammar(self, builder: GrammarBuilder) -> Ref:
        """The texts that have this form.

        Raises:
            SchemaError: the schema is not valid or cannot be enforced.
        """
        if self.json_schema is None:
            return builder.any_object()
        return builder.schema(self.json_schema.schema_definition)

    @property
    def instruction(self) -> SystemMessage | None:
        """What the model is told of it; nothing of any object, as the hosted API asks its users to say it."""
        if self.json_schema is None:
            return None
        return SystemMessage(content=_INSTRUCTION.format(schema=written(self.json_schema.schema_definition)))


def answer_format(request: ChatCompletionRequest) -> AnswerFormat | None:
    """What the answer must be; None if it may be any text.

    Raises:
        InvalidRequestError: a schema is asked for and none is given, or a text is given to go on with.
    """
    wanted = request.response_format
    if wanted.type is ResponseFormats.text:
        return None
    if wanted.type is ResponseFormats.json_schema and wanted.json_schema is None:
        raise InvalidRequestError("response_format of type json_schema requires json_schema")
    match request.messages:
        case [*_, AssistantMessage(prefix=True)]:
            raise InvalidRequestError("response_format cannot be combined with a prefix of the answer")
    return AnswerFormat(wanted.json_schema if wanted.type is ResponseFormats.json_schema else None)

"""What `response_format` asks of the answer."""

from dataclasses import dataclass

from tramontane.errors import InvalidRequestError
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.schemas.chat import ChatCompletionRequest, JsonSchema, ResponseFormats
from tramontane.schemas.messages import AssistantMessage


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

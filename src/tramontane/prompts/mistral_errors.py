"""What `mistral-common` refuses → the hosted API's error for it, in one table."""

from collections.abc import Mapping
from typing import Final

from mistral_common import exceptions
from mistral_common.exceptions import MistralCommonException

from tramontane.errors import (
    ApiError,
    AssistantMessageError,
    FunctionCallError,
    InvalidRequestError,
    MessageOrderError,
    ToolSchemaError,
)

HOSTED: Final[Mapping[type[MistralCommonException], type[InvalidRequestError]]] = {
    exceptions.InvalidMessageStructureException: MessageOrderError,
    exceptions.InvalidAssistantMessageException: AssistantMessageError,
    exceptions.InvalidFunctionCallException: FunctionCallError,
    exceptions.InvalidToolMessageException: FunctionCallError,
    exceptions.InvalidToolException: FunctionCallError,
    exceptions.InvalidRequestException: InvalidRequestError,
    exceptions.InvalidSystemPromptException: InvalidRequestError,
    exceptions.InvalidUserMessageException: InvalidRequestError,
    exceptions.TokenizerException: InvalidRequestError,
    exceptions.UnsupportedTokenizerFeatureException: InvalidRequestError,
}
"""Those whose hosted type and code nobody has seen are plain `InvalidRequestError`."""

_TOOL_SCHEMA: Final = "Invalid tool schema: "


def hosted_error(error: Exception) -> ApiError:
    """What a client gets for `error`, which may be any: the library also asserts, and lets pydantic raise."""
    match error:
        case ApiError():
            return error
        case exceptions.InvalidToolSchemaException(message=message):
            return ToolSchemaError(message.removeprefix(_TOOL_SCHEMA))
        case MistralCommonException(message=message):
            return HOSTED.get(type(error), InvalidRequestError)(message)
        case RecursionError():
            return InvalidRequestError("The request is nested too deeply")
        case _:
            return InvalidRequestError(
                f"The model's tokenizer cannot encode this: {str(error) or type(error).__name__}"
            )

"""Tools that a model may call, and its calls."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from tramontane.schemas.base import Items, WireModel


class ToolTypes(StrEnum):
    """The kinds of tools whose calls the client answers."""

    function = "function"


class Function(WireModel):
    """A function of the client; `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    strict: bool = False
    parameters: dict[str, Any]


class Tool(WireModel):
    """A function that the model may call."""

    type: Literal[ToolTypes.function] = ToolTypes.function
    function: Function


class FunctionCall(WireModel):
    """Which function is called, with which arguments: JSON text, or the object itself."""

    name: str
    arguments: dict[str, Any] | str


class ToolCall(WireModel):
    """One call of a function by the model."""

    id: str = "null"
    type: ToolTypes = ToolTypes.function
    function: FunctionCall
    index: int = 0


class FunctionName(WireModel):
    """The name of one function."""

    name: str


class ToolChoice(WireModel):
    """The one function that must be called."""

    type: ToolTypes = ToolTypes.function
    function: FunctionName


class ToolChoiceEnum(StrEnum):
    """Whether tools may (`auto`), must not (`none`) or must (`any`, `required`) be called."""

    auto = "auto"
    none = "none"
    any = "any"
    required = "required"


class ToolConfiguration(WireModel):
    """Which functions of a built-in tool may be used."""

    exclude: Items[str] | None = None
    include: Items[str] | None = None
    requires_confirmation: Items[str] | None = None


class WebSearchTool(WireModel):
    """The hosted API's own web search."""

    tool_configuration: ToolConfiguration | None = None
    type: Literal["web_search"] = "web_search"


class WebSearchPremiumTool(WireModel):
    """The hosted API's web search with news agencies."""

    tool_configuration: ToolConfiguration | None = None
    type: Literal["web_search_premium"] = "web_search_premium"


class CodeInterpreterTool(WireModel):
    """The hosted API's own interpreter."""

    tool_configuration: ToolConfiguration | None = None
    type: Literal["code_interpreter"] = "code_interpreter"


class ImageGenerationTool(WireModel):
    """The hosted API's own image generator."""

    tool_configuration: ToolConfiguration | None = None
    type: Literal["image_generation"] = "image_generation"


class DocumentLibraryTool(WireModel):
    """A search in libraries of the hosted API."""

    tool_configuration: ToolConfiguration | None = None
    type: Literal["document_library"] = "document_library"
    library_ids: Items[str] = Field(min_length=1)


class OAuth2TokenAuth(WireModel):
    """A token for a connector."""

    type: Literal["oauth2-token"] = "oauth2-token"
    value: str


class APIKeyAuth(WireModel):
    """A key for a connector."""

    type: Literal["api-key"] = "api-key"
    value: str


class CustomConnector(WireModel):
    """A connector of the workspace at the hosted API."""

    type: Literal["connector"] = "connector"
    connector_id: str
    authorization: Annotated[OAuth2TokenAuth | APIKeyAuth, Field(discriminator="type")] | None = None
    tool_configuration: ToolConfiguration | None = None


AnyTool = Annotated[
    Tool
    | WebSearchTool
    | WebSearchPremiumTool
    | CodeInterpreterTool
    | ImageGenerationTool
    | DocumentLibraryTool
    | CustomConnector,
    Field(discriminator="type"),
]

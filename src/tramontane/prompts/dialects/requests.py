"""A request of the wire → a request to another server, in the dialect that it speaks. Pure."""

from dataclasses import dataclass
from typing import Final

from tramontane.core.remote import Dialect, RemoteRequest
from tramontane.errors import FeatureNotEnabledError
from tramontane.prompts.dialects import mistral, openai
from tramontane.prompts.dialects.affinity import affinity
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest

CHAT_PATH: Final = "chat/completions"
FIM_PATH: Final = "fim/completions"


@dataclass(frozen=True, slots=True)
class RemoteRenderer:
    """Puts requests to one model of another server."""

    dialect: Dialect
    default_temperature: float | None = None
    """For requests that say none; None leaves it to the server."""
    strict: bool = False
    """Ids of tool calls must have the hosted API's form."""

    def chat(
        self, request: ChatCompletionRequest, workspace_id: str, max_calls: int | None = None
    ) -> RemoteRequest:
        """A conversation.

        Raises:
            InvalidRequestError: its subclasses say what the server could not be asked.
        """
        is_mistral = self.dialect is Dialect.MISTRAL
        body = (
            mistral.chat_body(request, strict=self.strict)
            if is_mistral
            else openai.chat_body(request, self.dialect, self.default_temperature)
        )
        return RemoteRequest(
            path=CHAT_PATH,
            body=body,
            n=request.n or 1,
            prefix="" if is_mistral else openai.prefix_of(request),
            max_calls=max_calls,
            affinity=affinity(request, workspace_id),
            is_streamed=request.stream,
        )

    def fim(self, request: FIMCompletionRequest, workspace_id: str) -> RemoteRequest:
        """A gap in code, of which only Mistral's API knows.

        Raises:
            FeatureNotEnabledError: the server speaks another dialect.
        """
        if self.dialect is not Dialect.MISTRAL:
            raise FeatureNotEnabledError("FIM completion")
        return RemoteRequest(
            path=FIM_PATH,
            body=mistral.fim_body(request),
            affinity=affinity(request, workspace_id),
            is_streamed=request.stream,
        )

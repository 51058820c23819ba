"""Everything that Tramontane raises on purpose, on one screen.

    TramontaneError
    ├─ ApiError                      a client gets `status` and `body()`, in the hosted API's shape
    │  ├─ InvalidRequestError        400  invalid_request_invalid_args          3051
    │  │  ├─ FeatureNotEnabledError  400  "… is not enabled for this model"     3051
    │  │  ├─ ContextLengthError      400  "… too large for model with N maximum context length"  3051
    │  │  ├─ GreedySamplingError     400  temperature 0 with top_p below 1      3054
    │  │  ├─ SchemaError             400  "Invalid json_schema: …"              3051
    │  │  │  └─ ToolSchemaError      400  "Invalid tool schema: …"  invalid_request_tool_schema
    │  │  ├─ EmbeddingBatchError     400  invalid_request_prompt                3210
    │  │  ├─ MessageOrderError       400  invalid_request_message_order         3230
    │  │  ├─ AssistantMessageError   400  invalid_request_assistant_message     3240
    │  │  ├─ FunctionCallError       400  invalid_function_call                 3280
    │  │  ├─ AudioFileError          400  invalid_request_audio                 3291
    │  │  ├─ FileInputError          400  invalid_request_file                  3310
    │  │  └─ UpstreamRefusalError    400  what an upstream server says of the request  3051
    │  ├─ InvalidModelError          400  invalid_model                         1500
    │  ├─ AuthenticationError        401  {"detail": "Invalid API Key"}
    │  ├─ SpendingLimitError         402  spending_limit_reached; names the limit and when it resets
    │  ├─ UnknownPriceError          403  unpriced_model: a spending limit rules, and the model has no price
    │  ├─ PermissionDeniedError      403  forbidden: the key is valid, but not for this
    │  ├─ ModelNotFoundError         404  {"message": "Model … was not found."}
    │  ├─ NotFoundError              404  not_found: the admin API knows no such thing
    │  ├─ SupersededError            409  a newer request with the same prompt_cache_key came
    │  ├─ ConflictError              409  conflict: a name is taken, a key has ended, …
    │  ├─ SlowRequestError           408  request_timeout: the request itself does not come
    │  ├─ RequestTooLargeError       413  the body is larger than the server reads
    │  ├─ RequestValidationError     422  {"detail": [{"type", "loc", "msg", "input"}]}
    │  ├─ HeadTooLargeError          431  the headers are larger than the server reads
    │  ├─ RateLimitError             429  rate_limited                          1300, with retry-after
    │  ├─ CapacityError              429  service_tier_capacity_exceeded        3505, with retry-after
    │  ├─ DeadlineError              504  request_timeout: the answer takes longer than the server allows
    │  ├─ EngineError                500  internal_server_error                 1000
    │  ├─ EngineUnavailableError     503  service_unavailable                   1000, with retry-after
    │  ├─ LedgerUnavailableError     503  service_unavailable, when the database cannot be written
    │  └─ DatabaseUnavailableError   503  service_unavailable                   1000, with retry-after
    ├─ ConfigurationError            the operator must change something; the message says what
    ├─ ModelStoreError               a model cannot be fetched, checked, read or converted; says which and why
    ├─ StorageError                  the database cannot be opened or is not ours to use
    └─ RemoteServerError             the server that a command talks to cannot be reached, or refuses

Texts, types and codes of the hosted API are in `docs/errors.md`. A foreign exception
is translated once, in the module that talks to the foreigner, always with `raise … from`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class TramontaneError(Exception):
    """Base of all errors raised on purpose; `str(error)` is fit to be shown."""


class ApiError(TramontaneError):
    """An error that is answered to the client of the API, never logged as a fault of ours."""

    status: ClassVar[int]
    type: ClassVar[str] = "invalid_request_invalid_args"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON body of the hosted API for this error."""
        return {
            "object": "error",
            "message": self.message,
            "type": self.type,
            "param": None,
            "code": self.code,
            "raw_status_code": self.status,
        }


class InvalidRequestError(ApiError):
    """The request is well formed, but asks for what cannot be."""

    status = 400
    code = "3051"


class FeatureNotEnabledError(InvalidRequestError):
    """A field of the API that the model (or this release) does not serve."""

    def __init__(self, feature: str, verb: str = "is") -> None:
        super().__init__(f"{feature} {verb} not enabled for this model")


class ContextLengthError(InvalidRequestError):
    """The prompt is longer than the model reads.

    Agents detect this by the phrase "too large for model with N maximum context length".
    """

    def __init__(self, prompt_tokens: int, max_context_length: int) -> None:
        super().__init__(
            f"Prompt contains {prompt_tokens} tokens and 0 draft tokens, too large for model with "
            f"{max_context_length} maximum context length"
        )


class GreedySamplingError(InvalidRequestError):
    """Greedy sampling leaves nothing for top_p to cut."""

    code = "3054"

    def __init__(self) -> None:
        super().__init__("top_p must be 1 when using greedy sampling.")


class SchemaError(InvalidRequestError):
    """A JSON Schema that is not valid, that nothing can satisfy, or that cannot be enforced as it stands.

    `path` leads to the place in the schema: `$.properties.age`.
    """

    subject: ClassVar[str] = "json_schema"

    def __init__(self, problem: str, path: str = "$") -> None:
        place = "" if path == "$" else f"{path}: "
        super().__init__(f"Invalid {self.subject}: {place}{problem}")


class ToolSchemaError(SchemaError):
    """The same of the parameters of a tool."""

    subject = "tool schema"
    type = "invalid_request_tool_schema"


class EmbeddingBatchError(InvalidRequestError):
    """An embedding request holds more inputs or tokens than one request may."""

    type = "invalid_request_prompt"
    code = "3210"


class MessageOrderError(InvalidRequestError):
    """The roles of a conversation do not follow one another as they must."""

    type = "invalid_request_message_order"
    code = "3230"


class AssistantMessageError(InvalidRequestError):
    """An assistant message that says nothing and calls nothing."""

    type = "invalid_request_assistant_message"
    code = "3240"


class FunctionCallError(InvalidRequestError):
    """A call of a tool in the conversation, or its result, has an id or a name that cannot be."""

    type = "invalid_function_call"
    code = "3280"


class AudioFileError(InvalidRequestError):
    """Audio that is no audio file, or too long."""

    type = "invalid_request_audio"
    code = "3291"


class FileInputError(InvalidRequestError):
    """An image or audio that cannot be fetched or decoded, or is too large."""

    type = "invalid_request_file"
    code = "3310"


class UpstreamRefusalError(InvalidRequestError):
    """The server that a request went on to finds fault with it; the words are that server's.

    So are type and code, if it has those of the hosted API.
    """

    def __init__(self, message: str, kind: str | None = None, code: str | None = None) -> None:
        super().__init__(message or "The upstream server refuses the request, and does not say why.")
        self._said = {"type": kind, "code": code}

    def body(self) -> dict[str, Any]:
        """With the type and the code of the server."""
        return super().body() | {name: value for name, value in self._said.items() if value is not None}


class InvalidModelError(ApiError):
    """A completion or embedding names a model that is not served: 400, not 404, as hosted."""

    status = 400
    type = "invalid_model"
    code = "1500"

    def __init__(self, model: str) -> None:
        super().__init__(f"Invalid model: {model}")


class AuthenticationError(ApiError):
    """No key, a malformed one or a wrong one: the answer tells them no more apart than the hosted one."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Invalid API Key", headers={"www-authenticate": "Bearer"})

    def body(self) -> dict[str, Any]:
        """The gateway's own shape, which has no envelope."""
        return {"detail": self.message}


class SpendingLimitError(ApiError):
    """A request may cost more than the spending limit leaves. The hosted API documents no body for it.

    402 and not 429, which clients retry within seconds: a spending limit is not cured by waiting for them.
    """

    status = 402
    type = "spending_limit_reached"


class UnknownPriceError(ApiError):
    """A spending limit rules, and nobody knows what the model costs: it cannot be held to the limit."""

    status = 403
    type = "unpriced_model"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"Model {model} has no price, and this workspace has a spending limit, which nobody could keep. "
            f"An administrator can set one: tramontane prices set {model} --input USD --output USD"
        )


class PermissionDeniedError(ApiError):
    """The key is valid, but does not open this part of the API."""

    status = 403
    type = "forbidden"


class ModelNotFoundError(ApiError):
    """`GET /v1/models/{id}` of a model that is not served."""

    status = 404

    def __init__(self, model: str) -> None:
        super().__init__(f"Model {model} was not found.")

    def body(self) -> dict[str, Any]:
        """The gateway's own shape, which has no envelope."""
        return {"message": self.message}


class NotFoundError(ApiError):
    """The admin API and the commands know nothing by this id or name."""

    status = 404
    type = "not_found"


class ConflictError(ApiError):
    """What exists stands in the way: a name is taken or stands for several, a key has ended."""

    status = 409
    type = "conflict"


class SupersededError(ApiError):
    """The client has asked again with the same `prompt_cache_key`; the hosted API knows no such thing."""

    status = 409
    type = "request_superseded"

    def __init__(self) -> None:
        super().__init__("A newer request with the same prompt_cache_key took the place of this one.")


class RequestTooLargeError(ApiError):
    """The body is larger than the server reads."""

    status = 413
    type = "invalid_request_error"

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(f"Request body is larger than {max_body_bytes} bytes")


class HeadTooLargeError(ApiError):
    """The request line and the headers are larger than the server reads."""

    status = 431
    type = "invalid_request_error"

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(f"Request headers are larger than {max_head_bytes} bytes")


class SlowRequestError(ApiError):
    """The client sends its request too slowly, or not at all."""

    status = 408
    type = "request_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too little of the request has come within {seconds:g} seconds")


class RequestValidationError(ApiError):
    """The body does not fit the schema. `details` are pydantic's, without `url`."""

    status = 422

    def __init__(self, details: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("Request validation failed")
        self.details = [dict(detail) for detail in details]

    def body(self) -> dict[str, Any]:
        """The `HTTPValidationError` of the hosted API's OpenAPI document."""
        return {"detail": self.details}


class RateLimitError(ApiError):
    """A limit of the workspace is reached. Only waiting helps, or another plan.

    `retry_after` is in whole seconds; None where no waiting helps, because the limit is zero.
    `headers` are those of the limits that are reached.
    """

    status = 429
    type = "rate_limited"
    code = "1300"

    def __init__(self, headers: Mapping[str, str], retry_after: int | None) -> None:
        wait = {} if retry_after is None else {"retry-after": str(retry_after)}
        super().__init__("Rate limit exceeded", headers={**headers, **wait})


class CapacityError(ApiError):
    """The queue of a model is full. Answered at once; `retry_after` is in whole seconds."""

    status = 429
    type = "service_tier_capacity_exceeded"
    code = "3505"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(
            "Service tier capacity exceeded for this model.", headers={"retry-after": str(retry_after)}
        )


class DeadlineError(ApiError):
    """The answer, or its beginning, takes longer than the server allows. The hosted API documents no body."""

    status = 504
    type = "request_timeout"

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(
            f"The {what} did not come within {seconds:g} seconds. Ask for less (max_tokens), or again when "
            "fewer others ask."
        )


class EngineError(ApiError):
    """The engine failed while it worked on this request."""

    status = 500
    type = "internal_server_error"
    code = "1000"

    def __init__(
        self, message: str = "Service unavailable.", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, headers=headers)


class EngineUnavailableError(EngineError):
    """The engine is loading, restarting or gone; `retry_after` is in whole seconds."""

    status = 503
    type = "service_unavailable"

    def __init__(self, message: str = "Service unavailable.", retry_after: int = 1) -> None:
        super().__init__(message, headers={"retry-after": str(retry_after)})


class LedgerUnavailableError(ApiError):
    """What a request costs cannot be written down now. The log says why, the message does not."""

    status = 503
    type = "service_unavailable"
    code = "1000"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("Service unavailable.", headers={"retry-after": str(retry_after)})


class DatabaseUnavailableError(ApiError):
    """The database is out of reach, locked or full. The server's log says which; it recovers by itself."""

    status = 503
    type = "service_unavailable"
    code = "1000"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(
            "The server cannot use its database at the moment.", headers={"retry-after": str(retry_after)}
        )


class ConfigurationError(TramontaneError):
    """A setting cannot work. The message names the setting and says what to do."""


class ModelStoreError(TramontaneError):
    """A model cannot be fetched, checked, read or converted. The message says which and what to do."""


class StorageError(TramontaneError):
    """The database, or the Redis, cannot be opened or used, or belongs to a newer release."""


class RemoteServerError(TramontaneError):
    """The server that a command talks to cannot be reached, refuses, or breaks off."""

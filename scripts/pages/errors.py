"""Blocks of `docs/errors.md`: of the error tree."""

import json
from collections.abc import Iterator

from scripts.pages.markdown import table

from tramontane import errors
from tramontane.api.errors import in_band_error
from tramontane.errors import ApiError, TramontaneError

UNKNOWN_FIELD = {
    "type": "extra_forbidden",
    "loc": ["body", "top_a"],
    "msg": "Extra inputs are not permitted",
    "input": 1,
}

EXAMPLES: dict[type[ApiError], tuple[ApiError, str]] = {
    errors.InvalidRequestError: (
        errors.InvalidRequestError("output_dimension must be at most 384 for this model, got 512"),
        "Change what the message names.",
    ),
    errors.FeatureNotEnabledError: (
        errors.FeatureNotEnabledError("Function calling"),
        "Leave the field out. [What is served](compatibility.md).",
    ),
    errors.ContextLengthError: (
        errors.ContextLengthError(9001, 8192),
        "Send less. `max_context_length` of the model's card says how much it reads.",
    ),
    errors.GreedySamplingError: (errors.GreedySamplingError(), "Leave `top_p` out, or raise `temperature`."),
    errors.SchemaError: (
        errors.SchemaError("`uniqueItems` cannot be enforced", "$.properties.tags"),
        "[What is enforced](structured-output.md).",
    ),
    errors.ToolSchemaError: (
        errors.ToolSchemaError("None is not of type 'object'", "$.properties"),
        "[What is enforced](structured-output.md).",
    ),
    errors.EmbeddingBatchError: (
        errors.EmbeddingBatchError("Too many inputs in request, split into more batches."),
        "Send at most 512 inputs and 16384 tokens in one request.",
    ),
    errors.MessageOrderError: (
        errors.MessageOrderError("Unexpected role 'tool' after role 'user'"),
        "Put the messages in order.",
    ),
    errors.AssistantMessageError: (
        errors.AssistantMessageError(
            "Assistant message must have either content or tool_calls, but not none."
        ),
        "Leave empty assistant messages out.",
    ),
    errors.FunctionCallError: (
        errors.FunctionCallError(
            "Tool call id was call_98660886 but must be a-z, A-Z, 0-9, with a length of 9."
        ),
        "Send the id and the name that the call came with. Ids of other vendors are taken unless `strict`.",
    ),
    errors.AudioFileError: (
        errors.AudioFileError("Failed to load audio file. Verify that the given file is valid mp3 or wav."),
        "Send a whole wav, mp3, flac or ogg file, in base64.",
    ),
    errors.FileInputError: (
        errors.FileInputError("File could not be fetched from url 'https://example.org/a.png'"),
        "Send the file itself, as a `data:` URL. [What is read](compatibility.md).",
    ),
    errors.UpstreamRefusalError: (
        errors.UpstreamRefusalError("min_p is not supported"),
        "The words are those of the [server behind](engines.md#upstream): send what it serves.",
    ),
    errors.InvalidModelError: (
        errors.InvalidModelError("gpt-4o"),
        "`GET /v1/models` lists the ids that are served.",
    ),
    errors.AuthenticationError: (
        errors.AuthenticationError(),
        "Send `Authorization: Bearer <key>` with a key of this server; the first start prints one.",
    ),
    errors.SpendingLimitError: (
        errors.SpendingLimitError(
            "The monthly spending limit of this workspace ($50.00) would be exceeded: $49.9991 spent, and "
            "this request may cost up to $0.008; a smaller max_tokens makes that less. It resets on "
            "2026-12-01T00:00:00Z; an administrator can raise it."
        ),
        "Wait for the month's end, ask for less, or have the limit raised. [Spending limits](billing.md).",
    ),
    errors.UnknownPriceError: (
        errors.UnknownPriceError("my-model"),
        "Set a price: a model that costs an unknown sum cannot be held to a limit. [Prices](billing.md).",
    ),
    errors.PermissionDeniedError: (
        errors.PermissionDeniedError("This is an API key. The admin API takes admin keys only."),
        "Use a key of the right kind. [Keys](accounts.md).",
    ),
    errors.NotFoundError: (
        errors.NotFoundError("There is no workspace 'research'"),
        "List what there is: `GET /v1/admin/workspaces`, `tramontane workspaces list`.",
    ),
    errors.ConflictError: (
        errors.ConflictError("Another workspace has the name 'research'"),
        "Do what the message says.",
    ),
    errors.DatabaseUnavailableError: (
        errors.DatabaseUnavailableError(),
        "Come back after `retry-after` seconds. The server's log says what the database lacks.",
    ),
    errors.ModelNotFoundError: (
        errors.ModelNotFoundError("pixtral-large-latest"),
        "`GET /v1/models` lists the ids that are served.",
    ),
    errors.SupersededError: (errors.SupersededError(), "Read the answer to the newer request."),
    errors.RequestTooLargeError: (
        errors.RequestTooLargeError(33_554_432),
        "Send less, or raise `max_body_bytes`.",
    ),
    errors.HeadTooLargeError: (errors.HeadTooLargeError(65_536), "Send fewer headers, or a shorter URL."),
    errors.SlowRequestError: (
        errors.SlowRequestError(30),
        "Send the request as a whole; `slow_client_timeout` is the operator's choice.",
    ),
    errors.RequestValidationError: (
        errors.RequestValidationError([UNKNOWN_FIELD]),
        "`loc` says where, `msg` what. [More](decisions/0004-validation-error-shape.md).",
    ),
    errors.RateLimitError: (
        errors.RateLimitError(
            {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "0"}, retry_after=1
        ),
        "Come back after `retry-after` seconds. [The limits](limits.md).",
    ),
    errors.CapacityError: (
        errors.CapacityError(),
        "Come back after `retry-after` seconds, or raise `slots` or `max_queue`.",
    ),
    errors.DeadlineError: (
        errors.DeadlineError("first token", 600),
        "Ask for less, or later; `first_token_timeout` and `request_timeout` are the operator's choice.",
    ),
    errors.EngineError: (
        errors.EngineError(),
        "The server's log says more, under the correlation id. What nobody foresaw has this body too.",
    ),
    errors.EngineUnavailableError: (
        errors.EngineUnavailableError(),
        "Come back after `retry-after` seconds. `GET /health/ready` tells when.",
    ),
    errors.LedgerUnavailableError: (
        errors.LedgerUnavailableError(),
        "Come back after `retry-after` seconds. The server's log says what is wrong with the database.",
    ),
}
"""What each error looks like, and what to do about it."""


def api_errors() -> str:
    """Every error that a client can get."""
    rows = [_row(*EXAMPLES[error]) for error in _descendants(ApiError)]
    return table(["error", "status", "type", "code", "when", "what to do"], rows)


def bodies() -> str:
    """What each of them looks like."""
    return "\n\n".join(_body(EXAMPLES[error][0]) for error in _descendants(ApiError))


def in_a_stream() -> str:
    """The last line of a stream that fails."""
    return f"```\ndata: {json.dumps(in_band_error(errors.EngineError()), separators=(',', ':'))}\n```"


def operator_errors() -> str:
    """What the commands say."""
    found = [error for error in TramontaneError.__subclasses__() if error is not ApiError]
    return table(["error", "meaning"], [(f"`{error.__name__}`", _meaning(error)) for error in found])


BLOCKS = {
    "api errors": api_errors,
    "bodies": bodies,
    "in a stream": in_a_stream,
    "operator errors": operator_errors,
}


def _descendants(error: type[ApiError]) -> Iterator[type[ApiError]]:
    for child in error.__subclasses__():
        yield child
        yield from _descendants(child)


def _meaning(error: type[TramontaneError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split())


def _row(example: ApiError, advice: str) -> list[str]:
    body = example.body()
    kind = f"`{example.type}`" if "type" in body else ""
    code = f"`{example.code}`" if body.get("code") else ""
    name = type(example).__name__
    return [f"[{name}](#{name.lower()})", str(example.status), kind, code, _meaning(type(example)), advice]


def _body(example: ApiError) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in example.headers.items())
    body = json.dumps(example.body(), ensure_ascii=False)
    return f"### {type(example).__name__}\n\n```\n{example.status}\n{headers}\n{body}\n```"

"""A model that other servers serve: the table `[models.upstream]` of a `[[models]]`."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from tramontane.errors import ConfigurationError
from tramontane.settings.values import Duration, Unset

DialectName = Literal["mistral", "openai", "vllm", "llama.cpp"]
Speech = Literal["messages", "tokens"]
CapabilityName = Literal["completion_chat", "completion_fim", "function_calling", "reasoning", "vision"]


class UpstreamSettings(BaseModel):
    """A pool of servers, all of which serve the model."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    urls: tuple[str, ...] = Field(
        min_length=1,
        description="Base URLs of the servers, with the version: `http://gpu1:8000/v1`, "
        "`https://api.mistral.ai/v1`.",
    )
    model: Annotated[str | None, Unset("the `id` of the table")] = Field(
        None, min_length=1, description="What the model is called there."
    )
    api_key: Annotated[SecretStr | None, Unset("no key is sent")] = Field(
        None, description="The servers' key, if they want one."
    )
    api_key_env: Annotated[str | None, Unset("none")] = Field(
        None, min_length=1, description="An environment variable that holds it instead."
    )
    api_key_file: Annotated[Path | None, Unset("none")] = Field(
        None, description="A file that holds it instead."
    )
    speaks: Annotated[Speech | None, Unset("`tokens` if the table names a `model`, else `messages`")] = Field(
        None,
        description="`messages` hands requests on as they are; `tokens` makes the prompt here, with the "
        "tokenizer of `model`, and is for servers that take and give token ids (vLLM, llama.cpp).",
    )
    dialect: Annotated[DialectName | None, Unset("what the list of models tells")] = Field(
        None, description="How the servers want to be spoken to."
    )
    max_context_length: Annotated[int | None, Unset("what the servers say, or the catalog")] = Field(
        None, ge=1, description="Tokens of prompt and answer together."
    )
    capabilities: Annotated[
        tuple[CapabilityName, ...] | None, Unset("what the servers say, or the catalog, or chat and tools")
    ] = Field(None, description="What the model can do.")
    connect_timeout: Duration = Field(5.0, description="How long a connection may take to come about.")
    first_token_timeout: Duration = Field(120.0, description="How long the beginning of an answer may take.")
    between_tokens_timeout: Duration = Field(60.0, description="How long an answer may pause.")
    retries: int = Field(
        2, ge=0, description="Further servers that a request is put to while none of its answer has come."
    )
    health_interval: Duration = Field(10.0, description="Between two looks at the health of a server.")
    breaker_failures: int = Field(
        5, ge=1, description="Failures in a row after which a server is left alone for a while."
    )
    breaker_time: Duration = Field(10.0, description="For how long; then one request tries.")

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        trimmed = tuple(url.rstrip("/") for url in urls)
        for url in trimmed:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("must be URLs like http://gpu1:8000/v1")
            if parts.username or parts.query or parts.fragment:
                raise ValueError("must be URLs without a user, a query or a fragment")
        if len(set(trimmed)) < len(trimmed):
            raise ValueError("must all be different")
        return trimmed

    @field_validator("connect_timeout", "first_token_timeout", "between_tokens_timeout", "health_interval")
    @classmethod
    def _passes(cls, seconds: float) -> float:
        if not 0 < seconds <= 86_400:
            raise ValueError("must be longer than nothing and at most a day")
        return seconds

    @model_validator(mode="after")
    def _has_one_key(self) -> "UpstreamSettings":
        if sum(given is not None for given in (self.api_key, self.api_key_env, self.api_key_file)) > 1:
            raise ValueError("must have one of api_key, api_key_env and api_key_file at most")
        return self


def read_key(upstream: UpstreamSettings) -> str | None:
    """The key of the servers, wherever it is; None if they want none.

    Raises:
        ConfigurationError: it is not where the settings say.
    """
    if upstream.api_key is not None:
        return upstream.api_key.get_secret_value()
    if upstream.api_key_env is not None:
        source, key = f"api_key_env {upstream.api_key_env}", os.environ.get(upstream.api_key_env, "")
    elif upstream.api_key_file is not None:
        source, key = f"api_key_file {upstream.api_key_file}", _content(upstream.api_key_file)
    else:
        return None
    if not re.fullmatch(r"[!-~]+", key.strip()):
        raise ConfigurationError(f"{source} holds no key: visible ASCII characters without spaces.")
    return key.strip()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"api_key_file {path} cannot be read: {error}") from error

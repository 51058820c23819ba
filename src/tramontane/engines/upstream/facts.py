"""What a server says of itself and of the model: `GET /v1/models`, and what its kind has beside it."""

import logging
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from tramontane.core.remote import Dialect
from tramontane.engines.upstream.client import UpstreamClient

logger = logging.getLogger(__name__)

_ROOT: Final = re.compile(r"/v\d+/?$")


@dataclass(frozen=True, slots=True)
class Facts:
    """None is what it does not say."""

    dialect: Dialect = Dialect.OPENAI
    model: str | None = None
    """Its name there, if only one can be meant."""
    max_context_length: int | None = None
    default_temperature: float | None = None
    capabilities: frozenset[str] | None = None
    """In the words of Mistral's `/v1/models`."""


def root_of(url: str) -> str:
    """The URL of the server itself, without the version of its API."""
    return _ROOT.sub("", url)


async def ask_facts(client: UpstreamClient, url: str, model: str, seconds: float) -> Facts | None:
    """What the server at the base URL `url` says of `model`; None if it lists no models.

    Raises:
        ReplicaError: it does not answer.
    """
    status, listed = await client.get(f"{url}/models", seconds)
    if status != 200:
        logger.warning("%s/models answers with status %d", url, status)
        return None
    entries = _entries(listed)
    entry = next((entry for entry in entries if entry.get("id") == model), None)
    if entry is None and len(entries) == 1:
        entry = entries[0]
    facts = _facts(entry or (entries[0] if entries else {}))
    if entry is None:
        return Facts(facts.dialect)
    if facts.dialect is Dialect.LLAMA_CPP:
        _, properties = await client.get(f"{root_of(url)}/props", seconds)
        facts = _with_properties(facts, properties)
    return facts


def _entries(listed: object) -> list[dict[str, Any]]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _facts(entry: dict[str, Any]) -> Facts:
    name = entry.get("id")
    name = name if isinstance(name, str) else None
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, dict) and "completion_chat" in capabilities:
        return Facts(
            Dialect.MISTRAL,
            name,
            _positive(entry.get("max_context_length")),
            _number(entry.get("default_model_temperature")),
            frozenset(name for name, has in capabilities.items() if has is True),
        )
    if entry.get("owned_by") == "vllm" or "max_model_len" in entry:
        return Facts(Dialect.VLLM, name, _positive(entry.get("max_model_len")))
    if entry.get("owned_by") == "llamacpp":
        meta = entry.get("meta")
        trained = meta.get("n_ctx_train") if isinstance(meta, dict) else None
        return Facts(Dialect.LLAMA_CPP, name, _positive(trained))
    return Facts(Dialect.OPENAI, name)


def _with_properties(facts: Facts, properties: object) -> Facts:
    """llama.cpp's server splits its context between its slots; a request has the share of one."""
    match properties:
        case {"default_generation_settings": {"n_ctx": int(n_ctx)}} if n_ctx > 0:
            return replace(facts, max_context_length=n_ctx)
    return facts


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

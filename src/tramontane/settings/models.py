"""Which models are served, and how each of them is.

`ModelDefaults` is what can be said once for all models and again for a single one; `ModelSettings` is one
`[[models]]` table. What only one engine needs is a field of `ModelSettings` that is a table of its own, as
`[models.NAME]` below the `[[models]]` that it belongs to.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tramontane.settings.upstream import UpstreamSettings
from tramontane.settings.values import MAY_BE_PATH, NEVER, Duration, Unset

if TYPE_CHECKING:
    from tramontane.settings.tree import Settings

EngineName = Literal["openvino", "vllm", "upstream", "fake"]
LoadTime = Literal["start", "use", "command"]
Quantization = Literal["auto", "none", "int8", "int4", "int4-32", "int4-128"]
Task = Literal["generate", "embed"]

UPSTREAM_SLOTS: Final = 256
"""Of a model that other servers serve, unless the operator says something else: they queue themselves."""


class ModelDefaults(BaseModel):
    """What a model takes from the settings of all unless its own table says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    engine: EngineName = Field(
        "openvino",
        description="`openvino` runs the model on the CPU, `vllm` on GPUs; `upstream` asks other servers; "
        "`fake` answers from a script, without weights.",
    )
    load: LoadTime = Field(
        "start",
        description="When a model is loaded into memory: with the `start` of the server, with its first "
        "`use`, or by `command`, without which it answers nobody; see docs/models.md.",
    )
    keep_alive: Annotated[Duration, Unset("never")] = Field(
        NEVER,
        json_schema_extra={"default": "never"},  # JSON has no infinity
        description="How long a model stays in memory after its last use: seconds, `10m`, `2h`, or `never` "
        "for always. 0 unloads it at once. Whatever it says, a model that rests makes room for another one.",
    )
    quantization: Quantization = Field(
        "auto",
        description="In how many bits a model's matrices are kept. `auto` leaves quantised and small models "
        "as they are, and rounds others to 8 bits, or to 4 where 8 do not fit into memory. `none` rounds "
        "nothing; `int4` has a scale for every 64 weights, `int4-32` and `int4-128` for every 32 and 128.",
    )
    slots: int = Field(
        16,
        ge=1,
        le=16_384,
        description="Answers that the engine works on side by side; more wait in the queue.",
    )
    max_queue: int = Field(
        256, ge=0, description="Requests that may wait for a slot; one more is refused with 429 at once."
    )
    kv_cache_tokens: int = Field(
        65_536,
        ge=256,
        description="Tokens of context that the engine keeps in memory for all running answers and the "
        "prefix cache together.",
    )
    threads: int = Field(0, ge=0, description="Threads of the engine. 0 lets it choose: one a physical core.")
    vllm_python: Annotated[Path | None, Unset("the one that runs the server")] = Field(
        None,
        description="Python interpreter of an environment that has vLLM and this package, for models with "
        "the engine `vllm`.",
    )


class ModelSettings(ModelDefaults):
    """One model: a `[[models]]` table of the file, or what the admin API is told to add."""

    model: Annotated[str | None, MAY_BE_PATH, Unset("the built-in model of its task")] = Field(
        None,
        min_length=1,
        description="An id of the catalog, a .gguf file, a folder with safetensors, or a model of the "
        "Hugging Face hub (organisation/name).",
    )
    id: Annotated[str | None, Unset("the name of the catalog, file, folder or repository")] = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
        max_length=255,
        description="The id under which it is served.",
    )
    task: Annotated[Task | None, Unset("what its files are for")] = Field(
        None, description="`generate` for chat and fill-in-the-middle, `embed` for embeddings."
    )
    aliases: Annotated[tuple[str, ...] | None, Unset("all of its task that no other model names")] = Field(
        None,
        description="Hosted ids that it stands in for. Unset leaves to the first model of a task all that "
        "no other names; an empty list is none.",
    )
    adapters: Annotated[tuple[Path, ...], Unset("none")] = Field(
        (),
        description="Folders of LoRA adapters, each of which makes another model of this one.",
    )

    spill: Annotated[tuple[str, ...], Unset("none")] = Field(
        (),
        description="Ids of other models of this server that take its requests, in this order, while its "
        "queue is full or its engine is not there; see docs/engines.md.",
    )
    vllm: Annotated[dict[str, Any], Unset("none")] = Field(
        {},
        description="Settings of vLLM's engine (`AsyncEngineArgs`) by its own names, of a model with the "
        "engine `vllm`: a table of its own, `[models.vllm]`.",
    )
    upstream: Annotated[UpstreamSettings | None, Unset("none")] = Field(
        None, description="The servers of a model with the engine `upstream`: a table of its own, see below."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_meant(cls, table: Any) -> Any:  # noqa: ANN401 - whatever the file has
        """A table of servers, or of vLLM's settings, says by itself which engine is meant."""
        for engine in ("upstream", "vllm"):
            if isinstance(table, dict) and table.get(engine) is not None:
                return {"engine": engine, **table}
        return table

    @field_validator("aliases")
    @classmethod
    def _are_names(cls, aliases: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if aliases is not None and not all(alias.strip() for alias in aliases):
            raise ValueError("must be ids, none of them empty")
        return aliases

    @model_validator(mode="after")
    def _tells_its_engine(self) -> "ModelSettings":
        """What the engine would not look at is refused, not ignored."""
        if self.vllm and self.engine != "vllm":
            raise ValueError(f'must not have a table [models.vllm] with engine = "{self.engine}"')
        idle = self.model_fields_set & {"quantization", "kv_cache_tokens", "threads"}
        if self.engine == "vllm" and idle:
            raise ValueError(
                f"must not have {min(idle)} with the engine vllm: vLLM's own settings go into [models.vllm]"
            )
        return self

    @model_validator(mode="after")
    def _names_something(self) -> "ModelSettings":
        if (self.engine == "upstream") is not (self.upstream is not None):
            raise ValueError('must have engine = "upstream" and a table [models.upstream], or neither')
        if self.upstream is not None:
            if self.id is None:
                raise ValueError('must have an id: id = "mistral-large"')
            return self
        if self.model is None and self.task is None:
            raise ValueError('must name a model, or at least a task: model = "organisation/name"')
        return self


def named_models(settings: "Settings") -> tuple[ModelSettings, ...]:
    """Every model that the settings speak of, complete: what its own table leaves open is as for all.

    First those of `model` and `embedding_model`, then the tables. If there is no table, a task that nobody
    names a model for has the built-in one. The global `adapters` belong to the first chat model of `model`.
    """
    built_in: tuple[str | None, ...] = () if settings.models else (None,)
    chat = [ModelSettings(model=name, task="generate") for name in settings.model or built_in]
    embedding = [ModelSettings(model=name, task="embed") for name in settings.embedding_model or built_in]
    if settings.engine == "vllm":  # it serves no vectors
        embedding = [one.model_copy(update={"engine": "openvino"}) for one in embedding]
    chat[:1] = [one.model_copy(update={"adapters": settings.adapters}) for one in chat[:1]]
    return tuple(completed(settings, one) for one in (*chat, *embedding, *settings.models))


def completed(settings: ModelDefaults, model: ModelSettings) -> ModelSettings:
    """`model`, with what it leaves open as `settings` have it."""
    given = model.model_fields_set
    defaults = {name: getattr(settings, name) for name in ModelDefaults.model_fields if name not in given}
    if model.upstream is not None and "slots" in defaults and "slots" not in settings.model_fields_set:
        defaults["slots"] = UPSTREAM_SLOTS
    return model.model_copy(update=defaults)

"""`/v1/admin/models` and `/v1/admin/model-jobs`: the models of this server, and those on their way to it."""

from typing import Literal

from pydantic import Field

from tramontane.schemas.base import WireModel
from tramontane.settings import ModelSettings


class AddModelRequest(ModelSettings):
    """A `[[models]]` table of the settings, as JSON."""

    accept_licence: bool = Field(
        default=False, description="Accept the licence of the model, also if it restricts use."
    )


class ServedModelCard(WireModel):
    """A model, and what it does now. Times are Unix seconds, memory is bytes."""

    object: Literal["served_model"] = "served_model"
    id: str
    task: Literal["generate", "embed"]
    description: str
    engine: str
    aliases: list[str] = Field(description="The ids of hosted models that it stands in for.")
    load: Literal["start", "use", "command"]
    keep_alive: float | None = Field(description="Seconds; null is for always.")
    state: Literal["unloaded", "loading", "loaded", "unloading", "failed"]
    state_since: int
    answers: bool = Field(description="Whether a request would be answered, if need be after a loading.")
    problem: str | None = Field(description="Why it could not be loaded, or would not answer now.")
    memory: int | None = Field(description="What its process has in memory.")
    memory_needed: int = Field(description="What it may need at most while it is loaded.")
    users: int = Field(description="Requests that use it or wait for it.")
    idle_since: int | None
    unloads_at: int | None = Field(description="When `keep_alive` ends, if nobody uses it before.")
    is_added: bool = Field(description="Added to the running server: it can be removed.")


class ServedModelCardList(WireModel):
    """The models of this server."""

    object: Literal["list"] = "list"
    data: list[ServedModelCard]


class RemovedModelCard(WireModel):
    """A model that is served no longer."""

    object: Literal["served_model"] = "served_model"
    id: str
    deleted: Literal[True] = True


class ModelJobCard(WireModel):
    """The progress of a model that is being added."""

    object: Literal["model_job"] = "model_job"
    id: str
    model: str
    state: Literal["preparing", "fetching", "converting", "done", "failed", "cancelled"]
    bytes_done: int
    bytes_total: int = Field(description="0 while nothing is fetched.")
    bytes_per_second: float | None
    error: str | None
    created_at: int
    ended_at: int | None


class ModelJobCardList(WireModel):
    """Jobs, the newest first."""

    object: Literal["list"] = "list"
    data: list[ModelJobCard]

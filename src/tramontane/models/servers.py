"""What the settings of a model say of the servers that have it."""

from tramontane.catalog.hosted import Task, find_hosted, hosted_ids
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.errors import ConfigurationError
from tramontane.settings import ModelSettings, UpstreamSettings


def servers_of(model: ModelSettings) -> UpstreamSettings:
    """The table of its servers.

    Raises:
        ConfigurationError: there is none.
    """
    if model.upstream is None:
        raise ConfigurationError(
            'engine = "upstream" needs servers: a table [models.upstream] with their urls below [[models]].'
        )
    return model.upstream


def name_there(model: ModelSettings) -> str:
    """What the servers call it."""
    return servers_of(model).model or model.id or ""


def task_of(model: ModelSettings) -> Task:
    """What it is for; a hosted embedding model is known by its name."""
    hosted = find_hosted(name_there(model))
    return model.task or (hosted.task if hosted else "generate")


def speaks_tokens(model: ModelSettings) -> bool:
    """Prompts are made here, with the tokenizer of `model.model`.

    Raises:
        ConfigurationError: no model is named that has one.
    """
    upstream = servers_of(model)
    is_driven = upstream.speaks == "tokens" or (upstream.speaks is None and model.model is not None)
    if is_driven and model.model is None:
        raise ConfigurationError(
            f'{model.id}: speaks = "tokens" needs a tokenizer: name the model, a folder or a repository of '
            f'the hub that has it (model = "organisation/name").'
        )
    return is_driven and task_of(model) == "generate"


def upstream_profile(model: ModelSettings) -> ModelProfile:
    """The model as far as its settings alone say what it is.

    Its name there is not its own here: another model may stand in for that, with this one behind it for the
    requests that are too many.

    Raises:
        ConfigurationError: its settings do not go together.
    """
    upstream, name = servers_of(model), name_there(model)
    assert model.id is not None
    count = len(upstream.urls)
    places = "another server" if count == 1 else f"{count} other servers"
    aliases = hosted_ids(task_of(model)) if model.aliases is None else model.aliases
    return ModelProfile(
        id=model.id,
        description=f"{name} on {places}, asked from here.",
        capabilities=Capabilities(),
        max_context_length=0,
        aliases=tuple(alias for alias in dict.fromkeys(aliases) if alias != model.id),
        yields=model.aliases is None,
        owned_by="mistralai" if find_hosted(name) else "tramontane",
        listed_as=name,
    )

"""What the settings of a model say of the servers that have it."""

from tramontane.catalog.hosted import Task, find_hosted
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

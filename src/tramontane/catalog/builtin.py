"""The built-in models: small, free, and fetched from the package index, so that a first run is real."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.hosted import Task


class _BuiltinModels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[ModelDefinition, ...]


@cache
def builtin_models() -> tuple[ModelDefinition, ...]:
    """All of them; of each task the first is the default."""
    text = (files("tramontane.catalog") / "data" / "builtin.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _BuiltinModels).models


def default_model(task: Task) -> ModelDefinition:
    """The model that is served when the operator names none."""
    return next(model for model in builtin_models() if model.task == task)

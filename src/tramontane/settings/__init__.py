"""The settings: TOML file < `TRAMONTANE_*` environment < command line. Built by callers, never at import.

`docs/configuration.md` and the options of `tramontane serve` are made from the fields of the models here.
"""

from tramontane.settings.loading import default_config_file, load_settings
from tramontane.settings.models import (
    EngineName,
    LoadTime,
    ModelDefaults,
    ModelSettings,
    Quantization,
    Task,
    named_models,
)
from tramontane.settings.names import BASE_URL_VARIABLE, CONFIG_VARIABLE, env_name, option_name
from tramontane.settings.server import MIN_PASSWORD_LENGTH, Plan
from tramontane.settings.tree import Settings
from tramontane.settings.upstream import UpstreamSettings, read_key
from tramontane.settings.values import (
    FILE_ONLY,
    MAY_BE_PATH,
    NEVER,
    WRITTEN,
    Unset,
    parse_duration,
    revealed,
)

__all__ = [
    "BASE_URL_VARIABLE",
    "CONFIG_VARIABLE",
    "FILE_ONLY",
    "MAY_BE_PATH",
    "MIN_PASSWORD_LENGTH",
    "NEVER",
    "WRITTEN",
    "EngineName",
    "LoadTime",
    "ModelDefaults",
    "ModelSettings",
    "Plan",
    "Quantization",
    "Settings",
    "Task",
    "Unset",
    "UpstreamSettings",
    "default_config_file",
    "env_name",
    "load_settings",
    "named_models",
    "option_name",
    "parse_duration",
    "read_key",
    "revealed",
]

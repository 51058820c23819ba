"""What a setting is called in the environment and on the command line."""

from typing import Final

ENV_PREFIX: Final = "TRAMONTANE_"
CONFIG_VARIABLE: Final = "TRAMONTANE_CONFIG"
BASE_URL_VARIABLE: Final = "TRAMONTANE_BASE_URL"
"""Not a setting of the server: where the commands that talk to one find it."""


def env_name(field: str) -> str:
    """The environment variable of a setting."""
    return ENV_PREFIX + field.upper()


def option_name(field: str) -> str:
    """The command line option of a setting."""
    return "--" + field.replace("_", "-")

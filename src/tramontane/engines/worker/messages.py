"""What every worker says, whatever it hosts."""

import msgspec


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The model is loaded and warm."""


class LoadFailed(msgspec.Struct, tag=True, frozen=True):
    """The model cannot be loaded; the worker exits."""

    message: str

"""What the worker of this adapter is told: what to load, and then what every worker is told."""

from typing import Any

import msgspec

from tramontane.engines.worker.messages import Abort, Generate


class LoadVllm(msgspec.Struct, tag=True, frozen=True):
    """Host a generation model with vLLM."""

    arguments: dict[str, Any]
    """Of vLLM's `AsyncEngineArgs`, by its own names."""
    adapters: dict[str, str]
    """Folders of LoRA adapters by the names that requests call them."""


Command = LoadVllm | Generate | Abort

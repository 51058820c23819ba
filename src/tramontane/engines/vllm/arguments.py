"""vLLM's own settings, by its own names."""

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.platforms import current_platform


def engine_arguments(arguments: Mapping[str, Any]) -> AsyncEngineArgs:
    """The arguments of an engine.

    Raises:
        ValueError: vLLM has no such setting.
    """
    known = [field.name for field in fields(AsyncEngineArgs)]
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"vLLM has no setting {name!r}{hint}")
    if current_platform.is_cpu():
        # There the engine dies of a prompt that is read in pieces for an answer with a seed (vLLM 0.32).
        arguments = {"enable_chunked_prefill": False, **arguments}
    return AsyncEngineArgs(**arguments)

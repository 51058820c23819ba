"""Long computations off the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")

LONG_TEXT: Final = 4096
"""Characters that are rendered and encoded in a few milliseconds; more go to a thread."""


async def off_loop(
    characters: int, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    """What `function` returns: called at once for a short text, in a thread for a long one."""
    if characters <= LONG_TEXT:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)

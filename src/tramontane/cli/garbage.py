"""The garbage collector of a server: what a start has made is never garbage, and is not looked at again."""

import gc
from typing import Final

_YOUNG: Final = 50_000
"""Objects made, less those freed, between two looks at the youngest; a request makes some hundreds."""
_OLDER: Final = 20
"""Looks at each generation between two at the next."""


def settle_garbage() -> None:
    """Free what the start has left over, and spare the collector the rest of it for good.

    Modules, schemas, templates and tables are half a million objects. A full collection would walk through
    all of them, a tenth of a second in which nothing else runs, and find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)

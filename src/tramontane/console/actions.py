"""What can be asked of the console, and who may ask it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import Role

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Action:
    """A path of the console, what answers there, and for whom: administrators, unless it says otherwise."""

    method: str
    path: str
    """Below `/console`."""
    handler: Handler
    least: Role = Role.admin
    """`member` lets everybody in; the handler then sees to it that they keep to their workspaces."""
    words: str = ""
    """What the log of changes calls it; a change without words is not in it."""

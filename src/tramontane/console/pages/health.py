"""How the server is, read anew every few seconds."""

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tramontane.console import repository
from tramontane.console.actions import Action
from tramontane.console.engine_state import states
from tramontane.console.parts import Parts
from tramontane.console.rendering import page

MINUTE: Final = 60


def routes(parts: Parts) -> Sequence[Action]:
    """The page, and the part of it that changes."""
    started_at = parts.clock.monotonic()

    async def values() -> dict[str, Any]:
        return {
            "states": await states(parts.catalog),
            "tokens_per_second": await _tokens_per_second(parts),
            "database": "PostgreSQL" if parts.settings.database_url else "SQLite",
            "limits": "Redis" if parts.settings.redis_url else "in memory",
            "up_seconds": int(parts.clock.monotonic() - started_at),
            "machine": f"{os.cpu_count()} CPUs, {platform.machine()}",
            "python": f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}",
        }

    async def show(request: Request) -> Response:
        return page(request, "health.html", await values())

    async def live(request: Request) -> Response:
        return page(request, "health_live.html", await values())

    return [Action("GET", "/health", show), Action("GET", "/health/live", live)]


async def _tokens_per_second(parts: Parts) -> float:
    """Of the answers that began within the last minute and have ended."""
    async with parts.database.snapshot() as connection:
        recent = await repository.recent_use(connection, int(parts.clock.now()) - MINUTE)
    return sum(one.completion_tokens for one in recent) / MINUTE

"""How the server is, read anew every few seconds."""

import os
import platform
import sqlite3
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
from tramontane.limits.failover import FailoverLimitStore

MINUTE: Final = 60


def routes(parts: Parts) -> Sequence[Action]:
    """The page, and the part of it that changes."""
    started_at = parts.clock.monotonic()

    async def values() -> dict[str, Any]:
        async with parts.database.snapshot() as connection:
            recent = await repository.recent_use(connection, int(parts.clock.now()) - MINUTE)
            version = connection.dialect.server_version_info
        running = parts.live.running
        models = await states(parts.catalog, running)
        return {
            "states": models,
            "queue": sum(model.waiting for model in models),
            "tokens_per_second": running.tokens_per_second(),
            "last_minute": sum(one.completion_tokens for one in recent) / MINUTE,
            "requests_last_minute": sum(one.requests for one in recent),
            "running": len(running),
            "database": _database(parts, version),
            "unwritten": parts.live.billing.backlog().rows,
            "limits": _limits(parts),
            "up_seconds": int(parts.clock.monotonic() - started_at),
            "machine": f"{os.cpu_count()} CPUs, {platform.machine()}",
            "python": f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}",
        }

    async def show(request: Request) -> Response:
        return page(request, "health.html", await values())

    async def live(request: Request) -> Response:
        return page(request, "health_live.html", await values())

    return [Action("GET", "/health", show), Action("GET", "/health/live", live)]


def _database(parts: Parts, version: Sequence[object] | None) -> str:
    if parts.settings.database_url is None:
        return f"SQLite {sqlite3.sqlite_version}"
    return f"PostgreSQL {'.'.join(map(str, version or ()))}"


def _limits(parts: Parts) -> tuple[str, str]:
    """Where they are counted, and what is wrong with that."""
    store = parts.live.limit_store
    if not isinstance(store, FailoverLimitStore):
        return "in memory", ""
    return "in Redis", "Redis is out of reach: each server limits its own requests" if store.is_down else ""

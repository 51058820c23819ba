"""How fast the console's pages are with a full ledger, and what their queries cost.

`make bench-console`, or `python -m bench.console --rows 100000 --runs 9`. Everything runs on this machine: a
server with the fake engine on SQLite, a headless Chromium, and then the same pages without a browser, with a
clock on each statement.
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.support.browser import browser, sign_in
from tests.support.console_data import fill_ledger
from tests.support.server import running_server
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.bootstrap import build
from tramontane.core.clock import SystemClock
from tramontane.settings import Settings
from tramontane.storage.database import Database
from tramontane.storage.sqlite import FILE_NAME

PASSWORD = "only for this benchmark"
KEYS = 1000
WORKSPACES = 100
SLOWEST = 8
PAGES = (
    "playground",
    "playground/fim",
    "playground/embeddings",
    "keys",
    "workspaces",
    f"workspaces/{DEFAULT_WORKSPACE_ID}",
    "admin-keys",
    "members",
    "usage",
    "usage?by=key",
    "requests",
    "requests?status=error",
    "requests?model=codestral-2508",
    "requests?model=nothing",
    "limits",
    "models",
    "changes",
    "health",
)
PAINT = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return [page.responseStart - page.requestStart, paint ? paint.startTime : null];
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="requests in the ledger")
    parser.add_argument("--runs", type=int, default=9, help="times that each page is opened")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        fill(data_dir, chosen.rows)
        with running_server(
            data_dir,
            Path(folder) / "cache",
            "--engine",
            "fake",
            env={"TRAMONTANE_CONSOLE_PASSWORD": PASSWORD},
        ) as server:
            print_pages(open_pages(server.base_url, chosen.runs))
        statements = asyncio.run(timed_statements(data_dir))
        print_statements(statements, data_dir / FILE_NAME)


def fill(data_dir: Path, rows: int) -> None:
    """The ledger, and so many keys and workspaces that their lists page."""
    began = time.monotonic()
    data_dir.mkdir(parents=True)
    asyncio.run(_fill_accounts(data_dir))
    for _ in range(0, rows, 10_000):  # in parts, lest all of them wait in memory at once
        fill_ledger(data_dir, min(10_000, rows), days=28)
    print(
        f"{rows:,} requests, {KEYS:,} keys and {WORKSPACES} workspaces in {time.monotonic() - began:.0f} s\n"
    )


async def _fill_accounts(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, engine="fake")
    async with build(settings, []):
        pass
    database = await Database.open(data_dir)
    keys, workspaces = KeyService(database, SystemClock()), WorkspaceService(database, SystemClock())
    for number in range(WORKSPACES):
        await workspaces.create(DEFAULT_ORGANIZATION_ID, f"Workspace {number}", "scale")
    for number in range(KEYS):
        await keys.create_api_key(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, f"Key {number}")
    await database.close()


def open_pages(base_url: str, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds until the server's first byte and until the first paint, for each page and time."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with browser() as chromium:
        page = chromium.new_context(viewport={"width": 1280, "height": 800}, base_url=base_url).new_page()
        sign_in(page, base_url, PASSWORD)
        for run in range(runs + 1):
            for path in PAGES:
                page.goto(f"/console/{path}", wait_until="load")
                while (times := page.evaluate(PAINT))[1] is None:
                    page.wait_for_timeout(20)
                if run:  # the first time fills caches of the browser and the server
                    found[path].append(tuple(times))
    return found


def print_pages(found: dict[str, list[tuple[float, float]]]) -> None:
    """One line a page: medians and worst."""
    print(f"{'page':<50} {'answer ms':>18} {'first paint ms':>18}")
    print(f"{'':<50} {'median':>9}{'worst':>9} {'median':>9}{'worst':>9}")
    for path, times in found.items():
        answers, paints = zip(*times, strict=True)
        print(
            f"{path:<50} {statistics.median(answers):>9.0f}{max(answers):>9.0f} "
            f"{statistics.median(paints):>9.0f}{max(paints):>9.0f}"
        )


Statements = dict[str, tuple[float, Any, str]]
"""By text: the longest time in milliseconds, its parameters, and the page."""


async def timed_statements(data_dir: Path) -> Statements:
    """The statements of all pages, without a browser: the second opening of each counts."""
    statements: Statements = {}
    page = ""

    def before(_connection: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:
        context.began = time.perf_counter()

    def after(_connection: Any, _cursor: Any, text: str, values: Any, context: Any, _many: bool) -> None:
        took = 1000 * (time.perf_counter() - context.began)
        if page and took > statements.get(text, (0.0,))[0]:
            statements[text] = (took, values, page)

    settings = Settings(data_dir=data_dir, engine="fake", console_password=PASSWORD)
    async with build(settings, []) as server:
        event.listen(Engine, "before_cursor_execute", before)
        event.listen(Engine, "after_cursor_execute", after)
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            await client.post("/console/sign-in", data={"password": PASSWORD})
            for is_counted in (False, True):
                for path in PAGES:
                    page = path if is_counted else ""
                    (await client.get(f"/console/{path}")).raise_for_status()
            page = ""
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)
    return statements


def print_statements(statements: Statements, database: Path) -> None:
    """The slowest, with how SQLite goes about them."""
    print(f"\nThe {SLOWEST} slowest statements, the way through the driver's thread included:")
    slowest = sorted(statements.items(), key=lambda item: -item[1][0])[:SLOWEST]
    with closing(sqlite3.connect(database)) as connection:
        for text, (took, values, page) in slowest:
            print(f"\n{took:.1f} ms, {page}: {' '.join(text.split())[:200]}")
            for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values):
                print(f"    {row[-1]}")


if __name__ == "__main__":
    main()

"""A process of its own that says whether keys are taken: what another server on the same database would do.

`python -m tests.support.key_watcher DATA_DIR [URL]` reads a key a line and answers `yes` or `no`. Its clock
stands still, so that nothing that it remembers becomes too old.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.support.clock import FakeClock
from tests.support.databases import Place
from tramontane.accounts.service import AccountsService
from tramontane.errors import AuthenticationError, PermissionDeniedError


class KeyWatcher:
    """The process, from a test's side."""

    def __init__(self, place):
        url = [] if place.url is None else [place.url]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.key_watcher", str(place.data_dir), *url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def takes(self, key):
        self._process.stdin.write(f"{key}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in {"yes", "no"}, answer
        return answer == "yes"

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(timeout=60) == 0
        self._process.stdout.close()


async def answer(place):
    database = await place.open()
    accounts = AccountsService(database, FakeClock())
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        is_admin = line.startswith("tma_")
        try:
            await (accounts.authenticate_admin(line) if is_admin else accounts.authenticate(line))
        except (AuthenticationError, PermissionDeniedError):
            print("no", flush=True)
        else:
            print("yes", flush=True)
    await accounts.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(answer(Place(Path(sys.argv[1]), *sys.argv[2:])))

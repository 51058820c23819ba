"""A server for one chat: nobody else knows its port and key, and nothing is left of it."""

import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from tramontane.cli.listening import listening, port_of, reachable_url
from tramontane.cli.preparing import prepare
from tramontane.cli.running import ServerRun
from tramontane.settings import Settings

_HOST: Final = "127.0.0.1"


@contextmanager
def private_server(settings: Settings) -> Iterator[tuple[str, str]]:
    """Its base URL and key, while it serves in a thread of this process.

    Raises:
        TramontaneError: it cannot start.
    """
    key = secrets.token_urlsafe(24)
    with (
        tempfile.TemporaryDirectory(prefix="tramontane-chat-") as data_dir,
        listening(_HOST, 0) as sockets,
    ):
        private = settings.model_copy(update=_private(Path(data_dir), key))
        ready = threading.Event()
        run = ServerRun(private, prepare(private), sockets, lambda _: ready.set())
        thread = _ServerThread(run, ready)
        thread.start()
        try:
            ready.wait()
            if thread.error is not None:
                raise thread.error
            yield reachable_url(_HOST, port_of(sockets)), key
        finally:
            run.stop()
            thread.join()


def _private(data_dir: Path, key: str) -> dict[str, object]:
    """No limits, and nothing of the operator's own databases."""
    return {
        "host": _HOST,
        "data_dir": data_dir,
        "api_key": SecretStr(key),
        "plan": "unlimited",
        "database_url": None,
        "redis_url": None,
    }


class _ServerThread(threading.Thread):
    """Runs the server; what ends it is in `error`."""

    def __init__(self, run: ServerRun, ready: threading.Event) -> None:
        super().__init__(name="private server")
        self.error: BaseException | None = None
        self._run_server = run
        self._ready = ready

    def run(self) -> None:
        try:
            self._run_server.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
        finally:
            self._ready.set()

"""Requests whose grammar must be read before they begin: one grammar at a time, beside all other work."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from tramontane.engines.worker.messages import Failed

LONGEST_READING: Final = 30.0
"""Seconds after which a grammar counts as too complex. Its reading cannot be stopped, and goes on."""
LONGEST_WAIT: Final = 60.0
"""Seconds that a request waits for the grammars of others."""
_BYTES_A_CHARACTER: Final = 400
_BYTES_A_SECOND: Final = 8 << 20
"""What the library remembers of a grammar, at most: short ones can be large, but then they take long."""
_NICENESS: Final = 10
"""Of the thread that reads, and of the eight that the library starts: about a third of two busy cores."""


@dataclass(frozen=True, slots=True)
class _Request:
    grammar: str
    since: float


@dataclass(frozen=True, slots=True)
class _Reading:
    grammar: str
    since: float
    outcome: Future[str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The request may begin, or has failed."""

    id: int
    failed: Failed | None = None


class GrammarQueue:
    """Has grammars read by `read` in a thread, which returns what is wrong with one.

    A grammar that was read is known, and never read again.
    """

    def __init__(
        self, read: Callable[[str], str | None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "grammar", initializer=_give_way)
        self._known: set[str] = set()
        self._remembered = 0
        self._waiting: dict[int, _Request] = {}
        self._reading: _Reading | None = None

    @property
    def busy(self) -> bool:
        """Requests wait."""
        return bool(self._waiting)

    @property
    def reading(self) -> bool:
        """A grammar is being read, perhaps for nobody any more."""
        return self._reading is not None

    @property
    def remembered(self) -> int:
        """Bytes that the library holds for all grammars that were read, at most."""
        return self._remembered

    def knows(self, grammar: str) -> bool:
        """A request with this grammar may begin at once."""
        return grammar in self._known

    def add(self, request_id: int, grammar: str) -> None:
        """Let a request wait for its grammar."""
        self._waiting[request_id] = _Request(grammar, self._clock())
        self._begin()

    def discard(self, request_id: int) -> None:
        """The request waits no more. A reading that has begun goes on."""
        self._waiting.pop(request_id, None)

    def collect(self, timeout: float) -> list[Verdict]:
        """The requests whose wait is over. Waits up to `timeout` seconds for there to be one."""
        if self._reading is not None:
            wait([self._reading.outcome], timeout)
        verdicts = self._settle()
        verdicts += self._overdue()
        self._begin()
        return verdicts

    def _begin(self) -> None:
        """Read the grammar of whoever has waited longest, if none is being read."""
        if self._reading is not None or not self._waiting:
            return
        grammar = next(iter(self._waiting.values())).grammar
        self._reading = _Reading(grammar, self._clock(), self._thread.submit(self._read, grammar))

    def _settle(self) -> list[Verdict]:
        """Those whose grammar was being read, if it has been."""
        reading = self._reading
        if reading is None or not reading.outcome.done():
            return []
        self._reading = None
        ids = self._remove(lambda request: request.grammar == reading.grammar)
        wrong = reading.outcome.result()
        if wrong is None:
            self._known.add(reading.grammar)
            seconds = self._clock() - reading.since
            self._remembered += len(reading.grammar) * _BYTES_A_CHARACTER + int(seconds * _BYTES_A_SECOND)
            return [Verdict(i) for i in ids]
        message = f"The grammar of the output format is wrong: {wrong}"
        return [Verdict(i, Failed(i, "invalid", message)) for i in ids]

    def _overdue(self) -> list[Verdict]:
        now, reading = self._clock(), self._reading
        verdicts = []
        if reading is not None and now - reading.since > LONGEST_READING:
            ids = self._remove(lambda request: request.grammar == reading.grammar)
            verdicts += [Verdict(i, Failed(i, "invalid", "The output format is too complex")) for i in ids]
        ids = self._remove(
            lambda request: (
                now - request.since > LONGEST_WAIT and (reading is None or request.grammar != reading.grammar)
            )
        )
        verdicts += [Verdict(i, Failed(i, "busy", "other grammars take too long to read")) for i in ids]
        return verdicts

    def _remove(self, is_meant: Callable[[_Request], bool]) -> list[int]:
        """The ids of waiting requests that wait no more."""
        ids = [i for i, request in self._waiting.items() if is_meant(request)]
        for request_id in ids:
            del self._waiting[request_id]
        return ids


def _give_way() -> None:
    """Only this thread: on Linux, threads have a priority of their own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

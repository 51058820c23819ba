"""One file over HTTP, resumed where an earlier connection or process left off.

No validator (ETag) is kept beside a part: the whole file has a pinned size and hash, and a part that does not
belong to it fails the hash, upon which the caller starts anew.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx

from tramontane.errors import ModelStoreError

Report = Callable[[int, int], None]
"""Called with the bytes that are there, and those of them that were there at the start."""

_ATTEMPTS: Final = 6
"""In a row that bring nothing worth mentioning."""
_WORTH_MENTIONING: Final = 1024 * 1024
_LONGEST_PAUSE: Final = 60.0
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_ENTRY: Final = frozenset({401, 403, 407})


class NoEntryError(Exception):
    """The host is out of our reach: no route, its certificate, a proxy, credentials. pip may get in."""


class _CutError(Exception):
    """This attempt ended early, and another one may bring the rest."""

    def __init__(self, reason: str, *, connected: bool = True, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.connected = connected
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Downloader:
    """How patient a download is."""

    timeout: float = 30.0
    """Seconds without a byte after which a connection counts as cut. There is no limit on the whole."""
    sleep: Callable[[float], None] = time.sleep

    def download(
        self, url: str, part: Path, size: int, report: Report, headers: Mapping[str, str] | None = None
    ) -> int:
        """Fetch the rest of `url` into `part`, until it has `size` bytes; how many it had before.

        `headers` go to the host of `url`; an `authorization` among them is not sent on to another one.

        Raises:
            NoEntryError: no byte came, for a reason that may not hold for pip.
            ModelStoreError: the host does not have the file, has another one, or fails again and again.
                What arrived lies in `part`, unless it cannot belong to the file.
            OSError: `part` cannot be written.
        """
        if _length(part) > size:
            part.unlink()
        resumed_from = _length(part)
        with self._client() as client:
            self._persist(_Transfer(client, url, part, size, report, resumed_from, headers or {}))
        return resumed_from

    def _client(self) -> httpx.Client:
        """A client with the proxies of the environment."""
        timeout = httpx.Timeout(self.timeout, connect=15.0)
        try:
            return httpx.Client(follow_redirects=True, timeout=timeout, verify=_trusted())
        except (ImportError, ValueError) as error:
            raise NoEntryError(f"the proxy of the environment cannot be used ({error})") from error

    def _persist(self, transfer: "_Transfer") -> None:
        best = transfer.length()
        failures = 0
        while transfer.length() < transfer.size:
            try:
                transfer.attempt()
            except _CutError as cut:
                if transfer.length() >= best + _WORTH_MENTIONING:
                    best, failures = transfer.length(), 0
                failures += 1
                pause = cut.retry_after if cut.retry_after is not None else 0.5 * 2 ** (failures - 1)
                if failures < _ATTEMPTS and pause <= _LONGEST_PAUSE:
                    self.sleep(pause)
                    continue
                raise _given_up(transfer, cut, failures) from cut


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A file on its way."""

    client: httpx.Client
    url: str
    part: Path
    size: int
    report: Report
    resumed_from: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return httpx.URL(self.url).host

    def length(self) -> int:
        return _length(self.part)

    def attempt(self) -> None:
        """One request for what is missing."""
        start = self.length()
        # A compressed transfer could not be resumed.
        headers = {**self.headers, "accept-encoding": "identity"} | (
            {"range": f"bytes={start}-"} if start else {}
        )
        with (
            _translated(self.host),
            self.client.stream("GET", self.url, headers=headers) as response,
        ):
            self._receive(response, self._first_byte(response, start))
        if self.length() < self.size:
            raise _CutError(f"{self.host} sent less than the whole file")

    def _first_byte(self, response: httpx.Response, asked: int) -> int:
        """The place in the file of the first byte of the body."""
        match response.status_code:
            case 200:
                self._require_size(response.headers.get("content-length"))
                return 0
            case 206:
                place, _, size = response.headers.get("content-range", "").partition("/")
                self._require_size(size)
                if place.startswith(f"bytes {asked}-"):
                    return asked
                self.part.unlink(missing_ok=True)
                raise _CutError(f"{self.host} sent another part of the file than asked for")
            case 416:
                self.part.unlink(missing_ok=True)
                raise _CutError(f"{self.host} has no such part of the file")
            case status if status in _PASSING:
                raise _CutError(f"{self.host} answered {status}", retry_after=_retry_after(response))
            case status if status in _NO_ENTRY:
                raise NoEntryError(f"{self.host} answered {status} ({response.reason_phrase})")
            case 404 | 410 as status:
                raise ModelStoreError(
                    f"{self.host} does not have the file ({status}), though the index says so."
                )
            case status:
                raise ModelStoreError(f"{self.host} answered {status} ({response.reason_phrase}).")

    def _require_size(self, told: str | None) -> None:
        if told is not None and told.isdecimal() and int(told) != self.size:
            raise self._foreign(f"{int(told):,}")

    def _receive(self, response: httpx.Response, first: int) -> None:
        done = first
        with self.part.open("ab" if first else "wb") as file:
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > self.size:
                    raise self._foreign(f"more than {self.size:,}")
                file.write(chunk)
                file.flush()  # so that a process that is killed here leaves all that arrived
                self.report(done, min(self.resumed_from, first))

    def _foreign(self, length: str) -> ModelStoreError:
        self.part.unlink(missing_ok=True)
        return ModelStoreError(
            f"{self.host} offers a file of {length} bytes; the right one has {self.size:,}. It was not used."
        )


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Failures of the network as failures of this attempt."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise _CutError(f"no connection to {host} ({_said(error)})", connected=False) from error
    except httpx.UnsupportedProtocol as error:
        raise ModelStoreError(f"{host} sends us on to an address that is neither http nor https.") from error
    except httpx.TimeoutException as error:
        raise _CutError(f"{host} sent nothing for too long") from error
    except httpx.TransportError as error:
        raise _CutError(f"the connection to {host} was cut ({_said(error)})") from error
    except httpx.RequestError as error:
        raise ModelStoreError(f"{host}: {_said(error)}") from error


def _given_up(transfer: _Transfer, cut: _CutError, failures: int) -> Exception:
    if not cut.connected:
        return NoEntryError(str(cut))
    kept = f" {transfer.length():,} of {transfer.size:,} bytes are kept; start again to fetch the rest."
    if cut.retry_after is not None and cut.retry_after > _LONGEST_PAUSE:
        return ModelStoreError(f"{cut}, to come back in {cut.retry_after:.0f} seconds.{kept}")
    return ModelStoreError(f"{cut}; {failures} attempts in a row failed.{kept}")


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds of the header `retry-after`, which may also be a date."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _trusted() -> ssl.SSLContext:
    """The usual certificates (or SSL_CERT_FILE's) and the machine's own, so that a company's proxy works."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__

"""A package index and its file host on 127.0.0.1, which fails in the ways that real ones fail."""

import base64
import collections
import contextlib
import hashlib
import http.server
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Cut:
    """The connection ends when this many bytes of the body are out."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Nothing comes when this many bytes of the body are out, until `FileServer.released` is set."""

    after: int


@dataclass(frozen=True)
class Status:
    code: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Corrupt:
    """The byte at this place of the file is another one."""

    at: int


@dataclass(frozen=True)
class Longer:
    """More bytes than there are in the file; `told` in Content-Length, or a body without one."""

    by: int
    told: bool


@dataclass(frozen=True)
class WrongRange:
    """206 with another range than the one asked for."""


Fault = Cut | Stall | Status | Corrupt | Longer | WrongRange


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    sent: list[int] = field(default_factory=lambda: [0])

    @property
    def range(self) -> str | None:
        return self.headers.get("range")

    @property
    def bytes_sent(self) -> int:
        """Of the body."""
        return self.sent[0]


class FileServer:
    """Wheels by file name at `/files/`, listed at `/simple/<project>/` in JSON (PEP 691)."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler] | None = None) -> None:
        self.wheels: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.faults: collections.deque[Fault] = collections.deque()
        """Each spoils one GET of a wheel, in order."""
        self.has_metadata = True
        """PEP 658: the wheel's METADATA as a file of its own."""
        self.takes_ranges = True
        self.refuses_head = False
        self.tells_hash = True
        self.credentials: tuple[str, str] | None = None
        self.redirect_to: str | None = None
        """Another server's base URL, to which requests for wheels go on."""
        self.released = threading.Event()
        self._http = _HttpServer(("127.0.0.1", 0), handler or FileHandler)
        self._http.files = self
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def index(self) -> str:
        if self.credentials is None:
            return f"{self.url}/simple"
        user, password = self.credentials
        return f"http://{user}:{password}@127.0.0.1:{self._http.server_port}/simple"

    def file_url(self, name: str) -> str:
        return f"{self.url}/files/{name}"

    def downloads(self) -> list[Request]:
        """The GETs of wheels."""
        return [
            request for request in self.requests if request.method == "GET" and request.path.endswith(".whl")
        ]

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    server = FileServer()
    server.start()
    try:
        yield server
    finally:
        server.close()


def make_wheel(name: str, version: str, members: Mapping[str, bytes]) -> bytes:
    """A wheel that pip takes for one, with `members` inside."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        **members,
        f"{info}/METADATA": _metadata(name, version),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path), content)  # with a fixed time, for a fixed hash
    return buffer.getvalue()


def wheel_name(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def _metadata(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


class _HttpServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that was killed is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FileHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def files(self) -> FileServer:
        return self.server.files

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        if self.admitted():
            self.answer(403) if self.files.refuses_head else self.send_wheel()

    def do_GET(self):
        if not self.admitted():
            return
        match self.path.strip("/").split("/"):
            case ["simple", project]:
                self.send_index(project)
            case ["files", name] if name.endswith(".metadata"):
                distribution, version = name.split("-")[:2]
                self.answer(200, _metadata(distribution.replace("_", "-"), version))
            case ["files", _]:
                self.send_wheel()
            case _:
                self.answer(404)

    def admitted(self) -> bool:
        self.request_seen = Request(
            self.command, self.path, {name.lower(): value for name, value in self.headers.items()}
        )
        self.files.requests.append(self.request_seen)
        if self.files.credentials is None:
            return True
        wanted = base64.b64encode(":".join(self.files.credentials).encode()).decode()
        if self.headers.get("authorization") == f"Basic {wanted}":
            return True
        self.answer(401, headers={"www-authenticate": 'Basic realm="index"'})
        return False

    def send_index(self, project: str):
        found = {
            name: content
            for name, content in self.files.wheels.items()
            if name.split("-")[0].replace("_", "-") == project
        }
        if not found:
            self.answer(404)
        else:
            entries = [self.entry(name, content) for name, content in found.items()]
            page = {"meta": {"api-version": "1.0"}, "name": project, "files": entries}
            self.answer(200, json.dumps(page).encode(), {"content-type": SIMPLE_JSON})

    def entry(self, name: str, content: bytes) -> dict:
        hashes = {"sha256": hashlib.sha256(content).hexdigest()} if self.files.tells_hash else {}
        return {
            "filename": name,
            "url": self.files.file_url(name),
            "hashes": hashes,
            "core-metadata": self.files.has_metadata,
        }

    def send_wheel(self):
        self.send_file(self.files.wheels.get(self.path.rsplit("/", 1)[1]))

    def send_file(self, content: bytes | None):
        fault = self.files.faults.popleft() if self.files.faults and self.command == "GET" else None
        match fault:
            case Status(code, headers):
                self.answer(code, headers=headers)
            case _ if content is None:
                self.answer(404)
            case _ if self.files.redirect_to:
                self.answer(302, headers={"location": self.files.redirect_to + self.path})
            case Corrupt(at):
                self.send_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :], None)
            case Longer(by, told=True):
                self.send_bytes(content + bytes(by), None)
            case _:
                self.send_bytes(content, fault)

    def send_bytes(self, content: bytes, fault: Fault | None):
        start, end = self.asked_range(len(content))
        headers = {"accept-ranges": "bytes"} if self.files.takes_ranges else {}
        if start is None:
            self.body(200, content, headers, fault)
        elif start >= len(content):
            self.answer(416, headers={"content-range": f"bytes */{len(content)}"})
        else:
            said = start + 1 if isinstance(fault, WrongRange) else start
            headers["content-range"] = f"bytes {said}-{end}/{len(content)}"
            self.body(206, content[start : end + 1], headers, fault)

    def asked_range(self, size: int) -> tuple[int | None, int]:
        value = self.headers.get("range")
        if value is None or not self.files.takes_ranges:
            return None, 0
        first, _, last = value.removeprefix("bytes=").partition("-")
        return int(first), min(int(last or size), size - 1)

    def body(self, status: int, content: bytes, headers: Mapping[str, str], fault: Fault | None):
        match fault:
            case Longer(by):
                self.head(status, {**headers, "transfer-encoding": "chunked"})
                content += bytes(by)
                self.write(b"%x\r\n" % len(content) + content + b"\r\n0\r\n\r\n")
            case Cut(after):
                self.head(status, {**headers, "content-length": str(len(content))})
                self.write(content[:after])
                self.close_connection = True
            case Stall(after):
                self.head(status, {**headers, "content-length": str(len(content))})
                self.write(content[:after])
                self.files.released.wait(60)
                self.write(content[after:])
            case _:
                self.answer(status, content, headers)

    def answer(self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None):
        self.head(status, {**(headers or {}), "content-length": str(len(content))})
        if self.command != "HEAD":
            self.write(content)

    def head(self, status: int, headers: Mapping[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def write(self, content: bytes):
        self.request_seen.sent[0] += len(content)  # first: the client may be done before we go on
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)
            self.wfile.flush()

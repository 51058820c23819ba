"""A Hugging Face hub on 127.0.0.1: its API, and its files by way of another host, which fails."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.file_server import FileHandler, FileServer, Request

LARGE = 10_000
"""Bytes from which a file is kept as a large one (Git LFS), with a SHA-256."""


@dataclass
class Repository:
    """A model at one commit; `commit` follows the content."""

    files: dict[str, bytes]
    gated: bool = False
    card: Mapping[str, object] = field(default_factory=dict)
    parameters: int | None = None
    listed_sha256: Mapping[str, str] = field(default_factory=dict)
    """What the API says instead of the truth."""

    @property
    def commit(self) -> str:
        return hashlib.sha1(
            b"".join(path.encode() + content for path, content in sorted(self.files.items()))
        ).hexdigest()

    def info(self, model: str) -> dict:
        parameters = {"safetensors": {"parameters": {"BF16": self.parameters}, "total": self.parameters}}
        return {
            "id": model,
            "modelId": model,
            "sha": self.commit,
            "private": False,
            "gated": "auto" if self.gated else False,
            "cardData": dict(self.card),
            "tags": [],
            "siblings": [self.sibling(path, content) for path, content in self.files.items()],
            **(parameters if self.parameters else {}),
        }

    def sibling(self, path: str, content: bytes) -> dict:
        entry = {
            "rfilename": path,
            "size": len(content),
            "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }
        if len(content) >= LARGE:
            sha256 = self.listed_sha256.get(path, hashlib.sha256(content).hexdigest())
            entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        return entry


class HubServer(FileServer):
    """Repositories by `organisation/name`. Every file comes from `cdn`, another host, by a redirect."""

    def __init__(self) -> None:
        super().__init__(_HubHandler)
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        """Those that are known; all of them may read what is gated but `no_access`."""
        self.no_access: set[str] = set()
        self.down: int | None = None
        """The status that every request of the API gets."""
        self.cdn = FileServer(_CdnHandler)
        """Its faults spoil GETs of `spoilt`, in order."""
        self.spoilt = "model.safetensors"
        self.cdn.hub = self

    def start(self) -> None:
        super().start()
        self.cdn.start()

    def close(self) -> None:
        super().close()
        self.cdn.close()

    def file_requests(self) -> list[Request]:
        """The GETs of files that reached the content."""
        return [request for request in self.cdn.requests if request.method == "GET"]

    def fetched(self) -> list[str]:
        """Their names, sorted."""
        return sorted(request.path.rsplit("/", 1)[1] for request in self.file_requests())


@contextlib.contextmanager
def hub_server() -> Iterator[HubServer]:
    server = HubServer()
    server.start()
    try:
        yield server
    finally:
        server.close()


class _CdnHandler(FileHandler):
    """`/ORGANISATION/NAME/PATH`, as its hub has it. A credential of the hub must not come here."""

    def do_GET(self):  # noqa: N802 - the name that http.server calls
        if not self.admitted():
            return
        organisation, name, path = unquote(self.path).strip("/").split("/", 2)
        repository = self.files.hub.repositories.get(f"{organisation}/{name}")
        content = repository.files.get(path) if repository else None
        if content is None or path == self.files.hub.spoilt:
            self.send_file(content)
        else:
            self.send_bytes(content, None)


class _HubHandler(FileHandler):
    def do_GET(self):  # noqa: N802 - the name that http.server calls
        if not self.admitted():
            return
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if self.token and self.token not in self.files.tokens:
            self.answer(401, headers={"x-error-message": "Invalid credentials in Authorization header"})
            return
        match parts:
            case ["api", *_] if self.files.down:
                self.answer(self.files.down)
            case ["api", "models"]:
                self.send_search(parse_qs(url.query))
            case ["api", "models", organisation, name, "revision", revision]:
                self.send_info(f"{organisation}/{name}", revision)
            case ["api", "models", organisation, name, "auth-check"]:
                if self.may_read(f"{organisation}/{name}"):
                    self.answer(200, b"{}")
            case [organisation, name, "resolve", revision, *path]:
                self.send_on(f"{organisation}/{name}", revision, "/".join(path))
            case _:
                self.answer(404)

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def may_read(self, model: str) -> bool:
        repository = self.files.repositories.get(model)
        if repository is None:
            # As the hub does: who is not logged in cannot tell a private repository from none.
            self.answer(404 if self.token else 401, headers={"x-error-code": "RepoNotFound"})
            return False
        if repository.gated and (not self.token or self.token in self.files.no_access):
            self.answer(403 if self.token else 401, headers={"x-error-code": "GatedRepo"})
            return False
        return True

    def send_search(self, query: Mapping[str, list[str]]):
        author, search = query.get("author", [None])[0], query.get("search", [""])[0].lower()
        found = [
            {"id": model}
            for model in self.files.repositories
            if (author is None or model.split("/")[0] == author) and search in model.lower()
        ]
        self.send_json(found)

    def send_info(self, model: str, revision: str):
        repository = self.files.repositories.get(model)
        if repository is None:
            self.answer(404 if self.token else 401, headers={"x-error-code": "RepoNotFound"})
        elif revision not in {"main", repository.commit}:
            self.answer(404, headers={"x-error-code": "RevisionNotFound"})
        else:
            self.send_json(repository.info(model))

    def send_on(self, model: str, revision: str, path: str):
        if not self.may_read(model):
            return
        repository = self.files.repositories[model]
        if revision != repository.commit or path not in repository.files:
            self.answer(404, headers={"x-error-code": "EntryNotFound"})
        else:
            self.answer(302, headers={"location": f"{self.files.cdn.url}/{model}/{path}"})

    def send_json(self, value: object):
        self.answer(200, json.dumps(value).encode(), {"content-type": "application/json"})

"""Against a server on this machine, which the tests alone allow to be asked."""

import asyncio
import contextlib
import gzip

import pytest

from tramontane.errors import FileInputError
from tramontane.remote.addresses import is_public
from tramontane.remote.files import MAX_REDIRECTS, RemoteFiles, resolve_host

pytestmark = pytest.mark.anyio

LIMIT = 1000


class Server:
    """Answers each path with prepared bytes; writes down the heads of requests."""

    def __init__(self):
        self.answers = {}
        self.heads = []
        self.release = asyncio.Event()

    async def handle(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            for piece in self.answers.get(
                head.split()[1], [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]
            ):
                if piece is None:
                    await self.release.wait()
                else:
                    writer.write(piece)
                    await writer.drain()
        writer.close()


@pytest.fixture
async def server():
    served = Server()
    async with await asyncio.start_server(served.handle, "127.0.0.1", 0) as listening:
        served.port = listening.sockets[0].getsockname()[1]
        yield served
        served.release.set()


class Names:
    """What host names resolve to, those of this machine as always."""

    def __init__(self, **known):
        self.known = known

    async def __call__(self, host, port):
        if addresses := self.known.get(host.partition(".")[0]):
            return addresses
        return await resolve_host(host, port)


def files(may_connect=lambda address: True, seconds=60.0, **names):
    return RemoteFiles(may_connect, frozenset({"http", "https"}), seconds, Names(**names))


def whole(body):
    return [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body), body]


def redirect(location):
    return [f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()]


async def refused(fetcher, url, limit=LIMIT):
    with pytest.raises(FileInputError) as caught:
        await fetcher.fetch(url, limit)
    assert caught.value.message == f"File could not be fetched from url '{url}'"
    assert caught.value.body()["code"] == "3310"


async def test_a_file_comes_whole(server):
    server.answers["/a.png?size=1"] = whole(b"x" * LIMIT)
    assert await files().fetch(f"http://127.0.0.1:{server.port}/a.png?size=1", LIMIT) == b"x" * LIMIT
    assert server.heads[0].startswith("GET /a.png?size=1 HTTP/1.1")
    assert f"host: 127.0.0.1:{server.port}\r\n" in server.heads[0].lower()


async def test_the_host_is_asked_by_its_name_at_the_address_that_was_checked(server):
    server.answers["/a"] = whole(b"x")
    checked = []

    def may_connect(address):
        checked.append(str(address))
        return True

    # The system knows no such name: nobody but us has looked it up.
    url = f"http://user:secret@pictures.invalid:{server.port}/a"
    assert await files(may_connect, pictures=["127.0.0.1"]).fetch(url, LIMIT) == b"x"
    assert checked == ["127.0.0.1"]
    assert f"host: pictures.invalid:{server.port}\r\n" in server.heads[0].lower()
    assert "authorization" not in server.heads[0].lower()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
async def test_this_machine_is_not_asked_by_default(server, host):
    await refused(files(is_public), f"http://{host}:{server.port}/a")
    assert server.heads == []


async def test_one_private_address_of_a_name_is_enough_to_refuse_it():
    await refused(files(is_public, two=["8.8.8.8", "192.168.0.1"]), "http://two.invalid/a")


async def test_redirects_are_followed(server):
    server.answers["/a"] = redirect("/b")
    server.answers["/b"] = redirect(f"http://127.0.0.1:{server.port}/c")
    server.answers["/c"] = whole(b"there")
    assert await files().fetch(f"http://127.0.0.1:{server.port}/a", LIMIT) == b"there"


@pytest.mark.parametrize("location", ["http://inner.invalid/b", "file:///etc/passwd", "ftp://127.0.0.1/b"])
async def test_redirects_are_checked_like_the_url_itself(server, location):
    server.answers["/a"] = redirect(location)
    fetcher = files(lambda address: str(address) == "127.0.0.1", inner=["10.0.0.1"])
    await refused(fetcher, f"http://127.0.0.1:{server.port}/a")
    assert len(server.heads) == 1


async def test_there_is_an_end_to_redirects(server):
    server.answers["/a"] = redirect("/a")
    await refused(files(), f"http://127.0.0.1:{server.port}/a")
    assert len(server.heads) == MAX_REDIRECTS + 1


async def test_a_file_that_is_too_large_is_not_read_to_its_end(server):
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    server.answers["/a"] = [head, chunk * 11, None]
    await refused(files(), f"http://127.0.0.1:{server.port}/a")


async def test_a_compressed_file_cannot_grow_past_the_limit(server):
    body = gzip.compress(bytes(10**7))
    server.answers["/a"] = [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body),
        body,
    ]
    await refused(files(), f"http://127.0.0.1:{server.port}/a", limit=10**6)


async def test_a_file_that_takes_too_long_is_given_up(server):
    server.answers["/a"] = [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", None]
    await refused(files(seconds=0.2), f"http://127.0.0.1:{server.port}/a")


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"],
        [b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"],
        [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"],
        [b"nonsense\r\n\r\n"],
        [],
    ],
    ids=["missing", "failed", "unchanged", "cut", "nonsense", "nothing"],
)
async def test_anything_but_a_file_is_refused(server, answer):
    server.answers["/a"] = answer
    await refused(files(), f"http://127.0.0.1:{server.port}/a")


async def test_unknown_hosts_and_urls_that_are_none():
    for url in (
        "https://nowhere.invalid/a",
        "https://",
        "https://[",
        "https://a:99999/b",
        "gopher://x/",
        "x",
    ):
        await refused(files(), url)


async def test_only_https_by_default(server):
    await refused(RemoteFiles(lambda address: True), f"http://127.0.0.1:{server.port}/a")
    assert server.heads == []

"""The server's address: bound first, so that a port in use is told before any slow work."""

import errno
import ipaddress
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from tramontane.errors import ConfigurationError

_BACKLOG: Final = 2048
_PATIENCE_SECONDS: Final = 60
"""How long a client may not read what is sent to it, or not be there at all, before it counts as gone."""
_PROBE_SECONDS: Final = (_PATIENCE_SECONDS // 2, _PATIENCE_SECONDS // 6)
"""When the first probe of a silent connection goes out, and each further one."""
_UNAVAILABLE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""`localhost` may name an IPv6 address on a machine without IPv6: its other address will do."""


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets on every address of `host`, all on one port. Port 0 takes a free one.

    They listen at once, for only a listening socket keeps the port from others. A client that comes before
    the server is ready waits for its answer.

    Raises:
        ConfigurationError: the address is in use, not ours, or not allowed.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        unavailable: list[ConfigurationError] = []
        for family, address in _addresses(host, port):
            chosen = (address[0], port_of(sockets) if sockets else port, *address[2:])
            try:
                sockets.append(stack.enter_context(_listening_socket(family, chosen)))
            except OSError as error:
                problem = ConfigurationError(_advice(error, str(chosen[0]), str(chosen[1])))
                if error.errno not in _UNAVAILABLE:
                    raise problem from error
                unavailable.append(problem)
        if not sockets:
            raise unavailable[0]
        yield sockets


def allow_open_files() -> None:
    """As many as the system lets this user have: each connection is one, and shells hand down a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def port_of(sockets: list[socket.socket]) -> int:
    """The port that they share."""
    port: int = sockets[0].getsockname()[1]
    return port


def reachable_url(host: str, port: int) -> str:
    """The URL, without `/v1`, under which this machine reaches a server that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"--host: {host!r} is no address of this machine ({error})") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listening_socket(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # What a server that ended just now left of its connections must not keep the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _cut_dead_connections(bound)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _cut_dead_connections(bound: socket.socket) -> None:
    """Every connection inherits this: a client that is gone without a word must not keep its slot."""
    first_probe, next_probe = _PROBE_SECONDS
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PATIENCE_SECONDS * 1000)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, first_probe)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, next_probe)


def _advice(error: OSError, host: str, port: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} on {host} is in use by another program: end it, "
                "or choose another port with --port (0 takes a free one)"
            )
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"--host: {host} is no address of this machine; 127.0.0.1 and 0.0.0.0 always are"
        case errno.EACCES:
            return f"Port {port} needs more rights than this user has: choose one above 1023 with --port"
        case _:
            return f"Cannot listen on {host} port {port}: {error.strerror}"

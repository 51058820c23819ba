import errno
import socket

import pytest

from tramontane.cli import listening as module
from tramontane.cli.listening import is_loopback, listening, port_of, reachable_url
from tramontane.errors import ConfigurationError


def test_a_free_port_is_taken_and_given_back():
    with listening("127.0.0.1", 0) as sockets:
        port = port_of(sockets)
        socket.create_connection(("127.0.0.1", port)).close()
    with listening("127.0.0.1", port) as sockets:
        assert port_of(sockets) == port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_says_what_to_do(host):
    with (
        listening("127.0.0.1", 0) as sockets,
        pytest.raises(ConfigurationError, match=rf"Port {port_of(sockets)} on .* in use .*--port"),
        listening(host, port_of(sockets)),
    ):
        pass


def test_every_address_of_a_name_has_the_same_port(monkeypatch):
    addresses = [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.2", 0))]
    monkeypatch.setattr(module, "_addresses", lambda host, port: addresses)

    with listening("two.example", 0) as sockets:
        assert [bound.getsockname() for bound in sockets] == [
            ("127.0.0.1", port_of(sockets)),
            ("127.0.0.2", port_of(sockets)),
        ]


def test_an_address_that_this_machine_lacks_is_left_out_if_the_name_has_another(monkeypatch):
    addresses = [(socket.AF_INET, ("203.0.113.1", 0)), (socket.AF_INET, ("127.0.0.1", 0))]
    monkeypatch.setattr(module, "_addresses", lambda host, port: addresses)

    with listening("localhost", 0) as sockets:
        assert [bound.getsockname()[0] for bound in sockets] == ["127.0.0.1"]


def test_ipv6_works():
    try:
        with listening("::1", 0) as sockets:
            socket.create_connection(("::1", port_of(sockets))).close()
            assert reachable_url("::1", 8000) == "http://[::1]:8000"
    except ConfigurationError as error:
        pytest.skip(f"no IPv6 here: {error}")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "a" * 100, "\0"])
def test_a_host_that_is_not_ours_names_the_option(host):
    with pytest.raises(ConfigurationError, match="--host"), listening(host, 0):
        pass


def test_a_port_that_needs_more_rights_says_so(monkeypatch):
    def refuse(self, address):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigurationError, match="Port 80 needs more rights"), listening("127.0.0.1", 80):
        pass


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("gpu.example", "http://gpu.example:80"),
    ],
)
def test_the_url_is_one_that_this_machine_reaches(host, url):
    assert reachable_url(host, 80) == url


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("x", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host, loopback):
    assert is_loopback(host) is loopback


def test_a_client_that_reads_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 1)

    with listening("127.0.0.1", 0) as [bound], socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection, pytest.raises(TimeoutError):
            connection.sendall(b"token" * 10_000_000)  # more than all buffers hold


def test_a_silent_connection_is_probed():
    with listening("127.0.0.1", 0) as [bound], socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 60

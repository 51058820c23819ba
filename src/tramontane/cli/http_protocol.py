"""HTTP/1.1 on one connection, as uvicorn has it, for clients that propose to speak something else."""

from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TUNNEL: Final = b"CONNECT"
"""To the parser a proposal without a header: nothing can be taken out of it."""


class HttpProtocol(HttpToolsProtocol):
    """Goes on in HTTP/1.1 when a request proposes another protocol, as RFC 9110 allows.

    Java's HTTP client proposes HTTP/2 with its requests. The parser ends there, since what follows may not be
    HTTP, and the body would be lost. So such a request is parsed once more, without its `Upgrade`.
    """

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._parse(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")

    def on_headers_complete(self) -> None:
        """Begin the answer, unless the request is going to be parsed again."""
        if not self._is_proposal():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the body, unless the request is going to be parsed again."""
        if not self._is_proposal():
            super().on_message_complete()

    def _parse(self, data: bytes) -> bytes:
        """Feed the parser; returns what is to be parsed then."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as proposal:
            if not self._is_tunnel():
                return self._head_without_proposal() + data[proposal.args[0] :]
        return b""

    def _head_without_proposal(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = [b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"".join((b"%b %b HTTP/%b\r\n" % (method, self.url, version), *fields, b"\r\n"))

    def _is_proposal(self) -> bool:
        return bool(self.parser.should_upgrade()) and not self._is_tunnel()

    def _is_tunnel(self) -> bool:
        return bool(self.parser.get_method() == _TUNNEL)

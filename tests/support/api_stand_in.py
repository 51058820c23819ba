"""A server of the API for tests of its clients: scripted, on a free port, in a thread."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def delta(text):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


class ApiStandIn:
    """`answer` is what each completion streams: texts, chunks (dicts), raw bytes, seconds to wait."""

    key = "key-of-the-stand-in"

    def __init__(self):
        self.answer = ["Hello", " there"]
        self.refusal = None  # (status, body)
        self.models = [
            {"id": "embedder", "capabilities": {"completion_chat": False}},
            {"id": "first-chat", "capabilities": {"completion_chat": True}},
            {"id": "second-chat", "capabilities": {"completion_chat": True}},
        ]
        self.requests = []
        self.client_left = threading.Event()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self):
        return self._server.server_port

    @contextlib.contextmanager
    def serving(self):
        class Handler(_Handler):
            stand_in = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.block_on_close = False
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    stand_in: ApiStandIn

    def do_GET(self):
        match self.path:
            case "/health/ready":
                self._answer(200, {})
            case "/v1/models" if self._is_known():
                self._answer(200, {"object": "list", "data": self.stand_in.models})
            case _:
                self._answer(404, {"detail": "Not Found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self._is_known():
            return
        self.stand_in.requests.append(json.loads(body))
        if self.stand_in.refusal:
            self._answer(*self.stand_in.refusal)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.end_headers()
        try:
            for part in self.stand_in.answer:
                self._send(part)
        except OSError:
            self.stand_in.client_left.set()

    def _send(self, part):
        match part:
            case float():
                time.sleep(part)
                return
            case bytes():
                data = part
            case str():
                data = b"data: " + json.dumps(delta(part)).encode() + b"\n\n"
            case dict():
                data = b"data: " + json.dumps(part).encode() + b"\n\n"
        self.wfile.write(data)
        self.wfile.flush()

    def _is_known(self):
        known = self.headers.get("authorization") == f"Bearer {self.stand_in.key}"
        if not known:
            self._answer(401, {"detail": "Invalid API Key"})
        return known

    def _answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


DONE = b"data: [DONE]\n\n"

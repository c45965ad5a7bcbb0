"""A real HTTP server that takes webhooks, or behaves badly, as each path says."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Taken:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


class Receiver:
    """``/ok`` takes; ``/status/<n>`` answers so; ``/redirect?<where>``, ``/drip`` (a byte now and
    then), ``/huge`` (without end), ``/silent``, ``/broken`` (no HTTP), ``/slow/<seconds>``."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.taken: list[Taken] = []
        self.sent_bytes = 0
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                receiver.taken.append(
                    Taken(self.path, dict(self.headers.items()), self.rfile.read(length))
                )
                receiver.answer(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "http" if context is None else "https"
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        parts = path.strip("/").split("/")
        try:
            getattr(self, f"_{parts[0]}")(handler, *parts[1:], *([query] if query else []))
        except OSError:
            handler.close_connection = True

    def _plain(self, handler, status: int, text: bytes, **headers: str) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _ok(self, handler, *_rest) -> None:
        self._plain(handler, 200, b"thank you")

    def _status(self, handler, number: str, retry_after: str = "") -> None:
        extra = {"Retry_After": retry_after} if retry_after else {}
        self._plain(handler, int(number), b"no \x00thank you", **extra)

    def _redirect(self, handler, where: str) -> None:
        self._plain(handler, 307, b"", Location=where)

    def _slow(self, handler, seconds: str) -> None:
        self.closing.wait(float(seconds))
        self._ok(handler)

    def _silent(self, handler) -> None:
        self.closing.wait(30)

    def _drip(self, handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not self.closing.wait(0.1):
            handler.wfile.write(b"x")

    def _drip_headers(self, handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not self.closing.wait(0.1):
            handler.wfile.write(b"x")

    def _huge(self, handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.closing.is_set():
            handler.wfile.write(b"y" * 65_536)
            self.sent_bytes += 65_536

    def _broken(self, handler) -> None:
        handler.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        handler.close_connection = True

"""A TCP proxy that cuts connections in the middle, as bad networks do."""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
from contextlib import suppress


class CuttingProxy:
    """Passes connections on to a port of this machine. A share of them is reset after a random
    number of bytes; ``cuts`` counts those."""

    def __init__(self, port: int, *, share: float, most_bytes: int, seed: int = 1) -> None:
        self._target = port
        self._share = share
        self._most_bytes = most_bytes
        self._random = random.Random(seed)
        self.cuts = 0
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; those that are open end with their other sides."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            limit = None
            if self._random.random() < self._share:
                limit = self._random.randrange(1, self._most_bytes)
            threading.Thread(target=self._pass_on, args=(client, limit), daemon=True).start()

    def _pass_on(self, client: socket.socket, limit: int | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=10)
        except OSError:
            _reset(client)
            return
        passed = 0
        other = {client: server, server: client}
        with client, server:
            while not self._closing.is_set():
                ready, _, _ = select.select([client, server], [], [], 1.0)
                for side in ready:
                    try:
                        content = side.recv(16_384)
                        if not content:
                            return
                        other[side].sendall(content)
                    except OSError:
                        return
                    passed += len(content)
                if limit is not None and passed >= limit:
                    self.cuts += 1
                    _reset(client)
                    _reset(server)
                    return


def _reset(sock: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

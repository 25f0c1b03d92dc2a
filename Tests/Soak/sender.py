"""Sends requests as fast as one process can: many connections, and many requests on each before its first answer."""
import re
import selectors
import socket
import time
from collections import Counter

from mutation import Mutations

_CONNECTIONS = 32

# On one connection, before one that is broken ends it.
_PIPELINED = 100
_READ_BYTES = 1 << 18

# A broken request may be the beginning of a longer one: then nothing comes.
_PATIENCE_SECONDS = 0.25

# Making requests costs as much as sending them, so those that were made serve several connections, each from elsewhere.
_POOL = 40 * _PIPELINED
_USES_OF_A_POOL = 200

# So many connections in a row that are refused mean that the worker has gone.
_REFUSALS = 500

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_STATUS_LENGTH = len("HTTP/1.1 200")


class _Connection:
    def __init__(self, port: int, request_bytes: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setblocking(False)
        self.unsent = memoryview(request_bytes)
        self.answers = 0
        self.last_move = time.monotonic()
        self._tail = b""

    def send(self) -> None:
        while self.unsent:
            self.unsent = self.unsent[self.socket.send(self.unsent):]
            self.last_move = time.monotonic()

    def receive(self, statuses: Counter) -> bool:
        """Whether more may come."""
        received = self.socket.recv(_READ_BYTES)
        text = self._tail + received
        found = _STATUS.findall(text)
        statuses.update(found)
        self.answers += len(found)
        # Too short for a whole status line, which is counted once.
        self._tail = text[1 - _STATUS_LENGTH:]
        self.last_move = time.monotonic()
        return bool(received)


class _Sender:
    def __init__(self, port: int, credentials: list[bytes], seed: int) -> None:
        self.port = port
        self.statuses: Counter = Counter()
        self.done = 0
        self._mutations = Mutations(credentials, seed)
        self._selector = selectors.DefaultSelector()
        self._pool: list[bytes] = []
        self._uses = 0
        self._refusals = 0

    def run(self, count: int, progress) -> None:
        while self.done < count:
            while len(self._selector.get_map()) < _CONNECTIONS:
                self._open()
            for key, events in self._selector.select(timeout=0.05):
                if not self._serve(key.data, events):
                    self._close(key.data, progress)
            now = time.monotonic()
            for key in list(self._selector.get_map().values()):
                if now - key.data.last_move > _PATIENCE_SECONDS:
                    self._close(key.data, progress)

    def _open(self) -> None:
        if self._uses % _USES_OF_A_POOL == 0:
            self._pool = list(self._mutations.requests(_POOL))
        self._uses += 1
        start = self._uses * 37 % (_POOL - _PIPELINED)
        requests = self._pool[start:start + _PIPELINED] + [self._mutations.broken()]
        try:
            connection = _Connection(self.port, b"".join(requests))
        except OSError:
            self._refusals += 1
            if self._refusals > _REFUSALS:
                raise SystemExit("the worker takes no connections any more") from None
            time.sleep(0.01)
            return
        self._refusals = 0
        self._selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _serve(self, connection: _Connection, events: int) -> bool:
        """Whether the connection goes on."""
        try:
            if events & selectors.EVENT_WRITE:
                connection.send()
                self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            return not events & selectors.EVENT_READ or connection.receive(self.statuses)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _close(self, connection: _Connection, progress) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        # The one without an answer has ended the connection.
        self.done += connection.answers + 1
        with progress.get_lock():
            progress.value += connection.answers + 1


def send(port: int, credentials: list[bytes], seed: int, count: int, progress, statuses) -> None:
    """Sends about `count` requests. `progress` is told how many were answered or broken, `statuses` what came."""
    sender = _Sender(port, credentials, seed)
    sender.run(count, progress)
    statuses.put({status.decode(): number for status, number in sender.statuses.items()})

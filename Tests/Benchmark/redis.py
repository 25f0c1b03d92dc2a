"""The little of Redis' protocol that the benchmark needs: commands in one write, their replies in order."""
import socket
from typing import Any

Command = tuple[str, ...]


class RedisError(Exception):
    """What Redis answered instead of a reply."""


class Redis:
    """A connection to a Redis on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._replies = self._socket.makefile("rb")

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self._replies.close()
        self._socket.close()

    def pipeline(self, commands: list[Command]) -> list[Any]:
        """The replies: strings, as numbers are too, and lists of them."""
        self._socket.sendall(b"".join(map(self._encode, commands)))
        return [self._read() for _ in commands]

    @staticmethod
    def _encode(words: Command) -> bytes:
        data = [word.encode() for word in words]
        return b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in data)

    def _read(self) -> Any:
        line = self._replies.readline().decode().rstrip()
        if line.startswith("*"):
            return [self._read() for _ in range(int(line[1:]))]
        if line.startswith("$"):
            return self._replies.read(int(line[1:]) + 2)[:-2].decode()
        if not line.startswith((":", "+")):
            raise RedisError(f"Redis answers {line!r}")
        return line[1:]

"""A growing number of users, each with an API key, who have all called today."""
import concurrent.futures
import itertools
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from credentials import UserKey, user_name
from lab import Lab
from load import LoadError
from stores import Store

_CALLERS = 16
_BATCH = 50
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


class Users:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._keys: list[UserKey] = []
        self._known: dict[str, int] = {}
        self._files: dict[int, Path] = {}

    def file(self, count: int) -> Path:
        """Has a line `<user> <key>` for each of the first so many."""
        if count not in self._files:
            self._files[count] = self._lab.new_file(f"users-{count}.txt", "".join(map(str, self.first(count))))
        return self._files[count]

    def first(self, count: int) -> list[UserKey]:
        self._keys += [UserKey.make(user_name(number)) for number in range(len(self._keys), count)]
        return self._keys[:count]

    def come(self, count: int, store: Store, worker_port: int) -> None:
        """Lets those that the store does not have yet make a key and a call, until there are so many. The counts of the
        minutes that this took are taken away: so many new users do not come at once."""
        new = self.first(count)[self._known.get(store.label, 0):]
        self._known[store.label] = count
        store.send(itertools.chain.from_iterable(key.record() for key in new))
        before = time.time()
        call_once(worker_port, new)
        store.send(minute_counters(new, before, time.time()))


def minute_counters(keys: list[UserKey], begin: float, end: float) -> Iterator[tuple[str, str]]:
    """Commands that take away what these users' calls left in the counts of the minutes from `begin` to `end`. Older ones
    than three minutes have gone by themselves."""
    for minute in range(int(max(begin, end - 180)) // 60, int(end) // 60 + 1):
        for key in keys:
            yield "UNLINK", f"ratelimit:{{{key.user}}}:{minute}"


def call_once(port: int, keys: list[UserKey], path: str = "/authorize", fields: str = "") -> None:
    """One call with each of the keys."""
    def call(share: list[UserKey]) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            for start in range(0, len(share), _BATCH):
                _exchange(connection, [
                    request(path, key.user, key.text, fields) for key in share[start:start + _BATCH]])

    with concurrent.futures.ThreadPoolExecutor(_CALLERS) as pool:
        list(pool.map(call, (keys[first::_CALLERS] for first in range(_CALLERS))))


def request(path: str, user: str, credential: str, fields: str = "") -> bytes:
    """With the fields that wrk sends as well."""
    return (f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {credential}\r\nX-User: {user}\r\n{fields}"
            "\r\n").encode()


def _exchange(connection: socket.socket, requests: list[bytes]) -> None:
    connection.sendall(b"".join(requests))
    answers, received = b"", None
    while len(statuses := _STATUS.findall(answers)) < len(requests) and received != b"":
        answers += (received := connection.recv(65_536))
    if (fine := statuses.count(b"200")) != len(requests):
        raise LoadError(f"{fine} of {len(requests)} calls were admitted; the first answer: {answers[:120]!r}")

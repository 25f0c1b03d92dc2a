"""Programs under test: started, watched through /proc, and ended by their id."""
import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_START_TIMEOUT = 15.0
_STOP_TIMEOUT = 5.0


class ProgramError(Exception):
    """A program that does not start, or is gone. Says what it said last."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that no process listens on, below those that the system gives to clients."""
    ports: list[int] = []
    for port in random.sample(range(10_000, 32_000), 1000):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise ProgramError("There are no free ports.")


def tcp_problem(port: int) -> str | None:
    """Why no server can be reached there, if so."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return None
    except OSError as error:
        return f"is not reached on port {port}: {error}"


def http_problem(port: int, path: str, headers: dict[str, str]) -> str | None:
    """What else than 200 a request is answered with, if so."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return None if answer.status == 200 else f"answers {path} with {answer.status} {answer.read(300)!r}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer {path} on port {port}: {error}"
    finally:
        connection.close()


class Program:
    """A running program, with all the processes it starts."""

    def __init__(self, name: str, command: list[str], directory: Path, environment: dict[str, str] | None = None):
        self.name = name
        self._log = directory / f"{name}.log"
        # A session of its own: Ctrl-C reaches the benchmark alone, which then ends everything in order.
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath), **(environment or {})})

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_fine(self, find_problem: Callable[[], str | None]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while problem := find_problem():
            self.check_alive()
            if time.monotonic() > deadline:
                raise self._error(problem)
            time.sleep(0.1)

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            raise self._error(f"has ended with status {self._process.returncode}")

    def _error(self, problem: str) -> ProgramError:
        last_words = self._log.read_text(errors="replace").splitlines()[-8:]
        return ProgramError("\n  ".join([f"{self.name} {problem}", *last_words]))

    def cpu_seconds(self) -> float:
        """What all its processes and threads have used so far."""
        return sum(_cpu_nanoseconds(pid) for pid in [self._process.pid, *self._children()]) / 1e9

    def resident_bytes(self) -> int:
        """The memory of its workers: of its child processes, or of itself when it has none."""
        statuses = (Path(f"/proc/{pid}/status").read_text() for pid in self._children() or [self._process.pid])
        return sum(1024 * int(status.partition("VmRSS:")[2].split()[0]) for status in statuses)

    def _children(self) -> list[int]:
        stats = {int(path.name): _stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
        return [pid for pid, fields in stats.items() if fields and int(fields[1]) == self._process.pid]

    def stop(self) -> None:
        """Ends it and all its processes: they are one process group, whose id is the program's own."""
        for wish in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, wish)
                self._process.wait(_STOP_TIMEOUT)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue


def _cpu_nanoseconds(pid: int) -> int:
    """Of its threads. `stat` counts in hundredths of a second, which is too coarse for a short turn."""
    used = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            used += int(file.read_text().split()[0])
    return used


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold blanks. Empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

"""A process of Tollgate's: started, waited for, and ended by its id."""
import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from waiting import eventually

_START_TIMEOUT = 60
_STOP_TIMEOUT = 15


class ProcessError(Exception):
    """It does not start, or is gone. Says what it said last."""


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
    raise ProcessError("There are no free ports.")


class Process:
    """May be started again after it was stopped."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str] | None = None) -> None:
        self._command = command
        self._directory = directory
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), **(environment or {})}
        self._log = directory / f"{Path(command[0]).name}-{command[1]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_started(self) -> bool:
        return self._process is not None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Returns when it is ready."""
        with self._log.open("w") as log:
            # A session of its own: Ctrl-C reaches the tests alone, which then end everything in order.
            self._process = subprocess.Popen(
                self._command, cwd=self._directory, env=self._environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        try:
            eventually("it is ready", lambda: self._is_alive() and is_ready(), timeout=_START_TIMEOUT)
        except AssertionError as error:
            raise self._error(str(error)) from None

    def said(self) -> str:
        """Since its last start."""
        return self._log.read_text(errors="replace")

    def _is_alive(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise self._error("has ended before it was ready")
        return True

    def _error(self, problem: str) -> ProcessError:
        name = " ".join(self._command[:2])
        return ProcessError("\n  ".join([f"{name}: {problem}", *self.said().splitlines()[-12:]]))

    def stop(self) -> None:
        """Ends it as Ctrl-C does; if it does not end, with its process group whatever it has started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

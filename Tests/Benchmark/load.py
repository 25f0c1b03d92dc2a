"""Drives a program with wrk, and tells what a request cost it and its Redis."""
import dataclasses
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from programs import Program
from stores import Store

_SCRIPT = Path(__file__).with_name("load.lua")


class LoadError(Exception):
    """Answers that were no success, or none at all: such a turn measures nothing."""


@dataclasses.dataclass(frozen=True)
class Load:
    connections: int = 64

    # Of the users: `in-turn`, `uniform` or `zipf`. See load.lua.
    order: str = "in-turn"

    # How long each connection waits, in the mean, before its next request.
    pause_ms: float = 0

    # Each request is the only one of its connection.
    closes: bool = False

    # Of wrk. Two where one might be slower than the gateway; each reads all credentials.
    threads: int = 1


@dataclasses.dataclass(frozen=True)
class Target:
    """A URL of a program, the Redis that it counts in, the file with the credentials to send there, and how."""

    label: str
    program: Program
    store: Store
    url: str
    credentials: Path
    load: Load = Load()


@dataclasses.dataclass(frozen=True)
class Measure:
    """One turn, or the medians of several. Microseconds are of CPU and of one request, as are the commands."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    gateway_us: float
    redis_us: float

    # Commands that arrived at Redis from its clients, and those that its scripts called.
    commands: float
    calls_in_scripts: float

    # CPU of wrk, of a core for each of its threads, without what it takes to start. Near 1 it is wrk that is measured.
    generator: float
    resident_bytes: float
    requests: float

    @property
    def both_us(self) -> float:
        return self.gateway_us + self.redis_us

    @staticmethod
    def median(turns: list["Measure"]) -> "Measure":
        return Measure(*(statistics.median(column) for column in zip(*map(dataclasses.astuple, turns))))


def median_ratio(ours: list[Measure], theirs: list[Measure], of: Callable[[Measure], float]) -> float:
    """Of each turn of ours to the turn of theirs beside it: what disturbs a machine disturbs both."""
    return statistics.median(of(mine) / max(of(other), 1e-9) for mine, other in zip(ours, theirs))


def drive(target: Target, seconds: int) -> Measure:
    """One turn."""
    load = target.load
    command = ["wrk", f"-t{load.threads}", "--timeout", "5s", f"-c{load.connections}", f"-d{seconds}s", "-s", str(_SCRIPT),
               target.url, "--", str(target.credentials), load.order, f"{load.pause_ms:.3f}",
               "close" if load.closes else "keep"]
    commands, in_scripts = target.store.commands()
    redis, gateway = target.store.cpu_seconds(), target.program.cpu_seconds()
    run = subprocess.run(command, capture_output=True, text=True)
    target.program.check_alive()
    redis, gateway = target.store.cpu_seconds() - redis, target.program.cpu_seconds() - gateway
    commands, in_scripts = (after - before for after, before in zip(
        target.store.commands(), (commands, in_scripts)))

    lines = [line.split() for line in run.stdout.splitlines() if line.startswith("result ")]
    if run.returncode != 0 or not lines:
        raise LoadError(f"wrk failed at {target.url}: {run.stderr.strip() or run.stdout.strip()}")
    duration, requests, p50, p99, p999, generator, status, *broken = (int(float(word)) for word in lines[0][1:])
    if status or any(broken) or not requests:
        errors = ", ".join(f"{count} {kind}" for count, kind in zip(broken, ("connect", "read", "write", "timeout")))
        raise LoadError(
            f"{target.label}: {requests} answers, of them {status} no success; errors of the connections: {errors}")
    return Measure(
        requests_per_second=requests * 1e6 / duration, p50_ms=p50 / 1e3, p99_ms=p99 / 1e3, p999_ms=p999 / 1e3,
        gateway_us=gateway * 1e6 / requests, redis_us=redis * 1e6 / requests, commands=commands / requests,
        calls_in_scripts=in_scripts / requests, generator=generator / duration / load.threads,
        resident_bytes=target.program.resident_bytes(), requests=requests)


def take_turns(targets: list[Target], turns: int, seconds: int) -> list[list[Measure]]:
    """The turns of each target after one of each that does not count: A, B, C, then C, B, A, and so on, so that what
    grows or fades with time favours none."""
    for target in targets:
        drive(target, min(seconds, 2))
    columns: list[list[Measure]] = [[] for _ in targets]
    for turn in range(turns):
        pairs = list(zip(targets, columns))
        for target, column in pairs if turn % 2 == 0 else reversed(pairs):
            column.append(drive(target, seconds))
    return columns

"""Drives a program with wrk, and tells what a request cost it."""
import dataclasses
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from programs import Program

_SCRIPT = Path(__file__).with_name("load.lua")


class LoadError(Exception):
    """Answers that were no success, or none at all: such a turn measures nothing."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A URL of a program, and the file with the credentials to send there."""

    label: str
    program: Program
    url: str
    credentials: Path

    # Each request is of any user, instead of one after the other.
    is_random: bool = False


@dataclasses.dataclass(frozen=True)
class Measure:
    """One turn, or the medians of several."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    resident_bytes: float
    requests: float

    @staticmethod
    def median(turns: list["Measure"]) -> "Measure":
        return Measure(*(statistics.median(column) for column in zip(*map(dataclasses.astuple, turns))))


def median_ratio(ours: list[Measure], theirs: list[Measure], of: Callable[[Measure], float]) -> float:
    """Of each turn of ours to the turn of theirs beside it: what disturbs a machine disturbs both."""
    return statistics.median(of(mine) / max(of(other), 1e-9) for mine, other in zip(ours, theirs))


def drive(target: Target, connections: int, seconds: int, pause_ms: float = 0) -> Measure:
    """One turn. With a pause each connection waits that long, in the mean, before its next request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), target.url, "--",
               str(target.credentials), f"{pause_ms:.3f}", "random" if target.is_random else "in-turn"]
    before = target.program.cpu_seconds()
    run = subprocess.run(command, capture_output=True, text=True)
    target.program.check_alive()
    spent = target.program.cpu_seconds() - before

    lines = [line.split() for line in run.stdout.splitlines() if line.startswith("result ")]
    if run.returncode != 0 or not lines:
        raise LoadError(f"wrk failed at {target.url}: {run.stderr.strip() or run.stdout.strip()}")
    duration, requests, p50, p99, status, *broken = (int(float(word)) for word in lines[0][1:])
    if status or any(broken) or not requests:
        errors = ", ".join(f"{count} {kind}" for count, kind in zip(broken, ("connect", "read", "write", "timeout")))
        raise LoadError(
            f"{target.label}: {requests} answers, of them {status} no success; errors of the connections: {errors}")
    return Measure(
        requests_per_second=requests * 1e6 / duration, p50_ms=p50 / 1e3, p99_ms=p99 / 1e3,
        cpu_us=spent * 1e6 / requests, resident_bytes=target.program.resident_bytes(), requests=requests)


def take_turns(targets: list[Target], connections: int, turns: int, seconds: int) -> list[list[Measure]]:
    """The turns of each target, A, B, C, A, B, C, …, after one of each that does not count."""
    for target in targets:
        drive(target, connections, min(seconds, 2))
    rounds = [[drive(target, connections, seconds) for target in targets] for _ in range(turns)]
    return [list(column) for column in zip(*rounds)]

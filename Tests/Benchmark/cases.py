"""What is measured: each case with its contestants, its load, and what is wanted of Tollgate."""
import contextlib
import dataclasses
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab import NGINX, NGINX_LUA, TOLLGATE, TRAEFIK, Lab
from load import LoadError, Measure, Target, drive, median_ratio, take_turns
from programs import Program, http_problem
from table import Verdict, comparison_table

_CONNECTIONS = 64
_USERS = 1000


@dataclasses.dataclass(frozen=True)
class Options:
    turns: int
    seconds: int
    # Of the case `memory`.
    requests: int

    # Of those of capacity, in order.
    users: list[int]

    @property
    def middle(self) -> int:
        """Where one number of users is enough."""
        return self.users[len(self.users) // 2]


@dataclasses.dataclass(frozen=True)
class Contestant:
    gateway: str
    path: str
    label: str = ""
    users: int = _USERS
    # Session tokens instead of API keys.
    has_tokens: bool = False

    def target(self, lab: Lab, programs: dict[str, Program]) -> Target:
        """Fails unless the program answers its first user with 200."""
        credentials = (lab.tokens if self.has_tokens else lab.keys)(self.users)
        port, program = lab.port(self.gateway), programs[self.gateway]
        with credentials.open() as lines:
            user, credential = lines.readline().split()
        headers = {"Authorization": f"Bearer {credential}", "X-User": user}
        program.wait_until_fine(lambda: http_problem(port, self.path, headers))
        url = f"http://127.0.0.1:{port}{self.path}"
        return Target(self.label or f"{self.gateway} `{self.path}`", program, url, credentials)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the ratio of Tollgate to a peer should be: `least` of its requests/s, `most` of its CPU per request."""

    peer: str
    least: float | None = None
    most: float | None = None

    def verdicts(self, speed: float | None, cpu: float | None) -> Iterator[Verdict]:
        if self.least is not None:
            yield Verdict(f"≥ {self.least} × the requests/s of {self.peer}", speed and f"{speed:.2f} ×",
                          speed is not None and speed >= self.least)
        if self.most is not None:
            yield Verdict(f"≤ {self.most} × the CPU per request of {self.peer}", cpu and f"{cpu:.2f} ×",
                          cpu is not None and cpu <= self.most)


@contextlib.contextmanager
def _targets(lab: Lab, contestants: list[Contestant]) -> Iterator[list[Target]]:
    with lab.running({each.gateway for each in contestants}) as programs:
        yield [each.target(lab, programs) for each in contestants]


def _compare(
    lab: Lab, options: Options, contestants: list[Contestant], wishes: Sequence[Wish] = (),
    connections: int = _CONNECTIONS
) -> Iterator[str | Verdict]:
    """All in turn. The ratios are those of the first to each other."""
    here = [each for each in contestants if lab.has(each.gateway)]
    with _targets(lab, here) as targets:
        columns = take_turns(targets, connections, options.turns, options.seconds)
    yield comparison_table([target.label for target in targets], columns)
    turns = {contestant.gateway: column for contestant, column in zip(here, columns)}
    for wish in wishes:
        ratios = [median_ratio(columns[0], turns[wish.peer], of) if wish.peer in turns else None
                  for of in (lambda m: m.requests_per_second, lambda m: m.cpu_us)]
        yield from wish.verdicts(*ratios)


def _authorize(has_tokens: bool) -> list[Contestant]:
    users = 200 if has_tokens else _USERS  # Each token is signed by a process of its own.
    return [Contestant(TOLLGATE, "/authorize", users=users, has_tokens=has_tokens),
            Contestant(NGINX_LUA, "/incr", users=users, has_tokens=has_tokens)]


def _proxy(path: str) -> list[Contestant]:
    return [Contestant(gateway, path) for gateway in (TOLLGATE, NGINX_LUA, TRAEFIK, NGINX)]


def _users() -> list[Contestant]:
    return [Contestant(TOLLGATE, "/authorize", f"Tollgate, {users:,} user{'s' if users > 1 else ''}", users)
            for users in (100_000, 1)]


def _latency(lab: Lab, options: Options) -> Iterator[str | Verdict]:
    """At 70 % of the peak: many connections with pauses between their requests, which arrive all the same."""
    with _targets(lab, [Contestant(TOLLGATE, "/authorize")]) as [target]:
        [turns] = take_turns([target], _CONNECTIONS, options.turns, options.seconds)
        peak = Measure.median(turns).requests_per_second
        paced = _paced(target, 0.7 * peak, options)
    yield comparison_table([target.label], [paced])
    median = Measure.median(paced)
    yield f"The peak was {peak:,.0f} requests/s; driven at {median.requests_per_second / peak:.0%} of it."
    yield Verdict("p99 at 70 % of the peak < 5 × p50", f"{median.p99_ms / median.p50_ms:.1f} ×",
                  median.p99_ms < 5 * median.p50_ms)


def _paced(target: Target, rate: float, options: Options, connections: int = 256) -> list[Measure]:
    """Finds the pause that makes the rate, then takes the turns with it."""
    cycle_ms = connections * 1e3 / rate
    pause = cycle_ms
    for _ in range(6):
        seen = drive(target, connections, 2, pause).requests_per_second
        if abs(seen / rate - 1) < 0.03:
            break
        pause = max(0.0, pause + cycle_ms - connections * 1e3 / seen)
    turns = [drive(target, connections, options.seconds, pause) for _ in range(options.turns)]
    seen = Measure.median(turns).requests_per_second
    if abs(seen / rate - 1) > 0.1:
        raise LoadError(f"{seen:,.0f} requests/s came where {rate:,.0f} were meant: the machine is busy")
    return turns


def _memory(lab: Lab, options: Options) -> Iterator[str | Verdict]:
    """Resident memory after each tenth of the requests."""
    samples: list[tuple[float, float]] = []
    with _targets(lab, [Contestant(TOLLGATE, "/authorize")]) as [target]:
        total = 0.0
        while total < options.requests:
            turn = drive(target, _CONNECTIONS, options.seconds)
            total += turn.requests
            samples.append((total, turn.resident_bytes / 1e6))
    marks = [next(each for each in samples if each[0] >= min(tenth * options.requests / 10, total))
             for tenth in range(1, 11)]
    yield "Resident MB after million requests: " + ", ".join(f"{mb:.1f} ({at / 1e6:.2f})" for at, mb in marks)
    first, peak = marks[0][1], max(mb for at, mb in samples if at >= marks[0][0])
    yield Verdict(f"memory flat (within 5 %) over {options.requests:,} requests after the first tenth",
                  f"{first:.1f} MB, then {peak:.1f} MB at most", peak <= 1.05 * first)


def _idle(lab: Lab, options: Options, count: int = 10_000) -> Iterator[str | Verdict]:
    """Connections that have had an answer and wait."""
    with _targets(lab, [Contestant(TOLLGATE, "/authorize")]) as [target], contextlib.ExitStack() as stack:
        before = target.program.resident_bytes() / 1e6
        requests = _requests(target.credentials)
        waiting = select.poll()
        for number in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", lab.port(TOLLGATE)), timeout=5))
            connection.sendall(requests[number % len(requests)])
            answer = connection.recv(4096)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise LoadError(f"connection {number}: {answer[:60]!r}")
            waiting.register(connection, select.POLLIN)
        time.sleep(options.seconds)
        if lost := len(waiting.poll(0)):
            raise LoadError(f"{lost} of {count} idle connections were closed")
        after = target.program.resident_bytes() / 1e6
    yield f"Resident: {before:.1f} MB before, {after:.1f} MB with {count:,} idle connections."
    yield Verdict(f"{count:,} idle connections < 150 MB", f"{after:.1f} MB", after < 150)


def _requests(credentials: Path) -> list[bytes]:
    return [f"GET /authorize HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {line.split()[1]}\r\n\r\n".encode()
            for line in credentials.read_text().splitlines()]


Case = Callable[[Lab, Options], Iterator[str | Verdict]]
_AS_ALLOWED = [Wish(NGINX_LUA, least=1.4, most=0.75)]
_AS_PROXIED = [Wish(TRAEFIK, least=2.5, most=0.40), Wish(NGINX_LUA, least=1.1)]

CASES: dict[str, tuple[str, Case]] = {
    "authorize-key": (
        "/authorize with an API key", lambda lab, o: _compare(lab, o, _authorize(False), _AS_ALLOWED)),
    "authorize-256": (
        "/authorize with an API key, 256 connections", lambda lab, o: _compare(
            lab, o, _authorize(False), connections=256)),
    "authorize-jwt": (
        "/authorize with a session token seen before", lambda lab, o: _compare(lab, o, _authorize(True), _AS_ALLOWED)),
    "proxy-key": ("proxied with an API key", lambda lab, o: _compare(lab, o, _proxy("/"), _AS_PROXIED)),
    "proxy-key-1k": ("the same, answers of 1 KB", lambda lab, o: _compare(lab, o, _proxy("/1k"))),
    "proxy-key-100k": ("the same, answers of 100 KB", lambda lab, o: _compare(lab, o, _proxy("/100k"))),
    "many-users": ("/authorize: 100,000 users against one hot user", lambda lab, o: _compare(lab, o, _users())),
    "connections-64": (
        "proxied, 64 connections", lambda lab, o: _compare(lab, o, _proxy("/")[:3], connections=64)),
    "connections-1000": (
        "proxied, 1000 connections", lambda lab, o: _compare(lab, o, _proxy("/")[:3], connections=1000)),
    "latency-70": ("/authorize with an API key at 70 % of the peak", _latency),
    "memory": ("memory over many requests (--requests)", _memory),
    "idle-10000": ("memory of 10,000 idle connections", _idle),
}

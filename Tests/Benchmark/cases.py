"""What is measured: each case with its contestants and its load."""
import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from lab import BEFORE, NGINX, NGINX_LUA, TOLLGATE, TRAEFIK, VARNISH, WEBDIS, Lab
from load import Load, LoadError, Measure, Target, drive, take_turns
from programs import http_problem
from table import comparison_table
from users import Users, call_once

_MANY = 256
FREE = "Tollgate without Redis"


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


@dataclasses.dataclass
class Results:
    """What the cases found, for the verdicts: the turns of each table's contestants by label, and single figures."""

    tables: dict[str, dict[str, list[Measure]]] = dataclasses.field(default_factory=dict)
    facts: dict[str, float] = dataclasses.field(default_factory=dict)


Case = Callable[[Lab, Options, Results], Iterator[str]]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A process of a gateway and a Redis of its own, and what is sent there."""

    gateway: str
    path: str
    label: str
    users: int
    load: Load

    # Session tokens instead of API keys.
    has_tokens: bool = False

    def start(self, lab: Lab, stack: contextlib.ExitStack, users: Users) -> Target:
        """With users who have all called before. Fails unless the program answers its first user with 200."""
        store = lab.start_store(stack, f"Redis of {self.label}", 1)
        program, port = lab.start(stack, self.gateway, store)
        path = self.path.replace("{script}", lab.count_script(store))
        credentials = lab.tokens(self.users) if self.has_tokens else users.file(self.users)
        with credentials.open() as lines:
            user, credential = lines.readline().split()
        if self.gateway in (TOLLGATE, BEFORE):
            users.come(self.users, store, port)
        headers = {"Authorization": f"Bearer {credential}", "X-User": user}
        program.wait_until_fine(lambda: http_problem(port, path.replace("{user}", user), headers))
        if self.gateway == NGINX_LUA and not self.has_tokens:
            call_once(port, users.first(self.users), path)
        return Target(self.label, program, store, f"http://127.0.0.1:{port}{path}", credentials, self.load)


def compare(
    lab: Lab, options: Options, results: Results, title: str, contestants: list[Contestant]
) -> Iterator[str]:
    """All in turn. The ratios are those of the first to each other."""
    here = [each for each in contestants if lab.has(each.gateway)]
    users = Users(lab)
    with contextlib.ExitStack() as stack:
        targets = [each.start(lab, stack, users) for each in here]
        columns = take_turns(targets, options.turns, options.seconds)
    yield tell(results, title, targets, columns)


def tell(results: Results, title: str, targets: list[Target], columns: list[list[Measure]]) -> str:
    """Keeps them for the verdicts, and shows them."""
    labels = [target.label for target in targets]
    results.tables[title] = dict(zip(labels, columns))
    return comparison_table(title, labels, columns)


# What each gateway is asked for when it only has to admit. Webdis counts by no minute: it knows no time.
_ADMIT = {
    TOLLGATE: "/authorize/", BEFORE: "/authorize/", NGINX_LUA: "/incr", VARNISH: "/incr",
    WEBDIS: "/EVALSHA/{script}/2/minute:%7B{user}%7D/calls:%7B{user}%7D/1000000000"}


def admitting(gateway: str, users: int, load: Load, label: str = "", has_tokens: bool = False) -> Contestant:
    return Contestant(gateway, _ADMIT[gateway], label or gateway, users, load, has_tokens)


def _hot_user(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    for connections, threads, further in ((64, 1, []), (_MANY, 2, [VARNISH, WEBDIS])):
        load = Load(connections, threads=threads)
        contestants = [admitting(gateway, 1, load) for gateway in (TOLLGATE, BEFORE, NGINX_LUA, *further)]
        contestants.insert(1, Contestant(TOLLGATE, "/authorize/free", FREE, 1, load))
        yield from compare(lab, options, results, f"hot-user, {connections} connections", contestants)


def _zipf(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    load = Load(_MANY, "zipf")
    yield from compare(lab, options, results, f"zipf, {_MANY} connections", [
        admitting(gateway, 1000, load) for gateway in (TOLLGATE, BEFORE, NGINX_LUA)])


def _uniform(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    load = Load(_MANY, "uniform")
    yield from compare(lab, options, results, f"uniform, 100,000 users, {_MANY} connections", [
        *(admitting(gateway, 100_000, load) for gateway in (TOLLGATE, BEFORE, NGINX_LUA)),
        *(admitting(gateway, 1000, load, f"{gateway}, 1,000 users") for gateway in (TOLLGATE, NGINX_LUA))])


def _million(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    load = Load(_MANY, "uniform")
    yield from compare(lab, options, results, f"uniform, 1,000,000 users, {_MANY} connections", [
        admitting(TOLLGATE, 1_000_000, load), admitting(TOLLGATE, 1000, load, f"{TOLLGATE}, 1,000 users")])


def _in_turn(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """No two requests of one user at a time."""
    yield from compare(lab, options, results, "in-turn, 1,000 users, 64 connections", [
        admitting(gateway, 1000, Load(64)) for gateway in (TOLLGATE, BEFORE, NGINX_LUA)])


def _session_token(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    # Each token is signed by a process of its own: 200 are enough.
    yield from compare(lab, options, results, "session-token, 200 users, 64 connections", [
        admitting(gateway, 200, Load(64), has_tokens=True) for gateway in (TOLLGATE, BEFORE, NGINX_LUA)])


def _proxied(title: str, users: int, path: str = "/", connections: int = _MANY) -> Case:
    def case(lab: Lab, options: Options, results: Results) -> Iterator[str]:
        load = Load(connections, "uniform")
        gateways = [TOLLGATE, BEFORE, NGINX_LUA, TRAEFIK, NGINX, *([VARNISH] if users > 1 and path == "/" else [])]
        yield from compare(lab, options, results, f"{title}, {connections} connections", [
            Contestant(gateway, path, gateway, users, load) for gateway in gateways])
    return case


def _one_connection(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    yield from compare(lab, options, results, "one connection, one request at a time", [
        admitting(gateway, 1, Load(1)) for gateway in (TOLLGATE, BEFORE, NGINX_LUA)])


def _active(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    few, many = Load(64, "uniform"), Load(4000, "uniform")
    yield from compare(lab, options, results, "active connections, 1,000 users", [
        admitting(gateway, 1000, load, f"{gateway}, {load.connections:,} connections")
        for gateway in (TOLLGATE, NGINX_LUA) for load in (many, few)])


def _latency(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """At 70 % of the peak: many connections with pauses between their requests, which arrive all the same."""
    users = Users(lab)
    with contextlib.ExitStack() as stack:
        target = admitting(TOLLGATE, 1000, Load(64)).start(lab, stack, users)
        [turns] = take_turns([target], options.turns, options.seconds)
        peak = Measure.median(turns).requests_per_second
        paced = _paced(target, 0.7 * peak, options)
    yield tell(results, "in-turn at 70 % of the peak, 1,000 users", [target], [paced])
    yield f"The peak was {peak:,.0f} requests/s with 64 connections."


def _paced(target: Target, rate: float, options: Options) -> list[Measure]:
    """Finds the pause that makes the rate, then takes the turns with it."""
    cycle_ms = _MANY * 1e3 / rate
    pause = cycle_ms

    def turn(seconds: int) -> Measure:
        return drive(dataclasses.replace(target, load=Load(_MANY, pause_ms=pause)), seconds)

    for _ in range(6):
        seen = turn(2).requests_per_second
        if abs(seen / rate - 1) < 0.03:
            break
        pause = max(0.0, pause + cycle_ms - _MANY * 1e3 / seen)
    turns = [turn(options.seconds) for _ in range(options.turns)]
    seen = Measure.median(turns).requests_per_second
    if abs(seen / rate - 1) > 0.1:
        raise LoadError(f"{seen:,.0f} requests/s came where {rate:,.0f} were meant: the machine is busy")
    return turns


def _memory(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """Resident memory after each tenth of the requests."""
    samples: list[tuple[float, float]] = []
    with contextlib.ExitStack() as stack:
        target = admitting(TOLLGATE, 1000, Load(64)).start(lab, stack, Users(lab))
        total = 0.0
        while total < options.requests:
            turn = drive(target, options.seconds)
            total += turn.requests
            samples.append((total, turn.resident_bytes / 1e6))
    marks = [next(each for each in samples if each[0] >= min(tenth * options.requests / 10, total))
             for tenth in range(1, 11)]
    yield "Resident MB after million requests: " + ", ".join(f"{mb:.1f} ({at / 1e6:.2f})" for at, mb in marks)


CASES: dict[str, tuple[str, Case]] = {
    "hot-user": ("/authorize, one user, 64 and 256 connections", _hot_user),
    "zipf": ("/authorize, 1,000 users, the nth 1/n times as often as the first, 256 connections", _zipf),
    "uniform": ("/authorize, 100,000 users and 1,000, 256 connections", _uniform),
    "proxied": ("proxied, 1,000 users, 256 connections", _proxied("proxied, 1,000 users", 1000)),
    "proxied-hot": ("proxied, one user, 256 connections", _proxied("proxied, one user", 1)),
    "one-connection": ("/authorize, one request at a time: latency", _one_connection),
    "active": ("/authorize, 1,000 users, 64 and 4,000 connections", _active),
    "in-turn": ("/authorize, 1,000 users one after the other, 64 connections: none waits for its own", _in_turn),
    "session-token": ("/authorize with session tokens seen before, 200 users, 64 connections", _session_token),
}

# Those that take long or say little new.
FURTHER_CASES: dict[str, tuple[str, Case]] = {
    "uniform-million": ("/authorize, 1,000,000 users and 1,000, 256 connections", _million),
    "proxied-100k": ("proxied, 1,000 users, answers of 100 KB, 64 connections",
                     _proxied("proxied, answers of 100 KB", 1000, "/100k", 64)),
    "latency-70": ("/authorize, 1,000 users, at 70 % of the peak", _latency),
    "memory": ("memory over many requests (--requests)", _memory),
}

"""What grows with connections, and with what one user has: each is to be flat, or bounded."""
import contextlib
import select
import socket
import statistics
import time
from collections.abc import Callable, Iterator

from cases import Case, Options, Results, admitting, tell
from credentials import UserKey
from lab import NGINX_LUA, TOLLGATE, Lab
from load import Load, LoadError, Target, take_turns
from redis import Redis
from stores import Store
from users import Users, call_once, request

_IDLE = 10_000
_IDLE_BESIDE = 9_000

# What one user has: calls of so many routes, which is the most that a configuration has, on each of so many days.
_ROUTES, _DAYS, _KEYS = 4096, 30, 50


def _requests(target: Target, path: str) -> list[bytes]:
    lines = target.credentials.read_text().splitlines()[:1000]
    return [request(path, *line.split()) for line in lines]


def _open(stack: contextlib.ExitStack, target: Target, path: str, count: int) -> select.poll:
    """Connections that have had an answer and wait. What is returned tells when the program closes one."""
    requests, waiting = _requests(target, path), select.poll()
    port = int(target.url.split(":")[2].split("/")[0])
    for number in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        connection.sendall(requests[number % len(requests)])
        answer = connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise LoadError(f"connection {number}: {answer!r}")
        waiting.register(connection, select.POLLIN)
    return waiting


def _idle(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """A process for each kind of path: the two kinds of connections are served in other ways."""
    for kind, path in (("data plane", "/authorize"), ("control plane", "/health")):
        with contextlib.ExitStack() as stack:
            target = admitting(TOLLGATE, 1000, Load()).start(lab, stack, Users(lab))
            before = target.program.resident_bytes() / 1e6
            waiting = _open(stack, target, path, _IDLE)
            time.sleep(options.seconds)
            if lost := len(waiting.poll(0)):
                raise LoadError(f"{lost} of {_IDLE} idle connections were closed")
            after = target.program.resident_bytes() / 1e6
        results.facts[f"idle, {kind}"] = after
        yield f"Resident MB, {kind}: {before:.1f} before, {after:.1f} with {_IDLE:,} idle connections after `{path}`."


def _closing(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """Each request comes on a connection of its own."""
    load, users = Load(64, "uniform", closes=True), Users(lab)
    with contextlib.ExitStack() as stack:
        targets = []
        for gateway in (TOLLGATE, NGINX_LUA):
            for idle in (_IDLE_BESIDE, 0):
                contestant = admitting(gateway, 1000, load, f"{gateway}, {idle:,} idle beside")
                if lab.has(gateway):
                    targets.append(contestant.start(lab, stack, users))
                    _open(stack, targets[-1], contestant.path, idle)
        columns = take_turns(targets, options.turns, options.seconds)
    yield tell(results, "closing connections, 1,000 users", targets, columns)


def _longest_call(lab: Lab, options: Options, results: Results) -> Iterator[str]:
    """How long Redis serves no other for one call of ours, by its SLOWLOG, of a user who has very much."""
    user, token = lab.tokens(200).read_text().splitlines()[0].split()
    key = UserKey.make(user)
    with contextlib.ExitStack() as stack:
        store = lab.start_store(stack, "Redis", 1)
        store.send(key.record())
        for _ in range(_KEYS - 1):
            store.send(UserKey.make(key.user).record())
        for ago in range(_DAYS):
            day = time.gmtime(time.time() - 86_400 * ago)
            date, name = f"{day.tm_mday:02d}", time.strftime("%Y-%m-%d", day)[:-1]
            calls = [word for route in range(_ROUTES) for word in (f"{date}/route-{route}", str(1000 + route))]
            store.send([("HSET", f"usage:{{{key.user}}}:{name}", *calls)])
        _, port = lab.start_tollgate(stack, store)
        for path, credential in (("/authorize", key), ("/account", key._replace(text=token))):
            longest = [_longest(store, lambda: call_once(port, [credential], path)) for _ in range(options.turns)]
            results.facts[f"longest, {path}"] = statistics.median(longest)
            yield (f"`{path}`, {_KEYS} keys, {_DAYS} days of {_ROUTES:,} routes each: Redis was blocked for "
                   f"{statistics.median(longest):.2f} ms by its longest call (of {options.turns} turns: "
                   f"{min(longest):.2f} to {max(longest):.2f}).")


def _longest(store: Store, act: Callable[[], None]) -> float:
    """Milliseconds of the longest command that comes of it."""
    with Redis(store.ports[0]) as redis:
        redis.pipeline([("CONFIG", "SET", "slowlog-log-slower-than", "0"), ("CONFIG", "SET", "slowlog-max-len", "1000"),
                        ("SLOWLOG", "RESET")])
        act()
        [entries] = redis.pipeline([("SLOWLOG", "GET", "1000")])
    return max(int(entry[2]) for entry in entries if entry[3][0].upper() not in ("CONFIG", "SLOWLOG")) / 1e3


LIMIT_CASES: dict[str, tuple[str, Case]] = {
    "closing": ("/authorize, a connection for each request, with 9,000 idle ones beside and without", _closing),
    "idle": ("memory of 10,000 idle connections of either kind", _idle),
    "longest-call": ("how long one call blocks Redis, of a user with 4,096 routes on each of 30 days", _longest_call),
}

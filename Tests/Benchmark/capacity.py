"""What users and calls cost a worker and Redis, as they grow. The guide Capacity is made of these figures."""
import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator

from cases import Case, Options, Results
from footprint import memory_of_users
from lab import Lab
from load import Load, Target, drive
from programs import Program
from stores import Store
from table import table
from users import Users

_CONNECTIONS = 64

# Milliseconds that each connection waits, in the mean, before its next call. With the first the machine is full; with
# the second about 1,000 calls come in a second, nearly all on their own.
_LOADS = {"full": 0.0, "light": 63.0}

# As full, of a worker with so many threads that each has one client, and so each call reaches Redis on its own, whatever
# the number of servers: what is left is what the code and the servers cost. In a fleet of many workers it is like that.
_ALONE, _MANY_THREADS = "each alone", _CONNECTIONS


@dataclasses.dataclass(frozen=True)
class Rig:
    """A worker and where it counts."""

    label: str
    store: Store
    worker: Program
    port: int

    # Of a second, without any call.
    idle_redis: float = 0
    idle_worker: float = 0

    def at_rest(self, seconds: int) -> "Rig":
        """With what it uses for nothing."""
        redis, worker = self.store.cpu_seconds(), self.worker.cpu_seconds()
        time.sleep(seconds)
        return dataclasses.replace(
            self, idle_redis=(self.store.cpu_seconds() - redis) / seconds,
            idle_worker=(self.worker.cpu_seconds() - worker) / seconds)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one call, in one turn or in the median of several. Microseconds are of CPU, without what is used for nothing."""

    calls_per_second: float
    worker_us: float
    redis_us: float

    # Calls that Redis read at once.
    per_read: float
    bytes_in: float
    bytes_out: float

    @property
    def both_us(self) -> float:
        return self.worker_us + self.redis_us

    @staticmethod
    def median(turns: list["Cost"]) -> "Cost":
        return Cost(*(statistics.median(column) for column in zip(*map(dataclasses.astuple, turns))))


def _turn(rig: Rig, users: Users, count: int, load: str, seconds: int) -> Cost:
    url = f"http://127.0.0.1:{rig.port}/authorize"
    target = Target(rig.label, rig.worker, rig.store, url, users.file(count), Load(
        _CONNECTIONS, "uniform", _LOADS.get(load, 0)))

    def counters() -> list[float]:
        totals = [rig.store.total("stats", fact) for fact in (
            "total_reads_processed", "total_net_input_bytes", "total_net_output_bytes")]
        return [time.monotonic(), rig.store.cpu_seconds(), rig.worker.cpu_seconds(), rig.store.script_calls(), *totals]

    before = counters()
    measure = drive(target, seconds)
    elapsed, redis, worker, calls, reads, bytes_in, bytes_out = (
        after - earlier for after, earlier in zip(counters(), before))
    return Cost(
        measure.requests_per_second, 1e6 * (worker - rig.idle_worker * elapsed) / calls,
        1e6 * (redis - rig.idle_redis * elapsed) / calls, calls / reads, bytes_in / calls, bytes_out / calls)


def _take_turns(rigs: list[Rig], users: Users, counts: list[int], load: str, options: Options) -> list[list[Cost]]:
    """The turns of each, A, B, C, A, B, C, …, after one of each that does not count."""
    pairs = list(zip(rigs, counts))
    for rig, count in pairs:
        _turn(rig, users, count, load, 1)
    rounds = [[_turn(rig, users, count, load, options.seconds) for rig, count in pairs] for _ in range(options.turns)]
    return [list(column) for column in zip(*rounds)]


def _ratio(turns: list[Cost], base: list[Cost], of: Callable[[Cost], float]) -> float:
    return statistics.median(of(mine) / of(other) for mine, other in zip(turns, base))


_HEAD = ("users", "load", "", "calls/s", "worker µs", "Redis µs", "calls a read", "× worker", "× Redis", "× both")
_RATIOS: list[Callable[[Cost], float]] = [lambda c: c.worker_us, lambda c: c.redis_us, lambda c: c.both_us]


def _row(count: int, load: str, rig: Rig, turns: list[Cost], base: list[Cost]) -> tuple[str, ...]:
    cost = Cost.median(turns)
    ratios = ["" if turns is base else f"{_ratio(turns, base, of):.2f}" for of in _RATIOS]
    return (f"{count:,}", load, rig.label, f"{cost.calls_per_second:,.0f}", f"{cost.worker_us:.1f}",
            f"{cost.redis_us:.1f}", f"{cost.per_read:.1f}", *ratios)


def _users(lab: Lab, options: Options, _: Results) -> Iterator[str]:
    """One Redis for each number of users, in turn."""
    users, rows = Users(lab), []
    with contextlib.ExitStack() as stack:
        stores = [lab.start_store(stack, f"Redis with {count:,}", 1) for count in options.users]
        rigs = [Rig("one Redis", store, *lab.start_tollgate(stack, store)).at_rest(3) for store in stores]
        for count, rig in zip(options.users, rigs):
            users.come(count, rig.store, rig.port)
        for load in _LOADS:
            columns = _take_turns(rigs, users, options.users, load, options)
            rows += [_row(count, load, rig, turns, columns[0])
                     for count, rig, turns in zip(options.users, rigs, columns)]
    yield table(_HEAD, rows, text_columns=3)


def _shards(lab: Lab, options: Options, _: Results) -> Iterator[str]:
    """One Redis, and clusters of three and of six, in turn."""
    users, count = Users(lab), options.middle
    rows: list[tuple[str, ...]] = []
    with contextlib.ExitStack() as stack:
        stores = [lab.start_store(stack, label, shards) for label, shards in (
            ("one Redis", 1), ("cluster of 3", 3), ("cluster of 6", 6))]
        alone, rigs = ([Rig(store.label, store, *lab.start_tollgate(stack, store, threads)).at_rest(3)
                        for store in stores] for threads in (_MANY_THREADS, None))
        yield "CPU without any call, % of a core (left out below): " + ", ".join(
            f"{rig.label} {rig.idle_redis:.1%}, its worker {rig.idle_worker:.1%}" for rig in rigs)
        for rig in rigs:
            users.come(count, rig.store, rig.port)
        for load in [*_LOADS, _ALONE]:
            loaded = alone if load == _ALONE else rigs
            columns = _take_turns(loaded, users, [count] * len(loaded), load, options)
            rows += [_row(count, load, rig, turns, columns[0]) for rig, turns in zip(loaded, columns)]
        yield table(_HEAD, rows, text_columns=3)
        for rig in rigs[1:]:
            yield _spread(count, rig.store)


def _spread(count: int, store: Store) -> str:
    """Of their keys, which all users have equally many of."""
    keys = store.keys_by_server()
    mean = statistics.mean(keys)
    least, most = min(keys) / mean - 1, max(keys) / mean - 1
    return (f"Keys of {count:,} users on each server of a {store.label}: {least:+.1%} to {most:+.1%} of the mean "
            f"({', '.join(f'{each:,}' for each in keys)}).")


def _redis(lab: Lab, options: Options, _: Results) -> Iterator[str]:
    """What else the cost of one Redis depends on."""
    users = Users(lab)
    count = options.middle
    with contextlib.ExitStack() as stack:
        plain = lab.start_store(stack, "one Redis", 1)
        durable = lab.start_store(
            stack, "with a log and a replica", 1, "--appendonly", "yes", "--appendfsync", "everysec",
            "--auto-aof-rewrite-percentage", "0")
        lab.start_store(stack, "replica", 1, "--replicaof", "127.0.0.1", str(durable.ports[0]))
        rigs = [Rig(label, store, *lab.start_tollgate(stack, store, threads)) for label, store, threads in (
            (plain.label, plain, None), (durable.label, durable, None),
            (f"from {_MANY_THREADS} threads", plain, _MANY_THREADS))]
        rigs = [rig.at_rest(3) for rig in rigs]
        for rig in rigs[:2]:
            users.come(count, rig.store, rig.port)
        rows: list[tuple[str, ...]] = []
        calls = durable.script_calls()
        log = durable.total("persistence", "aof_current_size")
        stream = durable.total("replication", "master_repl_offset")
        for load in _LOADS:
            columns = _take_turns(rigs, users, [count] * len(rigs), load, options)
            rows += [_row(count, load, rig, turns, columns[0]) for rig, turns in zip(rigs, columns)]
        calls = durable.script_calls() - calls
        log = durable.total("persistence", "aof_current_size") - log
        stream = durable.total("replication", "master_repl_offset") - stream
        cost = Cost.median(columns[0])
    yield table(_HEAD, rows, text_columns=3)
    yield (f"Bytes a call: {cost.bytes_in:.0f} to Redis, {cost.bytes_out:.0f} from it, {log / calls:.0f} to the log, "
           f"{stream / calls:.0f} to each replica.")


CAPACITY_CASES: dict[str, tuple[str, Case]] = {
    "capacity-users": ("cost of a call by the number of users (--users)", _users),
    "capacity-shards": ("cost of a call with one Redis and with clusters (--users)", _shards),
    "capacity-redis": ("cost of a call by durability and connections (--users)", _redis),
    "capacity-memory": ("memory of Redis for each user (--users)", memory_of_users),
}

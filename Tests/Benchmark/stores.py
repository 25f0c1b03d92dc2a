"""What Tollgate counts in: one Redis, or a cluster of primaries on ports of this machine."""
import binascii
import dataclasses
import re
import time
from collections.abc import Iterable

from programs import Program
from redis import Command, Redis, RedisError

_SLOTS = 16_384
_FORMING_TIMEOUT = 30.0
_SCRIPTS = {f"cmdstat_{name}" for name in ("eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro")}


def slot(key: str) -> int:
    """By the hash tag, which each key of a user has."""
    tag = re.search(r"{([^}]+)}", key)
    return binascii.crc_hqx((tag[1] if tag else key).encode(), 0) % _SLOTS


@dataclasses.dataclass(frozen=True)
class Store:
    """Running servers. All of them are primaries; the slots are dealt out evenly, in their order."""

    label: str
    ports: list[int]
    programs: list[Program]
    is_cluster: bool

    def url(self) -> str:
        places = [f"127.0.0.1:{port}" for port in self.ports]
        return f"redis-cluster://{','.join(places[:2])}" if self.is_cluster else f"redis://{places[0]}"

    def cpu_seconds(self) -> float:
        return sum(program.cpu_seconds() for program in self.programs)

    def send(self, commands: Iterable[Command]) -> None:
        """Each to the server that keeps the slot of its first key."""
        shares: list[list[Command]] = [[] for _ in self.ports]
        for command in commands:
            shares[slot(command[1]) * len(self.ports) // _SLOTS].append(command)
        for port, share in zip(self.ports, shares):
            with Redis(port) as redis:
                for start in range(0, len(share), 1000):
                    redis.pipeline(share[start:start + 1000])

    def facts(self, section: str) -> list[dict[str, str]]:
        """What each server tells of itself."""
        return [_facts(port, "INFO", section) for port in self.ports]

    def total(self, section: str, fact: str) -> int:
        return sum(int(facts[fact]) for facts in self.facts(section))

    def count_keys(self) -> int:
        return sum(self.keys_by_server())

    def keys_by_server(self) -> list[int]:
        counts: list[int] = []
        for port in self.ports:
            with Redis(port) as redis:
                counts += map(int, redis.pipeline([("DBSIZE",)]))
        return counts

    def script_calls(self) -> int:
        """Commands of clients that ran a script or a function."""
        counts = [re.match(r"calls=(\d+)", value) for facts in self.facts("commandstats")
                  for name, value in facts.items() if name in _SCRIPTS]
        return sum(int(count[1]) for count in counts if count)

    def commands(self) -> tuple[int, int]:
        """So far: those that clients sent, and those that scripts called. Redis counts both in one. Where scripts run,
        the few that a client sends beside them, such as a worker's report of each second, count as called by them."""
        total, scripts = self.total("stats", "total_commands_processed"), self.script_calls()
        return (scripts, total - scripts) if scripts else (total, 0)

    def form_cluster(self) -> None:
        """Deals out the slots and introduces the servers to each other, and waits until each knows all."""
        count = len(self.ports)
        for place, port in enumerate(self.ports):
            slots = [str(number) for number in range(_SLOTS) if number * count // _SLOTS == place]
            with Redis(port) as redis:
                redis.pipeline([("CLUSTER", "SET-CONFIG-EPOCH", str(place + 1)), ("CLUSTER", "ADDSLOTS", *slots)])
        with Redis(self.ports[0]) as redis:
            redis.pipeline([
                ("CLUSTER", "MEET", "127.0.0.1", str(port), str(bus_port(port))) for port in self.ports[1:]])
        deadline = time.monotonic() + _FORMING_TIMEOUT
        while not all(_is_whole(_facts(port, "CLUSTER", "INFO"), count) for port in self.ports):
            if time.monotonic() > deadline:
                raise RedisError(f"the cluster at {self.ports} does not form")
            time.sleep(0.1)


def bus_port(port: int) -> int:
    """Where the servers of a cluster talk to each other."""
    return port + 1


def _facts(port: int, *command: str) -> dict[str, str]:
    with Redis(port) as redis:
        [text] = redis.pipeline([command])
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _is_whole(facts: dict[str, str], count: int) -> bool:
    return (facts["cluster_state"], facts["cluster_known_nodes"], facts["cluster_slots_ok"]) == (
        "ok", str(count), str(_SLOTS))

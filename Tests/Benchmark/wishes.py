"""What is wanted of Tollgate, all of it, and whether it holds."""
import dataclasses
import math
from collections.abc import Callable

from cases import FREE, Results
from lab import BEFORE, NGINX_LUA, TOLLGATE, TRAEFIK
from load import Measure, median_ratio

# Two builds that are equal differ by as much from run to run.
_EQUAL = 1.05

Figure = Callable[[Measure], float]


def _speed(measure: Measure) -> float:
    return measure.requests_per_second


def _gateway(measure: Measure) -> float:
    return measure.gateway_us


def _both(measure: Measure) -> float:
    return measure.both_us


@dataclasses.dataclass(frozen=True)
class Wish:
    where: str
    # Behind "≥ 0.9 " or "≤ 0.9 ".
    what: str
    find: Callable[[Results], float]
    least: float = -math.inf
    most: float = math.inf

    def verdict(self, results: Results) -> str | None:
        """None when its case was not run."""
        wanted = f"≤ {self.most:g} {self.what}" if self.most < math.inf else f"≥ {self.least:g} {self.what}"
        try:
            measured = self.find(results)
        except KeyError as missing:
            has_run = self.where in results.tables
            return f"{self.where}: wanted {wanted}: not measured, without {missing.args[0]}" if has_run else None
        holds = self.least <= measured <= self.most
        unit = self.what.split()[0]
        return f"{self.where}: wanted {wanted}: measured {measured:.3g} {unit}: {'holds' if holds else 'DOES NOT HOLD'}"


def _beside(
    where: str, of: Figure, what: str, other: str, ours: str = TOLLGATE, *, least: float = -math.inf,
    most: float = math.inf
) -> Wish:
    """The ratio of our figure to another's, turn by turn."""
    return Wish(where, f"× {what} of {other}", lambda results: median_ratio(
        results.tables[where][ours], results.tables[where][other], of), least, most)


def _fact(name: str, where: str, what: str, most: float) -> Wish:
    return Wish(where, what, lambda results: results.facts[name], most=most)


_HOT, _WARM, _ZIPF = "hot-user, 256 connections", "hot-user, 64 connections", "zipf, 256 connections"
_UNIFORM, _MILLION = "uniform, 100,000 users, 256 connections", "uniform, 1,000,000 users, 256 connections"
_PROXIED, _PROXIED_HOT = "proxied, 1,000 users, 256 connections", "proxied, one user, 256 connections"
_ALONE, _CLOSING = "one connection, one request at a time", "closing connections, 1,000 users"
_ACTIVE = "active connections, 1,000 users"
_RATE, _COST, _COST_OF_GATEWAY = "the requests/s", "the CPU, gateway and Redis,", "the CPU, gateway alone,"

WISHES = [
    _beside(_HOT, _speed, _RATE, FREE, least=0.9),
    _beside(_HOT, _speed, _RATE, NGINX_LUA, least=1.8),
    _beside(_HOT, _both, _COST, NGINX_LUA, most=0.55),
    Wish(_HOT, "commands from clients to Redis per request",
         lambda results: Measure.median(results.tables[_HOT][TOLLGATE]).commands, most=0.1),
    _beside(_HOT, lambda m: m.p99_ms, "the p99", BEFORE, most=_EQUAL),
    _beside(_WARM, _speed, _RATE, NGINX_LUA, least=1.4),
    _beside(_WARM, _both, _COST, NGINX_LUA, most=0.65),
    _beside(_ZIPF, _speed, _RATE, NGINX_LUA, least=1.35),
    _beside(_ZIPF, _both, _COST, NGINX_LUA, most=0.65),
    _beside(_UNIFORM, _speed, _RATE, NGINX_LUA, least=1.1),
    _beside(_UNIFORM, _gateway, _COST_OF_GATEWAY, f"{TOLLGATE}, 1,000 users", most=1.25),
    _beside(_PROXIED, _speed, _RATE, NGINX_LUA, least=1.0),
    _beside(_PROXIED, _speed, _RATE, TRAEFIK, least=2.5),
    _beside(_PROXIED_HOT, _speed, _RATE, NGINX_LUA, least=1.2),
    _beside(_ALONE, lambda m: m.p50_ms, "the p50", BEFORE, most=_EQUAL),
    _beside(_MILLION, _gateway, _COST_OF_GATEWAY, f"{TOLLGATE}, 1,000 users", most=1.25),
    _beside(_CLOSING, _gateway, _COST_OF_GATEWAY, f"{TOLLGATE}, 0 idle beside", f"{TOLLGATE}, 9,000 idle beside",
            most=1.3),
    _beside(_ACTIVE, _gateway, _COST_OF_GATEWAY, f"{TOLLGATE}, 64 connections", f"{TOLLGATE}, 4,000 connections",
            most=2.0),
    _fact("idle, data plane", "10,000 idle connections of the data plane", "MB", 150),
    _fact("idle, control plane", "10,000 idle connections of the control plane", "MB", 150),
    _fact("longest, /authorize", "Redis blocked by one call of /authorize", "ms", 2),
    _fact("longest, /account", "Redis blocked by one call of /account", "ms", 2),
]


def verdicts(results: Results) -> list[str]:
    """In the order of the list. What belongs to cases that were not run is only counted."""
    found = [wish.verdict(results) for wish in WISHES]
    told = [verdict for verdict in found if verdict]
    missing = len(found) - len(told)
    return told + ([f"not told: {missing} of cases that were not run, or failed"] if missing else [])

"""How many bytes of Redis' memory a user takes, and each thing that is known of them."""
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

from cases import Options, Results
from credentials import UserKey, user_name
from lab import Lab
from redis import Command, Redis
from stores import Store
from table import table
from users import call_once, minute_counters

_TEN_DAYS = 10 * 86_400

# Bytes by which it changes with nothing going on.
_STILL = 4096


def memory_of_users(lab: Lab, options: Options, _: Results) -> Iterator[str]:
    """A Redis of its own for each number of users, and a cluster for the middle one."""
    stores = [("one Redis", 1, count) for count in options.users]
    stores.append(("cluster of 3", 3, options.middle))
    columns = []
    for label, shards, count in stores:
        with contextlib.ExitStack() as stack:
            store = lab.start_store(stack, label, shards)
            # What Redis keeps for each command that is used, such as its latencies, is there before it is measured.
            _bytes(lab, store, [UserKey.make(f"user_before_all_{number}") for number in range(20 * shards)])
            columns.append(_bytes(lab, store, [UserKey.make(user_name(number)) for number in range(count)]))
    rows = [(what, *(f"{column[what]:.0f}" for column in columns)) for what in columns[0]]
    yield table(("bytes for each user", *(f"{label}, {count:,}" for label, _, count in stores)), rows)


def _bytes(lab: Lab, store: Store, users: list[UserKey]) -> dict[str, float]:
    """By what they are for, in the order in which it comes."""
    def growth(change: Callable[[], object]) -> float:
        before = _used(store)
        change()
        return (_used(store) - before) / len(users)

    def call(path: str, fields: str = "") -> None:
        """By a worker that is gone afterwards."""
        with contextlib.ExitStack() as briefly:
            call_once(lab.start_tollgate(briefly, store)[1], users, path, fields)

    began = time.time()
    first_key = growth(lambda: store.send(itertools.chain.from_iterable(key.record() for key in users)))
    calls = growth(lambda: call("/authorize"))
    keys = store.count_keys()
    minutes = -growth(lambda: store.send(minute_counters(users, began, time.time())))
    # Some may have run out before.
    minute = minutes * len(users) / max(1, keys - store.count_keys())
    days = growth(lambda: store.send(_other_days(users)))
    subscription = growth(lambda: store.send(_subscriptions(users)))
    next_key = growth(lambda: store.send(itertools.chain.from_iterable(
        UserKey.make(key.user).record() for key in users)))
    began = time.time()
    idempotent = growth(lambda: (
        call("/", "Idempotency-Key: 0b9c0b56-8d1c-4b4e-9d0e-6c1c1f5a7c11\r\n"),
        store.send(minute_counters(users, began, time.time()))))
    return {
        "usage, and when the key was used": calls - minutes - days,
        "each ten days with calls on one day": days, "the count of a minute, 120 s": minute, "an API key": first_key, "each further API key": next_key, "a subscription": subscription,
        "each call with an Idempotency-Key, 24 h": idempotent,
    }


def _other_days(users: list[UserKey]) -> Iterator[Command]:
    """What today's calls have left, once more under the name of the ten days before."""
    today, before = (time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago))[:-1] for ago in (0, _TEN_DAYS))
    for key in users:
        yield "COPY", f"usage:{{{key.user}}}:{today}", f"usage:{{{key.user}}}:{before}"


def _subscriptions(users: list[UserKey]) -> Iterator[Command]:
    """As apply_subscription.lua and end_clerk_update.lua leave them."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for number, key in enumerate(users):
        fields = {
            "plan": "pro", "status": "active", "customer": f"cus_{number:014d}", "subscription": f"sub_{number:024d}",
            "startedAt": moment, "periodStart": moment, "periodEnd": moment, "eventTime": moment,
            "eventId": f"evt_{number:024d}", "writtenAt": moment, "clerkUpdatedAt": moment,
        }
        yield "HSET", f"subscription:{{{key.user}}}", *itertools.chain(*fields.items())
        yield "SET", f"customer:{{cus_{number:014d}}}:userId", key.user


def _used(store: Store) -> int:
    """Without what is not about users, and when nothing is being rearranged any more."""
    store.send([("DEL", "workers"), ("DEL", f"topusers:{{{time.strftime('%Y-%m-%d', time.gmtime())}}}")])
    for port in store.ports:
        with Redis(port) as redis:
            redis.pipeline([("SCRIPT", "FLUSH", "SYNC")])
    last = 0
    while abs((used := store.total("memory", "used_memory")) - last) > _STILL:
        last = used
        time.sleep(1)
    return used

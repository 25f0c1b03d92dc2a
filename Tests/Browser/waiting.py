"""Waiting for a condition, with a limit."""
import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")
_INTERVAL = 0.05


class NotInTime(AssertionError):
    """What was waited for did not come."""


def eventually(what: str, find: Callable[[], _Value], timeout: float = 15) -> _Value:
    """The first result that is true, where an assertion that fails counts as none yet."""
    deadline = time.monotonic() + timeout
    while True:
        problem = ""
        try:
            if result := find():
                return result
        except AssertionError as error:
            problem = f": {error}"
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {timeout:g} s: {what}{problem}")
        time.sleep(_INTERVAL)

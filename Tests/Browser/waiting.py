"""Waiting for a condition, with a limit."""
import time
from collections.abc import Callable
from typing import TypeVar

from selenium.common.exceptions import (NoSuchElementException, StaleElementReferenceException,
                                        WebDriverException)

_Value = TypeVar("_Value")
_INTERVAL = 0.05


class NotInTime(AssertionError):
    """What was waited for did not come."""


# What chromedriver says of an element or a script whose page has just made way for another, where it does not find the
# word that the protocol has for it.
_OF_A_PAGE_THAT_IS_GONE = ("does not belong to the document", "No node with given id found",
                           "Cannot find context with specified id", "Execution context was destroyed",
                           "Could not find node with given id", "Inspected target navigated or closed",
                           "aborted by navigation", "uniqueContextId not found")


def is_of_a_page_that_is_gone(error: WebDriverException) -> bool:
    """Whether what was asked for was replaced while it was looked at."""
    if isinstance(error, (StaleElementReferenceException, NoSuchElementException)):
        return True
    return any(words in (error.msg or "") for words in _OF_A_PAGE_THAT_IS_GONE)


def eventually(what: str, find: Callable[[], _Value], timeout: float = 30) -> _Value:
    """The first result that is true, where an assertion that fails counts as none yet, and so does an element of a
    page that has just gone.
    """
    deadline = time.monotonic() + timeout
    while True:
        problem = ""
        try:
            if result := find():
                return result
        except AssertionError as error:
            problem = f": {error}"
        except WebDriverException as error:
            if not is_of_a_page_that_is_gone(error):
                raise
            problem = f": {error.msg}"
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {timeout:g} s: {what}{problem}")
        time.sleep(_INTERVAL)

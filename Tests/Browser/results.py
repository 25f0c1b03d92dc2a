"""A line for each test as it ends, and what went wrong after the last."""
import time
import unittest
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_Problem = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Results(unittest.TestResult):
    """Keeps a picture of each page on which a test fails."""

    def __init__(self, stream: TextIO, photograph: Callable[[str], None]) -> None:
        super().__init__()
        self._stream = stream
        self._photograph = photograph
        self._started = 0.0
        self._failed = False

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._started = time.monotonic()
        self._failed = False

    def stopTest(self, test: unittest.TestCase) -> None:
        word = "FAILED" if self._failed else "ok"
        # At one go: other jobs write as well.
        self._stream.write(f"{word:6} {test.id()}  {time.monotonic() - self._started:.1f} s\n")
        self._stream.flush()
        super().stopTest(test)

    def addError(self, test: unittest.TestCase, err: _Problem) -> None:
        super().addError(test, err)
        self._note_failure(test)

    def addFailure(self, test: unittest.TestCase, err: _Problem) -> None:
        super().addFailure(test, err)
        self._note_failure(test)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: _Problem | None) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note_failure(test)

    def _note_failure(self, test: unittest.TestCase) -> None:
        if not self._failed:
            try:
                self._photograph(f"failed-{test.id()}")
            except Exception as error:
                # The browser may be what has failed.
                print(f"no picture of {test.id()}: {error}", file=self._stream)
        self._failed = True


def tell(all_results: list[Results], stream: TextIO) -> None:
    """What went wrong, and how many tests there were."""
    problems = [problem for each in all_results for problem in [*each.errors, *each.failures]]
    for test, text in problems:
        print(f"\n{test}\n{text}", file=stream)
    count = sum(each.testsRun for each in all_results)
    print(f"\n{count} tests, {len(problems)} failures", file=stream, flush=True)

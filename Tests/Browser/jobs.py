"""Some stages at a time, each with a `tollgate dev` and a browser of its own, on which classes of tests run."""
import itertools
import queue
import sys
import threading
import unittest
from collections.abc import Iterable
from pathlib import Path

from case import BrowserTest
from results import Results
from stage import running_stage
from tools import Tools


class Jobs:
    """A class of tests is run by one job, one test after the other: what its tests share is started once."""

    def __init__(self, tests: Iterable[unittest.TestCase], tools: Tools, shots: Path) -> None:
        self._tools = tools
        self._shots = shots
        self._classes: queue.SimpleQueue[unittest.TestSuite] = queue.SimpleQueue()
        for _, each in itertools.groupby(tests, type):
            self._classes.put(unittest.TestSuite(each))
        self._results: list[Results] = []
        self._errors: list[Exception] = []
        self._is_over = threading.Event()

    def run(self, count: int) -> list[Results]:
        """Returns when all tests have run. An interrupt lets those end that are running.

        Raises what kept a stage from being started.
        """
        threads = [threading.Thread(target=self._work) for _ in range(min(count, self._classes.qsize()))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self._end()
            for thread in threads:
                thread.join()
            raise
        if self._errors:
            raise self._errors[0]
        return self._results

    def _end(self) -> None:
        self._is_over.set()
        for results in self._results:
            results.stop()

    def _work(self) -> None:
        try:
            with running_stage(self._tools, self._shots) as stage:
                BrowserTest.enter(stage)
                results = Results(sys.stdout, stage.photograph)
                self._results.append(results)
                while not self._is_over.is_set():
                    self._classes.get_nowait().run(results)
        except queue.Empty:
            return
        except Exception as error:
            self._errors.append(error)
            self._end()

"""Tests the customers' dashboard and the operators' overview in a real Chromium, against a running `tollgate dev`.

Pictures of every state are kept, so that a person can look at them.
"""
import argparse
import signal
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

sys.dont_write_bytecode = True

from tools import ROOT, ToolError, default_tollgate, find_tools

_HERE = Path(__file__).resolve().parent


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="Tests/Browser/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="tests whose name has this; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the tests and end")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="browsers at a time, default: %(default)s")
    parser.add_argument("--shots", type=Path, default=ROOT / ".build/browser-shots", help="default: %(default)s")
    parser.add_argument("--tollgate", type=Path, default=default_tollgate(), help="default: %(default)s")
    return parser.parse_args()


def _tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from _tests(part)
        else:
            yield part


def _chosen(names: list[str] | None) -> list[unittest.TestCase]:
    loader = unittest.TestLoader()
    found = loader.discover(str(_HERE), pattern="test_*.py", top_level_dir=str(_HERE))
    if loader.errors:
        raise ToolError("\n".join(map(str, loader.errors)))
    tests = [test for test in _tests(found) if not names or any(name in test.id() for name in names)]
    if not tests:
        raise ToolError(f"No test has a name with {' or '.join(names or [])}. --list tells the names.")
    return tests


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _run(arguments: argparse.Namespace) -> int:
    tools = find_tools(arguments.tollgate)
    # Only now: what they import may have been what is missing.
    from jobs import Jobs
    from process import ProcessError
    from results import tell

    tests = _chosen(arguments.only)
    if arguments.list:
        print("\n".join(test.id() for test in tests))
        return 0
    for picture in arguments.shots.glob("failed-*.png"):
        picture.unlink()
    try:
        results = Jobs(tests, tools, arguments.shots.resolve()).run(max(arguments.jobs, 1))
    except ProcessError as error:
        print(error, file=sys.stderr)
        return 2
    tell(results, sys.stdout)
    print(f"pictures: {arguments.shots}")
    return 0 if all(each.wasSuccessful() for each in results) else 1


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return _run(_arguments())
    except ToolError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

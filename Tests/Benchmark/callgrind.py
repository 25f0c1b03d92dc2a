"""A program under valgrind's callgrind: the instructions that it executes while somebody asks, and where."""
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from programs import Program

# Slower than life by a factor of 50, so that what waits for a program has to be patient.
_PATIENCE = 120
_TOTAL = "PROGRAM TOTALS"
_COST = re.compile(r"^\s*([\d,]+) \([ \d.]+%\)\s+(\S.*)$")


class Function(NamedTuple):
    name: str
    instructions: int


class Profile(NamedTuple):
    """What was executed between two moments. Instructions of the program; the kernel's are none."""

    instructions: int

    # Most expensive first: without and with what they call.
    own: list[Function]
    inclusive: list[Function]


class Callgrind:
    """The command that programs run under, and what it writes to a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory.resolve()
        self._preloaded = self._directory / "sigsuspend.so"
        source = Path(__file__).with_name("sigsuspend.c")
        _run("clang", "-shared", "-fPIC", "-O1", str(source), "-o", str(self._preloaded))

    def command(self) -> list[str]:
        # Dictionaries of every run are then laid out alike.
        environment = [f"LD_PRELOAD={self._preloaded}", "SWIFT_DETERMINISTIC_HASHING=1"]
        return ["env", *environment, "valgrind", "--tool=callgrind", "--quiet", "--instr-atstart=no", "--demangle=no",
                f"--callgrind-out-file={self._directory}/callgrind.out.%p"]

    def readable(self, program: Path) -> Path:
        """A copy without debug information: of ours valgrind cannot read all, and gives up."""
        copy = self._directory / program.name
        _run("objcopy", "--strip-debug", str(program), str(copy))
        return copy

    def begin(self, program: Program) -> None:
        self._control(program, "--zero")
        self._control(program, "--instr=on")

    def end(self, program: Program, label: str) -> Profile:
        self._control(program, "--instr=off")
        known = set(self._directory.iterdir())
        self._control(program, f"--dump={label}")
        [dump] = set(self._directory.iterdir()) - known
        return _profile(dump)

    @staticmethod
    def _control(program: Program, order: str) -> None:
        _run("callgrind_control", order, str(program.pid))
        program.check_alive()


def _profile(dump: Path) -> Profile:
    own, inclusive = _functions(dump), _functions(dump, "--inclusive=yes")
    if not own or own[0].name != _TOTAL:
        raise OSError(f"{dump} holds no profile")
    return Profile(own[0].instructions, own[1:], inclusive[1:])


def _functions(dump: Path, *options: str) -> list[Function]:
    """Those that callgrind_annotate lists, with names as they stand in the source."""
    listing = _run("callgrind_annotate", "--auto=no", "--threshold=99.5", *options, str(dump))
    found = [match for line in listing.splitlines() if (match := _COST.match(line))]
    names = _demangled("\n".join(_name(match[2]) for match in found)).split("\n")
    return [Function(name, int(match[1].replace(",", ""))) for name, match in zip(names, found)]


def _name(place: str) -> str:
    """`file:function [object]`. Functions that call themselves carry a number behind a tick."""
    return re.sub(r" \[[^\]]*\]$", "", place).partition(":")[2] or place


def _demangled(names: str) -> str:
    return _run("c++filt", "--no-params", text=_run("swift", "demangle", "--simplified", text=names)).rstrip("\n")


def _run(*command: str, text: str = "") -> str:
    run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_PATIENCE)
    if run.returncode != 0:
        raise OSError(f"{command[0]} failed: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout

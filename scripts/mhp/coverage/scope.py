# SPDX-License-Identifier: GPL-2.0
"""The files of coverage/: what is in scope, what is excluded and why, the thresholds, and the runs."""

import fnmatch
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from mhp import matrix
from mhp.arch import Arch
from mhp.coverage.functions import Function, functions
from mhp.exits import Exit, MhpError

LOOP, QUICK, FULL = "loop", matrix.QUICK, matrix.FULL
# Each contains those before it.
SETS = (LOOP, QUICK, FULL)

SERIES, LINES, BRANCHES = "series", "lines", "branches"


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that say something."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as err:
        raise MhpError(Exit.USAGE, f"{path}: {err.strerror}") from err
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


@dataclass(frozen=True)
class Scope:
    """Files of the kernel, each with patterns for the names of its functions; "!" before one takes it out."""

    files: dict[str, tuple[str, ...]]

    def holds(self, file: str, function: str) -> bool:
        """Whether a function is in scope."""
        inside = False
        for pattern in self.files.get(file, ()):
            if fnmatch.fnmatchcase(function, pattern.removeprefix("!")):
                inside = not pattern.startswith("!")
        return inside

    def on(self, sources: Collection[str]) -> "Scope":
        """Without the files of other architectures. sources: directories below arch/."""
        return Scope({name: patterns for name, patterns in self.files.items()
                      if not name.startswith("arch/") or name.split("/")[1] in sources})

    def functions(self, file: str, text: str) -> list[Function]:
        """The functions of a file that are in scope."""
        return [one for one in functions(text) if self.holds(file, one.name)]


def read_scope(path: Path) -> Scope:
    """Lines of `FILE PATTERN...`. Raises MhpError(USAGE) for one that is not understood."""
    files: dict[str, tuple[str, ...]] = {}
    for number, line in _rows(path):
        name, *patterns = line.split()
        if not patterns or not name.endswith((".c", ".h")) or name.startswith("/") or ".." in Path(name).parts:
            raise MhpError(Exit.USAGE, f"{path}:{number}: not `FILE PATTERN...`, with a source file of the kernel: {line}")
        files[name] = (*files.get(name, ()), *patterns)
    if not files:
        raise MhpError(Exit.USAGE, f"{path} names no file")
    return Scope(files)


@dataclass(frozen=True)
class Exclusion:
    """What does not count: lines, or only the branches, of FILE:FUNCTION (a pattern) whose text holds `text`.

    without: the architecture in whose absence it holds, "" when it always does.
    """

    where: str
    what: str
    place: str
    text: re.Pattern[str]
    reason: str
    without: str = ""

    def fits(self, file: str, function: str, line: str) -> bool:
        """Whether a line of a function is meant."""
        return fnmatch.fnmatchcase(f"{file}:{function}", self.place) and bool(self.text.search(line))


def read_exclusions(path: Path) -> list[Exclusion]:
    """Lines of `lines|branches  FILE:FUNCTION  REGEX  REASON`, with two or more spaces in between."""
    found = []
    for number, line in _rows(path):
        fields = re.split(r"\s{2,}|\t+", line, maxsplit=3)
        what = re.fullmatch(rf"({LINES}|{BRANCHES})(?: without (\w+))?", fields[0])
        if len(fields) != 4 or what is None or ":" not in fields[1]:
            raise MhpError(Exit.USAGE, f"{path}:{number}: not `lines|branches  FILE:FUNCTION  REGEX  REASON` with two "
                           f"spaces between: {line}")
        try:
            text = re.compile(fields[2])
        except re.error as err:
            raise MhpError(Exit.USAGE, f"{path}:{number}: {fields[2]}: {err}") from err
        found.append(Exclusion(f"{path.name}:{number}", what[1], fields[1], text, fields[3], what[2] or ""))
    return found


@dataclass(frozen=True)
class Threshold:
    """At least `least` percent; `goal` is where it should come to."""

    least: float
    goal: float


def read_thresholds(path: Path) -> dict[str, Threshold]:
    """Lines of `series|lines|branches LEAST GOAL`, in percent; all three are needed."""
    found = {}
    for number, line in _rows(path):
        try:
            name, least, goal = line.split()
            found[name] = Threshold(float(least), float(goal))
            if name not in (SERIES, LINES, BRANCHES) or not 0 <= found[name].least <= found[name].goal <= 100:
                raise ValueError
        except ValueError as err:
            raise MhpError(Exit.USAGE, f"{path}:{number}: not `series|lines|branches LEAST GOAL` in percent: {line}"
                           ) from err
    if missing := {SERIES, LINES, BRANCHES} - set(found):
        raise MhpError(Exit.USAGE, f"{path}: nothing about {', '.join(sorted(missing))}")
    return found


@dataclass(frozen=True)
class Run:
    """A run of the suites that is counted: one with kernel parameters, or a boot of scripts/matrix.

    which: the smallest of SETS that it is in; `make test` makes those of "quick".
    """

    which: str
    target: str
    boot: str
    kernel_args: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        return self.boot or " ".join([self.target, *self.kernel_args])

    @property
    def words(self) -> list[str]:
        """What scripts/kunit.py is told."""
        return [f"--boot={self.boot}"] if self.boot else [
            f"--arch={self.target}", *(f"--kernel_args={arg}" for arg in self.kernel_args)]


def read_runs(path: Path) -> list[Run]:
    """Lines of `loop|quick|full ARCH [KERNEL_ARG]...` and `loop|quick|full boot NAME`."""
    found = []
    for number, line in _rows(path):
        words = shlex.split(line)
        which, kind, args = words[0], "".join(words[1:2]), words[2:]
        boot = args[0] if kind == "boot" and len(args) == 1 else ""
        if which not in SETS or (kind == "boot") != bool(boot) or not (boot or kind == "um" or Arch(kind).known):
            raise MhpError(Exit.USAGE, f"{path}:{number}: neither `loop|quick|full ARCH [KERNEL_ARG]...` nor "
                           f"`loop|quick|full boot NAME`: {line}")
        target = matrix.find(boot).arch if boot else kind
        found.append(Run(which, target, boot, () if boot else tuple(args)))
    if not found:
        raise MhpError(Exit.USAGE, f"{path} names no run")
    return found

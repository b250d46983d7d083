# SPDX-License-Identifier: GPL-2.0
"""The files of coverage/: what is in scope, what is excluded and why, the thresholds, and the runs."""

import fnmatch
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mhp.coverage.functions import Function, functions
from mhp.exits import Exit, MhpError

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
    """What does not count: lines, or only the branches, of FILE:FUNCTION (a pattern) whose text holds `text`."""

    where: str
    what: str
    place: str
    text: re.Pattern[str]
    reason: str

    def fits(self, file: str, function: str, line: str) -> bool:
        """Whether a line of a function is meant."""
        return fnmatch.fnmatchcase(f"{file}:{function}", self.place) and bool(self.text.search(line))


def read_exclusions(path: Path) -> list[Exclusion]:
    """Lines of `lines|branches  FILE:FUNCTION  REGEX  REASON`, with two or more spaces in between."""
    found = []
    for number, line in _rows(path):
        fields = re.split(r"\s{2,}|\t+", line, maxsplit=3)
        if len(fields) != 4 or fields[0] not in (LINES, BRANCHES) or ":" not in fields[1]:
            raise MhpError(Exit.USAGE, f"{path}:{number}: not `lines|branches  FILE:FUNCTION  REGEX  REASON` with two "
                           f"spaces between: {line}")
        try:
            text = re.compile(fields[2])
        except re.error as err:
            raise MhpError(Exit.USAGE, f"{path}:{number}: {fields[2]}: {err}") from err
        found.append(Exclusion(f"{path.name}:{number}", fields[0], fields[1], text, fields[3]))
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
    """A run of the suites that is counted: its target, the configs on top of gcov's, and kernel parameters."""

    target: str
    configs: tuple[str, ...]
    kernel_args: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people, and for files."""
        return "-".join([self.target, *self.configs])


def read_runs(path: Path) -> list[Run]:
    """Lines of `TARGET CONFIG[,CONFIG] [KERNEL_ARG]...`; a CONFIG "-" is none."""
    found = []
    for number, line in _rows(path):
        words = shlex.split(line)
        if len(words) < 2 or words[0] != "um":
            raise MhpError(Exit.USAGE, f"{path}:{number}: not `um CONFIG[,CONFIG]|- [KERNEL_ARG]...`: {line}")
        configs = () if words[1] == "-" else tuple(words[1].split(","))
        found.append(Run(words[0], configs, tuple(words[2:])))
    if not found:
        raise MhpError(Exit.USAGE, f"{path} names no run")
    return found

# SPDX-License-Identifier: GPL-2.0
"""Data, scope, exclusions and thresholds put together: what the reports show and what fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mhp.coverage import scope as scoping
from mhp.coverage.model import Data, Line, Lines, Sum, sum_branches, sum_lines
from mhp.coverage.patches import Own
from mhp.coverage.functions import Function, functions
from mhp.coverage.scope import Exclusion, Scope, Threshold


@dataclass
class File:
    """A file's part that is in scope: its lines, its functions that were compiled, and those that were not."""

    name: str
    lines: Lines = field(default_factory=dict)
    functions: dict[Function, bool] = field(default_factory=dict)
    uncompiled: list[str] = field(default_factory=list)

    @property
    def sums(self) -> tuple[Sum, Sum, Sum]:
        """Lines, branches, functions."""
        return (sum_lines(self.lines.values()), sum_branches(self.lines.values()),
                Sum(sum(self.functions.values()), len(self.functions)))


@dataclass(frozen=True)
class Judged:
    """What the reports show. unreached: file and line of the series' lines that never ran; stale: exclusions that
    fit nothing, or lines that do run; failures: why the thresholds are not met."""

    files: list[File]
    own: list[Own]
    data: Data
    unreached: list[tuple[str, int]]
    excluded: dict[Exclusion, int]
    stale: list[str]
    failures: list[str]
    below: list[str]

    @property
    def total(self) -> tuple[Sum, Sum, Sum]:
        """Lines, branches, functions of the scope."""
        sums = [file.sums for file in self.files]
        return tuple(sum((one[i] for one in sums), Sum()) for i in range(3))  # type: ignore[return-value]

    @property
    def reported(self) -> Data:
        """The lines of the scope and of the series."""
        found = {file.name: dict(file.lines) for file in self.files if file.lines}
        for own in self.own:
            for name, numbers in own.executable.items():
                found.setdefault(name, {}).update({number: self.data[name][number] for number in numbers})
        return found

    @property
    def series(self) -> Sum:
        """The executable lines of the series."""
        return sum_lines(self._own_lines)

    @property
    def series_branches(self) -> Sum:
        """Their branches."""
        return sum_branches(self._own_lines)

    @property
    def _own_lines(self) -> list[Line]:
        return [self.data[name][number] for own in self.own for name, numbers in own.executable.items()
                for number in numbers]


class _Excluding:
    """Takes out what is excluded, and remembers what each exclusion was good for."""

    def __init__(self, exclusions: Sequence[Exclusion]) -> None:
        self.used = {one: 0 for one in exclusions}
        self.reached: list[str] = []

    def apply(self, name: str, text: str, lines: Lines) -> Lines:
        """The lines of a file that are left."""
        written = text.splitlines()
        owner = {number: one.name for one in functions(text) for number in range(one.first, one.last + 1)}
        left: Lines = {}
        for number, line in lines.items():
            shown = written[number - 1] if number <= len(written) else ""
            fits = [one for one in self.used if one.fits(name, owner.get(number, ""), shown)]
            for one in fits:
                self.used[one] += 1
                if one.what == scoping.LINES and line.count:
                    self.reached.append(f"{one.where}: {name}:{number} is reached")
            if not any(one.what == scoping.LINES for one in fits):
                left[number] = Line(line.counts, {} if fits else line.branches)
        return left


def judge(tree: Path, data: Data, own: Sequence[Own], scope: Scope, exclusions: Sequence[Exclusion],
          thresholds: dict[str, Threshold]) -> Judged:
    """Everything that the reports show."""
    excluding = _Excluding(exclusions)
    wanted = {*scope.files, *(name for one in own for name in one.executable)}
    texts = {name: (tree / name).read_text(encoding="utf-8", errors="replace") for name in sorted(wanted)
             if (tree / name).is_file()}
    left = {name: excluding.apply(name, text, data.get(name, {})) for name, text in texts.items()}
    files = [_file(name, scope.functions(name, texts[name]), left[name], data.get(name, {}))
             for name in scope.files if name in texts]
    own = [_without(one, left) for one in own]
    unreached = sorted({(name, number) for one in own for name, numbers in one.executable.items()
                        for number in numbers if not left[name][number].count})
    # What is about an architecture that did not run fits nothing either.
    stale = excluding.reached + [f"{one.where}: fits no line" for one, count in excluding.used.items()
                                 if not count and (not one.place.startswith("arch/") or _ran(one, data))]
    stale += [f"coverage/scope: {name} is not in this kernel" for name in scope.files if name not in texts]
    judged = Judged(files, list(own), left, unreached, excluding.used, stale, [], [])
    _against(judged, thresholds)
    return judged


def _ran(one: Exclusion, data: Data) -> bool:
    """Whether there is data of the architecture that an exclusion below arch/ is about."""
    return any(name.split("/")[:2] == one.place.split("/")[:2] for name in data)


def _file(name: str, chosen: Sequence[Function], lines: Lines, everything: Lines) -> File:
    """everything: with the lines that are excluded."""
    file = File(name)
    compiled = {one.name for one in chosen
                if any(number in everything for number in range(one.first, one.last + 1))}
    for one in chosen:
        mine = {number: lines[number] for number in range(one.first, one.last + 1) if number in lines}
        if mine:
            file.lines.update(mine)
            file.functions[one] = any(line.count for line in mine.values())
        elif one.name not in compiled:
            file.uncompiled.append(one.name)
    return file


def _without(own: Own, left: Data) -> Own:
    """A patch's lines without those that are excluded."""
    return Own(own.patch, {name: kept for name, numbers in own.executable.items()
                           if (kept := [number for number in numbers if number in left[name]])}, own.uncompiled)


def _against(judged: Judged, thresholds: dict[str, Threshold]) -> None:
    lines, branches, _functions = judged.total
    got = {scoping.SERIES: ("executable lines of the series", judged.series),
           scoping.LINES: ("lines of the scope", lines), scoping.BRANCHES: ("branches of the scope", branches)}
    for key, (what, value) in got.items():
        wanted = thresholds[key]
        if value.percent < wanted.least:
            judged.failures.append(f"{what}: {value.percent:.2f} % are reached, at least {wanted.least:g} % must be")
        elif value.percent < wanted.goal:
            judged.below.append(f"{what}: {value.percent:.2f} %, the goal is {wanted.goal:g} %")

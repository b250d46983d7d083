# SPDX-License-Identifier: GPL-2.0
"""What was counted: lines and branches of source files, by target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Branches = tuple[int, ...]


@dataclass
class Line:
    """An executable line: how often each target ran it, and how often each of its branches was taken."""

    counts: dict[str, int] = field(default_factory=dict)
    branches: dict[str, Branches] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How often it ran, on all targets."""
        return sum(self.counts.values())

    def on(self, target: str) -> "Line":
        """The line as one target counted it."""
        return Line({target: self.counts[target]}, {target: self.branches.get(target, ())})

    @property
    def taken(self) -> Branches:
        """Its branches on all targets; where they are not the same everywhere, those of the target that took most.

        On a target where its condition is constant it has none.
        """
        shapes = [shape for shape in self.branches.values() if shape]
        if not shapes:
            return ()
        if len({len(shape) for shape in shapes}) == 1:
            return tuple(sum(column) for column in zip(*shapes))
        return max(shapes, key=lambda shape: sum(map(bool, shape)) / len(shape))

    def add(self, target: str, count: int, branches: Branches) -> None:
        """Count one more compiled copy of this line."""
        self.counts[target] = self.counts.get(target, 0) + count
        known = self.branches.get(target, ())
        if len(known) == len(branches):
            self.branches[target] = tuple(a + b for a, b in zip(known, branches))
        elif len(branches) > len(known):
            self.branches[target] = branches


Lines = dict[int, Line]
Data = dict[str, Lines]


@dataclass(frozen=True)
class Sum:
    """So many of so many."""

    hit: int = 0
    found: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.hit + other.hit, self.found + other.found)

    @property
    def percent(self) -> float:
        """0 to 100; of nothing it is 100, and the table says that there was nothing."""
        return 100 * self.hit / self.found if self.found else 100.0

    def __str__(self) -> str:
        return f"{self.percent:5.1f} % {f'{self.hit}/{self.found}':>9}" if self.found else f"{'-':>7} {'':>9}"


def sum_lines(lines: Iterable[Line]) -> Sum:
    """How many of the lines ran."""
    ran = [line.count > 0 for line in lines]
    return Sum(sum(ran), len(ran))


def sum_branches(lines: Iterable[Line]) -> Sum:
    """How many of their branches were taken."""
    taken = [count > 0 for line in lines for count in line.taken]
    return Sum(sum(taken), len(taken))


def merge(parts: Sequence[Data]) -> Data:
    """One set of data out of several. Each keeps its targets."""
    merged: Data = {}
    for part in parts:
        for name, lines in part.items():
            place = merged.setdefault(name, {})
            for number, line in lines.items():
                into = place.setdefault(number, Line())
                for target, count in line.counts.items():
                    into.add(target, count, line.branches.get(target, ()))
    return merged


def targets(data: Mapping[str, Lines]) -> list[str]:
    """The targets that there is data of."""
    return sorted({target for lines in data.values() for line in lines.values() for target in line.counts})

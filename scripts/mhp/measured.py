# SPDX-License-Identifier: GPL-2.0
"""What `make bench` has measured: rows of seconds, ratios, limits; as a table and as JSON."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mhp.memory import Peak


@dataclass
class Row:
    """One measured thing: seconds of each run."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """Ours against theirs, pair by pair. wanted: at most this."""

    ours: Row
    theirs: Row
    wanted: float

    @property
    def median(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(a / b for a, b in zip(self.ours.seconds, self.theirs.seconds, strict=True))


@dataclass(frozen=True)
class Limit:
    """What a row should not exceed, in seconds."""

    row: Row
    wanted: float


def shown(seconds: float) -> str:
    """Eight columns wide; below a tenth of a second in ms."""
    return f"{seconds:8.2f}" if seconds >= 0.1 else f"{seconds * 1000:5.2f} ms"


def _met(value: float, wanted: float) -> str:
    return "met" if value <= wanted else "MISSED"


@dataclass
class Measured:
    """All of it, in the order in which it was taken."""

    rows: list[Row] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)

    def row(self, name: str) -> Row:
        """A new row."""
        self.rows.append(Row(name))
        return self.rows[-1]

    def _filled(self) -> list[Row]:
        return [row for row in self.rows if row.seconds]

    def table(self, about: Mapping[str, str]) -> list[str]:
        """For people."""
        lines = [f"{name}: {value}" for name, value in about.items()] + [""]
        lines.append(f"{'seconds':52} {'median':>8} {'least':>8} {'most':>8} {'runs':>5}")
        lines += [f"{row.name:52} {shown(row.median)} {shown(min(row.seconds))} {shown(max(row.seconds))} "
                  f"{len(row.seconds):5}" for row in self._filled()]
        lines.append("")
        for ratio in self.ratios:
            lines.append(f"{ratio.ours.name} / {ratio.theirs.name}: {ratio.median:.2f} "
                         f"(median of {len(ratio.ours.seconds)} pairs; wanted: at most {ratio.wanted}, "
                         f"{_met(ratio.median, ratio.wanted)})")
        for limit in self.limits:
            lines.append(f"{limit.row.name}: {limit.row.median:.2f} s (wanted: at most {limit.wanted} s, "
                         f"{_met(limit.row.median, limit.wanted)})")
        lines += [f"memory at peak, all processes together: {peak.name}: {peak.mib} MiB" for peak in self.peaks]
        return lines

    def missed(self) -> bool:
        """Whether anything is slower than it should be."""
        return any(item.median > item.wanted for item in self.ratios) or any(
            item.row.median > item.wanted for item in self.limits)

    def record(self) -> dict[str, Any]:
        """For programs."""
        return {"rows": [{**asdict(row), "median": row.median} for row in self._filled()],
                "ratios": [{"ours": ratio.ours.name, "theirs": ratio.theirs.name, "median": ratio.median,
                            "wanted": ratio.wanted} for ratio in self.ratios],
                "limits": [{"row": limit.row.name, "median": limit.row.median, "wanted": limit.wanted}
                           for limit in self.limits],
                "memory at peak, MiB": {peak.name: peak.mib for peak in self.peaks}}

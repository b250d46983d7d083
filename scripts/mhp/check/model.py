# SPDX-License-Identifier: GPL-2.0
"""What a check is, what it is given and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mhp.check.series import Patch, Series
from mhp.git import Git
from mhp.tree import PreparedTree


class Status(StrEnum):
    """How a check ended; the worst of several is the one that comes first here."""

    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"   # nothing could be looked at; the reason is in the summary
    PASS = "pass"


@dataclass(frozen=True)
class Finding:
    """One fault: FAIL or WARN, one line of text, where ("path:line"), and more lines about it."""

    level: Status
    text: str
    where: str = ""
    details: str = ""


@dataclass(frozen=True)
class Report:
    """What a check's program returns.

    findings: the faults. skipped: why nothing could be looked at. summary: what was looked at, for a
    check that passes. notes: lines of more, among them what was left out and why. broken: the base by
    itself fails, so that nothing can be said of the series. keep: whether it may be used again while nothing has changed;
    one of a broken base never is, for the machine may be at fault. left_out: what was not looked at although the rest
    was, and why. internal: the check itself has failed.
    """

    findings: tuple[Finding, ...] = ()
    skipped: str = ""
    summary: str = ""
    notes: tuple[str, ...] = ()
    broken: bool = False
    keep: bool = True
    left_out: tuple[str, ...] = ()
    internal: bool = False

    @property
    def status(self) -> Status:
        """The worst of the findings; SKIP when there is a reason for it and no finding."""
        levels = {finding.level for finding in self.findings}
        for level in (Status.FAIL, Status.WARN):
            if level in levels:
                return level
        return Status.SKIP if self.skipped else Status.PASS

    @property
    def line(self) -> str:
        """One line for the table."""
        if self.findings:
            more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
            return f"{self.findings[0].text}{more}"
        return self.skipped or self.summary


@dataclass(frozen=True)
class Job:
    """What a check's program is given: the series, and for a check of single patches the patch.

    tree: the prepared tree, whose scripts/ are used. scratch: an empty directory of its own. fresh: nothing that an
    earlier run has found out is to be believed. asked: the numbers of the patches that this run looks at.
    """

    series: Series
    patch: Patch | None
    tree: PreparedTree
    scratch: Path
    fresh: bool = False
    asked: tuple[int, ...] = ()

    @property
    def git(self) -> Git:
        """Where the commits of the series can be read."""
        return self.tree.git

    @property
    def one(self) -> Patch:
        """The patch, for a check of single patches."""
        assert self.patch
        return self.patch


@dataclass(frozen=True)
class Check:
    """A directory of scripts/checks/; the fields are explained in scripts/checks/README.md."""

    name: str
    about: str
    tier: str
    scope: str
    applied: bool
    depends: tuple[str, ...]
    programs: tuple[tuple[str, str], ...]  # (program, Debian package)
    tools: tuple[str, ...]                 # files of the kernel tree
    directory: Path
    program: Callable[[Job], Report]


@dataclass(frozen=True)
class Result:
    """A check's report on the series, or on the patch of that number.

    seconds: how long it took when it ran, now or (cached) earlier. repeat: the command that runs it again.
    """

    check: str
    patch: int | None
    report: Report
    seconds: float
    cached: bool
    repeat: str

    @property
    def status(self) -> Status:
        """The report's status."""
        return self.report.status


def to_json(report: Report) -> dict[str, Any]:
    """A report as plain data."""
    return {"findings": [{"level": str(finding.level), "text": finding.text, "where": finding.where,
                          "details": finding.details} for finding in report.findings],
            "skipped": report.skipped, "summary": report.summary, "notes": list(report.notes),
            "broken": report.broken, "left_out": list(report.left_out)}


def from_json(raw: dict[str, Any]) -> Report:
    """The report of to_json(). Raises KeyError, TypeError or ValueError for anything else."""
    return Report(tuple(Finding(Status(one["level"]), str(one["text"]), str(one["where"]), str(one["details"]))
                        for one in raw["findings"]),
                  str(raw["skipped"]), str(raw["summary"]), tuple(str(note) for note in raw["notes"]),
                  bool(raw["broken"]), left_out=tuple(str(what) for what in raw["left_out"]))

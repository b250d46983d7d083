# SPDX-License-Identifier: GPL-2.0
"""The results in the terminal: a table that fills while the checks run, then what was found."""

import shutil
import sys
import threading
import time
from collections.abc import Sequence

from mhp.check.model import Check, Report, Result, Status
from mhp.check.runner import Listener, Unit
from mhp.progress import plain

_TICK_SECONDS = 0.2
# Elsewhere than on a terminal, how often a long check says what it is doing.
_SAY_SECONDS = 10.0
_COLOURS = {Status.PASS: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "36"}
_DETAIL_LINES = 20
_ORDER = list(Status)


def worst(results: Sequence[Result]) -> Status:
    """The worst status of a check's results; SKIP counts only when nothing passed."""
    found = {result.status for result in results}
    for status in (Status.FAIL, Status.WARN):
        if status in found:
            return status
    return Status.PASS if Status.PASS in found else Status.SKIP


def summary(results: Sequence[Result]) -> str:
    """One line about the results of one check; a reason's further lines come below the table."""
    if len(results) == 1:
        return plain(results[0].report.line.partition("\n")[0])
    status = worst(results)
    counts = ", ".join(f"{sum(one.status == kind for one in results)} {kind}" for kind in reversed(_ORDER)
                       if any(one.status == kind for one in results))
    first = next(one for one in results if one.status == status)
    if status in (Status.PASS, Status.SKIP):
        reason = next((one.report.line for one in results if one.status == Status.SKIP), "")
        return plain(f"{counts}{': ' if reason else ''}{reason}".partition("\n")[0])
    return plain(f"{counts}: patch {first.patch}: {first.report.line}".partition("\n")[0])


def counted(results: Sequence[Result]) -> str:
    """How many results of each kind there are."""
    return ", ".join(f"{sum(one.status == kind for one in results)} {kind}" for kind in
                     (Status.PASS, Status.WARN, Status.FAIL, Status.SKIP))


class Table:
    """The live table. On a terminal it is drawn again and again; elsewhere a check's line comes when it ends."""

    def __init__(self, checks: Sequence[Check], todo: Sequence[Unit]) -> None:
        self._left = {check.name: sum(unit.check is check for unit in todo) for check in checks}
        self._total = dict(self._left)
        self._results: dict[str, list[Result]] = {name: [] for name in self._left}
        self._running: dict[str, float] = {}
        self._tty = sys.stderr.isatty()
        self._drawn = 0
        self._last = 0.0
        self._doing = ""
        self._said = time.monotonic()
        self._drawing = threading.RLock()
        self.listener = Listener(self._start, self._end, self._tick, self._say)

    def _start(self, unit: Unit) -> None:
        self._running.setdefault(unit.check.name, time.monotonic())
        if unit.check.tier != "quick":
            self._tick(True)

    def _say(self, text: str) -> None:
        """What the check that is running is doing."""
        self._doing = plain(text).partition("\n")[0]
        if not self._tty and time.monotonic() - self._said > _SAY_SECONDS:
            self._said = time.monotonic()
            print(f"...   {self._doing}", file=sys.stderr, flush=True)
        self._tick()

    def _end(self, result: Result) -> None:
        with self._drawing:
            self._doing = ""
            self._results[result.check].append(result)
            self._left[result.check] -= 1
        if self._left[result.check] == 0 and not self._tty:
            print(self._line(result.check, False), file=sys.stderr, flush=True)
        self._tick()

    def _tick(self, now: bool = False) -> None:
        if self._tty and (now or time.monotonic() - self._last > _TICK_SECONDS):
            self.draw()

    def draw(self) -> None:
        """Draw the table anew over the last one; nothing where there is no terminal."""
        if not self._tty:
            return
        with self._drawing:
            self._last = time.monotonic()
            size = shutil.get_terminal_size()
            lines = [self._line(name, True) for name in self._left][:size.lines - 2]
            up = f"\033[{self._drawn}A" if self._drawn else ""
            print(up + "".join(f"\r\033[K{line}\n" for line in lines), end="", file=sys.stderr, flush=True)
            self._drawn = len(lines)

    def _line(self, name: str, colour: bool) -> str:
        results = self._results[name]
        width = shutil.get_terminal_size().columns - 1 if self._tty else 200
        if self._left[name] == 0 and results:
            status = worst(results)
            seconds = sum(one.seconds for one in results)
            cached = " (cached)" if all(one.cached for one in results) else ""
            head, text = f"{status:5}", f" {name:14} {seconds:6.1f} s  {summary(results)}{cached}"
            return (f"\033[{_COLOURS[status]}m{head}\033[0m" if colour else head) + text[:width - len(head)]
        if name in self._running:
            done = len(results)
            spent = time.monotonic() - self._running[name]
            doing = f"  {self._doing}" if self._doing else ""
            return f"...   {name:14} {spent:6.1f} s  {done} of {self._total[name]}{doing}"[:width]
        return f"      {name:14}           {self._total[name]} to do"[:width]


def findings(results: Sequence[Result]) -> list[str]:
    """What the user has to read: every finding, with the command that repeats it."""
    lines: list[str] = []
    for result in results:
        if result.status in (Status.FAIL, Status.WARN):
            patch = f", patch {result.patch}" if result.patch else ""
            lines.append(f"\n{result.check}{patch}:")
            lines += _findings(result.report)
            lines.append(f"  again: {result.repeat}")
    return [plain(line) for line in lines]


def _findings(report: Report) -> list[str]:
    lines = []
    for finding in report.findings:
        where = f"{finding.where}: " if finding.where else ""
        lines.append(f"  {finding.level}: {where}{finding.text}")
        more = finding.details.splitlines()
        lines += [f"    | {line}" for line in more[:_DETAIL_LINES]]
        if len(more) > _DETAIL_LINES:
            lines.append(f"    ... {len(more) - _DETAIL_LINES} more lines, in the report")
    return lines


def broken(results: Sequence[Result]) -> list[str]:
    """What the base gets wrong by itself, for each check once with how many patches met it."""
    checks: dict[str, list[Result]] = {}
    for result in results:
        if result.report.broken:
            checks.setdefault(result.check, []).append(result)
    lines = []
    for name, found in checks.items():
        report = found[0].report
        why = next((note for note in (*report.notes, report.skipped) if "the base is broken" in note), report.line)
        patches = f" ({len(found)} patches)" if len(found) > 1 else ""
        lines += [f"broken base: {name}{patches}: {why.splitlines()[0]}", f"  again: {found[0].repeat}"]
    return [plain(line) for line in lines]


def skipped(results: Sequence[Result]) -> list[str]:
    """What was not looked at, each reason once: whole checks, then what other checks have left out."""
    reasons: dict[tuple[str, str, str], int] = {}
    for result in results:
        told = [("skipped", result.report.line)] if result.status == Status.SKIP else []
        for how, reason in (*told, *(("left out", what) for what in result.report.left_out)):
            reasons[how, result.check, reason] = reasons.get((how, result.check, reason), 0) + 1
    return [plain(f"{how}: {check}{f' ({count} patches)' if count > 1 else ''}: {reason}")
            for (how, check, reason), count in sorted(reasons.items(), key=lambda one: one[0][0], reverse=True)]

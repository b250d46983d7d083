# SPDX-License-Identifier: GPL-2.0
"""Patches that the suites have to catch: mm-patches/BASE/known-bad/*.patch, each by itself on the series.

A line of its changelog says who has to notice:

    Caught-by: SUITE.CASE         this case fails (for a case with parameters: with one of them)
    Caught-by: panic GLOB         the guest panics or dies while these cases run
    Caught-by: report GLOB        memory is corrupted: a WARN, a failing case, or the guest dies of it
    Caught-by: hang GLOB          one of these cases never ends

and another one, where the guest is not um as it is without parameters, in which:

    Boot: NAME                    a line of scripts/matrix; its suites pass without the fault

They are applied in a work tree of their own, so nothing here touches the user's.
"""

import fnmatch
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import kunit_run, matrix, options, patches, paths, sidetree
from mhp.arch import Arch
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.matrix import Row
from mhp.progress import say
from mhp.results import FAIL, PASS, Counts
from mhp.tree import PreparedTree, read_state, using
from mhp.verdict import Verdict

_DIRECTORY = "known-bad"
_CAUGHT_BY = re.compile(r"^Caught-by: (?:(panic|report|hang) )?([\w.*]+)$", re.M)
_BOOT = re.compile(r"^Boot:(.*)$", re.M)
_ENDS = {"panic": (Exit.PANIC, Exit.UNFINISHED), "hang": (Exit.TIMEOUT,),
         "report": (Exit.REPORT, Exit.PANIC, Exit.UNFINISHED, Exit.FINDINGS)}
_TIMEOUT_SECONDS = 60
# A few cases take less than a second; what takes this long does not end.
_HANG_SECONDS = 15


@dataclass(frozen=True)
class Fault:
    """A patch that must fail.

    end: "panic", "report", "hang" or "" for a failing case; glob: the cases that are run; row: the boot, None on um.
    """

    name: str
    path: Path
    diff: bytes
    end: str
    glob: str
    row: Row | None = None


@dataclass(frozen=True)
class Tried:
    """What came of them. problems: a line about each that is not caught; skips: "name: reason"."""

    counts: Counts
    problems: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()

    @property
    def status(self) -> Exit:
        """The exit status of a command that tried them."""
        if self.counts.failed:
            return Exit.FINDINGS
        return Exit.PASS if self.counts.passed else Exit.NOTHING_RAN

    def __str__(self) -> str:
        skipped = f", {self.counts.skipped} not tried" if self.counts.skipped else ""
        return f"{self.counts.passed} caught, {self.counts.failed} not caught{skipped}"


def directory(tree: PreparedTree) -> Path:
    """Where the patches for a tree's base are."""
    return paths.MM_PATCHES / tree.base / _DIRECTORY


def read(tree: PreparedTree, names: Sequence[str] = ()) -> list[Fault]:
    """The patches with these names, or all. Raises MhpError(USAGE) for one that is not there or says too little."""
    place = directory(tree)
    there = {path.stem: path for path in sorted(place.glob("*.patch"))}
    if unknown := [name for name in names if name not in there]:
        raise MhpError(Exit.USAGE, f"{unknown[0]}: no such patch in {place}; there are: {', '.join(there) or 'none'}")
    return [_read(tree.git, there[name]) for name in names or there]


def _read(git: Git, path: Path) -> Fault:
    mail = patches.read_mail(git, patches.read_patch(path), path.name)
    for name in patches.touched(git, mail.diff, path.name):
        patches.check_path(name, path.name)
    found = _CAUGHT_BY.findall(mail.message)
    if len(found) != 1:
        raise MhpError(Exit.USAGE, f"{path}: one line `Caught-by: SUITE.CASE` (or panic, report or hang GLOB) is "
                       f"needed, there are {len(found)}")
    end, glob = found[0]
    return Fault(path.stem, path, mail.diff, end, glob, _read_row(path, mail.message))


def _read_row(path: Path, message: str) -> Row | None:
    boots = [name.strip() for name in _BOOT.findall(message)]
    rows = [row for row in matrix.rows() if row.name in boots]
    if len(rows) != len(boots) or len(boots) > 1:
        raise MhpError(Exit.USAGE, f"{path}: `Boot: {', '.join(boots)}` is no line of scripts/matrix; there are: "
                       f"{', '.join(row.name for row in matrix.rows())}")
    return rows[0] if rows else None


def escaped(fault: Fault, decided: Verdict) -> str | None:
    """Why a run does not show that the fault is caught; None when it does."""
    if fault.end:
        if decided.status in _ENDS[fault.end]:
            return None
        return f"the run ended with {decided.status.name}, a {fault.end} was expected"
    cases = [case for case in decided.cases if case.name == fault.glob or case.name.startswith(f"{fault.glob}.")]
    if any(case.status == FAIL for case in cases):
        return None
    if decided.status in (Exit.PANIC, Exit.UNFINISHED, Exit.TIMEOUT):
        return f"the guest came to {decided.status.name} before {fault.glob} could fail"
    return f"{fault.glob} {'passed' if cases else 'did not run'}"


def _boot(side: PreparedTree, row: Row | None, glob: str = "", timeout: int = _TIMEOUT_SECONDS) -> Verdict:
    """Build and boot; without a glob the suites that the row names, or all."""
    words = ["run", f"--timeout={timeout}"]
    words += [f"--boot={row.name}"] if row else []
    return kunit_run.decide_in(options.parse([*words, *([glob] if glob else [])]), side)


def _check_sound(faults: Sequence[Fault], side: PreparedTree, row: Row | None) -> None:
    """Without any fault the cases must pass, or what they say later means nothing."""
    decided = _boot(side, row, "" if row else "mhp_*")
    if decided.status != Exit.PASS:
        again = f"scripts/kunit.py run{f' --boot {row.name}' if row else ''}"
        raise MhpError(Exit.BROKEN_BASE, f"the suites do not pass without a fault ({decided.status.name}); see `{again}`")
    passed = [case.name for case in decided.cases if case.status == PASS]
    for fault in faults:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in passed for pattern in (fault.glob, f"{fault.glob}.*")):
            raise MhpError(Exit.USAGE, f"{fault.path}: no case that passes is called {fault.glob}"
                           f"{f' with --boot {row.name}' if row else ''}")


def by_boot(faults: Sequence[Fault]) -> list[tuple[Row | None, list[Fault]]]:
    """The faults of each boot together: those on um first, then in the order of scripts/matrix."""
    rows: list[Row | None] = [None, *matrix.rows()]
    found = [(row, [fault for fault in faults if fault.row == row]) for row in rows]
    return [(row, those) for row, those in found if those]


def left_out(row: Row | None, quick: bool) -> str | None:
    """Why the faults of a boot are not tried, None when they are."""
    if row is None:
        return None
    if quick and row.set != matrix.QUICK:
        return f"it boots {row.name}, which is not one of the quick ones of scripts/matrix"
    target = Arch(row.arch)
    try:
        if target.known:
            target.check_tools(target.cross_compile([row.config] if row.config else []), True)
    except MhpError as err:
        return str(err)
    return None


def check(tree: PreparedTree, names: Sequence[str] = (), tell: Callable[[str], None] = print, quick: bool = False) -> Tried:
    """Apply, build and run each, and say which are not caught.

    quick: only on um and in quick boots of scripts/matrix. What is not tried is a skip, with the reason; when it was
    named, and tools are missing, MhpError(MISSING_TOOL).
    """
    faults = read(tree, names)
    if not faults:
        raise MhpError(Exit.NOTHING_RAN, f"{directory(tree)} holds no patches")
    problems, skips, tried = [], [], 0
    with using(tree):
        if not read_state(tree).part("mm"):
            raise MhpError(Exit.USAGE, "the series is switched off, and these patches go on top of it: "
                           "`scripts/series apply`")
        side = sidetree.ensure(tree, _DIRECTORY, read_state(tree).tip, "the tree for faults")
        sidetree.restore(side)
        for row, those in by_boot(faults):
            if why := left_out(row, quick):
                if names:
                    raise MhpError(Exit.MISSING_TOOL, why)
                skips += [f"{fault.name}: {why}; alone: scripts/series known-bad {fault.name}" for fault in those]
                continue
            _check_sound(those, side, row)
            for fault in those:
                tried += 1
                problems += _tell(fault, side, f"{tried}/{len(faults)}", tell)
    return Tried(Counts(tried - len(problems), len(problems), len(skips)), tuple(problems), tuple(skips))


def _tell(fault: Fault, side: PreparedTree, number: str, tell: Callable[[str], None]) -> list[str]:
    """Try one, and print a line about it; the problem, if there is one."""
    began = time.monotonic()
    say(f"[{number}] {fault.name}")
    why = _try(fault, side)
    took = f"{time.monotonic() - began:.1f} s"
    where = f", {fault.row.name}" if fault.row else ""
    tell(f"{'NOT CAUGHT' if why else 'caught':10} {fault.name} ({fault.end or 'fails'}: {fault.glob}{where}, {took})")
    return [f"{fault.name}: {why}; repeat: scripts/series known-bad {fault.name}"] if why else []


def _try(fault: Fault, side: PreparedTree) -> str | None:
    git = Git(side.path / ".git", worktree=side.path)
    done = git.run("apply", "-", input=fault.diff)
    if done.status:
        raise MhpError(Exit.BROKEN_BASE, f"{fault.path} does not apply on the series: {done.error_tail}")
    try:
        return escaped(fault, _boot(side, fault.row, fault.glob,
                                    _HANG_SECONDS if fault.end == "hang" else _TIMEOUT_SECONDS))
    finally:
        sidetree.restore(side)

# SPDX-License-Identifier: GPL-2.0
"""Patches that the suites have to catch: mm-patches/BASE/known-bad/*.patch, each by itself on the series.

A line of its changelog says who has to notice:

    Caught-by: SUITE.CASE         this case fails (for a case with parameters: with one of them)
    Caught-by: panic GLOB         the guest panics or dies while these cases run
    Caught-by: report GLOB        memory is corrupted: a WARN, a failing case, or the guest dies of it
    Caught-by: hang GLOB          one of these cases never ends

They are applied in a work tree of their own, so nothing here touches the user's.
"""

import fnmatch
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import kunit_run, options, patches, paths, sidetree
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.progress import say
from mhp.results import FAIL, PASS, Counts
from mhp.tree import PreparedTree, read_state, using
from mhp.verdict import Verdict

_DIRECTORY = "known-bad"
_CAUGHT_BY = re.compile(r"^Caught-by: (?:(panic|report|hang) )?([\w.*]+)$", re.M)
_ENDS = {"panic": (Exit.PANIC, Exit.UNFINISHED), "report": (Exit.REPORT, Exit.PANIC, Exit.UNFINISHED, Exit.FINDINGS), "hang": (Exit.TIMEOUT,)}
_TIMEOUT_SECONDS = 60
# A few cases take less than a second; what takes this long does not end.
_HANG_SECONDS = 15


@dataclass(frozen=True)
class Fault:
    """A patch that must fail. end: "panic", "report", "hang" or "" for a failing case; glob: the cases that are run."""

    name: str
    path: Path
    diff: bytes
    end: str
    glob: str


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
    return Fault(path.stem, path, mail.diff, end, glob)


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


def _boot(side: PreparedTree, glob: str, timeout: int = _TIMEOUT_SECONDS) -> Verdict:
    return kunit_run.decide_in(options.parse(["run", f"--timeout={timeout}", glob]), side)


def _check_sound(faults: Sequence[Fault], side: PreparedTree) -> None:
    """Without any fault the cases must pass, or what they say later means nothing."""
    decided = _boot(side, "mhp_*")
    if decided.status != Exit.PASS:
        raise MhpError(Exit.BROKEN_BASE, f"the suites do not pass without a fault ({decided.status.name}); see "
                       "`scripts/kunit.py run`")
    passed = [case.name for case in decided.cases if case.status == PASS]
    for fault in faults:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in passed for pattern in (fault.glob, f"{fault.glob}.*")):
            raise MhpError(Exit.USAGE, f"{fault.path}: no case that passes is called {fault.glob}")


def check(tree: PreparedTree, names: Sequence[str] = (), tell: Callable[[str], None] = print) -> tuple[Counts, list[str]]:
    """Apply, build and run each: how many are caught, and a line about each that is not."""
    faults = read(tree, names)
    if not faults:
        raise MhpError(Exit.NOTHING_RAN, f"{directory(tree)} holds no patches")
    problems = []
    with using(tree):
        if not read_state(tree).part("mm"):
            raise MhpError(Exit.USAGE, "the series is switched off, and these patches go on top of it: "
                           "`scripts/series apply`")
        side = sidetree.ensure(tree, _DIRECTORY, read_state(tree).tip, "the tree for faults")
        sidetree.restore(side)
        _check_sound(faults, side)
        for number, fault in enumerate(faults, 1):
            began = time.monotonic()
            say(f"[{number}/{len(faults)}] {fault.name}")
            why = _try(fault, side)
            took = f"{time.monotonic() - began:.1f} s"
            tell(f"{'NOT CAUGHT' if why else 'caught':10} {fault.name} ({fault.end or 'fails'}: {fault.glob}, {took})")
            if why:
                problems.append(f"{fault.name}: {why}; repeat: scripts/series known-bad {fault.name}")
    return Counts(len(faults) - len(problems), len(problems)), problems


def _try(fault: Fault, side: PreparedTree) -> str | None:
    git = Git(side.path / ".git", worktree=side.path)
    done = git.run("apply", "-", input=fault.diff)
    if done.status:
        raise MhpError(Exit.BROKEN_BASE, f"{fault.path} does not apply on the series: {done.error_tail}")
    try:
        return escaped(fault, _boot(side, fault.glob, _HANG_SECONDS if fault.end == "hang" else _TIMEOUT_SECONDS))
    finally:
        sidetree.restore(side)

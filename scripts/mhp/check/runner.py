# SPDX-License-Identifier: GPL-2.0
"""Run checks on a series: the quick ones side by side, those that build one after the other."""

import os
import shlex
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mhp.check import registry
from mhp.check.cache import Cache, key
from mhp.check.model import Check, Finding, Job, Report, Result, Status
from mhp.check.series import Patch, Series
from mhp.exits import Exit, MhpError
from mhp.progress import followed
from mhp.tree import PreparedTree

_TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Unit:
    """A check on a patch, or on the whole series (None)."""

    check: Check
    patch: Patch | None


@dataclass(frozen=True)
class Listener:
    """Who wants to know how far it is: what starts, what has ended, that time goes by (from a thread of its own at times),
    and what is being done."""

    start: Callable[[Unit], None] = lambda _unit: None
    end: Callable[[Result], None] = lambda _result: None
    tick: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _text: None


def units(checks: Sequence[Check], series: Series, number: int | None) -> list[Unit]:
    """What is to be run; with `number`, of the patches only that one, and no check of the series."""
    found = []
    for check in checks:
        if check.scope == "patch":
            found += [Unit(check, patch) for patch in series.patches if number in (None, patch.number)]
        elif number is None or all(one.scope == "series" for one in checks):
            found.append(Unit(check, None))
    return found


def by_patch(todo: Sequence[Unit]) -> list[Unit]:
    """The units that build, patch by patch: the work tree then goes forward through the series once, not once a check."""
    slow = [unit for unit in todo if unit.check.tier != "quick"]
    return sorted(slow, key=lambda unit: (registry.TIERS.index(unit.check.tier), unit.patch is None,
                                          unit.patch.number if unit.patch else 0))


class Runner:
    """Runs units in a directory of its own below build/. typed: the words that choose series and kernel."""

    def __init__(self, tree: PreparedTree, series: Series, place: Path, typed: Sequence[str]) -> None:
        self._tree = tree
        self._series = series
        self._typed = typed
        self._cache = Cache(place / "cache")
        self._tmp = place / "tmp"
        self._asked: tuple[int, ...] = ()
        shutil.rmtree(self._tmp, ignore_errors=True)
        self._tmp.mkdir(parents=True)

    def run(self, todo: Sequence[Unit], listener: Listener, fresh: bool = False) -> list[Result]:
        """The results in the order of `todo`. fresh: nothing is taken from the cache."""
        # What starts programs takes longest, so it comes first.
        quick = sorted((unit for unit in todo if unit.check.tier == "quick"),
                       key=lambda unit: (not unit.check.programs, unit.patch is not None))
        self._asked = tuple({unit.patch.number: None for unit in todo if unit.patch})
        results: dict[int, Result] = {}
        with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
            futures: dict[Future[Result], Unit] = {}
            try:
                for unit in quick:
                    futures[pool.submit(self._one, unit, listener, fresh)] = unit
                left = set(futures)
                while left:
                    done, left = wait(left, _TICK_SECONDS, FIRST_COMPLETED)
                    for future in done:
                        results[id(futures[future])] = future.result()
                        listener.end(future.result())
                    listener.tick()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        with _ticking(listener.tick):
            for unit in by_patch(todo):
                with followed(listener.say):
                    results[id(unit)] = self._one(unit, listener, fresh)
                listener.end(results[id(unit)])
        self._cache.prune()
        shutil.rmtree(self._tmp, ignore_errors=True)
        return [results[id(unit)] for unit in todo]

    def _one(self, unit: Unit, listener: Listener, fresh: bool) -> Result:
        listener.start(unit)
        with tempfile.TemporaryDirectory(dir=self._tmp) as scratch:
            job = Job(self._series, unit.patch, self._tree, Path(scratch), fresh, self._asked)
            report, seconds, cached = self._report(unit.check, job, fresh)
        number = unit.patch.number if unit.patch else None
        return Result(unit.check.name, number, report, seconds, cached, self._repeat(unit))

    def _report(self, check: Check, job: Job, fresh: bool) -> tuple[Report, float, bool]:
        reason = _cannot_run(check, job)
        if reason:
            return Report(skipped=reason), 0.0, False
        start = time.monotonic()
        try:
            name = key(check, job)
            found = None if fresh else self._cache.report(name)
            if found:
                return found[0], found[1], True
            start = time.monotonic()
            report = check.program(job)
        except OSError as err:
            fault = Finding(Status.FAIL, f"the check could not be carried out: {err.strerror or err}", err.filename or "")
            return Report((fault,), internal=True), time.monotonic() - start, False
        except MhpError as err:
            if err.status == Exit.USAGE:
                raise
            if err.status == Exit.BROKEN_BASE:
                return Report(skipped=f"the base is broken: {err}", broken=True), time.monotonic() - start, False
            if err.status in (Exit.MISSING_TOOL, Exit.NOTHING_RAN, Exit.TIMEOUT):
                return Report(skipped=str(err)), time.monotonic() - start, False
            broken = Finding(Status.FAIL, f"the check could not be carried out ({err.status.name})", details=str(err))
            return Report((broken,), internal=err.status == Exit.INTERNAL), time.monotonic() - start, False
        seconds = time.monotonic() - start
        if report.keep and not report.broken:
            self._cache.keep(name, report, seconds)
        return report, seconds, False

    def _repeat(self, unit: Unit) -> str:
        words = ["scripts/check", *self._typed, f"--only={unit.check.name}"]
        return shlex.join([*words, f"--patch={unit.patch.number}"] if unit.patch else words)


@contextmanager
def _ticking(tick: Callable[[], None]) -> Iterator[None]:
    """While the block is busy, for minutes perhaps, a thread tells that time goes by. Signals are not for it."""
    ended = threading.Event()

    def work() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not ended.wait(_TICK_SECONDS):
            tick()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _cannot_run(check: Check, job: Job) -> str:
    """Why a check cannot be run, or nothing."""
    if check.applied and job.patch and not job.patch.after:
        return f"patch {job.patch.number} is not applied to the base"
    if check.applied and not job.patch and not job.series.applies:
        return "the series does not apply to the base"
    for program, package in check.programs:
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian package {package})"
    for tool in check.tools:
        if not (job.tree.path / tool).is_file():
            return f"this kernel has no {tool}"
    return ""

# SPDX-License-Identifier: GPL-2.0
"""Which executable lines of a series the suites reach: scripts/coverage's runs, one after the other until nothing is left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mhp import paths
from mhp.arch import Arch
from mhp.check import guests, prefixes
from mhp.check.model import Job
from mhp.coverage import command, judge, model, patches, scope
from mhp.coverage.model import Data
from mhp.coverage.patches import Own
from mhp.coverage.scope import Run
from mhp.exits import Exit, MhpError
from mhp.lock import locked
from mhp.progress import say
from mhp.tree import PreparedTree

# Such a run leaves no data; what it came to is for the other checks to say.
_WITHOUT_DATA = (Exit.PANIC, Exit.TIMEOUT, Exit.UNFINISHED, Exit.NOTHING_RAN, Exit.BUILD_FAILED, Exit.CONFIG)

# (the patch's number and subject, file) to line numbers.
Where = Mapping[tuple[str, str], list[int]]


@dataclass
class Reached:
    """What was counted. runs: those that were made; lost: whether one left no data; why: there is nothing, and why;
    texts: the lines of each file."""

    unreached: Where = field(default_factory=dict)
    uncompiled: Where = field(default_factory=dict)
    executable: int = 0
    runs: list[str] = field(default_factory=list)
    lost: bool = False
    notes: tuple[str, ...] = ()
    texts: Mapping[str, list[str]] = field(default_factory=dict)
    why: str = ""


def count(job: Job) -> Reached:
    """Count on the whole series. A run is left out when it can reach nothing that is not reached already."""
    with locked(guests.place(job)):
        side = guests.at(job, len(job.series.patches))
        below = prefixes.of(job).states[0].tip
        touched = patches.touched(side.git, below)
        if not touched:
            return Reached(why="the series touches no C file")
        return _counted(side, below, touched)


def _counted(side: PreparedTree, below: str, touched: list[str]) -> Reached:
    chosen = scope.read_scope(paths.COVERAGE / "scope")
    data: Data = {}
    notes: list[str] = []
    runs: list[str] = []
    lost = False
    seen: set[str] = set()
    found: judge.Judged | None = None
    counters = patches.with_counters(side, below, touched)
    for run in scope.read_runs(paths.COVERAGE / "runs"):
        if run.which == scope.FULL or not wanted(run, left_of(found, run.target in seen) if found else touched):
            continue
        if missing := guests.tools(run.target):
            notes += [missing] if missing not in notes else []
            continue
        say(f"gcov: {run.name}")
        objects = command.instrumented(chosen, counters, Arch(run.target))
        try:
            _status, counted = command.count(run, side, objects, command.Asked())
        except MhpError as err:
            if err.status not in _WITHOUT_DATA:
                raise
            lost = True
            notes.append(f"{run.name}: {str(err).partition(chr(10))[0]}")
            continue
        data = model.merge([data, counted])
        runs.append(run.name)
        seen.add(run.target)
        found = _judged(side, below, touched, data)
    if found is None:
        return Reached(why=f"no run gave data: {'; '.join(notes)}", notes=tuple(notes), lost=lost)
    texts = {name: (side.path / name).read_text(encoding="utf-8", errors="replace").splitlines() for name in touched}
    never = set(found.unreached)
    unreached = [{name: [number for number in numbers if (name, number) in never]
                  for name, numbers in own.executable.items()} for own in found.own]
    return Reached(_where(found.own, unreached), _where(found.own, [own.uncompiled for own in found.own]),
                   found.series.found, runs, lost, tuple(notes), texts)


def left_of(found: judge.Judged, seen: bool) -> set[str]:
    """The files with lines that are left: unreached, and for an architecture that has not been seen those without code."""
    left = {name for name, _number in found.unreached}
    return left if seen else left | {name for one in found.own for name in one.uncompiled}


def wanted(run: Run, left: Iterable[str]) -> bool:
    """Whether a run can reach anything in one of these files."""
    own = Path("arch") / Arch(run.target).source
    return any(not name.startswith("arch/") or Path(name).is_relative_to(own) for name in left)


def _judged(side: PreparedTree, below: str, touched: list[str], data: Data) -> judge.Judged:
    own = patches.attribute(side, below, touched, data)
    return judge.judge(side.path, data, own, scope.Scope({}), scope.read_exclusions(paths.COVERAGE / "exclusions"),
                       scope.read_thresholds(paths.COVERAGE / "thresholds"))


def _where(own: Iterable[Own], lines: Iterable[Mapping[str, list[int]]]) -> Where:
    return {(f"{place}: {one.patch.subject}", name): numbers for place, (one, files) in enumerate(zip(own, lines), 1)
            for name, numbers in files.items() if numbers}

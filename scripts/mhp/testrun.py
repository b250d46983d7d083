# SPDX-License-Identifier: GPL-2.0
"""`make test`: run the parts one after the other and add up their cases."""

import time
from collections.abc import Sequence
from pathlib import Path

from mhp import log, results, testparts
from mhp.exits import Exit, MhpError
from mhp.progress import say
from mhp.results import Counts
from mhp.testparts import Context, Outcome, Part
from mhp.tree import prepare

_SKIPS_SHOWN = 50

# Runs only when asked for.
LONG = "long"


def chosen(only: Sequence[str], parts: Sequence[Part]) -> list[Part]:
    """The parts of these names or groups; all but the long ones when none is named.

    Raises MhpError(USAGE) for a name that is none.
    """
    names = {part.name for part in parts} | {part.group for part in parts}
    for name in only:
        if name not in names:
            raise MhpError(Exit.USAGE, f"--only {name}: no such part; `scripts/test --list` shows them")
    return [part for part in parts if (part.name in only or part.group in only if only else part.group != LONG)]


def run_part(part: Part, context: Context) -> Outcome:
    """A part's outcome; that it cannot be run, or has no test, is a failure."""
    try:
        outcome = part.work(context)
    except MhpError as err:
        return Outcome(Counts(failed=1), (f"{err.status.name}: {err}",))
    if outcome.counts.passed + outcome.counts.failed == 0:
        return Outcome(outcome.counts + Counts(failed=1), (*outcome.problems, "it found no test"), outcome.skips)
    return outcome


def last_line(total: Counts) -> str:
    """The last line of the output: what was skipped did not pass."""
    return f"{total.passed} passed, {total.failed} failed" + (
        f", {total.skipped} skipped" if total.skipped else "")


def run(only: Sequence[str], kdir: Path | None, jobs: int | None, verbose: bool) -> int:
    """Run the parts, print a line for each and the sum last; returns the exit status."""
    parts = chosen(only, testparts.parts())
    tree = prepare(kdir, True)  # it is tested as well
    output = tree.build / "test"
    output.mkdir(parents=True, exist_ok=True)
    flags = [f"--kdir={kdir.absolute()}"] if kdir else []
    flags += [f"--jobs={jobs}"] if jobs else []
    context = Context(tree, tuple(flags), output, verbose)
    total = results.Counts()
    lines, problems, skips = [], [], []
    start = time.monotonic()
    for number, part in enumerate(parts, 1):
        say(f"[{number}/{len(parts)}, {time.monotonic() - start:.0f} s] {part.name}: {part.about}")
        begun = time.monotonic()
        outcome = run_part(part, context)
        total += outcome.counts
        lines.append(f"{part.name:20} {outcome.counts}, {time.monotonic() - begun:.1f} s")
        print(lines[-1], flush=True)
        for problem in outcome.problems:
            print(f"  {part.name}: {problem}", flush=True)
        problems += [f"{part.name}: {problem.partition(chr(10))[0]}" for problem in outcome.problems
                     if not problem.startswith(" ")]
        skips += [f"{part.name}: {skip}" for skip in outcome.skips]
    _summary(lines, problems, skips)
    print(last_line(total), flush=True)
    return Exit.FINDINGS if total.failed else Exit.PASS


def _summary(lines: Sequence[str], problems: Sequence[str], skips: Sequence[str]) -> None:
    print()
    for skip in skips[:_SKIPS_SHOWN]:
        print(f"skipped: {log.printable(skip)}")
    if len(skips) > _SKIPS_SHOWN:
        print(f"skipped: {len(skips) - _SKIPS_SHOWN} more")
    for line in lines:
        print(line)
    for problem in problems:
        print(f"failed: {log.printable(problem)}")

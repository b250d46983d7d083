# SPDX-License-Identifier: GPL-2.0
"""--matrix: one boot for each line of scripts/matrix, reported together."""

import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mhp import log, matrix, options, verdict
from mhp.builddir import BuildDir
from mhp.exits import Exit, MhpError
from mhp.matrix import Row
from mhp.options import Options
from mhp.progress import say
from mhp.results import SKIP, Counts
from mhp.verdict import Verdict

Boot = Callable[[Options], tuple[Verdict, BuildDir]]

_SKIPS_SHOWN = 20


@dataclass(frozen=True)
class Done:
    """A boot that was tried. decided is None when it did not come to one, and error says why."""

    row: Row
    status: Exit
    decided: Verdict | None
    error: str = ""


def command(asked: Options, boot: Boot) -> int:
    """Boot all lines, print a line for each and what is wrong; returns the worst exit status."""
    rows = matrix.chosen(str(asked.matrix), asked.seen.arch if _names_arch(asked) else None)
    done = []
    for number, row in enumerate(rows, 1):
        say(f"[{number}/{len(rows)}] {row.name}: {row.arch}, {row.about}")
        begun = time.monotonic()
        done.append(_one(asked, row, boot))
        _print(done[-1], time.monotonic() - begun)
    return _sum(done)


def _names_arch(asked: Options) -> bool:
    return any(options.full_flag(word) == "--arch" for word in asked.rest)


def _typed(asked: Options, row: Row) -> list[str]:
    """The command line that does the one boot."""
    words = options.without_flag(list(asked.rest), "--arch")
    kdir = [*([f"--kdir={asked.kdir}"] if asked.kdir else []), *(["--series"] if asked.series else [])]
    return [asked.subcommand, f"--boot={row.name}", *kdir, *words]


def _one(asked: Options, row: Row, boot: Boot) -> Done:
    try:
        decided, build = boot(options.parse(_typed(asked, row)))
    except MhpError as err:
        return Done(row, err.status, None, str(err))
    # The next boot of this build has the log's name.
    kept = build.path / f"boot-{row.name}.log"
    if build.log.exists():
        shutil.copyfile(build.log, kept)
    again = f"scripts/kunit.py {shlex.join(_typed(asked, row))}"
    lines = verdict.summary(decided, log_path=str(kept), repeat=again)
    return Done(row, decided.status, decided, "\n".join(lines) if decided.status else "")


def _print(done: Done, seconds: float) -> None:
    counts = done.decided.counts if done.decided else "did not boot"
    print(f"{done.row.name:20} {done.status.name}: {counts}, {seconds:.1f} s", flush=True)
    for line in done.error.splitlines():
        print(f"    {line}", flush=True)


def never_ran(boots: Sequence[Done]) -> dict[str, str]:
    """Cases that every boot skipped, and the reason in the last one."""
    skipped: dict[str, str] = {}
    ran: set[str] = set()
    for done in boots:
        for case in done.decided.cases if done.decided else ():
            if case.status != SKIP:
                ran.add(case.name)
            elif done.decided:
                skipped[case.name] = done.decided.skips.get(case.name, "")
    return {name: why for name, why in skipped.items() if name not in ran}


def _sum(boots: Sequence[Done]) -> int:
    skipped = never_ran(boots)
    for name, why in list(skipped.items())[:_SKIPS_SHOWN]:
        print(f"skipped in every boot: {log.printable(name)}: {log.printable(why) or 'no reason given'}")
    if len(skipped) > _SKIPS_SHOWN:
        print(f"skipped in every boot: {len(skipped) - _SKIPS_SHOWN} more")
    total = Counts()
    for done in boots:
        total += done.decided.counts if done.decided else Counts(failed=1)
    failed = [done for done in boots if done.status]
    status = failed[0].status if failed else Exit.PASS
    name = "PASS" if not failed else f"FAIL, {status.name}"
    names = f": {', '.join(done.row.name for done in failed)}" if failed else ""
    print(f"verdict: {name} (exit status {int(status)}); {len(boots) - len(failed)} of {len(boots)} boots are right"
          f"{names}; {total}", flush=True)
    return int(status)

# SPDX-License-Identifier: GPL-2.0
"""Several boots of one kernel: the same one again and again, or one for each suite or case."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.ktap import Finding
from mhp.progress import Progress, say
from mhp.state import write_whole
from mhp.verdict import NO_MATCH, Verdict, merge

VERDICT_FILE = "mhp-verdict.json"
_LISTED = re.compile(r"[^\s.]+\.[^\s.]+$")


def difference(first: Verdict, other: Verdict) -> str | None:
    """In what two verdicts differ, or None."""
    if first.signature == other.signature:
        return None
    before = {case.name: case.status for case in first.cases}
    after = {case.name: case.status for case in other.cases}
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            return f"{name}: {before.get(name, 'absent')}, then {after.get(name, 'absent')}"
    return f"{first.status.name}, then {other.status.name}"


def boots(times: int, boot: Callable[[int], Verdict]) -> Verdict:
    """Boot `times` times. The first boot that differs from boot 1 ends it, and is a failure.

    boot: called with the number of the boot, from 1.
    """
    first = boot(1)
    with Progress("booting", times, "boots") as progress:
        for number in range(2, times + 1):
            progress.at(number - 1)
            other = boot(number)
            if (how := difference(first, other)) is not None:
                case = how.partition(":")[0] if ":" in how else ""
                wrong = Finding(Exit.FINDINGS, f"boot {number} differs from boot 1: {how}", 0, case)
                return merge([first, other], [wrong])
        progress.at(times)
    say(f"{times} boots, {times} equal verdicts")
    return first


def isolated(listed: Sequence[str], by: str, glob: str, boot: Callable[[str], Verdict]) -> Verdict:
    """One boot for each case, or with by="suite" for each suite, of a listing "suite.case".

    glob: the user's filter glob; its part after the dot narrows each suite.
    """
    names = [name for name in listed if _LISTED.match(name)]
    if not names:
        raise MhpError(Exit.NOTHING_RAN, NO_MATCH)
    if by == "suite":
        cases = glob.partition(".")[2]
        names = [f"{suite}.{cases}" if cases else suite
                 for suite in dict.fromkeys(name.partition(".")[0] for name in names)]
    return merge([boot(name) for name in names])


def save(directory: Path, decided: Verdict) -> None:
    """Leave the verdict in the build directory, for programs."""
    counts = decided.counts
    text = json.dumps({
        "status": decided.status.name, "exit_status": int(decided.status),
        "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped,
        "findings": [{"kind": item.kind.name, "title": item.title, "case": item.case, "line": item.line}
                     for item in decided.findings],
        "cases": {case.name: case.status for case in decided.cases},
        "skips": dict(decided.skips)}, indent=1)
    write_whole(directory / VERDICT_FILE, text.encode(errors="backslashreplace"))

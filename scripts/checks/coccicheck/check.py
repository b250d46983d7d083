# SPDX-License-Identifier: GPL-2.0
"""The kernel's semantic patches in their report mode on the touched C files, before and after."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mhp.check import compare
from mhp.check.model import Finding, Job, Report, Status
from mhp.exits import Exit, MhpError
from mhp.run import run

_TIMEOUT_SECONDS = 120
_REPORT = re.compile(rb"^virtual\s+.*\breport\b", re.MULTILINE)


def check(job: Job) -> Report:
    """WARN for each message that was not there before."""
    patch = job.one
    names = [name for name in patch.paths if name.endswith(".c")]
    if not names:
        return Report(summary="no C file")
    rules = [path for path in sorted((job.tree.path / "scripts/coccinelle").rglob("*.cocci"))
             if _REPORT.search(path.read_bytes())]
    if not rules:
        return Report(skipped="this kernel has no semantic patches")
    assert patch.before and patch.after
    late: list[str] = []

    def said(commit: str, wanted: list[Path]) -> dict[Path, list[compare.Message]]:
        top = job.scratch / commit
        files = compare.extract(job.git, commit, names, top)
        with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
            return dict(zip(wanted, pool.map(lambda rule: _apply(rule, top, files, late), wanted)))

    after = said(patch.after, rules)
    # Only what is said now can be new.
    before = said(patch.before, [rule for rule, messages in after.items() if messages])
    new = compare.new(sum(before.values(), []), sum(after.values(), []))
    findings = [Finding(Status.WARN, message.text, message.where) for message in new]
    notes = tuple(f"{rule} was not done within {_TIMEOUT_SECONDS} s" for rule in sorted(set(late)))
    return Report(tuple(findings), summary=f"{len(rules)} semantic patches, nothing new", notes=notes)


def _apply(rule: Path, top: Path, files: list[str], late: list[str]) -> list[compare.Message]:
    if not files:
        return []
    try:
        done = run(["spatch", "-D", "report", "--no-show-diff", "--very-quiet", "--no-includes", "--cocci-file", rule,
                    *files], cwd=top, timeout=_TIMEOUT_SECONDS)
    except MhpError as err:
        if err.status != Exit.TIMEOUT:
            raise
        late.append(rule.name)
        return []
    return compare.read(done.text, str(top))

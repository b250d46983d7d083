# SPDX-License-Identifier: GPL-2.0
"""The kernel's own checkpatch.pl: run once a patch, its messages shared out among the checks by type."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

from mhp import run
from mhp.check.model import Finding, Job, Status
from mhp.exits import Exit, MhpError
from mhp.git import clean_environment

SCRIPT = "scripts/checkpatch.pl"
_TIMEOUT_SECONDS = 120
_MESSAGE = re.compile(r"^(ERROR|WARNING|CHECK):([A-Z_0-9]+): (.*)$")
_PLACE = re.compile(r"^#(?P<line>\d+): FILE: (?P<file>.+?):(?P<number>\d+):$|^#(?P<only>\d+):")

# Types that a check of its own looks at.
SIGNOFF = ("BAD_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "MISSING_SIGN_OFF", "FROM_SIGN_OFF_MISMATCH")
REPORTED = ("BAD_REPORTED_BY_LINK",)
FIXES = ("BAD_FIXES_TAG", "MISSING_FIXES_TAG")
SPDX = ("SPDX_LICENSE_TAG",)
# They ask git about commits that a base without history does not have.
HISTORY = ("UNKNOWN_COMMIT_ID", "GIT_COMMIT_ID")

_known: dict[tuple[Path, bytes], tuple[tuple[str, Finding], ...]] = {}
_lock = threading.Lock()
_running: dict[tuple[Path, bytes], threading.Lock] = {}


def messages(job: Job, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What checkpatch.pl says about the patch: these types only, or all without some."""
    if not job.series.history:
        without = (*without, *HISTORY)
    where = (job.tree.path, job.one.raw)
    with _lock:
        mine = _running.setdefault(where, threading.Lock())
    with mine:
        if where not in _known:
            _known[where] = _run(job)
    return tuple(finding for kind, finding in _known[where] if (kind in only if only else kind not in without))


def _run(job: Job) -> tuple[tuple[str, Finding], ...]:
    argv: list[run.Arg] = [job.tree.path / SCRIPT, "--strict", "--no-summary", "--show-types", "--color=never", "--codespell"]
    dictionary = Path("/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt")
    if dictionary.is_file():
        argv.append(f"--codespellfile={dictionary}")
    patch = job.scratch / "the.patch"
    patch.write_bytes(job.one.raw)
    done = run.run([*argv, patch], cwd=job.tree.path, env=clean_environment(), timeout=_TIMEOUT_SECONDS)
    if done.status not in (0, 1):
        raise MhpError(Exit.FINDINGS, f"{run.shown(done.argv)}\nended with status {done.status}:\n{done.error_tail}")
    return tuple(_parse(done.text))


def _parse(text: str) -> list[tuple[str, Finding]]:
    found = []
    for paragraph in re.split(r"\n\n+", text):
        lines = paragraph.splitlines()
        head = _MESSAGE.match(lines[0]) if lines else None
        if not head:
            continue
        place = _PLACE.match(lines[1]) if len(lines) > 1 else None
        where = f"{place['file']}:{place['number']}" if place and place["file"] else ""
        level = Status.FAIL if head[1] == "ERROR" else Status.WARN
        found.append((head[2], Finding(level, f"{head[2]}: {head[3]}", where, "\n".join(lines[1:]))))
    return found

# SPDX-License-Identifier: GPL-2.0
"""kernel-doc comments of the files that the patch touches, before and after."""

import re
import tempfile
from pathlib import Path

from mhp.check import compare
from mhp.check.model import Finding, Job, Report, Status
from mhp.check.once import Once
from mhp.exits import Exit, MhpError
from mhp.run import run, shown

_TIMEOUT_SECONDS = 60
# As newer kernels' script begins a message.
_LEVEL = re.compile(r"^(?:Warning|Error|Info): (\S+:\d+):? ", re.MULTILINE)
_said: Once[list[compare.Message]] = Once()


def check(job: Job) -> Report:
    """WARN for each message that was not there before."""
    patch = job.one
    names = [name for name in patch.paths if name.endswith((".c", ".h"))]
    if not names:
        return Report(summary="no C file")
    assert patch.before and patch.after
    before, after = (_messages(job, commit, names) for commit in (patch.before, patch.after))
    findings = [Finding(Status.WARN, message.text, message.where) for message in compare.new(before, after, patch.renamed)]
    return Report(tuple(findings), summary=f"nothing new in {len(names)} file{'s' if len(names) > 1 else ''}",
                  notes=(f"{len(before)} messages were there before",) if before else ())


def _messages(job: Job, commit: str, names: list[str]) -> list[compare.Message]:
    entries = job.git.entries(commit, names)
    return [message for name, entry in sorted(entries.items())
            for message in _said.get((job.tree.path, name, entry.oid), lambda: _of_file(job, commit, name))]


def _of_file(job: Job, commit: str, name: str) -> list[compare.Message]:
    """What is said of a file; each version of it is the one after a patch, and the one before the next."""
    with tempfile.TemporaryDirectory(dir=job.scratch) as top:
        compare.extract(job.git, commit, [name], Path(top))
        done = run([job.tree.path / "scripts/kernel-doc", "-none", name], cwd=Path(top), timeout=_TIMEOUT_SECONDS)
        said = compare.read(_LEVEL.sub(r"\1: ", done.stderr.decode(errors="backslashreplace")), top)
    if done.status and not said:
        raise MhpError(Exit.NOTHING_RAN, f"`{shown(done.argv)}` ended with status {done.status}: {done.error_tail}")
    return said

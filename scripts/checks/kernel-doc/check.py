# SPDX-License-Identifier: GPL-2.0
"""kernel-doc comments of the files that the patch touches, before and after."""

from mhp.check import compare
from mhp.check.model import Finding, Job, Report, Status
from mhp.run import run

_TIMEOUT_SECONDS = 60


def check(job: Job) -> Report:
    """WARN for each message that was not there before."""
    patch = job.one
    names = [name for name in patch.paths if name.endswith((".c", ".h"))]
    if not names:
        return Report(summary="no C file")
    assert patch.before and patch.after
    before, after = (_messages(job, commit, names) for commit in (patch.before, patch.after))
    findings = [Finding(Status.WARN, message.text, message.where) for message in compare.new(before, after)]
    return Report(tuple(findings), summary=f"nothing new in {len(names)} file{'s' if len(names) > 1 else ''}",
                  notes=(f"{len(before)} messages were there before",) if before else ())


def _messages(job: Job, commit: str, names: list[str]) -> list[compare.Message]:
    top = job.scratch / commit
    files = compare.extract(job.git, commit, names, top)
    if not files:
        return []
    done = run([job.tree.path / "scripts/kernel-doc", "-none", *files], cwd=top, timeout=_TIMEOUT_SECONDS)
    return compare.read(done.stderr.decode(errors="backslashreplace"), str(top))

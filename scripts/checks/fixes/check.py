# SPDX-License-Identifier: GPL-2.0
"""The Fixes tags of a patch."""

import re

from mhp.check import checkpatch, trailers
from mhp.check.model import Finding, Job, Report, Status

_FORM = re.compile(r"([0-9a-f]{12}) \(\"(.+)\"\)")


def check(job: Job) -> Report:
    """FAIL for another form, a commit that is not there, or another subject than it has."""
    tags = [tag for tag in trailers.read(job.one.mail.message) if tag.name.lower() == "fixes"]
    findings = [finding for tag in tags for finding in _tag(job, tag)]
    findings += _checkpatch(job, bool(findings))
    if not tags:
        return Report(tuple(findings), summary="no Fixes tag")
    if not job.series.history:
        return Report(tuple(findings), skipped="the base has no history, so whether the commit exists is not known; "
                      "the form is right")
    if unknown := [tag for tag in tags if _is_cut_off(job, tag)]:
        return Report(tuple(findings), skipped=f"{len(unknown)} commits are not there, and the history is cut off (a shallow "
                      "clone): `git fetch --unshallow` brings it")
    return Report(tuple(findings), summary=f"{len(tags)} checked against the history")


def _checkpatch(job: Job, told: bool) -> list[Finding]:
    """What checkpatch.pl says of tags, also of what hardly looks like one; of a wrong one only when nothing here did."""
    asked = checkpatch.FIXES if job.series.history and not told else checkpatch.MISSING_FIXES
    return list(checkpatch.messages(job, only=asked))


def _is_cut_off(job: Job, tag: trailers.Trailer) -> bool:
    """Whether a commit may be behind the end of a shallow history."""
    found = _FORM.fullmatch(tag.value)
    return found is not None and _is_shallow(job) and job.git.resolve(f"{found[1]}^{{commit}}") is None


def _is_shallow(job: Job) -> bool:
    return (job.git.gitdir / "shallow").exists()


def _tag(job: Job, tag: trailers.Trailer) -> list[Finding]:
    found = _FORM.fullmatch(tag.value)
    if not found:
        return [Finding(Status.FAIL, "not of the form: Fixes: <12 digits> (\"<subject>\")", details=str(tag))]
    if tag.name != "Fixes":
        return [Finding(Status.FAIL, f"written \"{tag.name}\", not \"Fixes\"", details=str(tag))]
    if not job.series.history:
        return []
    commit = job.git.resolve(f"{found[1]}^{{commit}}")
    if not commit:
        return [] if _is_shallow(job) else [Finding(Status.FAIL, f"commit {found[1]} is not in this repository", details=str(tag))]
    subject = job.git.text("show", "-s", "--format=%s", commit)
    if subject != found[2]:
        return [Finding(Status.FAIL, f"commit {found[1]} has another subject", details=f"{tag}\nit is: {subject}")]
    if job.git.run("merge-base", "--is-ancestor", commit, job.series.base).status:
        return [Finding(Status.WARN, f"commit {found[1]} is not among those below the base", details=str(tag))]
    return []

# SPDX-License-Identifier: GPL-2.0
"""The Fixes tags of a patch."""

import re

from mhp.check import trailers
from mhp.check.model import Finding, Job, Report, Status

_FORM = re.compile(r"([0-9a-f]{12}) \(\"(.+)\"\)")


def check(job: Job) -> Report:
    """FAIL for another form, a commit that is not there, or another subject than it has."""
    tags = [tag for tag in trailers.read(job.one.mail.message) if tag.name.lower() == "fixes"]
    if not tags:
        return Report(summary="no Fixes tag")
    findings = [finding for tag in tags for finding in _tag(job, tag)]
    if not job.series.history:
        return Report(tuple(findings), skipped="the base has no history, so whether the commit exists is not known; "
                      "the form is right")
    return Report(tuple(findings), summary=f"{len(tags)} checked against the history")


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
        return [Finding(Status.FAIL, f"commit {found[1]} is not in this repository", details=str(tag))]
    subject = job.git.text("show", "-s", "--format=%s", commit)
    if subject != found[2]:
        return [Finding(Status.FAIL, f"commit {found[1]} has another subject", details=f"{tag}\nit is: {subject}")]
    if job.git.run("merge-base", "--is-ancestor", commit, job.series.base).status:
        return [Finding(Status.WARN, f"commit {found[1]} is not among those below the base", details=str(tag))]
    return []

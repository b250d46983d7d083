# SPDX-License-Identifier: GPL-2.0
"""The cover letter of a series."""

from mhp.check.model import Finding, Job, Report, Status
from mhp.mails import subject_of

_LEAST_CHARACTERS = 80


def check(job: Job) -> Report:
    """WARN when there is none and there should be, FAIL when git's template is still in it."""
    series = job.series
    if series.cover is None:
        if len(series.patches) < 2:
            return Report(summary="a single patch needs none")
        if series.coverless:
            return Report(skipped=series.coverless)
        return Report((Finding(Status.WARN, f"no cover letter for {len(series.patches)} patches",
                               details="git format-patch --cover-letter makes one"),))
    subject = subject_of(series.cover)
    text = series.cover.replace(b"\r\n", b"\n").partition(b"\n\n")[2].decode(errors="replace")
    findings = [Finding(Status.FAIL, f"the cover letter still says \"{word}\"") for word in
                ("*** SUBJECT HERE ***", "*** BLURB HERE ***", "EDITME: cover title for") if word in subject + text]
    blurb = text.partition("\n-- \n")[0].partition("\n---\n")[0]
    if not findings and len(blurb.strip()) < _LEAST_CHARACTERS:
        findings.append(Finding(Status.WARN, "the cover letter says next to nothing"))
    return Report(tuple(findings), summary="there is one, and it is filled in")

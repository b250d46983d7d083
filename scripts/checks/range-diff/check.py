# SPDX-License-Identifier: GPL-2.0
"""git range-diff against the version before."""

import re

from mhp.check.model import Finding, Job, Report, Status

_LINE = re.compile(r"^\s*(\d+|-):\s+(?:[0-9a-f]+|-+) ([=!<>]) \s*(\d+|-):")


def check(job: Job) -> Report:
    """WARN when nothing has changed, or when the new version has no new number."""
    before = job.series.previous
    if before is None:
        return Report(skipped="no version before was given (--previous)")
    if not before.applies:
        return Report(skipped="the version before does not apply to the base")
    text = job.git.text("range-diff", "--no-color", "--creation-factor=80", f"{before.base}..{before.tip}",
                        f"{job.series.base}..{job.series.tip}")
    signs = [match[2] for line in text.splitlines() if (match := _LINE.match(line))]
    findings = []
    if set(signs) <= {"="} and job.series.patches:
        findings.append(Finding(Status.WARN, "nothing has changed since the version before"))
    old, new = (max((patch.version for patch in one.patches), default=1) for one in (before, job.series))
    if new <= old and any("Subject" in patch.head for patch in job.series.patches) and not job.series.coverless:
        findings.append(Finding(Status.WARN, f"it is called v{new}, and the version before v{old}"))
    kinds = {"=": "the same", "!": "changed", "<": "gone", ">": "new"}
    counts = ", ".join(f"{signs.count(sign)} {kind}" for sign, kind in kinds.items() if sign in signs)
    return Report(tuple(findings), summary=f"patches: {counts}", notes=tuple(text.splitlines()))

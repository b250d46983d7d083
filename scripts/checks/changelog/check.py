# SPDX-License-Identifier: GPL-2.0
"""Changes between versions: told, and where `git am` drops them."""

import re

from mhp.check.model import Finding, Job, Report, Status

_CHANGES = re.compile(r"^\s*(?:(?:changes|changelog)\s+(?:since|from|in)\s+(?:rfc\s*)?v?\d|v\d+\s*(?:->|→|\.\.)\s*v\d"
                      r"|(?:rfc\s*)?v\d+\s*:\s*$|(?:rfc\s*)?v\d+:\s+\S|changes in v\d|changelog:\s*$)", re.IGNORECASE)


def check(job: Job) -> Report:
    """FAIL for changes inside the commit message, WARN when a new version tells of none."""
    patch = job.one
    findings = [Finding(Status.FAIL, "the changes between versions are part of the commit message", details=line)
                for line in patch.body.splitlines() if _CHANGES.match(line)][:1]
    told = [patch.below_dashes, (job.series.cover or b"").decode(errors="replace")]
    if patch.version > 1 and not findings and not any(
            _CHANGES.match(line) for text in told for line in text.splitlines()):
        findings.append(Finding(Status.WARN, f"version {patch.version} does not say what has changed",
                                details="below '---', or in the cover letter"))
    if not patch.body.strip():
        findings.append(Finding(Status.FAIL, "there is no changelog"))
    where = "below '---' or in the cover letter" if patch.version > 1 else "nothing to tell of in a first version"
    return Report(tuple(findings), summary=where)

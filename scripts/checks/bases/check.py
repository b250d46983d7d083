# SPDX-License-Identifier: GPL-2.0
"""Does the series apply to the kernels of --onto and of the other prepared trees as well?"""

from mhp.check import bases
from mhp.check.model import Finding, Job, Report, Status


def check(job: Job) -> Report:
    """WARN for each kernel that it does not apply to; where it does not apply to the base, that is what `applies` is about,
    and it is only told which others it applies to."""
    found = bases.others(job)
    if not found:
        return Report(skipped="no other kernel is known here; --onto REVISION names one")
    findings, good = [], []
    for base in found:
        problem = bases.problem(base, job.series.patches)
        if problem:
            findings.append(Finding(Status.WARN, f"does not apply to {base.name}", details=problem))
        else:
            good.append(base.name)
    notes = tuple(f"applies to {name}" for name in good)
    # A full disk makes git say the same.
    keep = not findings
    if job.series.applies:
        return Report(tuple(findings), summary=f"also applies to {', '.join(good)}", notes=notes, keep=keep)
    notes += tuple(f"{finding.text}:\n{finding.details}" for finding in findings)
    if not good:
        return Report(skipped=f"it does not apply to {', '.join(base.name for base in found)} either", notes=notes, keep=keep)
    return Report(summary=f"applies to {', '.join(good)}, not to the base", notes=notes, keep=keep)

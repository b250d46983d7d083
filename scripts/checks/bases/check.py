# SPDX-License-Identifier: GPL-2.0
"""Does the series apply to the kernels of --onto and of the other prepared trees as well?"""

from mhp.check import bases
from mhp.check.model import Finding, Job, Report, Status


def check(job: Job) -> Report:
    """WARN for each kernel that it does not apply to."""
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
    # A full disk makes git say the same.
    return Report(tuple(findings), keep=not findings, summary=f"also applies to {', '.join(good)}",
                  notes=tuple(f"applies to {name}" for name in good))

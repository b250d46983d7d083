# SPDX-License-Identifier: GPL-2.0
"""Does the patch apply, and as it was written?"""

from mhp.check.model import Finding, Job, Report, Status


def check(job: Job) -> Report:
    """FAIL when it does not apply, WARN when only with other context than it was written for."""
    patch = job.one
    if not patch.before:
        return Report(skipped=patch.problem, keep=False)
    if not patch.after:
        first, _, rest = patch.problem.partition("\n")
        return Report((Finding(Status.FAIL, first, details=rest),))
    if patch.drift:
        return Report((Finding(Status.WARN, "applies, but not as it was written", details="\n".join(patch.drift)),))
    return Report(summary=f"applies; {len(patch.paths)} file{'s' if len(patch.paths) > 1 else ''}")

# SPDX-License-Identifier: GPL-2.0
"""Can the series be bisected? Each prefix is built and booted, and compared case by case with the one before."""

from mhp.check import by_case, guests, prefixes
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """FAIL for a kernel that does not build any more, a case or a guest that is worse than without the patch."""
    number = job.one.number
    if cannot := prefixes.cannot_run(job, number):
        return cannot
    before, after = guests.outcome(job, number - 1), guests.outcome(job, number)
    base = "the base" if number == 1 else ""
    return by_case.report([by_case.compare(before, after, "um")], f"{after.counts}", base)

# SPDX-License-Identifier: GPL-2.0
"""checkpatch.pl, without the messages that another check is about."""

from mhp.check import checkpatch
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """Errors fail; warnings and checks warn."""
    elsewhere = (*checkpatch.SIGNOFF, *checkpatch.REPORTED, *checkpatch.FIXES, *checkpatch.SPDX)
    notes = () if job.series.history else ("commit ids in the changelog are not looked up: the base has no history",)
    return Report(checkpatch.messages(job, without=elsewhere), summary="no complaint", notes=notes)

# SPDX-License-Identifier: GPL-2.0
"""What clang says at W=1 about the touched files, before and after."""

from mhp.check import kernels, new_messages
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """FAIL when clang does not compile it, WARN for each new message."""
    return new_messages.report(job, [kernels.one(name, "clang") for name in kernels.touched(job.one.paths)], "W=1")

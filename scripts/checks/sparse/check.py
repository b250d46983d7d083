# SPDX-License-Identifier: GPL-2.0
"""What sparse says about the touched files, before and after."""

from mhp.check import kernels, new_messages
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """WARN for each new message."""
    return new_messages.report(job, [kernels.one(name) for name in kernels.touched(job.one.paths)], "C=1",
                               keep=lambda message: "[-W" not in message.text)

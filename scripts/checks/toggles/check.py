# SPDX-License-Identifier: GPL-2.0
"""Do the touched files compile with options off (or on) that they may depend on?"""

from mhp.check import kernels, new_messages
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """FAIL for a file that does not compile any more, WARN for a new warning."""
    return new_messages.report(job, [one for name in kernels.touched(job.one.paths) for one in kernels.kernels("toggle", name)])

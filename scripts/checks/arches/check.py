# SPDX-License-Identifier: GPL-2.0
"""Do the touched files compile for every architecture, without new warnings?"""

from mhp.check import kernels, new_messages
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """FAIL for a file that does not compile any more, WARN for a new warning."""
    return new_messages.report(job, kernels.kernels("arch"))

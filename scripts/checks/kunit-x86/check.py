# SPDX-License-Identifier: GPL-2.0
"""The boots of scripts/matrix for x86_64 that `make test` makes, on the base and after the last patch."""

from mhp.check import by_case
from mhp.check.model import Job, Report


def check(job: Job) -> Report:
    """FAIL for a kernel that does not build any more, a case or a guest that is worse than without the series."""
    return by_case.whole_series(job, "x86_64")

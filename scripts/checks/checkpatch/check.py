# SPDX-License-Identifier: GPL-2.0
"""checkpatch.pl, without the messages that another check is about."""

import re

from mhp.check import checkpatch
from mhp.check.model import Finding, Job, Report

_CAMELCASE = re.compile(r"^CAMELCASE: Avoid CamelCase: <(\w+)>$")
_HEADERS = ("include", "mm", "arch/*/include")


def check(job: Job) -> Report:
    """Errors fail; warnings and checks warn."""
    elsewhere = (*checkpatch.SIGNOFF, *checkpatch.REPORTED, *checkpatch.FIXES, *checkpatch.SPDX)
    notes = [] if job.series.history else ["commit ids in the changelog are not looked up: the base has no history"]
    found = checkpatch.messages(job, without=elsewhere)
    ours = tuple(finding for finding in found if not _is_the_kernel_s(job, finding))
    if len(ours) != len(found):
        notes.append(f"{len(found) - len(ours)} messages about names like __SetPageReserved() left out: the kernel's own")
    return Report(ours, summary="no complaint", notes=tuple(notes))


def _is_the_kernel_s(job: Job, finding: Finding) -> bool:
    """Whether it complains of a name that the base uses already, such as a page flag's accessor."""
    name = _CAMELCASE.match(finding.text)
    return name is not None and job.git.run("grep", "-q", "-w", "-F", name[1], job.series.base, "--", *_HEADERS).status == 0

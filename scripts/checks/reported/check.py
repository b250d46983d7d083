# SPDX-License-Identifier: GPL-2.0
"""Reported-by and Closes."""

import re

from mhp.check import checkpatch, trailers
from mhp.check.model import Finding, Job, Report, Status


def check(job: Job) -> Report:
    """checkpatch's message about Reported-by, and the form of Closes."""
    found = trailers.read(job.one.mail.message)
    findings = list(checkpatch.messages(job, only=checkpatch.REPORTED))
    findings += [Finding(Status.WARN, "Closes is not a link to the report", details=str(tag)) for tag in found
                 if tag.name == "Closes" and not re.match(r"https?://\S+", tag.value)]
    count = sum(tag.name.startswith("Reported") for tag in found)
    return Report(tuple(findings), summary=f"{count} with its report" if count else "no Reported-by")

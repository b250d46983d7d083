# SPDX-License-Identifier: GPL-2.0
"""Changes between versions: told, and where `git am` drops them."""

import re

from mhp import mails
from mhp.check import trailers
from mhp.check.model import Finding, Job, Report, Status

_V = r"(?:rfc(?:\s*v?\d+)?|v\d+(?!\.?\d))"
_TO = r"\s*(?:->|=>|→|\.\.|to)\s*"
# Inside a commit message only what can be nothing else: a sentence may begin with "changes in v6.8".
_HEADING = re.compile(rf"^\s*(?:(?:changes?|change\s?log)\s+(?:since|from|in|for)\s+{_V}(?:{_TO}{_V})?\s*(?::.*)?$|change\s?log\s*:\s*$"
                      rf"|{_V}{_TO}{_V}\s*:?\s*$|(?:rfc\s*)?v\d+\s*:(?:\s|$))", re.IGNORECASE)
# Below '---' and in a cover letter any of the ways in which people tell.
_TOLD = re.compile(r"\b(?:change\s*log|changes?|changed|history|range-diff|differences?)\b.*(?:\bv?\d|:\s*$)|\bsince\s+(?:rfc|v\d)"
                   r"|^\W*(?:in\s+)?(?:rfc\s*)?(?:patch\s*)?v\d+\b.*(?::|->|=>|→)", re.IGNORECASE)
# What git writes there by itself.
_DIFFSTAT = re.compile(r"^ (?:\S.* \| +(?:\d|Bin)|\d+ files? changed, |(?:create|delete) mode |(?:rename|copy|mode change|rewrite) )")
_LINE_CHARS = 500  # longer ones, which are no line of people's, take patterns long


def check(job: Job) -> Report:
    """FAIL for changes inside the commit message, WARN when a new version tells of none."""
    patch = job.one
    findings = [Finding(Status.FAIL, "the changes between versions are part of the commit message", details=line)
                for line in patch.body.splitlines() if _HEADING.match(line[:_LINE_CHARS])][:1]
    told = [patch.below_dashes, (job.series.cover or b"").decode(errors="replace")]
    notes = []
    if patch.version > 1 and not findings and not any(_tells(line) for text in told for line in text.splitlines()):
        if job.series.cover is None and job.series.coverless and mails.tag_of(mails.subject_of(patch.raw)).number:
            notes.append(f"what has changed in version {patch.version} may be told in the cover letter, which is not here: "
                         f"{job.series.coverless}")
        else:
            findings.append(Finding(Status.WARN, f"version {patch.version} does not say what has changed",
                                    details="below '---', or in the cover letter"))
    tags = {trailer.line for trailer in trailers.read(patch.mail.message)}
    if not any(line.strip() for number, line in enumerate(patch.mail.message.splitlines(), start=1)
               if number > 1 and number not in tags):
        findings.append(Finding(Status.FAIL, "there is no changelog"))
    where = "below '---' or in the cover letter" if patch.version > 1 else "nothing to tell of in a first version"
    return Report(tuple(findings), summary=where, notes=tuple(notes))


def _tells(line: str) -> bool:
    return not _DIFFSTAT.match(line) and _TOLD.search(line[:_LINE_CHARS]) is not None

# SPDX-License-Identifier: GPL-2.0
"""Do the suites run what the series adds and changes? Counted by gcov, with the runs of coverage/runs."""

from mhp.check import prefixes, reached
from mhp.check.model import Finding, Job, Report, Status

_SHOWN = 12


def check(job: Job) -> Report:
    """WARN for each patch and file with lines that are executable and never ran; what nothing compiles is a note."""
    if cannot := prefixes.cannot_run(job, len(job.series.patches)):
        return cannot
    found = reached.count(job)
    if found.why:
        return Report(skipped=found.why, notes=found.notes, keep=not found.lost)
    findings = [Finding(Status.WARN, f"{len(lines)} executable lines are reached by no suite ({subject})",
                        f"{name}:{lines[0]}", "\n".join(f"{number}: {found.texts[name][number - 1]}"
                                                        for number in lines[:_SHOWN]))
                for (subject, name), lines in found.unreached.items()]
    notes = [f"{name}:{lines[0]}: {len(lines)} lines of code are compiled by none of these runs ({subject})"
             for (subject, name), lines in found.uncompiled.items()]
    return Report(tuple(findings), notes=(*found.notes, *notes), keep=not found.lost,
                  summary=f"all {found.executable} executable lines are reached, in {', '.join(found.runs)}")

# SPDX-License-Identifier: GPL-2.0
"""The kernel's semantic patches in their report mode on the touched C files, before and after."""

from mhp.check import compare, semantic
from mhp.check.model import Finding, Job, Report, Status


def check(job: Job) -> Report:
    """WARN for each message that was not there before."""
    if not semantic.names(job.one):
        return Report(summary="no C file")
    rules = semantic.rules(job)
    if not rules:
        return Report(skipped="this kernel has no semantic patches")
    after = semantic.after(job, rules)
    # Only what is said now can be new.
    before = semantic.before(job, [rule for rule in rules if any(said[semantic.name(rule)] for said in after.values())])
    late = sorted({rule for one in (before, after) for said in one.values() for rule, messages in said.items()
                   if messages is None})
    old, new = ([message for said in one.values() for rule, messages in said.items() if rule not in late
                 for message in messages or ()] for one in (before, after))
    findings = [Finding(Status.WARN, message.text, message.where) for message in compare.new(old, new)]
    return Report(tuple(findings), summary=f"{len(rules)} semantic patches, nothing new",
                  notes=tuple(f"{rule} was not done in time" for rule in late))

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
    speaks = {rule for said in after.values() for rule, messages in said.items()
              if messages and not isinstance(messages, str)}
    before = semantic.before(job, [rule for rule in rules if semantic.name(rule) in speaks])
    silent = {rule: messages for one in (before, after) for said in one.values() for rule, messages in said.items()
              if isinstance(messages, str)}
    left_out = tuple(f"{rule} {why}" for rule, why in sorted(silent.items()))
    if len(silent) == len(rules):
        return Report(skipped=f"none of {len(rules)} semantic patches could be used: {left_out[0]}", notes=left_out, keep=False)
    old, new = ([message for said in one.values() for rule, messages in said.items()
                 if rule not in silent and not isinstance(messages, str) for message in messages]
                for one in (before, after))
    findings = [Finding(Status.WARN, message.text, message.where) for message in compare.new(old, new, job.one.renamed)]
    return Report(tuple(findings), summary=f"{len(rules) - len(silent)} semantic patches, nothing new", left_out=left_out,
                  keep=not silent)

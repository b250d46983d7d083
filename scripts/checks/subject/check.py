# SPDX-License-Identifier: GPL-2.0
"""The subject: its form, and its prefix against the commits that touched the same files."""

import re
from collections import Counter

from mhp.check.model import Finding, Job, Report, Status
from mhp.exits import Exit, MhpError
from mhp.run import run

_COMMITS = 60
_TIMEOUT_SECONDS = 20
# "mm/slub: ", "mm: slub: ", "mm slub: " and "x86, mm: ".
_PREFIX = re.compile(r"^([^\s:]+(?:, [^\s:]+)*(?: [^\s:]+)?:(?: [^\s:]+:)*) \S")
_AGAIN = re.compile(r'^(?:Revert|Reapply) "(.+)"$')
_LONGEST = 75


def check(job: Job) -> Report:
    """FAIL without a prefix, WARN for one that no earlier commit of these files has."""
    subject = job.one.subject
    findings = list(_form(subject))
    found = _prefix(subject)
    if not found:
        findings.append(Finding(Status.FAIL, "the subject has no prefix (\"mm/memory_hotplug: ...\")", details=subject))
        return Report(tuple(findings))
    if not job.series.history:
        return Report(tuple(findings), skipped="the base has no history, so the prefix "
                      f"\"{found[1]}\" is compared with nothing; the subject's form is right")
    seen = _prefixes(job)
    if seen is None:
        return Report(tuple(findings), skipped=f"the history of its files took longer than {_TIMEOUT_SECONDS} s to read", keep=False)
    if seen and found[1].lower() not in seen:
        usual = ", ".join(f"\"{prefix}\" ({count})" for prefix, count in seen.most_common(4))
        findings.append(Finding(Status.WARN, f"no commit to these files has the prefix \"{found[1]}\"",
                                details=f"the last {_COMMITS} use {usual}"))
    return Report(tuple(findings), summary=f"prefix \"{found[1]}\": {seen[found[1].lower()]} of the last "
                  f"{seen.total()} commits to these files")


def _prefix(subject: str) -> re.Match[str] | None:
    """Its prefix; of a revert that of the commit which it is about."""
    again = _AGAIN.match(subject)
    return _PREFIX.match(again[1] if again else subject)


def _form(subject: str) -> list[Finding]:
    found = []
    if len(subject) > _LONGEST:
        found.append(Finding(Status.WARN, f"the subject has {len(subject)} characters; {_LONGEST} are the limit"))
    if subject.endswith("."):
        found.append(Finding(Status.WARN, "the subject ends with a full stop"))
    return found


def _prefixes(job: Job) -> "Counter[str] | None":
    """How often each prefix was used, in small letters; None when that was not found out in time."""
    argv = job.git.argv("log", f"--max-count={_COMMITS}", "--no-merges", "--format=%s", job.series.base, "--",
                        *job.one.paths)
    try:
        done = run(argv, cwd=job.git.worktree, env=job.git.environment(), timeout=_TIMEOUT_SECONDS)
    except MhpError as err:
        if err.status != Exit.TIMEOUT:
            raise
        return None
    return Counter(found[1].lower() for line in done.text.splitlines() if (found := _prefix(line)))

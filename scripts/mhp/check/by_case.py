# SPDX-License-Identifier: GPL-2.0
"""A run of the suites against the same run without the patch, case by case."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mhp.check import guests, prefixes
from mhp.check.guests import Fault, Outcome
from mhp.check.model import Finding, Job, Report, Status
from mhp.exits import Exit
from mhp.results import FAIL, PASS, SKIP, Counts


_NUMBER = re.compile(r"\b(?:0x)?[0-9a-f]*[0-9][0-9a-f]*\b")

# What a whole guest came to; the cases behind it are not there for that reason, and are not told one by one.
_WHOLE = (Exit.PANIC.name, Exit.TIMEOUT.name, Exit.UNFINISHED.name, Exit.NOTHING_RAN.name)


@dataclass
class Compared:
    """What two runs come to.

    base_fails: neither is right, and the one without the patch is not the patch's fault. useless: nothing could be
    learnt of the patch. unbuilt: a kernel was not built, for which a full disk can be the reason, too.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    base_fails: bool = False
    useless: bool = False
    unbuilt: bool = False


def compare(before: Outcome, after: Outcome, what: str) -> Compared:
    """What the patch has done to the run `what`; whatever was wrong before is not its fault."""
    found = Compared(base_fails=not before.right and not after.right and not _is_blank(before))
    if before.error or after.error:
        _builds(before, after, what, found)
        return found
    _faults(before, after, what, found)
    ended = any(fault.kind in _WHOLE for fault in after.faults)
    for name in dict.fromkeys([*before.cases, *after.cases]):
        _case(name, before, after, what, ended, found)
    if not before.right:
        found.notes.append(f"{what}, without the patch: {before.status}, {before.counts}")
    found.notes.append(f"{what}: {after.status}, {after.counts}")
    # Nothing was learnt of cases that neither guest came to.
    found.useless = not found.findings and not after.right and any(fault.kind in _WHOLE for fault in before.faults)
    return found


def _is_blank(outcome: Outcome) -> bool:
    """Whether the boot is about something that this kernel does not have: every case was skipped, and says why."""
    return outcome.status == Exit.NOTHING_RAN.name and set(outcome.cases.values()) == {SKIP}


def report(compared: Sequence[Compared], summary: str, base: str) -> Report:
    """One report on several runs. base: what "without the patch" is, where that is the base itself; else ""."""
    findings = [finding for one in compared for finding in one.findings]
    keep = not any(one.unbuilt for one in compared)
    notes = tuple(note for one in compared for note in one.notes)
    broken = bool(base) and any(one.base_fails for one in compared)
    if broken and not findings and all(one.useless for one in compared):
        return Report(skipped=f"the base is broken: {base} does not pass the suites without the series", notes=notes,
                      broken=True, keep=keep)
    if not findings and compared and all(one.useless for one in compared):
        return Report(skipped="nothing can be said: no case ran, or the guest came to its end too early, before this patch, too",
                      notes=notes, keep=keep)
    summary = f"{base} fails by itself, the series makes nothing worse; {summary}" if broken else summary
    return Report(tuple(findings), summary=summary, notes=notes, broken=broken, keep=keep)


def _builds(before: Outcome, after: Outcome, what: str, found: Compared) -> None:
    found.unbuilt = True
    if before.error:
        found.notes.append(f"{what}, without the patch: {before.status}\n{before.error}")
        found.useless = bool(after.error)
    if after.error and not before.error:
        how = "does not build" if after.status == Exit.BUILD_FAILED.name else "gets another .config than was asked for"
        found.findings.append(Finding(Status.FAIL, f"{what}: the kernel {how}", details=after.error))
    elif not after.error:
        found.notes.append(f"{what}: it builds now, without the patch it does not; {after.counts}")
        found.findings += [Finding(Status.FAIL, f"{what}: {fault.title}", fault.case, fault.text)
                           for fault in after.faults]


def _faults(before: Outcome, after: Outcome, what: str, found: Compared) -> None:
    """Reports of the kernel and bad ends that are new; failed cases are for _case()."""
    old = Counter((fault.kind, _same(fault)) for fault in before.faults)
    for fault in after.faults:
        if fault.kind == Exit.FINDINGS.name:
            continue
        if old[fault.kind, _same(fault)]:
            old[fault.kind, _same(fault)] -= 1
            found.notes.append(f"{what}: not new: {fault.title}")
        else:
            found.findings.append(Finding(Status.FAIL, f"{what}: {fault.kind}: {fault.title}", fault.case, fault.text))


def _same(fault: Fault) -> str:
    """What makes it the same fault in another kernel: addresses, offsets and lines have moved there, and a guest that
    hangs or dies without a word does not always come as far."""
    if fault.kind in (Exit.TIMEOUT.name, Exit.UNFINISHED.name):
        return ""
    return _NUMBER.sub("#", fault.title)


def _case(name: str, before: Outcome, after: Outcome, what: str, ended: bool, found: Compared) -> None:
    old, new = before.cases.get(name), after.cases.get(name)
    if new not in (None, PASS, SKIP):
        fault = next((one for one in after.faults if one.kind == Exit.FINDINGS.name and one.case == name), None)
        if old not in (None, PASS, SKIP):
            found.notes.append(f"{what}: {name} fails without the patch, too")
        elif not ended or new == FAIL:
            was = {PASS: "passed before", SKIP: "was skipped before", None: "is new"}[old]
            found.findings.append(Finding(Status.FAIL, f"{what}: {fault.title if fault else f'{name} failed'}; it {was}",
                                          name, fault.text if fault else ""))
    elif old == PASS and new is None and not ended:
        found.findings.append(Finding(Status.WARN, f"{what}: {name} is gone; it passed before", name))
    elif old == PASS and new == SKIP:
        found.findings.append(Finding(Status.WARN, f"{what}: {name} is skipped now; it passed before", name,
                                      after.skips.get(name, "")))
    elif old not in (None, PASS, SKIP) and new == PASS:
        found.notes.append(f"{what}: {name} passes now, and failed before")


def whole_series(job: Job, arch: str) -> Report:
    """The boots of an architecture, without the series and with all of it."""
    if cannot := prefixes.cannot_run(job, len(job.series.patches)):
        return cannot
    if missing := guests.tools(arch):
        return Report(skipped=missing)
    rows = guests.rows(arch)
    # All boots of one kernel, then all of the other: the work tree moves once.
    before, after = ([guests.outcome(job, number, row) for row in rows] for number in (0, len(job.series.patches)))
    compared = [compare(old, new, row.name) for old, new, row in zip(before, after, rows, strict=True)]
    total = sum((one.counts for one in after), Counts())
    return report(compared, f"{len(rows)} boots: {total}", "the base")

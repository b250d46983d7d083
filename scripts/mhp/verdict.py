# SPDX-License-Identifier: GPL-2.0
"""The one place that decides whether a run is right, from the log, the results and how it ended.

Several faults at once: the one that says how the guest ended comes before what its kernel reported,
and that before what the cases say. PANIC, TIMEOUT, UNFINISHED, NOTHING_RAN, REPORT, FINDINGS is the
order for the exit status; all of them are printed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mhp.exits import Exit
from mhp.ktap import Finding
from mhp.log import GuestLog, printable
from mhp.results import FAIL, NO_RESULT, PASS, SKIP, Case, Counts, count

_ORDER = (Exit.PANIC, Exit.TIMEOUT, Exit.UNFINISHED, Exit.NOTHING_RAN, Exit.REPORT, Exit.FINDINGS)
_FULL_OF_A_KIND = 3
_SHORT_OF_A_KIND = 20
_SKIPS_SHOWN = 20
NO_MATCH = "no test case matched; `scripts/kunit.py run --list_tests` shows them"
_ALL_SKIPPED = "every case was skipped: nothing was tested"


@dataclass(frozen=True)
class Boot:
    """How a guest came to its end.

    status: upstream's exit status. timed_out: seconds after which it was stopped, or None. stopped:
    another reason why it was stopped. must_halt: its clean end belongs into the log (a log given to
    `parse` may be a part).
    """

    status: int = 0
    timed_out: int | None = None
    stopped: str | None = None
    must_halt: bool = True


@dataclass(frozen=True)
class Verdict:
    """The decision: exit status, why, and the cases. known: titles of reports that do not count."""

    status: Exit
    findings: tuple[Finding, ...] = ()
    cases: tuple[Case, ...] = ()
    skips: Mapping[str, str] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    expected: int = 0
    last: str = ""

    @property
    def counts(self) -> Counts:
        """The cases, counted."""
        return count(self.cases)

    @property
    def signature(self) -> tuple[object, ...]:
        """What must be equal in every repetition of the run."""
        kinds = sorted({(finding.kind.name, finding.case) for finding in self.findings})
        return (self.status.name, tuple(kinds), tuple(sorted((case.name, case.status) for case in self.cases)))


def _worst(findings: Sequence[Finding]) -> Exit:
    kinds = {finding.kind for finding in findings}
    return next((kind for kind in _ORDER if kind in kinds), Exit.PASS)


def _how_it_ended(log: GuestLog, boot: Boot) -> list[Finding]:
    found = list(log.panics)
    where = f" after {log.ktap.last}" if log.ktap.last else ""
    if boot.timed_out is not None:
        found.append(Finding(Exit.TIMEOUT, f"the guest did not end within {boot.timed_out} s; the last "
                             f"result came{where or ' not at all'}", 0, log.ktap.suite, log.tail))
    elif boot.stopped or log.cut:
        found.append(Finding(Exit.UNFINISHED, boot.stopped or "the log is too long: only its beginning "
                             "was read", 0, log.ktap.suite, log.tail))
    elif boot.must_halt and not log.halted and not log.panics:
        found.append(Finding(Exit.UNFINISHED, f"the guest died without a word{where}", 0,
                             log.ktap.suite, log.tail))
    return found


def _what_ran(log: GuestLog, cases: Sequence[Case]) -> list[Finding]:
    if not log.ktap.seen:
        return [Finding(Exit.NOTHING_RAN, "no KTAP in the log: KUnit did not start", 0, "", log.tail)]
    if not cases:
        return [Finding(Exit.NOTHING_RAN, NO_MATCH)]
    if all(case.status == SKIP for case in cases):
        return [Finding(Exit.NOTHING_RAN, _ALL_SKIPPED)]
    return []


def _what_failed(log: GuestLog, cases: Sequence[Case]) -> list[Finding]:
    found = []
    for case in cases:
        if case.status not in (PASS, SKIP) and not (log.ktap.gaps and case.name.endswith(NO_RESULT)):
            how = "failed" if case.status == FAIL else "did not end"
            at = log.ktap.failed_at.get(case.name, "")
            found.append(Finding(Exit.FINDINGS, printable(f"{case.name} {how}" + (f" at {at}" if at else "")),
                                 0, case.name))
    failed = [finding.case for finding in found]
    for path, line in log.ktap.not_ok.items():
        if not any(f"{name}.".startswith(f"{path}.") or path.startswith(f"{name}.") for name in failed):
            found.append(Finding(Exit.FINDINGS, printable(f"{path} is not ok, but none of its cases failed"), line, path))
    return found


def _sort(log: GuestLog, known: Mapping[str, str]) -> tuple[list[Finding], tuple[str, ...]]:
    """The reports that count, and the titles of those that are known."""
    reports, excused = [], []
    for report in log.ktap.reports:
        reason = next((reason for text, reason in known.items() if text in report.said), None)
        if reason is None:
            reports.append(report)
        else:
            excused.append(f"{report.title} ({reason})")
    return reports, tuple(excused)


def judge(log: GuestLog, cases: Sequence[Case], boot: Boot, known: Mapping[str, str]) -> Verdict:
    """Decide. known: texts of reports that are no fault (known_reports.py)."""
    reports, excused = _sort(log, known)
    findings = [*_how_it_ended(log, boot), *log.ktap.gaps, *_what_ran(log, cases), *reports,
                *_what_failed(log, cases)]
    if boot.status and not findings:
        findings.append(Finding(Exit.FINDINGS, f"upstream's kunit.py ended with status {boot.status}; "
                                "its own words are above"))
    return Verdict(_worst(findings), tuple(findings), tuple(cases), log.ktap.skips, excused,
                   log.ktap.expected, log.ktap.last)


def judge_listing(log: GuestLog, boot: Boot, known: Mapping[str, str]) -> Verdict:
    """Decide about a guest that only lists its tests: it must end well and report nothing."""
    reports, excused = _sort(log, known)
    findings = [*_how_it_ended(log, boot), *reports]
    if boot.status and not findings:
        findings.append(Finding(Exit.NOTHING_RAN, "upstream's kunit.py could not list the tests", 0, "",
                                log.tail))
    return Verdict(_worst(findings), tuple(findings), known=excused)


def merge(verdicts: Sequence[Verdict], more: Sequence[Finding] = ()) -> Verdict:
    """One verdict on several boots, with further findings about them."""
    findings = [*more, *(finding for one in verdicts for finding in one.findings)]
    cases = tuple(case for one in verdicts for case in one.cases)
    if any(case.status == PASS for case in cases):
        findings = [finding for finding in findings if finding.title != _ALL_SKIPPED]
    return Verdict(_worst(findings), tuple(findings), cases,
                   {name: reason for one in verdicts for name, reason in one.skips.items()},
                   tuple(dict.fromkeys(title for one in verdicts for title in one.known)),
                   sum(one.expected for one in verdicts), verdicts[-1].last if verdicts else "")


def moved(verdict: Verdict, lines: int) -> Verdict:
    """A verdict on a log that lies behind so many lines of another."""
    return replace(verdict, findings=tuple(replace(finding, line=finding.line + lines) if finding.line else finding
                                           for finding in verdict.findings))


def narrow_glob(verdict: Verdict) -> str | None:
    """The filter glob for a run of just what failed; None when that cannot be told."""
    found = {".".join(finding.case.split(".")[:2]) for finding in verdict.findings if finding.case}
    if len(found) == 1:
        only = found.pop()
        return only if "." in only else f"{only}.*"
    suites = {name.split(".")[0] for name in found}
    return f"{suites.pop()}.*" if len(suites) == 1 else None


def summary(verdict: Verdict, *, log_path: str, repeat: str) -> list[str]:
    """The lines for the user."""
    lines = []
    for kind in _ORDER:
        of_kind = [finding for finding in verdict.findings if finding.kind == kind]
        for i, finding in enumerate(of_kind[:_SHORT_OF_A_KIND]):
            lines.append(f"{kind.name}: {printable(finding.title)}{_where(finding)}")
            if i < _FULL_OF_A_KIND:
                lines += [f"    | {text}" for text in finding.text]
        if len(of_kind) > _SHORT_OF_A_KIND:
            lines.append(f"{kind.name}: {len(of_kind) - _SHORT_OF_A_KIND} more like these")
    skipped = [case for case in verdict.cases if case.status == SKIP]
    for case in skipped[:_SKIPS_SHOWN]:
        reason = printable(verdict.skips.get(case.name, "")) or "no reason given"
        lines.append(f"skipped: {printable(case.name)}: {reason}")
    if len(skipped) > _SKIPS_SHOWN:
        lines.append(f"skipped: {len(skipped) - _SKIPS_SHOWN} more")
    lines += [f"known report, not counted: {title}" for title in verdict.known]
    if verdict.expected:
        lines.append(f"reports that a case had announced: {verdict.expected}")
    if verdict.status != Exit.PASS:
        lines += [f"log: {log_path}", f"repeat: {repeat}"]
    name = "PASS" if verdict.status == Exit.PASS else f"FAIL, {verdict.status.name}"
    lines.append(f"verdict: {name} (exit status {int(verdict.status)}); {verdict.counts}")
    return lines


def _where(finding: Finding) -> str:
    parts = [f"line {finding.line}" if finding.line else "",
             finding.case if finding.kind != Exit.FINDINGS else ""]
    text = ", ".join(printable(part) for part in parts if part)
    return f" ({text})" if text else ""

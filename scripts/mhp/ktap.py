# SPDX-License-Identifier: GPL-2.0
"""Follow KTAP line by line: which case is under way, and whether every plan is fulfilled.

The results themselves are not read here, upstream's parser does that (results.py). But upstream only
counts a plan that is not fulfilled as an "error" and may still call the run passed.

A test that provokes a report on purpose (a WARN_ON_ONCE() on bad arguments) says so beforehand with
a line of its own, `# CASE: expect report: TEXT` (kunit_info()). The next WARN() of the same case that
says TEXT, in its message or its own line, is then no fault; one that does not come is.
"""

import re
from dataclasses import dataclass, field, replace

from mhp.exits import Exit

INDENT = 4

# WARN()'s own line, as 6.12 and as later kernels print it; lockdep's and RCU's begin with the same word.
WARN = re.compile(r"WARNING: (?:CPU: \d+ PID: \d+ at |\S+:\d+ at )")
HEADER = re.compile(r" *KTAP version \d+$")
RESULT = re.compile(r"( *)(?:not )?ok (\d+)\b(?: -)? ?(.*)$")
_PLAN = re.compile(r"( *)1\.\.(\d+)(?:\s|$)")
_SUBTEST = re.compile(r"( *)# Subtest: (.*)$")
_SKIP = re.compile(r" # SKIP ?(.*)$")
_EXPECT = re.compile(r" *# ([^:]+): expect report: (.+)$")
_FAILED = re.compile(r" *# ([^:]+): (?:EXPECTATION|ASSERTION) FAILED at (.*)$")


@dataclass(frozen=True)
class Finding:
    """Something in a log that makes the run fail.

    line: its number in the log, from 1; 0 when it is something that is missing. case: "suite.case"
    that was under way, "suite" when only that is known, or "". text: the lines that matter. said: of a report those that
    say what it is about.
    """

    kind: Exit
    title: str
    line: int = 0
    case: str = ""
    text: tuple[str, ...] = ()
    said: str = ""


@dataclass
class _Plan:
    """A plan under way: so many results, got so far, said in that line."""

    name: str
    planned: int
    line: int
    got: int = 0


@dataclass
class Ktap:
    """What was followed so far; line() takes the next line and end() says that there is none."""

    seen: bool = False                                      # a KTAP header was printed
    gaps: list[Finding] = field(default_factory=list)       # plans that are not fulfilled
    reports: list[Finding] = field(default_factory=list)    # reports, with the case they belong to
    expected: int = 0                                       # reports that a case had announced
    skips: dict[str, str] = field(default_factory=dict)     # "suite.case": reason
    not_ok: dict[str, int] = field(default_factory=dict)    # "suite", "suite.case": line, of "not ok"
    failed_at: dict[str, str] = field(default_factory=dict)  # "suite.case": where a check failed
    last: str = ""                                          # the last case that ended
    _plans: dict[int, _Plan] = field(default_factory=dict)  # by indentation
    _names: dict[int, str] = field(default_factory=dict)    # subtest under way, by indentation
    _waiting: list[Finding] = field(default_factory=list)   # reports whose case has not ended yet
    _announced: list[tuple[str, str, int]] = field(default_factory=list)  # case, text, line
    _failing: dict[str, str] = field(default_factory=dict)

    @property
    def suite(self) -> str:
        """The suite that is under way, or ""."""
        return self._names.get(INDENT, "")

    def line(self, number: int, text: str) -> None:
        """Take the next line of the log, without printk's prefix."""
        # Most lines of a long log are none of ours: the first characters tell without a search.
        start = text.lstrip(" ")[:4]
        if start == "KTAP":
            self.seen = self.seen or bool(HEADER.match(text))
        elif not self.seen:
            return
        elif start.startswith(("ok ", "not ")):
            if found := RESULT.match(text):
                self._result(number, len(found[1]), int(found[2][:9]), found[3], start == "not ")
        elif start.startswith("1.."):
            if found := _PLAN.match(text):
                indent = len(found[1])
                self._close(indent)
                self._plans[indent] = _Plan(self._names.get(indent, ""), int(found[2][:9]), number)
        elif start.startswith("#"):
            self._comment(number, text)

    def _comment(self, number: int, text: str) -> None:
        if found := _SUBTEST.match(text):
            self._names[len(found[1])] = found[2].strip()
        elif found := _EXPECT.match(text):
            self._announced.append((found[1].strip(), found[2].strip(), number))
        elif found := _FAILED.match(text):
            self._failing.setdefault(found[1].strip(), found[2])

    def report(self, finding: Finding) -> None:
        """A report came: a fault, unless the case under way has announced it."""
        if not self.seen:
            self.reports.append(finding)    # at boot, before any case
            return
        for i, (_case, text, _line) in enumerate(self._announced):
            if text in finding.said and WARN.match(finding.title):
                del self._announced[i]
                self.expected += 1
                return
        self._waiting.append(finding)

    def end(self) -> None:
        """The log is over: what is still open will not be closed."""
        self._settle(self.suite)
        for indent in sorted(self._plans, reverse=True):
            self._check(self._plans[indent], "cases" if indent else "suites")
        self._plans.clear()

    def _path(self, indent: int, name: str) -> str:
        outer = [self._names.get(i, "") for i in range(INDENT, indent + 1, INDENT)]
        return ".".join([part for part in outer if part] + [name])

    def _result(self, number: int, indent: int, index: int, text: str, failed: bool) -> None:
        name = text.partition(" # ")[0].strip()
        path = self._path(indent, name)
        self._close(indent + 1)
        for deeper in [key for key in self._names if key > indent]:
            del self._names[deeper]
        self._settle(path)
        if indent:
            self.last = path
        if skip := _SKIP.search(text):
            self.skips[path] = skip[1]
        elif failed:
            self.not_ok.setdefault(path, number)
        if name in self._failing:
            self.failed_at.setdefault(path, self._failing.pop(name))
        plan = self._plans.get(indent)
        if plan is not None:
            plan.got += 1
            if index != plan.got:
                self.gap(f"result {plan.got} of {plan.name or 'the run'} is numbered {index}", number)
                plan.got = index

    def _settle(self, case: str) -> None:
        """`case` ends: the reports since the result before are its own, and its announcements are due."""
        self.reports += [replace(finding, case=case) for finding in self._waiting]
        self._waiting.clear()
        self.reports += [
            Finding(Exit.REPORT, f"{name} announced a report that did not come: {text}", line, case)
            for name, text, line in self._announced]
        self._announced.clear()

    def gap(self, title: str, line: int) -> None:
        """Something is missing."""
        self.gaps.append(Finding(Exit.UNFINISHED, title, line, self.suite))

    def _check(self, plan: _Plan, what: str) -> None:
        if plan.got < plan.planned:
            self.gap(f"{plan.name or 'the run'}: {plan.got} of {plan.planned} {what} ended", plan.line)

    def _close(self, indent: int) -> None:
        """No more results at `indent` or deeper."""
        for key in sorted(key for key in self._plans if key >= indent):
            self._check(self._plans.pop(key), "cases")

# SPDX-License-Identifier: GPL-2.0
"""What a guest's log says: how the guest ended, and what its kernel reports.

The log is the console output of a kernel that may be broken: bytes that are no text, of any length.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from mhp.exits import Exit
from mhp.ktap import HEADER, RESULT, WARN, Finding, Ktap

# More than this is no test log but a kernel that prints without end.
LIMIT_BYTES = 64 * 1024 * 1024

_LINES_BEFORE = 3
_LINES_SHOWN = 30
_LINES_TAIL = 15
_LINE_CHARS = 300
_LINES_OF_A_REPORT = 200    # no report of the kernel is longer

# printk's time stamp and caller, as they come before the text.
_PREFIX = re.compile(r"(?:<\d+>)?(?:\[ *\d+\.\d+\])?(?:\[ *[TC]\d+\])? ?")

_PANIC = re.compile(r"Kernel panic - not syncing")
# WARN() and BUG() begin with this line on most architectures; what is wrong comes some lines later.
_CUT_HERE = re.compile(r"-{8,}\[ cut here \]-{8,}")
_CUT_HERE_LINES = 12
# What WARN() was given comes before the line or, on um, after it, up to one of these.
_MESSAGE_LINES = 8
_AFTER_MESSAGE = re.compile(r"CPU: \d|Modules linked in:|Hardware name:|Call Trace:|Stack:")
# Each of these begins a report of its own.
_HEAD = re.compile(
    r"WARNING: "                            # WARN(), lockdep, RCU
    r"|(?:watchdog: )?BUG: "                # KASAN, KCSAN, bad page state, lockups, sleeping in atomic
    r"|\[ BUG: "                            # lockdep
    r"|BUG .+ \((?:Not t|T)ainted"          # SLUB: a red zone, a free list
    r"|kernel BUG at "
    r"|UBSAN: "
    r"|watchdog: (?:Watchdog detected hard|CPU \d+ (?:self-)?detected hard) LOCKUP"
    r"|smp: csd: Detected non-responsive "
    r"|pagealloc: (?:single bit error|memory corruption)"
    r"|kmemleak: \d+ new suspected memory leak"
    r"|(?:rcu: )?INFO: (?:\S+ (?:self-)?detected |task .+ blocked "
    r"|trying to register non-static key|rcu\S* detected )")
# "page dumped because: unmovable page" is none: offlining that is refused says so, as it should.
# These may also be what WARN() was given, which is then counted once.
_LINE = re.compile(
    r"(?:Internal error: )?Oops\b|general protection fault|Unable to handle kernel "
    r"|unreferenced object 0x|Bad page (?:state|map)"
    r"|Altmap not fully unmapped|(?:list_add|list_del) corruption|refcount_t: "
    r"|DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator"
    r"|INFO: possible "
    r"|kmemleak: (?:Cannot|Found|Object already|Trying|Freeing|Partially freeing|Memory pool empty)")
# The second of these belongs to the first.
_OOPS = (re.compile(r"BUG: (?:[Uu]nable|[Kk]ernel)|kernel BUG at |general protection|Unable to handle"),
         re.compile(r"(?:Internal error: )?Oops\b"))
_LEAKS = (re.compile(r"kmemleak: \d+ new"), re.compile(r"unreferenced object"))
_DROPPED = re.compile(r"\*\* \d+ printk messages dropped \*\*")
_BEGINS = re.compile("|".join(part.pattern for part in (_CUT_HERE, _HEAD, _LINE)))
_END_OF_REPORT = re.compile(r"---\[ end |={20,}$")
_HALTED = re.compile(r"reboot: (?:System halted|Power down|Restarting system)")


@dataclass(frozen=True)
class GuestLog:
    """A log that was read.

    halted: the kernel came to its clean end. cut: the log is longer than LIMIT_BYTES, only its
    beginning was read. panics: at most one, the first. tail: the last lines.
    """

    ktap: Ktap = field(default_factory=Ktap)
    halted: bool = False
    cut: bool = False
    panics: tuple[Finding, ...] = ()
    tail: tuple[str, ...] = ()


def printable(text: str) -> str:
    """A line that is safe to show: no control characters, and not longer than a reader stands."""
    shown = "".join(c if c.isprintable() else " " if c == "\t" else c.encode("unicode_escape").decode()
                    for c in text[:_LINE_CHARS])
    return shown + (" ..." if len(text) > _LINE_CHARS else "")


def read(path: Path) -> tuple[list[str], bool]:
    """The lines of a log, and whether it was cut at LIMIT_BYTES. A missing file has no lines."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        return [], False
    text = data[:LIMIT_BYTES].decode(errors="backslashreplace")
    # Not splitlines(): it also splits at characters that a broken kernel prints in mid-line.
    return [line.rstrip("\r") for line in text.split("\n")], len(data) > LIMIT_BYTES


def _bare(line: str) -> str:
    if line.startswith(("[", "<")) and (found := _PREFIX.match(line)):
        return line[found.end():]
    return line


def _ends_report(bare: str) -> bool:
    """Whether a line is certainly not of the report before it."""
    return any(pattern.match(bare) for pattern in (RESULT, HEADER, _PANIC, _HEAD, _CUT_HERE))


def _message_end(lines: list[str], head: int) -> int:
    """The line after the last that says what the report at `head` is about."""
    if WARN.match(_bare(lines[head])):
        for i in range(head + 1, min(len(lines), head + _MESSAGE_LINES)):
            bare = _bare(lines[i])
            if _AFTER_MESSAGE.match(bare) or _END_OF_REPORT.match(bare) or _ends_report(bare):
                return i
    return head + 1


def _report_at(lines: list[str], start: int) -> tuple[int, int, int]:
    """The report that begins at `start`: the line that is its title, the one after those that say what it is about, and
    the one after its last.

    It goes up to its end mark, or to a line that is certainly not its own.
    """
    head = start
    if _CUT_HERE.match(_bare(lines[start])):
        for i in range(start + 1, min(len(lines), start + _CUT_HERE_LINES)):
            if _HEAD.match(_bare(lines[i])):
                head = i
                break
        else:
            head = min(start + 1, len(lines) - 1)
    title, about = _bare(lines[head]), _message_end(lines, head)
    for i in range(about, min(len(lines), head + _LINES_OF_A_REPORT)):
        bare = _bare(lines[i])
        if _END_OF_REPORT.match(bare):
            return head, about, i + 1
        if _ends_report(bare) or _LINE.match(bare) and not any(
                first.match(title) and second.match(bare) for first, second in (_OOPS, _LEAKS)):
            return head, about, i
    return head, about, min(len(lines), max(about, head + _LINES_SHOWN))


def _text(lines: list[str], start: int, end: int) -> tuple[str, ...]:
    """What is shown of some lines."""
    return tuple(printable(line) for line in lines[start:end][:_LINES_SHOWN])


def scan(lines: list[str], cut: bool = False) -> GuestLog:
    """Judge the lines of a log (see read())."""
    ktap = Ktap()
    panics: list[Finding] = []
    halted = False
    report_end = 0
    for i, line in enumerate(lines):
        text = _bare(line)
        if _PANIC.match(text):
            if not panics:
                panics.append(Finding(Exit.PANIC, printable(text), i + 1, ktap.suite,
                                      _text(lines, max(0, i - _LINES_BEFORE), i + _LINES_SHOWN)))
        elif i >= report_end and _BEGINS.match(text):
            head, about, report_end = _report_at(lines, i)
            ktap.report(Finding(Exit.REPORT, printable(_bare(lines[head])), head + 1, "", _text(lines, i, report_end),
                                "\n".join(map(_bare, lines[i:about]))))
        elif _HALTED.match(text):
            halted = True
        elif _DROPPED.match(text):
            ktap.gap(f"the log is not complete: {printable(text)}", i + 1)
        else:
            ktap.line(i + 1, text)
    ktap.end()
    tail = [line for line in lines if line.strip()][-_LINES_TAIL:]
    return GuestLog(ktap, halted, cut, tuple(panics), tuple(printable(line) for line in tail))

# SPDX-License-Identifier: GPL-2.0
"""The exit status of every command in scripts/, and the one place that documents them."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses; README's table is checked against this class by a test."""

    PASS = 0           # everything that was asked for ran and is right
    FINDINGS = 1       # a test case failed, or a check found something
    USAGE = 2          # the command line or a file named on it cannot be used
    TIMEOUT = 3        # a guest or a build did not end within its time
    NOTHING_RAN = 4    # no KTAP, no test case matched, or all were skipped
    BROKEN_BASE = 5    # no kernel source, or a patch or shim does not apply to it; or (scripts/check) it fails by itself
    BUILD_FAILED = 6   # the prepared tree does not compile or link
    CONFIG = 7         # the .config that came out is not the one asked for
    UNFINISHED = 8     # the guest stopped before its KTAP plan was complete
    PANIC = 9          # the guest's kernel panicked
    REPORT = 10        # a WARN, BUG, Oops, KASAN, UBSAN, lockdep, RCU stall or kmemleak report in the guest's log
    UNEXPORTED = 11    # edits in the prepared tree would be lost: nothing was touched
    BUSY = 12          # another run holds the build directory
    MISSING_TOOL = 13  # a program this needs is not installed
    INTERNAL = 70      # a fault of mhp-kunit itself, or of the machine: a full disk, a directory that cannot be written
    INTERRUPTED = 130  # Ctrl-C or SIGTERM


class MhpError(Exception):
    """An error with an exit status; str() is what the user reads and says what to do.

    Commands in scripts/ catch it at the top, print it to stderr and exit with `status`.
    """

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status

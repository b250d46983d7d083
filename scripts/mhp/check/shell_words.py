# SPDX-License-Identifier: GPL-2.0
"""Text of a mail that the kernel's checkpatch.pl would give to a shell, unquoted.

It asks other programs about each name in a line `+++ NAME` or `diff --git ... NAME`, wherever in the mail that stands,
and about the licence in the first lines of a file.
"""

import re
import sys
from functools import lru_cache

_ADDED = re.compile(rb"^\+\+\+\s+(\S+)")
_DIFF = re.compile(rb"^diff --git(.*)")
_HARMLESS = re.compile(rb"[\w@%+=:,./~\x80-\xff-]+")
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_DIGITS = 9  # a longer number is not worked out, it counts as 0
_TAG = b"SPDX-License-Identifier: "
# What means something to a shell between double quotes.
_QUOTED = re.compile(rb'[$`"\\]')
# It looks for a licence in line 1 or 2.
_FIRST_LINES = 4


@lru_cache(maxsize=2000)
def first(raw: bytes) -> int:
    """The number of the first line that a shell would not take as plain words; 0 when there is none."""
    # Some of what looks like a hunk is none to it (in a commit message), so this is no more than where it may be.
    line_in_file = sys.maxsize
    for number, line in enumerate(raw.split(b"\n"), start=1):
        name = _ADDED.match(line) or _DIFF.match(line)
        if name and not all(_HARMLESS.fullmatch(word) for word in name[1].split()):
            return number
        if hunk := _HUNK.match(line):
            line_in_file = min(line_in_file, int(hunk[1]) - 1 if len(hunk[1]) <= _DIGITS else -1)
        elif line[:1] in (b" ", b"+"):
            line_in_file += 1
            _before, tag, licence = line.partition(_TAG)
            if line[:1] == b"+" and tag and line_in_file <= _FIRST_LINES and _QUOTED.search(licence):
                return number
    return 0

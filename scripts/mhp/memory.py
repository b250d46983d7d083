# SPDX-License-Identifier: GPL-2.0
"""How much memory a command and all that it starts take at their peak, for `make bench`."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mhp import guard

_PSS = re.compile(rb"^Pss: +(\d+) kB", re.MULTILINE)


@dataclass
class Peak:
    """The most memory, in MiB, that all processes below us took at one time, of the moments when this was called.

    A page that several share counts once. A guest's memory is what it has touched.
    """

    name: str
    mib: int = 0

    def __call__(self) -> None:
        self.mib = max(self.mib, sum(_proportional(pid) for pid in guard.descendants(os.getpid())) >> 10)


def _proportional(pid: int) -> int:
    """A process's memory in KiB, with its share of what it has in common with others; 0 when it has ended."""
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except OSError:
        return 0
    return int(found[1]) if found else 0

# SPDX-License-Identifier: GPL-2.0
"""scripts/known-reports: reports of the kernel that do not make a run fail, each with its reason."""

from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.paths import SCRIPTS

FILE = SCRIPTS / "known-reports"


def read(path: Path = FILE) -> dict[str, str]:
    """TEXT: reason, of each line. Raises MhpError(USAGE) for a line without either."""
    known = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        text, _, reason = (part.strip() for part in line.partition("|"))
        if not text or not reason:
            raise MhpError(Exit.USAGE, f"{path}:{number}: wants `TEXT | reason`")
        known[text] = reason
    return known

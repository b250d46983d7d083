# SPDX-License-Identifier: GPL-2.0
"""Several guests of one kernel side by side, each with a share of the suites: a run takes as long as one share.

Upstream's kunit.py boots one guest at a time, and its log is in the build directory. So each share has a directory
that looks like one, with a link to the kernel, and is an upstream run of its own. This file is also the program that
starts them and waits: guard.py takes one command.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Suites are called mhp_NAME; these first letters of names take about the same time.
_LETTERS = ("a-l", "m-r", "s", "t-z")
_DIRECTORY = "shares"
_ENDED = "ended.json"


@dataclass(frozen=True)
class Share:
    """A guest: its filter glob, and the directory that upstream takes for the build directory."""

    glob: str
    path: Path

    @property
    def output(self) -> Path:
        """What upstream said, where that is not shown at once."""
        return self.path / "output"


def globs(guests: int) -> list[str]:
    """Filter globs of which exactly one takes each suite mhp_*, for that many guests or fewer."""
    if guests < 2:
        return ["*"]
    guests = 4 if guests >= 4 else 2
    size = len(_LETTERS) // guests
    groups = ["".join(_LETTERS[at:at + size]) for at in range(0, len(_LETTERS), size)]
    return [f"mhp_[{letters}]*" for letters in groups[:-1]] + [f"mhp_[!{''.join(groups[:-1])}]*"]


def prepare(build: Path, kernel: Path, wanted: Sequence[str]) -> list[Share]:
    """Directories for the globs below a build directory, each new but for its link to the kernel."""
    top = build / _DIRECTORY
    shutil.rmtree(top, ignore_errors=True)
    shares = [Share(glob, top / str(number)) for number, glob in enumerate(wanted)]
    for share in shares:
        share.path.mkdir(parents=True)
        (share.path / kernel.name).symlink_to(os.path.relpath(kernel, share.path))
    return shares


def command(shares: Sequence[Share], commands: Sequence[Sequence[str]], python: str) -> list[str]:
    """The command that runs these commands, one for each share, side by side."""
    plan = [{"argv": list(argv), "output": str(share.output)} for share, argv in zip(shares, commands, strict=True)]
    path = shares[0].path.parent / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8", errors="surrogateescape")
    return [python, "-I", "-S", __file__, str(path)]


def ended(shares: Sequence[Share]) -> list[tuple[int, float] | None]:
    """How the commands ended, and after how many seconds; None for one that was stopped with all the rest."""
    try:
        found = json.loads((shares[0].path.parent / _ENDED).read_bytes())
    except (OSError, ValueError):
        found = {}
    how = (found.get(str(number)) for number in range(len(shares)))
    return [(int(one[0]), float(one[1])) if one else None for one in how]


def join_logs(logs: Sequence[Path], into: Path) -> list[int]:
    """Put logs one behind the other; the number of lines before each."""
    before, lines = [], 0
    with into.open("wb") as whole:
        for log in logs:
            data = log.read_bytes() if log.exists() else b""
            data += b"" if not data or data.endswith(b"\n") else b"\n"
            before.append(lines)
            lines += data.count(b"\n")
            whole.write(data)
    return before


def _main(plan_path: str) -> int:
    """Start all; the first one's output is ours, that of the others follows when all have ended."""
    with open(plan_path, "rb") as file:
        plan = json.load(file)
    began = time.monotonic()
    running = {}
    for number, one in enumerate(plan):
        with open(one["output"], "wb") as output:
            # pylint: disable-next=consider-using-with
            running[subprocess.Popen(one["argv"], stdout=output if number else None).pid] = number
    done: dict[int, tuple[int, float]] = {}
    while len(done) < len(plan):
        pid, how = os.wait()
        status = os.waitstatus_to_exitcode(how)
        done[running[pid]] = (status if status >= 0 else 128 - status, time.monotonic() - began)
        with open(os.path.join(os.path.dirname(plan_path), _ENDED), "w", encoding="ascii") as file:
            json.dump(done, file)
    for one in plan[1:]:
        with open(one["output"], "rb") as output:
            shutil.copyfileobj(output, sys.stdout.buffer)
    sys.stdout.flush()
    return max(status for status, _seconds in done.values())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))

# SPDX-License-Identifier: GPL-2.0
"""Several guests of one kernel side by side, each with a share of the suites: a run takes as long as one share.

Upstream's kunit.py boots one guest at a time, and its log is in the build directory. So each share has a directory
that looks like one, with a link to the kernel, and is an upstream run of its own. This file is also the program that
starts them and waits: guard.py takes one command.
"""

import marshal
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import sharesmain

# The suites whose names end with these letters take about the same time, and two neighbours as much as the others.
_LETTERS = ("e", "l-p", "a-df-k", "q-z")
# In the build directory.
DIRECTORY = "shares"
_READY = "ready"

# What stands in the place of a kernel that is still being linked.
_WAITING = """#!/bin/sh
read -r _ <{ready} && exec {kernel} "$@"
"""


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
    """Filter globs of which exactly one takes each suite, whoever named it, for that many guests or fewer."""
    if guests < 2:
        return ["*"]
    guests = 4 if guests >= 4 else 2
    size = len(_LETTERS) // guests
    groups = ["".join(_LETTERS[at:at + size]) for at in range(0, len(_LETTERS), size)]
    return [f"*[{letters}]" for letters in groups[:-1]] + [f"*[!{''.join(groups[:-1])}]"]


def prepare(kernel: Path, system_map: Path, wanted: Sequence[str], waiting: bool) -> list[Share]:
    """Directories for the globs beside a kernel, each new but for links to it and its System.map.

    waiting: the kernel is still to be built. Guests wait until sharesmain.py says that it is.
    """
    top = kernel.parent / DIRECTORY
    shutil.rmtree(top, ignore_errors=True)
    shares = [Share(glob, top / str(number)) for number, glob in enumerate(wanted)]
    for share in shares:
        share.path.mkdir(parents=True)
        (share.path / system_map.name).symlink_to(system_map.absolute())
        place = share.path / kernel.name
        if waiting:
            os.mkfifo(share.path / _READY)
            place.write_text(_WAITING.format(ready=shlex.quote(str((share.path / _READY).absolute())),
                                             kernel=shlex.quote(str(kernel.absolute()))), encoding="utf-8")
            place.chmod(0o755)
        else:
            place.symlink_to(kernel.absolute())
    return shares


def command(shares: Sequence[Share], commands: Sequence[Sequence[str]], python: str,
            first: tuple[Sequence[str], Mapping[str, str]] | None) -> list[str]:
    """The command that runs these commands, one for each share, side by side.

    first: a command, and what is added to its environment, that must come to a good end before guests run; the
    commands start meanwhile, which takes them a while.
    """
    top = shares[0].path.parent
    plan = {"first": [list(first[0]), dict(first[1])] if first else None,
            "shares": [{"argv": list(argv), "output": str(share.output), "ready": str(share.path / _READY)}
                       for share, argv in zip(shares, commands, strict=True)]}
    path = top / "plan"
    path.write_bytes(marshal.dumps(plan))
    return [python, "-I", "-S", sharesmain.__file__, str(path)]


def first_status(shares: Sequence[Share]) -> int | None:
    """How the command that had to come first ended, when it did. No guest has run unless that is 0."""
    try:
        return int((shares[0].path.parent / sharesmain.FIRST).read_bytes())
    except (OSError, ValueError):
        return None


def ended(shares: Sequence[Share]) -> list[tuple[int, float] | None]:
    """How the commands ended, and after how many seconds; None for one that was stopped with all the rest."""
    try:
        found = marshal.loads((shares[0].path.parent / sharesmain.ENDED).read_bytes())
    except (OSError, ValueError, EOFError):
        found = {}
    how = (found.get(number) for number in range(len(shares)))
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

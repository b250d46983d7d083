# SPDX-License-Identifier: GPL-2.0
"""Several guests of one kernel side by side, each with a share of the suites: a run takes as long as one share.

Upstream's kunit.py boots one guest at a time, and its log is in the build directory. So each share has a directory
that looks like one, with a link to the kernel, and is an upstream run of its own. This file is also the program that
starts them and waits: guard.py takes one command.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Suites are called mhp_NAME; these first letters of names take about the same time.
_LETTERS = ("a-l", "s", "m-r", "t-z")
# In the build directory.
DIRECTORY = "shares"
_ENDED = "ended.json"
_READY = "ready"
_LOOK_SECONDS = 0.02
_GIVE_UP_SECONDS = 10.0
_FIRST = "first"

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
    """Filter globs of which exactly one takes each suite mhp_*, for that many guests or fewer."""
    if guests < 2:
        return ["*"]
    guests = 4 if guests >= 4 else 2
    size = len(_LETTERS) // guests
    groups = ["".join(_LETTERS[at:at + size]) for at in range(0, len(_LETTERS), size)]
    return [f"mhp_[{letters}]*" for letters in groups[:-1]] + [f"mhp_[!{''.join(groups[:-1])}]*"]


def prepare(kernel: Path, system_map: Path, wanted: Sequence[str], waiting: bool) -> list[Share]:
    """Directories for the globs beside a kernel, each new but for links to it and its System.map.

    waiting: the kernel is still to be built. Guests wait until _main() says that it is.
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
    path = top / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8", errors="surrogateescape")
    return [python, "-I", "-S", __file__, str(path)]


def first_failed(shares: Sequence[Share]) -> bool:
    """Whether the command that had to come first failed, so that no guest has run."""
    return (shares[0].path.parent / _FIRST).exists()


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


def _tell(ready: str) -> None:
    """Let the guest behind this pipe go; one that does not wait within some seconds is not there."""
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        try:
            pipe = os.open(ready, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(_LOOK_SECONDS / 4)
            continue
        os.write(pipe, b"ready\n")
        os.close(pipe)
        return


def _main(plan_path: str) -> int:
    """Start all; the first one's output is ours, that of the others follows when all have ended."""
    top = os.path.dirname(plan_path)
    with open(plan_path, "rb") as file:
        plan = json.load(file)
    held = os.path.join(top, "held")
    running = {}
    for number, one in enumerate(plan["shares"]):
        with open(one["output"], "wb") as output:
            own = output if number else None
            if plan["first"] and not number:
                own = open(held, "wb")  # pylint: disable=consider-using-with
            # pylint: disable-next=consider-using-with
            running[subprocess.Popen(one["argv"], stdout=own).pid] = number
    if plan["first"]:
        argv, added = plan["first"]
        status = subprocess.run(argv, env={**os.environ, **added}, check=False).returncode
        if status:
            with open(os.path.join(top, _FIRST), "w", encoding="ascii"):
                return status if status > 0 else 128 - status
        for one in plan["shares"]:
            _tell(one["ready"])
    began = time.monotonic()
    done: dict[int, tuple[int, float]] = {}
    with open(held if plan["first"] else os.devnull, "rb") as shown:
        while len(done) < len(running):
            pid, how = os.waitpid(-1, os.WNOHANG if plan["first"] else 0)
            shutil.copyfileobj(shown, sys.stdout.buffer)
            sys.stdout.flush()
            if not pid:
                time.sleep(_LOOK_SECONDS)
                continue
            status = os.waitstatus_to_exitcode(how)
            done[running[pid]] = (status if status >= 0 else 128 - status, time.monotonic() - began)
            with open(os.path.join(top, _ENDED), "w", encoding="ascii") as file:
                json.dump(done, file)
        shutil.copyfileobj(shown, sys.stdout.buffer)
    for one in plan["shares"][1:]:
        with open(one["output"], "rb") as output:
            shutil.copyfileobj(output, sys.stdout.buffer)
    sys.stdout.flush()
    return max(status for status, _seconds in done.values())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))

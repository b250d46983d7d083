# SPDX-License-Identifier: GPL-2.0
"""The program that starts what shares.command() planned, side by side, and waits.

Every run waits for it to start, so it imports next to nothing: marshal has the plan and not json, which takes as
long as Python itself to start.
"""

import marshal
import os
import sys
import time
from collections.abc import Mapping, Sequence

# Beside the plan: how each command ended, a dict of number to (status, seconds); and the status of the first one.
ENDED = "ended"
FIRST = "first"
_LOOK_SECONDS = 0.02
_GIVE_UP_SECONDS = 10.0


def _start(argv: Sequence[str], env: Mapping[str, str], output: str | None) -> int:
    """Its pid. output: the file for its stdout, when that is not ours."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, output, flags, 0o666)] if output else []
    return os.posix_spawnp(argv[0], list(argv), env, file_actions=actions)


def _exit_status(how: int) -> int:
    """As a shell has it."""
    status = os.waitstatus_to_exitcode(how)
    return status if status >= 0 else 128 - status


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


def _show(descriptor: int) -> None:
    """What a file has from where we are in it."""
    while data := os.read(descriptor, 65536):
        while data:
            data = data[os.write(1, data):]


def _main(plan_path: str) -> int:
    """Start all; the first one's output is ours, that of the others follows when all have ended."""
    top = os.path.dirname(plan_path)
    with open(plan_path, "rb") as file:
        plan = marshal.load(file)
    first, shares = plan["first"], plan["shares"]
    held = os.path.join(top, "held") if first else None
    running = {_start(one["argv"], os.environ, one["output"] if number else held): number
               for number, one in enumerate(shares)}
    if first:
        argv, added = first
        status = _exit_status(os.waitpid(_start(argv, {**os.environ, **added}, None), 0)[1])
        with open(os.path.join(top, FIRST), "w", encoding="ascii") as told:
            told.write(str(status))
        if status:
            return status
        for one in shares:
            _tell(one["ready"])
    began = time.monotonic()
    done: dict[int, tuple[int, float]] = {}
    shown = os.open(held or os.devnull, os.O_RDONLY)
    while len(done) < len(running):
        pid, how = os.waitpid(-1, os.WNOHANG if first else 0)
        _show(shown)
        if not pid:
            time.sleep(_LOOK_SECONDS)
            continue
        done[running[pid]] = (_exit_status(how), time.monotonic() - began)
        with open(os.path.join(top, ENDED), "wb") as file:
            marshal.dump(done, file)
    _show(shown)
    for one in shares[1:]:
        _show(os.open(one["output"], os.O_RDONLY))
    return max(status for status, _seconds in done.values())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))

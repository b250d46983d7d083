# SPDX-License-Identifier: GPL-2.0
"""What git sees in the prepared tree, asked for ahead of time: git looks while we start, on another processor.

It is the longest of what comes before a boot with nothing changed, and needs nothing of the rest. An edit that is made
after the command was typed may be missed, as one made a little later is in any case.
"""

import atexit
import os
import subprocess
import time

from mhp.git import Git

# No renames, so that an entry has one path. What ignores.py does lets git tell new files.
_STATUS = ("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames", "--untracked-files=all")
# Whoever had to wait, for a lock or for a tree to be made, is better off with what there is now.
_GOOD_SECONDS = 1.0
# Words before the path of an entry of that kind: changed, in conflict, not tracked.
_WORDS = {"1": 8, "u": 10, "?": 1}


class _Look:
    """git at work on a work tree. early: since before anybody asked for it. remember: it writes down what it finds."""

    def __init__(self, git: Git, early: bool, remember: bool) -> None:
        self.worktree = git.worktree
        self.early = early
        self._remember = remember
        self.began = time.monotonic()
        self.when = time.time_ns()
        # pylint: disable-next=consider-using-with
        self.git = subprocess.Popen([str(word) for word in git.argv(*_STATUS)], cwd=git.worktree,
                                    env=git.environment({"GIT_OPTIONAL_LOCKS": str(int(remember))}),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def output(self) -> bytes | None:
        """What git said; None when it failed."""
        said, _ = self.git.communicate()
        return said if self.git.returncode == 0 else None

    def stop(self) -> None:
        """Nobody wants to know any more."""
        if not self._remember:  # which would leave git's lock
            self.git.kill()
        self.git.communicate()


_looks: list[_Look] = []


def begin(git: Git, early: bool = False, remember: bool = False) -> None:
    """Have git look at its work tree, for the next seen(): anew, but for a look there that was begun early.

    remember: later looks take half the time then. It holds for this place only, and takes git's lock.
    """
    if _looks and _looks[0].early and _looks[0].worktree == git.worktree:
        _looks[0].early = False
        return
    drop()
    if git.gitdir.is_dir():
        _looks.append(_Look(git, early, remember))


@atexit.register
def drop() -> None:
    """The tree has changed, or is about to: what was begun is of no use."""
    while _looks:
        _looks.pop().stop()


def seen(git: Git) -> tuple[str, list[str], int]:
    """The commit that a work tree is at, the paths that differ from it or are not in it, and when git began to look."""
    raw: bytes | None = None
    when = time.time_ns()
    if _looks and _looks[0].worktree == git.worktree and time.monotonic() - _looks[0].began < _GOOD_SECONDS:
        look = _looks.pop()
        raw, when = look.output(), look.when
    drop()
    return *_parse(git.check(*_STATUS).stdout if raw is None else raw), when


def _parse(raw: bytes) -> tuple[str, list[str]]:
    commit, names = "", []
    for entry in os.fsdecode(raw).split("\0"):
        kind, _, rest = entry.partition(" ")
        if rest.startswith("branch.oid ") and kind == "#":
            commit = rest.split(" ")[1]
        elif kind in _WORDS:
            names.append(entry.split(" ", _WORDS[kind])[-1])
    return commit, names


# SPDX-License-Identifier: GPL-2.0
"""Moving the prepared work tree from one commit to another without losing the user's edits.

Only files that differ are written, so that the others keep their times and a build stays incremental.
A move that was killed half-way is put right by the next run: before a move none of its files is edited,
so a file of it holds the old content, the new one, or a beginning of the new one.
"""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.git import ARGUMENTS, Changes, Entry, Git
from mhp.progress import Progress, say

_LOCK_SECONDS = 60


@dataclass(frozen=True)
class Edits:
    """Uncommitted work in a tree: changed tracked files, and untracked files."""

    changed: tuple[str, ...]
    untracked: tuple[str, ...]


def edits(git: Git, *below: str) -> Edits:
    """What is not committed in the work tree, or only below some paths; ignored files are left out."""
    fields = git.names("--literal-pathspecs", "status", "--porcelain=v1", "-z", "--no-renames",
                       "--untracked-files=all", "--", *below)
    return Edits(tuple(name[3:] for name in fields if name[:2] != "??"),
                 tuple(name[3:] for name in fields if name[:2] == "??"))


def unfinished(git: Git) -> str | None:
    """The git operation that the user has begun and not ended in the tree, if any."""
    for name, what in (("rebase-merge", "rebase"), ("rebase-apply", "rebase or am"),
                       ("MERGE_HEAD", "merge"), ("CHERRY_PICK_HEAD", "cherry-pick"),
                       ("REVERT_HEAD", "revert"), ("BISECT_LOG", "bisect")):
        if (git.gitdir / name).exists():
            return what
    return None


def checkout(git: Git, commit: str) -> None:
    """Fill an empty work tree, on all processors."""
    argv = git.argv("-c", "checkout.workers=0", "read-tree", "-m", "-u", "-v", commit)
    said = b""
    with (Progress("write the prepared tree") as progress,
          subprocess.Popen([str(word) for word in argv], cwd=git.worktree, env=git.environment(),
                           stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as read_tree):
        assert read_tree.stderr
        try:
            while chunk := os.read(read_tree.stderr.fileno(), 4096):
                said = (said + chunk)[-4096:]
                if how_far := re.findall(rb"\((\d+)/(\d+)\)", said):
                    progress.at(int(how_far[-1][0]), int(how_far[-1][1]))
            read_tree.wait()
        finally:
            read_tree.kill()
    if read_tree.returncode != 0:
        raise MhpError(Exit.INTERNAL, f"{git.worktree}: cannot be written:\n"
                       f"{said.decode(errors='backslashreplace').strip()}")


def prepare_move(git: Git, old: str, new: str) -> None:
    """See that move(old, new) can be made: no file that it concerns is edited.

    A file that the user edited and that holds the new content already is fine. Otherwise raises
    MhpError(UNEXPORTED); no file is changed either way.
    """
    check_lock(git)
    _settle(git, old, git.changes(old, new))


def move(git: Git, old: str, new: str) -> None:
    """Take HEAD, index and files from `old` (what HEAD holds) to commit `new`, after prepare_move().

    When git still refuses, MhpError(UNEXPORTED) is raised and nothing is changed; when it fails on the way, as
    on a full disk, MhpError(INTERNAL), and repair() puts right what was begun.
    """
    head = git.text("rev-parse", "HEAD")
    done = git.run("read-tree", "-m", "-u", "--no-recurse-submodules", old, new)
    if done.status != 0:
        raise _refused(git, done.error_tail)
    git.check("update-ref", "-m", "mhp-kunit: prepared anew", "HEAD", new, head)


def repair(git: Git, old: str, new: str) -> None:
    """Put right what a killed move(old, new) left; afterwards HEAD, index and files agree again.

    Raises MhpError(UNEXPORTED) when a file of the move has been edited since.
    """
    say("an earlier run was stopped while it changed the prepared tree; repairing")
    _drop_dead_lock(git)
    if git.resolve("HEAD") == new:
        return
    changes = git.changes(old, new)
    names = [_path(pair) for pair in changes]
    index = {entry.path: entry for entry in _index_entries(git, names)}
    if names and all(_same(index.get(_path(pair)), pair[1]) for pair in changes):
        # The files and the index are there; only HEAD is not.
        git.check("update-ref", "-m", "mhp-kunit: repaired", "HEAD", new)
        return
    foreign = [_path(pair) for pair in changes if not _is_ours(git, pair)]
    if foreign:
        raise MhpError(Exit.UNEXPORTED, "these files of the prepared tree were edited after a run was "
                       f"stopped while it changed them:\n{listing(foreign)}\nSave them elsewhere, then "
                       "run `scripts/series apply --discard`")
    back = [pair[0].path for pair in changes if pair[0] and not _holds(git, pair[0])]
    if back:
        git.check("checkout-index", "-f", "-u", "-z", "--stdin", input=_joined(back))
    for _old, fresh in (pair for pair in changes if pair[0] is None):
        assert fresh
        _file(git, fresh.path).unlink(missing_ok=True)


def force(git: Git, new: str) -> None:
    """Make HEAD, index and tracked files exactly `new`, whatever was there."""
    _drop_dead_lock(git)
    git.check("read-tree", "--reset", "-u", new)
    git.check("update-ref", "-m", "mhp-kunit: edits discarded", "HEAD", new)


def check_lock(git: Git) -> None:
    """Raise MhpError(BUSY) when a git command of the user's is at work in the tree."""
    lock = git.gitdir / "index.lock"
    if lock.exists():
        raise MhpError(Exit.BUSY, f"a git command is at work in {git.worktree}. When none is, remove "
                       f"{lock}")


def listing(names: list[str] | tuple[str, ...], most: int = 12) -> str:
    """File names for a message, one a line."""
    shown = [f"  {name}" for name in names[:most]]
    if len(names) > most:
        shown.append(f"  ... and {len(names) - most} more")
    return "\n".join(shown)


def _settle(git: Git, old: str, changes: Changes) -> None:
    """See to it that no file of a move is edited; those that hold the new content are recorded."""
    names = [_path(pair) for pair in changes]
    dirty = set(_limited(git, names, "diff-files", "--name-only", "-z"))
    touched = [entry.path for entry in _index_entries(git, sorted(dirty)) if _holds(git, entry)]
    if touched:
        git.check("update-index", "-z", "--stdin", input=_joined(touched))
        dirty = set(_limited(git, names, "diff-files", "--name-only", "-z"))
    dirty |= set(_limited(git, names, "diff-index", "--cached", "--name-only", "-z", old))
    dirty |= {new.path for gone, new in changes
              if new and gone is None and os.path.lexists(_file(git, new.path))}
    blocked: Changes = []
    ready: Changes = []
    for pair in changes:
        if _path(pair) in dirty:
            (ready if _is_new(git, pair) else blocked).append(pair)
    if blocked:
        raise MhpError(Exit.UNEXPORTED, "the prepared tree has edits in files that must change, so nothing "
                       f"was touched:\n{listing([_path(pair) for pair in blocked])}\n{_ADVICE}")
    lines = b"".join(map(_index_line, ready))
    if lines:
        git.check("update-index", "-z", "--index-info", input=lines)
        present = [new.path for _old, new in ready if new]
        git.check("update-index", "-z", "--add", "--stdin", input=_joined(present))


# What git says before it touches anything; whatever else it says, some files may be written.
_REFUSAL = re.compile(r"not uptodate|would be (?:overwritten|removed)|would lose untracked")
_ADVICE = ("Keep them: commit them there, then `scripts/series refresh`. "
           "Drop them: `scripts/series apply --discard` (a copy is kept)")


def _refused(git: Git, said: str) -> MhpError:
    refused = _REFUSAL.search(said)
    return MhpError(Exit.UNEXPORTED if refused else Exit.INTERNAL,
                    f"{git.worktree}: the prepared tree could not be brought up to date:\n{said}\n"
                    + (_ADVICE if refused else "Run again, which puts it right; on a full disk free some space before"))


def _path(pair: tuple[Entry | None, Entry | None]) -> str:
    entry = pair[0] or pair[1]
    assert entry
    return entry.path


def _file(git: Git, path: str) -> Path:
    assert git.worktree
    return git.worktree / path


def _same(one: Entry | None, other: Entry | None) -> bool:
    return (one and (one.mode, one.oid)) == (other and (other.mode, other.oid))


def _joined(names: list[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)


def _index_line(pair: tuple[Entry | None, Entry | None]) -> bytes:
    """The new side of a change, for `git update-index --index-info`."""
    old, new = pair
    if new:
        return os.fsencode(f"{new.mode} {new.oid}\t{new.path}") + b"\0"
    assert old
    return os.fsencode(f"0 {'0' * len(old.oid)}\t{old.path}") + b"\0"


def _limited(git: Git, names: list[str], *command: str) -> list[str]:
    """Run a git command that lists names, for at most some thousand paths a time."""
    found: list[str] = []
    for start in range(0, len(names), ARGUMENTS):
        found += git.names("--literal-pathspecs", *command, "--", *names[start:start + ARGUMENTS])
    return found


def _index_entries(git: Git, names: list[str]) -> list[Entry]:
    found = []
    for line in _limited(git, names, "ls-files", "-s", "-z"):
        meta, _, path = line.partition("\t")
        mode, oid, _stage = meta.split(" ")
        found.append(Entry(mode, oid, path))
    return found


def _content(git: Git, path: str) -> bytes | None:
    """What a tracked file holds: its bytes, or a symbolic link's target; None when it is not there."""
    file = _file(git, path)
    if file.is_symlink():
        return os.fsencode(os.readlink(file))
    return file.read_bytes() if file.is_file() else None


def _holds(git: Git, entry: Entry) -> bool:
    data = _content(git, entry.path)
    return data is not None and data == git.contents([entry.oid])[entry.oid]


def _is_new(git: Git, pair: tuple[Entry | None, Entry | None]) -> bool:
    new = pair[1]
    return _holds(git, new) if new else not os.path.lexists(_file(git, _path(pair)))


def _is_ours(git: Git, pair: tuple[Entry | None, Entry | None]) -> bool:
    """Whether a file is what a move, stopped anywhere, leaves of it."""
    data = _content(git, _path(pair))
    if data is None:
        return not os.path.lexists(_file(git, _path(pair)))
    wanted = git.contents([entry.oid for entry in pair if entry])
    return any(wanted[entry.oid] == data if entry is pair[0] else wanted[entry.oid].startswith(data)
               for entry in pair if entry)


def _drop_dead_lock(git: Git) -> None:
    """Remove the index lock of our own dead git; wait for it when it is still at work."""
    lock = git.gitdir / "index.lock"
    end = time.monotonic() + _LOCK_SECONDS
    while lock.exists() and _is_open(lock):
        if time.monotonic() > end:
            raise MhpError(Exit.BUSY, f"a git command is at work in {git.worktree}. When none is, remove {lock}")
        time.sleep(0.1)
    lock.unlink(missing_ok=True)


def _is_open(file: Path) -> bool:
    """Whether a process has the file open, as far as we may look."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == str(file):
                return True
        except OSError:
            continue
    return False

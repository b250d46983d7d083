# SPDX-License-Identifier: GPL-2.0
"""Removing what was made: the kernel builds, or everything when no work would be lost."""

import shutil
from pathlib import Path

from mhp import paths, state, worktree
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.lock import locked
from mhp.progress import say

# What build/ID/ holds beside kernel builds; the rest of its directories are builds.
_KEEP = (paths.TREE, "theirs", "discarded-", "new-mm-patches")


def builds() -> None:
    """Remove builds, logs, reports, cached results and temporary files below build/; prepared trees stay."""
    for place in _places():
        with locked(place):
            for directory in place.iterdir():
                if directory.is_dir() and not directory.name.startswith(_KEEP):
                    _remove(directory)
    _remove(paths.build_root() / "tmp")


def everything(force: bool) -> None:
    """Remove all of build/.

    Raises MhpError(UNEXPORTED) when a prepared tree holds edits or commits that are nowhere else,
    unless `force`; nothing is removed then.
    """
    root = paths.build_root()
    if not force:
        kept = [line for place in _places() for line in _own_work(place)]
        if kept:
            raise MhpError(Exit.UNEXPORTED, f"this work would be lost, so nothing was removed:\n"
                           f"{worktree.listing(kept)}\nSee `scripts/series refresh`. FORCE=1 (or --force) "
                           "removes it nevertheless")
    for place in _places():
        with locked(place):
            _remove(place)
    for name in ("src", "tmp", "ccache", "pycache"):
        _remove(root / name)
    for name in ("bench.json", "kvm.json"):
        (root / name).unlink(missing_ok=True)
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


def _places() -> list[Path]:
    """The directories build/ID, complete or not."""
    root = paths.build_root()
    marks = (f"*/{state.STATE_FILE}", "*/linux.new.*")
    return sorted({path.parent for mark in marks for path in root.glob(mark)})


def _own_work(place: Path) -> list[str]:
    git = Git(place / paths.TREE / ".git", worktree=place / paths.TREE)
    if not git.gitdir.is_dir():
        return []
    known = state.load(place)
    edits = worktree.edits(git)
    found = [f"{git.worktree}/{name}" for name in (*edits.changed, *edits.untracked)]
    if known is None or git.resolve("HEAD") != known.tip:
        found.append(f"{git.worktree}: commits that are not in mm-patches/")
    found += [str(path) for path in place.glob("discarded-*")]
    if git.text("for-each-ref", "refs/heads", "--no-contains", "HEAD", "--format=%(refname)"):
        found.append(f"{git.worktree}: other branches")
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        say(f"removing {path}")
        shutil.rmtree(path)

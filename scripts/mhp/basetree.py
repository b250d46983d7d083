# SPDX-License-Identifier: GPL-2.0
"""The kernel as it is without shims, suites and series, for comparisons: build/ID/base/linux.

Its builds go to build/ID/base/NAME: seen from there the sources are at ../linux, as they are for
builds of the prepared tree, so that ccache knows them again.
"""

from pathlib import Path

from mhp.git import Git
from mhp.lock import locked
from mhp.progress import Progress
from mhp.tree import PreparedTree, read_state

_DIRECTORY = "base"


def build_dir(tree: PreparedTree, name: str) -> Path:
    """A kernel build directory for the base tree."""
    return tree.build / _DIRECTORY / name


def ensure(tree: PreparedTree) -> Path:
    """Make the base tree, or move it to the prepared tree's base; returns where it is."""
    place = tree.build / _DIRECTORY
    path = place / "linux"
    base = read_state(tree).base
    with locked(place):
        git = Git(path / ".git", worktree=path)
        if (path / ".git").is_file() and git.resolve("HEAD") == base and (place / "complete").exists():
            return path
        with Progress("write the kernel without shims", None):
            (place / "complete").unlink(missing_ok=True)
            tree.git.check("worktree", "prune")
            if (path / ".git").is_file():
                # The file names its repository, so no --git-dir is needed, nor right.
                git.check("checkout", "--quiet", "--force", "--detach", base)
            else:
                tree.git.check("worktree", "add", "--quiet", "--force", "--force", "--detach", path, base)
            (place / "complete").touch()
    return path

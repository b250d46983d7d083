# SPDX-License-Identifier: GPL-2.0
"""A second work tree of the prepared tree's repository, at another commit: build/ID/NAME/linux.

Its builds go to build/ID/NAME/: seen from there the sources are at ../linux, as they are for builds of
the prepared tree, so that ccache knows them again.
"""

import shutil

from mhp import paths, state
from mhp.git import Git
from mhp.lock import locked
from mhp.progress import Progress
from mhp.tree import PreparedTree, read_state


def ensure(tree: PreparedTree, name: str, commit: str, what: str, made_from: state.State | None = None) -> PreparedTree:
    """Make the tree, or move it to the commit; all that was changed in it is lost.

    what: for people. made_from: what the commit was made from, when it is not what `tree` was.
    """
    place = tree.build / name
    side = PreparedTree(tree.id, place / paths.TREE, place, tree.base, tree.origin)
    with locked(place):
        # The file in it names its repository, so no --git-dir is needed, nor right.
        git = Git(side.path / ".git", worktree=side.path)
        complete = (side.path / ".git").is_file() and (place / "complete").exists()
        if not complete or git.resolve("HEAD") != commit:
            with Progress(f"write {what}", None):
                (place / "complete").unlink(missing_ok=True)
                tree.git.check("worktree", "prune")
                if (side.path / ".git").is_file():
                    git.check("checkout", "--quiet", "--force", "--detach", commit)
                else:
                    shutil.rmtree(side.path, ignore_errors=True)
                    tree.git.check("worktree", "add", "--quiet", "--force", "--force", "--detach", side.path, commit)
                (place / "complete").touch()
        state.save(place, made_from or read_state(tree))
    return side


def restore(side: PreparedTree) -> None:
    """Undo all edits in the tree. Files that were not edited keep their times."""
    Git(side.path / ".git", worktree=side.path).check("checkout", "--quiet", "--force", "HEAD")

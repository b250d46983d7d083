# SPDX-License-Identifier: GPL-2.0
"""What `apply --discard` throws away is put aside first, and said."""

import os
import time
from pathlib import Path

from mhp import worktree
from mhp.git import Git
from mhp.progress import say
from mhp.state import State


def save(place: Path, git: Git, head: str, known: State, target: str) -> None:
    """Put aside all that going to `target` by force would lose, and tell where.

    Commits get a ref below refs/mhp/discarded/, edits a patch in build/ID/, and untracked files that
    are in the way are moved there.
    """
    name = time.strftime("%Y%m%d-%H%M%S")
    if head != known.tip:
        git.check("update-ref", f"refs/mhp/discarded/{name}", head)
        commits = git.text("log", "--oneline", "--no-decorate", head, "--not", known.tip, "-50")
        say(f"discarded these commits, kept as refs/mhp/discarded/{name}:\n{commits}")
    changed = worktree.edits(git).changed
    if changed:
        patch = place / f"discarded-{name}.patch"
        patch.write_bytes(git.check("diff", "--binary", "--full-index", "--no-ext-diff", "HEAD").stdout)
        say(f"discarded uncommitted edits, kept in {patch}:\n{worktree.listing(changed)}")
    assert git.worktree
    tracked = set(git.names("ls-files", "-z"))
    in_the_way = [new.path for old, new in git.changes("HEAD", target) if new and old is None
                  and new.path not in tracked and os.path.lexists(git.worktree / new.path)]
    for path in in_the_way:
        aside = place / f"discarded-{name}" / path
        aside.parent.mkdir(parents=True, exist_ok=True)
        (git.worktree / path).rename(aside)
        say(f"moved {path}, which was in the way, to {aside}")

# SPDX-License-Identifier: GPL-2.0
"""Kernels, other than the one that is checked against, that a series may be wanted for."""

from collections.abc import Sequence
from dataclasses import dataclass

from mhp import patches, paths, state
from mhp.check.model import Job
from mhp.check.series import Patch
from mhp.exits import MhpError
from mhp.git import Entry, Git


@dataclass(frozen=True)
class Base:
    """A kernel: its name for people, and its commit in a repository."""

    name: str
    git: Git
    commit: str


def others(job: Job) -> list[Base]:
    """The revisions of --onto, and the kernels of all other prepared trees below build/."""
    found = [Base(name, job.git, commit) for name, commit in job.series.onto]
    for file in sorted(paths.build_root().glob(f"*/{state.STATE_FILE}")):
        known = state.load(file.parent)
        git = Git(file.parent / paths.TREE / ".git")
        if (known and known.base and known.base != job.series.base and git.gitdir.is_dir()
                and git.existing([known.base])):
            found.append(Base(known.origin or file.parent.name, git, known.base))
    return found


def problem(base: Base, series: Sequence[Patch]) -> str:
    """Why the patches do not apply to a base, one after the other; empty when they do."""
    laid: dict[str, Entry | None] = {}

    def look(names: Sequence[str]) -> dict[str, Entry]:
        known = base.git.entries(base.commit, [name for name in names if name not in laid])
        known.update({name: entry for name in names if (entry := laid.get(name))})
        return known

    for patch in series:
        try:
            laid.update(patches.apply(base.git, patch.mail.diff, patch.name, look, patch.paths).changes)
        except MhpError as err:
            if err.status not in patches.REFUSALS:
                raise
            return f"patch {patch.number}: {err}"
    return ""

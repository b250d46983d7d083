# SPDX-License-Identifier: GPL-2.0
"""What scripts/series does beyond preparing: refresh, import and list."""

import os
from collections.abc import Sequence
from pathlib import Path

from mhp import chain, inputs, mails, patches, paths, series_files, state, tree, worktree
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.inputs import Step
from mhp.lock import locked
from mhp.progress import say
from mhp.state import Link, State
from mhp.tree import PreparedTree

_SUITE_FILES = (".c", ".h", "Kconfig", "Makefile")


def refresh(prepared: PreparedTree) -> int:
    """Write the mm commits of the prepared tree to mm-patches/, and edited suites back to kunit/.

    The caller calls prepare() afterwards. Returns UNEXPORTED when there are uncommitted edits and no
    commit was new, else PASS.
    """
    git = prepared.git
    with locked(prepared.build):
        known = tree.read_state(prepared)
        _check_refreshable(git, known)
        carried = _carry_back(git)
        commits = tree.own_commits(git, known)
        _check_commits(git, commits)
        directory = paths.MM_PATCHES / known.shims
        before = [link.commit for link in known.part("mm")]
        files = series_files.format_patches(git, [f"{known.below_mm}..HEAD"])
        if len(files) != len(commits):
            raise MhpError(Exit.USAGE, f"{git.worktree}: a commit changes nothing: `git -C {git.worktree} rebase "
                           "-i` can drop it")
        for name, data in files.items():
            patches.touched(git, data, name)
        changed = commits != before or [path.name for path in patches.read_series(directory)] != list(files)
        if changed:
            series_files.replace(prepared.build, directory, files)
            links = [Link("mm", step.name, step.key, commit) for step, commit in
                     zip((step for step in inputs.steps(known.shims, True) if step.part == "mm"), commits)]
            known.chain = [link for link in known.chain if link.part != "mm"] + links
            known.inputs = ""
            state.save(prepared.build, known)
            say(f"{directory}: {len(files)} patches")
        else:
            say(f"{directory}: {len(files)} patches, nothing new")
        left = [name for name in worktree.edits(git).changed if name not in carried]
    if left:
        say(f"these edits in {git.worktree} are in no commit, and so in no patch:\n{worktree.listing(left)}\n"
            f"For a new patch: git -C {git.worktree} commit -s FILE...\n"
            f"For the last one: git -C {git.worktree} commit --amend FILE...\nThen run this again")
    return Exit.UNEXPORTED if left and not changed and not carried else Exit.PASS


def import_patches(prepared: PreparedTree, what: str, repository: Path | None, append: bool) -> None:
    """Make mm-patches/ hold the patches that `what` names, once they are seen to apply.

    The caller calls prepare() afterwards. Nothing is changed when this raises MhpError.
    """
    git = prepared.git
    with locked(prepared.build):
        known = tree.read_state(prepared)
        if git.resolve("HEAD") != known.tip:
            raise MhpError(Exit.UNEXPORTED, f"{git.worktree} holds commits that are not in mm-patches/. "
                           "`scripts/series refresh` writes them there; `scripts/series apply --discard` "
                           "drops them (a copy is kept)")
        found = mails.collect(git, what, repository).patches
        below = inputs.steps(known.shims, append)
        wanted = [Step("mm", name, inputs.digest(name, str(number)), data, {})
                  for number, (name, data) in enumerate(found)]
        made = chain.build(git, known.base, [*below, *wanted], known)
        for link in made[len(below):]:
            tree.say_drift(link)
        bottom = [link.commit for link in made if link.part != "mm"][-1]
        files = series_files.format_patches(git, [f"{bottom}..{made[-1].commit}"])
        directory = paths.MM_PATCHES / known.shims
        series_files.replace(prepared.build, directory, files)
        say(f"{directory}: {len(files)} patches")


def describe(prepared: PreparedTree) -> list[str]:
    """The lines of `scripts/series list`: the chain with its drift, the user's commits and edits."""
    git = prepared.git
    with locked(prepared.build, shared=True):
        known = tree.read_state(prepared)
        lines = [f"base    {known.base[:12]}  {known.origin}"]
        for link in known.chain:
            lines.append(f"{link.part:7} {link.commit[:12]}  {link.name}")
            lines += [f"{'':22}({note})" for note in link.notes]
        if not known.series:
            lines.append("mm      none: the series is switched off (`scripts/series apply` puts it on top)")
        elif not known.part("mm"):
            lines.append(f"mm      none: mm-patches/{known.shims}/series names no patch")
        prepared_commits = [link.commit for link in known.part("mm")]
        for commit in tree.own_commits(git, known):
            if commit not in prepared_commits:
                subject = git.text("show", "-s", "--format=%s", commit)
                lines.append(f"yours   {commit[:12]}  {subject}")
        edits = worktree.edits(git)
        lines += [f"edited  {'':12}  {name}" for name in edits.changed]
        lines += [f"new     {'':12}  {name}" for name in edits.untracked]
    return lines


def _check_refreshable(git: Git, known: State) -> None:
    if not known.series:
        raise MhpError(Exit.USAGE, "the series is switched off (`scripts/series none`), so mm-patches/ cannot "
                       "be refreshed from this tree. Commits of yours on top can be written with "
                       f"`git -C {git.worktree} format-patch -o DIR {known.below_mm[:12]}..`, and added with "
                       "`scripts/series import --append DIR` after `scripts/series apply --discard`")
    if known.partial:
        raise MhpError(Exit.BROKEN_BASE, f"{git.worktree} holds only those of the shims and patches that apply to this "
                       "kernel: mm-patches/ would lose the others. `scripts/series apply` tells what does not apply")
    if (operation := worktree.unfinished(git)) is not None:
        raise MhpError(Exit.UNEXPORTED, f"a {operation} is under way in {git.worktree}. Finish it first")


def _check_commits(git: Git, commits: Sequence[str]) -> None:
    """Commits of the series must not touch what kunit/ and arch-shims/um/ bring."""
    for commit, changes in git.commit_changes(commits).items():
        for old, new in changes:
            path = (new or old).path  # type: ignore[union-attr]
            ours = inputs.source_of(path)
            if ours and (ours.exists() or Path(path).is_relative_to(paths.SUITES_IN_TREE)):
                raise MhpError(Exit.USAGE, f"commit {commit[:12]} changes {path}, which comes from {ours}. "
                               "Take that file out of the commit (`git rebase -i`) and edit the source, or "
                               "leave the edit uncommitted: refresh then writes it back")


def _carry_back(git: Git) -> list[str]:
    """Copy uncommitted edits of files that kunit/ and arch-shims/um/ brought back to there.

    A file that was edited in both places is left alone, and named. Returns the paths in the tree.
    """
    assert git.worktree
    edits = worktree.edits(git, str(paths.SUITES_IN_TREE), str(paths.SHIMS_IN_TREE))
    carried = []
    for path in edits.changed:
        ours, file = inputs.source_of(path), git.worktree / path
        if ours is None or not ours.is_file():
            continue
        committed = git.run("cat-file", "blob", f"HEAD:{path}")
        if not file.is_file() or file.is_symlink() or committed.stdout != ours.read_bytes():
            say(f"{path} and {ours} were both changed, or one is gone: bring them together by hand")
            continue
        _copy(file, ours)
        carried.append(path)
    for path in edits.untracked:
        ours, file = inputs.source_of(path), git.worktree / path
        if (ours and Path(path).is_relative_to(paths.SUITES_IN_TREE) and path.endswith(_SUITE_FILES)
                and not ours.exists() and file.is_file() and not file.is_symlink()):
            _copy(file, ours)
            carried.append(path)
    return carried


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    state.write_whole(target, source.read_bytes())
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    say(f"took the edit of {source} back to {target}")

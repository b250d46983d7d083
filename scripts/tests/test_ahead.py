# SPDX-License-Identifier: GPL-2.0
"""mhp/ahead.py: what git saw ahead of time is what it sees, or is not used."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import git as run_git

from mhp import ahead
from mhp.git import Git


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Git]:
    """A work tree with two files, one of them edited."""
    run_git(tmp_path, "init", "-q")
    for name in ("a.c", "b.c"):
        (tmp_path / name).write_text("int x;\n")
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-q", "-m", "two files")
    (tmp_path / "a.c").write_text("int y;\n")
    yield Git(tmp_path / ".git", worktree=tmp_path)
    ahead.drop()


def _finished(git: Git) -> None:
    """Begin a look that has ended before the next line."""
    ahead.begin(git)
    ahead._looks[0].git.wait()  # pylint: disable=protected-access


def test_seen_without_a_look_sees_what_there_is(tree: Git) -> None:
    before = time.time_ns()
    assert ahead.seen(tree)[:2] == (tree.resolve("HEAD"), ["a.c"])
    assert before <= ahead.seen(tree)[2] <= time.time_ns()


def test_seen_takes_what_was_looked_at_ahead_once(tree: Git) -> None:
    assert tree.worktree
    _finished(tree)
    looked = time.time_ns()
    (tree.worktree / "b.c").write_text("int z;\n")
    _commit, names, when = ahead.seen(tree)
    assert names == ["a.c"] and when < looked
    assert ahead.seen(tree)[1] == ["a.c", "b.c"]


def test_begin_again_is_a_new_look(tree: Git) -> None:
    assert tree.worktree
    _finished(tree)
    (tree.worktree / "b.c").write_text("int z;\n")
    _finished(tree)
    assert ahead.seen(tree)[1] == ["a.c", "b.c"]


def test_begin_takes_an_early_look_over_once(tree: Git) -> None:
    ahead.begin(tree, early=True)
    first = ahead._looks[0]  # pylint: disable=protected-access
    ahead.begin(tree)
    assert ahead._looks == [first]  # pylint: disable=protected-access
    ahead.begin(tree)
    assert ahead._looks != [first]  # pylint: disable=protected-access


def test_look_that_is_too_old_is_not_used(tree: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree.worktree
    _finished(tree)
    (tree.worktree / "b.c").write_text("int z;\n")
    monkeypatch.setattr(ahead, "_GOOD_SECONDS", 0.0)
    assert ahead.seen(tree)[1] == ["a.c", "b.c"]


def test_look_at_another_tree_is_not_used(tree: Git, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    (other / "new.c").write_text("")
    _finished(Git(other / ".git", worktree=other))
    assert ahead.seen(tree)[1] == ["a.c", "other/"]


def test_look_that_failed_is_not_used(tree: Git) -> None:
    ahead.begin(tree)
    look = ahead._looks[0].git  # pylint: disable=protected-access
    look.kill()
    look.wait()
    assert ahead.seen(tree)[1] == ["a.c"]


def test_names_of_every_kind_are_read(tree: Git) -> None:
    assert tree.worktree
    odd = "with space\nand \udcff.c"
    Path(os.path.join(tree.worktree, odd)).write_text("")
    (tree.worktree / "a.c").unlink()
    (tree.worktree / "b.c").rename(tree.worktree / "c.c")
    run_git(tree.worktree, "add", "--intent-to-add", "c.c")
    assert sorted(ahead.seen(tree)[1]) == sorted(["a.c", "b.c", "c.c", odd])


def test_conflict_is_seen(tree: Git) -> None:
    assert tree.worktree
    run_git(tree.worktree, "commit", "-q", "-a", "-m", "ours")
    run_git(tree.worktree, "checkout", "-q", "-b", "theirs", "HEAD^")
    (tree.worktree / "a.c").write_text("int other;\n")
    run_git(tree.worktree, "commit", "-q", "-a", "-m", "theirs")
    subprocess.run(["git", "-C", tree.worktree, "merge", "-q", "-"], check=False, capture_output=True)
    assert ahead.seen(tree)[1] == ["a.c"]


def test_look_that_remembers_is_waited_for(tree: Git) -> None:
    index = tree.gitdir / "index"
    assert tree.worktree
    os.utime(tree.worktree / "b.c", (0, 0))
    before = index.read_bytes()
    ahead.begin(tree, remember=True)
    ahead.drop()
    assert index.read_bytes() != before and not index.with_name("index.lock").exists()
    os.utime(tree.worktree / "b.c", (1, 1))
    before = index.read_bytes()
    _finished(tree)
    ahead.drop()
    assert index.read_bytes() == before


def test_look_at_no_tree_begins_nothing(tmp_path: Path) -> None:
    ahead.begin(Git(tmp_path / ".git", worktree=tmp_path))
    assert not ahead._looks  # pylint: disable=protected-access

# SPDX-License-Identifier: GPL-2.0
"""A kernel of the user's as the base: every kind of tree, followed as it changes, never written."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from small_world import KERNEL, World, changed_times, edit, git, mtimes, snapshot, write

from mhp import tree, usertree
from mhp.exits import Exit, MhpError


def without_git(world: World) -> Path:
    """The small kernel unpacked, as from a tarball."""
    shutil.rmtree(world.kernel / ".git")
    return world.kernel


def test_uncommitted_changes_are_a_commit(world: World) -> None:
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    write(world.kernel, {"mm/staged.c": "int staged;\n", "mm/untracked.c": "int untracked;\n"})
    git(world.kernel, "add", "mm/staged.c")
    (world.kernel / "include/linux/mm.h").unlink()
    before = snapshot(world.kernel)
    world.prepare()
    assert snapshot(world.kernel) == before
    assert world.subjects()[:2] == ["base", "uncommitted changes of my kernel"]
    assert "return 33;" in world.read("mm/page_alloc.c")
    assert world.read("mm/staged.c") == "int staged;\n"
    assert not (world.linux / "mm/untracked.c").exists()
    assert not (world.linux / "include/linux/mm.h").exists()


def test_deleted_file_that_comes_back_is_seen(world: World) -> None:
    header = world.kernel / "include/linux/mm.h"
    text = header.read_text()
    world.prepare()
    header.unlink()
    world.prepare()
    assert not (world.linux / "include/linux/mm.h").exists()
    header.write_text(text)
    world.prepare()
    assert world.read("include/linux/mm.h") == text


def test_later_edits_and_commits_are_followed(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    before = mtimes(world.linux)
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    world.prepare()
    after = mtimes(world.linux)
    assert changed_times(before, after) == {"mm/page_alloc.c"}
    git(world.kernel, "commit", "-q", "-a", "-m", "theirs")
    world.prepare()
    assert mtimes(world.linux) == after
    assert world.subjects() == ["base", "theirs", "arch-shims: new files of um", "kunit: the suites",
                                "mm: change 1"]
    git(world.kernel, "reset", "-q", "--hard", "HEAD^")
    world.prepare()
    assert "return 3;" in world.read("mm/page_alloc.c")


def test_edit_of_same_size_in_the_same_moment_is_seen(world: World) -> None:
    for number in range(10):
        edit(world.kernel / "mm/page_alloc.c", f"return {number};", f"return {9 - number};")
        git(world.kernel, "add", "-u")
        edit(world.kernel / "mm/memory_hotplug.c", "int hotplug_5", "int hotplug_X")
        world.prepare()
        assert world.read("mm/memory_hotplug.c") == (world.kernel / "mm/memory_hotplug.c").read_text()
        edit(world.kernel / "mm/memory_hotplug.c", "int hotplug_X", "int hotplug_5")


def test_own_commits_survive_a_new_commit_of_theirs(world: World) -> None:
    world.prepare()
    world.commit("mm/memory_hotplug.c", "return 3;", "return 33;", "mine")
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    git(world.kernel, "commit", "-q", "-a", "-m", "theirs")
    world.prepare()
    assert world.subjects()[1] == "theirs" and world.subjects()[-1] == "mine"


def test_their_objects_are_pruned(world: World) -> None:
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    git(world.kernel, "commit", "-q", "-a", "-m", "theirs")
    world.prepare()
    git(world.kernel, "reset", "-q", "--hard", "HEAD^")
    git(world.kernel, "reflog", "expire", "--expire=now", "--all")
    git(world.kernel, "gc", "-q", "--prune=now")
    world.prepare()
    assert "return 3;" in world.read("mm/page_alloc.c")
    assert git(world.linux, "status", "--porcelain") == ""


def test_unpacked_tree(world: World) -> None:
    kernel = without_git(world)
    write(kernel, {"mm/made.o": "object\n"})
    before = snapshot(kernel)
    world.prepare()
    assert snapshot(kernel) == before
    assert world.subjects()[0] == "my kernel as it is unpacked"
    assert not (world.linux / "mm/made.o").exists()
    times = mtimes(world.linux)
    edit(kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    write(kernel, {"mm/new.c": "int new;\n"})
    world.prepare()
    assert changed_times(times, mtimes(world.linux)) == {"mm/page_alloc.c", "mm/new.c"}


def test_unpacked_tree_that_ignores_everything_is_not_empty(world: World) -> None:
    kernel = without_git(world)
    write(kernel, {".gitignore": "*.o\n/*\n!/debian/\n"})
    world.prepare()
    assert (world.linux / "mm/page_alloc.c").exists()
    write(kernel, {"mm/new.c": "int fresh;\n"})
    world.prepare()
    assert (world.linux / "mm/new.c").exists()


def test_unpacked_tree_with_a_build_in_it_is_refused(world: World) -> None:
    kernel = without_git(world)
    write(kernel, {".config": "CONFIG_X=y\n", "include/config/auto.conf": "CONFIG_X=y\n"})
    with pytest.raises(MhpError, match=r"build in the tree itself \(\.config, include/config\).*mrproper") as caught:
        world.prepare()
    assert caught.value.status == Exit.USAGE and not list(world.build.glob("*/linux*"))
    write(kernel, {".gitignore": ".*\n/include/config/\n"})
    world.prepare()
    assert not (world.linux / ".config").exists()


def test_build_that_git_tracks_is_refused(world: World) -> None:
    world.prepare()
    write(world.kernel, {".config": "CONFIG_X=y\n"})
    git(world.kernel, "add", ".config")
    with pytest.raises(MhpError, match=r"build in the tree itself \(\.config\)"):
        world.prepare()
    git(world.kernel, "rm", "-q", "--cached", ".config")
    world.prepare()


def test_unpacked_tree_inside_another_repository(world: World) -> None:
    without_git(world)
    git(world.tmp, "init", "-q", str(world.tmp))
    world.prepare()
    assert world.subjects()[0] == "my kernel as it is unpacked"


def test_linked_worktree_and_shallow_clone(world: World) -> None:
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    git(world.kernel, "commit", "-q", "-a", "-m", "second")
    git(world.kernel, "worktree", "add", "-q", "--detach", str(world.tmp / "linked"))
    git(world.tmp, "clone", "-q", "--depth=1", f"file://{world.kernel}", "shallow")
    for name, subjects in (("linked", ["base", "second"]), ("shallow", ["second"])):
        kernel = world.tmp / name
        edit(kernel / "mm/page_alloc.c", "return 4;", "return 44;")
        before = snapshot(kernel)
        prepared = tree.prepare(kernel)
        assert snapshot(kernel) == before
        found = git(prepared.path, "log", "--reverse", "--format=%s").splitlines()
        assert found[:len(subjects) + 1] == [*subjects, f"uncommitted changes of {name}"]
        assert tree.prepare(kernel) == prepared


def test_split_index(world: World) -> None:
    git(world.kernel, "update-index", "--split-index")
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    world.prepare()
    assert "return 33;" in world.read("mm/page_alloc.c")


def test_sparse_checkout_files_are_not_deletions(world: World) -> None:
    git(world.kernel, "sparse-checkout", "set", "mm")
    assert not (world.kernel / "include").exists()
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    world.prepare()
    assert world.read("include/linux/mm.h") == KERNEL["include/linux/mm.h"]
    assert "return 33;" in world.read("mm/page_alloc.c")


def test_unfinished_merge_is_refused(world: World) -> None:
    git(world.kernel, "checkout", "-q", "-b", "other")
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 4;")
    git(world.kernel, "commit", "-q", "-a", "-m", "one")
    git(world.kernel, "checkout", "-q", "master")
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 5;")
    git(world.kernel, "commit", "-q", "-a", "-m", "two")
    with pytest.raises(subprocess.CalledProcessError):
        git(world.kernel, "merge", "-q", "other")
    with pytest.raises(MhpError, match="merge is not finished"):
        world.prepare()


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_tree_of_another_user_that_is_read_only(world: World) -> None:
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    for path in [world.kernel, *world.kernel.rglob("*")]:
        os.chown(path, 12345, 12345)
        path.chmod(path.stat().st_mode & ~0o222)
    before = snapshot(world.kernel)
    world.prepare()
    assert snapshot(world.kernel) == before
    assert "return 33;" in world.read("mm/page_alloc.c")


def test_their_configuration_runs_nothing(world: World) -> None:
    trap = world.tmp / "trap"
    script = world.tmp / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch '{trap}'\ncat\n", encoding="utf-8")
    script.chmod(0o755)
    hooks = world.kernel / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction", "post-commit"):
        shutil.copy(script, hooks / name)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "filter.x.clean", "filter.x.smudge",
                "core.sshCommand", "diff.x.textconv"):
        git(world.kernel, "config", key, str(script))
    write(world.kernel, {".gitattributes": "* filter=x diff=x\n"})
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    world.prepare()
    assert "return 33;" in world.read("mm/page_alloc.c")
    assert not trap.exists()


@pytest.mark.parametrize("makefile", [None, "all:\n", "VERSION = 6\n"])
def test_directory_without_a_kernel_is_refused(world: World, makefile: str | None) -> None:
    (world.kernel / "Makefile").unlink()
    if makefile is not None:
        write(world.kernel, {"Makefile": makefile})
    with pytest.raises(MhpError, match="no kernel tree") as caught:
        world.prepare()
    assert caught.value.status == Exit.USAGE
    assert not world.build.exists()


def test_directory_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(MhpError, match="no kernel tree"):
        tree.prepare(world.tmp / "nowhere")


def test_broken_git_is_refused(world: World) -> None:
    (world.kernel / ".git/HEAD").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(MhpError, match="cannot be used"):
        world.prepare()


def test_id_is_safe_and_differs_by_path(world: World) -> None:
    ids = set()
    for name in ("a b", "a;b", "..x", "-rf", "c" * 200):
        shutil.copytree(world.kernel, world.tmp / "k" / name)
        found = usertree.find(world.tmp / "k" / name).id
        assert found and found[0] not in ".-" and all(char.isalnum() or char in "._-" for char in found)
        assert len(found) < 60
        ids.add(found)
    assert len(ids) == 5


def test_two_trees_do_not_disturb_each_other(world: World) -> None:
    shutil.copytree(world.kernel, world.tmp / "other kernel")
    edit(world.tmp / "other kernel/mm/page_alloc.c", "return 3;", "return 33;")
    first, second = world.prepare(), tree.prepare(world.tmp / "other kernel")
    assert first.path != second.path
    assert "return 3;" in (first.path / "mm/page_alloc.c").read_text(encoding="utf-8")
    assert "return 33;" in (second.path / "mm/page_alloc.c").read_text(encoding="utf-8")


def test_ignores_and_attributes_of_the_user_do_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(world.tmp, {"home/.config/git/ignore": "lib/\n", "home/.config/git/attributes": "*.c text eol=crlf\n"})
    monkeypatch.setenv("HOME", str(world.tmp / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    write(world.kernel, {"lib/string.c": "int string;\n"})
    without_git(world)
    world.prepare()
    assert world.read("lib/string.c") == "int string;\n"
    assert b"\r" not in (world.linux / "mm/page_alloc.c").read_bytes()


def test_lock_that_a_killed_run_left_of_an_unpacked_tree(world: World) -> None:
    """It goes; one of the user's git in the prepared tree is not ours to remove."""
    without_git(world)
    world.prepare()
    left, theirs = world.linux / ".git/mhp-theirs.index.lock", world.linux / ".git/index.lock"
    left.touch()
    theirs.touch()
    edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 33;")
    with pytest.raises(MhpError, match="index.lock") as caught:
        world.prepare()
    assert caught.value.status == Exit.BUSY and theirs.exists() and not left.exists()
    theirs.unlink()
    world.prepare()
    assert "return 33;" in world.read("mm/page_alloc.c")

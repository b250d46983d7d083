# SPDX-License-Identifier: GPL-2.0
"""Kills and full disks at every step of preparing, and what the next run makes of them."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_world import World, edit, git, write

from mhp import chain, git as git_module, run as programs, series, series_files, state, tree, worktree
from mhp.exits import Exit, MhpError
from mhp.run import Arg, Result


def die_in(victim: object, name: str, after: int, act: Callable[[], object]) -> None:
    """Run `act` in a child that is killed at its `after`-th call of victim.name (before the call)."""
    pid = os.fork()
    if pid == 0:
        real, calls = getattr(victim, name), [0]

        def killed(*args: object, **more: object) -> object:
            calls[0] += 1
            if calls[0] == after:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        setattr(victim, name, killed)
        try:
            act()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    assert status == signal.SIGKILL, "it came to its end before the kill"


def clean_and_complete(world: World) -> None:
    """The tree is what a fresh preparation would give, and nothing is left over."""
    assert git(world.linux, "status", "--porcelain") == ""
    git(world.linux, "fsck", "--connectivity-only", "--no-dangling")
    assert [path.name for path in world.linux.parent.glob("linux*")] == ["linux"]
    assert not list((world.linux / ".git").glob("mhp-scratch/*"))
    assert not list(world.linux.rglob("*.lock")) and not list(world.linux.parent.glob("theirs*.lock"))
    assert tree.existing(world.kernel)
    known = state.load(world.linux.parent)
    assert known and known.move is None and git(world.linux, "rev-parse", "HEAD") == known.tip


@pytest.mark.parametrize("victim, name, after", [
    (git_module.Git, "check", 1), (git_module.Git, "check", 4), (chain, "build", 1), (worktree, "checkout", 1),
    (state, "save", 1), (Path, "rename", 1)])
def test_killed_in_first_prepare(world: World, victim: object, name: str, after: int) -> None:
    world.mm_patch(1)
    die_in(victim, name, after, world.prepare)
    world.prepare()
    assert world.subjects()[-1] == "mm: change 1"
    clean_and_complete(world)


@pytest.mark.parametrize("victim, name, after", [
    (chain, "build", 1), (worktree, "prepare_move", 1), (state, "save", 1), (worktree, "move", 1),
    (state, "save", 2)] + [(programs, "run", number) for number in range(2, 28, 4)])
def test_killed_in_change(world: World, victim: object, name: str, after: int) -> None:
    world.mm_patch(1)
    world.prepare()
    write(world.kunit, {"first_kunit.c": "int changed;\n", "new_kunit.c": "int new;\n"})
    world.mm_patch(2)
    edit(world.linux / "include/linux/mm.h", "page", "page_mine")
    die_in(victim, name, after, world.prepare)
    world.prepare()
    assert world.read("mm/mhp_kunit/first_kunit.c") == "int changed;\n"
    assert world.subjects()[-1] == "mm: change 2"
    assert git(world.linux, "status", "--porcelain").split() == ["M", "include/linux/mm.h"]
    git(world.linux, "checkout", "-q", ".")
    clean_and_complete(world)


def half_moved(world: World, content: str | None) -> None:
    """Leave what a git killed in the middle of a move leaves: a lock, and files old, new and in between."""
    write(world.kunit, {"a_kunit.c": "old a\n", "b_kunit.c": "old b\n", "c_kunit.c": "old c\n"})
    world.prepare()
    write(world.kunit, {"a_kunit.c": "new a\n", "b_kunit.c": "new b, longer\n", "d_kunit.c": "new d\n"})
    (world.kunit / "c_kunit.c").unlink()
    die_in(worktree, "move", 1, world.prepare)
    landed = world.linux / "mm/mhp_kunit"
    write(landed, {"a_kunit.c": "new a\n", "d_kunit.c": "new"})
    (landed / "b_kunit.c").unlink()
    if content is not None:
        write(landed, {"b_kunit.c": content})
    (world.linux / ".git/index.lock").write_bytes(b"DIRC half")


@pytest.mark.parametrize("content", [None, "", "new b", "new b, longer\n", "old b\n"])
def test_half_moved_files_repaired(world: World, content: str | None) -> None:
    half_moved(world, content)
    world.prepare()
    landed = {path.name: path.read_text(encoding="utf-8") for path in (world.linux / "mm/mhp_kunit").iterdir()}
    assert landed == {"a_kunit.c": "new a\n", "b_kunit.c": "new b, longer\n", "d_kunit.c": "new d\n",
                      "first_kunit.c": "int first;\n"}
    clean_and_complete(world)


def test_half_moved_then_edited_stops(world: World) -> None:
    half_moved(world, "new b, by me\n")
    with pytest.raises(MhpError, match="b_kunit.c") as caught:
        world.prepare()
    assert caught.value.status == Exit.UNEXPORTED
    assert world.read("mm/mhp_kunit/b_kunit.c") == "new b, by me\n"


def test_half_moved_then_edited_can_be_discarded(world: World) -> None:
    half_moved(world, "new b, by me\n")
    world.prepare(drop_edits=True)
    assert world.read("mm/mhp_kunit/b_kunit.c") == "new b, longer\n"
    (kept,) = world.build.glob("*/discarded-*.patch")
    assert "by me" in kept.read_text(encoding="utf-8")
    clean_and_complete(world)


@pytest.mark.parametrize("victim, name, after", [
    (Path, "rename", 1), (series_files, "finish", 1), (series_files, "write_whole", 1),
    (series_files, "write_whole", 3), (shutil, "rmtree", 2), (state, "save", 1)])
def test_killed_while_mm_patches_are_replaced(world: World, victim: object, name: str, after: int) -> None:
    world.mm_patch(1)
    world.mm_patch(2)
    write(world.patches, {"known-bad/x.patch": "x\n"})
    prepared = world.prepare()
    git(world.linux, "reset", "-q", "--hard", "HEAD^")
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mm: other")
    die_in(victim, name, after, lambda: series.refresh(prepared))
    prepared = tree.existing(world.kernel)
    series.refresh(prepared)
    names = sorted(path.name for path in world.patches.iterdir())
    assert names == ["0001-mm-change-1.patch", "0002-mm-other.patch", "known-bad", "series"]
    world.prepare()
    assert world.subjects()[-2:] == ["mm: change 1", "mm: other"]
    clean_and_complete(world)


def test_interrupt_in_first_prepare_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(worktree, "checkout", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.prepare()
    assert not list(world.build.glob("*/linux*"))


def test_users_git_at_work_stops(world: World) -> None:
    world.prepare()
    lock = world.linux / ".git/index.lock"
    lock.write_bytes(b"")
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    with pytest.raises(MhpError, match="index.lock") as caught:
        world.prepare()
    assert caught.value.status == Exit.BUSY
    lock.unlink()
    world.prepare()


@pytest.mark.parametrize("said", [b"fatal: unable to write new index file: No space left on device",
                                  b"error: unable to write file mm/mhp_kunit/first_kunit.c"])
def test_full_disk_is_repaired(world: World, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """The move stops half-way with an error, as on a full disk; there is space the next time."""
    world.prepare()
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    real = git_module.Git.run

    def full(self: git_module.Git, *args: Arg, **more: Any) -> Result:
        if args[:3] == ("read-tree", "-m", "-u"):
            write(world.linux, {"mm/mhp_kunit/first_kunit.c": "int ch"})
            return Result((), 128, b"", said)
        return real(self, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(git_module.Git, "run", full)
        with pytest.raises(MhpError, match="free some space") as caught:
            world.prepare()
        assert caught.value.status == Exit.INTERNAL
    world.prepare()
    assert world.read("mm/mhp_kunit/first_kunit.c") == "int changed;\n"
    clean_and_complete(world)


def test_two_prepare_at_once(world: World) -> None:
    """Both end with the same complete tree; one waits for the other."""
    world.mm_patch(1)
    pids = []
    for _number in range(2):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                world.prepare()
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    clean_and_complete(world)


def test_sweep_leaves_a_scratch_directory_in_use(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    git_there = git_module.Git(world.linux / ".git")
    (world.linux / ".git/mhp-scratch/killed").mkdir()
    with git_there.scratch() as mine:
        git_there.sweep()
        assert mine.is_dir()
    git_there.sweep()
    clean_and_complete(world)

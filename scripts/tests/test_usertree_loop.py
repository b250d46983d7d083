# SPDX-License-Identifier: GPL-2.0
"""The loop on each kind of tree that a user may have: run, edit there, run again; with a stand-in for upstream's script."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_kunit import Kunit
from small_world import World, edit, git, mtimes, snapshot, write

from mhp.exits import Exit

EDITED = "mm/page_alloc.c"


def _with_commits(world: World) -> Path:
    for number in (3, 4):
        edit(world.kernel / EDITED, f"return {number};", f"return {number}{number};")
        git(world.kernel, "commit", "-q", "-a", "-m", f"theirs {number}")
    return world.kernel


def _dirty(world: World) -> Path:
    edit(world.kernel / EDITED, "return 3;", "return 33;")
    write(world.kernel, {"mm/untracked.c": "int untracked;\n"})
    return world.kernel


def _shallow(world: World) -> Path:
    git(world.tmp, "clone", "-q", "--depth=1", f"file://{_with_commits(world)}", "shallow")
    return world.tmp / "shallow"


def _linked(world: World) -> Path:
    git(world.kernel, "worktree", "add", "-q", "--detach", str(world.tmp / "linked"))
    return world.tmp / "linked"


def _built_in(world: World) -> Path:
    write(world.kernel, {".gitignore": "*.o\n.config\n/include/config/\n", ".config": "CONFIG_X=y\n",
                         "include/config/auto.conf": "CONFIG_X=y\n", "mm/page_alloc.o": "object\n"})
    git(world.kernel, "add", ".gitignore")
    git(world.kernel, "commit", "-q", "-m", "what git leaves out")
    return world.kernel


def _unpacked(world: World) -> Path:
    shutil.rmtree(world.kernel / ".git")
    return world.kernel


def _spaces(world: World) -> Path:
    return world.kernel.rename(world.tmp / "a kernel's  tree")


def _read_only(world: World) -> Path:
    """Not even the owner's bits, and, where that can be had, of somebody else."""
    for path in [world.kernel, *world.kernel.rglob("*")]:
        if os.getuid() == 0:
            os.chown(path, 12345, 12345)
        path.chmod(path.stat().st_mode & ~0o222)
    return world.kernel


@pytest.mark.parametrize("make", [_with_commits, _dirty, _shallow, _linked, _built_in, _unpacked, _spaces, _read_only])
def test_loop_follows_the_tree_and_leaves_it_alone(world: World, monkeypatch: pytest.MonkeyPatch,
                                                   capfd: pytest.CaptureFixture[str],
                                                   make: Callable[[World], Path]) -> None:
    world.mm_patch(1)
    kunit = Kunit(world, monkeypatch, capfd)
    world.kernel = make(world)
    before = snapshot(world.kernel)
    assert kunit("run") == Exit.PASS
    printed = kunit.printed()
    assert f"kernel: {world.kernel} (6.12), with arch-shims/v6.12; without mm-patches/" in printed
    assert ("a build was made in the tree itself (.config, include/config)" in printed) == (make is _built_in)
    assert snapshot(world.kernel) == before
    assert "mm: change 1" not in world.subjects() and not (world.linux / ".config").exists()
    assert not (world.linux / "mm/page_alloc.o").exists() and not (world.linux / "mm/untracked.c").exists()
    assert world.read(EDITED) == (world.kernel / EDITED).read_text(encoding="utf-8")

    assert kunit("run") == Exit.PASS
    assert "nothing has changed since the last build" in kunit.printed()

    times = mtimes(world.linux)
    (world.kernel / EDITED).chmod(0o644)  # in case they had no right to write
    edit(world.kernel / EDITED, "return 7;", "return 77;")
    before = snapshot(world.kernel)
    assert kunit("run") == Exit.PASS
    assert f"building first: {EDITED} edited" in kunit.printed()
    after = mtimes(world.linux)
    assert {name for name in {*times, *after} if times.get(name) != after.get(name)} == {EDITED}
    assert "return 77;" in world.read(EDITED) and snapshot(world.kernel) == before


def test_series_goes_on_top_when_asked_for_and_stays(world: World, monkeypatch: pytest.MonkeyPatch,
                                                     capfd: pytest.CaptureFixture[str]) -> None:
    world.mm_patch(1)
    kunit = Kunit(world, monkeypatch, capfd)
    kunit("run")
    assert world.subjects()[-1] == "kunit: the suites"
    kunit.printed()
    kunit("run", "--series")
    assert world.subjects()[-1] == "mm: change 1"
    assert "with mm-patches/v6.12 on top" in kunit.printed()
    kunit("run")
    assert world.subjects()[-1] == "mm: change 1"


def test_series_that_does_not_apply_is_named_and_the_rest_runs(world: World, monkeypatch: pytest.MonkeyPatch,
                                                               capfd: pytest.CaptureFixture[str]) -> None:
    world.mm_patch(1)
    kunit = Kunit(world, monkeypatch, capfd)
    lines = (world.kernel / "mm/memory_hotplug.c").read_text(encoding="utf-8")
    write(world.kernel, {"mm/memory_hotplug.c": lines.replace("int hotplug_", "long theirs_"),
                         "Makefile": "VERSION = 6\nPATCHLEVEL = 14\n"})
    said = kunit.fails(Exit.BROKEN_BASE, "run", "--series")
    for word in ("0001-mm-change-1.patch", "mm/memory_hotplug.c: hunk 1", "(6.14)", "for v6.12", "int hotplug_10"):
        assert word in said
    assert kunit("run") == Exit.PASS
    assert "arch-shims/v6.12, the nearest that there are to v6.14" in kunit.printed()


@pytest.mark.parametrize(("version", "word"), [((4, 19), "too old"), ((9, 1), "too new")])
def test_kernel_that_the_shims_do_not_fit_is_refused(world: World, monkeypatch: pytest.MonkeyPatch,
                                                     capfd: pytest.CaptureFixture[str], version: tuple[int, int],
                                                     word: str) -> None:
    world.patch(world.shims, "0001-um-option.patch", {"arch/um/Kconfig": ("\tbool\n", "\tbool\n\tselect MORE\n")}, "um: option")
    kunit = Kunit(world, monkeypatch, capfd)
    write(world.kernel, {"Makefile": f"VERSION = {version[0]}\nPATCHLEVEL = {version[1]}\n",
                         "arch/um/Kconfig": "menu \"UML\"\nendmenu\n"})
    said = kunit.fails(Exit.BROKEN_BASE, "run")
    for text in ("arch-shims/v6.12/0001-um-option.patch", "arch/um/Kconfig: hunk 1", f"({version[0]}.{version[1]})",
                 "the nearest base there is (arch-shims/ has v6.12)", word):
        assert text in said
    assert not list(world.build.glob("*/linux*"))


@pytest.mark.parametrize("debian", [False, True])
def test_build_that_misses_an_untracked_file_names_it(world: World, monkeypatch: pytest.MonkeyPatch, debian: bool,
                                                      capfd: pytest.CaptureFixture[str]) -> None:
    kunit = Kunit(world, monkeypatch, capfd)
    # Debian's own ignores each new file.
    write(world.kernel, {".gitignore": "*.o\n/*\n!/debian/\n" if debian else "*.o\n"})
    git(world.kernel, "add", "-f", ".gitignore")
    write(world.kernel, {"mm/new.c": "int made;\n", "notes.txt": "no source\n", "mm/new.o": "ignored\n"})
    kunit.mode("build_error")
    said = kunit.fails(Exit.BUILD_FAILED, "run")
    assert f"of {world.kernel} are not taken" in said and "  mm/new.c" in said and "notes" not in said and "new.o" not in said
    git(world.kernel, "add", "-f", "-N", "mm/new.c")
    assert "are not taken" not in kunit.fails(Exit.BUILD_FAILED, "run")
    assert world.read("mm/new.c") == "int made;\n"

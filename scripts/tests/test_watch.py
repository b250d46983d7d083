# SPDX-License-Identifier: GPL-2.0
"""run --watch: a run for each save, none without one."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_world import World, edit, git

from mhp import options, watch
from mhp.exits import Exit, MhpError


class Enough(Exception):
    """Ends the loop in place of Ctrl-C."""


def _later(seconds: float, do: Callable[[], object]) -> None:
    threading.Timer(seconds, do).start()


def _prepare(found: options.Options, runs: list[str], mend: Callable[[], object]) -> None:
    """Prepare the kernel; when it is refused, mend that a bit later."""
    try:
        found.prepare()
        runs.append("right")
    except MhpError:
        runs.append("refused")
        _later(1.5, mend)
        raise


def test_each_save_is_one_run(world: World) -> None:
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel)])
    edited: list[Path] = []
    runs: list[float] = []

    def once() -> int:
        runs.append(time.monotonic())
        path = world.linux / "mm/page_alloc.c"
        if len(runs) == 1:
            edited.append(path)
            # A save of the same content; later, when the watches are there, a real one; another in mid-run.
            _later(0.3, path.touch)
            _later(1.5, lambda: path.write_text("/* one */\n", encoding="utf-8"))
        elif len(runs) == 2:
            path.write_text("/* two */\n", encoding="utf-8")
            raise MhpError(Exit.BUILD_FAILED, "a failed run is no end")
        else:
            raise Enough
        return 0

    with pytest.raises(Enough):
        watch.loop(found, once)
    assert len(runs) == 3 and edited[0].exists()
    assert not list(world.build.glob("tmp/guest-*"))


def test_save_and_commit_in_the_users_tree_are_runs(world: World) -> None:
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel)])
    theirs = world.kernel / "mm/page_alloc.c"
    seen: list[str] = []

    def once() -> int:
        seen.append(world.read("mm/page_alloc.c"))
        if len(seen) == 1:
            _later(1.5, lambda: edit(theirs, "return 3;", "return 3333;"))
        elif len(seen) == 2:
            # No file of theirs is saved when they commit; when they go to another commit, one is.
            _later(1.5, lambda: git(world.kernel, "commit", "-q", "-a", "-m", "theirs"))
            _later(2.0, lambda: git(world.kernel, "reset", "-q", "--hard", "HEAD^"))
        elif "return 3333;" not in seen[-1]:
            raise Enough
        return 0

    with pytest.raises(Enough):
        watch.loop(found, once)
    assert ["return 3333;" in text for text in seen] in ([False, True, False], [False, True, True, False])


def test_tree_that_cannot_be_prepared_for_a_while_is_no_end(world: World) -> None:
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel)])
    runs: list[str] = []

    def once() -> int:
        _prepare(found, runs, lambda: git(world.kernel, "merge", "--abort"))
        if len(runs) == 1:
            git(world.kernel, "checkout", "-q", "-b", "other")
            edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 4;")
            git(world.kernel, "commit", "-q", "-a", "-m", "other")
            git(world.kernel, "checkout", "-q", "-")
            edit(world.kernel / "mm/page_alloc.c", "return 3;", "return 5;")
            git(world.kernel, "commit", "-q", "-a", "-m", "this")
            subprocess.run(["git", "-C", world.kernel, "merge", "-q", "other"], check=False, stdout=subprocess.DEVNULL)
        elif runs[-1] == "right":
            raise Enough
        return 0

    with pytest.raises(Enough):
        watch.loop(found, once)
    assert runs == ["right", "refused", "right"]


def test_watch_needs_inotifywait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel)])
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(MhpError, match="inotify-tools") as caught:
        watch.loop(found, lambda: 0)
    assert caught.value.status == Exit.MISSING_TOOL


def test_watch_goes_with_run() -> None:
    with pytest.raises(MhpError, match="--watch goes with run"):
        options.parse(["exec", "--watch"])


def test_kernel_that_is_gone_for_a_while_is_no_end(world: World) -> None:
    """As during a checkout, or when an editor renames; a full disk is no end either."""
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel)])
    makefile, away = world.kernel / "Makefile", world.tmp / "Makefile"
    runs: list[str] = []

    def once() -> int:
        _prepare(found, runs, lambda: away.rename(makefile))
        if len(runs) == 1:
            makefile.rename(away)
            raise OSError(28, "No space left on device")
        raise Enough

    with pytest.raises(Enough):
        watch.loop(found, once)
    assert runs == ["right", "refused", "right"]


def test_save_of_a_configuration_elsewhere_is_a_run(world: World) -> None:
    config = world.tmp / "elsewhere/my.config"
    config.parent.mkdir()
    config.write_text("CONFIG_KUNIT=y\n")
    found = options.parse(["run", "--watch", "--kdir", str(world.kernel), f"--kunitconfig={config}"])
    runs: list[int] = []

    def once() -> int:
        runs.append(1)
        if len(runs) == 2:
            raise Enough
        _later(1.5, lambda: config.write_text("CONFIG_KUNIT=y\nCONFIG_X=y\n"))
        return 0

    with pytest.raises(Enough):
        watch.loop(found, once)

# SPDX-License-Identifier: GPL-2.0
"""`run --watch`: a run at each save, one after the other, until Ctrl-C."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from mhp import building, guard, paths, upstream
from mhp.exits import Exit, MhpError
from mhp.options import Options
from mhp.progress import say
from mhp.tree import PreparedTree, existing
from mhp.upstream import Job

_EVENTS = "close_write,create,delete,moved_to,moved_from"
# Nothing there is part of a kernel for KUnit; without them 4000 directories are left to be watched.
_NOT_WATCHED = ("Documentation", "LICENSES", "samples", "tools")
_SETTLE_SECONDS = 0.15      # an editor's save is several events
_ESTABLISHED_SECONDS = 1.0  # by then inotifywait has seen every directory


def loop(options: Options, once: Callable[[], int]) -> int:
    """Call `once` now and whenever what a run is made from has changed; ended by KeyboardInterrupt.

    A run that fails is told and is no end. Raises MhpError(MISSING_TOOL) without inotifywait, and
    MhpError(INTERNAL) when the host has no room for the watches.
    """
    if shutil.which("inotifywait") is None:
        raise MhpError(Exit.MISSING_TOOL, "--watch needs inotifywait: `make setup` installs it (inotify-tools)")
    watched: list[Path] = []
    while True:
        seen = _state(options)
        start = time.monotonic()
        try:
            once()
        except BrokenPipeError:  # nobody reads any more
            raise
        except (MhpError, OSError) as err:
            say(f"kunit.py: {err}")
        say(f"--- {time.monotonic() - start:.1f} s; waiting for the next save, Ctrl-C ends ---")
        while _state(options) == seen:
            watched = _watched(options, watched)
            _wait(options, seen, watched)


def _state(options: Options) -> object:
    """What a run would be made from; the error when there is none."""
    try:
        tree = options.prepare()
        return building.key(Job(options, tree, upstream.build_dir(options, tree)))
    except (MhpError, OSError) as err:
        return str(err)


def directories(top: Path, tree: PreparedTree) -> list[Path]:
    """The directories of a kernel's tracked files below `top`, those without code left out."""
    names = {str(Path(name).parent) for name in tree.git.names("ls-files", "-z")}
    wanted = (top / name for name in names if not name.startswith(_NOT_WATCHED))
    return sorted(path for path in wanted if path.is_dir())


def _watched(options: Options, before: list[Path]) -> list[Path]:
    """The directories where a save may change what a run is made from; while the kernel cannot be used, those of `before`."""
    kdir = [options.kdir.absolute()] if options.kdir else []
    try:
        found = [paths.REPO]
        for top in (paths.KUNIT, paths.ARCH_SHIMS, paths.MM_PATCHES):
            found += [top, *(path for path in top.rglob("*") if path.is_dir())]
        try:
            tree = options.prepare()
        except MhpError:  # the run has told it; what ends it is a save, too
            tree = existing(options.kdir)
        for kernel in [tree.path, *kdir]:
            found += directories(kernel, tree)
        job = Job(options, tree, upstream.build_dir(options, tree))
        asked = [*job.kunitconfigs, *([Path(options.seen.qemu_config)] if options.seen.qemu_config else [])]
        return [*found, *{path.absolute().parent for path in asked}]
    except (MhpError, OSError):
        return before or [paths.REPO, *kdir]


def _wait(options: Options, seen: object, watched: list[Path]) -> None:
    """Until a file may have been saved."""
    start = time.monotonic()
    checked = False

    def saved_meanwhile() -> str | None:
        nonlocal checked
        if checked or time.monotonic() - start < _ESTABLISHED_SECONDS:
            return None
        checked = True
        return "saved" if _state(options) != seen else None

    with upstream.guest_directory() as scratch:
        listing = scratch / "watched"
        listing.write_text("".join(f"{path}\n" for path in watched if path.is_dir()), encoding="utf-8", errors="surrogateescape")
        ended = guard.supervise(["inotifywait", "-qq", "-e", _EVENTS, "--fromfile", str(listing)],
                                watch=saved_meanwhile, remove=scratch)
    if ended.status and not ended.stopped:
        raise MhpError(Exit.INTERNAL, "inotifywait cannot watch the kernel's directories; "
                       "`sysctl fs.inotify.max_user_watches=65536` makes room when that is what it lacks")
    time.sleep(_SETTLE_SECONDS)

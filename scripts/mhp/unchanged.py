# SPDX-License-Identifier: GPL-2.0
"""Is what the last build was made from still the same? Then a boot is enough.

The stamp in the build directory holds all that a build depends on. It is taken before a build starts
and written only after it succeeded; begin() removes it. So an edit made during a build, or a build that was
cut off, is never taken for built. A file that was saved meanwhile counts as edited, whatever it holds at the end.
"""

import errno
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mhp import ahead, compiler
from mhp.builddir import BuildDir
from mhp.git import Git
from mhp.state import write_whole

# Variables that differ from terminal to terminal and mean nothing to a build. Any other variable can
# mean something to make, which takes them all for its own.
_NO_MATTER = ("_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLORTERM", "COLUMNS", "LINES", "DISPLAY",
              "WINDOWID", "MAIL", "LS_COLORS", "EDITOR", "VISUAL", "PAGER", "PS1", "LINUX", "PYTHONUNBUFFERED")
_NO_MATTER_STARTS = ("SSH_", "XDG_", "DBUS_", "TMUX", "STY", "HIST", "LESS", "TERM_", "VTE_", "WAYLAND_",
                     "GPG_", "PYTEST_", "MHP_", "GIT_", "CCACHE_", "SUDO_")

PACKAGES = Path("/var/lib/dpkg/status")

# A directory, as of a repository within the tree: what is in it is not looked at, so it counts as edited.
_NO_FILE = "no file"
# What the kernel holds of files that can be anywhere, and are not looked at either.
_OUTSIDE = re.compile(rb'^CONFIG_(INITRAMFS_SOURCE|EXTRA_FIRMWARE)="[^"]', re.MULTILINE)

Parts = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """All that a build depends on. looked: when that was looked at, in nanoseconds; no part of what is compared."""

    parts: Parts
    looked: int = field(compare=False)

    @property
    def tree(self) -> Parts:
        """The commit, and every file that differs from it or is not in it."""
        return cast(Parts, self.parts["tree"])


def _file(path: Path) -> str:
    """Content hash of a file, of what it is a link to as well, or what it is instead."""
    link = ""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            link = f"link to {os.readlink(path)}, "
            status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _NO_FILE
        with path.open("rb") as file:
            return f"{link}{status.st_mode & 0o111:o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as err:
        return f"{link}{err.strerror}"


def _identity(path: str | os.PathLike[str] | None) -> str:
    """A file's path, size and time of change; cheaper than its content and enough for a program."""
    if path is None:
        return "none"
    try:
        real = os.path.realpath(path)
        status = os.stat(real)
        return f"{real} {status.st_size} {status.st_mtime_ns}"
    except OSError as err:
        return str(err.strerror)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that can mean something to a build."""
    return {name: value for name, value in sorted(env.items())
            if name not in _NO_MATTER and not name.startswith(_NO_MATTER_STARTS)}


def key(git: Git, asked: Sequence[str], make: Sequence[str], programs: Sequence[str],
        env: Mapping[str, str]) -> Key:
    """All that a build depends on, as of now.

    asked: whatever was asked for on the command line and in config files. make: options for make.
    programs: compiler and linker. env: the environment that make will have.
    """
    assert git.worktree
    path = env.get("PATH", "")
    commit, names, looked = ahead.seen(git)
    return Key({
        "tree": {"commit": commit, "edits": {name: _file(git.worktree / name) for name in names}},
        "config": list(asked),
        "make": list(make),
        "programs": {name: _identity(compiler.which(name, path)) for name in programs},
        # Packages bring headers, libraries and tools that no list of ours would be complete about.
        "packages": _identity(PACKAGES),
        "environment": environment(env),
    }, looked)


def _products(build: BuildDir, arch: str) -> Parts:
    return {".config": _file(build.config), "kernel": _identity(build.kernel(arch))}


@dataclass(frozen=True)
class Change:
    """What has changed since the last complete build.

    why: for people. edited: the files of the tree that have changed, or that a build after it, which did
    not end well, was about. only_files: nothing else has changed.
    """

    why: str
    edited: frozenset[str] = frozenset()
    only_files: bool = False


def difference(git: Git, build: BuildDir, arch: str, now: Key) -> Change | None:
    """What has changed since the last complete build; None when nothing has."""
    try:
        stamp = json.loads(build.stamp.read_bytes())
        before, pending = stamp["key"], stamp["pending"]
        edited = frozenset([*_edited(git, before["tree"], now.tree), *pending])
        why = ("the build directory was changed" if _products(build, arch) != stamp["products"] else
               _other(before, now.parts) or _outside(build))
        if why:
            return Change(why, edited)
        if edited:
            names = sorted(edited)
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return Change(f"{names[0]}{more} edited", edited, True)
        if before["tree"]["commit"] != now.tree["commit"]:
            return Change("the prepared tree is at another commit", edited, True)
        return None if before == now.parts else Change("something else")
    except FileNotFoundError:
        return Change("there is no complete build yet")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Change("the record of the last build cannot be read")


def _edited(git: Git, before: Parts, now: Parts) -> set[str]:
    """The files whose content differs between two states of the tree, as far as git tracks or sees them."""
    assert git.worktree
    old, new = before["edits"], now["edits"]
    names = {name for name in {*old, *new} if old.get(name) != new.get(name) or new.get(name) == _NO_FILE}
    if before["commit"] != now["commit"]:
        changed = _changed(git, before["commit"], now["commit"])
        # An edit that was committed is in both lists, and is no change.
        names |= {name for name in changed if name not in old}
        names -= {name for name in old if name not in new and old[name] == _file(git.worktree / name)}
    return names


def _changed(git: Git, before: str, now: str) -> list[str]:
    """The files that differ between two commits; all there are when git has dropped the first one (git gc)."""
    done = git.run("diff-tree", "-r", "-z", "--no-renames", "--name-only", before, now)
    if done.status != 0:
        return git.names("ls-files", "-z")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _other(before: Parts, now: Parts) -> str | None:
    """What else than the tree has changed, for people."""
    for part, text in (("config", "another config is asked for"), ("make", "other options for make"),
                       ("programs", "another compiler"), ("packages", "packages were installed")):
        if before[part] != now[part]:
            return text
    old, new = before["environment"], now["environment"]
    if names := sorted(name for name in {*old, *new} if old.get(name) != new.get(name)):
        return f"another environment: {', '.join(names[:3])}"
    return None


def _outside(build: BuildDir) -> str | None:
    """The option that takes such files into the kernel, for people."""
    found = _OUTSIDE.search(build.config.read_bytes())
    return f"files of CONFIG_{os.fsdecode(found[1])} may have changed" if found else None


def contents(top: Path, names: Collection[str]) -> dict[str, str]:
    """The hash of the content of each of these files below `top`."""
    return {name: _file(top / name) for name in names}


def begin(git: Git, build: BuildDir, now: Key) -> tuple[frozenset[str], frozenset[str]]:
    """make begins to build what is in `now`; the last complete build is none any more.

    Returns the files that have changed since then, or since a build that was begun later: that may have made some
    objects, also of what was saved while it ran. And those of the files that are headers and were not there.
    """
    build.path.mkdir(parents=True, exist_ok=True)
    edited: set[str] = set()
    new: set[str] = set()
    known = _begun(build)
    for one in known:
        names = {*_edited(git, one["tree"], now.tree), *one["pending"]}
        edited |= names
        new |= _absent(git, one["tree"], [name for name in names if name.endswith(".h")])
    attempts = [one for one in known if one["looked"]]
    if attempts:
        edited |= saved_in_tree(git, now, min(one["looked"] for one in attempts))
    if now.tree not in [one["tree"] for one in attempts]:
        known.append({"tree": now.tree, "pending": [], "looked": now.looked})
    _write(build.begun, known)
    build.stamp.unlink(missing_ok=True)
    return frozenset(edited), frozenset(new)


def _absent(git: Git, tree: Parts, names: Sequence[str]) -> set[str]:
    """Those of these files that are not in a state of the tree."""
    if not git.existing([tree["commit"]]):
        return set(names)
    gone = {name for name, what in tree["edits"].items() if what == os.strerror(errno.ENOENT)}
    there = {*tree["edits"], *git.entries(tree["commit"], names)} - gone
    return {*names} - there


def _begun(build: BuildDir) -> list[Parts]:
    """The tree of the last complete build, as far as it is known, with its pending files, and of those begun later.

    looked: as in a Key; 0 for the complete one.
    """
    found: list[Parts] = []
    for path in (build.begun, build.stamp):
        try:
            read = json.loads(path.read_bytes())
            found += read if path == build.begun else [
                {"tree": read["key"]["tree"], "pending": read["pending"], "looked": 0}]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def saved(top: Path, names: Iterable[str], since: int) -> set[str]:
    """Those of these files below `top` that were saved after a time, also when their content is again what it was."""
    found, now = set(), time.time_ns()
    for name in names:
        try:
            if since < os.stat(f"{top}/{name}").st_ctime_ns <= now:
                found.add(name)
        except OSError:
            continue
    return found


def saved_in_tree(git: Git, then: Key, since: int) -> set[str]:
    """saved() of all files of the tree: some tenths of a second."""
    assert git.worktree
    return saved(git.worktree, {*git.names("ls-files", "-z"), *then.tree["edits"]}, since)


def record(build: BuildDir, arch: str, before: Key, saved_meanwhile: Collection[str] = ()) -> None:
    """A build from `before` succeeded. saved_meanwhile: files that may have been compiled as they are not in it."""
    _write(build.stamp, {"key": before.parts, "products": _products(build, arch), "pending": sorted(saved_meanwhile)})
    build.begun.unlink(missing_ok=True)


def attempt(build: BuildDir, edited: Collection[str]) -> None:
    """A build of edits begins, on top of the last complete one: until one succeeds, they count as edited."""
    _write(build.stamp, {**json.loads(build.stamp.read_bytes()), "pending": sorted(edited)})


def _write(path: Path, what: Parts | list[Parts]) -> None:
    write_whole(path, json.dumps(what).encode(errors="surrogateescape"))

# SPDX-License-Identifier: GPL-2.0
"""A small kernel and a small project around it, for tests of the prepared tree."""

import os
import subprocess
from pathlib import Path

import pytest

from mhp import paths, tree
from mhp.git import clean_environment

KERNEL = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n",
    "mm/Makefile": "obj-y := memory_hotplug.o page_alloc.o\n",
    "mm/Kconfig": "config MEMORY_HOTPLUG\n\tbool\n",
    "mm/memory_hotplug.c": "".join(f"int hotplug_{n}(void) {{ return {n}; }}\n" for n in range(60)),
    "mm/page_alloc.c": "".join(f"int alloc_{n}(void) {{ return {n}; }}\n" for n in range(60)),
    "arch/um/Kconfig": "config UML\n\tbool\n",
    "include/linux/mm.h": "struct page;\n",
    ".gitignore": "*.o\n",
}


def git(directory: Path, *args: str, date: str = "1700000000 +0000") -> str:
    """Run git as a user would, and return what it prints."""
    env = {**clean_environment(), "GIT_AUTHOR_NAME": "A U Thor", "GIT_AUTHOR_EMAIL": "author@example.org",
           "GIT_COMMITTER_NAME": "C O Mitter", "GIT_COMMITTER_EMAIL": "committer@example.org",
           "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    del env["GIT_OPTIONAL_LOCKS"]
    return subprocess.run(["git", "-C", str(directory), *args], env=env, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.rstrip("\n")


def write(directory: Path, files: dict[str, str]) -> None:
    """Write files below a directory."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a directory, to see that nothing was touched."""
    found = {}
    for path in directory.rglob("*"):
        stat = path.lstat()
        found[str(path)] = (stat.st_size, stat.st_mtime_ns)
    return found


class World:
    """The project's folders, the kernel, and shorthands."""

    def __init__(self, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tmp = tmp
        self.project = tmp / "project"
        self.build = tmp / "build"
        self.kernel = tmp / "my kernel"
        self.shims = self.project / "arch-shims/v6.12"
        self.patches = self.project / "mm-patches/v6.12"
        self.kunit = self.project / "kunit"
        self.um = self.project / "arch-shims/um"
        monkeypatch.setenv("MHP_BUILD", str(self.build))
        for name in ("LINUX", "MHP_SOURCES", "MHP_CC"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(paths, "ARCH_SHIMS", self.project / "arch-shims")
        monkeypatch.setattr(paths, "MM_PATCHES", self.project / "mm-patches")
        monkeypatch.setattr(paths, "KUNIT", self.kunit)
        monkeypatch.setattr(paths, "KUNIT_CONFIGS", self.kunit / "configs")
        write(self.project, {"kunit/first_kunit.c": "int first;\n", "kunit/README.md": "no\n",
                             "kunit/configs/quick.config": "CONFIG_X=y\n",
                             "arch-shims/um/kernel/hotplug.c": "int um;\n"})
        self.shims.mkdir(parents=True)
        self.patches.mkdir(parents=True)
        write(self.kernel, KERNEL)
        git(tmp, "init", "-q", "-b", "master", str(self.kernel))
        git(self.kernel, "add", "-A")
        git(self.kernel, "commit", "-q", "-m", "base")

    def prepare(self, **more: bool) -> tree.PreparedTree:
        """Prepare the small kernel; at first with the series."""
        first = {} if list(self.build.glob("*/linux")) else {"series": True}
        return tree.prepare(self.kernel, **{**first, **more})

    @property
    def linux(self) -> Path:
        """The prepared work tree."""
        (found,) = self.build.glob("*/linux")
        return found

    def read(self, name: str) -> str:
        """A file of the prepared tree."""
        return (self.linux / name).read_text(encoding="utf-8")

    def subjects(self) -> list[str]:
        """The subjects of the prepared commits, oldest first."""
        return git(self.linux, "log", "--reverse", "--format=%s").splitlines()

    def patch(self, directory: Path, name: str, files: dict[str, tuple[str, str]], subject: str) -> Path:
        """Add a patch to a series directory, made against the small kernel as it is committed."""
        for path, (old, new) in files.items():
            if old:
                edit(self.kernel / path, old, new)
            else:
                write(self.kernel, {path: new})
        git(self.kernel, "add", "-A")
        git(self.kernel, "commit", "-q", "-m", subject)
        text = git(self.kernel, "format-patch", "-1", "--stdout", "--zero-commit", "--no-signature")
        git(self.kernel, "reset", "-q", "--hard", "HEAD^")
        target = directory / name
        target.write_text(text + "\n", encoding="utf-8")
        with (directory / "series").open("a", encoding="utf-8") as series:
            series.write(f"{name}\n")
        return target

    def mm_patch(self, number: int) -> Path:
        """Add an mm patch that changes one line; patches with different numbers do not meet."""
        return self.patch(self.patches, f"000{number}-mm-change-{number}.patch",
                          {"mm/memory_hotplug.c": (f"return {number * 10};", f"return {number * 10} + 1;")},
                          f"mm: change {number}")

    def commit(self, name: str, old: str, new: str, subject: str) -> str:
        """Commit an edit of a file in the prepared tree, as the user would."""
        edit(self.linux / name, old, new)
        git(self.linux, "commit", "-q", "-a", "-m", subject)
        return git(self.linux, "rev-parse", "HEAD")


def mtimes(directory: Path) -> dict[str, int]:
    """Times of the files of a work tree."""
    return {str(path.relative_to(directory)): path.stat().st_mtime_ns
            for path in directory.rglob("*") if path.is_file() and ".git" not in path.parts}


def changed_times(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """Files that were written, made or removed between two mtimes()."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def environ_without_linux() -> dict[str, str]:
    """The environment for a command of ours that is started as a program."""
    return {key: value for key, value in os.environ.items() if key != "LINUX"}

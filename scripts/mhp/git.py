# SPDX-License-Identifier: GPL-2.0
"""git, shielded from the user's settings and from what a repository that is not ours could run."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mhp import run as programs
from mhp.exits import Exit

# Nothing of these may run or change what git does for us, whoever wrote the repository's config.
_SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "safe.directory=*",
             "core.excludesFile=/dev/null", "core.attributesFile=/dev/null", "core.quotePath=false",
             "gc.auto=0", "maintenance.auto=false", "advice.detachedHead=false")

# Paths that are given to one command; the kernel limits the length of a command line.
ARGUMENTS = 1000

_SCRATCH = "mhp-scratch"
_OLD_SECONDS = 3600  # no git command of ours runs longer


def clean_environment() -> dict[str, str]:
    """Our environment without the user's git settings, GIT_* variables and language."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env.update(LC_ALL="C.UTF-8", LANGUAGE="", GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null",
               GIT_ATTR_NOSYSTEM="1", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", GIT_NO_LAZY_FETCH="1")
    return env


@dataclass(frozen=True)
class Entry:
    """A file in a git tree: mode ("100644", ...), object id, path relative to the tree's top."""

    mode: str
    oid: str
    path: str


# File by file: (old entry, new entry), None where the file is absent.
Changes = list[tuple[Entry | None, Entry | None]]


@contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Git:
    """A repository (`gitdir`), with a work tree when there is one.

    `index` and `objects` replace the index file and the directory of objects.
    """

    gitdir: Path
    worktree: Path | None = None
    index: Path | None = None
    objects: Path | None = None
    settings: Sequence[str] = field(default=())

    def argv(self, *args: programs.Arg) -> list[programs.Arg]:
        """The command line for `git ARGS` in this repository."""
        words: list[programs.Arg] = ["git", f"--git-dir={self.gitdir}"]
        if self.worktree is not None:
            words.append(f"--work-tree={self.worktree}")
        for setting in (*_SETTINGS, *self.settings):
            words += ["-c", setting]
        return [*words, *args]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment for argv()."""
        env = clean_environment()
        if self.index is not None:
            env["GIT_INDEX_FILE"] = str(self.index)
        if self.objects is not None:
            env["GIT_OBJECT_DIRECTORY"] = str(self.objects)
        env.update(more or {})
        return env

    def run(self, *args: programs.Arg, input: bytes | None = None,  # pylint: disable=redefined-builtin
            env: Mapping[str, str] | None = None) -> programs.Result:
        """Run `git ARGS`; any exit status is the caller's to judge."""
        return programs.run(self.argv(*args), cwd=self.worktree, env=self.environment(env), input=input)

    def check(self, *args: programs.Arg, input: bytes | None = None,  # pylint: disable=redefined-builtin
              env: Mapping[str, str] | None = None, status: Exit = Exit.INTERNAL) -> programs.Result:
        """Run `git ARGS`; a failure raises MhpError(`status`) with git's own words."""
        return programs.check(self.argv(*args), cwd=self.worktree, env=self.environment(env),
                              input=input, status=status)

    def text(self, *args: programs.Arg, input: bytes | None = None) -> str:  # pylint: disable=redefined-builtin
        """stdout of a `git ARGS` that must succeed, as text."""
        return self.check(*args, input=input).text

    def names(self, *args: programs.Arg) -> list[str]:
        """stdout of `git ARGS` (with -z) as a list of paths; odd bytes survive as surrogates."""
        raw = self.check(*args).stdout
        return [os.fsdecode(name) for name in raw.split(b"\0") if name]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for temporary files; one that a killed run left is removed by sweep()."""
        top = self.gitdir / _SCRATCH
        top.mkdir(exist_ok=True)
        with _locked(top, fcntl.LOCK_SH), tempfile.TemporaryDirectory(dir=top) as directory:
            yield Path(directory)

    def sweep(self) -> None:
        """Remove what killed runs of ours left in the repository; scratch directories only while nobody works in one.

        scripts/check tries a series on the kernels of other prepared trees without their lock.
        """
        top = self.gitdir / _SCRATCH
        try:
            with _locked(top, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for left in top.iterdir():
                    shutil.rmtree(left, ignore_errors=True)
        except (FileNotFoundError, BlockingIOError):
            pass
        for left_over in (*self.gitdir.glob("objects/pack/tmp_*"), *self.gitdir.glob("fast_import_crash_*")):
            if time.time() - left_over.stat().st_mtime > _OLD_SECONDS:
                left_over.unlink()

    def resolve(self, revision: str) -> str | None:
        """The object id of a revision, or None when there is no such thing."""
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        return done.text if done.status == 0 else None

    def entries(self, tree: str, paths: Sequence[str]) -> dict[str, Entry]:
        """The entries of a tree-ish at exactly these paths; what is not there is left out."""
        found: dict[str, Entry] = {}
        for start in range(0, len(paths), ARGUMENTS):
            raw = self.check("--literal-pathspecs", "ls-tree", "-z", "--full-tree", tree, "--",
                             *paths[start:start + ARGUMENTS]).stdout
            found.update({entry.path: entry for entry in _ls_tree(raw)})
        return found

    def changes(self, old: str, new: str) -> Changes:
        """What differs between two tree-ishes, file by file."""
        raw = self.check("diff-tree", *_RAW, old, new).stdout
        return _raw_changes(raw.split(b"\0")[:-1])[""]

    def commit_changes(self, commits: Sequence[str]) -> dict[str, Changes]:
        """What each of these commits changes against its first parent."""
        listing = "".join(f"{commit}\n" for commit in commits).encode()
        raw = self.check("diff-tree", "--stdin", "--first-parent", *_RAW, input=listing).stdout
        found = _raw_changes(raw.split(b"\0")[:-1])
        return {commit: found.get(commit, []) for commit in commits}

    def existing(self, objects: Sequence[str]) -> set[str]:
        """Those of these object ids that the repository has."""
        listing = "".join(f"{oid}\n" for oid in objects).encode()
        lines = self.check("cat-file", "--batch-check", input=listing).text.splitlines()
        return {line.split(" ")[0] for line in lines if not line.endswith(" missing")}

    def contents(self, objects: Sequence[str]) -> dict[str, bytes]:
        """The bytes of these objects (blobs or commits), which must exist."""
        listing = "".join(f"{oid}\n" for oid in objects).encode()
        raw = self.check("cat-file", "--batch", input=listing).stdout
        found, start = {}, 0
        for oid in objects:
            end = raw.index(b"\n", start)
            size = int(raw[start:end].split(b" ")[2])
            found[oid] = raw[end + 1:end + 1 + size]
            start = end + size + 2
        return found


_RAW = ("-r", "-z", "--no-renames", "--raw", "--no-abbrev")


def _raw_changes(fields: list[bytes]) -> dict[str, Changes]:
    """`git diff-tree -z --raw` by commit id ("" when none is printed): pairs of old and new entry."""
    commit = ""
    found: dict[str, Changes] = {commit: []}
    words = iter(fields)
    for word in words:
        if not word.startswith(b":"):
            commit = word.decode()
            found[commit] = []
            continue
        mode_a, mode_b, oid_a, oid_b, _status = word.decode().lstrip(":").split(" ")
        path = os.fsdecode(next(words))
        found[commit].append((Entry(mode_a, oid_a, path) if mode_a != "000000" else None,
                              Entry(mode_b, oid_b, path) if mode_b != "000000" else None))
    return found


def look_around(directory: Path, *what: str) -> programs.Result:
    """`git rev-parse WHAT` for the repository that a directory is in, paths absolute; any status."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return programs.run(["git", "-C", directory, *settings, "rev-parse", "--path-format=absolute", *what],
                        env=clean_environment())


def _ls_tree(raw: bytes) -> Iterator[Entry]:
    for line in raw.split(b"\0"):
        if line:
            meta, _, name = line.partition(b"\t")
            mode, _kind, oid = meta.decode().split(" ")
            yield Entry(mode, oid, os.fsdecode(name))

# SPDX-License-Identifier: GPL-2.0
"""A kernel tree of the user's as the base: read, never written.

Our repository borrows the objects of theirs (objects/info/alternates). Their uncommitted changes are
taken with an index and an object directory of ours. Of their git only `rev-parse` is run, with hooks
and monitors switched off; their attributes and configuration cannot run anything here.
"""

import hashlib
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from mhp import chain, ignores
from mhp.exits import Exit, MhpError
from mhp.git import Git, look_around
from mhp.lock import locked
from mhp.progress import Progress, say
from mhp.state import write_whole

_PLACE = "theirs"
_INDEX = "index"
_OBJECTS = "objects"
_INDEX_OF = "index.of"
_UNPACKED_INDEX = "mhp-theirs.index"
_NO_GIT_DATE = "0 +0000"
# By these kbuild knows that a tree was built in; it then builds nowhere else.
_BUILT_IN = (".config", "include/config", "arch/um/include/generated")
_UPDATE = ("--add", "--remove", "--replace")
_SOURCES = ("*.[chS]", "*Kconfig*", "*Makefile*", "*Kbuild*")


@dataclass(frozen=True)
class UserTree:
    """A directory with a kernel in it; `gitdir` and `common` are None when it is no git checkout.

    `common` is the main repository's git directory, which differs from `gitdir` in a linked worktree.
    """

    path: Path
    gitdir: Path | None
    common: Path | None
    object_format: str

    @property
    def id(self) -> str:
        """Name of its directory below build/: readable, and different for each path."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", self.path.name).strip("._-")[:40] or "tree"
        return f"{name}-{hashlib.sha256(str(self.path).encode(errors='surrogateescape')).hexdigest()[:8]}"


def find(kdir: Path) -> UserTree:
    """Look at a directory that the user named. Raises MhpError(USAGE) when it holds no kernel."""
    try:
        path = kdir.resolve(strict=True)
        makefile = (path / "Makefile").read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError as err:
        raise MhpError(Exit.USAGE, f"{kdir}: no kernel tree: {err.strerror} ({err.filename})") from err
    if not (parse_version(makefile) and (path / "mm").is_dir()):
        raise MhpError(Exit.USAGE, f"{kdir}: no kernel tree: its Makefile has no VERSION and PATCHLEVEL, "
                       "or there is no mm/")
    if "\n" in str(path):
        raise MhpError(Exit.USAGE, f"{kdir!r}: a path with a line break cannot be used")
    done = look_around(path, "--show-toplevel", "--git-dir", "--git-common-dir", "--show-object-format")
    lines = done.text.splitlines()
    if done.status == 0 and len(lines) == 4 and Path(lines[0]).resolve() == path:
        return UserTree(path, Path(lines[1]), Path(lines[2]), lines[3])
    if (path / ".git").exists():
        raise MhpError(Exit.USAGE, f"{kdir}: its .git cannot be used: {done.error_tail}")
    return UserTree(path, None, None, "sha1")


def parse_version(makefile: str) -> tuple[int, int] | None:
    """(VERSION, PATCHLEVEL) of a kernel's top Makefile, or None when it says neither."""
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL)[ \t]*=[ \t]*(\d+)[ \t]*$", makefile, re.MULTILINE))
    return (int(found["VERSION"]), int(found["PATCHLEVEL"])) if len(found) == 2 else None


def check_clean(git: Git, commit: str, kdir: str) -> None:
    """Raise MhpError(USAGE) when a commit of their files holds what a build in the tree itself made.

    Where git, or .gitignore, tells such files from sources they are not taken, and that is said.
    """
    if taken := list(git.entries(commit, _BUILT_IN)):
        raise MhpError(Exit.USAGE, f"{kdir}: among its files are those of a build in the tree itself ({', '.join(taken)}), "
                       f"beside which kbuild builds no other. `make -C {shlex.quote(kdir)} mrproper` removes them; "
                       "when git tracks them, `git rm --cached` does")
    if left := [name for name in _BUILT_IN if Path(kdir, name).exists()]:
        say(f"{kdir}: a build was made in the tree itself ({', '.join(left)}). That is left alone and not used: "
            "what is built here is built below build/")


def untracked(kdir: Path) -> list[str]:
    """Sources in a git checkout of theirs that git does not track, so that they are not taken; [] without git."""
    tree = find(kdir)
    if tree.gitdir is None:
        return []
    theirs = Git(tree.gitdir, worktree=tree.path)
    return theirs.names("ls-files", "-z", "--others", *ignores.flags(tree.path), "--", *_SOURCES)


def _borrow(tree: UserTree, git: Git, more: Path) -> None:
    """Let our repository read the objects of theirs, wherever they are today, and those in `more`."""
    assert tree.common
    alternates = git.gitdir / "objects/info/alternates"
    wanted = f"{tree.common / 'objects'}\n{more}\n".encode(errors="surrogateescape")
    if not alternates.exists() or alternates.read_bytes() != wanted:
        write_whole(alternates, wanted)
    theirs, ours = tree.common / "shallow", git.gitdir / "shallow"
    if theirs.exists():
        if not ours.exists() or ours.read_bytes() != theirs.read_bytes():
            write_whole(ours, theirs.read_bytes())
    else:
        ours.unlink(missing_ok=True)


def current(tree: UserTree, git: Git, place: Path) -> str:
    """The commit of our repository that holds their files as they are now.

    That is their HEAD, or one commit on top of it with the uncommitted changes of tracked files.
    Without git it is a commit of all files that .gitignore does not name. Below `place` an index is
    kept between runs, so that only files that changed are read.
    """
    place = place / _PLACE
    with locked(place):
        # Without git their files are objects of our repository, and the index is worth nothing without it.
        index = place / _INDEX if tree.gitdir else git.gitdir / _UNPACKED_INDEX
        index.with_name(f"{index.name}.lock").unlink(missing_ok=True)
        ours = Git(git.gitdir, worktree=tree.path, index=index)
        if tree.gitdir is None:
            return ignores.tidy(git, _whole_directory(tree, ours))
        # Apart from theirs, because git renews the time of an object that it finds there already.
        ours = replace(ours, objects=place / _OBJECTS)
        (place / _OBJECTS).mkdir(exist_ok=True)
        _borrow(tree, git, place / _OBJECTS)
        return ignores.tidy(git, _checkout(tree, git, ours, place))


def _checkout(tree: UserTree, git: Git, ours: Git, place: Path) -> str:
    """Take a git checkout: HEAD, and a commit on top when tracked files differ."""
    assert tree.gitdir
    found = Git(tree.gitdir).run("rev-parse", "HEAD^{commit}", "HEAD^{tree}")
    head, files_of_head = found.text.split() if found.status == 0 else ("", "")
    if not git.existing([head or "0" * 40]):
        raise MhpError(Exit.USAGE, f"{tree.path}: HEAD is no commit that can be read there")
    if not _take_index(tree, git, place):
        return head
    ours.check("add", "--update", ".", status=Exit.USAGE)
    files = ours.text("write-tree", "--missing-ok")
    if files == files_of_head:
        return head
    if ours.run("diff-index", "--cached", "--quiet", "--diff-filter=D", head).status:
        # The entry of a deleted file is gone from our index. Theirs, which may never change, still has it, should it come back.
        (place / _INDEX_OF).unlink(missing_ok=True)
    return chain.single_commit(git, f"uncommitted changes of {tree.path.name}", files, head,
                               chain.commit_date(git, head))


def _take_index(tree: UserTree, git: Git, place: Path) -> bool:
    """Copy their index to ours when it changed; False when they have none."""
    assert tree.gitdir
    theirs, index, stamp = tree.gitdir / "index", place / _INDEX, place / _INDEX_OF
    try:
        stat = theirs.stat()
    except FileNotFoundError:
        return False
    seen = f"{theirs} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}".encode(errors="surrogateescape")
    if index.exists() and stamp.exists() and stamp.read_bytes() == seen:
        return True
    stamp.unlink(missing_ok=True)
    fresh = index.with_name(f"{_INDEX}.new")
    shutil.copy2(theirs, fresh)  # git judges files by the index's own time as well
    fresh.replace(index)
    listed = Git(git.gitdir, index=index).run("ls-files", "--unmerged", "-z")
    if listed.status != 0:
        # A split index cannot be read from a copy. Its entries can, without what is known of the files.
        say(f"{tree.path}: its index cannot be copied; reading all its files once")
        entries = Git(tree.gitdir).check("ls-files", "--stage", "-z").stdout
        index.unlink()
        Git(git.gitdir, index=index).check("update-index", "-z", "--index-info", input=entries)
        listed = Git(git.gitdir, index=index).check("ls-files", "--unmerged", "-z")
    if listed.stdout:
        index.unlink()
        raise MhpError(Exit.USAGE, f"{tree.path}: a merge is not finished there. Resolve it, or give "
                       "another tree")
    write_whole(stamp, seen)
    return True


def _whole_directory(tree: UserTree, ours: Git) -> str:
    """Take every file of a tree without git; many small objects go into one pack the first time."""
    assert ours.index
    first = not ours.index.exists()
    settings = ("core.bigFileThreshold=1", "core.compression=1") if first else ("core.compression=1",)
    git = replace(ours, settings=settings)
    listed = git.check("ls-files", "-z", "--cached", "--others", "--deduplicate", *ignores.flags(tree.path),
                       status=Exit.USAGE).stdout
    # A directory that is listed is a repository of its own.
    names = b"".join(name + b"\0" for name in listed.split(b"\0") if name and not name.endswith(b"/"))
    if first:
        _add_all(tree, git, names)
    else:
        git.check("update-index", "-z", *_UPDATE, "--stdin", input=names, status=Exit.USAGE)
    return chain.single_commit(ours, f"{tree.path.name} as it is unpacked", git.text("write-tree"), None,
                               _NO_GIT_DATE)


def _add_all(tree: UserTree, git: Git, names: bytes) -> None:
    """Take files into an index that is not there yet, and say how far it is."""
    assert git.index
    line, total = b"", names.count(b"\0")
    argv = [str(word) for word in git.argv("update-index", "-z", *_UPDATE, "--verbose", "--stdin")]
    with (Progress(f"read {tree.path}", total, "files") as progress, tempfile.TemporaryFile() as listing):
        listing.write(names)
        listing.seek(0)
        with subprocess.Popen(argv, cwd=tree.path, env=git.environment(), stdin=listing, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as add:
            assert add.stdout
            try:
                for count, line in enumerate(add.stdout):
                    progress.at(count)
                add.wait()
            finally:
                add.kill()
    if add.returncode != 0:
        git.index.unlink(missing_ok=True)
        raise MhpError(Exit.USAGE, f"{tree.path}: cannot be read: {line.decode(errors='replace')}")

# SPDX-License-Identifier: GPL-2.0
"""The commit that everything else stands on, from a source tarball."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from mhp.chain import quoted
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.lock import locked
from mhp.patches import check_path
from mhp.progress import Progress, say
from mhp.run import check
from mhp.source import UNKNOWN_VERSION, Tarball

_REF = "refs/mhp/base"
_COMMIT = "commit"


def take(git: Git, tarball: Tarball, message: str) -> str:
    """The commit of a tarball, which is in the repository then.

    It takes half a minute to make. So its objects are kept beside the tarball, for the next repository: hard links to
    one pack, which no git changes, where the file system has them.
    """
    with locked(tarball.base.parent):
        before = set(_packs(git))
        if (known := _take_kept(git, tarball.base)) is not None:
            return known
        for path in set(_packs(git)) - before:
            path.unlink()
        commit = import_tarball(git, tarball, message)
        if tarball.version != UNKNOWN_VERSION:
            _keep(tarball.base, commit, [path for path in _packs(git) if path not in before])
        return commit


def _packs(git: Git) -> list[Path]:
    """The files of a repository's packs; a pack before its index, without which git does not see it."""
    return sorted(git.gitdir.glob("objects/pack/pack-*"), key=lambda path: (path.suffix == ".idx", path.name))


def _link(path: Path, into: Path) -> None:
    try:
        os.link(path, into / path.name)
    except FileExistsError:
        pass
    except OSError:
        shutil.copyfile(path, into / path.name)


def _keep(place: Path, commit: str, files: Sequence[Path]) -> None:
    half = place.with_name(f".{place.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    try:
        half.mkdir()
        for path in files:
            _link(path, half)
        (half / _COMMIT).write_text(f"{commit}\n", encoding="ascii")
        half.rename(place)
    except OSError as err:
        say(f"{place}: cannot be kept for the next time: {err.strerror}")
        shutil.rmtree(half, ignore_errors=True)


def _take_kept(git: Git, place: Path) -> str | None:
    try:
        commit = (place / _COMMIT).read_text(encoding="ascii").strip()
    except OSError:
        return None
    pack = git.gitdir / "objects/pack"
    pack.mkdir(parents=True, exist_ok=True)
    for path in sorted(place.glob("pack-*"), key=lambda path: path.suffix == ".idx"):
        _link(path, pack)
    # Whether a pack is damaged git sees when it reads from it; here, that it is the right one and whole.
    if git.run("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}").status:
        say(f"{place}: is damaged; the tarball is taken into git anew")
        return None
    git.check("update-ref", _REF, commit)
    return commit


def import_tarball(git: Git, tarball: Tarball, message: str) -> str:
    """Turn a tarball into a commit and return its id; nothing is unpacked to disk.

    zlib level 1 gives about 330 MB for a kernel; level 0 gives 1.4 GB and is no faster to write, the
    default level takes twice the time.
    """
    packed = git.argv("-c", "pack.compression=1", "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0",
                      "fast-import", "--quiet", "--force", "--done", "--depth=0")
    total = _unpacked_size(tarball.path) >> 20
    with (Progress(f"take {tarball.path.name} into git", total, "MiB") as progress,
          subprocess.Popen(["xz", "-T0", "-dc", str(tarball.path)], stdout=subprocess.PIPE) as unxz,
          subprocess.Popen([str(word) for word in packed], env=git.environment(),
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as fast_import):
        assert unxz.stdout and fast_import.stdin and fast_import.stdout and fast_import.stderr
        try:
            _stream(unxz.stdout, fast_import.stdin, message, lambda done: progress.at(done >> 20))
            fast_import.stdin.close()
            commit = fast_import.stdout.read().decode().strip()
            fast_import.wait()
        except BrokenPipeError:
            commit = ""  # git has ended, and says why
        except (tarfile.TarError, EOFError) as err:
            raise MhpError(Exit.BROKEN_BASE, f"{tarball.path}: damaged: {err}. Remove it and run "
                           "again") from err
        finally:
            _close(fast_import.stdin)
            said = fast_import.stderr.read()
            fast_import.kill()
            unxz.kill()
    if fast_import.returncode != 0 or not commit:
        raise MhpError(Exit.BROKEN_BASE, f"{tarball.path}: cannot be taken into git: "
                       f"{said.decode(errors='backslashreplace').strip()}\nFree some space when the disk is full; remove "
                       f"{tarball.path} when it is damaged")
    return commit


def _close(pipe: IO[bytes]) -> None:
    """Close a pipe whose reader may be gone."""
    try:
        pipe.close()
    except BrokenPipeError:
        pass


def _unpacked_size(path: Path) -> int:
    """Bytes that the tarball has when unpacked, from the index at its end."""
    done = check(["xz", "--robot", "--list", path], status=Exit.BROKEN_BASE)
    totals = [line.split("\t") for line in done.text.splitlines() if line.startswith("totals\t")]
    return int(totals[0][4])


def _stream(archive: IO[bytes], out: IO[bytes], message: str, progress: Callable[[int], None]) -> None:
    """Write a fast-import stream for a tar stream whose files are all below one directory."""
    first = True
    with tarfile.open(fileobj=archive, mode="r|", bufsize=1 << 20) as tar:
        for member in tar:
            if first:
                text = message.encode()
                who = b"mhp-kunit <mhp-kunit@localhost> %d +0000" % int(member.mtime)
                out.write(b"commit %b\nmark :1\nauthor %b\ncommitter %b\ndata %d\n%b\n"
                          % (_REF.encode(), who, who, len(text), text))
                first = False
            path = member.name.removeprefix("./").partition("/")[2]
            if member.isfile():
                file = tar.extractfile(member)
                assert file
                mode, data = (b"100755" if member.mode & 0o100 else b"100644"), file.read()
            elif member.issym():
                mode, data = b"120000", os.fsencode(member.linkname)
            else:
                continue
            check_path(path, "the kernel source")
            out.write(b"M %b inline %b\ndata %d\n" % (mode, quoted(path), len(data)))
            out.write(data)
            out.write(b"\n")
            progress(member.offset_data)
    if first:
        raise EOFError("it is empty")
    out.write(b"get-mark :1\ndone\n")

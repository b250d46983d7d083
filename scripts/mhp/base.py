# SPDX-License-Identifier: GPL-2.0
"""The commit that everything else stands on, from a source tarball."""

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from mhp.chain import quoted
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.patches import check_path
from mhp.progress import Progress
from mhp.run import check
from mhp.source import Tarball

_REF = "refs/mhp/base"


def import_tarball(git: Git, tarball: Tarball, message: str) -> str:
    """Turn a tarball into a commit and return its id; nothing is unpacked to disk.

    zlib level 1 gives about 330 MB for a kernel; level 0 gives 1.4 GB and is no faster to write, the
    default level takes twice the time.
    """
    packed = git.argv("-c", "pack.compression=1", "-c", "core.compression=1", "fast-import", "--quiet",
                      "--force", "--done", "--depth=0")
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
                       f"{said.decode(errors='backslashreplace').strip()}")
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

# SPDX-License-Identifier: GPL-2.0
"""One run at a time in a directory, and who is being waited for.

The lock is flock(2) on DIR/.lock: the kernel drops it when its holder dies, however it dies, so
there is nothing to clean up. Programs started by the holder do not inherit it.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.progress import plain, say
from mhp.run import shown

LOCK_NAME = ".lock"
_POLL_SECONDS = 0.1
_SHOWN_CHARS = 100


def _open(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    return os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _is_current(fd: int, directory: Path) -> bool:
    """False when the directory was removed, and perhaps made anew, while we waited."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(directory / LOCK_NAME))
    except FileNotFoundError:
        return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    line = plain(shown([word.decode(errors="backslashreplace") for word in words])).replace("\n", " ")
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}..."


def _holders(fd: int) -> str:
    """Who holds the lock, for people: process ids and command lines from /proc/locks."""
    inode = os.fstat(fd).st_ino
    found = []
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF; those who wait have "->" second.
        fields = line.split()
        if len(fields) < 6 or fields[1] != "FLOCK" or fields[5].rpartition(":")[2] != str(inode):
            continue
        pid = int(fields[4])
        if pid > 0 and pid != os.getpid():
            found.append(f"process {pid} ({_command(pid)})")
    return " and ".join(found) or "another process"


def _take(fd: int, directory: Path, mode: int, wait: bool) -> None:
    said = False
    start = time.monotonic()
    while True:
        try:
            fcntl.flock(fd, mode | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if not wait:
                raise MhpError(Exit.BUSY, f"{directory} is in use by {_holders(fd)}. Try again "
                               "when it has ended, or set MHP_BUILD to another directory") from None
        if not said:
            say(f"waiting for {_holders(fd)}, which uses {directory}")
            said = True
        time.sleep(_POLL_SECONDS)
    if said:
        say(f"waited {time.monotonic() - start:.0f} s")


@contextmanager
def locked(directory: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a directory (made when missing) while the block runs.

    `shared` lets other shared holders in and keeps exclusive ones out. When the lock is taken, the
    caller waits and stderr says for whom; with wait=False it raises MhpError(BUSY). A process must
    not take the same directory's lock twice: it would wait for itself.
    """
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        fd = _open(directory)
        try:
            _take(fd, directory, mode, wait)
            if _is_current(fd, directory):
                yield
                return
        finally:
            os.close(fd)

# SPDX-License-Identifier: GPL-2.0
"""Run one program so that nothing it started outlives it, whatever happens.

supervise() starts this very file as a process of its own, the guard, and the guard starts the
program. The guard is a session leader, so Ctrl-C on the terminal reaches only us, and a child
subreaper, so every orphan below it becomes its child. It holds the read end of a pipe of ours: when
the program ends, or the pipe closes because we ended (kill -9 too), it ends all that is left. The
program dies with the guard (PR_SET_PDEATHSIG), and we are a subreaper as well: what a killed guard
leaves behind comes to us and is ended here.
"""

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ADDR_NO_RANDOMIZE = 0x0040000
_LIBC = ctypes.CDLL(None, use_errno=True)

# make removes the half-written target when it is terminated, but not when it is killed.
_GRACE_SECONDS = 2.0
_GIVE_UP_SECONDS = 10.0
_TICK_SECONDS = 0.1
_KEPT_ERRORS = 256 * 1024


class Ended:
    """How a supervised program ended.

    status: its exit status, 128 + N when signal N ended it. stopped: why we ended it (what `watch`
    returned), or None when it ended by itself. errors: the last 256 KiB of its stderr.
    """

    def __init__(self, status: int, stopped: str | None, errors: bytes) -> None:
        self.status = status
        self.stopped = stopped
        self.errors = errors


def _prctl(option: int, value: int) -> None:
    _LIBC.prctl(option, value, 0, 0, 0)


def _parents() -> dict[int, int]:
    """The parent of every process that can be seen."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    # "pid (name) state ppid ..."; the name can hold anything, ')' too.
                    parents[int(entry)] = int(stat.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return parents


def descendants(root: int, spared: frozenset[int] = frozenset()) -> list[int]:
    """Process ids below `root`, without `spared` ones and what is below those."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    todo = [root]
    while todo:
        for pid in children.get(todo.pop(), []):
            if pid not in spared:
                found.append(pid)
                todo.append(pid)
    return found


def _signal_all(pids: Sequence[int], signum: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signum)
        except OSError:
            pass


def _end_all(spared: frozenset[int], grace: float) -> None:
    """Terminate, and after `grace` seconds kill, all descendants of this process; reap them."""
    start = time.monotonic()
    told: set[int] = set()
    while left := descendants(os.getpid(), spared):
        if time.monotonic() - start >= grace:
            _signal_all(left, signal.SIGKILL)
        else:
            _signal_all([pid for pid in left if pid not in told], signal.SIGTERM)
            # A stopped process acts on the signal only when it goes on.
            _signal_all([pid for pid in left if pid not in told], signal.SIGCONT)
            told.update(left)
        for pid in left:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass  # not a child of ours yet: its own parent has still to end
        if time.monotonic() - start > grace + _GIVE_UP_SECONDS:
            return  # only a process stuck in the host's kernel gets here
        time.sleep(0.01)


def _guard(control: int, command: Sequence[str], randomize: bool) -> int:
    """Run `command` under this process: its exit status, or 128 + SIGTERM when it was stopped."""
    os.setsid()
    if not randomize:
        # Some containers do not allow it; then addresses differ.
        _LIBC.personality(_ADDR_NO_RANDOMIZE)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # A guest that aborts would leave a core file as large as its memory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    asked: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, lambda got, _frame: asked.append(got))
    signal.signal(signal.SIGCHLD, lambda _got, _frame: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    me = os.getpid()

    def _tie_to_guard() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != me:
            os._exit(1)

    try:
        # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
        child = subprocess.Popen(command, preexec_fn=_tie_to_guard)
    except OSError as err:
        print(f"{command[0]}: {err.strerror}", file=sys.stderr)
        return 127
    status: int | None = None
    while status is None and not asked:
        ready = select.select([control, wake_read], [], [])[0]
        if control in ready:
            break
        os.read(wake_read, 4096)
        while True:
            try:
                pid, how = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == child.pid:
                status = os.waitstatus_to_exitcode(how)
                child.returncode = status
    _end_all(frozenset(), _GRACE_SECONDS)
    if status is None:
        child.returncode = -signal.SIGTERM
        return 128 + signal.SIGTERM
    return status if status >= 0 else 128 - status


class _Tail:
    """Passes a stream on to a file descriptor and keeps its end."""

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self._target = target
        self._kept = bytearray()
        os.set_blocking(source, False)

    def pump(self) -> bool:
        """Pass on what is there; False at the end of the stream."""
        try:
            data = os.read(self.source, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        self._kept += data
        del self._kept[:-_KEPT_ERRORS]
        try:
            while data:
                data = data[os.write(self._target, data):]
        except OSError:
            pass  # nobody reads it any more; we keep it
        return True

    def finish(self) -> bytes:
        """What is still in the pipe, then all that was kept."""
        while select.select([self.source], [], [], 0)[0] and self.pump():
            pass
        return bytes(self._kept)


def _wait(guard: "subprocess.Popen[bytes]", tail: _Tail, watch: Callable[[], str | None],
          stop: Callable[[], None]) -> str | None:
    """Wait for the guard; returns why it was stopped."""
    reason: str | None = None
    deadline = 0.0
    pidfd = os.pidfd_open(guard.pid)
    open_fds = [pidfd, tail.source]
    try:
        while True:
            ready = select.select(open_fds, [], [], _TICK_SECONDS)[0]
            if tail.source in ready and not tail.pump():
                open_fds.remove(tail.source)
            if pidfd in ready:
                return reason
            if reason is None:
                reason = watch()
                if reason is not None:
                    stop()
                    deadline = time.monotonic() + _GRACE_SECONDS + _GIVE_UP_SECONDS
            elif time.monotonic() > deadline:
                return reason
    finally:
        os.close(pidfd)


def supervise(
    command: Sequence[str],
    *,
    cwd: os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    errors_to: int = 2,
    watch: Callable[[], str | None] = lambda: None,
    remove: os.PathLike[str] | None = None,
    randomize: bool = True,
) -> Ended:
    """Run `command` under a guard and wait until it and all that it started are gone.

    stdout is ours unless a descriptor is given; stderr is passed on to descriptor `errors_to` and
    its end is kept. `watch` is called ten times a second; a text that it returns stops the command.
    The directory `remove` goes with the command, even when we are killed. Without `randomize` what
    runs is at the same addresses each time, where the host allows that. When we are interrupted
    (KeyboardInterrupt or any other exception) all is ended before it goes on up.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    spared = frozenset(descendants(os.getpid()))
    control_read, control_write = os.pipe()
    errors_read, errors_write = os.pipe()
    tail = _Tail(errors_read, errors_to)
    guard: "subprocess.Popen[bytes] | None" = None
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            os.close(control_write)

    try:
        # pylint: disable-next=consider-using-with
        guard = subprocess.Popen(
            ["/usr/bin/python3", "-I", "-S", __file__, str(control_read),
             os.fspath(remove or ""), str(int(randomize)), *command],
            cwd=cwd, env=None if env is None else dict(env), stdin=stdin, stdout=stdout,
            stderr=errors_write, pass_fds=(control_read,))
        os.close(errors_write)
        errors_write = -1
        reason = _wait(guard, tail, watch, stop)
        status = guard.poll()
        return Ended(_shell_status(status), reason, tail.finish())
    finally:
        # A second Ctrl-C must not cut the cleaning up short; it takes some seconds at most.
        blocked = signal.pthread_sigmask(
            signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        stop()
        if guard is not None:
            try:
                guard.wait(_GRACE_SECONDS + _GIVE_UP_SECONDS)
            except subprocess.TimeoutExpired:
                guard.kill()
                guard.wait()
        _end_all(spared, 0.5)
        for fd in (control_read, errors_read, errors_write):
            if fd >= 0:
                os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _shell_status(status: int | None) -> int:
    if status is None:
        return 128 + signal.SIGKILL
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    try:
        _STATUS = _guard(int(sys.argv[1]), sys.argv[4:], sys.argv[3] == "1")
    finally:
        if sys.argv[2]:
            try:
                os.rmdir(sys.argv[2])
            except OSError:
                # Not at the top: each program that is run would wait for it.
                import shutil  # pylint: disable=import-outside-toplevel

                shutil.rmtree(sys.argv[2], ignore_errors=True)
    sys.exit(_STATUS)

# SPDX-License-Identifier: GPL-2.0
"""A real guest that hangs, dies or loses who started it: what scripts/kunit.py says, and what is left."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mhp import paths
from mhp.exits import Exit
from mhp.tree import PreparedTree, prepare

KUNIT = paths.SCRIPTS / "kunit.py"


@pytest.fixture(name="tree", scope="module")
def fixture_tree() -> PreparedTree:
    kdir = os.environ.get("LINUX")
    subprocess.run([KUNIT, "build"], check=True, timeout=3600)
    return prepare(Path(kdir) if kdir else None)


def pids_of(program: Path) -> list[int]:
    """Processes that run a program."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/exe") == str(program):
                found.append(int(entry))
        except OSError:
            pass
    return found


def started_as(pid: int) -> str:
    """The path by which it was started, "" when it is gone: guests side by side have links to one program."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1])


class Stopped:
    """scripts/kunit.py exec, whose (first) guest was stopped in mid-boot: it hangs and minds no polite signal."""

    def __init__(self, tree: PreparedTree, home: Path, guests: int, timeout: int) -> None:
        self.kernel = tree.build / "um" / "linux"
        self.tmp = paths.build_root() / "tmp"
        self.home = home
        assert not pids_of(self.kernel)
        build = tree.build / "um" / ("shares/0" if guests > 1 else "")
        shutil.rmtree(tree.build / "um/shares", ignore_errors=True)
        self.process = subprocess.Popen([KUNIT, "exec", f"--timeout={timeout}", f"--guests={guests}"], text=True,
                                        env={**os.environ, "HOME": str(home)}, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        end = time.monotonic() + 30
        # UML begins with a look at the host's ptrace, on a child that outlives a killed guest: only
        # who has printed much (upstream writes the log by 8 KiB) is in mid-boot.
        log = build / "test.log"
        while not (found := [pid for pid in pids_of(self.kernel) if started_as(pid) == str(build / "linux")]) \
                or not log.exists() or not log.stat().st_size:
            assert time.monotonic() < end and self.process.poll() is None, "no guest"
        self.guest = found[0]
        os.kill(self.guest, signal.SIGSTOP)

    def finish(self) -> tuple[int, str]:
        """Exit status and output of the command."""
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output

    def nothing_left(self) -> None:
        """Neither a process nor a file of the guest."""
        end = time.monotonic() + 10
        while pids_of(self.kernel) or list(self.tmp.glob("guest-*")):
            assert time.monotonic() < end, "something is left"
            time.sleep(0.05)
        assert not list(self.home.iterdir())


@pytest.fixture(name="guests", params=[1, 2])
def fixture_guests(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(name="seconds")
def fixture_seconds() -> int:
    """The time limit: enough for a guest beside the one that was stopped."""
    return 60


@pytest.fixture(name="stopped")
def fixture_stopped(tree: PreparedTree, tmp_path: Path, guests: int, seconds: int) -> Iterator[Stopped]:
    made = Stopped(tree, tmp_path, guests, seconds)
    yield made
    for pid in pids_of(made.kernel):
        os.kill(pid, signal.SIGKILL)
    made.process.kill()
    made.process.wait()


@pytest.mark.parametrize("seconds", [2])
def test_hanging_guest_is_a_timeout(stopped: Stopped) -> None:
    status, output = stopped.finish()
    assert status == Exit.TIMEOUT, output
    assert "did not end within 2 s" in output and "repeat: " in output
    stopped.nothing_left()


def test_killed_guest_is_unfinished(stopped: Stopped) -> None:
    os.kill(stopped.guest, signal.SIGKILL)
    status, output = stopped.finish()
    assert status == Exit.UNFINISHED, output
    assert "the guest died without a word" in output
    stopped.nothing_left()


def test_kill_of_our_command_ends_the_guest(stopped: Stopped) -> None:
    stopped.process.kill()
    stopped.nothing_left()


def test_interrupt_ends_the_guest(stopped: Stopped) -> None:
    stopped.process.send_signal(signal.SIGINT)
    assert stopped.finish()[0] == Exit.INTERRUPTED
    stopped.nothing_left()


def test_kill_of_upstreams_script_ends_the_guest(stopped: Stopped) -> None:
    os.kill(parent_of(stopped.guest), signal.SIGKILL)
    assert stopped.finish()[0] == Exit.UNFINISHED
    stopped.nothing_left()


def test_kill_of_the_guard_ends_the_guest(stopped: Stopped) -> None:
    os.kill(parent_of(parent_of(stopped.guest)), signal.SIGKILL)
    assert stopped.finish()[0] == Exit.UNFINISHED
    stopped.nothing_left()


def test_next_run_after_a_kill_is_right(stopped: Stopped) -> None:
    stopped.process.kill()
    stopped.nothing_left()
    again = subprocess.run([KUNIT, "exec"], check=False, timeout=300, stdout=subprocess.PIPE, text=True)
    assert again.returncode == Exit.PASS, again.stdout

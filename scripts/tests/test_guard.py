# SPDX-License-Identifier: GPL-2.0
"""Nothing that a supervised program started may outlive it, however it ends and whoever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mhp import guard

SCRIPTS = Path(__file__).resolve().parents[1]

# Ignores all polite signals, starts the same again in a session of its own, and so on; says its name.
STUBBORN = """
import os, signal, subprocess, sys, time
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(s, signal.SIG_IGN)
depth = int(sys.argv[2])
if depth:
    subprocess.Popen([sys.executable, '-c', sys.argv[3], sys.argv[1], str(depth - 1), sys.argv[3]],
                     start_new_session=True)
open(f'{sys.argv[1]}/{os.getpid()}', 'w').close()
time.sleep(600)
"""

# A command of ours: supervises, and says how it ended.
COMMAND = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from mhp import cli, guard
def work():
    ended = guard.supervise(sys.argv[3:], remove=Path(sys.argv[2]))
    print(ended.status, flush=True)
    return ended.status
sys.exit(cli.main(work))
"""


def wait_for(what: str, seconds: float, done) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def mentioning(text: str, where: str = "cmdline") -> list[int]:
    """Processes that have a text in their command line, or environment ("environ"); zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / where).read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


class Running:
    """A command of ours that supervises three generations of stubborn processes."""

    def __init__(self, tmp: Path) -> None:
        self.names = tmp / "names"
        self.names.mkdir()
        self.removed = tmp / "removed"
        (self.removed / "more").mkdir(parents=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, SCRIPTS, self.removed,
             sys.executable, "-c", STUBBORN, self.names, "2", STUBBORN],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for("three generations", 20, lambda: len(list(self.names.iterdir())) == 3)
        everything = mentioning(str(self.names))
        self.guard = next(pid for pid in everything if guard._parents().get(pid) == self.process.pid)
        self.child = next(pid for pid in everything if guard._parents().get(pid) == self.guard)

    def all_gone(self, seconds: float = 10) -> None:
        """Nothing of it is left, neither processes nor the directory."""
        wait_for("processes left", seconds, lambda: not mentioning(str(self.names)))
        wait_for("directory left", 2, lambda: not self.removed.exists())


@pytest.fixture(name="running")
def fixture_running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    for pid in mentioning(str(made.names)):
        os.kill(pid, signal.SIGKILL)
    made.process.communicate()


def test_kill_of_the_command_ends_all(running: Running) -> None:
    running.process.kill()
    running.all_gone()


def test_kill_of_the_command_ends_orphans(running: Running) -> None:
    parents = guard._parents()
    (middle,) = [pid for pid in mentioning(str(running.names)) if parents[pid] == running.child]
    os.kill(middle, signal.SIGKILL)
    running.process.kill()
    running.all_gone()


def test_kill_of_command_and_guard_ends_the_program(running: Running) -> None:
    running.process.send_signal(signal.SIGSTOP)
    os.kill(running.guard, signal.SIGKILL)
    running.process.kill()
    wait_for("the program", 5, lambda: running.child not in mentioning(str(running.names)))


def test_terminal_signals_reach_only_the_command(running: Running) -> None:
    assert os.getsid(running.guard) == running.guard != os.getsid(running.process.pid)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_ends_all(running: Running, signum: signal.Signals) -> None:
    running.process.send_signal(signum)
    assert running.process.wait(15) == 130
    running.all_gone(0.5)


def test_two_interrupts_end_all(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(15) == 130
    running.all_gone()


def test_kill_of_the_guard_ends_all(running: Running) -> None:
    os.kill(running.guard, signal.SIGKILL)
    assert running.process.wait(15) == 128 + signal.SIGKILL
    wait_for("processes left", 0.5, lambda: not mentioning(str(running.names)))


def test_termination_of_the_guard_ends_all(running: Running) -> None:
    os.kill(running.guard, signal.SIGTERM)
    assert running.process.wait(15) == 128 + signal.SIGTERM
    running.all_gone(0.5)


def test_kill_of_the_program_ends_its_children(running: Running) -> None:
    os.kill(running.child, signal.SIGKILL)
    assert running.process.wait(15) == 128 + signal.SIGKILL
    running.all_gone(0.5)


def test_stopped_processes_end_too(running: Running) -> None:
    for name in running.names.iterdir():
        os.kill(int(name.name), signal.SIGSTOP)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(15) == 130
    running.all_gone(0.5)


def test_status_and_streams(capfd: pytest.CaptureFixture[str]) -> None:
    ended = guard.supervise(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (ended.status, ended.stopped, ended.errors) == (7, None, b"err\n")
    assert capfd.readouterr() == ("out\n", "err\n")


def test_status_of_a_signal() -> None:
    assert guard.supervise(["sh", "-c", "kill -SEGV $$"]).status == 128 + signal.SIGSEGV


def test_stdin_is_empty() -> None:
    assert guard.supervise(["sh", "-c", "test -z \"$(cat)\""]).status == 0


def test_no_such_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert guard.supervise(["/no/such/program"]).status == 127
    assert "/no/such/program: No such file" in capfd.readouterr().err


def test_watch_stops_the_program(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = guard.supervise([sys.executable, "-c", STUBBORN, str(tmp_path), "1", STUBBORN],
                            watch=lambda: "enough" if len(list(tmp_path.iterdir())) == 2 else None)
    assert ended.stopped == "enough" and time.monotonic() - start < 15
    assert not mentioning(str(tmp_path))


def test_long_errors_keep_their_end() -> None:
    with open(os.devnull, "wb") as null:
        ended = guard.supervise([sys.executable, "-c", "import sys; sys.stderr.write('x' * 10**6 + 'end')"],
                                errors_to=null.fileno())
    assert len(ended.errors) == 256 * 1024 and ended.errors.endswith(b"xend")


def test_other_children_of_ours_are_spared() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        assert guard.supervise(["true"]).status == 0
        assert other.poll() is None
        other.kill()


def test_no_core_file() -> None:
    assert guard.supervise(["sh", "-c", 'test "$(ulimit -H -c)" = 0']).status == 0


@pytest.mark.parametrize("randomize", [True, False])
def test_addresses_are_the_same_when_asked_for(tmp_path: Path, randomize: bool) -> None:
    if subprocess.run(["setarch", "-R", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("this host does not let anybody do it")
    output = tmp_path / "output"
    with output.open("wb") as file:
        for _ in range(3):
            ended = guard.supervise(["grep", "-F", "[stack]", "/proc/self/maps"], stdout=file.fileno(), randomize=randomize)
            assert ended.status == 0
    assert (len(set(output.read_text(encoding="ascii").splitlines())) == 1) is not randomize

# SPDX-License-Identifier: GPL-2.0
"""Starting programs, the lock, errors and signals of commands, and progress."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mhp import cli, compiler, lock
from mhp.exits import Exit, MhpError
from mhp.progress import Progress, plain
from mhp.run import check, run

SCRIPTS = Path(__file__).resolve().parents[1]


def test_run_gives_status_and_output() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"in\n")
    assert (done.status, done.stdout, done.stderr, done.text) == (3, b"in\n", b"err\n", "in")


def test_run_without_input_has_an_empty_stdin() -> None:
    assert run(["cat"]).stdout == b""


def test_check_failure_shows_command_and_reason() -> None:
    with pytest.raises(MhpError, match=r"sh -c 'echo why >&2; exit 4'\nended with status 4:\nwhy") as caught:
        check(["sh", "-c", "echo why >&2; exit 4"], status=Exit.BUILD_FAILED)
    assert caught.value.status == Exit.BUILD_FAILED


def test_run_missing_program() -> None:
    with pytest.raises(MhpError, match="no-such-program") as caught:
        run(["no-such-program"])
    assert caught.value.status == Exit.MISSING_TOOL


def test_run_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(MhpError, match="no such directory"):
        run(["true"], cwd=tmp_path / "gone")


def test_run_timeout_kills() -> None:
    start = time.monotonic()
    with pytest.raises(MhpError) as caught:
        run(["sleep", "60"], timeout=0.2)
    assert caught.value.status == Exit.TIMEOUT and time.monotonic() - start < 10


def test_arguments_are_no_shell(tmp_path: Path) -> None:
    assert run(["echo", f"$(touch {tmp_path}/x); `id` * ~"]).text == f"$(touch {tmp_path}/x); `id` * ~"
    assert not (tmp_path / "x").exists()


def test_lock_without_waiting_names_its_holder(tmp_path: Path) -> None:
    with lock.locked(tmp_path), pytest.raises(MhpError) as caught, lock.locked(tmp_path, wait=False):
        pass
    assert caught.value.status == Exit.BUSY
    with holder(tmp_path) as other, pytest.raises(MhpError, match=f"process {other.pid} .*import sys"):
        with lock.locked(tmp_path, wait=False):
            pass


class holder:  # pylint: disable=invalid-name
    """Another process that holds the lock."""

    def __init__(self, directory: Path) -> None:
        code = ("import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from mhp import lock\n"
                "with lock.locked(Path(sys.argv[2])): print('held', flush=True); time.sleep(60)  # sleep 60")
        self.process = subprocess.Popen([sys.executable, "-c", code, str(SCRIPTS), str(directory)],
                                        stdout=subprocess.PIPE)

    def __enter__(self) -> subprocess.Popen[bytes]:
        assert self.process.stdout and self.process.stdout.readline() == b"held\n"
        return self.process

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path):
        pass
    with lock.locked(tmp_path, wait=False):
        pass


def test_lock_waits_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holder(tmp_path) as other:
        pid = os.fork()
        if pid == 0:
            time.sleep(0.3)
            os.kill(other.pid, signal.SIGKILL)
            os._exit(0)
        with lock.locked(tmp_path):
            pass
        os.waitpid(pid, 0)
    assert f"waiting for process {other.pid}" in capsys.readouterr().err


def test_shared_locks_go_together(tmp_path: Path) -> None:
    with lock.locked(tmp_path, shared=True), lock.locked(tmp_path, shared=True, wait=False):
        with pytest.raises(MhpError), lock.locked(tmp_path, wait=False):
            pass


def test_lock_of_a_directory_that_was_removed_meanwhile(tmp_path: Path) -> None:
    place = tmp_path / "place"
    with lock.locked(place):
        (place / lock.LOCK_NAME).unlink()
        place.rmdir()
    with lock.locked(place), pytest.raises(MhpError), lock.locked(place, wait=False):
        pass


@pytest.mark.parametrize("error, status, said", [
    (MhpError(Exit.CONFIG, "what to do \x1b[2J"), Exit.CONFIG, "what to do \\x1b[2J"),
    (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
    (OSError(28, "No space left on device", "/x"), Exit.INTERNAL, "/x: No space left on device"),
    (ValueError("bug"), Exit.INTERNAL, "fault of mhp-kunit")])
def test_errors_of_a_command(error: BaseException, status: Exit, said: str,
                             capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise error

    assert cli.main(command) == status
    assert said in capsys.readouterr().err


def test_reader_that_goes_away_ends_quietly() -> None:
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from mhp import cli\n"
            "def command():\n    while True: print('line')\n"
            "sys.exit(cli.main(command))")
    with subprocess.Popen([sys.executable, "-c", code, str(SCRIPTS)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr and process.stdout.readline() == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == Exit.INTERRUPTED


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_unwind(signum: signal.Signals, tmp_path: Path) -> None:
    # A shell starts programs in the background with SIGINT ignored; this one shall not be such a program.
    code = ("import signal, sys, time; sys.path.insert(0, sys.argv[1]); from mhp import cli\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "def command():\n"
            "    try:\n        print('on', flush=True); time.sleep(60)\n"
            "    finally:\n        open(sys.argv[2], 'w').close()\n"
            "sys.exit(cli.main(command))")
    with subprocess.Popen([sys.executable, "-c", code, str(SCRIPTS), str(tmp_path / "unwound")],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout and process.stdout.readline() == b"on\n"
        process.send_signal(signum)
        assert process.wait(10) == Exit.INTERRUPTED
    assert (tmp_path / "unwound").exists()


def test_progress_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("read", 10) as progress:
        progress.at(5)
    with pytest.raises(ValueError), Progress("write", 10) as progress:
        progress.at(5)
        raise ValueError
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "read: ..." and re.fullmatch(r"read: done, [0-9.]+ s", lines[1])
    assert re.fullmatch(r"write: stopped at 50 % of 10 files, [0-9.]+ s", lines[3])


def test_plain_keeps_text_and_shows_the_rest() -> None:
    assert plain("é\n\tx\x1b]0;\x07\x9b") == "é\n\tx\\x1b]0;\\x07\\x9b"


def test_ccache_and_kbuild_name_files_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.shutil, "which", lambda _name: "/usr/bin/ccache")
    monkeypatch.delenv("MHP_CC", raising=False)
    monkeypatch.delenv("LLVM", raising=False)
    monkeypatch.setenv("KCPPFLAGS", "-DMINE")
    found = compiler.make_options([], "x86_64-linux-gnu-", "../linux")
    assert found == ["CC=ccache x86_64-linux-gnu-gcc", "HOSTCC=ccache gcc",
                     "KCPPFLAGS=-DMINE -fmacro-prefix-map=../linux/="]
    assert len(compiler.make_options(["KCPPFLAGS=-DTHEIRS"], "", "../linux")) == 2


def test_compiler_is_what_is_behind_ccaches_links(tmp_path: Path) -> None:
    for name in ("bin/ccache", "bin/gcc", "usr/lib/ccache/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    links, real = tmp_path / "usr/lib/ccache", tmp_path / "bin"
    for name in ("gcc", "clang"):
        (links / name).symlink_to(real / "ccache")
    path = f"{links}:{real}"
    assert compiler.which("gcc", path) == compiler.which(f"{links}/gcc", path) == f"{real}/gcc"
    assert compiler.which("x", path) == f"{links}/x" and compiler.which("none", path) is None
    assert compiler.which("clang", path) == f"{links}/clang"


@pytest.mark.parametrize(("value", "names"), [
    ("1", ["clang", "ld.lld", "llvm-ar"]), ("-19", ["clang-19", "ld.lld-19", "llvm-ar-19"]),
    ("/opt/llvm/", ["/opt/llvm/clang", "/opt/llvm/ld.lld", "/opt/llvm/llvm-ar"]), ("", [])])
def test_programs_are_llvms(value: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLVM", "of the environment/")
    assert compiler.programs([f"LLVM={value}"], "")[4:] == names
    monkeypatch.setenv("LLVM", value)
    assert compiler.programs([], "")[4:] == names

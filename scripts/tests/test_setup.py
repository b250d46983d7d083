# SPDX-License-Identifier: GPL-2.0
"""scripts/setup on systems of its own making: a PATH with only what the test puts there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mhp.exits import Exit

SCRIPTS = Path(__file__).resolve().parents[1]
TABLE = """\
# need  package  goals  what for
sh      dash     run,test  the shell
mhp-cc  mhp-gcc  run,test  the compiler
mhp-py  mhp-pytest test    the tests
/nonexistent/mhp.h mhp-dev test the headers
"""
TOOLS = ("sh", "cut", "sort", "tr", "dirname", "env", "ls", "cat", "chmod", "mkdir", "touch")


class System:
    """A directory with a copy of scripts/setup, its table, and the programs that exist."""

    def __init__(self, tmp: Path) -> None:
        self.bin = tmp / "bin"
        self.bin.mkdir()
        self.calls = tmp / "calls"
        (tmp / "scripts").mkdir()
        shutil.copy(SCRIPTS / "setup", tmp / "scripts/setup")
        (tmp / "scripts/packages").write_text(TABLE.replace("/nonexistent", str(tmp)), encoding="utf-8")
        self.setup = tmp / "scripts/setup"
        self.header = tmp / "mhp.h"
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.bin / tool).symlink_to(found)
        self.program("id", "echo 0")

    def program(self, name: str, script: str) -> None:
        """Add a program."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def apt(self, script: str) -> None:
        """Add an apt-get that notes how it was called."""
        self.program("apt-get", f'echo "$@" >>{self.calls}\n{script}')

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run setup as on that system."""
        return subprocess.run(["/bin/sh", str(self.setup), *args], env={"PATH": str(self.bin)}, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)

    def installs(self) -> list[str]:
        """The packages that apt-get was asked for, each time."""
        return [line.split("--no-install-recommends ")[1].strip() for line in
                self.calls.read_text().splitlines() if " install " in line]


@pytest.fixture(name="system")
def fixture_system(tmp_path: Path) -> System:
    """A system with a shell and little else."""
    return System(tmp_path)


def test_nothing_missing_is_silent_and_quick(system: System) -> None:
    system.program("mhp-cc", "")
    done = system.run("run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_only_missing_packages_are_installed_and_named_first(system: System) -> None:
    system.apt(f"case $* in *install*) touch {system.bin}/mhp-py; chmod +x {system.bin}/mhp-py; "
               f"touch {system.header} ;; esac")
    system.program("mhp-cc", "")
    done = system.run("test")
    assert done.returncode == 0, done.stderr
    assert system.installs() == ["mhp-dev mhp-pytest"]
    assert "mhp-py (Debian package mhp-pytest): the tests" in done.stderr
    assert "mhp-gcc" not in done.stderr


def test_package_not_found_updates_the_lists_once(system: System) -> None:
    system.apt(f"case $* in *update*) touch {system.bin}/updated ;; *install*) [ -e {system.bin}/updated ] || exit 100; "
               f"touch {system.bin}/mhp-cc; chmod +x {system.bin}/mhp-cc ;; esac")
    done = system.run("run")
    assert done.returncode == 0, done.stderr
    assert sum("update" in line for line in system.calls.read_text().splitlines()) == 1


def test_apt_fails(system: System) -> None:
    system.apt("exit 100")
    assert system.run("run").returncode == Exit.MISSING_TOOL


def test_installed_but_still_missing(system: System) -> None:
    system.apt("exit 0")
    done = system.run("run")
    assert done.returncode == Exit.MISSING_TOOL and "still missing: mhp-cc" in done.stderr


def test_no_apt_names_the_tool_and_its_package(system: System) -> None:
    done = system.run("run")
    assert done.returncode == Exit.MISSING_TOOL
    assert "mhp-cc (Debian package mhp-gcc): the compiler" in done.stderr and "no apt-get" in done.stderr


def test_check_installs_nothing(system: System) -> None:
    system.apt("exit 0")
    assert system.run("--check").returncode == Exit.MISSING_TOOL
    assert not system.calls.exists()
    system.program("mhp-cc", "")
    assert system.run("--check", "run").returncode == 0


def test_user_without_sudo_gets_the_command(system: System) -> None:
    system.program("id", "echo 1000")
    system.apt("exit 0")
    done = system.run("run")
    assert done.returncode == Exit.MISSING_TOOL
    assert "apt-get install -y --no-install-recommends mhp-gcc" in done.stderr
    assert not system.calls.exists()


def test_user_with_sudo(system: System) -> None:
    system.program("id", "echo 1000")
    system.program("sudo", 'shift; [ "$1" = true ] && exit 0; exec "$@"')
    system.apt(f"case $* in *install*) touch {system.bin}/mhp-cc; chmod +x {system.bin}/mhp-cc ;; esac")
    done = system.run("run")
    assert done.returncode == 0, done.stderr
    assert system.installs() == ["mhp-gcc"]


@pytest.mark.parametrize("args, status", [(("--help",), 0), (("nonsense",), Exit.USAGE)])
def test_command_line(system: System, args: tuple[str, ...], status: int) -> None:
    assert system.run(*args).returncode == status


def test_real_table_is_well_formed() -> None:
    for line in (SCRIPTS / "packages").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            need, package, goals, *why = line.split()
            assert need and package.islower() and why
            machines = {path.stem for path in (SCRIPTS / "qemu").glob("*.py")}
            assert set(goals.split(",")) <= {"run", "test", "browser", "check", "coverage"} | machines


def test_shell_scripts_pass_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck here")
    scripts = [path for path in [*SCRIPTS.iterdir(), *(SCRIPTS.parent / ".ci").iterdir()] if path.is_file()
               and path.read_bytes().startswith((b"#!/bin/sh", b"#!/bin/bash"))]
    assert SCRIPTS / "setup" in scripts
    done = subprocess.run(["shellcheck", *map(str, scripts)], text=True, capture_output=True, check=False,
                          env=dict(os.environ))
    assert done.returncode == 0, done.stdout


def test_several_goals_are_one_list(tmp_path: Path) -> None:
    system = System(tmp_path)
    with (tmp_path / "scripts/packages").open("a", encoding="utf-8") as table:
        table.write("mhp-qemu qemu-mhp mips the machine\n")
    done = system.run("--check", "run", "mips")
    assert done.returncode == Exit.MISSING_TOOL
    assert "missing for run mips:" in done.stderr and "qemu-mhp" in done.stderr and "mhp-pytest" not in done.stderr
    assert system.run("mips64").returncode == Exit.USAGE

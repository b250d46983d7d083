# SPDX-License-Identifier: GPL-2.0
"""Memory hotplug from user space: sysfs, and the kernel's own selftest, in a UML guest.

The guest's root is the host's, read-only; hotplug_init.c is its first program.
"""

import os
import subprocess
from pathlib import Path

import pytest

from mhp import guard, paths
from mhp.exits import Exit
from mhp.tree import PreparedTree, prepare

_HERE = Path(__file__).resolve().parent
_SECONDS = 120
_SELFTEST = "tools/testing/selftests/memory-hotplug/mem-on-off-test.sh"


@pytest.fixture(name="tree", scope="module")
def fixture_tree() -> PreparedTree:
    kdir = os.environ.get("LINUX")
    return prepare(Path(kdir) if kdir else None)


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel(tree: PreparedTree) -> Path:
    subprocess.run([paths.SCRIPTS / "kunit.py", "build", "--config=userspace"], check=True, timeout=3600)
    return tree.build / "um-userspace" / "linux"


def _boot(kernel: Path, init: Path, selftest: Path, work: Path) -> str:
    """The log of a guest that runs `init` and powers off."""
    log = work / "guest.log"
    uml = work / "uml"
    uml.mkdir()
    with log.open("wb") as file:
        ended = guard.supervise(
            ["timeout", "--kill-after=5", str(_SECONDS), str(kernel), "mem=1G", "console=tty", "con0=fd:0,fd:1",
             "con=null", "ssl=null", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
             f"MHP_SELFTEST={selftest}", "kunit.enable=0", f"uml_dir={uml}"],
            stdout=file.fileno(), errors_to=file.fileno(), remove=uml)
    text = log.read_text(errors="backslashreplace")
    assert ended.status == 0, text
    return text


def test_sysfs_and_selftest_pass(kernel: Path, tree: PreparedTree, tmp_path: Path) -> None:
    init = tmp_path / "hotplug_init"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", init, _HERE / "hotplug_init.c"], check=True)
    text = _boot(kernel, init, tree.path / _SELFTEST, tmp_path)
    for case in ("boot_block_offline_online", "probed_block_online_offline", "selftest_passes"):
        assert f" userspace.{case}" in text
    assert "not ok" not in text
    parsed = subprocess.run([paths.SCRIPTS / "kunit.py", "parse", tmp_path / "guest.log"], check=False, timeout=60)
    assert parsed.returncode == Exit.PASS

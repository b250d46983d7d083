# SPDX-License-Identifier: GPL-2.0
"""A small project whose kernel has a stand-in for upstream's kunit.py, and an edit of it."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from small_world import World, edit, git

from mhp import kunit_run, options, paths, upstream
from mhp.exits import Exit, MhpError

HERE = Path(__file__).parent
DATA = HERE / "test_data"


class Kunit:
    """A small project whose kernel has the stand-in, and the command."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self.monkeypatch = monkeypatch
        self.capfd = capfd
        self.calls_file = world.tmp / "calls"
        config = world.project / ".kunitconfig"
        config.write_text("# The suites\nCONFIG_KUNIT=y\nCONFIG_MHP_KUNIT=y\n# CONFIG_TTY is not set\n", encoding="utf-8")
        monkeypatch.setattr(paths, "KUNITCONFIG", config)
        monkeypatch.setenv("FAKE_CALLS", str(self.calls_file))
        monkeypatch.setattr(sys, "argv", ["scripts/kunit.py"])
        self.processors(1)
        script = world.kernel / upstream.SCRIPT
        script.parent.mkdir(parents=True)
        shutil.copy(HERE / "fake_kunit.py", script)
        git(world.kernel, "add", "-A")
        git(world.kernel, "commit", "-q", "-m", "kunit.py")
        self.logs("ok")

    def logs(self, *names: str) -> None:
        """The logs of the next boots."""
        self.monkeypatch.setenv("FAKE_LOG", ":".join(str(DATA / f"{name}.log") for name in names))

    def processors(self, number: int) -> None:
        """How many this machine has."""
        self.monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(number)))

    def mode(self, words: str) -> None:
        """What goes wrong."""
        self.monkeypatch.setenv("FAKE_MODE", words)

    def __call__(self, *argv: str) -> int:
        return kunit_run.command(options.parse([*argv, "--kdir", str(self.world.kernel)]))

    def fails(self, status: Exit, *argv: str) -> str:
        """The error of a command line that must end with `status`."""
        with pytest.raises(MhpError) as caught:
            self(*argv)
        assert caught.value.status == status
        return str(caught.value)

    @property
    def calls(self) -> list[list[str]]:
        """The command lines that upstream got since the last time."""
        lines = self.calls_file.read_text().splitlines()
        self.calls_file.unlink()
        return [json.loads(line) for line in lines]

    @property
    def build(self) -> Path:
        """The build directory for um."""
        return self.world.linux.parent / "um"

    def printed(self) -> str:
        """stdout and stderr since the last time."""
        out, err = self.capfd.readouterr()
        return out + err


def change_edit(kunit: Kunit) -> None:
    edit(kunit.world.linux / "mm/memory_hotplug.c", "return 7;", "return 77;")

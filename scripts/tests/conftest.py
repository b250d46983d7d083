# SPDX-License-Identifier: GPL-2.0
"""What the tests share: the modules' path, and a project with a kernel small enough for seconds."""

import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from small_check import fixture_tree  # noqa: E402, F401  pylint: disable=wrong-import-position,unused-import
from small_kunit import Kunit  # noqa: E402  pylint: disable=wrong-import-position
from small_world import World  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project of its own (arch-shims/, kunit/, mm-patches/, build/) and a small kernel in git."""
    return World(tmp_path, monkeypatch)


@pytest.fixture(name="kunit")
def fixture_kunit(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Kunit:
    """scripts/kunit.py on that kernel, with a stand-in for upstream's script."""
    return Kunit(world, monkeypatch, capfd)

# SPDX-License-Identifier: GPL-2.0
"""What the tests share: the modules' path, and a project with a kernel small enough for seconds."""

import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from small_world import World  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project of its own (arch-shims/, kunit/, mm-patches/, build/) and a small kernel in git."""
    return World(tmp_path, monkeypatch)

# SPDX-License-Identifier: GPL-2.0
"""What the tests of scripts/check share: a check of their own, a small kernel with three patches."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World

from mhp.check import series
from mhp.check.model import Check, Job, Report
from mhp.tree import PreparedTree, using


def a_check(directory: Path, program: Callable[[Job], Report], **more: object) -> Check:
    """A check that is in no directory of the project."""
    found = Check("sample", "about", "quick", "patch", False, ("mail",), (), (), directory, program)
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.fixture(name="tree")
def fixture_tree(world: World) -> Iterator[PreparedTree]:
    for number in (1, 2, 3):
        world.mm_patch(number)
    tree = world.prepare()
    with using(tree):
        yield tree


def read(tree: PreparedTree, what: str | None = None) -> series.Series:
    return series.read(tree, what, None)

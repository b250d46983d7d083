# SPDX-License-Identifier: GPL-2.0
"""The kernel as it is without shims, suites and series, for comparisons: build/ID/base/linux."""

from pathlib import Path

from mhp import sidetree
from mhp.tree import PreparedTree, read_state

_DIRECTORY = "base"


def build_dir(tree: PreparedTree, name: str) -> Path:
    """A kernel build directory for the base tree."""
    return tree.build / _DIRECTORY / name


def ensure(tree: PreparedTree) -> Path:
    """Make the base tree, or move it to the prepared tree's base; returns where it is."""
    return sidetree.ensure(tree, _DIRECTORY, read_state(tree).base, "the kernel without shims").path

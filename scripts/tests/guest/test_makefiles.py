# SPDX-License-Identifier: GPL-2.0
"""What is read out of Makefiles without make is what make built."""

import os
from pathlib import Path

import pytest

from mhp.check import makefiles
from mhp.tree import prepare

# Programs of the build, and what a Makefile names in ways of its own.
_OTHERS = ("scripts/", "tools/", "usr/", "arch/x86/boot/", "arch/x86/entry/vdso/")


@pytest.mark.parametrize("name", ["um", "x86_64", "powerpc"])
def test_all_that_was_built_is_taken_in(name: str) -> None:
    kdir = os.environ.get("LINUX")
    tree = prepare(Path(kdir) if kdir else None)
    build = tree.build / name
    if not (build / ".config").exists():
        pytest.skip(f"{build} is not built")
    built = [str(path.relative_to(build).with_suffix(".c")) for path in build.rglob("*.o")]
    built = [one for one in built if (tree.path / one).is_file() and not one.startswith(_OTHERS)]
    assert len(built) > 400
    assert not [one for one in built if not makefiles.enabled(tree.path, build, one)]
    # Of each pair one.
    for one, other in (("mm/memory.c", "mm/nommu.c"), ("fs/proc/task_mmu.c", "fs/proc/task_nommu.c")):
        assert makefiles.enabled(tree.path, build, one) and not makefiles.enabled(tree.path, build, other)

# SPDX-License-Identifier: GPL-2.0
"""Where things are: the repository's folders and what is made below build/.

build/ (or $MHP_BUILD) holds, for each base `ID` (`v6.12`, or a user's tree):

    build/ID/linux/        the prepared tree, a git work tree
    build/ID/state.json    what it was prepared from
    build/ID/um/           a kernel build directory, one for each architecture and config
    build/ID/um-NAME/      the same for kunit/configs/NAME.config
    build/ID/um-gcov/      the same for scripts/coverage, and um-gcov-NAME
    build/ID/coverage/     its reports
    build/ID/check/        scripts/check: reports, caches, a work tree and objects of the build tier
    build/ID/each/         the tree of `scripts/series each` and of check's run tier, and its builds
    build/src/             kernel sources as they were fetched, and as git has them; or $MHP_SOURCES
    build/tmp/             files of the run that is under way
    build/pycache/         compiled modules of scripts/kunit.py
"""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
ARCH_SHIMS = REPO / "arch-shims"
MM_PATCHES = REPO / "mm-patches"
KUNIT = REPO / "kunit"
KUNIT_CONFIGS = KUNIT / "configs"
KUNITCONFIG = REPO / ".kunitconfig"
COVERAGE = REPO / "coverage"
SCRIPTS = REPO / "scripts"

DEFAULT_BASE = "v6.12"
# The prepared tree, in its base's directory.
TREE = "linux"

# Where arch-shims/um/ and kunit/ land in the kernel tree.
SHIMS_IN_TREE = Path("arch/um")
SUITES_IN_TREE = Path("mm/mhp_kunit")


def build_root() -> Path:
    """The directory that holds all that is made: $MHP_BUILD, or build/ in the repository."""
    return Path(os.environ.get("MHP_BUILD") or REPO / "build").resolve()


def sources() -> Path:
    """The directory of kernel sources: $MHP_SOURCES, which several clones may share, or build/src."""
    return Path(os.environ.get("MHP_SOURCES") or build_root() / "src").resolve()

# SPDX-License-Identifier: GPL-2.0
"""A new build directory begins as a copy of the one whose configuration it varies; kbuild finds what differs.

Between a kernel and the same with gcov that is a few objects, between two section sizes it is nearly all.
"""

import os
import shutil
from collections.abc import Sequence

from mhp import shares
from mhp.builddir import BuildDir
from mhp.exits import Exit, MhpError
from mhp.lock import LOCK_NAME, locked
from mhp.progress import say
from mhp.upstream import Job

# About one directory's own builds and runs, but for the record of what it was built from.
_OWN = shutil.ignore_patterns(LOCK_NAME, "mhp-*", "*.log", "*.json", "*.data", ".config", "source",
                              shares.DIRECTORY)


def bases(job: Job) -> list[BuildDir]:
    """The build directories with one fragment less, then the one with none; for the user's own directory there is none."""
    if job.options.seen.build_dir:
        return []
    configs = job.options.configs
    fewer = [configs[:number] + configs[number + 1:] for number in reversed(range(len(configs)))]
    names = ["-".join([job.arch, *some]) for some in [*fewer, *([()] if len(configs) > 1 else [])]]
    return [BuildDir(job.tree.build / name) for name in names]


def plant(build: BuildDir, among: Sequence[BuildDir]) -> BuildDir | None:
    """Copy the first complete build `among` these into a build directory that has no .config yet; returns which it was.

    The caller holds that directory's lock. The .config is copied last: a copy that was cut off counts for nothing, and
    is made again. A build that is in use is passed over.
    """
    if build.config.exists():
        return None
    for base in among:
        if not base.stamp.exists():
            continue
        try:
            with locked(base.path, wait=False):
                _copy(base, build)
        except MhpError as err:
            if err.status != Exit.BUSY:
                raise
            continue
        say(f"{build.path.name} begins as a copy of {base.path.name}: what differs is built")
        return base
    return None


def _copy(base: BuildDir, build: BuildDir) -> None:
    for left in build.path.iterdir():
        if left.name == LOCK_NAME:
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
    top = str(base.path)
    shutil.copytree(base.path, build.path, symlinks=True, dirs_exist_ok=True,
                    ignore=lambda path, names: _OWN(path, names) if path == top else ())
    _rename_in_records(base, build)
    for path in (base.stamp, base.config):
        shutil.copy2(path, build.path / path.name)


def _rename_in_records(base: BuildDir, build: BuildDir) -> None:
    """Records below tools/ name the build directory. To make, another name would be another objtool, and all objects old."""
    old, new = f"{base.path}/".encode(), f"{build.path}/".encode()
    for record in (build.path / "tools").rglob(".*.cmd"):
        text, status = record.read_bytes(), record.stat()
        if old in text:
            record.write_bytes(text.replace(old, new))
            os.utime(record, ns=(status.st_atime_ns, status.st_mtime_ns))

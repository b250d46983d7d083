# SPDX-License-Identifier: GPL-2.0
"""A kernel build directory: the files in it that matter to us, and its repair after a kill."""

import os
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Written while make runs: still there afterwards means that make was cut off.
_UNDER_WAY = "mhp-build-under-way"
# A file system's clock is a little behind or ahead of ours.
_CLOCK_NS = 1_000_000_000

# In QEMU's arguments.
_HERE = "{build}"


@dataclass(frozen=True)
class BuildDir:
    """The directory that upstream's kunit.py gets as --build_dir."""

    path: Path

    @property
    def config(self) -> Path:
        """The .config that came out."""
        return self.path / ".config"

    @property
    def log(self) -> Path:
        """What the last guest printed."""
        return self.path / "test.log"

    @property
    def system_map(self) -> Path:
        """The addresses of the kernel's symbols, as the link leaves them."""
        return self.path / "System.map"

    @property
    def handed_out(self) -> Path:
        """What the last guest under QEMU counted, when it is built for gcov (coverage/handed.py)."""
        return self.path / "gcov.data"

    @property
    def results(self) -> Path:
        """Upstream's JSON about the last guest, where the user named no other file."""
        return self.path / "results.json"

    @property
    def stamp(self) -> Path:
        """What the last complete build was made from (unchanged.py)."""
        return self.path / "mhp-built-from.json"

    @property
    def begun(self) -> Path:
        """What that and the builds that make began since then were made from, until one is complete (unchanged.py)."""
        return self.path / "mhp-begun-from.json"

    def kernel(self, arch: str) -> Path:
        """The file that shows that a kernel was linked; for um it is the program itself."""
        return self.path / ("linux" if arch == "um" else "vmlinux")

    def named(self, words: str) -> str:
        """QEMU's arguments with the path of this directory for `{build}`."""
        return words.replace(_HERE, shlex.quote(str(self.path)))

    def images(self, qemu_args: Sequence[str]) -> list[Path]:
        """The boot images that QEMU's arguments name below `{build}`. make makes them from vmlinux, and nothing else does."""
        found = [re.findall(rf"-kernel {re.escape(_HERE)}/([\w./-]+)", words) for words in qemu_args]
        return [self.path / name for names in found for name in names]

    def stale_image(self, qemu_args: Sequence[str], arch: str) -> Path | None:
        """One of these images that is not there, or not made from the kernel that is there."""
        kernel = self.kernel(arch)
        for image in self.images(qemu_args):
            if not image.exists() or kernel.exists() and image.stat().st_mtime < kernel.stat().st_mtime:
                return image
        return None

    def begin(self) -> int:
        """make starts. Mends what a killed one left; returns the number of files removed."""
        marker = self.path / _UNDER_WAY
        removed = self._remove_unfinished() if marker.exists() else 0
        marker.touch()
        return removed

    def pull_back(self) -> None:
        """See to it that nothing here is from the future, as after a clock that was ahead.

        To make, what is made today would be older than what was made of it then, which would be left as it is. All
        times move by the same, so that their order stays.
        """
        times = {path: path.lstat() for path in self.path.rglob("*") if path.is_file() and not path.is_symlink()}
        ahead = max((status.st_mtime_ns for status in times.values()), default=0) - time.time_ns()
        if ahead < _CLOCK_NS:
            return
        for path, status in times.items():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - ahead))

    def finished(self) -> None:
        """make ended by itself, well or not: it has cleaned up after itself."""
        (self.path / _UNDER_WAY).unlink(missing_ok=True)

    def objects(self, since: float) -> int:
        """How many objects were compiled since a time (seconds since the epoch)."""
        found = 0
        for top, _dirs, files in os.walk(self.path):
            for name in files:
                if name.endswith(".o.cmd") and name.startswith("."):
                    try:
                        found += os.stat(f"{top}/{name}").st_mtime >= since
                    except FileNotFoundError:
                        pass  # make replaces them all the time
        return found

    def _remove_unfinished(self) -> int:
        """Remove every target that is newer than the record of its command.

        Kbuild writes the record last. A target that was cut off in the middle by kill -9 is newer
        than its sources, so make would take it for finished.
        """
        removed = 0
        for record in self.path.rglob(".*.cmd"):
            target = record.with_name(record.name[1:-len(".cmd")])
            try:
                status = target.lstat()
                cut_off = status.st_mtime_ns > record.stat().st_mtime_ns or status.st_size == 0
                if cut_off and target.is_file():
                    target.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

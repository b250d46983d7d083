# SPDX-License-Identifier: GPL-2.0
"""Sizes of the structures that there are many of, on the base and after the series."""

import re

from mhp.check import build, kernels
from mhp.check.model import Finding, Job, Report, Status
from mhp.run import run

_STRUCTS = ("page", "zone", "mem_section", "memory_block")
# A file that knows all of them.
_FILE = "drivers/base/memory.c"
_SIZE = re.compile(r"^(\w+)\t(\d+)\t", re.MULTILINE)
_TIMEOUT_SECONDS = 60


def check(job: Job) -> Report:
    """FAIL when struct page grows, WARN when another one changes."""
    (kernel,) = kernels.kernels("debug")
    if kernel.missing:
        return Report(skipped=kernel.missing)
    patched = next((patch for patch in job.series.patches
                    if any(name.endswith(".h") or name == _FILE for name in patch.paths)), None)
    if patched is None:
        return Report(summary="no header and no " + _FILE + " is touched: they stay as they are")
    one = Job(job.series, patched, job.tree, job.scratch)
    old = _sizes(one, kernel, job.series.base)
    if not old:
        return Report(skipped=f"the base is broken: {_FILE} does not compile, or holds none of them", broken=True)
    new = _sizes(one, kernel, job.series.tip)
    if not new:
        return Report(skipped=f"{_FILE} does not compile with the series, or holds none of them", keep=False)
    findings = [Finding(Status.FAIL if name == "page" and new.get(name, 0) > size else Status.WARN,
                        f"struct {name} has {new.get(name, 0)} bytes, {size} before")
                for name, size in old.items() if new.get(name) != size]
    return Report(tuple(findings), summary=", ".join(f"{name} {size}" for name, size in new.items()) + " bytes")


def _sizes(job: Job, kernel: kernels.Kernel, commit: str) -> dict[str, int]:
    """Structure to size in bytes."""
    build.objects(job, [kernel], commit, [_FILE], anew=True)
    made = (build.build_dir(job.tree, kernel) / _FILE).with_suffix(".o")
    if not made.is_file():
        return {}
    text = run(["pahole", "--sizes", made], timeout=_TIMEOUT_SECONDS).text
    sizes = {match[1]: int(match[2]) for match in _SIZE.finditer(text)}
    return {name: sizes[name] for name in _STRUCTS if name in sizes}

# SPDX-License-Identifier: GPL-2.0
"""What the whole series does to vmlinux, symbol by symbol; the size of the base is kept."""

import hashlib
import re
import shutil
from pathlib import Path

from mhp.check import build, kernels
from mhp.check.kernels import Kernel
from mhp.check.model import Finding, Job, Report, Status
from mhp.check.store import program_identity
from mhp.run import run

_TOTAL_BYTES = 8192   # by which the kernel may grow
_SYMBOL_BYTES = 4096  # by which one function or variable may
_TIMEOUT_SECONDS = 120
_KEPT = 4
_TOTAL = re.compile(r"^Total: Before=(\d+), After=(\d+)", re.MULTILINE)
_SYMBOL = re.compile(r"^(\S+) +(\d+|-) +(\d+|-) +([+-]\d+)$", re.MULTILINE)


def check(job: Job) -> Report:
    """WARN when the kernel or one of its symbols grows by more than the limits above; the rest is told in the notes."""
    kernel = kernels.one(kernels.TOGGLED)
    if kernel.missing:
        return Report(skipped=kernel.missing)
    old = _vmlinux(job, kernel, job.series.base)
    if isinstance(old, str):
        return Report(skipped=f"the base is broken: vmlinux does not build for {kernel.name}", notes=(old,), broken=True)
    new = _vmlinux(job, kernel, job.series.tip)
    if isinstance(new, str):
        return Report((Finding(Status.FAIL, f"vmlinux does not build for {kernel.name}", details=new),), keep=False)
    text = run(["/usr/bin/python3", job.tree.path / "scripts/bloat-o-meter", old, new], timeout=_TIMEOUT_SECONDS).text
    total = _TOTAL.search(text)
    if not total:
        return Report(skipped="bloat-o-meter gave no total", notes=tuple(text.splitlines()[-20:]), keep=False)
    before, after = int(total[1]), int(total[2])
    findings = [Finding(Status.WARN, f"{match[1]} grows by {int(match[4])} bytes, to {match[3]}")
                for match in _SYMBOL.finditer(text) if int(match[4]) > _SYMBOL_BYTES]
    if after - before > _TOTAL_BYTES:
        findings.append(Finding(Status.WARN, f"vmlinux grows by {after - before} bytes ({kernel.name}), to {after}"))
    return Report(tuple(findings), summary=f"{after - before:+} bytes of {before} ({kernel.name}, few options)",
                  notes=tuple(text.splitlines()))


def _vmlinux(job: Job, kernel: Kernel, commit: str) -> Path | str:
    """A copy of vmlinux, kept by what it is made from, or make's last words."""
    words = [job.git.text("rev-parse", f"{commit}^{{tree}}"), kernel.id, program_identity(kernel.compiler),
             *kernels.environment()]
    place = job.tree.build / "check/vmlinux"
    place.mkdir(parents=True, exist_ok=True)
    copy = place / hashlib.sha256(" ".join(words).encode()).hexdigest()
    if copy.exists() and not job.fresh:
        copy.touch()
        return copy
    made = build.vmlinux(job, kernel, commit)
    if isinstance(made, str):
        return made
    fresh = copy.with_suffix(".new")
    shutil.copyfile(made, fresh)
    fresh.replace(copy)
    for old in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        old.unlink()
    return copy

# SPDX-License-Identifier: GPL-2.0
"""What the patch does to the objects of its files: stack frames (checkstack.pl), sizes (bloat-o-meter)."""

import re
from pathlib import Path

from mhp.check import build, kernels, sources
from mhp.check.model import Finding, Job, Report, Status
from mhp.exits import Exit
from mhp.run import check as checked, run

_LARGE = 512   # bytes of a frame that are worth a word
_GROWTH = 128  # bytes by which a frame may grow
_LINE = re.compile(r"^0x[0-9a-f]+ (\S+) .*:\s*(\d+)$")
_TOTAL = re.compile(r"^Total: Before=(\d+), After=(\d+)", re.MULTILINE)
_TIMEOUT_SECONDS = 60


def check(job: Job) -> Report:
    """WARN for a frame that grows much and is large; sizes are told, not judged."""
    patch = job.one
    assert patch.before and patch.after
    names = sources.files(job, patch)
    kernel = kernels.one(kernels.TOGGLED)
    if kernel.missing:
        return Report(skipped=kernel.missing)
    before = build.kept(job, kernel, patch.before, names)
    after = build.kept(job, kernel, patch.after, names, sources.later(job, names))
    old_name = {name: patch.renamed.get(name, name) for name in after}
    both = sorted(name for name, old in old_name.items()
                  if old in before and before[old].exists() and after[name].exists())
    compiled = all(path.exists() for path in (*before.values(), *after.values()))
    if not both:
        return (Report(skipped=f"{kernel.name} has no object of these files both before and after the patch: "
                       + ", ".join(names), keep=compiled) if names else sources.nothing(patch))
    findings, notes, grown = [], [], 0
    for name in both:
        was, made = before[old_name[name]], after[name]
        old, new = _frames(job, was), _frames(job, made)
        findings += [Finding(Status.WARN, f"{function}() uses {size} bytes of stack, {old.get(function, 0)} before", name)
                     for function, size in new.items() if size >= _LARGE and size - old.get(function, 0) > _GROWTH]
        text = run(["/usr/bin/python3", job.tree.path / "scripts/bloat-o-meter", was, made], timeout=_TIMEOUT_SECONDS).text
        total = _TOTAL.search(text)
        grown += int(total[2]) - int(total[1]) if total else 0
        notes += [f"{name}:", *text.splitlines()]
    return Report(tuple(findings), summary=f"{grown:+} bytes in {len(both)} objects, no large frame", notes=tuple(notes),
                  keep=compiled)


def _frames(job: Job, path: Path) -> dict[str, int]:
    """Function to bytes of stack, as far as checkstack.pl names it."""
    code = checked(["objdump", "-d", path], timeout=_TIMEOUT_SECONDS, status=Exit.NOTHING_RAN).stdout
    done = checked([job.tree.path / "scripts/checkstack.pl", "x86_64", "0"], input=code, timeout=_TIMEOUT_SECONDS,
                   status=Exit.NOTHING_RAN)
    return {match[1]: int(match[2]) for line in done.text.splitlines() if (match := _LINE.match(line))}

# SPDX-License-Identifier: GPL-2.0
"""Changed lines that none of the kernels compiles: no build of ours can have found a fault in them."""

from dataclasses import replace

from mhp.check import build, kernels, regions, sources
from mhp.check.model import Finding, Job, Report, Status

_SHOWN = 12


def check(job: Job) -> Report:
    """WARN for each file with such lines."""
    patch = job.one
    assert patch.before and patch.after
    every = [*kernels.kernels("arch"), *kernels.kernels("toggle")]
    there = [kernel for kernel in every if not kernel.missing]
    others = [name for name in sources.left_out(job, patch) if not sources.is_compiled(name)]
    left_out = (*(kernel.missing for kernel in every if kernel.missing),
                *([f"not looked at: {', '.join(others)}"] if others else []))
    if not there:
        return Report(skipped="no compiler for any of the kernels", notes=left_out)
    names = [name for name in patch.paths if sources.is_compiled(name)]
    if not names:
        return sources.nothing(patch)
    findings, looked, made = [], 0, True
    for name in names:
        entry = job.git.entries(patch.after, [name]).get(name)
        if not entry:
            continue
        text = job.git.contents([entry.oid])[entry.oid].decode(errors="replace")
        of_file = regions.lines(text)
        old = patch.renamed.get(name, name)
        changed = [number for number in regions.added(job.git, patch.before, patch.after, name, old)
                   if of_file[number - 1].code]
        looked += len(changed)
        missed, whole = _missed(job, there, name, of_file, changed)
        made = made and whole
        if missed:
            source = text.splitlines()
            findings.append(Finding(
                Status.WARN, f"{len(missed)} changed lines are compiled by no configuration here",
                f"{name}:{missed[0]}", "\n".join(f"{number}: {source[number - 1]}" for number in missed[:_SHOWN])))
    return Report(tuple(findings), summary=f"all {looked} changed lines of code are compiled", left_out=left_out, keep=made)


def _missed(job: Job, there: list[kernels.Kernel], name: str, of_file: list[regions.Line],
            changed: list[int]) -> tuple[list[int], bool]:
    """The changed lines that no kernel compiles, and whether all could be made that had to be.

    Only what stands in a conditional has to be preprocessed, and a header: its users may not include it here.
    """
    assert job.one.after
    if not changed:
        return [], True
    files = sources.files(job, replace(job.one, paths=(name,)) if name.endswith(".c") else job.one)
    if not any(build.taken_in(job, there, job.one.after, file) for file in files):
        return changed, True
    made = True
    inside = [number for number in changed if of_file[number - 1].conditional or not name.endswith(".c")]
    for kernel in there:
        if not inside:
            break
        for built in build.objects(job, [kernel], job.one.after, files, suffix=".i")[kernel.name].values():
            made = made and not built.failed
            left = {of_file[number - 1].region for file, number in built.lines
                    if file == name and 0 < number <= len(of_file)}
            inside = [number for number in inside if of_file[number - 1].region not in left]
    return inside, made

# SPDX-License-Identifier: GPL-2.0
"""The compiler's messages about a patch's files, before and after it, in one or several kernels."""

from collections.abc import Callable, Sequence

from mhp import upstream
from mhp.check import build, compare
from mhp.check.compare import Message
from mhp.check.kernels import Kernel
from mhp.check.model import Finding, Job, Report, Status
from mhp.exits import Exit, MhpError

_OUTPUT_LINES = 15


def report(job: Job, kernels: Sequence[Kernel], *words: str,
           keep: Callable[[Message], bool] = lambda _message: True) -> Report:
    """Compile before and after in each kernel; FAIL for what does not compile any more, WARN for a new message.

    A file that the base already does not compile is told in the notes, and says nothing of the patch.
    """
    patch = job.one
    assert patch.before and patch.after
    names = build.files(job, patch)
    if not names:
        return build.nothing(patch)
    findings: list[Finding] = []
    notes = [kernel.missing for kernel in kernels if kernel.missing]
    there = [kernel for kernel in kernels if not kernel.missing]
    try:
        before = build.objects(job, there, patch.before, names, *words)
        after = build.objects(job, there, patch.after, [*names, *build.later(job, names)], *words)
    except MhpError as err:
        if err.status != Exit.BROKEN_BASE:
            raise
        return Report(skipped=f"the base is broken: {err}", broken=True)
    done, broken = [], False
    for kernel in there:
        old = before[kernel.name]
        new = {name: built for name, built in after[kernel.name].items() if name in names}
        here = [name for name, built in old.items() if built.failed]
        notes += [f"{kernel.name}: the base is broken: {name} does not compile without the patch:\n"
                  + _tail(old[name].output) for name in here]
        broken = broken or bool(here)
        findings += _compare(kernel, old, {name: one for name, one in new.items() if name not in here}, keep)
        notes += [f"{kernel.name}: {len(set(new) - set(here))} of {len(names)} files compiled"]
        done += [kernel.name] if set(new) - set(here) else []
    if not done and not findings:
        return Report(skipped="; ".join(note.splitlines()[0] for note in notes) or "nothing was compiled",
                      notes=tuple(notes), broken=broken)
    return Report(tuple(findings), summary=f"nothing new with {', '.join(done)}", notes=tuple(notes), broken=broken)


def _compare(kernel: Kernel, before: dict[str, build.Built], after: dict[str, build.Built],
             keep: Callable[[Message], bool]) -> list[Finding]:
    found = []
    for name, built in after.items():
        if built.failed:
            found.append(Finding(Status.FAIL, f"{name} does not compile with {kernel.name}",
                                 _first_error(built), _tail(built.output)))
            continue
        older = before[name].messages if name in before else ()
        found += [Finding(Status.WARN, f"{kernel.name}: {message.text}", message.where)
                  for message in compare.new(list(filter(keep, older)), list(filter(keep, built.messages)))]
    return found


def _first_error(built: build.Built) -> str:
    return next((message.where for message in built.messages if "error" in message.text), "")


def _tail(output: str) -> str:
    """The first errors and what they point at; make's last words where there are none."""
    return "\n".join(upstream.error_lines(output.encode(errors="replace"))[:_OUTPUT_LINES])

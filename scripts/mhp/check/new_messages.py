# SPDX-License-Identifier: GPL-2.0
"""The compiler's messages about a patch's files, before and after it, in one or several kernels."""

from collections.abc import Callable, Mapping, Sequence

from mhp import upstream
from mhp.check import build, compare, sources
from mhp.check.compare import Message
from mhp.check.kernels import Kernel
from mhp.check.model import Finding, Job, Report, Status

_OUTPUT_LINES = 15
_BASE = "the base is broken"
_EARLIER = "an earlier patch of the series broke it"


def report(job: Job, kernels: Sequence[Kernel], *words: str,
           keep: Callable[[Message], bool] = lambda _message: True) -> Report:
    """Compile before and after in each kernel; FAIL for what does not compile any more, WARN for a new message.

    A file that does not compile without the patch is told, and says nothing of it: the base is broken, or an earlier
    patch of the series broke it.
    """
    patch = job.one
    assert patch.before and patch.after
    names = sources.files(job, patch)
    if not names:
        return sources.nothing(patch)
    findings: list[Finding] = []
    not_compiled = sources.left_out(job, patch)
    notes: list[str] = []
    left_out = [f"not compiled: {', '.join(not_compiled)}"] if not_compiled else []
    left_out += [kernel.missing for kernel in kernels if kernel.missing]
    there, others, lost = build.configured(job, [kernel for kernel in kernels if not kernel.missing], patch.before)
    left_out += others
    before = build.objects(job, there, patch.before, names, *words)
    after = build.objects(job, there, patch.after, [*names, *sources.later(job, names)], *words)
    renamed = patch.renamed
    wanted = [name for name in names if name in renamed or name not in renamed.values()]
    done: list[str] = []
    unknown: dict[str, str] = {}
    failed = False
    for kernel in there:
        old = before[kernel.name]
        new = {name: built for name, built in after[kernel.name].items() if name in names}
        here = {name: _at_fault(job, kernel, name, *words) for name, built in old.items() if built.failed}
        unknown.update(here)
        failed = failed or any(built.failed for built in (*old.values(), *new.values()))
        notes += [f"{kernel.name}: {fault}: {name} does not compile without the patch:\n{_tail(old[name].output)}"
                  for name, fault in here.items()]
        known = {name: one for name, one in new.items() if renamed.get(name, name) not in here}
        findings += _compare(kernel, old, known, keep, renamed)
        notes += [f"{kernel.name}: {len(known)} of {len(wanted)} files compiled"]
        done += [kernel.name] if known else []
    broken = _BASE in unknown.values()
    if not done and not findings:
        return Report(skipped="; ".join(note.splitlines()[0] for note in (*left_out, *notes)) or "nothing was compiled",
                      notes=(*left_out, *notes, *lost), broken=broken, keep=not failed)
    summary = "; ".join([f"nothing new with {', '.join(done)}", *(f"{fault}: {name}" for name, fault in unknown.items())])
    return Report(tuple(findings), summary=summary, notes=(*notes, *lost), broken=broken, keep=not failed,
                  left_out=tuple(left_out))


def _at_fault(job: Job, kernel: Kernel, name: str, *words: str) -> str:
    """What broke a file that does not compile without the patch."""
    base = job.series.base
    return _BASE if job.one.before == base or build.fails(job, kernel, base, name, *words) else _EARLIER


def _compare(kernel: Kernel, before: dict[str, build.Built], after: dict[str, build.Built],
             keep: Callable[[Message], bool], renamed: Mapping[str, str]) -> list[Finding]:
    found = []
    for name, built in after.items():
        if built.failed:
            found.append(Finding(Status.FAIL, f"{name} does not compile with {kernel.name}",
                                 _first_error(built), _tail(built.output)))
            continue
        older = before[old].messages if (old := renamed.get(name, name)) in before else ()
        found += [Finding(Status.WARN, f"{kernel.name}: {message.text}", message.where)
                  for message in compare.new(list(filter(keep, older)), list(filter(keep, built.messages)), renamed)]
    return found


def _first_error(built: build.Built) -> str:
    return next((message.where for message in built.messages if "error" in message.text), "")


def _tail(output: str) -> str:
    """The first errors and what they point at; make's last words where there are none."""
    return "\n".join(upstream.error_lines(output.encode(errors="replace"))[:_OUTPUT_LINES])

# SPDX-License-Identifier: GPL-2.0
"""Which files are compiled for a patch."""

import re
from collections.abc import Sequence
from pathlib import Path

from mhp.check import makefiles
from mhp.check.model import Job, Report
from mhp.check.once import Once
from mhp.check.series import Patch

_USERS = 6
_HEADER_USERS = ("mm/*.c", "drivers/base/*.c")
# What includes most of the kernel's headers, for one that nothing there includes by its name.
_INCLUDES_MOST = ("mm/memory_hotplug.c", "mm/sparse-vmemmap.c")
_ARCH_HEADER = re.compile(r"arch/(\w+)/include/(?:uapi/)?(asm/.*)")
_NOT_KERNEL = ("tools/", "samples/", "scripts/", "Documentation/")
# What is there to be read, by people or by git and editors.
_TEXT = re.compile(r"(?:Documentation|LICENSES)/.*|(?:.*/)?(?:MAINTAINERS|CREDITS|COPYING|README|\.[^/]+)|.*\.(?:rst|txt|md)")
_SHOWN = 4
# Names that mean nothing to make and to a shell; a patch may bring any.
_PLAIN_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*\.c")

_chosen: Once[dict[str, list[str]]] = Once()


def files(job: Job, patch: Patch) -> list[str]:
    """The C files to compile for a patch: those it touches, and some that include a header it touches. For one that is
    not compiled by itself, those beside it that include it."""
    return list(dict.fromkeys(one for compiled in _of(job, patch).values() for one in compiled))


def _of(job: Job, patch: Patch) -> dict[str, list[str]]:
    """C file to what is compiled for it."""
    return _chosen.get((job.tree.path, patch.before, patch.after, patch.paths), lambda: _choose(job, patch))


def _choose(job: Job, patch: Patch) -> dict[str, list[str]]:
    found = [name for name in patch.paths if name.endswith(".c")]
    for header in (name for name in patch.paths if _is_header(name)):
        found += _users(job, patch, header)
    names = [name for name in dict.fromkeys(found) if _is_c(name)]
    there = job.git.entries(patch.after or "", names)
    return {**_by_makefile(job, patch.after or "", list(there)),
            **_by_makefile(job, patch.before or "", [name for name in names if name not in there])}


def _by_makefile(job: Job, commit: str, names: Sequence[str]) -> dict[str, list[str]]:
    """C file to itself; where the Makefile beside it does not name it, to what the Makefile names and includes it."""
    entries = job.git.entries(commit, list({str(Path(name).with_name("Makefile")) for name in names}))
    blobs = job.git.contents([entry.oid for entry in entries.values()]) if entries else {}
    texts = {str(Path(path).parent): blobs[entry.oid].decode(errors="replace") for path, entry in entries.items()}
    found = {}
    for name in names:
        text = texts.get(str(Path(name).parent))
        found[name] = [name] if text is None or makefiles.names(text, name) else [
            user for user in _including(job, commit, name) if makefiles.names(text, user)][:_USERS]
    return found


def _including(job: Job, commit: str, name: str) -> list[str]:
    """The C files beside a file that include it."""
    path = Path(name)
    pattern = rf'^[[:space:]]*#[[:space:]]*include[[:space:]]+"{re.escape(path.name)}"'
    found = job.git.run("grep", "-l", "-E", pattern, commit, "--", f":(glob){path.with_name('*.c')}").text.splitlines()
    return [user.partition(":")[2] for user in found]


def left_out(job: Job, patch: Patch) -> list[str]:
    """The files of a patch that are not compiled, and are no text either."""
    compiled = _of(job, patch)
    return [name for name in patch.paths if not compiled.get(name) and not _is_header(name) and not _TEXT.fullmatch(name)]


def nothing(patch: Patch) -> Report:
    """What a check says of a patch that files() finds nothing for: that is right only where it touches nothing but text."""
    names = [name for name in patch.paths if not _TEXT.fullmatch(name)]
    if not names:
        return Report(summary="no C file to compile")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return Report(skipped=f"nothing here compiles {', '.join(names[:_SHOWN])}{more}")


def is_compiled(name: str) -> bool:
    """Whether a file is compiled, by itself or as a header."""
    return _is_c(name) or _is_header(name)


def _is_c(name: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(name)) and not name.startswith(_NOT_KERNEL)


def _is_header(name: str) -> bool:
    return name.endswith(".h") and not name.startswith(_NOT_KERNEL)


def _users(job: Job, patch: Patch, header: str) -> list[str]:
    """Some C files that include a header."""
    words, where, otherwise = f'"{Path(header).name}"', [f"{Path(header).parent}/*.c"], [*_INCLUDES_MOST]
    if header.startswith("include/"):
        name = header.removeprefix("include/").removeprefix("uapi/")
        words, where = f"<{name}>", [*_HEADER_USERS]
    elif own := _ARCH_HEADER.fullmatch(header):
        words, where = f"<{own[2]}>", [*_HEADER_USERS, f"arch/{own[1]}/mm/*.c", f"arch/{own[1]}/kernel/*.c"]
        otherwise.append(f"arch/{own[1]}/mm/init.c")
    found = job.git.run("grep", "-l", "-F", f"#include {words}", patch.after or "", "--", *where).text.splitlines()
    return [user.partition(":")[2] for user in found][:_USERS] or otherwise


def later(job: Job, names: Sequence[str]) -> list[str]:
    """Further files that the next patch of this run is about: they are compiled while the work tree is where its "before" is."""
    following = next((patch for patch in job.series.patches
                      if patch.number == job.one.number + 1 and patch.number in job.asked and patch.after), None)
    return [name for name in files(job, following) if name not in names] if following else []

# SPDX-License-Identifier: GPL-2.0
"""Which files are compiled for a patch."""

import re
from collections.abc import Sequence
from pathlib import Path

from mhp.check.model import Job, Report
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


def files(job: Job, patch: Patch) -> list[str]:
    """The C files to compile for a patch: those it touches, and some that include a header it touches."""
    found = [name for name in patch.paths if name.endswith(".c")]
    for header in (name for name in patch.paths if _is_header(name)):
        found += _users(job, patch, header)
    return [name for name in dict.fromkeys(found) if _is_c(name)]


def left_out(patch: Patch) -> list[str]:
    """The files of a patch that are not compiled, and are no text either."""
    return [name for name in patch.paths if not is_compiled(name) and not _TEXT.fullmatch(name)]


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

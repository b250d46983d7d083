# SPDX-License-Identifier: GPL-2.0
"""What guests under QEMU counted: the one file that they write (kunit/gcov/), taken apart into gcov's own files.

The guest is a kernel under test, so its file is not trusted: it names none but the instrumented objects of its
build, each once, it has an end, and there is a limit to its size.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mhp.arch import Arch, directives
from mhp.builddir import BuildDir
from mhp.exits import Exit, MhpError
from mhp.log import printable

LIMIT_BYTES = 64 * 1024 * 1024
_LINE_BYTES = 4200
_HEAD = re.compile(rb"gcda ([0-9]{1,9}) (/[^\n]*)|end ([0-9]{1,9})")
_CHARDEV = "gcov"


def size(build: BuildDir) -> int:
    """How much the guest has handed out so far, in bytes."""
    try:
        return build.handed_out.stat().st_size
    except FileNotFoundError:
        return 0


def device(target: Arch, config: str, path: Path) -> str:
    """QEMU's arguments for the way out of the guest, into a file. Raises MhpError(USAGE) when there is none."""
    said = directives(target.fragment(config)).get("gcov")
    if said is None:
        raise MhpError(Exit.USAGE, f"--arch={target.name}: {target.fragment(config)} has no line `# gcov: DEVICE`, so "
                       "there is no way out of the guest for gcov's data")
    # QEMU ends a value at a comma, unless there are two.
    name = str(path).replace(",", ",,")
    return shlex.join(["-chardev", f"file,id={_CHARDEV},path={name}", "-device", f"{said},chardev={_CHARDEV}"])


def records(raw: bytes, what: str) -> dict[str, bytes]:
    """Names of files to their content. Raises MhpError(NOTHING_RAN) for data that is cut off or no such data."""
    found: dict[str, bytes] = {}
    at = 0
    while True:
        end = raw.find(b"\n", at, at + _LINE_BYTES)
        head = _HEAD.fullmatch(raw, at, end) if end >= 0 else None
        if head is None:
            rest = "it is empty" if not raw else f"not understood at byte {at}: {printable(repr(raw[at:at + 40]))}"
            raise MhpError(Exit.NOTHING_RAN, f"{what}: the guest has not handed all of gcov's data out: {rest}")
        if head[3] is not None:
            if int(head[3]) != len(found) or end + 1 != len(raw):
                raise MhpError(Exit.NOTHING_RAN, f"{what}: {len(found)} objects, {head[3].decode()} announced, "
                               f"{len(raw) - end - 1} bytes too many")
            return found
        name, at = head[2].decode(errors="backslashreplace"), end + 1 + int(head[1])
        content = raw[end + 1:at]
        if len(content) != int(head[1]) or name in found:
            raise MhpError(Exit.NOTHING_RAN, f"{what}: {printable(name)}: {len(content)} of {int(head[1])} bytes"
                           f"{', for the second time' if name in found else ''}")
        found[name] = content


def unpack(build: BuildDir, notes: Sequence[Path]) -> None:
    """Write the files that gcov reads beside the notes of the instrumented objects.

    Raises MhpError(NOTHING_RAN) when the guest left no data, not all, or data of other objects.
    """
    path = build.handed_out
    if not path.is_file():
        raise MhpError(Exit.NOTHING_RAN, f"{path} is not there: the guest has handed no gcov data out. It does so when "
                       "it restarts at the end of its run; one that panicked or was stopped has none")
    if size(build) > LIMIT_BYTES:
        raise MhpError(Exit.NOTHING_RAN, f"{path}: more than {LIMIT_BYTES >> 20} MiB")
    for place, content in _placed(records(path.read_bytes(), str(path)), notes).items():
        place.write_bytes(content)


def _placed(found: Mapping[str, bytes], notes: Sequence[Path]) -> dict[Path, bytes]:
    # The compiler wrote down where it was, which may be the name of a link.
    places = [note.with_suffix(".gcda") for note in notes]
    known = {str(name): place for place in places for name in (place, place.resolve())}
    placed = {}
    for name, content in found.items():
        place = known.get(name)
        if place is None:
            raise MhpError(Exit.NOTHING_RAN, f"the guest handed out data of {printable(name)}, which is no instrumented "
                           "object of this build")
        placed[place] = content
    return placed

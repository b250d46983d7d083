# SPDX-License-Identifier: GPL-2.0
"""The functions of a C file in kernel style: braces of a body in column 0."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = re.compile(r"\b(?!__attribute__|__printf|__releases|__acquires|__ref\b)([A-Za-z_]\w*)\s*\(")
_CALLED = re.compile(r"\b(\w+)\s*\(")
_ONE_LINE = re.compile(r"static\b.*?\b(\w+)\(.*\)\s*\{.*\}$")
_HEAD_LINES = 12


@dataclass(frozen=True)
class Function:
    """A function and its lines, from the one with its name to the closing brace."""

    name: str
    first: int
    last: int


def functions(text: str) -> Sequence[Function]:
    """All functions with a body, in the file's order."""
    return _functions(text.rstrip("\n"))


# Each report asks again, for the same few files.
@functools.lru_cache(maxsize=64)
def _functions(text: str) -> Sequence[Function]:
    lines = text.splitlines()
    found = []
    opened: tuple[str, int] | None = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{") and opened is None:
            opened = _head(lines, number)
        elif line.startswith("}") and opened is not None:
            found.append(Function(*opened, number))
            opened = None
        elif opened is None and (match := _ONE_LINE.match(line)):
            found.append(Function(match[1], number, number))
    return found


def _head(lines: list[str], brace: int) -> tuple[str, int] | None:
    """The name and first line of the function whose body begins in line `brace`."""
    first = brace - 1
    while first > max(0, brace - _HEAD_LINES) and not _ends(lines[first - 1]):
        first -= 1
    head = " ".join(lines[first:brace - 1])
    match = _NAME.search(head)
    if match is None:
        return None
    name = match[1]
    at = next(number for number in range(first + 1, brace) if name in _CALLED.findall(lines[number - 1]))
    return name, at


def _ends(line: str) -> bool:
    """Whether a line cannot belong to the head that follows it."""
    return not line.strip() or line.startswith("#") or line.rstrip().endswith((";", "}", "*/"))

# SPDX-License-Identifier: GPL-2.0
"""Which lines of a C file are code, and between which preprocessor conditionals they stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mhp.git import Git

_CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_MARKER = re.compile(r'^# (\d+) "([^"]*)"')


@dataclass(frozen=True)
class Line:
    """A line of a file: the number of its region, whether a conditional is around it, whether it is code."""

    region: int
    conditional: bool
    code: bool


def lines(text: str) -> list[Line]:
    """What each line is; a region is what stands between two conditional directives."""
    found = []
    region, depth = 0, 0
    comment = directive = False
    guarded = _has_guard(text)
    for line in text.splitlines():
        match = None if comment or directive else _CONDITIONAL.match(line)
        if match:
            region += 1
            depth += {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(match[1], 0)
        is_directive = directive or not comment and line.lstrip().startswith("#")
        directive = is_directive and line.endswith("\\")
        code, comment = _code(line, comment)
        found.append(Line(region, depth > guarded, bool(code) and not is_directive))
    return found


def _has_guard(text: str) -> bool:
    """Whether the whole file stands in an include guard."""
    first = next((line for line in text.splitlines() if line.lstrip().startswith("#")), "")
    name = re.match(r"\s*#\s*ifndef\s+(\w+_H_*)\s*$", first)
    return bool(name and f"#define {name[1]}" in text)


def _code(line: str, comment: bool) -> tuple[str, bool]:
    """A line without its comments, and whether a comment goes on after it."""
    out = ""
    while line:
        if comment:
            _gone, end, line = line.partition("*/")
            comment = not end
        else:
            before, start, line = line.partition("/*")
            out += before.partition("//")[0]
            comment = bool(start)
    return out.strip(), comment


def added(git: Git, before: str, after: str, name: str, old: str) -> list[int]:
    """The numbers, in the new file, of the lines that differ between two commits. old: the name that it had before."""
    which = [before, after, "--", name] if old == name else [f"{before}:{old}", f"{after}:{name}"]
    text = git.text("--literal-pathspecs", "diff", "--no-color", "--no-ext-diff", "--no-renames", "-U0", *which)
    found = []
    for line in text.splitlines():
        if match := _HUNK.match(line):
            start, count = int(match[1]), int(match[2] or "1")
            found += list(range(start, start + count))
    return found


def emitted(preprocessed: str, names: Sequence[str]) -> set[tuple[str, int]]:
    """(file, line) of all that a preprocessed file still holds of these files."""
    found = set()
    name, number = "", 0
    for line in preprocessed.splitlines():
        if match := _MARKER.match(line):
            number = int(match[1])
            name = next((one for one in names if match[2] == one or match[2].endswith(f"/{one}")), "")
            continue
        if name and line.strip():
            found.add((name, number))
        number += 1
    return found

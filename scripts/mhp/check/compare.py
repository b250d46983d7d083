# SPDX-License-Identifier: GPL-2.0
"""Messages of compilers and the like, before and after: what is new is told by text, not by count.

Line numbers move when a patch adds a line, so two messages are the same when file and text are.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mhp.git import Git

_MESSAGE = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+(?:-\d+)?:)? (?P<text>.*)$")
_NUMBERS = re.compile(r"\b\d+\b")


@dataclass(frozen=True)
class Message:
    """A message: its file, its line (0: none), its text, and the lines that follow it."""

    file: str
    line: int
    text: str
    more: str = ""

    @property
    def where(self) -> str:
        """"file:line"."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def same(self) -> tuple[str, str]:
        """What makes it the same message as one of another build."""
        return self.file, _NUMBERS.sub("N", self.text)


def read(text: str, top: str) -> list[Message]:
    """The messages in a program's output; `top` is cut off from the names of files."""
    found: list[Message] = []
    for line in text.splitlines():
        match = _MESSAGE.match(line)
        if match:
            name = match["file"].removeprefix(f"{top}/")
            found.append(Message(str(Path(name)) if not name.startswith("../") else name, int(match["line"]),
                                 match["text"]))
    return found


def new(before: Sequence[Message], after: Sequence[Message], renamed: Mapping[str, str] | None = None) -> list[Message]:
    """The messages of `after` that `before` does not have, or not so often. renamed: new name to old name of files."""
    old_name = renamed or {}
    left = Counter(message.same for message in before)
    found = []
    for message in after:
        same = replace(message, file=old_name.get(message.file, message.file)).same
        if left[same]:
            left[same] -= 1
        else:
            found.append(message)
    return found


def extract(git: Git, commit: str, names: Sequence[str], top: Path) -> list[str]:
    """Write files of a commit below a directory; returns those that the commit has."""
    top.mkdir(parents=True, exist_ok=True)
    entries = git.entries(commit, names)
    blobs = git.contents([entry.oid for entry in entries.values()])
    for name, entry in entries.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blobs[entry.oid])
    return list(entries)

# SPDX-License-Identifier: GPL-2.0
"""The trailers of a commit message, and who its people are."""

import re
from dataclasses import dataclass
from email.utils import parseaddr

from mhp.git import Git

_TRAILER = re.compile(r"^([A-Z][A-Za-z]*(?:-[A-Za-z]+)*):[ \t]+(\S.*)$")
_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b")
# Addresses of this kind belong to nobody.
_PLACEHOLDER = re.compile(r"@(localhost|localhost\.localdomain|example\.(org|com|net)|\S+\.(invalid|example))$", re.I)


@dataclass(frozen=True)
class Trailer:
    """A line "Name: value" in the last paragraphs of a commit message; `line` counts from 1."""

    name: str
    value: str
    line: int

    @property
    def address(self) -> str:
        """The mail address of its value, in small letters."""
        return parseaddr(self.value)[1].lower()

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


def read(message: str) -> list[Trailer]:
    """All trailers, wherever they stand below the subject."""
    return [Trailer(match[1], match[2].strip(), number) for number, line in
            enumerate(message.splitlines(), start=1) if number > 1 and (match := _TRAILER.match(line))]


def commits(git: Git, message: str) -> list[str]:
    """What may be ids of commits in a message, each with whether the repository has it: a fetch changes that."""
    found = list(dict.fromkeys(_COMMIT.findall(message)))
    asked = "".join(f"{one}^{{commit}}\n" for one in found).encode()
    return git.text("cat-file", "--batch-check=%(objectname)", input=asked).splitlines() if found else []


def is_placeholder(address: str) -> bool:
    """Whether a mail address is nobody's."""
    return _PLACEHOLDER.search(address) is not None

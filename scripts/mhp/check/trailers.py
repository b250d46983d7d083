# SPDX-License-Identifier: GPL-2.0
"""The trailers of a commit message, and who its people are."""

import re
from dataclasses import dataclass
from email.utils import parseaddr

_TRAILER = re.compile(r"^([A-Z][A-Za-z]*(?:-[A-Za-z]+)*):[ \t]+(\S.*)$")
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


def is_placeholder(address: str) -> bool:
    """Whether a mail address is nobody's."""
    return _PLACEHOLDER.search(address) is not None

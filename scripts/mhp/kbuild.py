# SPDX-License-Identifier: GPL-2.0
"""What kbuild recorded of a build: its .cmd files, which hold each target's command and dependencies."""

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_SEPARATORS = b" \t\n'\"=;:()"
_SAVED = re.compile(rb"savedcmd_\S+ :=[ \t]*(.*)\n")
_FIXDEP_END = re.compile(rb"\n\$\(deps_\S+\):\n")
# kbuild's two ways to make an archive: of names below a directory, and of paths.
_ARCHIVE = re.compile(r'rm -f (\S+); +(?:printf "(\S*)%s " (.*) \| xargs )?\S*\bar \w+ \S+(.*)$')
_DEPENDENCY = re.compile(rb"^(?:source_\S+ := |  )([^\s$]+)(?: \\)?$", re.MULTILINE)
VMLINUX_A = "vmlinux.a"


@dataclass(frozen=True)
class Record:
    """One .cmd file: `target` relative to the build directory, and the file's bytes."""

    target: str
    text: bytes

    @property
    def saved(self) -> str:
        """The command as make reads it; "" when the file holds none."""
        found = _SAVED.match(self.text)
        return os.fsdecode(found[1]) if found else ""

    @property
    def command(self) -> str:
        """The command for the shell."""
        return self.saved.replace("$(pound)", "#").replace("$$", "$")

    @property
    def compiles(self) -> bool:
        """Whether it is an object that was made from one source file, with dependencies."""
        return self.target.endswith(".o") and f"\nsource_{self.target} :=".encode() in self.text

    @property
    def after_dependencies(self) -> bytes:
        """What kbuild's rule added to the file after fixdep had written it (objtool)."""
        found = _FIXDEP_END.search(self.text)
        return self.text[found.end():] if found else b""

    @property
    def members(self) -> list[str] | None:
        """What an archive was made of; None when this is no archive's command."""
        found = _ARCHIVE.match(self.command.strip())
        if not found or not self.target.endswith(".a") or self.target == VMLINUX_A:
            return None
        names = [found[2] + name for name in found[3].split()] if found[3] is not None else found[4].split()
        return [os.path.normpath(name) for name in names]


def dot_cmd(target: str) -> str:
    """The path of a target's record."""
    top, _, name = target.rpartition("/")
    return f"{top}/.{name}.cmd" if top else f".{name}.cmd"


class Records:
    """All records of a build directory, read at once: some 25 MB for a minimal kernel, 20 ms."""

    def __init__(self, objtree: Path, srctree: Path) -> None:
        self._objtree = os.path.realpath(objtree)
        self._srctree = os.path.realpath(srctree)
        self.by_target: dict[str, Record] = {}
        for top, _dirs, files in os.walk(self._objtree):
            for name in files:
                if name.endswith(".cmd") and name.startswith("."):
                    target = os.path.normpath(f"{os.path.relpath(top, self._objtree)}/{name[1:-4]}")
                    with open(f"{top}/{name}", "rb") as file:
                        self.by_target[target] = Record(target, file.read())

    def made_from(self, name: str) -> list[Record]:
        """The records that name a file of the source tree, by its path in the tree."""
        wanted, path = os.fsencode(name), os.path.join(self._srctree, name)
        return [record for record in self.by_target.values()
                if any(self._resolved(token) == path for token in _tokens_ending(record.text, wanted))]

    def namesakes(self, name: str) -> list[Record]:
        """The records that name a file of the same name in any directory."""
        wanted = os.fsencode(os.path.basename(name))
        return [record for record in self.by_target.values() if _tokens_ending(record.text, wanted)]

    def naming(self, target: str) -> list[Record]:
        """The records, other than objects' and archives', whose command or dependencies name a target."""
        wanted = os.fsencode(target)
        return [record for record in self._others if _tokens_ending(record.text, wanted)]

    @cached_property
    def _others(self) -> list[Record]:
        return [record for record in self.by_target.values() if not record.compiles and record.members is None]

    def archives(self) -> dict[str, list[str]]:
        """For each object and archive the archives that it is a member of."""
        found: dict[str, list[str]] = {}
        for record in self.by_target.values():
            for member in record.members or ():
                found.setdefault(member, []).append(record.target)
        return found

    def lost(self, archive: str, but: Collection[str]) -> list[str]:
        """The members of an archive that are not there, but for those that are made anew."""
        return [name for name in self.by_target[archive].members or ()
                if name not in but and not os.path.exists(os.path.join(self._objtree, name))]

    def _resolved(self, token: bytes) -> str:
        return os.path.normpath(os.path.join(self._objtree, os.fsdecode(token)))


def dependencies(objtree: Path, objects: Iterable[str]) -> set[str]:
    """What these objects were last compiled from, as their records name it."""
    found: set[bytes] = set()
    for target in objects:
        found.update(_DEPENDENCY.findall((objtree / dot_cmd(target)).read_bytes()))
    return {os.fsdecode(name) for name in found}


def _tokens_ending(text: bytes, end: bytes) -> list[bytes]:
    """The words of a record that end with these bytes, at the start of a path component."""
    found = []
    at = text.find(end)
    while at >= 0:
        after = at + len(end)
        if after >= len(text) or text[after] in _SEPARATORS:
            start = at
            while start and text[start - 1] not in _SEPARATORS:
                start -= 1
            if start == at or text[at - 1:at] == b"/":
                found.append(text[start:after])
        at = text.find(end, after)
    return found

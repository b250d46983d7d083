# SPDX-License-Identifier: GPL-2.0
"""build/ID/state.json: what a prepared tree was made from, and the change that is under way.

The file is replaced as a whole, so that it is either the old one or the new one at any moment.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mhp.exits import Exit, MhpError

STATE_FILE = "state.json"
_FORMAT = 1


@dataclass(frozen=True)
class Link:
    """A commit of the prepared chain.

    part: "base", "shims", "suites" or "mm"; name: the patch file, or what the commit holds; key: the
    hash of what it was made from; notes: how a patch drifted.
    """

    part: str
    name: str
    key: str
    commit: str
    notes: tuple[str, ...] = ()


@dataclass
class State:
    """The content of state.json; object ids are of the prepared tree's repository."""

    origin: str = ""                 # which kernel source, for people
    kdir: str = ""                   # the user's tree; empty for Debian's source
    version: str = ""                # version of Debian's package; empty for a user's tree
    base: str = ""                   # commit of the kernel source
    tidied: bool = False             # `base` was looked at by ignores.py
    kernel: tuple[int, int] = (0, 0)  # its VERSION and PATCHLEVEL
    shims: str = ""                  # the folder of arch-shims/ in use
    series: bool = True              # whether mm-patches/ goes on top
    inputs: str = ""                 # hash of all inputs that `chain` was made from
    chain: list[Link] = field(default_factory=list)
    partial: str = ""                # hash of the inputs of which not all apply: `chain` is as far as they do
    move: tuple[str, str] | None = None   # the work tree is going from one commit to another
    seen: dict[str, str] = field(default_factory=dict)  # what was last looked up, and when

    def part(self, part: str) -> list[Link]:
        """The commits of one part of the chain, oldest first."""
        return [link for link in self.chain if link.part == part]

    @property
    def tip(self) -> str:
        """The last commit of the prepared chain."""
        return self.chain[-1].commit if self.chain else self.base

    @property
    def below_mm(self) -> str:
        """The commit that the mm patches stand on: all of the user's own work is above it."""
        below = [link.commit for link in self.chain if link.part != "mm"]
        return below[-1] if below else self.base


def load(directory: Path) -> State | None:
    """The state in a directory; None when it is missing, damaged or of a version that we cannot read.

    What a newer version of us has added is left out, what an older one lacks gets its default.
    """
    try:
        raw: Any = json.loads((directory / STATE_FILE).read_text(encoding="utf-8"))
        if raw.pop("format") != _FORMAT:
            return None
        raw = {**asdict(State()), **{key: raw[key] for key in asdict(State()) if key in raw}}
        raw["chain"] = [Link(link["part"], link["name"], link["key"], link["commit"], tuple(link["notes"]))
                        for link in raw["chain"]]
        raw["kernel"] = tuple(raw["kernel"])
        raw["move"] = tuple(raw["move"]) if raw["move"] else None
        return State(**raw)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


def save(directory: Path, state: State) -> None:
    """Replace the state in a directory, on disk before this returns."""
    text = json.dumps({"format": _FORMAT, **asdict(state)}, indent=1)
    write_whole(directory / STATE_FILE, text.encode())


def write_whole(path: Path, data: bytes) -> None:
    """Give a file a new content at once: a reader, or a kill, sees the old one or the new one."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as err:
        fresh.unlink(missing_ok=True)
        raise MhpError(Exit.INTERNAL, f"{path}: cannot be written: {err.strerror}") from err

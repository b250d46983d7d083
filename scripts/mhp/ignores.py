# SPDX-License-Identifier: GPL-2.0
"""A kernel's .gitignore, where it would hide new files.

Debian's kernel source ends its own with a line that ignores everything at the top, and so each new file anywhere: git
add refuses it, git status does not show it, and a build that goes by what git shows would not see that it changes.
"""

import os
from pathlib import Path

from mhp import chain
from mhp.git import Git

_NAME = ".gitignore"
_EVERYTHING = (b"/*", b"*", b"/**", b"**")
_MESSAGE = b"new files are not ignored\n"


def corrected(text: bytes) -> bytes | None:
    """The file without lines that ignore everything; None when it has none."""
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if line.strip() not in _EVERYTHING]
    return b"".join(kept) if len(kept) < len(lines) else None


def tidy(git: Git, commit: str) -> str:
    """The commit, or, when its top .gitignore ignores everything, one on top of it with which that is not so."""
    entry = git.entries(commit, [_NAME]).get(_NAME)
    fixed = corrected(git.contents([entry.oid])[entry.oid]) if entry and entry.mode.startswith("100") else None
    return commit if fixed is None else chain.with_file(git, commit, _MESSAGE, _NAME, fixed)


def theirs(git: Git, commit: str) -> str:
    """The commit that tidy() was given."""
    subject = git.text("log", "-1", "--format=%s", commit)
    return f"{commit}^" if subject == _MESSAGE.decode().strip() else commit


def flags(directory: Path) -> list[str]:
    """Flags for `git ls-files --others` in a directory that is not ours, to the same end."""
    try:
        fixed = corrected((directory / _NAME).read_bytes())
    except OSError:
        fixed = None
    if fixed is None:
        return ["--exclude-standard"]
    # Git asks these before any .gitignore; the last that matches decides.
    patterns = ["!/*", *(os.fsdecode(line) for line in fixed.splitlines() if line and not line.startswith(b"#"))]
    return ["--exclude-standard", *(f"--exclude={pattern}" for pattern in patterns)]

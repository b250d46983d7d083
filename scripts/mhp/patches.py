# SPDX-License-Identifier: GPL-2.0
"""Patches: series files, the mail around a diff, what a diff touches, and applying it with drift.

Patches are untrusted input. git parses every diff; what it would do is looked at before it does it.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mhp.exits import Exit, MhpError
from mhp.git import Entry, Git

MAX_PATCH_BYTES = 20 << 20
MAX_PATCHES = 1000
MAX_FILES = 10000  # of one patch
SERIES_FILE = "series"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.patch")
# What no shell, make or perl takes for anything but a name. Names are given to programs by the thousand.
_PLAIN = re.compile(r"(?!-)[\w@%+=:,./~ -]{1,1000}")
_NAME_BYTES = 255
_SOURCE = re.compile(rb"^similarity index \d+%\r?\n(?:rename|copy) from ([^\"\n].*)$", re.MULTILINE)
IN_BASE = "the kernel holds this already: nothing is left to change"

# What the patch is to blame for; anything else (a full disk) says nothing of it.
REFUSALS = (Exit.BROKEN_BASE, Exit.USAGE)
_UNABLE = re.compile(r"^(?:error|fatal): (unable to (?:create|write|open) .*|Out of memory.*)", re.MULTILINE)

_REGULAR = ("100644", "100755")
_REJECT_LINES = 14
_LAST_DATE = 4102444800  # the year 2100, in seconds since 1970

_MOVED = re.compile(r", offset -?\d+ lines?$")

Lookup = Callable[[Sequence[str]], dict[str, Entry]]


@dataclass(frozen=True)
class Mail:
    """A patch as a commit: author ("Name <mail>"), date ("SECONDS +HHMM"), message and diff."""

    author: str | None
    date: str | None
    message: str
    diff: bytes


@dataclass(frozen=True)
class Applied:
    """What a diff changes: path to its new entry, None for a deleted file; and how it drifted."""

    changes: dict[str, Entry | None]
    notes: tuple[str, ...]


def read_series(directory: Path) -> list[Path]:
    """The patches that DIRECTORY/series names, in order; none when there is no such file."""
    series = directory / SERIES_FILE
    try:
        lines = series.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found: list[Path] = []
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        where = f"{series}:{number}"
        if not _NAME.fullmatch(name):
            raise MhpError(Exit.USAGE, f"{where}: {name!r} is no name of a patch beside it "
                           "(letters, digits and ._+- ending in .patch)")
        if directory / name in found:
            raise MhpError(Exit.USAGE, f"{where}: {name} is listed twice")
        if not (directory / name).is_file():
            raise MhpError(Exit.USAGE, f"{where}: {directory / name} does not exist")
        found.append(directory / name)
    if len(found) > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{series}: more than {MAX_PATCHES} patches")
    return found


def read_patch(path: Path) -> bytes:
    """The bytes of a patch file that is not absurdly large."""
    with path.open("rb") as file:
        data = file.read(MAX_PATCH_BYTES + 1)
    if len(data) > MAX_PATCH_BYTES:
        raise MhpError(Exit.USAGE, f"{path}: larger than {MAX_PATCH_BYTES >> 20} MiB")
    return data


def read_mail(git: Git, data: bytes, name: str) -> Mail:
    """Take a patch mail (or a bare diff) apart; `name` is its subject when it has none."""
    with git.scratch() as directory:
        body, diff = directory / "body", directory / "diff"
        done = git.run("mailinfo", "--encoding=UTF-8", "--no-scissors", body, diff, input=data)
        if done.status != 0:
            raise MhpError(Exit.USAGE, f"{name}: not a patch that git can read: {done.error_tail}")
        text = body.read_text(encoding="utf-8", errors="replace").strip()
        patch = diff.read_bytes()
    head = dict(line.split(": ", 1) for line in done.text.splitlines() if ": " in line)
    author = None
    if head.get("Email"):
        clean = re.compile(r"[<>\0\n]")
        author = f"{clean.sub('', head.get('Author', ''))} <{clean.sub('', head['Email'])}>"
    subject = head.get("Subject") or name.removesuffix(".patch")
    return Mail(author, _raw_date(head.get("Date")), f"{subject}\n\n{text}".strip() + "\n", patch)


def _raw_date(text: str | None) -> str | None:
    # Not at the top: it brings sockets and more, and most runs read no mail, but all would wait for it.
    from email.utils import parsedate_to_datetime  # pylint: disable=import-outside-toplevel

    try:
        when = parsedate_to_datetime(text or "")
        seconds = int(when.timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return f"{seconds} {when.strftime('%z') or '+0000'}" if 0 <= seconds < _LAST_DATE else None


def touched(git: Git, diff: bytes, name: str) -> list[str]:
    """The paths that a diff reads or writes.

    Raises MhpError(USAGE) for a diff that git cannot parse, changes nothing, is binary or names a
    path outside the tree or inside .git.
    """
    done = git.run("apply", "--numstat", "-z", "--unsafe-paths", "-", input=diff)
    if done.status != 0:
        raise MhpError(Exit.USAGE, f"{name}: not a patch that git can read: {done.error_tail}")
    paths: list[str] = []
    for word in done.stdout.split(b"\0")[:-1]:
        added, _deleted, raw = word.split(b"\t", 2)
        if added == b"-":
            raise MhpError(Exit.USAGE, f"{name}: refused: binary change of {os.fsdecode(raw)!r}")
        paths.append(os.fsdecode(raw))
    if not paths:
        raise MhpError(Exit.USAGE, f"{name}: holds no change")
    if len(paths) > MAX_FILES:
        raise MhpError(Exit.USAGE, f"{name}: refused: it changes {len(paths)} files, more than {MAX_FILES}")
    # Of a rename or copy git names only the target. A source that is missed here makes apply() fail.
    paths += [os.fsdecode(raw) for raw in _SOURCE.findall(diff)]
    for path in paths:
        check_path(path, name)
        if not _PLAIN.fullmatch(path) or any(len(os.fsencode(part)) > _NAME_BYTES for part in path.split("/")):
            raise MhpError(Exit.USAGE, f"{name}: refused: {path[:_NAME_BYTES]!r} is no file name of a kernel tree: the "
                           "kernel's own scripts and makefiles would not get over it")
    return list(dict.fromkeys(paths))


def check_path(path: str, name: str) -> None:
    """Refuse a path that leaves the tree or reaches into git's own files."""
    parts = PurePosixPath(path).parts
    if (not parts or path.startswith("/") or ".." in parts or any(ord(char) < 32 for char in path)
            or any(part.lower().rstrip(". ") in (".git", "git~1") for part in parts)):
        raise MhpError(Exit.USAGE, f"{name}: refused: it changes {path!r}, which is no path inside "
                       "a kernel tree")


def apply(git: Git, diff: bytes, name: str, lookup: Lookup, paths: Sequence[str] | None = None) -> Applied:
    """Apply a diff to files of a git tree, in the object store only.

    `lookup` gives the tree's entries. `paths` is what touched() says of the diff, when that is known already. Line
    offsets are always accepted. When a hunk's context does not match, a three-way merge from the recorded blobs is
    tried, then less context; what was needed is in the notes. A diff that the tree holds already, as after a
    backport to the base, changes nothing, and a note says so. Raises MhpError(BROKEN_BASE) with the file and hunk that
    do not apply, MhpError(INTERNAL) when the machine's state keeps git from trying.
    """
    if paths is None:
        paths = touched(git, diff, name)
    before = lookup(paths)
    for entry in before.values():
        if entry.mode not in _REGULAR:
            raise MhpError(Exit.USAGE, f"{name}: refused: {entry.path} is a symbolic link, a "
                           "submodule or a directory")
    listing = b"".join(os.fsencode(f"{entry.mode} {entry.oid}\t{entry.path}") + b"\0"
                       for entry in before.values())
    first_error = ""
    with git.scratch() as directory:
        # A work tree of its own: what is added twice git merges in there, even with --cached.
        files = directory / "files"
        files.mkdir()
        scratch = Git(git.gitdir, worktree=files, index=directory / "index", settings=git.settings)
        for how, note in ((), ""), (("--3way",), "three-way merge"), (("-C2",), ""), (("-C1",), ""):
            _fill_index(scratch, listing)
            done = scratch.run("apply", "--cached", "--verbose", "--whitespace=nowarn", *how, "-",
                               input=diff)
            said = done.stderr.decode(errors="backslashreplace")
            if done.status == 0:
                notes = _drift(said)
                after = _index(scratch)
                _check_modes(after, name)
                return Applied({path: after.get(path) for path in paths},
                               tuple(([note] if note else []) + notes))
            if unable := _UNABLE.search(said):
                raise MhpError(Exit.INTERNAL, f"{name}: git could not try it: {unable[1]}; on a full disk free some space")
            first_error = first_error or said
        _fill_index(scratch, listing)
        if scratch.run("apply", "--cached", "--reverse", "-", input=diff).status == 0:
            return Applied({}, (IN_BASE,))
    raise MhpError(Exit.BROKEN_BASE, _explain(name, diff, first_error))


def only_moved(note: str) -> bool:
    """Whether a note of Applied tells of nothing more than other line numbers."""
    return _MOVED.search(note) is not None


def _fill_index(git: Git, listing: bytes) -> None:
    """Make the index hold these entries and nothing else."""
    assert git.index
    git.index.unlink(missing_ok=True)
    git.check("update-index", "-z", "--index-info", input=listing)


def _index(git: Git) -> dict[str, Entry]:
    found = {}
    for line in git.check("ls-files", "-s", "-z").stdout.split(b"\0"):
        if line:
            meta, _, raw = line.partition(b"\t")
            mode, oid, _stage = meta.decode().split(" ")
            path = os.fsdecode(raw)
            found[path] = Entry(mode, oid, path)
    return found


def _check_modes(entries: dict[str, Entry], name: str) -> None:
    for entry in entries.values():
        if entry.mode not in _REGULAR:
            raise MhpError(Exit.USAGE, f"{name}: refused: it makes {entry.path} a symbolic link or "
                           "a submodule")


def _drift(said: str) -> list[str]:
    """Notes from `git apply --verbose`: which hunk moved, or needed less context, in which file."""
    notes = []
    path = ""
    for line in said.splitlines():
        checking = re.match(r"Checking patch (.*)\.\.\.$", line)
        if checking:
            path = checking[1]
        moved = re.match(r"Hunk #(\d+) succeeded at (\d+) \((offset -?\d+ lines?)\)", line)
        if moved:
            notes.append(f"{path}: hunk {moved[1]} at line {moved[2]}, {moved[3]}")
        context = re.match(r"Context reduced to \((\d+)/(\d+)\) to apply fragment at (\d+)", line)
        if context:
            notes.append(f"{path}: a hunk at line {context[3]} with only {context[1]} and "
                         f"{context[2]} lines of context")
    return notes


def _explain(name: str, diff: bytes, said: str) -> str:
    """What the user reads about a patch that does not apply: its file, its hunk, and the hunk's text."""
    lines = [f"{name} does not apply:"]
    for error in re.finditer(r"^error: (.*)$", said, re.MULTILINE):
        place = re.fullmatch(r"patch failed: (.*):(\d+)", error[1])
        if not place:
            if not error[1].endswith(("patch does not apply", "while searching for:")):
                lines.append(f"  {error[1]}")
            continue
        number, hunk = _find_hunk(diff.decode(errors="backslashreplace"), place[1], int(place[2]))
        lines.append(f"  {place[1]}: hunk {number}, written for line {place[2]}, finds no place:")
        lines += [f"    {text}" for text in hunk[:_REJECT_LINES]]
        if len(hunk) > _REJECT_LINES:
            lines.append(f"    ... {len(hunk) - _REJECT_LINES} more lines")
    return "\n".join(lines)


def _find_hunk(diff: str, path: str, start: int) -> tuple[int, list[str]]:
    """The number and the lines of the hunk of `path` that begins at old line `start`."""
    number, here = 0, False
    hunk: list[str] = []
    for line in diff.splitlines():
        if line.startswith("diff --git ") or line.startswith("--- "):
            if hunk:
                break
            here = here and line.startswith("--- ") or line.endswith((f" b/{path}", f" a/{path}"))
            number = 0
        elif line.startswith("+++ ") and not hunk:
            here = here or line.split("\t")[0].endswith(f"/{path}")
        elif here and line.startswith("@@ "):
            if hunk:
                break
            number += 1
            if re.match(rf"@@ -{start}(,\d+)? ", line):
                hunk = [line]
        elif hunk:
            hunk.append(line)
    return number, hunk

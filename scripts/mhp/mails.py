# SPDX-License-Identifier: GPL-2.0
"""Patches from outside, in order: a directory, an mbox, or a range of a git repository."""

import os
import re
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.git import Git, look_around
from mhp.patches import MAX_PATCHES, SERIES_FILE, read_mail, read_patch, read_series
from mhp.progress import plain
from mhp.series_files import format_patches

MAX_MBOX_BYTES = 100 << 20
_NUMBER = re.compile(r"\[[^]]*\bPATCH\b[^]]*?\b(\d+)/(\d+)\s*\]", re.IGNORECASE)
_VERSION = re.compile(r"\[[^]]*\bPATCH\b[^]]*?\bv(\d+)\b", re.IGNORECASE)
_DIFF = re.compile(rb"^(diff --git |--- \S+.*\n\+\+\+ )", re.MULTILINE)

Patches = list[tuple[str, bytes]]  # (name for messages, the mail)


def collect(git: Git, what: str, repository: Path | None) -> Patches:
    """The patches that the user named: a directory, a file, else a range of `repository`.

    `git` is where the range's objects can be read and temporary files go. Raises MhpError(USAGE).
    """
    path = Path(what)
    if path.is_dir():
        found = _directory(path)
    elif path.is_file():
        found = _mbox(git, path)
    elif ".." in what:
        found = _range(git, what, repository)
    else:
        raise MhpError(Exit.USAGE, f"{what}: no directory, no mbox and no range (A..B)")
    if not found:
        raise MhpError(Exit.USAGE, f"{what}: holds no patch")
    if len(found) > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{what}: more than {MAX_PATCHES} patches")
    return [(plain(name).replace("\n", " "), data) for name, data in found]


def cover(git: Git, what: str) -> bytes | None:
    """The cover letter of a directory (0000-*.patch) or an mbox ([PATCH 0/n]); None when there is none."""
    path = Path(what)
    if path.is_dir():
        files = sorted(file for file in path.glob("0000-*.patch") if file.is_file() and not file.is_symlink())
        return read_patch(files[0]) if files else None
    if not path.is_file():
        return None
    with git.scratch() as directory:
        git.check("mailsplit", "-b", f"-o{directory}", "--", path.resolve(), status=Exit.USAGE)
        for mail in sorted(directory.iterdir()):
            data = read_patch(mail)
            number = _NUMBER.search(subject := _subject(data))
            if number and int(number[1]) == 0 and not re.match(r"\s*re:", subject, re.IGNORECASE):
                return data
    return None


def _directory(path: Path) -> Patches:
    if (path / SERIES_FILE).is_file():
        files = read_series(path)
    else:
        files = sorted(file for file in path.glob("*.patch") if not file.name.startswith("0000-"))
    if len(files) > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{path}: more than {MAX_PATCHES} patches")
    total = 0
    found: Patches = []
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise MhpError(Exit.USAGE, f"{file}: refused: not a plain file")
        data = read_patch(file)
        total += len(data)
        if total > MAX_MBOX_BYTES:
            raise MhpError(Exit.USAGE, f"{path}: refused: more than {MAX_MBOX_BYTES >> 20} MiB of patches")
        found.append((file.name, data))
    return found


def _mbox(git: Git, path: Path) -> Patches:
    """The patches of an mbox, ordered by their [PATCH n/m]; replies and the cover letter are left out."""
    if path.stat().st_size > MAX_MBOX_BYTES:
        raise MhpError(Exit.USAGE, f"{path}: refused: larger than {MAX_MBOX_BYTES >> 20} MiB")
    with git.scratch() as directory:
        git.check("mailsplit", "-b", f"-o{directory}", "--", path.resolve(), status=Exit.USAGE)
        mails = sorted(directory.iterdir())
        if len(mails) > 10 * MAX_PATCHES:
            raise MhpError(Exit.USAGE, f"{path}: refused: {len(mails)} mails")
        numbered = []
        for mail in mails:
            data = read_patch(mail)
            subject = _subject(data)
            if re.match(r"\s*re:", subject, re.IGNORECASE):
                continue
            if _DIFF.search(read_mail(git, data, subject).diff):
                numbered.append((subject, data))
    versions = {match[1] if (match := _VERSION.search(subject)) else "1" for subject, _data in numbered}
    if len(versions) > 1:
        raise MhpError(Exit.USAGE, f"{path}: holds several versions of a series (v{', v'.join(sorted(versions))})."
                       " Give one of them alone")
    order = [_NUMBER.search(subject) for subject, _data in numbered]
    places = [int(match[1]) for match in order if match]
    if len(places) == len(numbered):
        if len(set(places)) != len(places):
            raise MhpError(Exit.USAGE, f"{path}: two patches have the same number")
        totals = {int(match[2]) for match in order if match}
        if missing := set(range(1, max(totals, default=0) + 1)) - set(places):
            raise MhpError(Exit.USAGE, f"{path}: patch {', '.join(map(str, sorted(missing)))} of "
                           f"{max(totals)} is missing")
        numbered = [mail for _place, mail in sorted(zip(places, numbered), key=lambda pair: pair[0])]
    return [(subject or f"mail {number}", data) for number, (subject, data) in enumerate(numbered, start=1)]


def _subject(data: bytes) -> str:
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0][:65536]
    try:
        raw = message_from_bytes(head + b"\n\n").get("Subject", "")
        text = str(make_header(decode_header(str(raw))))
    except (MessageError, LookupError, ValueError):
        return ""
    return re.sub(r"\s+", " ", text).strip()[:200]


def _range(git: Git, what: str, repository: Path | None) -> Patches:
    """The commits of a range as patches. Names are resolved where they are from, the rest is our git's."""
    if repository is None:
        done = git.run("rev-parse", "--revs-only", "--end-of-options", what)
        more: dict[str, str] = {}
    else:
        done = look_around(repository, "--revs-only", "--end-of-options", what)
        common = look_around(repository, "--git-common-dir")
        more = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.path.join(common.text, "objects")}
    revisions = [word for word in done.text.split() if re.fullmatch(r"\^?[0-9a-f]{40,64}", word)]
    if done.status != 0 or len(revisions) != 2:
        raise MhpError(Exit.USAGE, f"{what}: no range of commits in {repository or git.worktree}")
    if git.check("rev-list", "--merges", "--max-count=1", *revisions, env=more).text:
        raise MhpError(Exit.USAGE, f"{what}: holds merges; a series of patches is linear")
    if int(git.check("rev-list", "--count", f"--max-count={MAX_PATCHES + 1}", *revisions,
                        env=more).text) > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{what}: more than {MAX_PATCHES} commits")
    return list(format_patches(git, revisions, more).items())

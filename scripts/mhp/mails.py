# SPDX-License-Identifier: GPL-2.0
"""Patches from outside, in order: a directory, an mbox, or a range of a git repository."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.git import Git, look_around
from mhp.patches import MAX_PATCHES, SERIES_FILE, read_mail, read_patch, read_series
from mhp.progress import plain, say
from mhp.series_files import format_patches

MAX_MBOX_BYTES = 100 << 20
_HEAD_BYTES = 65536
_SUBJECT_CHARACTERS = 200
_BRACKETS = re.compile(r"\s*(?:\[[^][]*\]\s*)*")
_NUMBER = re.compile(r"\b(\d{1,9})/(\d{1,9})\b")
_VERSION = re.compile(r"(?:\b|PATCH|RFC)v(\d{1,4})\b", re.IGNORECASE)
_REPLY = re.compile(r"\s*(?:re|aw|fwd?):", re.IGNORECASE)
_DIFF = re.compile(rb"^(diff --git |--- \S+.*\n\+\+\+ )", re.MULTILINE)
_COVER_FILE = re.compile(r"(?:v\d+-)?0000-")
_MIME_FIELDS = (b"content-", b"mime-version:")
_SHOWN = 10

Patches = list[tuple[str, bytes]]  # (name for messages, the mail)


@dataclass(frozen=True)
class Collected:
    """The patches in order, and the cover letter where there is one."""

    patches: Patches
    cover: bytes | None = None


@dataclass(frozen=True)
class Tag:
    """What the brackets before a subject say, as in [PATCH v2 1/3]: version (1 without one), number and total."""

    version: int
    number: int | None
    total: int


@dataclass(frozen=True)
class _One:
    """A mail and where it belongs."""

    name: str
    data: bytes
    tag: Tag


def collect(git: Git, what: str, repository: Path | None) -> Collected:
    """The patches that the user named: a directory, a file, else a range of `repository`.

    `git` is where the range's objects can be read and temporary files go. Raises MhpError(USAGE).
    """
    path = Path(what)
    if path.is_dir():
        found = _directory(git, path)
    elif path.is_file():
        found = _mbox(git, path)
    elif ".." in what:
        found = Collected(_range(git, what, repository))
    else:
        raise MhpError(Exit.USAGE, f"{what}: no directory, no mbox and no range (A..B)")
    if not found.patches:
        raise MhpError(Exit.USAGE, f"{what}: holds no patch")
    if len(found.patches) > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{what}: more than {MAX_PATCHES} patches")
    return Collected([(plain(name).replace("\n", " "), decoded(git, data, name)) for name, data in found.patches],
                     decoded(git, found.cover, "the cover letter") if found.cover else None)


def header(raw: bytes) -> Message:
    """The header of a mail that may be anything."""
    return message_from_bytes(_split_head(raw)[0][:_HEAD_BYTES] + b"\n\n")


def subject_of(raw: bytes) -> str:
    """The decoded Subject, its first 200 characters; "" when there is none."""
    try:
        text = str(make_header(decode_header(str(header(raw).get("Subject", ""))[:_HEAD_BYTES])))
    except (MessageError, LookupError, ValueError):
        return ""
    return re.sub(r"\s+", " ", text).strip()[:_SUBJECT_CHARACTERS]


def tag_of(subject: str) -> Tag:
    """What its brackets say, also where PATCH is not in them."""
    found = _BRACKETS.match(subject)
    brackets = found[0] if found else ""
    version, number = _VERSION.search(brackets), _NUMBER.search(brackets)
    return Tag(int(version[1]) if version else 1, int(number[1]) if number else None, int(number[2]) if number else 0)


def decoded(git: Git, data: bytes, name: str) -> bytes:
    """The mail as plain text in UTF-8: checkpatch.pl and get_maintainer.pl cannot read another encoding.

    One that is plain already stays as it is, byte for byte.
    """
    head = header(data)
    encoding = str(head.get("Content-Transfer-Encoding", "")).strip().lower()
    if (encoding in ("", "7bit", "8bit", "binary") and head.get_content_maintype() != "multipart"
            and (head.get_content_charset() or "utf-8") in ("utf-8", "us-ascii")):
        return data
    mail = read_mail(git, data, name)
    lines, keep = [], True
    for line in _split_head(data)[0].splitlines():
        if not line[:1].isspace():
            keep = not line.lower().startswith(_MIME_FIELDS)
        lines += [line] if keep else []
    author = mail.author or ""
    by_another = author and parseaddr(author)[1] != parseaddr(str(head.get("From", "")))[1]
    text = (f"From: {author}\n\n" if by_another else "") + mail.message.partition("\n\n")[2]
    return b"\n".join([*lines, b"Content-Type: text/plain; charset=UTF-8", b"Content-Transfer-Encoding: 8bit", b"",
                       text.encode() + mail.diff])


def _split_head(raw: bytes) -> tuple[bytes, bytes]:
    head, *rest = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)
    return head, rest[0] if rest else b""


def _directory(git: Git, path: Path) -> Collected:
    """The *.patch files, by what their subjects say, else by name; with a series file, those that it names, as it says."""
    ordered = (path / SERIES_FILE).is_file()
    files = read_series(path) if ordered else sorted(path.glob("*.patch"))
    if len(files) > MAX_PATCHES + 1:
        raise MhpError(Exit.USAGE, f"{path}: more than {MAX_PATCHES} patches")
    total = 0
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise MhpError(Exit.USAGE, f"{file}: refused: not a plain file")
        total += len(read_patch(file))
        if total > MAX_MBOX_BYTES:
            raise MhpError(Exit.USAGE, f"{path}: refused: more than {MAX_MBOX_BYTES >> 20} MiB of patches")
    mails = _split(git, files) if files else []
    if len(mails) != len(files):
        raise MhpError(Exit.USAGE, f"{path}: {len(files)} *.patch files hold {len(mails)} mails; one in each is wanted")
    if ordered:
        return Collected([(file.name, data) for file, data in zip(files, mails)])
    found, cover = [], None
    for file, data in zip(files, mails):
        tag = tag_of(subject_of(data))
        if tag.number == 0 or _COVER_FILE.match(file.name):
            cover = cover or data
        else:
            found.append(_One(file.name, data, tag))
    if unnumbered := [one.name for one in found if one.tag.number is None]:
        if len(unnumbered) != len(found):
            raise MhpError(Exit.USAGE, f"{path}: {unnumbered[0]} has no number [PATCH n/m], and others have; "
                           "is it of this series?")
    return Collected(_in_order(path, found), cover)


def _mbox(git: Git, path: Path) -> Collected:
    """The patches of an mbox; replies are left out, and so is a patch without a number where others have one."""
    if path.stat().st_size > MAX_MBOX_BYTES:
        raise MhpError(Exit.USAGE, f"{path}: refused: larger than {MAX_MBOX_BYTES >> 20} MiB")
    found, cover = [], None
    for data in _split(git, [path]):
        subject = subject_of(data)
        tag = tag_of(subject)
        if _REPLY.match(subject):
            continue
        if tag.number == 0:
            cover = cover or data
        elif _DIFF.search(read_mail(git, data, subject).diff):
            found.append(_One(subject, data, tag))
    if any(one.tag.number is not None for one in found):
        for one in found:
            if one.tag.number is None:
                say(f"{path}: left out, since it has no number and others have: {one.name}")
        found = [one for one in found if one.tag.number is not None]
    return Collected([(name or f"mail {number}", data) for number, (name, data) in
                      enumerate(_in_order(path, found), start=1)], cover)


def _split(git: Git, files: Sequence[Path]) -> list[bytes]:
    """The mails in these files, one after the other, as `git am` takes them: without the CR at the ends of lines."""
    with git.scratch() as directory:
        git.check("mailsplit", "-b", "-d5", f"-o{directory}", "--", *(file.resolve() for file in files), status=Exit.USAGE)
        mails = sorted(directory.iterdir())
        if len(mails) > 10 * MAX_PATCHES:
            raise MhpError(Exit.USAGE, f"{files[0]}: refused: {len(mails)} mails")
        return [read_patch(mail) for mail in mails]


def _in_order(path: Path, mails: Sequence[_One]) -> Patches:
    """One version of a series, in the order of its numbers; as they came when they have none."""
    versions = sorted({one.tag.version for one in mails})
    if len(versions) > 1:
        raise MhpError(Exit.USAGE, f"{path}: holds several versions of a series "
                       f"(v{', v'.join(map(str, versions))}). Give one of them alone")
    numbers = [one.tag.number for one in mails if one.tag.number is not None]
    if not numbers:
        return [(one.name, one.data) for one in mails]
    total = max(one.tag.total for one in mails)
    if total > MAX_PATCHES:
        raise MhpError(Exit.USAGE, f"{path}: refused: a patch says that it is one of {total}, more than {MAX_PATCHES}")
    if len(set(numbers)) != len(numbers):
        raise MhpError(Exit.USAGE, f"{path}: two patches have the same number")
    if missing := sorted(set(range(1, total + 1)) - set(numbers)):
        names = ", ".join(map(str, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
        raise MhpError(Exit.USAGE, f"{path}: patch {names} of {total} is missing")
    return [(one.name, one.data) for one in sorted(mails, key=lambda one: one.tag.number or 0)]


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

# SPDX-License-Identifier: GPL-2.0
"""The series that is checked: its mails, its cover letter, and each patch applied to the base.

All is worked out in the object store of the prepared tree's repository; no work tree is touched.
"""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from email.message import Message
from email.utils import getaddresses
from functools import cached_property
from pathlib import Path

from mhp import chain, ignores, inputs, mails, patches, paths
from mhp.exits import Exit, MhpError
from mhp.git import Git, look_around
from mhp.patches import Mail
from mhp.state import State
from mhp.tree import PreparedTree, read_state

_DIFF_STARTS = re.compile(rb"^(?:diff --git |--- \S)", re.MULTILINE)
_RENAME = re.compile(rb"^rename from ([^\"\n].*)\nrename to ([^\"\n].*)$", re.MULTILINE)


@dataclass(frozen=True)
class Patch:
    """A patch of the series.

    number: from 1. raw: the mail. paths: the files it touches. before, after: the commits around it on
    the plain base; None when it, or one before it, does not apply. problem: why it does not.
    drift: notes of where it applied only with other context.
    """

    number: int
    name: str
    raw: bytes
    mail: Mail
    paths: tuple[str, ...]
    before: str | None = None
    after: str | None = None
    problem: str = ""
    drift: tuple[str, ...] = ()

    @cached_property
    def head(self) -> Message:
        """The mail's header; empty for a bare diff."""
        return mails.header(self.raw)

    @property
    def subject(self) -> str:
        """The first line of the commit message."""
        return self.mail.message.partition("\n")[0]

    @property
    def body(self) -> str:
        """The commit message below the subject, trailers included."""
        return self.mail.message.partition("\n")[2].strip("\n")

    @property
    def below_dashes(self) -> str:
        """What stands between '---' and the diff, diffstat included."""
        start = _DIFF_STARTS.search(self.mail.diff)
        return self.mail.diff[:start.start() if start else 0].decode(errors="backslashreplace")

    @property
    def diff(self) -> bytes:
        """The diff alone."""
        start = _DIFF_STARTS.search(self.mail.diff)
        return self.mail.diff[start.start():] if start else b""

    @property
    def renamed(self) -> dict[str, str]:
        """New name to old name of each file that the diff moves."""
        return {os.fsdecode(new): os.fsdecode(old) for old, new in _RENAME.findall(self.diff)}

    @property
    def version(self) -> int:
        """The n of [PATCH vn]; 1 when there is none."""
        return mails.tag_of(mails.subject_of(self.raw)).version


@dataclass(frozen=True)
class Series:
    """The patches in order, on the commit `base` of the plain kernel.

    what: as the user named it. cover: the cover letter. coverless: why there can be none here.
    history: whether the base has commits before it. previous: the version before, where one was given.
    onto: names and commits of further bases that it is tried on.
    """

    what: str
    patches: tuple[Patch, ...]
    base: str
    cover: bytes | None
    coverless: str
    history: bool
    previous: "Series | None" = None
    onto: tuple[tuple[str, str], ...] = ()

    @property
    def applies(self) -> bool:
        """Whether all of it applies."""
        return all(patch.after for patch in self.patches)

    @property
    def steps(self) -> list[inputs.Step]:
        """Its patches, to be put on top of whatever there is."""
        return [inputs.Step("mm", patch.name, hashlib.sha256(patch.raw).hexdigest(), patch.raw, {})
                for patch in self.patches]

    @property
    def tip(self) -> str:
        """The commit after the last patch that applies."""
        return [self.base, *(patch.after for patch in self.patches if patch.after)][-1]


def recipients(head: Message) -> set[str]:
    """The addresses of To and Cc, in small letters."""
    fields = [str(value) for name in ("To", "Cc") for value in head.get_all(name, [])]
    return {address.lower() for _name, address in getaddresses(fields) if address}


def read(tree: PreparedTree, what: str | None, kdir: Path | None) -> Series:
    """Read a series and apply it, patch by patch.

    what: a directory, an mbox or a range of `kdir`; None for the series of mm-patches/ that belongs to
    the tree. A range stands on its own first commit, the others on the tree's base. The caller holds the
    tree's lock. Raises MhpError(USAGE) for what cannot be read or is refused.
    """
    git, known = tree.git, read_state(tree)
    name = what or str(paths.MM_PATCHES / known.shims)
    found = mails.collect(git, name, kdir)
    base = known.base
    if not Path(name).exists():
        base = _bottom(git, name, kdir)
    series = Series(name, tuple(_read_patch(git, number, mail, data)
                                for number, (mail, data) in enumerate(found.patches, start=1)),
                    base, found.cover, _coverless(name), _has_history(git, base))
    return replace(series, patches=_applied(git, series))


def read_single(tree: PreparedTree, data: bytes) -> Series:
    """A single mail, for b4: a patch by itself, perhaps of a series, or a cover letter (no patches)."""
    git, known = tree.git, read_state(tree)
    if len(data) > patches.MAX_PATCH_BYTES:
        raise MhpError(Exit.USAGE, f"the mail is larger than {patches.MAX_PATCH_BYTES >> 20} MiB")
    data = mails.decoded(git, data, "the mail on standard input")
    mail = patches.read_mail(git, data, "the mail on standard input")
    history = _has_history(git, known.base)
    if not mail.diff.strip() or not _DIFF_STARTS.search(mail.diff):
        return Series("-", (), known.base, data, "", history)
    series = Series("-", (_read_patch(git, 1, "the mail", data),), known.base, None, "a single mail", history)
    return replace(series, patches=_applied(git, series))


def _read_patch(git: Git, number: int, name: str, data: bytes) -> Patch:
    mail = patches.read_mail(git, data, name)
    if len(mail.message) > 1 << 20:
        raise MhpError(Exit.USAGE, f"{name}: refused: its commit message is larger than 1 MiB")
    return Patch(number, name, data, mail, tuple(patches.touched(git, mail.diff, name)))


def _bottom(git: Git, what: str, kdir: Path | None) -> str:
    """The commit that a range stands on: its left end, or where the ends went apart."""
    left, right = re.split(r"\.\.\.?", what, maxsplit=1)
    found = look_around(kdir or git.gitdir.parent, "--revs-only", "--end-of-options", left or "HEAD",
                        right or "HEAD").text.split()
    base = git.run("merge-base", *found).text if len(found) == 2 else ""
    if not base:
        raise MhpError(Exit.USAGE, f"{what}: its two ends have no commit in common")
    return base


def _coverless(name: str) -> str:
    if not Path(name).exists():
        return "a range of commits holds no cover letter"
    if (Path(name) / patches.SERIES_FILE).is_file():
        return "a directory with a series file holds no cover letter"
    return ""


def _has_history(git: Git, base: str) -> bool:
    return git.run("rev-parse", "--verify", "--quiet", f"{ignores.theirs(git, base)}^").status == 0


def _applied(git: Git, series: Series) -> tuple[Patch, ...]:
    """The patches with their commits; after one that does not apply the others are not tried."""
    links, problem = chain.as_far(git, series.base, series.steps, State(base=series.base))
    commits = [series.base, *(link.commit for link in links)]
    done = len(links)
    out = []
    for place, patch in enumerate(series.patches):
        if place < done:
            out.append(replace(patch, before=commits[place], after=commits[place + 1],
                               drift=tuple(note for note in links[place].notes
                                           if not patches.only_moved(note))))
        else:
            out.append(replace(patch, before=commits[place] if place == done else None, problem=problem
                               if place == done else f"not tried: patch {done + 1} does not apply"))
    return tuple(out)

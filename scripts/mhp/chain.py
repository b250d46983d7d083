# SPDX-License-Identifier: GPL-2.0
"""From steps to commits: the prepared chain, made in the object store without touching a work tree.

Each commit is worked out as a set of changed entries, and one `git fast-import` then writes them all.
A commit that was made before from the same step is reused, or moved as it is onto its new parent.
The same inputs give the same commit ids.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from mhp import patches
from mhp.exits import Exit, MhpError
from mhp.git import Changes, Entry, Git
from mhp.inputs import Step
from mhp.state import Link, State

_REF = "refs/mhp/chain"
_US = "mhp-kunit <mhp-kunit@localhost>"

# A patch taken apart, and the paths that it touches.
_Read = tuple[patches.Mail, list[str]]


@dataclass(frozen=True)
class _Plan:
    """A commit to be written: its header lines, its message and what it changes."""

    header: bytes
    message: bytes
    changes: dict[str, Entry | None]


class _View:
    """The files of a commit with later changes laid over it."""

    def __init__(self, git: Git, commit: str) -> None:
        self._git = git
        self._commit = commit
        self._known: dict[str, Entry | None] = {}

    def __call__(self, paths: Sequence[str]) -> dict[str, Entry]:
        unknown = [path for path in dict.fromkeys(paths) if path not in self._known]
        found = self._git.entries(self._commit, unknown)
        self._known.update({path: found.get(path) for path in unknown})
        return {path: entry for path in paths if (entry := self._known[path]) is not None}

    def lay(self, changes: dict[str, Entry | None]) -> None:
        """Take over the changes of the next commit."""
        self._known.update(changes)

    def fits(self, changes: Changes) -> bool:
        """Whether each file is here what these changes expect it to be."""
        paths = [(old or new).path for old, new in changes if old or new]  # type: ignore[union-attr]
        here = self(paths)
        return all(here.get(path) == old for path, (old, _new) in zip(paths, changes))


def build(git: Git, base: str, steps: Sequence[Step], before: State) -> list[Link]:
    """The commits for `steps` on top of the commit `base`.

    What is still right in the chain of the last time, `before`, is kept. Raises
    MhpError(BROKEN_BASE) naming the patch, the file and the hunk that do not apply.
    """
    date = commit_date(git, base)
    existing = git.existing([link.commit for link in before.chain])
    chain: list[Link] = []
    for step, link in zip(steps, before.chain if base == before.base else []):
        if (link.part, link.key) != (step.part, step.key) or link.commit not in existing:
            break
        chain.append(Link(step.part, step.name, step.key, link.commit, link.notes))
    todo = steps[len(chain):]
    if not todo:
        return chain
    view = _View(git, chain[-1].commit if chain else base)
    made = {(link.part, link.key): link for link in before.chain if link.commit in existing}
    reusable = [made[step.part, step.key].commit for step in todo if (step.part, step.key) in made]
    changes, raw = git.commit_changes(reusable), git.contents(reusable)
    mails = _read_mails(git, [step for step in todo if step.patch and (step.part, step.key) not in made])
    view(sorted({path for _mail, paths in mails.values() for path in paths}))  # one question to git instead of one a patch
    plans: list[_Plan] = []
    notes: list[tuple[str, ...]] = []
    for step in todo:
        same = made.get((step.part, step.key))
        if same and view.fits(changes[same.commit]):
            plan, drift = _moved(raw[same.commit], changes[same.commit]), same.notes
        elif step.files:
            plan, drift = _new_files(git, step, view, date), ()
        elif step.patch:
            plan, drift = _patch(git, step, view, date, mails.get(step.key) or _read_mail(git, step))
        else:
            plan, drift = _Plan(_header(_US, date), f"{step.name}\n".encode(), {}), ()
        view.lay(plan.changes)
        plans.append(plan)
        notes.append(drift)
    commits = _write(git, chain[-1].commit if chain else base, plans)
    return chain + [Link(step.part, step.name, step.key, commit, drift)
                    for step, commit, drift in zip(todo, commits, notes)]


def as_far(git: Git, base: str, steps: Sequence[Step], before: State) -> tuple[list[Link], str]:
    """The commits for `steps` as far as they apply, and why the next one does not; "" when all do."""
    try:
        return build(git, base, steps, before), ""
    except MhpError as error:
        if error.status not in patches.REFUSALS:
            raise
        chain: list[Link] = []
        for number in range(1, len(steps) + 1):
            try:
                chain = build(git, base, steps[:number], replace(before, base=base, chain=chain) if chain else before)
            except MhpError as err:
                if err.status not in patches.REFUSALS:
                    raise
                return chain, str(err)
        return chain, ""


def replay(git: Git, commits: Sequence[str], onto: str) -> str:
    """Copy commits, oldest first, onto another commit and return the last copy.

    Author, committer and message stay. Raises MhpError(BROKEN_BASE) naming what does not apply.
    """
    if not commits:
        return onto
    view = _View(git, onto)
    changes, raw = git.commit_changes(commits), git.contents(commits)
    plans = []
    for commit in commits:
        plan = _moved(raw[commit], changes[commit])
        if not view.fits(changes[commit]):
            diff = git.check("diff-tree", "-p", "--full-index", "--binary", f"{commit}^", commit).stdout
            name = f"commit {commit[:12]} ({plan.message.decode(errors='replace').splitlines()[0]})"
            plan = _Plan(plan.header, plan.message, patches.apply(git, diff, name, view).changes)
        view.lay(plan.changes)
        plans.append(plan)
    return _write(git, onto, plans)[-1]


def commit_date(git: Git, commit: str) -> str:
    """The committer date of a commit as "SECONDS +HHMM"."""
    head = git.contents([commit])[commit].partition(b"\n\n")[0]
    (committer,) = (line for line in head.split(b"\n") if line.startswith(b"committer "))
    return b" ".join(committer.split(b" ")[-2:]).decode()


def single_commit(git: Git, message: str, tree: str, parent: str | None, date: str) -> str:
    """A commit of ours of a whole tree, the same each time for the same arguments."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
           (("NAME", "mhp-kunit"), ("EMAIL", "mhp-kunit@localhost"), ("DATE", f"@{date}"))}
    above = ["-p", parent] if parent else []
    return git.check("commit-tree", *above, "-m", message, tree, env=who).text


def with_file(git: Git, onto: str, message: bytes, path: str, data: bytes) -> str:
    """A commit of ours on top of another, which gives a file another content, the same each time."""
    (blob,) = _write_blobs(git, [data])
    plan = _Plan(_header(_US, commit_date(git, onto)), message, {path: Entry("100644", blob, path)})
    return _write(git, onto, [plan])[0]


def _header(author: str, date: str) -> bytes:
    return f"author {author} {date}\ncommitter {_US} {date}\n".encode(errors="replace")


def _moved(raw: bytes, changes: Changes) -> _Plan:
    """An existing commit, to be written again on another parent."""
    head, _, message = raw.partition(b"\n\n")
    kept = [line for line in head.split(b"\n")
            if line.startswith((b"author ", b"committer ", b"encoding "))]
    entries = {(new or old).path: new for old, new in changes}  # type: ignore[union-attr]
    return _Plan(b"".join(line + b"\n" for line in kept), message, entries)


def _new_files(git: Git, step: Step, view: _View, date: str) -> _Plan:
    there = view(list(step.files))
    if there:
        raise MhpError(Exit.BROKEN_BASE, f"{step.name}: the kernel has {', '.join(sorted(there))} "
                       "already. Change an existing file with a patch in arch-shims/ instead")
    blobs = _write_blobs(git, [data for _mode, data in step.files.values()])
    changes: dict[str, Entry | None] = {
        path: Entry(mode, oid, path) for (path, (mode, _data)), oid in zip(step.files.items(), blobs)}
    return _Plan(_header(_US, date), f"{step.name}\n".encode(), changes)


def _read_mails(git: Git, steps: Sequence[Step]) -> dict[str, _Read]:
    """The mails of these patches by the keys of their steps: what needs no order is done on all processors."""
    # Not at the top: most runs read no mail, and all would wait for it.
    from concurrent.futures import ThreadPoolExecutor  # pylint: disable=import-outside-toplevel

    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        return dict(zip([step.key for step in steps], pool.map(partial(_read_mail, git), steps)))


def _read_mail(git: Git, step: Step) -> _Read:
    mail = patches.read_mail(git, step.patch, step.name.rpartition("/")[2])
    return mail, patches.touched(git, mail.diff, step.name)


def _patch(git: Git, step: Step, view: _View, date: str, read: _Read) -> tuple[_Plan, tuple[str, ...]]:
    mail, paths = read
    done = patches.apply(git, mail.diff, step.name, view, paths)
    return (_Plan(_header(mail.author or _US, mail.date or date), mail.message.encode(), done.changes),
            done.notes)


def _write_blobs(git: Git, blobs: Sequence[bytes]) -> list[str]:
    stream = b"".join(b"blob\nmark :%d\ndata %d\n%b\nget-mark :%d\n" % (mark, len(data), data, mark)
                      for mark, data in enumerate(blobs, start=1))
    return _fast_import(git, stream)


def _write(git: Git, onto: str, plans: Sequence[_Plan]) -> list[str]:
    parts = []
    for mark, plan in enumerate(plans, start=1):
        parent = onto.encode() if mark == 1 else b":%d" % (mark - 1)
        parts.append(b"commit %s\nmark :%d\n%bdata %d\n%b\nfrom %b\n"
                     % (_REF.encode(), mark, plan.header, len(plan.message), plan.message, parent))
        gone = [path for path, entry in plan.changes.items() if entry is None]
        parts += [b"D %b\n" % quoted(path) for path in gone]
        parts += [b"M %b %b %b\n" % (entry.mode.encode(), entry.oid.encode(), quoted(path))
                  for path, entry in plan.changes.items() if entry is not None]
        parts.append(b"\nget-mark :%d\n" % mark)
    return _fast_import(git, b"".join(parts))


def _fast_import(git: Git, stream: bytes) -> list[str]:
    done = git.check("fast-import", "--quiet", "--force", "--done", "--date-format=raw-permissive",
                     input=stream + b"done\n")
    return done.text.split()


def quoted(path: str) -> bytes:
    """A path as `git fast-import` wants it."""
    raw = os.fsencode(path)
    if not raw.startswith(b'"') and b"\n" not in raw:
        return raw
    return b'"%b"' % raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")

# SPDX-License-Identifier: GPL-2.0
"""The kernel's own checkpatch.pl: a few runs for all patches, its messages shared out among the checks by type.

To start it takes longer than to look at a patch (it reads two dictionaries, and asks get_maintainer.pl about each file), so
it gets several patches at once, and as many runs as there are processors share the series.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mhp import run
from mhp.check import shell_words, trailers
from mhp.check.model import Finding, Job, Status
from mhp.check.once import Once
from mhp.check.series import Patch
from mhp.check.store import Store, file_hash, program_identity
from mhp.exits import Exit, MhpError
from mhp.git import clean_environment

SCRIPT = "scripts/checkpatch.pl"
_TOOLS = (SCRIPT, "scripts/spelling.txt", "scripts/const_structs.checkpatch", "MAINTAINERS", ".checkpatch.conf")
_DICTIONARY = Path("/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt")
_PLACE = "check/checkpatch"
_FORMAT = "1"
_TIMEOUT_SECONDS = 300
_MESSAGE = re.compile(r"^(ERROR|WARNING|CHECK):([A-Z_0-9]+): (.*)$")
_POSITION = re.compile(r"^#(?P<line>\d+): FILE: (?P<file>.+?):(?P<number>\d+):$|^#(?P<only>\d+):")
# A name that it may take for CamelCase. It tells of each name once in a run, and takes for known what stands in the files
# of earlier patches, so two such patches never share a run.
_CAMELCASE = re.compile(r"^\+(?!\s*(?:/?\*|//)).*?\b(?!(?:Clear|Set|TestClear|TestSet|)Page[A-Z])\w*(?:[A-Z][a-z]|[a-z][A-Z])", re.M)

# What it takes for a word: it looks for one that does not stand in the middle of these.
_WORD = re.compile(rb"[\w\-'`]+")

# Types that a check of its own looks at.
SIGNOFF = ("BAD_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "MISSING_SIGN_OFF", "FROM_SIGN_OFF_MISMATCH")
REPORTED = ("BAD_REPORTED_BY_LINK",)
BAD_FIXES = ("BAD_FIXES_TAG",)
MISSING_FIXES = ("MISSING_FIXES_TAG",)
FIXES = (*BAD_FIXES, *MISSING_FIXES)
SPDX = ("SPDX_LICENSE_TAG",)
# They ask git about commits that a base without history does not have.
HISTORY = ("UNKNOWN_COMMIT_ID", "GIT_COMMIT_ID")

# One message: its type and the finding.
_Messages = tuple[tuple[str, Finding], ...]
_shared: Once[list[list[Patch]]] = Once()
_said: Once[dict[int, _Messages]] = Once()


def messages(job: Job, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What checkpatch.pl says about the patch: these types only, or all without some.

    Raises MhpError(FINDINGS) for a patch that makes it run commands.
    """
    if line := shell_words.first(job.one.raw):
        raise MhpError(Exit.FINDINGS, f"refused: {SCRIPT} would give line {line} of the mail to a shell, and it is more "
                       "than a name or a licence:\n" + job.one.raw.split(b"\n")[line - 1][:200].decode(errors="backslashreplace"))
    if not job.series.history:
        without = (*without, *HISTORY)
    asked = (job.tree.path, job.series.base, job.fresh, tuple(_hash(patch) for patch in _asked(job)))
    groups = _shared.get(asked, lambda: share_out(_asked(job), len(os.sched_getaffinity(0))))
    number, group = next((number, group) for number, group in enumerate(groups) if job.one in group)
    said = _said.get((*asked, number), lambda: _of_group(job, group))[job.one.number]
    return tuple(finding for kind, finding in said if (kind in only if only else kind not in without))


def _asked(job: Job) -> list[Patch]:
    return [patch for patch in job.series.patches
            if patch.number in (*job.asked, job.one.number) and not shell_words.first(patch.raw)]


def share_out(patches: Sequence[Patch], processors: int) -> list[list[Patch]]:
    """Groups of patches for one run each, of about the same size; never two in one that can hide each other's messages."""
    groups: list[list[Patch]] = [[] for _ in range(min(processors, len(patches)))]
    for patch in patches:
        camel = _is_camel(patch)
        free = [group for group in groups if not camel or not any(_is_camel(one) for one in group)]
        if not free:
            groups.append([])
            free = groups[-1:]
        min(free, key=lambda group: sum(len(one.raw) for one in group)).append(patch)
    return [group for group in groups if group]


def _is_camel(patch: Patch) -> bool:
    return bool(_CAMELCASE.search(patch.diff.decode(errors="replace")))


def _hash(patch: Patch) -> str:
    return hashlib.sha256(patch.raw).hexdigest()


def _of_group(job: Job, group: Sequence[Patch]) -> dict[int, _Messages]:
    """The messages of each patch of a group by its number: as they were kept, else from one run."""
    store = Store(job.tree.build / _PLACE)
    tools = [_FORMAT, job.series.base, program_identity("perl"), str(_DICTIONARY), file_hash(_DICTIONARY),
             *(file_hash(job.tree.path / name) for name in _TOOLS), file_hash(Path(__file__))]
    names = {patch.number: hashlib.sha256(" ".join([*tools, _hash(patch), *trailers.commits(job.git, patch.mail.message)])
                                          .encode()).hexdigest() for patch in group}
    found = {} if job.fresh else {number: kept for number, name in names.items()
                                  if (kept := _from_json(store.get(name))) is not None}
    todo = [patch for patch in group if patch.number not in found]
    if todo:
        for number, said in _run(job, todo).items():
            found[number] = said
            store.put(names[number], [[kind, finding.level, finding.text, finding.where, finding.details]
                                      for kind, finding in said])
        store.prune()
    return found


def _from_json(raw: Any) -> _Messages | None:
    try:
        return tuple((str(kind), Finding(Status(level), str(text), str(where), str(details)))
                     for kind, level, text, where, details in raw)
    except (TypeError, ValueError):
        return None


def _run(job: Job, group: Sequence[Patch]) -> dict[int, _Messages]:
    argv: list[run.Arg] = [job.tree.path / SCRIPT, "--strict", "--no-summary", "--show-types", "--color=never", "--codespell"]
    with tempfile.TemporaryDirectory(dir=job.scratch) as name:
        if _DICTIONARY.is_file():
            words = Path(name) / "words"
            words.write_bytes(possible(_DICTIONARY.read_bytes(), [patch.raw for patch in group]))
            argv.append(f"--codespellfile={words}")
        files = {patch.number: Path(name) / f"{patch.number}.patch" for patch in group}
        for patch in group:
            files[patch.number].write_bytes(patch.raw)
        # Not the user's home: a .checkpatch.conf there would change what is said.
        done = run.run([*argv, *files.values()], cwd=job.tree.path, env={**clean_environment(), "HOME": name},
                       timeout=_TIMEOUT_SECONDS)
        if done.status not in (0, 1):
            raise MhpError(Exit.FINDINGS, f"{run.shown(done.argv)}\nended with status {done.status}:\n{done.error_tail}")
        return {number: tuple(_parse(text)) for number, text in _by_file(done.text, files).items()}


def possible(dictionary: bytes, texts: Sequence[bytes]) -> bytes:
    """The entries ("wrong->right") of codespell's dictionary whose wrong word is in one of the texts.

    checkpatch.pl makes one pattern of all 60000 and tries it at each line, which takes half of its time.
    """
    there = {word for text in texts for word in _WORD.findall(text.lower())}
    return b"\n".join(line for line in dictionary.splitlines() if not _WORD.fullmatch(word := line.partition(b"->")[0].lower())
                      or word in there) + b"\n"


def _by_file(text: str, files: dict[int, Path]) -> dict[int, str]:
    """What was printed about each file. With several of them, each has a heading: its name between two lines."""
    if len(files) == 1:
        return {number: text for number in files}
    found, rest = {}, text
    for number, path in reversed(files.items()):
        line = "-" * len(str(path))
        rest, heading, found[number] = rest.rpartition(f"{line}\n{path}\n{line}\n")
        if not heading:
            raise MhpError(Exit.FINDINGS, f"{SCRIPT} says nothing about patch {number}:\n{text[-2000:]}")
    return found


def _parse(text: str) -> list[tuple[str, Finding]]:
    found = []
    for paragraph in re.split(r"\n\n+", text):
        lines = paragraph.splitlines()
        head = _MESSAGE.match(lines[0]) if lines else None
        if not head:
            continue
        place = _POSITION.match(lines[1]) if len(lines) > 1 else None
        where = f"{place['file']}:{place['number']}" if place and place["file"] else ""
        level = Status.FAIL if head[1] == "ERROR" else Status.WARN
        found.append((head[2], Finding(level, f"{head[2]}: {head[3]}", where, "\n".join(lines[1:]))))
    return found

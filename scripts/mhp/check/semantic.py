# SPDX-License-Identifier: GPL-2.0
"""What the kernel's semantic patches say, in their report mode, about versions of files.

spatch takes longer to start than to read a file, so one call is about all versions that the patches of a run
leave. What was said is kept by content.
"""

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mhp.check import compare
from mhp.check.compare import Message
from mhp.check.model import Job
from mhp.check.once import Once
from mhp.check.series import Patch
from mhp.check.store import Store, file_hash, program_identity
from mhp.exits import Exit, MhpError
from mhp.git import clean_environment
from mhp.progress import say
from mhp.run import run

# Of one semantic patch, for each file.
_LIMIT_SECONDS = 120
_REPORT = re.compile(rb"^virtual\s+.*\breport\b", re.MULTILINE)

_LATE = "was not done in time"
_KILLED = "was killed"
# What is not installed stays so; anything else may go well the next time.
_LASTS = re.compile(r"ocaml|python", re.IGNORECASE)

# By semantic patch its messages, or why it says nothing: it was ended, or needs what is not installed (OCaml).
Said = dict[str, list[Message] | str]


@dataclass(frozen=True)
class Version:
    """A file's content, and the path that it is looked at under."""

    path: str
    oid: str

    @property
    def place(self) -> str:
        """Where it is below the directory that spatch is run in."""
        return f"{self.oid}/{self.path}"


_known: Once[dict[Version, Said]] = Once()


def names(patch: Patch) -> list[str]:
    """The C files that a patch touches."""
    return [name for name in patch.paths if name.endswith(".c")]


def rules(job: Job) -> list[Path]:
    """The kernel's semantic patches that can report."""
    return [path for path in sorted((job.tree.path / "scripts/coccinelle").rglob("*.cocci"))
            if _REPORT.search(path.read_bytes())]


def name(rule: Path) -> str:
    """How a semantic patch is called."""
    return f"{rule.parent.name}/{rule.name}"


def after(job: Job, wanted: Sequence[Path]) -> dict[Version, Said]:
    """What all of these semantic patches say about the files that the job's patch leaves."""
    asked = [patch for patch in job.series.patches if patch.after and patch.number in (*job.asked, job.one.number)]
    versions = list(dict.fromkeys(one for patch in asked for one in _versions(job, patch.after, names(patch))))
    key = digest(wanted)
    found = _known.get((key, *versions), lambda: _all(job, wanted, versions, key))
    return {one: found[one] for one in _versions(job, job.one.after, names(job.one))}


def before(job: Job, wanted: Collection[Path]) -> dict[Version, Said]:
    """What these semantic patches say about the files that the job's patch begins with."""
    return _apply(job, wanted, _versions(job, job.one.before, names(job.one))) if wanted else {}


def _versions(job: Job, commit: str | None, paths: Sequence[str]) -> list[Version]:
    return [Version(entry.path, entry.oid) for entry in job.git.entries(commit or "", paths).values()
            if entry.mode.startswith("100")]


def digest(wanted: Sequence[Path]) -> str:
    """Changes with anything that what these semantic patches say depends on, but for the files they look at."""
    words = [program_identity("spatch"), program_identity("ocamlopt"), os.environ.get("COCCINELLE_HOME", ""),
             *(f"{name(path)} {file_hash(path)}" for path in wanted)]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _all(job: Job, wanted: Sequence[Path], versions: Sequence[Version], key: str) -> dict[Version, Said]:
    """From the store, or worked out and stored."""
    store = Store(job.tree.build / "check/semantic")
    found: dict[Version, Said] = {}
    for version in () if job.fresh else versions:
        raw = store.get(_key(key, version))
        if isinstance(raw, dict):
            found[version] = {rule: messages if isinstance(messages, str) else [Message(*words) for words in messages]
                              for rule, messages in raw.items()}
    todo = [version for version in versions if version not in found]
    if todo:
        say(f"{len(wanted)} semantic patches on {len(todo)} versions of files")
        for version, said in _apply(job, wanted, todo).items():
            found[version] = said
            if all(_LASTS.search(why) for why in said.values() if isinstance(why, str)):
                store.put(_key(key, version), {
                    rule: messages if isinstance(messages, str) else [[one.file, one.line, one.text] for one in messages]
                    for rule, messages in said.items()})
    store.prune()
    return found


def _key(key: str, version: Version) -> str:
    return hashlib.sha256(f"{key} {version.place}".encode(errors="surrogateescape")).hexdigest()


def _apply(job: Job, wanted: Collection[Path], versions: Sequence[Version]) -> dict[Version, Said]:
    """Run them, as many at a time as there are processors."""
    found: dict[Version, Said] = {version: {} for version in versions}
    top = job.scratch / "versions"
    blobs = job.git.contents([version.oid for version in versions])
    for version in versions:
        path = top / version.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blobs[version.oid])
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for rule, (text, problem) in zip(wanted, pool.map(lambda rule: _spatch(rule, top, versions), wanted), strict=True):
            said = compare.read(text, str(top))
            for version in versions:
                mine = [Message(version.path, one.line, one.text) for one in said if one.file == version.place]
                found[version][name(rule)] = problem or mine
    return found


def _spatch(rule: Path, top: Path, versions: Sequence[Version]) -> tuple[str, str]:
    """What it prints, and why that is nothing; "" when all went well."""
    if not versions:
        return "", ""
    # What it compiles of a rule lies in TMPDIR, and stays there when it is killed.
    env = {**clean_environment(), "HOME": str(top), "TMPDIR": str(top)}
    try:
        done = run(["spatch", "-D", "report", "--no-show-diff", "--very-quiet", "--no-includes", "--cocci-file", rule,
                    *(version.place for version in versions)], cwd=top, env=env,
                   timeout=_LIMIT_SECONDS * len(versions))
    except MhpError as err:
        if err.status != Exit.TIMEOUT:
            raise
        return "", _LATE
    if done.status < 0:
        return "", _KILLED
    return done.text, f"cannot be run: {done.error_tail}" if done.status else ""

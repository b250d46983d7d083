# SPDX-License-Identifier: GPL-2.0
"""Results by content: a report is used again while nothing has changed that it depends on.

That is what its check.toml names, the check's own files, the code that all checks share, and the tools and
programs it runs. The cache is build/ID/check/cache/; an entry that cannot be read is none.
"""

import hashlib
from dataclasses import replace
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from mhp import paths
from mhp.check import bases, guests, kernels, prefixes, semantic, trailers
from mhp.check.model import Check, Job, Report, from_json, to_json
from mhp.check.store import Store, file_hash, program_identity

_FORMAT = "1"
# What the kernel's scripts read of its tree where it is there, beside what a check names.
_SETTINGS = (".checkpatch.conf", ".get_maintainer.conf", ".get_maintainer.ignore")


def key(check: Check, job: Job) -> str:
    """The name under which a report is kept: one hash of all that it depends on."""
    words = [_FORMAT, check.name, _shared_code(), _directory(check.directory)]
    words += [program_identity(program) for program, _package in check.programs]
    words += [file_hash(job.tree.path / tool) for tool in (*check.tools, *(_SETTINGS if check.tools else ()))]
    for name in check.depends:
        words += [name, *_DEPENDS[name](job)]
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()


class Cache(Store):
    """A store of reports."""

    def report(self, name: str) -> tuple[Report, float] | None:
        """The report of that key, and how many seconds it took; None when there is none."""
        raw = self.get(name)
        try:
            return from_json(raw["report"]), float(raw["seconds"])
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, name: str, report: Report, seconds: float) -> None:
        """Keep a report."""
        self.put(name, {"report": to_json(report), "seconds": seconds})


def _directory(path: Path) -> str:
    return " ".join(file_hash(file) for file in sorted(path.glob("check.*")))


@lru_cache
def _shared_code() -> str:
    here = Path(__file__).parent
    return " ".join(file_hash(path) for path in sorted([*here.glob("*.py"), here.parent / "patches.py"]))


def _hashed(data: bytes | None) -> str:
    return hashlib.sha256(data).hexdigest() if data is not None else "none"


def _mails(job: Job) -> list[str]:
    return [_hashed(job.series.cover), job.series.coverless, *(_hashed(patch.raw) for patch in job.series.patches)]


def _files(job: Job) -> list[str]:
    patch = job.one
    return [f"{entry.mode} {entry.oid} {entry.path}" for commit in (patch.before, patch.after) if commit
            for entry in job.git.entries(commit, patch.paths).values()]


def _before(job: Job) -> list[str]:
    commits = (job.patch.before, job.patch.after) if job.patch else (job.series.base, job.series.tip)
    return [job.git.resolve(f"{commit}^{{tree}}") or "" if commit else "none" for commit in commits]


def _previous(job: Job) -> list[str]:
    before = job.series.previous
    return [] if before is None else [before.base, *(_hashed(patch.raw) for patch in before.patches)]


def _boots(job: Job) -> list[str]:
    """The trees that are booted, and all that builds and boots them."""
    found = prefixes.of(job)
    numbers = [job.patch.number - 1, job.patch.number] if job.patch else [0, len(job.series.patches)]
    trees = [f"{job.git.resolve(f'{found.states[number].tip}^{{tree}}')} {found.states[number].series}"
             for number in numbers if number < len(found.states)]
    programs = [one for arch in guests.ARCHES for one in guests.programs(arch)]
    coverage = [file_hash(paths.COVERAGE / name) for name in ("runs", "exclusions", "scope", "thresholds")]
    coverage += [file_hash(path) for path in sorted((paths.SCRIPTS / "mhp/coverage").glob("*.py"))]
    return [*trees, found.problem, guests.code(), file_hash(paths.SCRIPTS / "matrix"), *programs, *coverage]


_DEPENDS: dict[str, Callable[[Job], list[str]]] = {
    "mail": lambda job: [_hashed(job.one.raw)],
    "mails": _mails,
    "files": _files,
    "before": _before,
    "history": lambda job: [job.series.base, str(job.series.history), file_hash(job.git.gitdir / "shallow"),
                            *trailers.commits(job.git, job.one.mail.message)],
    "previous": _previous,
    "kernels": lambda _job: [*kernels.environment(),
                             *(one for kind in ("arch", "toggle", "debug") for kernel in kernels.kernels(kind)
                               for one in (kernel.name, kernel.id, *map(program_identity, (
                                   *kernel.needed, *replace(kernel, cc="clang").needed))))],
    "semantic": lambda job: [semantic.digest(semantic.rules(job))],
    "boots": _boots,
    "bases": lambda job: [f"{base.name} {base.commit}" for base in bases.others(job)] + [str(paths.build_root())],
}

# SPDX-License-Identifier: GPL-2.0
"""Results by content: a report is used again while nothing has changed that it depends on.

That is what its check.toml names, the check's own files, the code that all checks share, and the tools and
programs it runs. The cache is build/ID/check/cache/; an entry that cannot be read is none.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from mhp import paths
from mhp.check import bases, kernels
from mhp.check.model import Check, Job, Report, from_json, to_json

_KEEP_SECONDS = 30 * 24 * 3600
_FORMAT = "1"


def key(check: Check, job: Job) -> str:
    """The name under which a report is kept: one hash of all that it depends on."""
    words = [_FORMAT, check.name, _shared_code(), _directory(check.directory)]
    words += [_program(program) for program, _package in check.programs]
    words += [_file(job.tree.path / tool) for tool in check.tools]
    for name in check.depends:
        words += [name, *_DEPENDS[name](job)]
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()


class Cache:
    """A directory of reports."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> tuple[Report, float] | None:
        """The report of that key, and how many seconds it took; None when there is none."""
        path = self._place / f"{name}.json"
        try:
            raw = json.loads(path.read_bytes())
            found = from_json(raw["report"]), float(raw["seconds"])
            os.utime(path)
            return found
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, name: str, report: Report, seconds: float) -> None:
        """Keep a report. It may be lost in a crash, but is never seen half-written."""
        fresh = self._place / f".{name}.{os.getpid()}"
        fresh.write_text(json.dumps({"report": to_json(report), "seconds": seconds}), encoding="utf-8")
        fresh.replace(self._place / f"{name}.json")

    def prune(self) -> None:
        """Remove what was not used for a month, and what killed runs left."""
        for entry in os.scandir(self._place):
            age = time.time() - entry.stat().st_mtime
            if age > _KEEP_SECONDS or entry.name.startswith(".") and age > 3600:
                Path(entry.path).unlink(missing_ok=True)


def _file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "none"


def _directory(path: Path) -> str:
    return " ".join(_file(file) for file in sorted(path.glob("check.*")))


@lru_cache
def _shared_code() -> str:
    here = Path(__file__).parent
    return " ".join(_file(path) for path in sorted([*here.glob("*.py"), here.parent / "patches.py"]))


@lru_cache
def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        return f"{name}: none"
    status = os.stat(os.path.realpath(found))
    return f"{os.path.realpath(found)} {status.st_size} {status.st_mtime_ns}"


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


_DEPENDS: dict[str, Callable[[Job], list[str]]] = {
    "mail": lambda job: [_hashed(job.one.raw)],
    "mails": _mails,
    "files": _files,
    "before": _before,
    "history": lambda job: [job.series.base, str(job.series.history)],
    "previous": _previous,
    "kernels": lambda _job: [one for kind in ("arch", "toggle", "debug") for kernel in kernels.kernels(kind)
                             for one in (kernel.name, kernel.id, _program(kernel.make[1].split()[-1].split("=")[-1]))],
    "bases": lambda job: [f"{base.name} {base.commit}" for base in bases.others(job)] + [str(paths.build_root())],
}

# SPDX-License-Identifier: GPL-2.0
"""What the suites say of a prefix of the series: built in a work tree that moves from prefix to prefix, and booted.

The work tree is that of `scripts/series each`, build/ID/each/, so builds are incremental and shared with it. What
came out of a boot is kept by content in build/ID/check/boots/: a prefix whose files are the same is not booted again.
A build that failed is tried again, since the machine can be the reason.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mhp import compiler, each, kunit_run, matrix, options, paths, sidetree
from mhp.arch import Arch, directives
from mhp.check import kernels, prefixes
from mhp.check.model import Job
from mhp.check.store import Store, file_hash, program_identity
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.lock import locked
from mhp.matrix import Row
from mhp.progress import say
from mhp.results import Counts
from mhp.tree import PreparedTree
from mhp.verdict import Verdict

ARCHES = ("um", "x86_64", "powerpc")
_PLACE = "check/boots"
_FORMAT = "1"
_TIMEOUT_SECONDS = 120
# An outcome by itself; anything else (a missing tool, an interruption) says nothing of the series.
_OF_A_BUILD = (Exit.BUILD_FAILED, Exit.CONFIG)


@dataclass(frozen=True)
class Fault:
    """A finding of a run: kind (as in the exit statuses), title, the case it is about ("": none), the log's lines."""

    kind: str
    title: str
    case: str = ""
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a boot, or of the build before it. cases: name to PASS, FAIL, SKIP or ERROR; skips: name to reason."""

    status: str
    cases: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    skips: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether everything passed."""
        return self.status == Exit.PASS.name

    @property
    def counts(self) -> Counts:
        """The cases, counted."""
        states = list(self.cases.values())
        return Counts(states.count("PASS"), len(states) - states.count("PASS") - states.count("SKIP"),
                      states.count("SKIP"))


_remembered: dict[str, Outcome] = {}
_hashed: dict[tuple[Path, str, str], str] = {}


def rows(arch: str) -> list[Row]:
    """The boots that are tried on an architecture: those of scripts/matrix that `make test` makes."""
    return matrix.chosen(matrix.QUICK, arch)


def tools(arch: str) -> str:
    """What is not installed to build and boot for an architecture; "" when nothing is missing."""
    target = Arch(arch)
    try:
        if target.known:
            target.check_tools(target.cross_compile([]), True)
    except MhpError as err:
        return str(err)
    return ""


def outcome(job: Job, number: int, row: Row | None = None) -> Outcome:
    """What the suites say with the patches 1 to `number`; 0: without the series. row: the boot, None on um.

    Raises MhpError for what is not the series' fault: a tool that is missing, or a full disk.
    """
    name = key(job, number, row)
    if name not in _remembered:
        store = Store(job.tree.build / _PLACE)
        kept = None if job.fresh else _from_json(store.get(name))
        if kept is None:
            kept = _try(job, number, row)
            if not kept.error:
                store.put(name, asdict(kept))
                store.prune()
        _remembered[name] = kept
    return _remembered[name]


def key(job: Job, number: int, row: Row | None = None) -> str:
    """The name under which an outcome is kept: one hash of the files of the prefix, and of all that runs them."""
    made_from = prefixes.of(job).states[number]
    arch = row.arch if row else "um"
    words = [_FORMAT, files(job.git, made_from.tip, arch), str(made_from.series), repr(row), code(),
             *programs(arch, row.config if row else "")]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def files(git: Git, commit: str, arch: str) -> str:
    """A hash of the files of a commit that can belong to a kernel of that architecture: other ones' are left out."""
    name = (git.gitdir, commit, arch)
    if name not in _hashed:
        mine = {Arch(arch).source, *(["x86"] if arch == "um" else [])}
        top = git.text("ls-tree", commit).splitlines()
        below = git.text("ls-tree", commit, "arch/").splitlines()
        kept = [line for line in top if line.partition("\t")[2] not in ("arch", "Documentation")]
        kept += [line for line in below if " tree " not in line or line.rpartition("/")[2] in mine]
        _hashed[name] = hashlib.sha256("\n".join(kept).encode()).hexdigest()
    return _hashed[name]


def programs(arch: str, config: str = "") -> list[str]:
    """Which compiler, and which QEMU, an architecture takes, and what the environment tells make."""
    target = Arch(arch)
    cross = target.cross_compile([config] if config else [])
    make = compiler.make_options([], cross)
    names = [*compiler.programs(make, cross), *([directives(target.base).get("qemu", "")] if target.known else [])]
    return [*make, *(program_identity(name) for name in names), *kernels.environment()]


@lru_cache
def code() -> str:
    """A hash of what builds, boots and judges: our own programs and configurations."""
    files = [paths.KUNITCONFIG, paths.SCRIPTS / "known-reports", *paths.KUNIT_CONFIGS.rglob("*.config"),
             *(paths.SCRIPTS / "qemu").glob("*.py"), *(paths.SCRIPTS / "mhp").glob("*.py")]
    return hashlib.sha256(" ".join(file_hash(path) for path in sorted(files)).encode()).hexdigest()


def at(job: Job, number: int) -> PreparedTree:
    """The work tree, moved to a prefix. The caller holds the lock of place()."""
    found = prefixes.of(job)
    what = f"the tree with {number} of {len(job.series.patches)} patches"
    return sidetree.ensure(job.tree, each.DIRECTORY, found.states[number].tip, what, found.states[number])


def place(job: Job) -> Path:
    """The directory whose lock keeps the work tree where it is."""
    return each.lock_of(job.tree)


def _try(job: Job, number: int, row: Row | None) -> Outcome:
    words = ["run", f"--timeout={_TIMEOUT_SECONDS}", *([f"--boot={row.name}"] if row else [])]
    with locked(place(job)):
        say(f"{row.name if row else 'um'} with {number} of {len(job.series.patches)} patches")
        side = at(job, number)
        try:
            decided = kunit_run.decide_in(options.parse(words), side)
            if decided.status in (Exit.TIMEOUT, Exit.UNFINISHED):
                # A busy machine, or one without memory, can be the reason; a guest that hangs or dies does so again.
                decided = kunit_run.decide_in(options.parse(words), side)
        except MhpError as err:
            if err.status not in _OF_A_BUILD:
                raise
            return Outcome(err.status.name, error=_plain_error(str(err), side))
    return _outcome(decided)


def _outcome(decided: Verdict) -> Outcome:
    return Outcome(decided.status.name, {case.name: case.status for case in decided.cases},
                   tuple(Fault(finding.kind.name, finding.title, finding.case, "\n".join(finding.text))
                         for finding in decided.findings), dict(decided.skips))


def _plain_error(text: str, side: PreparedTree) -> str:
    """Without the line that repeats it, which is about another tree, and without this machine's paths."""
    lines = [line for line in text.splitlines() if not line.startswith("repeat: ")]
    return "\n".join(lines).replace(f"{side.path}/", "")


def _from_json(raw: Any) -> Outcome | None:
    """The outcome that asdict() made; None for anything else."""
    try:
        return Outcome(str(raw["status"]), {str(name): str(state) for name, state in raw["cases"].items()},
                       tuple(Fault(str(one["kind"]), str(one["title"]), str(one["case"]), str(one["text"]))
                             for one in raw["faults"]),
                       {str(name): str(why) for name, why in raw["skips"].items()}, str(raw["error"]))
    except (KeyError, TypeError, AttributeError):
        return None

# SPDX-License-Identifier: GPL-2.0
"""Whether a kernel has to be built, and by what: ninja when a few edits are all (fastbuild.py), else make."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import compiler, fastbuild, guard, kconfig, nearest, seed, unchanged, upstream, usertree
from mhp.builddir import BuildDir
from mhp.exits import Exit, MhpError
from mhp.fastbuild import NotFast
from mhp.kbuild import Records, dependencies
from mhp.options import again
from mhp.progress import say
from mhp.tree import read_state
from mhp.unchanged import Change
from mhp.upstream import Job
from mhp.worktree import listing

_ENVIRONMENT_SECONDS = 120
_OBJECTS_SHOWN = 3


def key(job: Job) -> unchanged.Key:
    """All that the build depends on, as of now."""
    theirs = job.options.seen.qemu_config
    machine = job.tree.path / theirs if theirs else job.machine
    files = [*job.kunitconfigs, *([machine] if machine else [])]
    asked = [path.read_text(encoding="utf-8", errors="backslashreplace") for path in files if path.is_file()]
    asked += [*job.kconfig_lines, job.arch, str(theirs), str(job.options.seen.alltests)]
    cross = job.cross_compile
    make = [*job.make_options, *job.options.seen.make_options, cross]
    return unchanged.key(job.tree.git, asked, make, compiler.programs(make, cross), upstream.environment())


def change(job: Job, now: unchanged.Key) -> Change | None:
    """What calls for a build, None when nothing does."""
    if job.options.unknown:
        return Change(f"{job.options.unknown[0]} may be about the build")
    return unchanged.difference(job.tree.git, job.build, job.arch, now)


@dataclass(frozen=True)
class Begun:
    """A build by make. before: what it is made from. given: files of the tree that got a new time from us, and when their
    status changed by that, in nanoseconds. env: what make's environment has more."""

    before: unchanged.Key
    given: Mapping[str, int]
    env: Mapping[str, str]


def begin_make(job: Job, now: unchanged.Key) -> Begun:
    """make builds next, what is in `now`. Whatever it could take for finished and is not, goes."""
    seed.plant(job.build, seed.bases(job))
    job.build.pull_back()
    edited, new = unchanged.begin(job.tree.git, job.build, now)
    given, hidden = outdate(job.build, job.tree.path, edited, new) if edited else ({}, [])
    (job.build.path / fastbuild.ENVIRONMENT).unlink(missing_ok=True)
    removed = job.build.begin()
    if removed:
        say(f"the last build was cut off: {removed} unfinished files removed")
    # ccache goes by the headers that an object was made from: it would give back the one that does not know the new header.
    return Begun(now, given, {"CCACHE_RECACHE": "1"} if hidden else {})


def finish_make(job: Job, begun: Begun) -> None:
    """make built it. What was saved meanwhile may have been compiled as it is not any more."""
    before = begun.before
    ours = {name for name, when in begun.given.items() if _changed_at(job.tree.path / name) == when}
    late = unchanged.saved_in_tree(job.tree.git, before, before.looked) - ours
    unchanged.record(job.build, job.arch, before, late)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except OSError:
        return 0


def outdate(build: BuildDir, srctree: Path, edited: frozenset[str],
            new: frozenset[str] = frozenset()) -> tuple[dict[str, int], list[str]]:
    """Let make see that these files of the tree have changed, whatever times they and their objects have.

    make goes by times: a file that was put back with its old time, or a clock that was wrong, would
    deceive it. What is recorded to be made from a file is removed; any other file gets a new time. A header that is new
    is perhaps found before another of its name: what is made from that one goes, too.

    Returns the files that got a new time, with the time of that change of their status, and the targets that went for a
    new header's sake.
    """
    given: dict[str, int] = {}
    hidden: list[str] = []
    records = Records(build.path, srctree)
    made = build.path / "include/config/auto.conf"
    for name in edited:
        users = records.made_from(name)
        namesakes = records.namesakes(name) if name.endswith(".h") and name in new else []
        hidden += [record.target for record in namesakes]
        for record in [*users, *namesakes]:
            (build.path / record.target).unlink(missing_ok=True)
        path = srctree / name
        if not users and made.exists() and path.is_file() and path.stat().st_mtime <= made.stat().st_mtime:
            late = max(time.time(), made.stat().st_mtime + 1)
            os.utime(path, (late, late))
            given[name] = _changed_at(path)
    return given, hidden


@dataclass(frozen=True)
class Fast:
    """A build by ninja: its command line and environment, () when nothing has to be made. objects: what is compiled."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    objects: Sequence[str]
    before: unchanged.Key
    edited: frozenset[str]


def fast(job: Job, before: unchanged.Key, found: Change) -> Fast | None:
    """How ninja builds it; None when make has to. It is to be followed by ninja(), or by begin_ninja() and finish_ninja()."""
    if not found.only_files:
        return None
    try:
        if shutil.which("ninja") is None:
            raise NotFast("ninja is not installed (`make setup` does it), with which it would be faster")
        options = kconfig.read(job.build.config)
        fastbuild.check_config(options)
        records = Records(job.build.path, job.tree.path)
        objects = fastbuild.objects_of(records, job.tree.path, found.edited)
        environment = _environment(job) if objects else {}
        fastbuild.check_environment(environment)
        libraries = tuple(environment.get("KBUILD_VMLINUX_LIBS", "").split())
        link = fastbuild.Link(libraries, options.get("X86_KERNEL_IBT") == "y", job.build.kernel(job.arch).name,
                              fastbuild.link_command(job.tree.path))
        plan = fastbuild.plan(records, objects, link) if objects else None
    except NotFast as why:
        say(f"this is for make to build: {why}")
        return None
    argv: Sequence[str] = ()
    env: Mapping[str, str] = {}
    if plan:
        jobs = job.options.seen.jobs or len(os.sched_getaffinity(0))
        argv, env = fastbuild.write(job.build, plan, environment, jobs)
    return Fast(tuple(argv), env, plan.objects if plan else (), before, found.edited)


def ninja(job: Job, build: Fast) -> None:
    """Build it. Raises MhpError(BUILD_FAILED) with the compiler's words."""
    if build.argv:
        begin_ninja(job, build)
        sys.stdout.flush()
        watch = upstream.Watch(job, True, [])
        ended = None
        try:
            ended = guard.supervise(build.argv, cwd=job.tree.path, env=build.env, watch=watch.build)
        finally:
            watch.done(None if ended and not ended.status else MhpError)
        if ended.status:
            raise failed(job, ended.errors)
    finish_ninja(job, build)


def begin_ninja(job: Job, build: Fast) -> None:
    """What comes before somebody runs build.argv."""
    more = len(build.objects) - _OBJECTS_SHOWN
    say(f"compiling {', '.join(build.objects[:_OBJECTS_SHOWN])}{f' and {more} more' if more > 0 else ''}, and linking")
    unchanged.attempt(job.build, build.edited)


def finish_ninja(job: Job, build: Fast) -> None:
    """It was built. What was saved meanwhile may have been compiled, and is told by its time: 2 ms an object."""
    read = dependencies(job.build.path, build.objects)
    since, top = build.before.looked, os.path.realpath(job.tree.path)
    late = {os.path.realpath(job.build.path / name) for name in unchanged.saved(job.build.path, read, since)}
    within = {os.path.relpath(name, top) for name in late if name.startswith(f"{top}/")}
    unchanged.record(job.build, job.arch, build.before, within | unchanged.saved(job.tree.path, build.edited, since))


def failed(job: Job, errors: bytes) -> MhpError:
    """The error for a kernel that does not build, with the compiler's words and how to repeat it."""
    said = f"the kernel does not build:\n{upstream.shown_errors(errors)}\n"
    made_from = read_state(job.tree)
    if not nearest.is_own(made_from):
        said += f"({nearest.about(made_from)})\n"
    if made_from.kdir and (names := usertree.untracked(Path(made_from.kdir))):
        said += (f"these files of {made_from.kdir} are not taken, as git does not track them (`git add -N` is enough):\n"
                 f"{listing(names)}\n")
    return MhpError(Exit.BUILD_FAILED, f"{said}repeat: {again(job.options.typed)}")


def _environment(job: Job) -> dict[str, str]:
    """The environment in which make runs commands; asked from make once after each build of its own."""
    path = job.build.path / fastbuild.ENVIRONMENT
    ours = upstream.environment()
    known = fastbuild.load_environment(path, ours)
    if known is not None:
        return known
    cross = job.cross_compile
    argv = ["make", "-s", f"ARCH={job.arch}", f"O={job.build.path}", *([f"CROSS_COMPILE={cross}"] if cross else []),
            *job.make_options, *job.options.seen.make_options, "run-command",
            f"KBUILD_RUN_COMMAND=env -0 LDFLAGS_vmlinux='$(LDFLAGS_vmlinux)' >{fastbuild.ENVIRONMENT}"]
    ended = guard.supervise(argv, cwd=job.tree.path, env=ours, stdout=subprocess.DEVNULL,
                            watch=upstream.time_limit(_ENVIRONMENT_SECONDS))
    try:
        raw = path.read_bytes()
        path.unlink()
    except OSError:
        raw = b""
    if ended.status or not raw:
        raise NotFast("make does not say what its environment is")
    fastbuild.save_environment(path, raw, ours)
    return fastbuild.load_environment(path, ours) or ours

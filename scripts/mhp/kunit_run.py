# SPDX-License-Identifier: GPL-2.0
"""What scripts/kunit.py does: prepare the tree, drive upstream's kunit.py, judge what came out."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mhp import (
    building, kconfig, known_reports, log, matrix_run, repeat, results, shares, symbols, upstream, verdict, watch)
from mhp.builddir import BuildDir
from mhp.building import Fast
from mhp.exits import Exit, MhpError
from mhp.lock import locked
from mhp.log import GuestLog
from mhp.options import Options, again, without_flag
from mhp.paths import build_root
from mhp.progress import say
from mhp.tree import PreparedTree, using
from mhp.unchanged import Key
from mhp.upstream import Finished, Job
from mhp.verdict import Boot, Verdict

# With more of them the compiler takes so long that nothing is won, and there is progress to be shown.
_FEW_OBJECTS = 8


def command(options: Options) -> int:
    """Carry out one command line; returns the exit status."""
    return watch.loop(options, lambda: _once(options)) if options.watch else _once(options)


def _once(options: Options) -> int:
    if options.matrix:
        return matrix_run.command(options, _boot_of_matrix)
    tree = options.prepare()
    with using(tree):
        if options.subcommand == "parse":
            return _parse(options, tree)
        build = upstream.build_dir(options, tree)
        with locked(build.path):
            return _work(Job(options, tree, build))


def _boot_of_matrix(options: Options) -> tuple[Verdict, BuildDir]:
    """One boot of several: nothing is printed but progress."""
    tree = options.prepare()
    with using(tree):
        return decide_in(options, tree), upstream.build_dir(options, tree)


def decide_in(options: Options, tree: PreparedTree) -> Verdict:
    """One boot of a tree as it is; nothing is printed but progress. The caller keeps the tree as it is."""
    build = upstream.build_dir(options, tree)
    with locked(build.path):
        decided = _decide(Job(options, tree, build), quiet=True)
        repeat.save(build.path, decided)
        return decided


def build_in(options: Options, tree: PreparedTree) -> None:
    """`build` of a tree as it is; nothing is printed but progress. Raises MhpError when it does not build."""
    build = upstream.build_dir(options, tree)
    with locked(build.path):
        _build_only(Job(options, tree, build), quiet=True)


def _work(job: Job) -> int:
    if job.options.subcommand in ("config", "build"):
        _build_only(job)
        return Exit.PASS
    return _tell(job, _decide(job))


def _check_tools(job: Job) -> None:
    if job.target.known:
        job.target.check_tools(job.cross_compile, job.options.boots)


def _decide(job: Job, quiet: bool = False) -> Verdict:
    """Boot, once or as often as was asked for, and decide."""
    _check_tools(job)
    (job.build.path / repeat.VERDICT_FILE).unlink(missing_ok=True)
    before, fast = _must_build(job) if job.options.subcommand == "run" else (None, None)
    if job.options.subcommand == "exec" and not job.build.kernel(job.arch).exists():
        raise MhpError(Exit.USAGE, f"{job.build.path} holds no kernel yet: `scripts/kunit.py build` or "
                       "`run` makes one")
    image = job.build.stale_image(job.options.seen.qemu_args, job.arch)
    if job.options.subcommand == "exec" and image:
        raise MhpError(Exit.USAGE, f"{image} is older than the kernel: `scripts/kunit.py run` makes it")
    if job.options.subcommand == "exec" and job.build.begun.exists():
        raise MhpError(Exit.USAGE, f"the kernel in {job.build.path} is older than the .config, or than a build that failed: "
                       "`scripts/kunit.py run` makes it")
    if fast and (job.options.seen.run_isolated or len(fast.objects) > _FEW_OBJECTS):
        building.ninja(job, fast)
        fast = None
    if job.options.seen.run_isolated:
        return _isolated(job, before)
    if job.options.repeat > 1:
        return repeat.boots(job.options.repeat, lambda number: boot(
            job, before if number == 1 else None, quiet=number > 1, fast=fast if number == 1 else None))
    return boot(job, before, quiet=quiet, fast=fast)


def _must_build(job: Job) -> tuple[Key | None, Fast | None]:
    """What `run` has to build by make, or how ninja does it; say why."""
    before = building.key(job)
    found = building.change(job, before)
    image = job.build.stale_image(job.options.seen.qemu_args, job.arch)
    if found is None and image:
        say(f"building first: {image} is older than the kernel")
        return before, None
    if found is None:
        say("nothing has changed since the last build: booting it again")
        return None, None
    say(f"building first: {found.why}")
    fast = None if job.build.images(job.options.seen.qemu_args) else building.fast(job, before, found)
    return None if fast else before, fast


def _build_only(job: Job, quiet: bool = False) -> None:
    """`config` or `build`."""
    _check_tools(job)
    _make(job, building.key(job), job.options.subcommand, job.options.rest, quiet)


def _make(job: Job, before: Key, subcommand: str, rest: Sequence[str], quiet: bool) -> None:
    """`config` or `build` by upstream. Raises MhpError when that fails, or the .config is not the one asked for."""
    begun = building.begin_make(job, before)
    finished = upstream.call(job, subcommand, rest, stdout=subprocess.DEVNULL if quiet else None, more=begun.env)
    job.build.finished()
    if finished.ended.status:
        raise _build_error(job, finished)
    _check_config(job)
    if subcommand == "build":
        building.finish_make(job, begun)


def _lost(job: Job) -> list[kconfig.Lost]:
    if not job.build.config.exists():
        return []
    got = kconfig.read(job.build.config)
    missing = kconfig.lost(job.asked(), got)
    return kconfig.explain(missing, job.tree.git, job.arch, got)


def _check_config(job: Job) -> None:
    if missing := _lost(job):
        raise MhpError(Exit.CONFIG, f"{job.build.config} is not what was asked for:\n"
                       + "\n".join(str(item) for item in missing))


def _build_error(job: Job, finished: Finished, built: bool = True) -> MhpError:
    """Upstream stopped before a guest was seen to start: why? built: it was asked to build first."""
    if finished.ended.status == 2:
        return MhpError(Exit.USAGE, "upstream's kunit.py does not take this command line, see above")
    if finished.ended.status in (127, 126):
        return MhpError(Exit.MISSING_TOOL, f"{upstream.PYTHON} cannot be started")
    if not built:
        return MhpError(Exit.UNFINISHED, "the run ended before its guest had a log; upstream's kunit.py: exit "
                        f"status {finished.ended.status}\n{upstream.shown_errors(finished.ended.errors)}")
    if missing := _lost(job):
        return MhpError(Exit.CONFIG, f"{job.build.config} is not what was asked for:\n"
                        + "\n".join(str(item) for item in missing))
    if not job.build.config.exists() or job.options.subcommand == "config":
        return MhpError(Exit.CONFIG, f"no .config came out:\n{upstream.shown_errors(finished.ended.errors)}")
    return building.failed(job, finished.ended.errors)


def boot(job: Job, before: Key | None, *, quiet: bool = False, rest: Sequence[str] | None = None,
         fast: Fast | None = None) -> Verdict:
    """One boot, built first when wanted, by make from what is in `before` or as `fast` says, and the decision about it.

    rest: upstream's arguments when they are not those of the command line. Raises MhpError when it
    does not come to a boot.
    """
    if rest is None and (globs := _globs(job)):
        if before is not None:
            _make(job, before, "build", _to_build(job.options.rest), quiet)
        return _side_by_side(job, globs, quiet, fast)
    if fast:
        building.ninja(job, fast)
    rest = list(job.options.rest if rest is None else rest)
    own_json = job.options.seen.json is None and not job.options.seen.raw_output and not job.options.lists
    job.build.results.unlink(missing_ok=True)
    begun = building.begin_make(job, before) if before else None
    finished = upstream.call(job, "run" if begun else "exec", rest if begun else without_flag(rest, "--jobs"),
                             stdout=subprocess.DEVNULL if quiet else None,
                             json=job.build.results if own_json else None, more=begun.env if begun else None)
    if begun:
        job.build.finished()
        if finished.booted:
            building.finish_make(job, begun)
    if not finished.booted:
        raise _build_error(job, finished, before is not None)
    _check_config(job)
    return _judge(job, finished, own_json)


def _to_build(rest: Sequence[str]) -> list[str]:
    """Of the arguments of a whole run those that upstream's `build` takes."""
    words = list(rest)
    for flag in ("--kernel_args", "--timeout"):
        words = without_flag(words, flag)
    return words


def _globs(job: Job) -> list[str]:
    """What each of several guests runs; none when the command line is about one guest, or wants one."""
    seen = job.options.seen
    if job.arch != "um" or job.options.lists or job.options.unknown or any((
            seen.target, seen.filter, seen.filter_action, seen.kernel_args, seen.build_dir, seen.json, seen.raw_output,
            seen.run_isolated, seen.kunitconfig, seen.alltests)):
        return []
    if job.asked().get("MHP_KUNIT") != "y":  # each share has some of our suites, and may have none of others
        return []
    found = shares.globs(job.options.guests or len(os.sched_getaffinity(0)))
    return found if len(found) > 1 else []


def _side_by_side(job: Job, globs: Sequence[str], quiet: bool, fast: Fast | None) -> Verdict:
    """One boot for each share of the suites at the same time, and one decision about all.

    What ninja has to do comes first, while upstream's scripts start: a tenth of a run.
    """
    if fast and not fast.argv:
        building.ninja(job, fast)
        fast = None
    job.build.log.unlink(missing_ok=True)
    parts = shares.prepare(job.build.kernel(job.arch), job.build.system_map, globs, fast is not None)
    if fast:
        building.begin_ninja(job, fast)
    finished = upstream.call_shared(job, parts, without_flag(list(job.options.rest), "--jobs"),
                                    stdout=subprocess.DEVNULL if quiet else None,
                                    first=(fast.argv, fast.env) if fast else None)
    built = shares.first_status(parts) if fast else None
    if built:
        raise building.failed(job, finished[0].ended.errors)
    if fast and built == 0:
        building.finish_ninja(job, fast)
    if failed := [one for one in finished if not one.booted]:
        raise _build_error(job, failed[0], False)
    _check_config(job)
    jobs = [replace(job, build=BuildDir(part.path)) for part in parts]
    decided = [_judge(one, how, True) for one, how in zip(jobs, finished, strict=True)]
    before = shares.join_logs([one.build.log for one in jobs], job.build.log)
    results.join([one.build.results for one in jobs], job.build.results)
    return verdict.merge([verdict.moved(one, lines) for one, lines in zip(decided, before, strict=True)])


def _ended(job: Job, finished: Finished) -> tuple[GuestLog, Boot]:
    """What the guest's log says, and how the guest came to its end."""
    symbols.put_into(job.build.log, job.build.system_map)
    said = log.scan(*log.read(job.build.log))
    limit = int(job.options.seen.timeout)
    return said, Boot(finished.ended.status, limit if upstream.timed_out(limit, finished, said.halted) else None,
                      finished.ended.stopped)


def _judge(job: Job, finished: Finished, own_json: bool) -> Verdict:
    said, how = _ended(job, finished)
    if job.options.lists:
        return verdict.judge_listing(said, how, known_reports.read())
    cases = results.read(job.build.results) if own_json else None
    if cases is None:
        upstream.parse_log(job.tree, job.build.log, job.build.results)
        cases = results.read(job.build.results) or []
    return verdict.judge(said, cases, how, known_reports.read())


def _isolated(job: Job, before: Key | None) -> Verdict:
    """--run_isolated: one boot for each suite or case. Upstream keeps only the last log, we read all."""
    rest = without_flag(list(job.options.rest), "--run_isolated")
    with tempfile.TemporaryFile() as listing:
        begun = building.begin_make(job, before) if before else None
        finished = upstream.call(job, "run" if begun else "exec", [*rest, "--list_tests"], stdout=listing.fileno(),
                                 more=begun.env if begun else None)
        if begun:
            job.build.finished()
        if not finished.booted:
            raise _build_error(job, finished, begun is not None)
        if begun:
            building.finish_make(job, begun)
        listing.seek(0)
        words = listing.read().decode(errors="backslashreplace").splitlines()
    # A listing that was cut off would name fewer cases, and nobody would miss the others.
    listed = verdict.judge_listing(*_ended(job, finished), known_reports.read())
    if listed.status != Exit.PASS:
        return listed
    return repeat.isolated(words, job.options.seen.run_isolated, job.options.seen.target,
                           lambda glob: boot(job, None, rest=with_glob(rest, job.options.seen.target, glob)))


def with_glob(rest: Sequence[str], old: str, new: str) -> list[str]:
    """Arguments with another filter glob."""
    words = list(rest)
    if old:
        del words[len(words) - 1 - words[::-1].index(old)]
    return [*words, new]


def _parse(options: Options, tree: PreparedTree) -> int:
    """Judge a log that the user has."""
    top = build_root() / "tmp"
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parse-", dir=top) as name:
        path = Path(options.seen.target or Path(name) / "log")
        rest = list(options.rest)
        if not options.seen.target:
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            rest.append(str(path))
        elif not path.is_file():
            raise MhpError(Exit.USAGE, f"{path}: no such file")
        upstream.parse(tree, rest)
        json = Path(name) / "results.json"
        upstream.parse_log(tree, path, json)
        said = log.scan(*log.read(path))
        decided = verdict.judge(said, results.read(json) or [], Boot(must_halt=False),
                                known_reports.read())
        _print(options, decided, str(path), again(options.typed))
    return decided.status


def _tell(job: Job, decided: Verdict) -> int:
    typed = list(job.options.typed)
    glob = verdict.narrow_glob(decided)
    if glob is not None:
        typed = with_glob(typed, job.options.seen.target, glob)
    repeat.save(job.build.path, decided)
    _print(job.options, decided, str(job.build.log), again(typed))
    return decided.status


def _print(options: Options, decided: Verdict, log_path: str, again: str) -> None:
    """The summary: to stderr where stdout is a list or JSON that a program may read."""
    machine = options.lists or options.seen.json == "stdout" or bool(options.seen.raw_output)
    if options.lists and decided.status == Exit.PASS:
        return
    for line in verdict.summary(decided, log_path=log_path, repeat=again):
        print(line, file=sys.stderr if machine else sys.stdout, flush=True)

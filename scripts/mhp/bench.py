# SPDX-License-Identifier: GPL-2.0
"""`make bench`: how long the loop takes, against upstream's kunit.py, on this machine, in one run.

Both are measured in turn, so that whatever else the machine does meets both; ratios are medians of
pairs. The edit is a real one each time, with a number that no cache has seen.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mhp import basetree, fastbuild, guard, paths, steptimes, unchanged, upstream
from mhp.arch import Arch
from mhp.builddir import BuildDir
from mhp.check import registry, series
from mhp.exits import Exit, MhpError
from mhp.kbuild import Records
from mhp.measured import Limit, Measured, Ratio, Row
from mhp.memory import Peak
from mhp.progress import say
from mhp.state import write_whole
from mhp.tree import PreparedTree, prepare, using

# Upstream's default configuration leaves the first one out, so it has nothing to compile or link for that.
EDITED = ("mm/memory_hotplug.c", "mm/page_alloc.c", "mm/mm_init.c", "drivers/base/core.c", "drivers/base/bus.c")
OF_UPSTREAM = 0.25
OF_BARE = 1.3
UNCHANGED_SECONDS = 1.0
# Of another clone on the same machine, from its first command to a verdict, with a shared cache.
SECOND_CLONE_SECONDS = 20.0
# Of the loop with gcov, up to the table, against that without.
OF_PLAIN = 1.5
REPORT_SECONDS = 180.0
# scripts/check on the series of mm-patches/, the last two on its first ten patches.
CHECK_SECONDS = {"quick": 10.0, "build": 300.0, "run": 300.0}
CHECK_PATCHES = 10
# What can be measured by itself, in the order in which it is; the first only when it is asked for.
PARTS = ("scratch", "loop", "steps", "qemu", "gcov", "hotplug", "check")
# For each architecture under QEMU the file that is edited, a line of scripts/matrix, and what is wanted in seconds.
QEMU = {"x86_64": ("arch/x86/mm/init_64.c", "x86", 6.0), "powerpc": ("arch/powerpc/mm/init_64.c", "ppc-radix", 10.0)}
_MARK = "mhp_bench_edit"
_EDIT = re.compile(rf"\nstatic int __maybe_unused {_MARK}\(void\) {{ return \d+; }}\n")
_ELAPSED = re.compile(r"Elapsed time: ([\d.]+)s(?: total, [\d.]+s configuring, [\d.]+s building, ([\d.]+)s running)?")
_LIMIT_SECONDS = 3600
_JSON = "bench.json"


@dataclass(frozen=True)
class Timed:
    """A command's wall time in seconds, and how much of it was the guest, as upstream says."""

    seconds: float
    guest: float


def timed(argv: Sequence[str | Path], cwd: Path, output: Path, env: dict[str, str] | None = None,
          statuses: Sequence[int] = (Exit.PASS,), peak: Peak | None = None) -> Timed:
    """Run a command that must end with one of `statuses`. Raises MhpError(FINDINGS) when it does not.

    peak: also look at its memory, which takes some time of its own.
    """
    late = upstream.time_limit(_LIMIT_SECONDS)

    def watch() -> str | None:
        if peak:
            peak()
        return late()

    with output.open("wb") as file:
        start = time.monotonic()
        ended = guard.supervise([str(word) for word in argv], cwd=cwd, env=env, stdout=file.fileno(),
                                errors_to=file.fileno(), watch=watch)
        seconds = time.monotonic() - start
    text = output.read_bytes().decode(errors="backslashreplace")
    if ended.status not in statuses:
        tail = "\n".join(text.splitlines()[-20:])
        raise MhpError(Exit.FINDINGS, f"cannot measure: this ended with status {ended.status}, see {output}\n{tail}")
    # Guests side by side: the longest counts.
    return Timed(seconds, max((float(found[2] or found[1]) for found in _ELAPSED.finditer(text)), default=0.0))


@contextmanager
def editing(path: Path) -> Iterator[Callable[[], None]]:
    """Gives a function that makes a new edit in a file; afterwards the file is as it was.

    Only the content is put back: its time stays new, so that make compiles it again. What an earlier
    run that was killed left is removed.
    """
    original = _EDIT.sub("", path.read_text(encoding="utf-8"))

    def edit() -> None:
        path.write_text(f"{original}\nstatic int __maybe_unused {_MARK}(void) "
                        f"{{ return {time.time_ns() % 2**31}; }}\n", encoding="utf-8")

    try:
        yield edit
    finally:
        path.write_text(original, encoding="utf-8")


class Bench:
    """The measurements, in the order in which they are taken."""

    def __init__(self, tree: PreparedTree, flags: Sequence[str], runs: int) -> None:
        self.tree = tree
        self.runs = runs
        self.found = Measured()
        self._flags = list(flags)
        self._output = tree.build / "bench"
        self._output.mkdir(exist_ok=True)
        self._base = basetree.ensure(tree)
        self._base_build = basetree.build_dir(tree, "um-bench")

    def _row(self, name: str) -> Row:
        return self.found.row(name)

    def _peak(self, name: str) -> Peak:
        self.found.peaks.append(Peak(name))
        return self.found.peaks[-1]

    def ours(self, *words: str, env: dict[str, str] | None = None, peak: Peak | None = None) -> Timed:
        """scripts/kunit.py."""
        return timed([upstream.PYTHON, paths.SCRIPTS / "kunit.py", *words, *self._flags], paths.REPO,
                     self._output / "ours.log", env, peak=peak)

    def theirs(self) -> Timed:
        """Upstream's kunit.py as one types it, on the base without shims."""
        with upstream.guest_directory() as guest:
            return timed([upstream.PYTHON, "-B", upstream.SCRIPT, "run", f"--build_dir={self._base_build}",
                          f"--kernel_args=uml_dir={upstream.relative(guest, self._base)}"], self._base,
                         self._output / "theirs.log", upstream.environment())

    def scratch(self) -> None:
        """Empty build directories, once each: a build takes minutes. Ours are those of two clones that share sources and ccache."""
        cache, first, second = (self._output / name for name in ("ccache", "first", "second"))
        env = {**os.environ, "CCACHE_DIR": str(cache), "MHP_SOURCES": str(paths.sources())}
        there = {**env, "MHP_BUILD": str(first)}
        for place in (cache, first, second, self._base_build):
            shutil.rmtree(place, ignore_errors=True)
        say("from scratch, upstream")
        self._row("from scratch: upstream, default config").seconds.append(self.theirs().seconds)
        self.ours("config", env=there)  # makes the tree, which upstream has as well
        shutil.rmtree(cache, ignore_errors=True)
        for name in ("cold", "warm"):
            say(f"from scratch, ours, {name} ccache")
            shutil.rmtree(first / self.tree.id / "um", ignore_errors=True)
            peak = self._peak("ours from scratch") if name == "cold" else None
            self._row(f"from scratch: ours, {name} ccache").seconds.append(self.ours("run", env=there, peak=peak).seconds)
        say("a second clone: all of build/, with the sources and the ccache of the first")
        row = self._row("a second clone, to its first verdict")
        row.seconds.append(self.ours("run", env={**env, "MHP_BUILD": str(second)}).seconds)
        self.found.limits.append(Limit(row, SECOND_CLONE_SECONDS))
        for place in (cache, first, second):
            shutil.rmtree(place, ignore_errors=True)

    def loop(self) -> None:
        """Edit to verdict over the files: ours, upstream's, and the bare commands, in turn."""
        say("builds that the measurements start from")
        self.ours("run")
        self.theirs()
        ours, theirs, bare = (self._row(f"edit to verdict: {name}") for name in (
            "ours", "upstream, default config", "bare compiler, link, guest"))
        files = [self._row(f"  ours, {name}") for name in EDITED]
        for number in range(1, self.runs + 1):
            for name, row in zip(EDITED, files, strict=True):
                say(f"edit to verdict, round {number} of {self.runs}, {name}")
                with editing(self.tree.path / name) as edit, editing(self._base / name) as edit_theirs:
                    edit()
                    mine = self.ours("run")
                    edit_theirs()
                    theirs.seconds.append(self.theirs().seconds)
                    edit()
                    bare.seconds.append(self._bare(name))
                for into in (ours, row):
                    into.seconds.append(mine.seconds)
        self.found.ratios += [Ratio(ours, theirs, OF_UPSTREAM), Ratio(ours, bare, OF_BARE)]

    def _bare(self, name: str) -> float:
        """Seconds that the compiler, kbuild's link and a boot take for one edited file, one after the other."""
        build = BuildDir(self.tree.build / "um")
        unchanged.attempt(build, [name])
        records = Records(build.path, self.tree.path)
        ours = upstream.environment()
        kept = fastbuild.load_environment(build.path / fastbuild.ENVIRONMENT, ours)
        env = {**(kept or ours), "MAKE": "true", "CCACHE_DISABLE": "1"}
        objects = fastbuild.objects_of(records, self.tree.path, [name])
        link = fastbuild.Link(tuple(env.get("KBUILD_VMLINUX_LIBS", "").split()), False, "linux")
        steps = [step for step in fastbuild.plan(records, objects, link).steps
                 if step.target.endswith(".a") or step.target in (*objects, "vmlinux")]
        with upstream.guest_directory() as guest:
            script = "\n".join(["set -e", *(f"({step.command})" for step in steps),
                                f"./vmlinux uml_dir={upstream.relative(guest, build.path)} mem=1G console=tty "
                                f"kunit.enable=1 kunit_shutdown=halt {' '.join(upstream.UML_ARGUMENTS)} </dev/null"])
            return timed(["sh", "-c", script], build.path, self._output / "bare.log", env).seconds

    def steps(self) -> None:
        """What is left when nothing has changed, and single steps."""
        say("single steps")
        self.ours("run")
        same, own, made, prepared = (self._row(name) for name in (
            "nothing changed: ours", "nothing changed: ours without the guest", "make with nothing to do (build)",
            "prepare the tree, nothing to do"))
        for _ in range(self.runs):
            timed_run = self.ours("run")
            same.seconds.append(timed_run.seconds)
            own.seconds.append(timed_run.seconds - timed_run.guest)
            made.seconds.append(self.ours("build").seconds)
            start = time.monotonic()
            prepare(Path(self._flags[0].partition("=")[2]) if self._flags else None)
            prepared.seconds.append(time.monotonic() - start)
        self.found.limits.append(Limit(same, UNCHANGED_SECONDS))
        with editing(self.tree.path / EDITED[0]) as edit:
            edit()
            self.ours("run", peak=self._peak("ours, edit to verdict"))

    def qemu(self) -> None:
        """Edit to verdict of one boot, on what runs under QEMU; where the tools are missing that is said."""
        for arch, (name, boot, wanted) in QEMU.items():
            if not _has_tools(arch):
                continue
            say(f"edit to verdict, {arch}")
            self.ours("run", f"--boot={boot}")
            row = self._row(f"edit to verdict: {arch}, {name}")
            for _ in range(self.runs):
                with editing(self.tree.path / name) as edit:
                    edit()
                    row.seconds.append(self.ours("run", f"--boot={boot}").seconds)
            self.found.limits.append(Limit(row, wanted))

    def _coverage(self, *words: str) -> Timed:
        """scripts/coverage."""
        return timed([upstream.PYTHON, "-B", paths.SCRIPTS / "coverage", *words, *self._flags], paths.REPO,
                     self._output / "coverage.log")

    def gcov(self) -> None:
        """The loop with gcov against the plain one; the whole report when nothing has to be built."""
        if not shutil.which("genhtml"):
            say("coverage: not measured: genhtml is not installed, `scripts/setup coverage` does it")
            return
        say("scripts/coverage, builds that the measurements start from")
        self.ours("run")
        self._coverage("--loop")
        plain = self._row("edit to verdict: ours, before one with gcov")
        counted = self._row("edit to table: scripts/coverage --loop")
        for number in range(1, self.runs + 1):
            for name in EDITED[:3]:
                say(f"edit to table, round {number} of {self.runs}, {name}")
                with editing(self.tree.path / name) as edit:
                    edit()
                    plain.seconds.append(self.ours("run").seconds)
                    edit()
                    counted.seconds.append(self._coverage("--loop").seconds)
        self.found.ratios.append(Ratio(counted, plain, OF_PLAIN))
        if not all(_has_tools(arch) for arch in QEMU):
            return
        say("scripts/coverage, builds that its whole report starts from")
        self._coverage()
        say("scripts/coverage, the whole report")
        whole = self._row("scripts/coverage: the whole report")
        whole.seconds.append(self._coverage().seconds)
        self.found.limits.append(Limit(whole, REPORT_SECONDS))

    def hotplug(self) -> None:
        """Add, online, offline, remove: with the series, both ways, against the kernel without it."""
        say("add, online, offline, remove, with the series and without it")
        base, with_series = steptimes.measure(self.tree, self.runs)
        for step in steptimes.STEPS:
            theirs = self._row(f"{step} a memory block: without the series")
            theirs.seconds += [time / 1e6 for time in steptimes.column(base, steptimes.ELSEWHERE, step)]
            for where in (steptimes.ELSEWHERE, steptimes.SELF_HOSTED):
                ours = self._row(f"{step} a memory block: series, {where}")
                ours.seconds += [time / 1e6 for time in steptimes.column(with_series, where, step)]
                self.found.ratios.append(Ratio(ours, theirs, steptimes.WANTED))

    def check(self) -> None:
        """scripts/check on our own series, tier by tier, with warm builds: no result cached; the quick tier also with all.

        The tiers that build get its first patches only, as a range of commits.
        """
        argv: list[str | Path] = [upstream.PYTHON, "-B", paths.SCRIPTS / "check", *self._flags]

        def once(*words: str) -> float:
            # What it finds is not the question here.
            return timed([*argv, *words], paths.REPO, self._output / "check.log",
                         statuses=(Exit.PASS, Exit.FINDINGS)).seconds

        for tier, wanted in CHECK_SECONDS.items():
            names = [f"--only={one.name}" for one in registry.all_checks() if one.tier == tier]
            if tier != registry.TIERS[0]:
                names.append(self._first_patches())
                say(f"scripts/check, {tier} tier, builds that the measurement starts from")
                once(*names, "--fresh")
            say(f"scripts/check, {tier} tier")
            row = self._row(f"scripts/check, {tier} tier: nothing cached")
            row.seconds += [once(*names, "--fresh") for _ in range(self.runs if tier == registry.TIERS[0] else 1)]
            self.found.limits.append(Limit(row, wanted))
        self._row("scripts/check, quick tier: everything cached").seconds.append(once())


    def _first_patches(self) -> str:
        """The first ten patches of our series, or all when there are fewer."""
        with using(self.tree):
            found = series.read(self.tree, None, None)
        return f"{found.base}..{found.patches[:CHECK_PATCHES][-1].after}"


def _has_tools(arch: str) -> bool:
    """Whether there are a compiler and QEMU for it; says what is not measured without."""
    try:
        Arch(arch).check_tools(Arch(arch).cross_compile([]), True)
    except MhpError as err:
        say(f"not measured on {arch}: {err}")
        return False
    return True


def machine() -> dict[str, str]:
    """What it was measured on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    compiler = subprocess.run(["gcc", "--version"], stdout=subprocess.PIPE, check=False, text=True).stdout
    return {"processors": str(len(os.sched_getaffinity(0))), "model": model[1] if model else platform.machine(),
            "compiler": compiler.split("\n", maxsplit=1)[0],
            "load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg())}


def run(kdir: Path | None, runs: int, parts: Collection[str]) -> int:
    """Measure these parts, print the table and write build/bench.json; FINDINGS when something is slower than wanted."""
    about = machine()
    tree = prepare(kdir, True)
    bench = Bench(tree, [f"--kdir={kdir.absolute()}"] if kdir else [], runs)
    try:
        for part in PARTS:
            if part in parts:
                getattr(bench, part)()
    finally:
        # It took minutes: also when it does not come to its end, there is something to be seen.
        print("\n".join(bench.found.table(about)), flush=True)
    result = paths.build_root() / _JSON
    write_whole(result, json.dumps({"machine": about, "kernel": tree.origin, **bench.found.record()}, indent=1).encode())
    print(f"written to {result}")
    return Exit.FINDINGS if bench.found.missed() else Exit.PASS

# SPDX-License-Identifier: GPL-2.0
"""scripts/coverage: build with gcov, run, count, judge, report."""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import kunit_run, options, paths, upstream, verdict
from mhp.arch import Arch
from mhp.coverage import gcov, handed, judge, model, output, page, patches, scope, table
from mhp.coverage.model import Data
from mhp.coverage.scope import Run
from mhp.exits import Exit, MhpError
from mhp.progress import say
from mhp.state import write_whole
from mhp.tree import PreparedTree, prepare, read_state, using

CONFIG = "gcov"
SUMMARY = "coverage.json"
_TIMEOUT_SECONDS = 300
# With one of these a guest ran to its end, so that there is data.
_WITH_DATA = (Exit.PASS, Exit.FINDINGS, Exit.REPORT)


@dataclass(frozen=True)
class Asked:
    """What was asked for. glob: only these cases; which: only the runs of this set; targets: only these, () for all."""

    glob: str = ""
    jobs: int | None = None
    which: str = scope.FULL
    targets: tuple[str, ...] = ()

    @property
    def enforced(self) -> bool:
        """Whether all runs that the thresholds are made for are made."""
        return not self.glob and not self.targets and self.which != scope.LOOP


def command(kdir: Path | None, asked: Asked) -> int:
    """Run what coverage/runs says and report; returns the exit status."""
    if shutil.which("genhtml") is None:
        raise MhpError(Exit.MISSING_TOOL, "genhtml is not installed: `scripts/setup coverage` does it (Debian package lcov)")
    chosen = scope.read_scope(paths.COVERAGE / "scope")
    exclusions = scope.read_exclusions(paths.COVERAGE / "exclusions")
    thresholds = scope.read_thresholds(paths.COVERAGE / "thresholds")
    runs = chosen_runs(scope.read_runs(paths.COVERAGE / "runs"), asked)
    targets = {run.target for run in runs}
    chosen = chosen.on({Arch(target).source for target in targets})
    exclusions = [one for one in exclusions if one.without not in targets]
    tree = prepare(kdir, look=True)
    with using(tree):
        below = read_state(tree).below_mm
        touched = patches.touched(tree.git, below)
        counted = patches.with_counters(tree, below, touched)
        status, parts = Exit.PASS, []
        for number, run in enumerate(runs, 1):
            say(f"[{number}/{len(runs)}] {run.name}")
            ended, data = count(run, tree, instrumented(chosen, counted, Arch(run.target)), asked)
            parts += [data] if data else []
            status = status or ended
        if not parts:
            raise MhpError(Exit.NOTHING_RAN, f"no case matches {asked.glob}")
        data = model.merge(parts)
        judged = judge.judge(tree.path, data, patches.attribute(tree, below, touched, data), chosen, exclusions, thresholds)
    return _report(tree, judged, status, asked)


def chosen_runs(runs: Sequence[Run], asked: Asked) -> list[Run]:
    """Those that are asked for. Raises MhpError(USAGE) when there are none."""
    sets = scope.SETS[:scope.SETS.index(asked.which) + 1]
    found = [run for run in runs if run.which in sets and (not asked.targets or run.target in asked.targets)]
    if missing := set(asked.targets) - {run.target for run in found}:
        raise MhpError(Exit.USAGE, f"coverage/runs has no run for {', '.join(sorted(missing))}"
                       + ("" if asked.which == scope.SETS[-1] else f" among those of --{asked.which}"))
    return found


def instrumented(chosen: scope.Scope, counted: Sequence[str], target: Arch) -> list[str]:
    """CONFIG_GCOV_OBJECTS of an architecture: the objects of the scope and of the series' files, and its headers."""
    names = [name for name in sorted({*chosen.files, *counted})
             if not name.startswith("arch/") or name.startswith(f"arch/{target.source}/")]
    return [f"{name[:-2]}.o" for name in names if name.endswith(".c")] + [name for name in names if name.endswith(".h")]


def count(run: Run, tree: PreparedTree, objects: Sequence[str], asked: Asked) -> tuple[Exit, Data]:
    """Build and boot once: the verdict, and what was counted. Raises MhpError when the guest left no data.

    With a glob that no case of this boot matches, that is PASS and nothing.
    """
    target = Arch(run.target)
    words = ["run", *run.words, f"--config={CONFIG}", f"--timeout={_TIMEOUT_SECONDS}",
             f'--kconfig_add=CONFIG_GCOV_OBJECTS="{" ".join(objects)}"',
             *([f"--jobs={asked.jobs}"] if asked.jobs else []), *([asked.glob] if asked.glob else [])]
    build = upstream.build_dir(options.parse(words), tree)
    if target.known:
        words.append(f"--qemu_args={handed.device(target, CONFIG, build.handed_out)}")
    # What an error says to repeat is this command.
    parsed = dataclasses.replace(options.parse(words), typed=(asked.glob,) if asked.glob else ())
    gcov.remove(build.path)
    build.handed_out.unlink(missing_ok=True)
    decided = kunit_run.decide_in(parsed, tree)
    if asked.glob and decided.status == Exit.NOTHING_RAN:
        say(f"{run.name}: no case matches")
        return Exit.PASS, {}
    if decided.status != Exit.PASS:
        for line in verdict.summary(decided, log_path=str(build.log), repeat="scripts/coverage"):
            say(line)
    if decided.status not in _WITH_DATA:
        raise MhpError(decided.status, f"{run.name}: there is no coverage: gcov's data is written when the guest comes to "
                       f"its end, and this run ended with {decided.status.name}")
    if target.known:
        handed.unpack(build, gcov.objects(build.path))
    return decided.status, gcov.read(build.path, tree.path, run.target, _gcov_program(parsed.seen.arch, parsed.configs))


def _gcov_program(arch: str, configs: Sequence[str]) -> str:
    """gcov of the compiler that builds the kernel; of the one that MHP_CC names, which has to fit."""
    compiler = (os.environ.get("MHP_CC") or f"{Arch(arch).cross_compile(configs)}gcc").split()[-1]
    return compiler.replace("gcc", "gcov") if "gcc" in compiler else "gcov"


def _summary(judged: judge.Judged) -> str:
    """The figures for programs."""
    by_file = {file.name: {what: [one.hit, one.found] for what, one in zip(("lines", "branches", "functions"), file.sums)}
               for file in judged.files}
    return json.dumps({"files": by_file, "series": [judged.series.hit, judged.series.found],
                       "unreached": [f"{name}:{number}" for name, number in judged.unreached],
                       "problems": [*judged.failures, *judged.stale], "below": judged.below}, indent=1)


def _report(tree: PreparedTree, judged: judge.Judged, status: Exit, asked: Asked) -> int:
    if not asked.enforced:
        judged = dataclasses.replace(judged, failures=[], stale=[], below=[])
    place = tree.build / "coverage"
    texts = {name: (tree.path / name).read_text(encoding="utf-8", errors="replace").splitlines()
             for name in {*judged.data, *(file.name for file in judged.files), *(name for own in judged.own for name in own.uncompiled)}}
    shutil.rmtree(place, ignore_errors=True)
    output.write(place, tree.path, judged.reported, texts)
    if asked.which != scope.LOOP:
        output.write_html(place, tree.path, "mhp-kunit")
    about = f"{tree.origin}, {', '.join(model.targets(judged.data))}{f', only {asked.glob}' if asked.glob else ''}"
    write_whole(place / "series.html", page.page(judged, texts, about).encode(errors="backslashreplace"))
    write_whole(place / "scope.html", page.scope_page(judged, texts, about).encode(errors="backslashreplace"))
    write_whole(place / SUMMARY, _summary(judged).encode())
    for line in table.lines(judged, texts):
        print(line)
    html = "" if asked.which == scope.LOOP else "html/index.html, "
    print(f"\nreports: {place}/series.html, scope.html, {html}{output.TRACE}, coverage.xml", flush=True)
    if not asked.enforced:
        say("not all cases ran on all targets: the thresholds are not enforced")
        return status
    return status or (Exit.FINDINGS if judged.failures or judged.stale else Exit.PASS)

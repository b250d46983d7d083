# SPDX-License-Identifier: GPL-2.0
"""scripts/coverage: build with gcov, run, count, judge, report."""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from mhp import kunit_run, options, paths, upstream, verdict
from mhp.coverage import gcov, judge, model, output, page, patches, scope, table
from mhp.coverage.model import Data
from mhp.coverage.scope import Run
from mhp.exits import Exit, MhpError
from mhp.progress import say
from mhp.state import write_whole
from mhp.tree import PreparedTree, prepare, read_state, using

CONFIG = "gcov"
SUMMARY = "coverage.json"
_TIMEOUT_SECONDS = 120
# With one of these a guest ran to its end, so that there is data.
_WITH_DATA = (Exit.PASS, Exit.FINDINGS, Exit.REPORT)


def command(kdir: Path | None, glob: str, jobs: int | None) -> int:
    """Run all that coverage/runs says and report; returns the exit status. glob: only these cases, nothing enforced."""
    if shutil.which("genhtml") is None:
        raise MhpError(Exit.MISSING_TOOL, "genhtml is not installed: `scripts/setup coverage` does it (Debian package lcov)")
    chosen = scope.read_scope(paths.COVERAGE / "scope")
    exclusions = scope.read_exclusions(paths.COVERAGE / "exclusions")
    thresholds = scope.read_thresholds(paths.COVERAGE / "thresholds")
    runs = scope.read_runs(paths.COVERAGE / "runs")
    tree = prepare(kdir)
    with using(tree):
        below = read_state(tree).below_mm
        objects = instrumented(chosen, patches.touched(tree.git, below))
        status, parts = Exit.PASS, []
        for number, run in enumerate(runs, 1):
            say(f"[{number}/{len(runs)}] {run.name}")
            ended, data = count(run, tree, objects, glob, jobs)
            parts.append(data)
            status = status or ended
        data = model.merge(parts)
        judged = judge.judge(tree.path, data, patches.attribute(tree.git, below, data), chosen, exclusions, thresholds)
    return _report(tree, judged, status, glob)


def instrumented(chosen: scope.Scope, touched: Sequence[str]) -> list[str]:
    """The objects that User-mode Linux counts in: of the scope, and of what the series touches."""
    names = sorted({*chosen.files, *touched})
    return [f"{name[:-2]}.o" for name in names if name.endswith(".c")
            and not (name.startswith("arch/") and not name.startswith("arch/um/"))]


def count(run: Run, tree: PreparedTree, objects: Sequence[str], glob: str, jobs: int | None) -> tuple[Exit, Data]:
    """Build and boot once: the verdict, and what was counted. Raises MhpError when the guest left no data."""
    words = ["run", f"--config={CONFIG}", *(f"--config={name}" for name in run.configs), f"--timeout={_TIMEOUT_SECONDS}",
             f'--kconfig_add=CONFIG_UML_GCOV_OBJECTS="{" ".join(objects)}"',
             *(f"--kernel_args={arg}" for arg in run.kernel_args), *([f"--jobs={jobs}"] if jobs else []),
             *([glob] if glob else [])]
    # What an error says to repeat is this command.
    asked = dataclasses.replace(options.parse(words), typed=(glob,) if glob else ())
    build = upstream.build_dir(asked, tree)
    gcov.remove(build.path)
    decided = kunit_run.decide_in(asked, tree)
    if decided.status != Exit.PASS:
        for line in verdict.summary(decided, log_path=str(build.log), repeat="scripts/coverage"):
            say(line)
    if decided.status not in _WITH_DATA:
        raise MhpError(decided.status, f"{run.name}: there is no coverage: gcov's data is written when the guest halts, "
                       f"and this run ended with {decided.status.name}")
    return decided.status, gcov.read(build.path, tree.path, run.target, _gcov_program())


def _gcov_program() -> str:
    """gcov of the compiler that MHP_CC names, which has to fit."""
    compiler = (os.environ.get("MHP_CC") or "gcc").split()[-1]
    return compiler.replace("gcc", "gcov") if "gcc" in compiler else "gcov"


def _summary(judged: judge.Judged) -> str:
    """The figures for programs."""
    by_file = {file.name: {what: [one.hit, one.found] for what, one in zip(("lines", "branches", "functions"), file.sums)}
               for file in judged.files}
    return json.dumps({"files": by_file, "series": [judged.series.hit, judged.series.found],
                       "unreached": [f"{name}:{number}" for name, number in judged.unreached],
                       "problems": [*judged.failures, *judged.stale], "below": judged.below}, indent=1)


def _report(tree: PreparedTree, judged: judge.Judged, status: Exit, glob: str) -> int:
    place = tree.build / "coverage"
    texts = {name: (tree.path / name).read_text(encoding="utf-8", errors="replace").splitlines()
             for name in {*judged.data, *(name for own in judged.own for name in own.uncompiled)}}
    shutil.rmtree(place, ignore_errors=True)
    output.write(place, tree.path, judged.reported, texts, "mhp-kunit")
    about = f"{tree.origin}, {', '.join(model.targets(judged.data))}{f', only {glob}' if glob else ''}"
    write_whole(place / "series.html", page.page(judged, texts, about).encode(errors="backslashreplace"))
    write_whole(place / SUMMARY, _summary(judged).encode())
    for line in table.lines(judged, texts):
        print(line)
    print(f"\nreports: {place}/series.html, html/index.html, coverage.info, coverage.xml", flush=True)
    if glob:
        say("not all cases ran: the thresholds are not enforced")
        return status
    return status or (Exit.FINDINGS if judged.failures or judged.stale else Exit.PASS)

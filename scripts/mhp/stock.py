# SPDX-License-Identifier: GPL-2.0
"""Upstream's default `kunit.py run` on the base and on the prepared tree: is every case the same?

The shims are opt-in, so a kernel that does not opt in must not notice them.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mhp import basetree, compiler, guard, log, results, upstream
from mhp.exits import Exit, MhpError
from mhp.lock import locked
from mhp.progress import say
from mhp.results import PASS, SKIP, Case, Counts
from mhp.tree import PreparedTree

_TIMEOUT_SECONDS = 300
_BUILD_LIMIT_SECONDS = 3600
# What differs from boot to boot in the text of a report.
_VOLATILE = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+")


@dataclass(frozen=True)
class StockRun:
    """The cases, and the titles of the reports without their numbers."""

    cases: dict[str, str]
    reports: list[str]
    halted: bool


def run(tree: Path, build: Path) -> StockRun:
    """Upstream's default run in a kernel tree, built in `build`.

    Raises MhpError(BUILD_FAILED) when it does not come to a boot.
    """
    with locked(build), upstream.guest_directory() as guest:
        json, test_log = build / "results.json", build / "test.log"
        for old in (json, test_log):
            old.unlink(missing_ok=True)
        make = [f"--make_options={option}" for option in compiler.make_options([], "")]
        ended = guard.supervise(
            [upstream.PYTHON, str(upstream.SCRIPT), "run", f"--build_dir={build}", f"--json={json}",
             f"--timeout={_TIMEOUT_SECONDS}", f"--kernel_args=uml_dir={upstream.relative(guest, tree)}", *make],
            cwd=tree, env=upstream.environment(), stdout=subprocess.DEVNULL, remove=guest,
            watch=upstream.time_limit(_BUILD_LIMIT_SECONDS))
        found = results.read(json)
        if not test_log.exists() or found is None:
            raise MhpError(Exit.BUILD_FAILED, f"{tree}: upstream's default run did not come to results:\n"
                           + "\n".join(upstream.error_lines(ended.errors)))
        said = log.scan(*log.read(test_log))
        reports = [*said.ktap.reports, *said.panics, *said.ktap.gaps]
        return StockRun({case.name: case.status for case in found},
                        [_VOLATILE.sub("N", report.title) for report in reports], said.halted)


def differences(base: StockRun, ours: StockRun) -> list[str]:
    """What the shims have changed, for people."""
    found = [f"{name}: {base.cases.get(name, 'absent')} without the shims, "
             f"{ours.cases.get(name, 'absent')} with them"
             for name in dict.fromkeys([*base.cases, *ours.cases])
             if base.cases.get(name) != ours.cases.get(name)]
    left = list(base.reports)
    for title in ours.reports:
        if title in left:
            left.remove(title)
        else:
            found.append(f"only with the shims: {title}")
    if base.halted and not ours.halted:
        found.append("with the shims the guest did not come to its clean end")
    return found


def compare(tree: PreparedTree) -> tuple[Counts, list[str]]:
    """Both runs: the cases counted, where failed is what differs or fails with the shims."""
    base = run(basetree.ensure(tree), basetree.build_dir(tree, "um-stock"))
    say(f"without the shims: {len(base.cases)} cases")
    ours = run(tree.path, tree.build / "um-stock")
    found = differences(base, ours)
    cases = [Case(name, status) for name, status in ours.cases.items()]
    same = [case for case in cases if base.cases.get(case.name) == case.status]
    passed = sum(case.status == PASS for case in same)
    skipped = sum(case.status == SKIP for case in same)
    failing = [f"{case.name} fails, with and without the shims" for case in same
               if case.status not in (PASS, SKIP)]
    return Counts(passed, len(found) + len(failing), skipped), found + failing

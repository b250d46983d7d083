# SPDX-License-Identifier: GPL-2.0
"""What scripts/check does, in order."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mhp.check import b4, html, machine, registry, series, table
from mhp.check.model import Result, Status
from mhp.check.runner import Listener, Runner, units
from mhp.check.series import Series
from mhp.exits import Exit, MhpError
from mhp.git import look_around
from mhp.lock import locked
from mhp.patches import MAX_PATCH_BYTES
from mhp.progress import say
from mhp.state import write_whole
from mhp.tree import PreparedTree, prepare, using

# Option to what it writes.
OUTPUTS = {"html": "the report as a page", "json": "the report as JSON", "junit": "the report as JUnit XML"}
_PLACE = "check"
_REPORT = "report"


def run(args: argparse.Namespace) -> int:
    """Check a series; returns the exit status."""
    tiers = ["quick", *(["build"] if args.build else []), *(["run"] if args.run else [])]
    checks = registry.chosen(registry.all_checks(), tiers, args.only)
    tree = prepare(args.kdir, as_far=True)
    place = tree.build / _PLACE
    with using(tree), locked(place):
        found = _read(tree, args)
        if args.patch is not None and not 1 <= args.patch <= len(found.patches):
            raise MhpError(Exit.USAGE, f"--patch {args.patch}: there are {len(found.patches)} patches")
        todo = units(checks, found, args.patch)
        say(f"{len(found.patches)} patches of {found.what} on {tree.origin or found.base[:12]}")
        shown = table.Table(checks, todo)
        runner = Runner(tree, found, place, _typed(args))
        try:
            results = runner.run(todo, shown.listener, args.fresh)
        finally:
            shown.draw()
        _write(args, place, found, tree, results)
    to = sys.stderr if any(str(getattr(args, name)) == "-" for name in OUTPUTS) else sys.stdout
    for line in (*table.findings(results), "", *table.broken(results), *table.skipped(results),
                 f"{table.counted(results)}"):
        print(line, file=to)
    return exit_status(results)


def exit_status(results: Sequence[Result]) -> Exit:
    """What the results come to."""
    if any(result.report.internal for result in results):
        return Exit.INTERNAL
    if any(result.status == Status.FAIL for result in results):
        return Exit.FINDINGS
    if any(result.report.broken for result in results):
        return Exit.BROKEN_BASE
    return Exit.PASS if any(result.status != Status.SKIP for result in results) else Exit.NOTHING_RAN


def mail(args: argparse.Namespace) -> int:
    """Check one mail for b4: those quick checks that can be had for a mail by itself."""
    data = sys.stdin.buffer.read(MAX_PATCH_BYTES + 1)
    wanted = [check for check in registry.chosen(registry.all_checks(), ["quick"], args.only)]
    tree = prepare(args.kdir, as_far=True)
    place = tree.build / _PLACE
    with using(tree), locked(place):
        found = series.read_single(tree, data)
        checks = b4.possible(wanted, found)
        results = Runner(tree, found, place, _typed(args)).run(units(checks, found, None), Listener(), args.fresh)
    print(b4.as_lines(results) if args.b4_lines else b4.as_json(results), end="")
    for line in table.skipped(results):
        say(line)
    return Exit.PASS


def _read(tree: PreparedTree, args: argparse.Namespace) -> Series:
    found = series.read(tree, args.series, args.kdir)
    if args.previous:
        before = series.read(tree, args.previous, args.kdir)
        found = replace(found, previous=before)
    onto = []
    for name in args.onto:
        commit = look_around(args.kdir or tree.path, "--verify", "--end-of-options", f"{name}^{{commit}}")
        if commit.status or not tree.git.existing([commit.text]):
            raise MhpError(Exit.USAGE, f"--onto {name}: no commit of {args.kdir or tree.path}")
        onto.append((name, commit.text))
    return replace(found, onto=tuple(onto))


def _typed(args: argparse.Namespace) -> list[str]:
    """The words of the command line that choose series and kernel."""
    words = [args.series] if args.series else []
    words += [f"--kdir={args.kdir}"] if args.kdir else []
    words += [f"--previous={args.previous}"] if args.previous else []
    return [*words, *(f"--onto={name}" for name in args.onto)]


def _write(args: argparse.Namespace, place: Path, found: Series, tree: PreparedTree,
           results: Sequence[Result]) -> None:
    """The reports: below build/ always, and where the user wants them."""
    about = {"series": found.what, "kernel": tree.origin, "patches": str(len(found.patches)),
             "command": shlex.join(["scripts/check", *sys.argv[1:]])}
    texts = {"html": html.page(found, results, about), "json": machine.as_json(found, results, about),
             "junit": machine.as_junit(results)}
    for name, text in texts.items():
        suffix = "xml" if name == "junit" else name
        write_whole(place / f"{_REPORT}.{suffix}", text.encode(errors="replace"))
        wanted = getattr(args, name)
        if str(wanted) == "-":
            print(text)
        elif wanted is not None:
            write_whole(wanted, text.encode(errors="replace"))
    say(f"report: {place / _REPORT}.html")

# SPDX-License-Identifier: GPL-2.0
"""Every prefix of the series: does it build, and do the suites pass on it, as someone who bisects needs it?

A prefix is checked out in a work tree of its own, build/ID/each/, so nothing here touches the user's.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from mhp import kunit_run, options, sidetree
from mhp.exits import Exit, MhpError
from mhp.lock import locked
from mhp.progress import say
from mhp.results import Counts
from mhp.state import Link, State
from mhp.tree import PreparedTree, read_state, using

DIRECTORY = "each"
_TIMEOUT_SECONDS = 60


def lock_of(tree: PreparedTree) -> Path:
    """The directory whose lock is held by whoever moves the work tree, builds and boots."""
    return tree.build / DIRECTORY / "run"


def prefixes(state: State, names: Sequence[str] = ()) -> list[tuple[Link, State]]:
    """The patches with these names or numbers, or all, and what the tree that ends with each is made from.

    Cases that ask for the series (CONFIG_MHP_SERIES) ask for all of it, and run with the last patch only.
    Raises MhpError(USAGE) for a name that is not there.
    """
    patches = state.part("mm")
    files = {link: PurePath(link.name).name for link in patches}
    if unknown := [name for name in names if not any(file.startswith(name) for file in files.values())]:
        raise MhpError(Exit.USAGE, f"{unknown[0]}: no such patch in the series; see `scripts/series list`")
    return [(link, replace(state, series=link == patches[-1], chain=state.chain[:state.chain.index(link) + 1]))
            for link in patches if not names or any(files[link].startswith(name) for name in names)]


def check(tree: PreparedTree, arch: str, names: Sequence[str] = (),
          tell: Callable[[str], None] = print) -> tuple[Counts, list[str]]:
    """Build each prefix, and boot it on UML: how many are right, and a line about each that is not."""
    problems = []
    with using(tree):
        todo = prefixes(read_state(tree), names)
    if not todo:
        raise MhpError(Exit.NOTHING_RAN, "there is no series on top: `scripts/series apply`")
    # The prepared tree is free meanwhile: the commits are there, whatever becomes of it.
    with locked(lock_of(tree)):
        for number, (link, made_from) in enumerate(todo, 1):
            began = time.monotonic()
            say(f"[{number}/{len(todo)}] {link.name}")
            side = sidetree.ensure(tree, DIRECTORY, link.commit, f"the tree up to {link.name}", made_from)
            status, how = _try(side, arch)
            tell(f"{'ok' if status == Exit.PASS else status.name:12} {link.name}: {how}, {time.monotonic() - began:.0f} s")
            if status != Exit.PASS:
                problems.append(f"{link.name}: {status.name}: {how}")
    return Counts(len(todo) - len(problems), len(problems)), problems


def _try(side: PreparedTree, arch: str) -> tuple[Exit, str]:
    """Status, and a line about it."""
    try:
        if arch != "um":
            kunit_run.build_in(options.parse(["build", f"--arch={arch}"]), side)
            return Exit.PASS, "builds"
        decided = kunit_run.decide_in(options.parse(["run", f"--timeout={_TIMEOUT_SECONDS}"]), side)
    except MhpError as err:
        return err.status, str(err).replace("\n", " ")
    first = f"; {decided.findings[0].title}" if decided.findings else ""
    return decided.status, f"{decided.counts}{first}"

# SPDX-License-Identifier: GPL-2.0
"""How long add, online, offline and remove of a memory block take, with the series and without it.

The guests measure it themselves (kunit/times_kunit.c); boots with and without the series take turns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mhp import kunit_run, options, sidetree
from mhp.exits import Exit, MhpError
from mhp.tree import PreparedTree, read_state, using

STEPS = ("add", "online", "offline", "remove")
ELSEWHERE, SELF_HOSTED = "memmap elsewhere", "memmap self-hosted"
WANTED = 1.1
_CYCLES = 60
_TIMEOUT_SECONDS = 60
_SIDE = "without-series"
_LINE = re.compile(r"# cycle_\w+: (memmap [\w-]+): (\w+) takes (\d+) ns, median of \d+$", re.M)


@dataclass(frozen=True)
class Times:
    """Of one boot: microseconds by (where the memmap is, step)."""

    microseconds: dict[tuple[str, str], float]


def read(text: str) -> Times:
    """The times in a guest's log. Raises MhpError(NOTHING_RAN) when a step is not there."""
    found = {(where, step): int(ns) / 1000 for where, step, ns in _LINE.findall(text)}
    if missing := [step for step in STEPS if (ELSEWHERE, step) not in found]:
        raise MhpError(Exit.NOTHING_RAN, f"the guest's log has no time for: {', '.join(missing)}")
    return Times(found)


def without_series(tree: PreparedTree) -> PreparedTree:
    """A tree beside the prepared one that ends below the mm patches."""
    made_from = read_state(tree)
    made_from = replace(made_from, series=False, chain=[link for link in made_from.chain if link.part != "mm"])
    return sidetree.ensure(tree, _SIDE, made_from.tip, "the tree without the series", made_from)


def boot(tree: PreparedTree) -> Times:
    """Build when needed, boot, measure. Raises MhpError(FINDINGS) when a case fails."""
    words = ["run", f"--timeout={_TIMEOUT_SECONDS}", f"--kernel_args=times_kunit.cycles={_CYCLES}", "mhp_times"]
    decided = kunit_run.decide_in(options.parse(words), tree)
    log: Path = tree.build / "um" / "test.log"
    if decided.status != Exit.PASS:
        raise MhpError(Exit.FINDINGS, f"mhp_times ended with {decided.status.name}, see {log}")
    return read(log.read_text(encoding="utf-8", errors="replace"))


def measure(tree: PreparedTree, rounds: int) -> tuple[list[Times], list[Times]]:
    """Times without and with the series, of `rounds` boots each, in turn.

    Raises MhpError(USAGE) when the series is switched off.
    """
    with using(tree):
        if not read_state(tree).part("mm"):
            raise MhpError(Exit.USAGE, "the series is switched off, nothing to compare: `scripts/series apply`")
        side = without_series(tree)
        for one in (side, tree):  # builds, and warms the host's caches
            boot(one)
        pairs = [(boot(side), boot(tree)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def column(times: Sequence[Times], where: str, step: str) -> list[float]:
    """One step's microseconds, boot by boot; empty when it was not measured."""
    return [one.microseconds[where, step] for one in times if (where, step) in one.microseconds]

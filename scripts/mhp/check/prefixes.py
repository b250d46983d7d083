# SPDX-License-Identifier: GPL-2.0
"""The series where it can be run: on the shims and the suites, each prefix a commit that boots."""

import hashlib
from dataclasses import dataclass, replace

from mhp import chain, inputs, paths
from mhp.check.model import Job, Report
from mhp.check.once import Once
from mhp.check.series import Series
from mhp.exits import Exit, MhpError
from mhp.state import Link, State
from mhp.tree import PreparedTree, read_state


@dataclass(frozen=True)
class Prefixes:
    """What the trees that boot are made from: states[0] without the series, states[n] with its patches 1 to n.

    problem: why there are no more of them. broken: that is about the shims, so that there is none at all.
    """

    states: tuple[State, ...]
    problem: str = ""
    broken: bool = False


_known: Once[Prefixes] = Once()


def of(job: Job) -> Prefixes:
    """The prefixes of the series that is checked; worked out once, in the object store."""
    series = job.series
    name = inputs.digest(job.tree.id, series.base, series.what,
                         *(hashlib.sha256(patch.raw).hexdigest() for patch in series.patches))
    return _known.get(name, lambda: _worked_out(job.tree, series))


def cannot_run(job: Job, number: int) -> Report | None:
    """The report of a check that cannot run the suites with patches 1 to `number`; None when it can."""
    found = of(job)
    if found.broken:
        return Report(skipped=f"the base is broken: the shims and the suites do not go on top of it: {found.problem}",
                      broken=True)
    if number >= len(found.states):
        return Report(skipped=f"the series does not go on top of the shims: {found.problem}")
    return None


def _worked_out(tree: PreparedTree, series: Series) -> Prefixes:
    known = read_state(tree)
    below = inputs.steps(known.shims, False)
    before = replace(known, base=series.base, chain=known.chain if series.base == known.base else [])
    links, problem = chain.as_far(tree.git, series.base, [*below, *series.steps], before)
    if len(links) < len(below):
        return Prefixes((), problem, True)
    states = [replace(before, series=False, move=None, chain=links[:count])
              for count in range(len(below), len(links) + 1)]
    # The cases of our own series (CONFIG_MHP_SERIES) want all of it.
    if not problem and _is_ours(tree, series, known, links):
        states[-1] = replace(states[-1], series=True)
    return Prefixes(tuple(states), problem)


def _is_ours(tree: PreparedTree, series: Series, known: State, links: list[Link]) -> bool:
    """Whether it is the series of mm-patches/, or gives the same files, whatever it is read from."""
    if series.what == str(paths.MM_PATCHES / known.shims):
        return True
    try:
        steps = inputs.steps(known.shims, True)
        ours = chain.build(tree.git, series.base, steps, replace(known, base=series.base, chain=links))
    except MhpError as err:
        if err.status != Exit.BROKEN_BASE:
            raise
        return False
    same = {tree.git.resolve(f"{some[-1].commit}^{{tree}}") for some in (ours, links)}
    return len(same) == 1 and None not in same

# SPDX-License-Identifier: GPL-2.0
"""The samples of the checks, on the real kernel: a bad one is caught by its check and by no other."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mhp import matrix
from mhp.check import guests, kernels, registry, series, table
from mhp.check.model import Check, Status
from mhp.check.runner import Listener, Runner, units
from mhp.check.series import Series
from mhp.tree import PreparedTree, prepare, read_state, using

# Those of the tiers that build and boot need a compiler for each architecture, and ten minutes each: they are the parts
# checks-build and checks-run of scripts/test.
TIERS = os.environ.get("MHP_CHECK_TIERS", "quick").split(",")
CHECKS = [check for check in registry.all_checks() if check.tier in TIERS]
# No sample may be caught by a quick check that is not its own, either.
SHOWN = [check for check in registry.all_checks() if check.tier in (*TIERS, registry.TIERS[0])]
# What a base without history leaves open.
NEED_HISTORY = ("subject",)


@pytest.fixture(name="tree", scope="module")
def fixture_tree() -> Iterator[PreparedTree]:
    kdir = os.environ.get("LINUX")
    tree = prepare(Path(kdir) if kdir else None)
    with using(tree):
        yield tree


@pytest.fixture(name="place", scope="module")
def fixture_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: what two samples have in common is looked at once."""
    return tmp_path_factory.mktemp("check")


@pytest.fixture(name="one_boot", autouse=True)
def fixture_one_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first boot of an architecture is enough for a sample."""
    monkeypatch.setattr(guests, "rows", lambda arch: matrix.chosen(matrix.QUICK, arch)[:1])


def sample(tree: PreparedTree, check: Check, which: str) -> Series:
    """A sample as a series, with its previous version; the kernel with shims is another base to try."""
    directory = check.directory / "samples"
    found = series.read(tree, str(directory / f"{which}.mbox"), None)
    previous = directory / f"{which}.previous.mbox"
    before = series.read(tree, str(previous), None) if previous.exists() else None
    shims = read_state(tree).part("suites")[-1].commit
    return Series(**{**vars(found), "previous": before, "onto": (("the kernel with shims", shims),)})


def statuses(tree: PreparedTree, found: Series, place: Path) -> dict[str, Status]:
    """The worst status of each check."""
    missing = [kernel.missing for kernel in kernels.kernels("arch") if kernel.missing]
    if any("s390" in text for text in missing) and found.what.endswith("arches/samples/bad.mbox"):
        pytest.skip("; ".join(missing))
    results = Runner(tree, found, place, []).run(units(SHOWN, found, None), Listener())
    assert not table.broken(results)
    order = list(Status)
    out: dict[str, Status] = {}
    for result in results:
        out[result.check] = min(out.get(result.check, result.status), result.status, key=order.index)
    return out


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_bad_sample_is_caught_by_its_check_alone(check: Check, tree: PreparedTree, place: Path) -> None:
    found = statuses(tree, sample(tree, check, "bad"), place)
    assert [name for name, status in found.items() if status in (Status.FAIL, Status.WARN)] == [check.name]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_good_sample_passes(check: Check, tree: PreparedTree, place: Path) -> None:
    series_of = sample(tree, check, "good")
    found = statuses(tree, series_of, place)
    assert [name for name, status in found.items() if status in (Status.FAIL, Status.WARN)] == []
    wanted = Status.SKIP if check.name in NEED_HISTORY and not series_of.history else Status.PASS
    assert found[check.name] == wanted


@pytest.mark.parametrize("check", [check for check in CHECKS if check.applied and check.scope == "patch"],
                         ids=lambda check: check.name)
def test_fault_that_the_next_patch_takes_back_is_told_of_its_own_patch(
        check: Check, tree: PreparedTree, place: Path) -> None:
    """At its end such a series is as good as the base: only who looks at every patch by itself sees the fault."""
    bad = sample(tree, check, "bad")
    base = tree.git.text("rev-parse", f"{bad.base}^{{tree}}")
    back = tree.git.text("-c", "user.name=A Tester", "-c", "user.email=tester@example.org",
                         "commit-tree", "-p", bad.tip, "-m", "mm: take the fault back", base)
    whole = series.read(tree, f"{bad.base}..{back}", None)
    results = Runner(tree, whole, place, []).run(units([check], whole, None), Listener())
    assert not table.broken(results)
    told = [result.patch for result in results if result.status in (Status.FAIL, Status.WARN)]
    assert told and whole.patches[-1].number not in told

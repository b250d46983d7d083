# SPDX-License-Identifier: GPL-2.0
"""The run tier of scripts/check without a guest: prefixes, what is kept, and what counts as the series' fault."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World, git, write

from mhp import each, kunit_run, paths, state
from mhp.check import by_case, cache, guests, prefixes, reached, registry, series
from mhp.check.guests import Fault, Outcome
from mhp.check.model import Job, Status
from mhp.coverage import judge
from mhp.coverage.patches import Own, Patch
from mhp.coverage.scope import Run
from mhp.exits import Exit, MhpError
from mhp.ktap import Finding
from mhp.results import Case
from mhp.tree import PreparedTree, read_state, using
from mhp.verdict import Verdict

RIGHT = Outcome("PASS", {"s.a": "PASS", "s.b": "PASS", "s.c": "SKIP"}, skips={"s.c": "needs more"})
WRONG = Outcome("FINDINGS", {"s.a": "FAIL", "s.b": "PASS", "s.c": "SKIP"},
                (Fault("FINDINGS", "s.a failed at x.c:7", "s.a", "expected 1"),))
PANICS = Outcome("PANIC", {"s.b": "PASS"}, (Fault("PANIC", "Kernel panic - not syncing: at 0x1234", "s.a", "trace"),))
BLANK = Outcome("NOTHING_RAN", {"s.a": "SKIP"}, (Fault("NOTHING_RAN", "every case was skipped: nothing was tested"),),
                skips={"s.a": "needs more"})
BROKEN = Outcome("BUILD_FAILED", error="mm/a.c:1: error: no such thing")


@pytest.fixture(name="job")
def fixture_job(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setattr(guests, "_remembered", {})
    for number in (1, 2, 3):
        world.mm_patch(number)
    tree = world.prepare()
    with using(tree):
        yield the_job(tree, tmp_path)


def the_job(tree: PreparedTree, tmp_path: Path, what: str | None = None, number: int = 1) -> Job:
    found = series.read(tree, what, None)
    return Job(found, found.patches[number - 1], tree, tmp_path)


def test_prefixes_are_the_prepared_chain(job: Job) -> None:
    known = read_state(job.tree)
    found = prefixes.of(job)
    assert [one.tip for one in found.states] == [known.below_mm, *(link.commit for link in known.part("mm"))]
    assert [one.series for one in found.states] == [False, False, False, True] and not found.problem


def test_series_of_others_takes_the_place_of_ours(job: Job, world: World, tmp_path: Path) -> None:
    box = tmp_path / "other.mbox"
    box.write_text((world.patches / "0002-mm-change-2.patch").read_text())
    found = prefixes.of(the_job(job.tree, tmp_path, str(box)))
    assert [one.series for one in found.states] == [False, False]
    assert len(found.states[1].part("mm")) == 1
    text = git(world.linux, "show", f"{found.states[1].tip}:mm/memory_hotplug.c")
    assert "return 20 + 1;" in text and "return 10;" in text
    assert git(world.linux, "show", f"{found.states[1].tip}:mm/mhp_kunit/first_kunit.c")


def test_our_series_in_a_mail_box_is_ours(job: Job, world: World, tmp_path: Path) -> None:
    box = tmp_path / "ours.mbox"
    box.write_text("".join(path.read_text() for path in sorted(world.patches.glob("*.patch"))))
    assert prefixes.of(the_job(job.tree, tmp_path, str(box))).states[-1].series


def test_series_that_meets_the_shims_is_skipped(job: Job, world: World, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does git put the two versions of the file where the user is."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    box = tmp_path / "meets.mbox"
    patch = world.patch(tmp_path, "0001-um.patch", {"arch/um/kernel/hotplug.c": ("", "int mine;\n")}, "um: a file")
    box.write_text(patch.read_text())
    other = the_job(job.tree, tmp_path, str(box))
    assert other.series.applies
    report = prefixes.cannot_run(other, 1)
    assert report and report.status == Status.SKIP and not report.broken and "on top of the shims" in report.line
    assert not list(here.iterdir())


def test_base_that_the_shims_do_not_fit_is_broken(job: Job, world: World, tmp_path: Path) -> None:
    (world.kernel / "arch/um/kernel").mkdir()
    (world.kernel / "arch/um/kernel/hotplug.c").write_text("int theirs;\n")
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "um: has it by now")
    (world.kernel / "mm/Kconfig").write_text("config A\n\tbool\n")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: change")
    found = series.read(job.tree, "HEAD^..HEAD", world.kernel)
    report = prefixes.cannot_run(Job(found, found.patches[0], job.tree, tmp_path), 1)
    assert report and report.broken and "the base is broken" in report.line


def verdict(outcome: Outcome) -> Verdict:
    return Verdict(Exit[outcome.status], tuple(Finding(Exit[one.kind], one.title, 0, one.case, (one.text,))
                                               for one in outcome.faults),
                   tuple(Case(name, status) for name, status in outcome.cases.items()), outcome.skips)


def test_prefix_is_booted_once_and_again_only_when_it_differs(job: Job, world: World, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    booted: list[str] = []

    def decide(_options: object, side: PreparedTree) -> Verdict:
        booted.append(git(side.path, "log", "-1", "--format=%s"))
        return verdict(WRONG)

    monkeypatch.setattr(kunit_run, "decide_in", decide)
    program = next(check for check in registry.all_checks() if check.name == "kunit-um").program

    def go() -> None:
        guests._remembered.clear()  # pylint: disable=protected-access
        for number in (1, 2, 3):
            program(the_job(job.tree, tmp_path, number=number))

    go()
    assert booted == ["kunit: the suites", "mm: change 1", "mm: change 2", "mm: change 3"]
    go()
    assert len(booted) == 4
    file = world.patches / "0002-mm-change-2.patch"
    file.write_text(file.read_text().replace("20 + 1", "20 + 2"))
    go()
    assert booted[4:] == ["mm: change 2", "mm: change 3"]
    assert guests.outcome(job, 0) == WRONG


def test_hang_counts_only_when_it_comes_twice(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = iter([Exit.TIMEOUT, Exit.PASS])
    monkeypatch.setattr(kunit_run, "decide_in", lambda _options, _side: Verdict(next(ends)))
    assert guests.outcome(job, 1).right


def test_build_that_fails_is_an_outcome_and_a_missing_tool_is_none(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(status: Exit) -> None:
        def decide(_options: object, side: PreparedTree) -> Verdict:
            raise MhpError(status, f"{side.path}/mm/a.c: error\nrepeat: kunit.py run")
        monkeypatch.setattr(kunit_run, "decide_in", decide)

    fails(Exit.BUILD_FAILED)
    assert guests.outcome(job, 1) == Outcome("BUILD_FAILED", error="mm/a.c: error")
    fails(Exit.MISSING_TOOL)
    with pytest.raises(MhpError):
        guests.outcome(job, 2)


def test_build_that_failed_is_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk gives the same words as a wrong patch."""
    monkeypatch.setattr(guests, "_try", lambda _job, _number, _row: BROKEN)
    program = next(check for check in registry.all_checks() if check.name == "kunit-um").program
    assert not program(job).keep
    guests._remembered.clear()  # pylint: disable=protected-access
    monkeypatch.setattr(guests, "_try", lambda _job, _number, _row: RIGHT)
    report = program(job)
    assert report.keep and report.status == Status.PASS


def test_work_tree_is_that_of_series_each(job: Job) -> None:
    side = guests.at(job, 2)
    assert side.build == job.tree.build / each.DIRECTORY
    kept = state.load(side.build)
    assert kept and len(kept.part("mm")) == 2 and not kept.series


@pytest.mark.parametrize("before, after, levels, said", [
    (RIGHT, RIGHT, [], ""),
    (RIGHT, WRONG, [Status.FAIL], "um: s.a failed at x.c:7; it passed before"),
    (WRONG, WRONG, [], ""),
    (WRONG, RIGHT, [], ""),
    (RIGHT, PANICS, [Status.FAIL], "um: PANIC: Kernel panic"),
    (PANICS, PANICS, [], ""),
    (RIGHT, BROKEN, [Status.FAIL], "um: the kernel does not build"),
    (BROKEN, BROKEN, [], ""),
    (BROKEN, RIGHT, [], ""),
    (RIGHT, replace(RIGHT, status="REPORT", faults=(Fault("REPORT", "WARNING: at mm/x.c:9", "s.b"),)), [Status.FAIL],
     "um: REPORT: WARNING: at mm/x.c:9"),
    (RIGHT, replace(RIGHT, cases={**RIGHT.cases, "s.new": "FAIL"}, status="FINDINGS"), [Status.FAIL], "it is new"),
    (RIGHT, replace(RIGHT, cases={"s.a": "PASS", "s.c": "SKIP"}), [Status.WARN], "s.b is gone"),
    (RIGHT, replace(RIGHT, cases={**RIGHT.cases, "s.b": "SKIP"}), [Status.WARN], "s.b is skipped now")])
def test_only_what_is_worse_is_the_patch_s_fault(before: Outcome, after: Outcome, levels: list[Status], said: str) -> None:
    found = by_case.compare(before, after, "um")
    assert [finding.level for finding in found.findings] == levels
    assert not levels or said in found.findings[0].text


def test_guest_that_hangs_anyway_may_do_so_elsewhere() -> None:
    def hangs(after: str) -> Outcome:
        return Outcome("TIMEOUT", {"s.a": "PASS"}, (Fault("TIMEOUT", f"no end after {after}", after),))

    assert not by_case.compare(hangs("s.a"), hangs("s.b"), "um").findings
    assert by_case.compare(RIGHT, hangs("s.b"), "um").findings


@pytest.mark.parametrize("old, new, same", [
    ("WARNING: CPU: 0 PID: 1 at mm/x.c:12 f+0x1/0x2", "WARNING: CPU: 0 PID: 31 at mm/x.c:17 f+0x3/0xa2", True),
    ("WARNING: CPU: 0 PID: 1 at mm/x.c:12 f+0x1/0x2", "WARNING: CPU: 0 PID: 1 at mm/y.c:12 g+0x1/0x2", False),
    ("kernel BUG at mm/x.c:9!", "kernel BUG at mm/sparse-vmemmap.c:9!", False),
    ("BUG: Bad page state in process kunit  pfn:1a2b0", "BUG: Bad page state in process kunit  pfn:07f", True)])
def test_report_is_known_by_its_place(old: str, new: str, same: bool) -> None:
    before, after = (replace(RIGHT, status="REPORT", faults=(Fault("REPORT", title, "s.b"),)) for title in (old, new))
    assert (not by_case.compare(before, after, "um").findings) == same
    twice = replace(after, faults=after.faults * 2)
    assert by_case.compare(before, twice, "um").findings


@pytest.mark.parametrize("before, after, status, broken", [
    (RIGHT, RIGHT, Status.PASS, False),
    (WRONG, WRONG, Status.PASS, True),
    (PANICS, PANICS, Status.SKIP, True),
    (BROKEN, BROKEN, Status.SKIP, True),
    (WRONG, PANICS, Status.FAIL, True),
    (WRONG, RIGHT, Status.PASS, False),
    (BROKEN, RIGHT, Status.PASS, False),
    (BLANK, BLANK, Status.SKIP, False),
    (BLANK, RIGHT, Status.PASS, False),
    (RIGHT, BLANK, Status.FAIL, False),
    (replace(BLANK, cases={}), replace(BLANK, cases={}), Status.SKIP, True)])
def test_base_that_fails_is_said_to_be_broken(before: Outcome, after: Outcome, status: Status, broken: bool) -> None:
    compared = [by_case.compare(before, after, "um")]
    report = by_case.report(compared, "all", "the base")
    assert (report.status, report.broken) == (status, broken)
    assert not by_case.report(compared, "all", "").broken


def test_boot_that_has_nothing_to_test_says_nothing_of_the_base() -> None:
    compared = [by_case.compare(one, one, "um") for one in (RIGHT, BLANK)]
    report = by_case.report(compared, "all", "the base")
    assert (report.status, report.broken, report.line) == (Status.PASS, False, "all")


def test_run_of_coverage_is_left_out_when_it_can_reach_nothing_more() -> None:
    def left(unreached: list[tuple[str, int]], uncompiled: dict[str, list[int]], seen: bool) -> set[str]:
        own = [Own(Patch(1, "c", "s"), {}, uncompiled)]
        return reached.left_of(judge.Judged([], own, {}, unreached, {}, [], [], []), seen)

    x86, um = Run("quick", "x86_64", "x86", ()), Run("quick", "um", "", ("a",))
    assert not reached.wanted(x86, left([], {}, False))
    assert reached.wanted(x86, left([("mm/a.c", 3)], {}, True))
    assert not reached.wanted(x86, left([("arch/powerpc/mm/a.c", 3)], {}, False))
    assert reached.wanted(x86, left([], {"arch/x86/mm/a.c": [1]}, False))
    assert not reached.wanted(um, left([], {"arch/x86/mm/a.c": [1]}, False))
    assert not reached.wanted(x86, left([], {"mm/a.c": [1]}, True))
    assert not reached.wanted(um, ["arch/x86/mm/a.c"]) and reached.wanted(um, ["mm/a.c", "arch/x86/mm/a.c"])


@pytest.mark.parametrize("variable", ["MHP_CC", "LLVM", "KCFLAGS"])
def test_prefix_is_booted_again_with_another_compiler(job: Job, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    before = guests.key(job, 1)
    monkeypatch.setenv(variable, "-other")
    assert guests.key(job, 1) != before


@pytest.mark.parametrize("name", ["coverage/scope", "coverage/thresholds", "scripts/mhp/coverage/gcov.py"])
def test_coverage_is_counted_again_when_it_counts_otherwise(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            name: str) -> None:
    (check,) = (one for one in registry.all_checks() if one.name == "unreached")
    monkeypatch.setattr(paths, "COVERAGE", tmp_path / "coverage")
    monkeypatch.setattr(paths, "SCRIPTS", tmp_path / "scripts")
    write(tmp_path, {"coverage/scope": "a", "scripts/mhp/coverage/gcov.py": "a"})
    before = cache.key(check, job)
    write(tmp_path, {name: "b"})
    assert cache.key(check, job) != before


def test_files_of_other_architectures_do_not_count(job: Job, world: World) -> None:
    def hashes(name: str) -> list[str]:
        commit = _commit_new(world, name)
        return [guests.files(job.git, commit, arch) for arch in ("um", "x86_64", "powerpc")]

    old = hashes("mm/page_alloc.c")
    for name, changed in (("arch/powerpc/a.c", [False, False, True]), ("arch/x86/a.c", [True, True, False]),
                          ("arch/um/a.c", [True, False, False]), ("arch/Kconfig", [True] * 3), ("lib/a.c", [True] * 3),
                          ("Documentation/a.rst", [False] * 3)):
        new = hashes(name)
        assert [one != other for one, other in zip(old, new)] == changed, name
        old = new


def _commit_new(world: World, name: str) -> str:
    path = world.linux / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{name}\n")
    git(world.linux, "add", "-A")
    git(world.linux, "commit", "-q", "-m", name)
    return git(world.linux, "rev-parse", "HEAD")

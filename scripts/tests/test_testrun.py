# SPDX-License-Identifier: GPL-2.0
"""`make test`: its parts, what counts as passed, and its last line."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World, write

from mhp import matrix, stock, testparts, testrun
from mhp.exits import Exit, MhpError
from mhp.results import Counts
from mhp.stock import StockRun
from mhp.testparts import Context, Death, Outcome, Part, death_problem, read_deaths


@pytest.fixture(name="context")
def fixture_context(world: World) -> Context:
    tree = world.prepare()
    return Context(tree, (), tree.build, False)


def part(outcome: Outcome | Exception, name: str = "one", group: str = "guests") -> Part:
    def work(_context: Context) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    return Part(name, group, "about it", work)


def run(world: World, monkeypatch: pytest.MonkeyPatch, *parts: Part) -> int:
    monkeypatch.setattr(testparts, "parts", lambda: list(parts))
    return testrun.run([], world.kernel, None, False)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_sum_of_parts(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, monkeypatch, part(Outcome(Counts(3, 0, 0))), part(Outcome(Counts(4, 0, 0)))) == Exit.PASS
    assert last_line(capsys) == "7 passed, 0 failed"


def test_failure_of_any_part_fails(world: World, monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    bad = part(Outcome(Counts(3, 2, 1), ("a.b: why",), ("a.c: reason",)))
    assert run(world, monkeypatch, bad, part(Outcome(Counts(1)))) == Exit.FINDINGS
    out = capsys.readouterr().out
    assert "failed: one: a.b: why" in out and "skipped: one: a.c: reason" in out
    assert out.splitlines()[-1] == "4 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize("nothing", [Outcome(Counts()), Outcome(Counts(skipped=5))])
def test_part_without_a_test_fails(world: World, monkeypatch: pytest.MonkeyPatch, nothing: Outcome,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, monkeypatch, part(nothing)) == Exit.FINDINGS
    assert last_line(capsys).startswith("0 passed, 1 failed")


def test_part_that_cannot_run_fails_and_the_others_go_on(
        world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = part(MhpError(Exit.BUILD_FAILED, "no compiler"))
    assert run(world, monkeypatch, broken, part(Outcome(Counts(1)))) == Exit.FINDINGS
    out = capsys.readouterr().out
    assert "BUILD_FAILED: no compiler" in out and out.splitlines()[-1] == "1 passed, 1 failed"


def test_chosen_parts() -> None:
    parts = [part(Outcome(Counts()), "a", "pytest"), part(Outcome(Counts()), "b"), part(Outcome(Counts()), "c")]
    assert [one.name for one in testrun.chosen([], parts)] == ["a", "b", "c"]
    assert [one.name for one in testrun.chosen(["guests"], parts)] == ["b", "c"]
    assert [one.name for one in testrun.chosen(["c", "a"], parts)] == ["a", "c"]
    long = replace(parts[0], name="l", group=testrun.LONG)
    assert long not in testrun.chosen([], [*parts, long]) and testrun.chosen(["l"], [*parts, long]) == [long]
    with pytest.raises(MhpError, match="no such part"):
        testrun.chosen(["d"], parts)


def test_each_config_is_a_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testparts.matrix, "rows", lambda: matrix.parse("", "none"))
    write(world.kunit, {"configs/numa.config": "# Nodes\n# kernel_args: uml_nodes=2 'a b'\nCONFIG_NUMA=y\n",
                        "configs/other.config": "# test: no, needs a program\nCONFIG_X=y\n"})
    names = [one.name for one in testparts.parts()]
    assert "kunit-numa" in names and "kunit-quick" in names and "kunit-other" not in names
    assert testparts.directives(world.kunit / "configs/numa.config") == {"kernel_args": "uml_nodes=2 'a b'"}


def pytest_in(context: Context, text: str) -> Outcome:
    tests = context.output / "some"
    write(tests, {"test_it.py": text})
    return testparts._pytest(tests)(context)


def test_pytest_cases_are_counted(context: Context) -> None:
    outcome = pytest_in(context, "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
                        "def test_c(): pytest.skip('why')\n@pytest.fixture\ndef bad(): 1/0\ndef test_d(bad): pass\n")
    assert outcome.counts == Counts(1, 2, 1)
    assert outcome.skips == ("test_it.test_c: why",) and sorted(outcome.problems[:2]) == ["test_it.test_b", "test_it.test_d"]


def test_pytest_that_cannot_collect_fails(context: Context) -> None:
    assert pytest_in(context, "import nothing_like_this\n").counts.failed == 1
    assert pytest_in(context, "no python (\n").counts.failed >= 1


def test_pytest_leaves_no_temporary_files(context: Context) -> None:
    outcome = pytest_in(context, "def test_a(tmp_path):\n    (tmp_path / 'a').touch()\n"
                        f"    open({str(context.output / 'where')!r}, 'w').write(str(tmp_path))\n")
    assert outcome.counts == Counts(1, 0, 0)
    place = Path((context.output / "where").read_text())
    assert "mhp-test-" in str(place) and not place.parent.parent.exists()


def test_pytest_without_tests_fails(context: Context) -> None:
    assert pytest_in(context, "x = 1\n").counts == Counts(0, 1, 0)


DEATH = Death("d", "", ("a=b",), Exit.PANIC, ("first \\d+", "second"), ("survived",))


@pytest.mark.parametrize(("status", "text", "problem"), [
    (9, "first 1\nsecond\n", None),
    (0, "first 1\nsecond\n", "exit status 0, not 9"),
    (9, "second\nfirst 1\n", "not in the log: second"),
    (9, "first 1\nsecond\nit survived", "must not be: survived")])
def test_death_problem(status: int, text: str, problem: str | None) -> None:
    found = death_problem(DEATH, status, text)
    assert found is None if problem is None else found and problem in found


def test_table_of_deaths_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "deaths.toml"
    good = '[[death]]\nname = "n"\nkernel_args = ["a"]\nstatus = "PANIC"\nlog = ["x"]\n'
    path.write_text(good, encoding="utf-8")
    assert read_deaths(path) == [Death("n", "", ("a",), Exit.PANIC, ("x",), ())]
    for bad in (good.replace("PANIC", "GONE"), good.replace('"x"', '"("'), "[[death]]\n", "death = 3\n", "["):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(MhpError, match=r"deaths\.toml"):
            read_deaths(path)


def test_own_table_of_deaths_is_right() -> None:
    assert read_deaths(Path(__file__).parent / "deaths.toml")


def stock_run(cases: dict[str, str], *reports: str, halted: bool = True) -> StockRun:
    return StockRun(cases, list(reports), halted)


@pytest.mark.parametrize(("ours", "difference"), [
    (stock_run({"a": "PASS", "b": "SKIP"}, "WARNING: N"), []),
    (stock_run({"a": "FAIL", "b": "SKIP"}), ["a: PASS without the shims, FAIL with them"]),
    (stock_run({"a": "PASS"}), ["b: SKIP without the shims, absent with them"]),
    (stock_run({"a": "PASS", "b": "SKIP", "c": "PASS"}), ["c: absent without the shims, PASS with them"]),
    (stock_run({"a": "PASS", "b": "SKIP"}, "WARNING: N", "WARNING: N"), ["only with the shims: WARNING: N"]),
    (stock_run({"a": "PASS", "b": "SKIP"}, halted=False), ["with the shims the guest did not come to its clean end"])])
def test_stock_runs_are_compared(ours: StockRun, difference: list[str]) -> None:
    assert stock.differences(stock_run({"a": "PASS", "b": "SKIP"}, "WARNING: N"), ours) == difference

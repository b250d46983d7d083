# SPDX-License-Identifier: GPL-2.0
"""Guests side by side: each suite in one of them, one verdict on all, and nothing left of any."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from small_kunit import Kunit, change_edit
from small_world import write
from test_guard import mentioning

from mhp import building, guard, paths, results, shares, upstream
from mhp.builddir import BuildDir
from mhp.building import Fast
from mhp.exits import Exit
from mhp.unchanged import Change, Key
from mhp.upstream import Job

SUITES = re.findall(r'\.name = "(mhp_\w+)",', "".join(
    path.read_text(encoding="utf-8") for path in sorted((paths.SCRIPTS.parent / "kunit").rglob("*_kunit.c"))))


@pytest.fixture(name="shared")
def fixture_shared(kunit: Kunit) -> Kunit:
    """A kernel that is built, and two processors."""
    kunit("run")
    assert kunit.calls
    kunit.printed()
    kunit.processors(2)
    return kunit


@pytest.mark.parametrize(("processors", "guests"), [(1, 1), (2, 2), (3, 2), (4, 4), (64, 4)])
def test_each_suite_is_in_one_share(processors: int, guests: int) -> None:
    globs = shares.globs(processors)
    assert len(globs) == guests and len(SUITES) > 30
    for name in [*SUITES, "mhp_0", "mhp_Upper", "mhp__", "list-kunit-test", "hlist", "e", "9", "\xe9"]:
        assert sum(fnmatchcase(name, glob) for glob in globs) == 1, name
    assert guests == 1 or all(any(fnmatchcase(name, glob) for name in SUITES) for glob in globs)


def test_two_guests_one_verdict(shared: Kunit) -> None:
    shared.logs("ok", "warn_in_ok_case")
    assert shared("exec") == Exit.REPORT
    assert [(call[0], call[-1]) for call in sorted(shared.calls, key=lambda call: call[-1])] == [
        ("exec", glob) for glob in sorted(shares.globs(2))]
    printed = shared.printed()
    assert printed.count("Testing complete.") == 2 and "6 passed" in printed
    # The finding's line is that of the joined log.
    line = int(re.search(r"REPORT: WARNING.*\(line (\d+)", printed)[1])  # type: ignore[index]
    assert "WARNING" in (shared.build / "test.log").read_text().splitlines()[line - 1]
    assert [case.status for case in results.read(shared.build / "results.json") or []] == ["PASS"] * 6


@pytest.mark.parametrize("words", [("a.b",), ("--kernel_args=x=1",), ("--json",), ("--raw_output",), ("--guests=1",),
                                   ("--filter=speed>slow",), ("--list_tests",)])
def test_command_line_about_one_guest(shared: Kunit, words: tuple[str, ...]) -> None:
    shared("exec", *words)
    assert [call[0] for call in shared.calls if call[0] != "parse"] == ["exec"]


def test_suites_that_are_not_ours_are_not_shared(shared: Kunit) -> None:
    for subcommand in ("run", "exec"):
        assert shared(subcommand, "--kconfig_add=CONFIG_MHP_KUNIT=n", "--kconfig_add=CONFIG_LIST_KUNIT_TEST=y") == Exit.PASS
    assert [call[0] for call in shared.calls] == ["run", "exec"]


def test_run_that_builds_by_make_is_shared(shared: Kunit) -> None:
    """Upstream's `build` gets what it knows of the arguments, the guests get all."""
    write(shared.world.kunit, {"configs/quick.config": "# kernel_args: page_owner=on b=1\nCONFIG_BITS=21\n"})
    assert shared("run", "--config=quick", "--timeout=9", "--jobs=2") == Exit.PASS
    build, *guests = shared.calls
    assert build[0] == "build" and not [word for word in build if word.startswith(("--timeout", "--kernel_args"))]
    assert "--jobs=2" in build and "--kconfig_add=CONFIG_BITS=21" in build
    assert [call[0] for call in guests] == ["exec", "exec"]
    for call in guests:
        assert "--timeout=9" in call and {"--kernel_args=page_owner=on", "--kernel_args=b=1"} < set(call)


def test_make_that_fails_boots_nothing(shared: Kunit) -> None:
    shared.mode("build_error")
    assert "expected ';'" in shared.fails(Exit.BUILD_FAILED, "run", "--kconfig_add=CONFIG_NEW=y")
    assert [call[0] for call in shared.calls] == ["build"]


def test_guests_can_be_asked_for(shared: Kunit) -> None:
    shared("exec", "--guests=4")
    assert len(shared.calls) == 4


def test_hanging_guest_is_a_timeout_of_its_own(shared: Kunit) -> None:
    shared.logs("ok", "hung")
    shared.mode("hang daemon")
    shared.monkeypatch.setattr(upstream, "_EXTRA_SECONDS", 1)
    assert shared("exec", "--timeout=1") == Exit.TIMEOUT
    printed = shared.printed()
    assert printed.count("TIMEOUT: ") == 1 and "did not end within 1 s" in printed
    assert not mentioning(str(shared.calls_file), "environ")


def test_repeat_compares_one_guest_with_several(shared: Kunit) -> None:
    assert shared("exec", "--repeat=2") == Exit.PASS
    assert len(shared.calls) == 4


def _after(tmp_path: Path, first: str) -> tuple[guard.Ended, list[shares.Share], str]:
    """Two guests of a kernel that the shell command `first` is to make; what was printed."""
    kernel = tmp_path / "build dir" / "linux"
    kernel.parent.mkdir()
    parts = shares.prepare(kernel, kernel.with_name("System.map"), shares.globs(2), True)
    words = shares.command(parts, [[str(part.path / "linux"), part.glob] for part in parts], upstream.PYTHON,
                           (["sh", "-c", first, "sh", str(kernel)], {"MADE": "booted"}))
    with (tmp_path / "printed").open("wb") as printed:
        ended = guard.supervise(words, stdout=printed.fileno(), watch=upstream.time_limit(30))
    return ended, parts, (tmp_path / "printed").read_text()


def test_guests_wait_for_what_comes_first(tmp_path: Path) -> None:
    make = 'sleep 0.2; printf "#!/bin/sh\\nsleep 0.1; echo $MADE \\"\\$1\\"\\n" >"$1"; chmod +x "$1"'
    ended, parts, printed = _after(tmp_path, make)
    assert ended.status == 0 and ended.stopped is None and shares.first_status(parts) == 0
    assert printed.splitlines() == [f"booted {part.glob}" for part in parts]
    # What came first is not a part of a guest's time.
    assert all(how is not None and how[0] == 0 and 0.1 <= how[1] for how in shares.ended(parts))


def test_no_guest_runs_when_what_comes_first_fails(tmp_path: Path) -> None:
    ended, parts, printed = _after(tmp_path, "echo wrong >&2; exit 3")
    assert ended.status == 3 and b"wrong" in ended.errors and shares.first_status(parts) == 3 and not printed
    assert shares.ended(parts) == [None, None]
    assert not mentioning(str(parts[0].path))


@pytest.mark.parametrize(("ninja", "status"), [("/no/such/program", Exit.UNFINISHED), ("false", Exit.BUILD_FAILED)])
def test_build_that_did_not_succeed_is_not_recorded(shared: Kunit, ninja: str, status: Exit) -> None:
    def fast(_job: Job, before: Key, found: Change) -> Fast:
        return Fast((ninja,), {}, ("mm/memory_hotplug.o",), before, found.edited)

    shared.monkeypatch.setattr(building, "fast", fast)
    change_edit(shared)
    shared.fails(status, "run")
    assert json.loads(BuildDir(shared.build).stamp.read_bytes())["pending"] == ["mm/memory_hotplug.c"]

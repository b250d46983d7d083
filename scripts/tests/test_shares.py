# SPDX-License-Identifier: GPL-2.0
"""Guests side by side: each suite in one of them, one verdict on all, and nothing left of any."""

import re
from fnmatch import fnmatchcase

import pytest
from test_kunit_run import Kunit, fixture_kunit, mentioning  # pylint: disable=unused-import # noqa: F401

from mhp import paths, results, shares, upstream
from mhp.exits import Exit

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
    for name in [*SUITES, "mhp_0", "mhp_Upper", "mhp__"]:
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
    assert not mentioning("signal.SIGHUP): signal.signal(s, signal.SIG_IGN)")


def test_repeat_compares_one_guest_with_several(shared: Kunit) -> None:
    assert shared("exec", "--repeat=2") == Exit.PASS
    assert len(shared.calls) == 4

# SPDX-License-Identifier: GPL-2.0
"""Patches that must be caught: what they say, and what counts as caught."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from mhp import known_bad, kunit_run, matrix, paths, sidetree
from mhp.arch import Arch
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.known_bad import Fault
from mhp.matrix import Row
from mhp.options import Options
from mhp.results import FAIL, PASS, Case
from mhp.run import Result
from mhp.tree import PreparedTree
from mhp.verdict import Verdict

MAIL = """From: A B <a@example.org>
Subject: [PATCH] mm: a fault

Why it is one.

{caught}
---
diff --git a/mm/a.c b/mm/a.c
--- a/mm/a.c
+++ b/mm/a.c
@@ -1 +1 @@
-int a;
+int b;
"""


QUICK = next(row for row in matrix.rows() if row.set == matrix.QUICK and row.arch != "um")
FULL = next(row for row in matrix.rows() if row.set == matrix.FULL and row.arch != "um")


SIDE = PreparedTree("v0", Path("linux"), Path("build"), "v0", "")


def fault(end: str, glob: str, row: Row | None = None) -> Fault:
    return Fault("name", Path("name.patch"), b"", end, glob, row)


def read(tmp_path: Path, caught: str) -> Fault:
    repository = tmp_path / "r"
    git = Git(repository / ".git", worktree=repository)
    repository.mkdir(exist_ok=True)
    git.check("init", "--quiet")
    path = tmp_path / "name.patch"
    path.write_text(MAIL.format(caught=caught))
    return known_bad._read(git, path)  # pylint: disable=protected-access


@pytest.mark.parametrize("line,end,glob", [
    ("Caught-by: mhp_a.b", "", "mhp_a.b"),
    ("Caught-by: panic mhp_a.*", "panic", "mhp_a.*"),
    ("Caught-by: hang mhp_a.b", "hang", "mhp_a.b"),
])
def test_patch_says_who_notices(tmp_path: Path, line: str, end: str, glob: str) -> None:
    found = read(tmp_path, line)
    assert (found.end, found.glob) == (end, glob)
    assert found.diff.startswith(b"diff --git") or b"int b;" in found.diff


@pytest.mark.parametrize("line", ["", "Caught-by: a b c", "Caught-by: x.y\nCaught-by: x.z", "Caught-by: --kconfig_add=x"])
def test_patch_that_does_not_say_so_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(MhpError) as err:
        read(tmp_path, line)
    assert err.value.status == Exit.USAGE
    assert "Caught-by" in str(err.value)


def test_patch_says_where_it_boots(tmp_path: Path) -> None:
    assert read(tmp_path, "Caught-by: mhp_a.b").row is None
    assert read(tmp_path, f"Boot: {FULL.name}\nCaught-by: mhp_a.b").row == FULL


@pytest.mark.parametrize("line", ["Boot: none-such", "Boot:", "Boot: x86 x86-la57", "Boot: x86\nBoot: x86-la57"])
def test_patch_with_other_boot_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(MhpError, match="no line of scripts/matrix") as err:
        read(tmp_path, f"{line}\nCaught-by: mhp_a.b")
    assert err.value.status == Exit.USAGE


def test_faults_of_one_boot_are_tried_together() -> None:
    um, quick, full = fault("", "a.b"), fault("", "a.b", QUICK), fault("", "a.b", FULL)
    groups = known_bad.by_boot([full, quick, um, quick, full])
    assert groups[0] == (None, [um])
    assert sorted((row.name, len(those)) for row, those in groups if row) == sorted([(QUICK.name, 2), (FULL.name, 2)])


def test_quick_leaves_out_what_is_no_quick_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "check_tools", lambda *_args: None)
    assert known_bad.left_out(None, True) is None and known_bad.left_out(QUICK, True) is None
    assert FULL.name in str(known_bad.left_out(FULL, True))
    assert known_bad.left_out(FULL, False) is None


def test_boot_of_um_needs_no_tools() -> None:
    assert known_bad.left_out(dataclasses.replace(QUICK, arch="um"), True) is None


def missing(*_args: object) -> None:
    raise MhpError(Exit.MISSING_TOOL, "--arch=x needs a-gcc")


class World:
    """check() without a tree: which command lines booted, and what each of them comes to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, faults: list[Fault]) -> None:
        self.booted: list[Options] = []
        self.applied = False
        monkeypatch.setattr(known_bad, "read", lambda _tree, _names: faults)
        monkeypatch.setattr(known_bad, "using", lambda _tree: nullcontext())
        state = SimpleNamespace(part=lambda _name: ("patch",), tip="HEAD")
        monkeypatch.setattr(known_bad, "read_state", lambda _tree: state)
        monkeypatch.setattr(sidetree, "ensure", lambda *_args: SIDE)
        monkeypatch.setattr(sidetree, "restore", self._restore)
        monkeypatch.setattr(Git, "run", self._apply)
        monkeypatch.setattr(kunit_run, "decide_in", self._decide)

    def _restore(self, _side: PreparedTree) -> None:
        self.applied = False

    def _apply(self, *_args: object, **_more: object) -> Result:
        self.applied = True
        return Result((), 0, b"", b"")

    def _decide(self, asked: Options, _side: PreparedTree) -> Verdict:
        self.booted.append(asked)
        if self.applied:
            return Verdict(Exit.FINDINGS, cases=(Case("a.b", FAIL),))
        return Verdict(Exit.PASS, cases=(Case("a.b", PASS),))


def test_fault_with_boot_is_built_and_booted_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "check_tools", lambda *_args: None)
    world = World(monkeypatch, [fault("", "a.b", QUICK)])
    tried = known_bad.check(SIDE, tell=lambda _line: None)
    assert str(tried) == "1 caught, 0 not caught" and tried.status == Exit.PASS
    assert len(world.booted) == 2
    sound, bad = world.booted[0], world.booted[1]
    assert sound.typed == ("run", "--timeout=60", f"--boot={QUICK.name}") and sound.seen.arch == QUICK.arch
    assert bad.typed == (*sound.typed, "a.b") and bad.seen.target == "a.b"


def test_fault_without_boot_stays_on_um(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [fault("", "a.b")])
    known_bad.check(SIDE, tell=lambda _line: None)
    assert [asked.typed for asked in world.booted] == [("run", "--timeout=60", "mhp_*"), ("run", "--timeout=60", "a.b")]


def test_what_is_not_tried_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "check_tools", missing)
    world = World(monkeypatch, [fault("", "a.b", QUICK), fault("", "a.b", FULL)])
    tried = known_bad.check(SIDE, tell=lambda _line: None, quick=True)
    assert not world.booted and tried.status == Exit.NOTHING_RAN
    assert str(tried) == "0 caught, 0 not caught, 2 not tried"
    assert "needs a-gcc" in tried.skips[0] and FULL.name in tried.skips[1]
    assert all("scripts/series known-bad name" in skip for skip in tried.skips)


def test_tools_that_a_named_fault_needs_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "check_tools", missing)
    World(monkeypatch, [fault("", "a.b", QUICK)])
    with pytest.raises(MhpError, match="needs a-gcc") as err:
        known_bad.check(SIDE, ["name"], tell=lambda _line: None)
    assert err.value.status == Exit.MISSING_TOOL


def test_case_that_does_not_run_in_the_boot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "check_tools", lambda *_args: None)
    World(monkeypatch, [fault("", "a.other", QUICK)])
    with pytest.raises(MhpError, match=f"no case that passes is called a.other with --boot {QUICK.name}"):
        known_bad.check(SIDE, tell=lambda _line: None)


@pytest.mark.parametrize("end,status,cases,caught", [
    ("", Exit.FINDINGS, [Case("s.c", FAIL)], True),
    ("", Exit.FINDINGS, [Case("s.c.of two", FAIL), Case("s.c.of one", PASS)], True),
    ("", Exit.PASS, [Case("s.c", PASS)], False),
    ("", Exit.FINDINGS, [Case("s.c", PASS), Case("s.other", FAIL)], False),
    ("", Exit.FINDINGS, [Case("s.cc", FAIL)], False),
    ("", Exit.PANIC, [], False),
    ("panic", Exit.PANIC, [], True),
    ("panic", Exit.FINDINGS, [Case("s.c", FAIL)], False),
    ("report", Exit.REPORT, [Case("s.c", PASS)], True),
    ("hang", Exit.TIMEOUT, [], True),
    ("hang", Exit.PASS, [Case("s.c", PASS)], False),
])
def test_caught_is_what_the_patch_says(end: str, status: Exit, cases: list[Case], caught: bool) -> None:
    why = known_bad.escaped(fault(end, "s.c"), Verdict(status, cases=tuple(cases)))
    assert (why is None) == caught


def test_ours_say_who_notices() -> None:
    for base in paths.MM_PATCHES.glob("v*"):
        for path in (base / "known-bad").glob("*.patch"):
            text = path.read_text(encoding="utf-8")
            assert "\nOrigin: " in text and "\nCaught-by: " in text, path

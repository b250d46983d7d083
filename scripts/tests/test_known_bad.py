# SPDX-License-Identifier: GPL-2.0
"""Patches that must be caught: what they say, and what counts as caught."""

from pathlib import Path

import pytest

from mhp import known_bad, paths
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.known_bad import Fault
from mhp.results import FAIL, PASS, Case
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


def fault(end: str, glob: str) -> Fault:
    return Fault("name", Path("name.patch"), b"", end, glob)


def read(tmp_path: Path, caught: str) -> Fault:
    repository = tmp_path / "r"
    git = Git(repository / ".git", worktree=repository)
    repository.mkdir()
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

# SPDX-License-Identifier: GPL-2.0
"""The quick checks that read a mail: what people write and must not be told off for, and what must be seen."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from small_world import World, edit, git, write

from mhp import run
from mhp.check import registry, series
from mhp.check.model import Job, Report, Status
from mhp.exits import Exit, MhpError
from mhp.tree import PreparedTree, using

DIFF = "diff --git a/mm/page_alloc.c b/mm/page_alloc.c\n--- a/mm/page_alloc.c\n+++ b/mm/page_alloc.c\n"
HUNK = ("@@ -1,3 +1,3 @@\n-int alloc_0(void) { return 0; }\n+int alloc_0(void) { return 7; }\n"
        " int alloc_1(void) { return 1; }\n int alloc_2(void) { return 2; }\n")


@pytest.fixture(name="tree")
def fixture_tree(world: World) -> Iterator[PreparedTree]:
    tree = world.prepare()
    with using(tree):
        yield tree


def looked_at(tree: PreparedTree, scratch: Path, name: str, mail: str) -> Report:
    """What a check says of a single mail."""
    found = series.read_single(tree, mail.encode())
    program = next(check for check in registry.all_checks() if check.name == name).program
    return program(Job(found, found.patches[0], tree, scratch))


def mail(subject: str = "[PATCH] mm: x", body: str = "Why.", below: str = "", trailers: str = "") -> str:
    return (f"From: A <a@mm.test>\nSubject: {subject}\n\n{body}\n\n{trailers}Signed-off-by: A <a@mm.test>\n---\n{below}\n"
            f"{DIFF}{HUNK}")


def test_changes_in_the_commit_message_fail(tree: PreparedTree, tmp_path: Path) -> None:
    for line in ["Changes since v1:", "changes in v2: rebased", "v1 -> v2:", "v2: rebased", "Changelog:",
                 "Changes since RFC", "Changes from v1 to v2"]:
        assert looked_at(tree, tmp_path, "changelog", mail(body=f"Why.\n\n{line}\n - x")).status == Status.FAIL, line


def test_sentence_that_only_looks_like_changes_passes(tree: PreparedTree, tmp_path: Path) -> None:
    for line in ["changes from 0 to 1, and then", "changes in v6.8 made it worse", "changes since 5.10.",
                 "History: it was so before.", "v4l2: a name", "changes to 3 of the"]:
        assert looked_at(tree, tmp_path, "changelog", mail(body=f"When the number\n{line}\nall is well.")).status == Status.PASS, line


def test_changes_below_the_dashes_are_found(tree: PreparedTree, tmp_path: Path) -> None:
    for line in ["Changes v1 -> v2:", "Since v1:", " - v2: rebased", "v2 changes:", "Changelog v2:",
                 "Change log since v1", "v1..v2: x", "Changes in this version:", "Range-diff against v1:"]:
        assert looked_at(tree, tmp_path, "changelog", mail("[PATCH v2] mm: x", below=f"{line}\n")).status == Status.PASS, line
    assert looked_at(tree, tmp_path, "changelog", mail("[PATCH v2] mm: x")).status == Status.WARN


def test_diffstat_tells_of_no_changes(tree: PreparedTree, tmp_path: Path) -> None:
    stat = (" mm/page_alloc.c           | 2 +-\n mm/change/history-v2.c    | 12 +++++\n 2 files changed, 13 insertions(+), 1 deletion(-)\n"
            " create mode 100644 mm/change/history-v2.c\n rename mm/{change => history}/v2.c (99%)\n")
    assert looked_at(tree, tmp_path, "changelog", mail("[PATCH v2] mm: x", below=stat)).status == Status.WARN
    assert looked_at(tree, tmp_path, "changelog", mail("[PATCH v2] mm: x", below=f"v2: rebased\n{stat}")).status == Status.PASS


@pytest.mark.parametrize("name", ["changelog", "spdx"])
def test_endless_line_does_not_take_endless(tree: PreparedTree, tmp_path: Path, name: str,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Their patterns take the square of a line's length, or worse."""
    monkeypatch.setattr("mhp.check.checkpatch.messages", lambda *_args, **_more: ())
    text = mail("[PATCH v2] mm: x", below="changes " * 100000).replace("+int", f"+/* SPDX-License-Identifier:{' ' * 50000}x y */ int", 1)
    start = time.monotonic()
    looked_at(tree, tmp_path, name, text)
    assert time.monotonic() - start < 10


def test_changes_may_be_in_a_cover_letter_that_is_not_here(tree: PreparedTree, tmp_path: Path) -> None:
    report = looked_at(tree, tmp_path, "changelog", mail("[PATCH v2 3/5] mm: x"))
    assert report.status == Status.PASS and "cover letter, which is not here" in report.notes[0]


def test_changelog_of_nothing_but_tags_fails(tree: PreparedTree, tmp_path: Path) -> None:
    report = looked_at(tree, tmp_path, "changelog", mail(body=""))
    assert [finding.text for finding in report.findings] == ["there is no changelog"]


def test_subject_with_a_prefix(tree: PreparedTree, tmp_path: Path) -> None:
    for subject in ["mm: x", "mm/slub: x", "mm slub: x", "x86, mm, kvm: x", "mm: slub: x",
                    'Revert "mm/slub: x"', "Reapply \"mm: x\""]:
        assert not looked_at(tree, tmp_path, "subject", mail(f"[PATCH] {subject}")).findings, subject


def test_subject_without_a_prefix(tree: PreparedTree, tmp_path: Path) -> None:
    for subject in ["fix it", 'Revert "fix it"', "this is a sentence: x"]:
        assert looked_at(tree, tmp_path, "subject", mail(f"[PATCH] {subject}")).status == Status.FAIL, subject


def test_tags_that_are_there_twice(tree: PreparedTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mhp.check.checkpatch.messages", lambda *_args, **_more: ())
    many = "".join(f"Cc: P{number} <p{number}@mm.test>\n" for number in range(20000))
    begun = time.monotonic()
    report = looked_at(tree, tmp_path, "signoff", mail(trailers=f"Cc: B <b@mm.test>\nCc: B <b@mm.test>\n{many}"))
    assert [finding.text for finding in report.findings] == ["there twice: Cc: B <b@mm.test>"]
    assert time.monotonic() - begun < 5


def committed(world: World, tree: PreparedTree, name: str, scratch: Path) -> Report:
    """What a check says of all that was edited in the kernel."""
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-s", "-m", "mm: x")
    found = series.read(tree, "HEAD^..HEAD", world.kernel)
    program = next(check for check in registry.all_checks() if check.name == name).program
    return program(Job(found, found.patches[0], tree, scratch))


def test_symbol_of_a_module_is_defined(world: World, tree: PreparedTree, tmp_path: Path) -> None:
    write(world.kernel, {"mm/Kconfig": "config SOME\n\ttristate\n\nconfig OTHER\n\tbool\n"})
    edit(world.kernel / "mm/page_alloc.c", "int alloc_0", "#if defined(CONFIG_SOME_MODULE) || CONFIG_NONE_MODULE\nint alloc_0")
    write(world.kernel, {"tools/perf/x.c": "#ifdef CONFIG_ITS_OWN\n#endif\n"})
    report = committed(world, tree, "kconfig", tmp_path)
    assert [finding.text for finding in report.findings] == ["CONFIG_NONE_MODULE is used, but no Kconfig file defines it"]


def test_only_files_that_have_tags_need_one(world: World, tree: PreparedTree, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mhp.check.checkpatch.messages", lambda *_args, **_more: ())
    write(world.kernel, {"arch/um/configs/x_defconfig": "CONFIG_X=y\n", "Documentation/x.svg": "<svg/>\n",
                         "mm/x.c": "int x;\n", "mm/y/Makefile": "obj-y += x.o\n"})
    report = committed(world, tree, "spdx", tmp_path)
    assert report.findings and {finding.where for finding in report.findings} <= {"mm/x.c", "mm/y/Makefile"}


def test_file_that_moves_needs_no_new_tag(world: World, tree: PreparedTree, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mhp.check.checkpatch.messages", lambda *_args, **_more: ())
    (world.kernel / "mm/page_alloc.c").rename(world.kernel / "mm/moved.c")
    report = committed(world, tree, "spdx", tmp_path)
    assert (report.status, report.summary) == (Status.PASS, "no new file")


def test_history_that_takes_too_long_is_not_taken_for_none(world: World, tree: PreparedTree, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    write(world.kernel, {"mm/x.c": "int x;\n"})
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "mm: more")
    monkeypatch.setattr("mhp.check.series._has_history", lambda *_args: True)
    real = run.run

    def late(argv: Sequence[run.Arg], **more: Any) -> run.Result:
        if "log" in argv:
            raise MhpError(Exit.TIMEOUT, "late")
        return real(argv, **more)

    monkeypatch.setattr(run, "run", late)
    report = committed(world, tree, "subject", tmp_path)
    assert report.status == Status.SKIP and not report.keep and "longer than" in report.line

# SPDX-License-Identifier: GPL-2.0
"""scripts/check: reading a series, running checks, the cache."""

import errno
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_check import a_check, read
from small_world import World, edit, git, snapshot, write

from mhp.check import bases, cache, checkpatch, command, compare, registry, series
from mhp.check.model import Finding, Job, Report, Result, Status
from mhp.check.runner import Listener, Runner, units
from mhp.exits import Exit, MhpError
from mhp.tree import PreparedTree, using


def test_default_is_the_project_s_series_on_the_plain_base(tree: PreparedTree, world: World) -> None:
    found = read(tree)
    assert [patch.subject for patch in found.patches] == ["mm: change 1", "mm: change 2", "mm: change 3"]
    assert found.base == git(world.kernel, "rev-parse", "HEAD") and found.applies
    assert not tree.git.entries(found.tip, ["mm/mhp_kunit/first_kunit.c"])
    assert b"return 10 + 1;" in tree.git.contents(
        [tree.git.entries(found.tip, ["mm/memory_hotplug.c"])["mm/memory_hotplug.c"].oid]).popitem()[1]


def test_mended_gitignore_is_no_history(world: World) -> None:
    """checkpatch and Fixes: would miss all commits in it."""
    (world.kernel / ".gitignore").write_text("*.o\n/*\n")
    git(world.kernel, "add", "-f", ".gitignore")
    git(world.kernel, "commit", "-q", "--amend", "-m", "as in a tarball")
    world.mm_patch(1)
    tree = world.prepare()
    with using(tree):
        assert tree.git.run("rev-parse", "--verify", "--quiet", f"{read(tree).base}^").status == 0
        assert not read(tree).history


def test_patch_that_does_not_apply_leaves_those_before_it(tree: PreparedTree, world: World) -> None:
    file = world.patches / "0002-mm-change-2.patch"
    file.write_text(file.read_text().replace("hotplug_", "hotpluk_"))
    found = read(tree)
    assert [bool(patch.after) for patch in found.patches] == [True, False, False]
    assert "does not apply" in found.patches[1].problem and found.patches[1].before
    assert found.patches[2].problem == "not tried: patch 2 does not apply"


def test_range_stands_on_its_own_first_commit(world: World, tree: PreparedTree) -> None:
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "older")
    bottom = git(world.kernel, "rev-parse", "HEAD")
    (world.kernel / "mm/Kconfig").write_text("config MEMORY_HOTPLUG\n\tbool\n\tdefault y\n")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: default on")
    found = series.read(tree, "HEAD^..HEAD", world.kernel)
    assert found.base == bottom and found.applies and found.history and found.coverless
    assert found.patches[0].paths == ("mm/Kconfig",)


def test_file_that_moves_is_known_by_both_names(world: World, tree: PreparedTree) -> None:
    git(world.kernel, "mv", "mm/page_alloc.c", "mm/pages.c")
    (world.kernel / "mm/page_alloc_new.c").write_text("/* rename from a.c */\n")
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "mm: move\n\nrename from mm/a.c\nrename to mm/b.c")
    (patch,) = series.read(tree, "HEAD^..HEAD", world.kernel).patches
    assert patch.renamed == {"mm/pages.c": "mm/page_alloc.c"} and not read(tree).patches[0].renamed


def test_mbox_with_cover_letter(world: World, tree: PreparedTree) -> None:
    mails = [file.read_text() for file in sorted(world.patches.glob("*.patch"))]
    cover = mails[0].partition("---\n")[0].replace("[PATCH] mm: change 1", "[PATCH v2 0/3] mm: all")
    numbered = [mail.replace("[PATCH]", f"[PATCH v2 {number}/3]") for number, mail in enumerate(mails, 1)]
    box = world.tmp / "v2.mbox"
    box.write_text("".join([cover, *reversed(numbered)]))
    found = read(tree, str(box))
    assert found.cover and b"0/3" in found.cover
    assert [patch.version for patch in found.patches] == [2, 2, 2] and found.applies


@pytest.mark.parametrize("old, new, said", [
    ("mm/memory_hotplug.c", "../memory_hotplug.c", "no path inside"),
    ("mm/memory_hotplug.c", "/etc/passwd", ""),
    ("mm/memory_hotplug.c", ".git/config", "no path inside"),
    ("index ", "old mode 100644\nnew mode 120000\nindex ", ""),
])
def test_hostile_patch_is_refused_and_nothing_written(world: World, tree: PreparedTree, old: str, new: str,
                                                      said: str) -> None:
    file = world.patches / "0001-mm-change-1.patch"
    file.write_text(file.read_text().replace(old, new))
    before = snapshot(world.kernel)
    try:
        found = read(tree)
    except MhpError as err:
        assert err.status == Exit.USAGE and said in str(err)
    else:
        assert not found.applies
    assert snapshot(world.kernel) == before and not (world.tmp / "memory_hotplug.c").exists()


def test_binary_patch_and_large_mail_are_refused(world: World, tree: PreparedTree) -> None:
    box = world.tmp / "binary.mbox"
    box.write_text("From 0 Mon Sep 17 00:00:00 2001\nFrom: a <a@mm.test>\nSubject: [PATCH] x\n\nb\n---\n"
                   "diff --git a/x b/x\nnew file mode 100644\nindex 0000000..1111111\n"
                   "GIT binary patch\nliteral 1\nIcmZ2-0RR910096\n\nliteral 0\nHcmV?d00001\n\n")
    with pytest.raises(MhpError, match="refused|not a patch"):
        read(tree, str(box))
    with box.open("wb") as file:
        file.truncate(101 << 20)
    with pytest.raises(MhpError, match="larger than"):
        read(tree, str(box))


def test_runner_gives_results_in_order_with_the_line_that_repeats(tree: PreparedTree, tmp_path: Path) -> None:
    check = a_check(tmp_path, lambda job: Report(summary=job.one.subject))
    found = read(tree)
    results = Runner(tree, found, tmp_path / "place", ["a b.mbox"]).run(units([check], found, None), Listener())
    assert [result.report.line for result in results] == ["mm: change 1", "mm: change 2", "mm: change 3"]
    assert results[1].repeat == "scripts/check 'a b.mbox' --only=sample --patch=2"
    assert not list((tmp_path / "place").glob("tmp/*"))


def test_check_whose_program_is_missing_is_skipped_aloud(tree: PreparedTree, tmp_path: Path) -> None:
    check = a_check(tmp_path, lambda job: Report(), programs=(("no-such-program", "its-package"),))
    found = read(tree)
    result = Runner(tree, found, tmp_path, []).run(units([check], found, 1), Listener())[0]
    assert result.status == Status.SKIP and "Debian package its-package" in result.report.line


def test_check_of_applied_patches_is_skipped_for_others(tree: PreparedTree, tmp_path: Path, world: World) -> None:
    file = world.patches / "0002-mm-change-2.patch"
    file.write_text(file.read_text().replace("hotplug_", "hotpluk_"))
    found = read(tree)
    check = a_check(tmp_path, lambda job: Report(), applied=True)
    results = Runner(tree, found, tmp_path, []).run(units([check], found, None), Listener())
    assert [result.status for result in results] == [Status.PASS, Status.SKIP, Status.SKIP]


def test_cache_redoes_only_what_changed(tree: PreparedTree, tmp_path: Path, world: World) -> None:
    ran: list[int] = []

    def program(job: Job) -> Report:
        ran.append(job.one.number)
        return Report((Finding(Status.WARN, "w", "f:1", "d"),), notes=("n",))

    directory = tmp_path / "sample"
    directory.mkdir()
    check = a_check(directory, program)

    def go() -> list[Result]:
        found = read(tree)
        return Runner(tree, found, tmp_path / "place", []).run(units([check], found, None), Listener())

    first = go()
    again = go()
    assert sorted(ran) == [1, 2, 3] and all(result.cached for result in again)
    assert [result.report for result in first] == [result.report for result in again]
    file = world.patches / "0002-mm-change-2.patch"
    file.write_text(file.read_text().replace("mm: change 2", "mm: change two"))
    assert [result.cached for result in go()] == [True, False, True] and sorted(ran) == [1, 2, 2, 3]
    (directory / "check.py").write_text("changed")
    go()
    assert len(ran) == 7


@pytest.mark.parametrize("report, cached", [
    (Report(), True), (Report(keep=False), False), (Report(skipped="no gelf.h", broken=True), False)])
def test_what_may_be_the_machine_s_fault_is_not_kept(tree: PreparedTree, tmp_path: Path, report: Report, cached: bool) -> None:
    found = read(tree)
    for again in (False, True):
        (result, *_rest) = Runner(tree, found, tmp_path / "place", []).run(
            units([a_check(tmp_path, lambda _job: report)], found, None), Listener())
        assert result.report == report and result.cached == (again and cached)


def test_cache_that_is_damaged_is_none(tmp_path: Path) -> None:
    kept = cache.Cache(tmp_path)
    kept.keep("k", Report(summary="s"), 1.5)
    assert kept.report("k") == (Report(summary="s"), 1.5)
    for text in ("{", "[1]", '{"report": 1, "seconds": 2}'):
        (tmp_path / "k.json").write_text(text)
        assert kept.report("k") is None
    assert kept.report("other") is None


def test_key_follows_the_trees_where_a_check_depends_on_them(tree: PreparedTree, tmp_path: Path, world: World) -> None:
    check = a_check(tmp_path, lambda job: Report(), depends=("before",))

    def keys() -> list[str]:
        found = read(tree)
        return [cache.key(check, Job(found, patch, tree, tmp_path)) for patch in found.patches]

    before = keys()
    file = world.patches / "0002-mm-change-2.patch"
    file.write_text(file.read_text().replace("20 + 1", "20 + 2"))
    after = keys()
    assert [old == new for old, new in zip(before, after)] == [True, False, False]


@pytest.mark.parametrize("depends, variable, other", [
    ("kernels", "KCFLAGS", True), ("kernels", "LLVM", True), ("kernels", "TERM", False), ("mail", "KCFLAGS", False)])
def test_key_follows_what_the_environment_tells_make(tree: PreparedTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     depends: str, variable: str, other: bool) -> None:
    found = read(tree)
    job = Job(found, found.patches[0], tree, tmp_path)
    check = a_check(tmp_path, lambda job: Report(), depends=(depends,))
    before = cache.key(check, job)
    monkeypatch.setenv(variable, "other")
    assert (cache.key(check, job) != before) == other


def test_key_follows_the_settings_of_the_kernel_s_scripts(tree: PreparedTree, tmp_path: Path) -> None:
    found = read(tree)
    job = Job(found, found.patches[0], tree, tmp_path)
    for check, changes in ((a_check(tmp_path, lambda job: Report()), False),
                           (a_check(tmp_path, lambda job: Report(), tools=("scripts/checkpatch.pl",)), True)):
        before = cache.key(check, job)
        (tree.path / ".checkpatch.conf").write_text("--ignore A\n")
        assert (cache.key(check, job) != before) == changes
        (tree.path / ".checkpatch.conf").unlink()


def test_user_s_home_does_not_change_what_get_maintainer_says(tree: PreparedTree, tmp_path: Path) -> None:
    write(tree.path, {"scripts/get_maintainer.pl": "#!/bin/sh\necho \"$HOME@example.org (list)\"\n"})
    (tree.path / "scripts/get_maintainer.pl").chmod(0o755)
    program = next(check for check in registry.all_checks() if check.name == "maintainers").program
    assert program(Job(read(tree), None, tree, tmp_path)).notes == (f"{tmp_path}@example.org (list)",)


@pytest.mark.parametrize("to, lacking", [
    (("linux-mm@kvack.org",) * 3, ""), (("linux-mm@kvack.org", "a@mm.test", "linux-mm@kvack.org"), "patch 2"),
    (("linux-mm@kvack.org", "", ""), "")])
def test_list_must_get_each_mail(world: World, tree: PreparedTree, tmp_path: Path, to: Sequence[str], lacking: str) -> None:
    write(tree.path, {"scripts/get_maintainer.pl": "#!/bin/sh\necho 'linux-mm@kvack.org (open list:MEMORY)'\necho 'A <a@mm.test> (maintainer)'\n"})
    (tree.path / "scripts/get_maintainer.pl").chmod(0o755)
    for number, addresses in enumerate(to, start=1):
        file = world.patches / f"000{number}-mm-change-{number}.patch"
        file.write_text(file.read_text().replace("Subject:", f"To: {addresses}, A <a@mm.test>\nSubject:", 1) if addresses
                        else file.read_text())
    program = next(check for check in registry.all_checks() if check.name == "maintainers").program
    report = program(Job(read(tree), None, tree, tmp_path))
    assert [finding.text for finding in report.findings] == (
        [f"linux-mm@kvack.org does not get {lacking}"] if lacking else [])


def test_every_check_is_understood_and_has_its_samples() -> None:
    checks = registry.all_checks()
    assert len(checks) >= 14
    for check in checks:
        assert not set(check.depends) - set(registry.DEPENDS)
        for which in ("good", "bad"):
            assert (check.directory / f"samples/{which}.mbox").is_file()


def test_check_with_a_description_that_is_not_understood(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/check.toml").write_text('about = "a"\ntier = "quick"\nscope = "patch"\ndepends = []\nnew = 1\n')
    (tmp_path / "odd/check.py").write_text("def check(job):\n    pass\n")
    with pytest.raises(MhpError, match="not understood: new"):
        registry.all_checks(tmp_path)
    with pytest.raises(MhpError, match="no such check"):
        registry.chosen([], ["quick"], ["odd"])


def test_other_bases(tree: PreparedTree, tmp_path: Path, world: World) -> None:
    found = read(tree)
    later = git(world.kernel, "rev-parse", "HEAD")
    (world.kernel / "mm/memory_hotplug.c").write_text("int other;\n")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: rewrite")
    other = git(world.kernel, "rev-parse", "HEAD")
    job = Job(replace(found, onto=(("same", later), ("rewritten", other))), None, tree, tmp_path)
    same, rewritten = bases.others(job)
    assert bases.problem(same, found.patches) == ""
    assert bases.problem(rewritten, found.patches).startswith("patch 1: ")
    check = next(check for check in registry.all_checks() if check.name == "bases")
    (result,) = Runner(tree, job.series, tmp_path / "place", []).run(units([check], job.series, None), Listener())
    assert (result.status, [finding.text for finding in result.report.findings]) == (
        Status.WARN, ["does not apply to rewritten"])


def test_other_bases_are_tried_when_it_does_not_apply_here(tree: PreparedTree, tmp_path: Path, world: World) -> None:
    here = read(tree)
    box = tmp_path / "later.mbox"
    edit(world.kernel / "mm/memory_hotplug.c", "return 10;", "return 11;")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: before")
    later = git(world.kernel, "rev-parse", "HEAD")
    edit(world.kernel / "mm/memory_hotplug.c", "return 11;", "return 12;")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: change")
    box.write_text(git(world.kernel, "format-patch", "-1", "--stdout") + "\n")
    found = replace(series.read(tree, str(box), None), onto=(("later", later),))
    assert here.applies and not found.applies
    check = next(check for check in registry.all_checks() if check.name == "bases")
    (result,) = Runner(tree, found, tmp_path / "place", []).run(units([check], found, None), Listener())
    assert (result.status, result.report.line) == (Status.PASS, "applies to later, not to the base")
    nowhere = replace(found, onto=(("here", found.base),))
    (result,) = Runner(tree, nowhere, tmp_path / "place", []).run(units([check], nowhere, None), Listener())
    assert (result.status, result.report.line) == (Status.SKIP, "it does not apply to here either")


def test_messages_are_new_by_text_not_by_count() -> None:
    before = compare.read("a.c:1: warning: x\na.c:9:2: warning: y\n", "/top")
    after = compare.read("a.c:4: warning: x\n/top/a.c:12:2: warning: z\nnoise\n", "/top")
    assert [(message.file, message.line, message.text) for message in compare.new(before, after)] == [
        ("a.c", 12, "warning: z")]
    assert len(compare.new(after, [*after, after[0]])) == 1
    moved = [replace(message, file="b.c") for message in after]
    assert compare.new(after, moved, {"b.c": "a.c"}) == [] and compare.new(after, moved) == moved


def test_moved_file_has_the_kernel_doc_messages_that_it_had_before(world: World, tree: PreparedTree, tmp_path: Path) -> None:
    write(tree.path, {"scripts/kernel-doc": "#!/bin/sh\necho \"$2:1: warning: x\" >&2\n"})
    (tree.path / "scripts/kernel-doc").chmod(0o755)
    git(world.kernel, "mv", "mm/page_alloc.c", "mm/pages.c")
    git(world.kernel, "commit", "-q", "-m", "mm: move")
    found = series.read(tree, "HEAD^..HEAD", world.kernel)
    program = next(check for check in registry.all_checks() if check.name == "kernel-doc").program
    report = program(Job(found, found.patches[0], tree, tmp_path))
    assert report.status == Status.PASS and report.notes == ("1 messages were there before",)


@pytest.mark.parametrize("line, status", [
    ("echo \"$2:3: warning: x\" >&2", Status.WARN), ("echo \"Warning: $2:3 x\" >&2", Status.WARN),
    ("echo \"Error: $2:3 x\" >&2; exit 1", Status.WARN), ("exit 0", Status.PASS), ("echo broken >&2; exit 2", Status.SKIP)])
def test_kernel_doc_of_old_and_new_kernels(world: World, tree: PreparedTree, tmp_path: Path, line: str, status: Status) -> None:
    edit(world.kernel / "mm/page_alloc.c", "int alloc_0", "int added;\nint alloc_0")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: add")
    write(tree.path, {"scripts/kernel-doc": f"#!/bin/sh\ngrep -q added \"$2\" || exit 0\n{line}\n"})
    (tree.path / "scripts/kernel-doc").chmod(0o755)
    found = series.read(tree, "HEAD^..HEAD", world.kernel)
    check = next(check for check in registry.all_checks() if check.name == "kernel-doc")
    (result,) = Runner(tree, found, tmp_path / "place", []).run(units([check], found, None), Listener())
    assert result.status == status, result.report


@pytest.mark.parametrize("subject, prefixes, status", [
    ("mm/memory_hotplug: x", ["mm/memory_hotplug: a", "mm: b"], Status.PASS),
    ("mm/memory_hotplug: x", ["mm, hotplug: a", "mm: b"], Status.WARN),
    ("change things", ["mm: b"], Status.FAIL)])
def test_subject_against_history(world: World, subject: str, prefixes: list[str], status: Status,
                                 tmp_path: Path) -> None:
    for number, older in enumerate(prefixes):
        (world.kernel / "mm/memory_hotplug.c").open("a").write(f"int older_{number};\n")
        git(world.kernel, "commit", "-q", "-a", "-m", older)
    world.mm_patch(1)
    file = world.patches / "0001-mm-change-1.patch"
    file.write_text(file.read_text().replace("mm: change 1", subject))
    tree = world.prepare()
    found = series.read(tree, None, None)
    program = next(check for check in registry.all_checks() if check.name == "subject").program
    assert program(Job(found, found.patches[0], tree, tmp_path)).status == status


def test_fixes_against_history(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpatch, "messages", lambda _job, only: ())
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "mm: the fault")
    commit = git(world.kernel, "rev-parse", "--short=12", "HEAD")
    world.mm_patch(1)
    tree = world.prepare()
    file = world.patches / "0001-mm-change-1.patch"
    text = file.read_text()
    program = next(check for check in registry.all_checks() if check.name == "fixes").program
    for tag, status in ((f'{commit} ("mm: the fault")', Status.PASS), (f'{commit} ("mm: a fault")', Status.FAIL),
                        ('0123456789ab ("mm: the fault")', Status.FAIL), (f"{commit[:8]} (x)", Status.FAIL)):
        file.write_text(text.replace("\n---\n", f"\n\nFixes: {tag}\n---\n", 1))
        found = series.read(tree, None, None)
        assert program(Job(found, found.patches[0], tree, tmp_path)).status == status, tag


def test_checkpatch_s_word_on_fixes_is_heard_once(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "mm: one more")
    world.mm_patch(1)
    tree = world.prepare()
    file = world.patches / "0001-mm-change-1.patch"
    text = file.read_text()
    asked: list[Sequence[str]] = []

    def messages(_job: Job, only: Sequence[str]) -> tuple[Finding, ...]:
        asked.append(only)
        return (Finding(Status.WARN, "MISSING_FIXES_TAG: x"),)

    monkeypatch.setattr(checkpatch, "messages", messages)
    program = next(check for check in registry.all_checks() if check.name == "fixes").program
    for tag, status in (("", Status.WARN), ("\n\nFixes: abc (x)", Status.FAIL)):
        file.write_text(text.replace("\n---\n", f"{tag}\n---\n", 1))
        found = series.read(tree, None, None)
        assert program(Job(found, found.patches[0], tree, tmp_path)).status == status
    assert asked == [checkpatch.FIXES, checkpatch.MISSING_FIXES]


def test_commit_behind_a_shallow_history_is_not_said_to_be_missing(world: World, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpatch, "messages", lambda _job, only: ())
    world.mm_patch(1)
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "mm: one more")
    tree = world.prepare()
    file = world.patches / "0001-mm-change-1.patch"
    file.write_text(file.read_text().replace("\n---\n", '\n\nFixes: 0123456789ab ("mm: old")\n---\n', 1))
    found = series.read(tree, None, None)
    job = Job(found, found.patches[0], tree, tmp_path)
    check = next(check for check in registry.all_checks() if check.name == "fixes")
    complete = cache.key(check, job)
    assert check.program(job).status == Status.FAIL
    (tree.git.gitdir / "shallow").touch()
    report = check.program(job)
    assert report.status == Status.SKIP and "--unshallow" in report.skipped
    assert cache.key(check, job) != complete


def test_commit_that_a_fetch_brings_is_looked_for_again(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpatch, "messages", lambda _job, only: ())
    world.mm_patch(1)
    git(world.kernel, "commit", "-q", "--allow-empty", "-m", "mm: one more")
    other = world.tmp / "other"
    git(world.tmp, "clone", "-q", str(world.kernel), str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "mm: old")
    oid = git(other, "rev-parse", "HEAD")
    tree = world.prepare()
    file = world.patches / "0001-mm-change-1.patch"
    file.write_text(file.read_text().replace("\n---\n", f'\n\nFixes: {oid[:12]} ("mm: old")\n---\n', 1))
    found = series.read(tree, None, None)
    job = Job(found, found.patches[0], tree, tmp_path)
    check = next(check for check in registry.all_checks() if check.name == "fixes")
    before = cache.key(check, job)
    assert check.program(job).status == Status.FAIL
    git(world.kernel, "fetch", "-q", str(other))
    assert cache.key(check, job) != before
    assert "not among those below the base" in check.program(job).line


def test_two_mails_of_one_subject_are_two_patches(world: World, tmp_path: Path) -> None:
    world.mm_patch(1)
    world.mm_patch(2)
    tree = world.prepare()
    texts = [(world.patches / f"000{number}-mm-change-{number}.patch").read_text() for number in (1, 2)]
    box = tmp_path / "two.mbox"
    box.write_text("".join(re.sub("(?m)^Subject: .*$", "Subject: [PATCH] mm: fix typos", text) for text in texts))
    found = series.read(tree, str(box), None)
    first, second = found.patches
    assert first.name == second.name and first.diff != second.diff
    for patch in found.patches:
        assert patch.before and patch.after
        said = git(tree.path, "show", "--format=", "--name-only", patch.after).split()
        assert said == list(patch.paths) and git(tree.path, "show", "--format=", patch.after) != ""
    assert git(tree.path, "diff", f"{first.before}..{first.after}") != git(tree.path, "diff", f"{second.before}..{second.after}")


def test_what_a_program_raises_is_told_apart(tree: PreparedTree, tmp_path: Path) -> None:
    def raising(status: Exit) -> Report:
        def program(_job: Job) -> Report:
            raise MhpError(status, "why")
        found = read(tree)
        place = tmp_path / status.name
        (result, *_rest) = Runner(tree, found, place, []).run(units([a_check(tmp_path, program)], found, None), Listener())
        return result.report

    broken = raising(Exit.BROKEN_BASE)
    assert (broken.status, broken.broken) == (Status.SKIP, True) and "why" in broken.skipped
    for status in (Exit.MISSING_TOOL, Exit.NOTHING_RAN, Exit.TIMEOUT):
        assert raising(status) == Report(skipped="why")
    assert raising(Exit.FINDINGS).status == Status.FAIL


def test_check_that_fails_itself_does_not_stop_the_others(tree: PreparedTree, tmp_path: Path) -> None:
    def full(_job: Job) -> Report:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    def git_fails(_job: Job) -> Report:
        raise MhpError(Exit.INTERNAL, "why")

    found = read(tree)
    results = []
    for name, program in (("full", full), ("git", git_fails), ("right", lambda _job: Report(summary="fine"))):
        check = replace(a_check(tmp_path, program), name=name)
        results += Runner(tree, found, tmp_path / "place", []).run(units([check], found, 1), Listener())
    assert [result.status for result in results] == [Status.FAIL, Status.FAIL, Status.PASS]
    assert "No space left" in results[0].report.line and command.exit_status(results) == Exit.INTERNAL
    assert command.exit_status(results[2:]) == Exit.PASS


def test_removed_symbol_that_another_option_selects(world: World, tmp_path: Path) -> None:
    write(world.kernel, {"mm/Kconfig": "config OLD\n\tbool\n\nconfig USER\n\tbool \"user\"\n\tselect OLD\n\thelp\n\t  OLD is fine.\n"})
    git(world.kernel, "add", "mm/Kconfig")
    git(world.kernel, "commit", "-q", "-m", "mm: options")
    program = next(check for check in registry.all_checks() if check.name == "kconfig").program
    for number, (old, status) in enumerate((("config OLD\n\tbool\n\n", Status.FAIL), ("\tselect OLD\n", Status.PASS))):
        edit(world.kernel / "mm/Kconfig", old, "")
        git(world.kernel, "commit", "-q", "-a", "-s", "-m", f"mm: without, {number}")
        tree = world.prepare()
        found = series.read(tree, "HEAD^..HEAD", world.kernel)
        assert program(Job(found, found.patches[0], tree, tmp_path)).status == status
        git(world.kernel, "reset", "-q", "--hard", "HEAD^")



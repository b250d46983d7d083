# SPDX-License-Identifier: GPL-2.0
"""The build tier of scripts/check, without a compiler: names, kernels, lines of C, and what counts as new."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World, git

from mhp.check import build, kernels, new_messages, regions, series
from mhp.check.build import Built
from mhp.check.compare import Message
from mhp.check.model import Job, Status
from mhp.exits import Exit, MhpError
from mhp.tree import PreparedTree, using

SOURCE = """\
#ifndef _LINUX_SAMPLE_H
#define _LINUX_SAMPLE_H
int always;
#ifdef CONFIG_A /* first */
int with_a;
/* int comment;
   int comment_too; */
#else
int without_a; // trailing
#define MACRO(x) \\
	do_it(x)
#endif
int last;
#endif
"""


@pytest.fixture(name="job")
def fixture_job(world: World, tmp_path: Path) -> Iterator[Job]:
    world.mm_patch(1)
    tree = world.prepare()
    with using(tree):
        found = series.read(tree, None, None)
        yield Job(found, found.patches[0], tree, tmp_path)


def test_lines_know_their_region_and_what_is_code() -> None:
    found = regions.lines(SOURCE)
    code = [number for number, line in enumerate(found, 1) if line.code]
    assert code == [3, 5, 9, 13]
    assert [found[number - 1].conditional for number in code] == [False, True, True, False]
    assert len({found[number - 1].region for number in code}) == 4


def test_emitted_follows_the_line_markers() -> None:
    text = '# 1 "../linux/mm/a.c"\nint x;\n\n# 1 "include/b.h" 1\nint b;\n# 7 "../linux/mm/a.c" 2\nint y;\n'
    assert regions.emitted(text, ["mm/a.c"]) == {("mm/a.c", 1), ("mm/a.c", 7)}


def test_added_lines_of_a_commit(job: Job) -> None:
    patch = job.one
    assert patch.before and patch.after
    assert regions.added(job.git, patch.before, patch.after, "mm/memory_hotplug.c") == [11]


@pytest.mark.parametrize("name", ["A=b.c", "-f.c", "$(touch x).c", "a b.c", "a;b.c", "a'b.c"])
def test_names_that_mean_something_to_make_are_not_compiled(job: Job, name: str) -> None:
    assert build.files(job, replace(job.one, paths=(f"mm/{name}", name, "mm/fine.c"))) == ["mm/fine.c"]


def test_files_of_other_architectures_are_left_out() -> None:
    names = ["mm/a.c", "arch/x86/mm/b.c", "arch/powerpc/mm/c.c", "arch/um/d.c"]
    assert build.for_arch(names, kernels.one("x86_64")) == names[:2]
    assert build.for_arch(names, kernels.one("ppc64le")) == ["mm/a.c", "arch/powerpc/mm/c.c"]
    assert build.for_arch(names, kernels.one("um")) == ["mm/a.c", "arch/um/d.c"]


def test_table_of_kernels() -> None:
    arches, toggles = kernels.kernels("arch"), kernels.kernels("toggle")
    assert {"um", "x86_64", "ppc64le", "ppc64", "arm64", "s390x", "riscv64", "i386"} == {one.name for one in arches}
    assert all(one.arch == kernels.TOGGLED for one in toggles)
    off = next(one for one in toggles if one.name == "no-memcg")
    assert "MEMCG=n" in off.options and "MEMCG=y" not in off.options
    assert len({one.id for one in (*arches, *toggles)}) == len(arches) + len(toggles)


def test_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.shutil, "which", lambda _name: None)
    assert kernels.one("x86_64", "clang").missing.endswith("(Debian package clang)")


def fake(monkeypatch: pytest.MonkeyPatch, job: Job, before: Built, after: Built) -> None:
    """Compilations that say what the test wants."""
    outcome = {job.one.before: before, job.one.after: after}
    monkeypatch.setattr(build, "objects", lambda _job, there, commit, names, *_words: {
        kernel.name: {name: outcome[commit] for name in names} for kernel in there})
    monkeypatch.setattr(kernels.Kernel, "missing", "")


OLD = Message("mm/memory_hotplug.c", 5, "warning: old")
NEW = Message("mm/memory_hotplug.c", 9, "warning: new")


@pytest.mark.parametrize("before, after, status, broken", [
    (Built((OLD,), False), Built((OLD,), False), Status.PASS, False),
    (Built((OLD,), False), Built((replace(OLD, line=8), NEW), False), Status.WARN, False),
    (Built((), False), Built((), True, "error"), Status.FAIL, False),
    (Built((), True, "error"), Built((), True, "error"), Status.SKIP, True)])
def test_only_what_is_new_is_the_patch_s_fault(job: Job, monkeypatch: pytest.MonkeyPatch, before: Built, after: Built,
                                               status: Status, broken: bool) -> None:
    fake(monkeypatch, job, before, after)
    report = new_messages.report(job, [kernels.one("x86_64")])
    assert (report.status, report.broken) == (status, broken)
    assert status != Status.WARN or [finding.where for finding in report.findings] == ["mm/memory_hotplug.c:9"]


def test_base_that_cannot_be_configured_is_broken(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise MhpError(Exit.BROKEN_BASE, "no .config")

    monkeypatch.setattr(build, "objects", broken)
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    report = new_messages.report(job, [kernels.one("x86_64")])
    assert report.broken and report.status == Status.SKIP and "no .config" in report.line


def test_work_tree_moves_between_commits_and_is_mended(job: Job, world: World) -> None:
    tree: PreparedTree = job.tree
    patch = job.one
    assert patch.before and patch.after
    file = build.checkout(tree, patch.before) / "mm/memory_hotplug.c"
    before = file.read_text()
    other = file.with_name("page_alloc.c").stat().st_mtime_ns
    build.checkout(tree, patch.after)
    assert file.read_text() != before and file.with_name("page_alloc.c").stat().st_mtime_ns == other
    (build.tree_dir(tree) / ".git").unlink()
    build._memory.at.clear()  # pylint: disable=protected-access
    assert build.checkout(tree, patch.before) == build.tree_dir(tree) and file.read_text() == before
    assert git(world.kernel, "status", "--porcelain") == ""

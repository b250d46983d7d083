# SPDX-License-Identifier: GPL-2.0
"""The build tier of scripts/check, without a compiler: names, kernels, lines of C, and what counts as new."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World, edit, git, write

from mhp.check import build, compare, kernels, makefiles, new_messages, regions, registry, runner, series, sources
from mhp.check.build import Built
from mhp.check.compare import Message
from mhp.check.model import Job, Status
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.run import Result
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
    edit(world.kernel / "mm/Makefile", "page_alloc.o", "page_alloc.o sparse.o sparse-vmemmap.o fine.o")
    git(world.kernel, "commit", "-q", "-a", "--amend", "-m", "base")
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
    assert regions.added(job.git, patch.before, patch.after, "mm/memory_hotplug.c", "mm/memory_hotplug.c") == [11]


@pytest.mark.parametrize("name", ["A=b.c", "-f.c", "$(touch x).c", "a b.c", "a;b.c", "a'b.c"])
def test_names_that_mean_something_to_make_are_not_compiled(job: Job, name: str) -> None:
    assert sources.files(job, replace(job.one, paths=(f"mm/{name}", name, "mm/fine.c"))) == ["mm/fine.c"]


@pytest.mark.parametrize("header, including, found", [
    ("include/linux/mm.h", ["mm/page_alloc.c"], ["mm/page_alloc.c"]),
    ("include/asm-generic/odd.h", [], ["mm/memory_hotplug.c", "mm/sparse-vmemmap.c"]),
    ("arch/x86/include/asm/pgtable.h", ["arch/x86/mm/init_64.c"], ["arch/x86/mm/init_64.c"]),
    ("arch/x86/include/asm/odd.h", [], ["mm/memory_hotplug.c", "mm/sparse-vmemmap.c", "arch/x86/mm/init.c"]),
    ("mm/internal.h", ["mm/sparse.c"], ["mm/sparse.c"]), ("tools/include/linux/mm.h", [], [])])
def test_header_is_compiled_with_what_includes_it(job: Job, monkeypatch: pytest.MonkeyPatch, header: str,
                                                  including: list[str], found: list[str]) -> None:
    asked: list[str] = []

    def grep(_git: Git, *words: str) -> Result:
        asked.extend(words)
        return Result((), 0, "".join(f"{job.one.after}:{name}\n" for name in including).encode(), b"")

    monkeypatch.setattr(Git, "run", grep)
    patch = replace(job.one, paths=(header,))
    assert sources.files(job, patch) == found
    name = header.partition("include/")[2]
    assert not asked or f"#include <{name}>" in asked or f'#include "{header.rpartition("/")[2]}"' in asked
    assert sources.nothing(patch).status == Status.SKIP


@pytest.mark.parametrize("paths, line", [
    (("Documentation/mm/a.rst", "Documentation/a.c", "MAINTAINERS", "mm/README", ".mailmap", "mm/a.txt"), "no C file to compile"),
    (("rust/kernel/mm.rs", "MAINTAINERS"), "nothing here compiles rust/kernel/mm.rs"),
    (("mm/Kconfig", "mm/Makefile", "a.dts", "tools/testing/selftests/mm/x.c", "mm/a.S"),
     "nothing here compiles mm/Kconfig, mm/Makefile, a.dts, tools/testing/selftests/mm/x.c and 1 more")])
@pytest.mark.parametrize("check", ["warnings", "stack", "uncompiled"])
def test_code_that_nothing_compiles_is_no_pass(job: Job, monkeypatch: pytest.MonkeyPatch, paths: tuple[str, ...], line: str,
                                               check: str) -> None:
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    monkeypatch.setattr(build, "kept", lambda *_words: {})
    (program,) = (one.program for one in registry.all_checks() if one.name == check)
    report = program(replace(job, patch=replace(job.one, paths=paths)))
    assert (report.status, report.line) == (Status.PASS if line.startswith("no ") else Status.SKIP, line)


def test_file_that_is_left_out_beside_others_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, job, Built((), False), Built((), False))
    patch = replace(job.one, paths=("mm/memory_hotplug.c", "mm/a.S", "include/linux/mm.h", "MAINTAINERS", "mm/a b.c"))
    report = new_messages.report(replace(job, patch=patch), [kernels.one("x86_64")])
    assert report.status == Status.PASS and report.left_out[0] == "not compiled: mm/a.S, mm/a b.c"


def test_file_that_others_include_is_compiled_with_them(world: World, tmp_path: Path) -> None:
    write(world.kernel, {
        "mm/Makefile": "obj-y := memory_hotplug.o init_$(BITS).o build_all.o\nobj-$(CONFIG_A) += \\\n\tlast.o\n",
        "mm/build_all.c": '#ifdef CONFIG_PSI\n# include "psi-a.c"\n#endif\n', "mm/stray.c": '#include "psi-a.c"\n',
        "mm/deep/other.c": '#include "psi-a.c"\n',
        **{f"mm/{name}.c": "int a;\n" for name in ("psi-a", "init_64", "last", "bounds")}})
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "more files")
    world.patch(world.patches, "0001-a.patch", {"mm/psi-a.c": ("int a;", "int b;")}, "mm: a")
    tree = world.prepare()
    with using(tree):
        found = series.read(tree, None, None)
        job = Job(found, found.patches[0], tree, tmp_path)

        def compiled(*names: str) -> list[str]:
            return sources.files(job, replace(job.one, paths=names))

        assert compiled("mm/psi-a.c") == ["mm/build_all.c"] and not sources.left_out(job, job.one)
        for name in ("mm/init_64.c", "mm/last.c", "mm/deep/other.c"):
            assert compiled(name) == [name]
        assert compiled("mm/psi-a.c", "mm/bounds.c", "mm/build_all.c") == ["mm/build_all.c"]
        assert sources.left_out(job, replace(job.one, paths=("mm/psi-a.c", "mm/bounds.c"))) == ["mm/bounds.c"]


def test_config_is_made_anew_for_other_kconfig_files_and_kept(world: World, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was before, for another commit or another base, has no say in it."""
    world.mm_patch(1)
    world.patch(world.patches, "0002-option.patch", {"mm/Kconfig": ("config MEMORY_HOTPLUG\n\tbool\n", "config MEMORY_HOTPLUG\n\tbool\n\nconfig NEW\n\tbool\n")}, "mm: an option")
    tree = world.prepare()
    called: list[str] = []
    um = kernels.one("um")

    def make(job: Job, path: Path, calls: Sequence[tuple[kernels.Kernel, Sequence[str]]]) -> list[tuple[str, int]]:
        for kernel, words in calls:
            called.append(words[-1])
            new = "NEW" in (path / "mm/Kconfig").read_text() if (path / "mm/Kconfig").exists() else False
            (build.build_dir(job.tree, kernel) / ".config").write_text(f"CONFIG_NEW={'y' if new else 'n'}\n")
        return [("", 0)] * len(calls)

    monkeypatch.setattr(build, "_make", make)
    monkeypatch.setattr(build, "_memory", build._Memory())  # pylint: disable=protected-access
    with using(tree):
        found = series.read(tree, None, None)
        first, second = (Job(found, patch, tree, tmp_path) for patch in found.patches)
        got = []
        for job, commit in ((first, first.one.before), (first, first.one.after), (second, second.one.after),
                            (first, first.one.before), (second, second.one.after)):
            assert commit
            build.taken_in(job, [um], commit, "mm/a.c")
            got.append((build.build_dir(tree, um) / ".config").read_text().strip()[-1])
    assert got == ["n", "n", "y", "n", "y"] and called == ["allnoconfig", "allnoconfig"]


def test_files_of_other_architectures_are_left_out() -> None:
    names = ["mm/a.c", "arch/x86/mm/b.c", "arch/powerpc/mm/c.c", "arch/um/d.c"]
    assert makefiles.for_arch(names, kernels.one("x86_64")) == names[:2]
    assert makefiles.for_arch(names, kernels.one("ppc64le")) == ["mm/a.c", "arch/powerpc/mm/c.c"]
    assert makefiles.for_arch(names, kernels.one("um")) == ["mm/a.c", "arch/um/d.c"]


def test_table_of_kernels() -> None:
    arches, toggles = kernels.kernels("arch"), kernels.kernels("toggle")
    assert {"um", "x86_64", "ppc64le", "ppc64", "arm64", "s390x", "riscv64", "i386"} == {one.name for one in arches}
    assert all(one.arch == kernels.TOGGLED for one in toggles)
    off = next(one for one in toggles if one.name == "no-memcg")
    assert "MEMCG=n" in off.options and "MEMCG=y" not in off.options
    assert len({one.id for one in (*arches, *toggles)}) == len(arches) + len(toggles)


TOGGLE = replace(kernels.one("x86_64"), name="no-numa", options=("SMP=y", "NUMA=n"), own=("NUMA=n",))


@pytest.mark.parametrize("config, kept, note", [
    ("CONFIG_SMP=y\n# CONFIG_NUMA is not set\n", True, ""),
    ("CONFIG_NUMA=y\nCONFIG_SMP=y\n", False, "no-numa: Kconfig does not give NUMA=n"),
    ("CONFIG_SMP=y\n", False, "no-numa: Kconfig does not give NUMA=n"),
    ("# CONFIG_SMP is not set\n# CONFIG_NUMA is not set\n", True, "no-numa: Kconfig does not give SMP")])
def test_toggle_that_kconfig_does_not_give_is_left_out(job: Job, monkeypatch: pytest.MonkeyPatch, config: str, kept: bool,
                                                       note: str) -> None:
    fake(monkeypatch, job, Built((), False), Built((), False), configured=False)
    monkeypatch.setattr(build, "_configure", lambda *_words: None)
    place = build.build_dir(job.tree, TOGGLE)
    place.mkdir(parents=True)
    (place / ".config").write_text(config)
    report = new_messages.report(job, [TOGGLE])
    assert report.status == (Status.PASS if kept else Status.SKIP)
    assert [text for text in report.notes if "Kconfig" in text] == [note] * bool(note)
    assert kept or note in report.line


def test_options_that_kconfig_does_not_give_are_no_reason_to_skip(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, job, Built((), True, "error"), Built((), True, "error"), configured=False)
    monkeypatch.setattr(build, "configured", lambda _job, there, _commit: (there, [], ["um: Kconfig does not give A"]))
    report = new_messages.report(job, [kernels.one("um")])
    assert "Kconfig" not in report.line and report.notes[-1] == "um: Kconfig does not give A"


def test_toggles_know_their_own_options() -> None:
    assert {one.name: one.own for one in kernels.kernels("toggle")}["no-numa"] == ("NUMA=n",)
    assert all(one.own and set(one.own) <= set(one.options) for one in kernels.kernels("toggle", "ppc64le"))
    assert not any(one.own for one in kernels.kernels("arch"))


def test_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.shutil, "which", lambda _name: None)
    assert kernels.one("x86_64", "clang").missing.endswith("(Debian package clang)")
    monkeypatch.setattr(kernels.shutil, "which", lambda name: name if name == "clang" else None)
    assert not kernels.one("x86_64", "clang").missing
    assert "binutils-powerpc64le-linux-gnu" in kernels.one("ppc64le", "clang").missing


def test_output_of_make_is_told_apart_by_target() -> None:
    text = ("  GEN     Makefile\n  CC      mm/a.o\nmm/a.c:3:1: warning: x\n  CHECK   mm/a.c\nmm/a.c:4:1: warning: y\n"
            "  CC      mm/b.o\nmm/b.c:1:1: error: z\nmake[3]: *** [scripts/Makefile.build:1: mm/b.o] Error 1\n"
            "  CC      mm/c.d.o\nin a header:1:1: warning: of c\n")
    found = build.by_target(text)
    assert [compare.read(found[name], "/")[0].text for name in ("mm/a", "mm/b")] == ["warning: x", "error: z"]
    assert len(compare.read(found["mm/a"], "/")) == 2 and "of c" in found["mm/c.d"]
    assert found[""].startswith("make[3]: ***")


def test_make_says_which_target_it_is_about(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a make -s the kernel's own would not, and every message would be that of every file."""
    tree = job.scratch / "tree"
    tree.mkdir()
    (tree / "Makefile").write_text("words:\n\t@echo '$(firstword -$(MAKEFLAGS))'\n")
    monkeypatch.setattr(kernels.Kernel, "make", ["ARCH=um"])
    kernel = kernels.one("um")
    build.build_dir(job.tree, kernel).mkdir(parents=True)
    ((said, status),) = build._make(job, tree, [(kernel, ["words"])])  # pylint: disable=protected-access
    assert not status and said.startswith("-") and "s" not in said.split()[0], said


@pytest.fixture(name="um")
def fixture_um(monkeypatch: pytest.MonkeyPatch) -> kernels.Kernel:
    """A kernel that takes in every file, and nothing of which was compiled yet; make is the test's to replace."""
    monkeypatch.setattr(kernels.Kernel, "make", ["ARCH=um"])
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    monkeypatch.setattr(build, "configured", lambda _job, there, _commit: (there, [], []))
    monkeypatch.setattr(build, "_memory", build._Memory())  # pylint: disable=protected-access
    monkeypatch.setattr(build, "_configure", lambda *_args: None)
    monkeypatch.setattr(makefiles, "enabled", lambda *_args: True)
    return kernels.one("um")


def test_file_kept_from_being_made_has_the_words_of_what_kept_it(job: Job, um: kernels.Kernel,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    said = ("  CC      arch/x86/um/offsets.s\na.h:1:1: fatal error: no such header\n"
            "make[3]: *** [arch/x86/um/offsets.s] Error 1\n")
    monkeypatch.setattr(build, "_make", lambda *_args: [(said, 2)])
    report = new_messages.report(job, [um])
    assert report.broken and any("no such header" in note for note in report.notes)


@pytest.mark.parametrize("top", ["", "../../linux/", "{tree}/"])
def test_message_counts_wherever_a_file_is_seen_from(job: Job, um: kernels.Kernel, monkeypatch: pytest.MonkeyPatch,
                                                     top: str) -> None:
    """kbuild gives sparse the path from the root."""
    name = f"{top.format(tree=build.tree_dir(job.tree))}mm/memory_hotplug.c"
    made = build.build_dir(job.tree, um) / "mm/memory_hotplug.o"
    made.parent.mkdir(parents=True)

    def make(_job: Job, path: Path, _calls: object) -> list[tuple[str, int]]:
        made.write_bytes(b"")
        patched = Git(path / ".git", worktree=path).resolve("HEAD") == job.one.after
        said = f"{name}:46:16: warning: plain integer\n" if patched else ""
        return [(f"  CC      mm/memory_hotplug.o\n  CHECK   {name}\n{said}", 0)]

    monkeypatch.setattr(build, "_make", make)
    (finding,) = new_messages.report(job, [um]).findings
    assert (finding.level, finding.where) == (Status.WARN, "mm/memory_hotplug.c:46")


@pytest.mark.parametrize(("name", "taken"), [
    ("mm/kmsan/core.c", False), ("mm/kasan/core.c", True), ("mm/kasan/deep/a.c", True), ("mm/off.c", False),
    ("mm/always.c", True), ("mm/unheard_of.c", True), ("mm/kmsan/deep/a.c", False), ("lib/a.c", True)])
def test_directory_that_is_not_configured_is_left_out(tmp_path: Path, name: str, taken: bool) -> None:
    for directory, rules in {"mm": "obj-$(CONFIG_KMSAN) += kmsan/\nobj-$(CONFIG_KASAN) += kasan/\nobj-$(CONFIG_OFF) += off.o\n"
                                   "obj-y += always.o\n", "mm/kmsan": "obj-y := core.o deep/\n",
                             "mm/kasan": "obj-y := core.o deep/\n"}.items():
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "Makefile").write_text(rules)
    (tmp_path / ".config").write_text("CONFIG_KASAN=y\n# CONFIG_KMSAN is not set\n")
    assert makefiles.enabled(tmp_path, tmp_path, name) == taken


@pytest.mark.parametrize(("name", "taken"), [
    ("nommu", False), ("memory", True), ("mseal", False), ("big", True), ("other", False), ("both", True), ("unknown", True),
    ("part", False), ("init_64", False), ("init_32", True), ("late", True), ("nested", False), ("ldflags", True)])
def test_makefile_s_conditions_and_lists_are_followed(tmp_path: Path, name: str, taken: bool) -> None:
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm/Makefile").write_text("""\
mmu-y := nommu.o
mmu-$(CONFIG_MMU) := memory.o \\
\tbig.o
ifdef CONFIG_64BIT
mmu-$(CONFIG_MMU) += mseal.o
ifndef CONFIG_64BIT
mmu-y += nested.o
endif
else ifeq ($(CONFIG_MMU),y)
mmu-y += late.o
else
mmu-y += other.o
endif
ifeq ($(cc-name),gcc)
mmu-y += both.o
else
mmu-y += unknown.o
endif
obj-y += $(mmu-y) init_$(BITS).o
obj-$(CONFIG_OFF) += whole.o
whole-y := part.o
ldflags-y += -T x
""")
    (tmp_path / ".config").write_text("CONFIG_MMU=y\n")
    assert makefiles.enabled(tmp_path, tmp_path, f"mm/{name}.c") == taken


def test_files_of_an_architecture_are_compiled_for_it() -> None:
    assert kernels.touched(["mm/a.c"]) == ["x86_64"] == kernels.touched(["arch/x86/mm/a.c"])
    assert kernels.touched(["mm/a.c", "arch/powerpc/mm/a.c"]) == ["x86_64", "ppc64le"]
    ours, theirs = kernels.kernels("toggle"), kernels.kernels("toggle", "ppc64le")
    assert [f"{one.name}-ppc64le" for one in ours] == [one.name for one in theirs]
    assert {one.arch for one in theirs} == {"powerpc"} and not {one.id for one in ours} & {one.id for one in theirs}


def test_next_patch_s_files_are_compiled_on_the_way(job: Job, world: World) -> None:
    world.patch(world.patches, "0002-b.patch", {"mm/page_alloc.c": ("return 3;", "return 4;")}, "mm: b")
    found = series.read(job.tree, None, None)
    first = replace(job, series=found, patch=found.patches[0])
    assert sources.later(first, ["mm/memory_hotplug.c"]) == []
    assert sources.later(replace(first, asked=(1, 2)), ["mm/memory_hotplug.c"]) == ["mm/page_alloc.c"]
    assert sources.later(replace(first, asked=(1, 2)), ["mm/page_alloc.c"]) == []
    assert sources.later(replace(first, patch=found.patches[1], asked=(1, 2)), []) == []


def test_build_tier_goes_through_the_series_once(job: Job) -> None:
    checks = registry.chosen(registry.all_checks(), ["quick", "build", "run"], [])
    patches = (job.one, replace(job.one, number=2))
    order = runner.by_patch(runner.units(checks, replace(job.series, patches=patches), None))
    tiers = [unit.check.tier for unit in order]
    assert set(tiers) == {"build", "run"} and tiers == sorted(tiers)
    numbers = [unit.patch.number if unit.patch else 9 for unit in order if unit.check.tier == "build"]
    assert numbers == sorted(numbers) and {1, 2, 9} == set(numbers)


def fake(monkeypatch: pytest.MonkeyPatch, job: Job, before: Built, after: Built, configured: bool = True) -> None:
    """Compilations that say what the test wants."""
    outcome = {job.one.before: before, job.one.after: after}
    monkeypatch.setattr(build, "objects", lambda _job, there, commit, names, *_words: {
        kernel.name: {name: outcome[commit] for name in names} for kernel in there})
    if configured:
        monkeypatch.setattr(build, "configured", lambda _job, there, _commit: (there, [], []))
    monkeypatch.setattr(kernels.Kernel, "missing", "")


@pytest.fixture(name="moved")
def fixture_moved(job: Job, world: World) -> Job:
    """A patch that moves a file and adds a line to it."""
    git(world.kernel, "mv", "mm/page_alloc.c", "mm/fine.c")
    edit(world.kernel / "mm/fine.c", "return 3;", "return\n4;")
    git(world.kernel, "commit", "-q", "-a", "-m", "mm: move")
    found = series.read(job.tree, "HEAD^..HEAD", world.kernel)
    return replace(job, series=found, patch=found.patches[0])


@pytest.mark.parametrize("broken", [False, True])
def test_moved_file_has_the_messages_that_it_had_before(moved: Job, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    old = Message("mm/page_alloc.c", 3, "warning: old")
    outcome = {"mm/page_alloc.c": Built((old,), broken, "error"), "mm/fine.c": Built((replace(old, file="mm/fine.c"),), broken)}
    there = {moved.one.before: "mm/page_alloc.c", moved.one.after: "mm/fine.c"}
    monkeypatch.setattr(build, "objects", lambda _job, _there, commit, names, *_words: {
        "x86_64": {name: outcome[name] for name in names if name == there[commit]}})
    monkeypatch.setattr(build, "configured", lambda _job, there, _commit: (there, [], []))
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    report = new_messages.report(moved, [kernels.one("x86_64")])
    assert (report.status, report.broken) == ((Status.SKIP, True) if broken else (Status.PASS, False))
    assert report.notes[-1] == f"x86_64: {int(not broken)} of 1 files compiled"


def test_moved_file_s_objects_are_compared(moved: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    made = moved.scratch / "a.o"
    made.touch()
    monkeypatch.setattr(build, "kept", lambda _job, _kernel, commit, _names, _more=(): {
        "mm/page_alloc.c" if commit == moved.one.before else "mm/fine.c": made})
    (program,) = (one.program for one in registry.all_checks() if one.name == "stack")
    monkeypatch.setitem(program.__globals__, "_frames", lambda _job, _path: {"f": 600})
    report = program(moved)
    assert report.status == Status.PASS and report.notes[0] == "mm/fine.c:"


def test_only_what_is_changed_in_a_moved_file_is_new(moved: Job) -> None:
    before, after = moved.one.before, moved.one.after
    assert before and after
    assert regions.added(moved.git, before, after, "mm/fine.c", "mm/page_alloc.c") == [4, 5]
    assert len(regions.added(moved.git, before, after, "mm/fine.c", "mm/fine.c")) == 61


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
    assert (report.status, report.broken, report.keep) == (status, broken, not (before.failed or after.failed))
    assert status != Status.WARN or [finding.where for finding in report.findings] == ["mm/memory_hotplug.c:9"]


MADE = Built((), False, lines=frozenset({("mm/memory_hotplug.c", 1)}))


@pytest.mark.parametrize("name, outcome, status", [
    ("stack", Built((), True, "out of memory"), Status.SKIP), ("uncompiled", Built((), True, "out of memory"), Status.WARN),
    ("uncompiled", MADE, Status.PASS)])
def test_object_that_could_not_be_made_is_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch, name: str, outcome: Built,
                                                      status: Status) -> None:
    """It may have been the machine's fault."""
    fake(monkeypatch, job, outcome, outcome)
    objects = build.objects
    monkeypatch.setattr(build, "objects", lambda *words, **_more: objects(*words))
    monkeypatch.setattr(build, "taken_in", lambda *_words: True)
    monkeypatch.setattr(regions, "lines", lambda text: [regions.Line(1, True, True)] * len(text.splitlines()))
    (program,) = (one.program for one in registry.all_checks() if one.name == name)
    report = program(job)
    assert (report.status, report.keep and not report.broken) == (status, outcome is MADE)


@pytest.mark.parametrize("included", [False, True])
def test_header_that_no_kernel_here_includes_is_not_compiled(job: Job, world: World, monkeypatch: pytest.MonkeyPatch,
                                                             included: bool) -> None:
    """A C file of the same patch is: that says nothing of the header of another architecture."""
    header = "arch/mips/include/asm/tlb.h"
    write(world.kernel, {header: "int tlb;\n"})
    edit(world.kernel / "mm/memory_hotplug.c", "return 10;", "return 11;")
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "mm: both")
    found = series.read(job.tree, "HEAD^..HEAD", world.kernel)
    of_file = {name: number for name, number in (("mm/memory_hotplug.c", 1), *([(header, 1)] if included else []))}
    made = Built((), False, lines=frozenset(of_file.items()))
    monkeypatch.setattr(build, "objects", lambda _job, there, _commit, names, **_more: {
        kernel.name: {name: made for name in names} for kernel in there})
    monkeypatch.setattr(build, "taken_in", lambda *_words: True)
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    (program,) = (one.program for one in registry.all_checks() if one.name == "uncompiled")
    report = program(replace(job, series=found, patch=found.patches[0]))
    assert [finding.where for finding in report.findings] == ([] if included else [f"{header}:1"])


def test_structs_that_do_not_compile_have_no_size(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.Kernel, "missing", "")
    (program,) = (one.program for one in registry.all_checks() if one.name == "structs")
    sizes = {job.series.base: {"page": 64}}
    monkeypatch.setitem(program.__globals__, "_sizes", lambda _job, _kernel, commit: sizes.get(commit, {}))
    patches = (replace(job.one, paths=("include/linux/mm.h",)),)
    report = program(replace(job, series=replace(job.series, patches=patches), patch=None))
    assert (report.status, report.keep) == (Status.SKIP, False)


@pytest.mark.parametrize("at_base, broken, said", [
    (Built((), False), False, "an earlier patch of the series broke it"), (Built((), True, "error"), True, "the base is broken")])
def test_what_an_earlier_patch_broke_is_not_the_base_s_fault(job: Job, monkeypatch: pytest.MonkeyPatch, at_base: Built,
                                                             broken: bool, said: str) -> None:
    fake(monkeypatch, job, Built((), True, "error"), Built((), True, "error"))
    objects = build.objects
    monkeypatch.setattr(build, "objects", lambda one, there, commit, names, *words: (
        {kernel.name: dict.fromkeys(names, at_base) for kernel in there} if commit == "base"
        else objects(one, there, commit, names, *words)))
    report = new_messages.report(replace(job, series=replace(job.series, base="base")), [kernels.one("x86_64")])
    assert (report.status, report.broken) == (Status.SKIP, broken) and said in report.line


@pytest.mark.parametrize("fails, status", [("base", Exit.BROKEN_BASE), ("before", Exit.NOTHING_RAN), ("after", Exit.BUILD_FAILED)])
def test_kernel_that_cannot_be_configured_is_the_first_commit_s_fault(job: Job, world: World, monkeypatch: pytest.MonkeyPatch,
                                                                      fails: str, status: Exit) -> None:
    world.patch(world.patches, "0002-b.patch", {"mm/page_alloc.c": ("return 3;", "return 4;")}, "mm: b")
    found = series.read(job.tree, None, None)
    second = replace(job, series=found, patch=found.patches[1])
    commits = [found.base, second.one.before, second.one.after]
    bad = commits[["base", "before", "after"].index(fails):]

    def make(_job: Job, path: Path, calls: Sequence[object]) -> list[tuple[str, int]]:
        return [("no .config", int(Git(path / ".git", worktree=path).resolve("HEAD") in bad))] * len(calls)

    monkeypatch.setattr(build, "_make", make)
    with pytest.raises(MhpError, match="no .config") as raised:
        build.taken_in(second, [kernels.one("um")], commits[2] or "", "mm/page_alloc.c")
    assert raised.value.status == status


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

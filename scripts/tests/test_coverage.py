# SPDX-License-Identifier: GPL-2.0
"""scripts/coverage without a kernel: its files, gcov's data, the series' lines, the thresholds, the reports."""

import shlex
import shutil
import subprocess
import xml.etree.ElementTree as xml
from collections.abc import Callable
from pathlib import Path

import pytest
from small_world import World, edit, write

from mhp import paths
from mhp.arch import Arch, directives
from mhp.builddir import BuildDir
from mhp.coverage import command, functions, gcov, handed, judge, model, output, page, patches, scope, table
from mhp.coverage.model import Data, Line
from mhp.exits import Exit, MhpError
from mhp.tree import read_state

SOURCE = """\
static int flag;

static int __meminit first(int a,
\t\t\t   struct page *page)
{
\tif (a)
\t\treturn 1;
#ifdef CONFIG_NEVER
\treturn 2;
#endif
\treturn 0;
}

#ifdef CONFIG_NEVER
int never(void)
{
\treturn 3;
}
#endif

static inline int short_one(void) { return 4; }

static const struct ops ops = {
\t.call = first,
};
"""
THRESHOLDS = {name: scope.Threshold(100 if name == scope.SERIES else 0, 100) for name in (
    scope.SERIES, scope.LINES, scope.BRANCHES)}


def lines(counts: dict[int, int], target: str = "um") -> dict[int, Line]:
    """Lines with these counts and no branches."""
    return {number: Line({target: count}) for number, count in counts.items()}


def test_functions_and_their_lines() -> None:
    found = [(one.name, one.first, one.last) for one in functions.functions(SOURCE)]
    assert found == [("first", 3, 12), ("never", 15, 18), ("short_one", 21, 21)]


def test_code_that_nothing_compiles() -> None:
    assert patches.uncompiled(SOURCE, lines({3: 1, 6: 1, 7: 0, 11: 1, 21: 1})) == {9, 15, 16, 17, 18}
    merged = patches.uncompiled(SOURCE, lines({3: 1, 6: 1, 11: 1, 21: 1}))
    assert merged == {7, 9, 15, 16, 17, 18}, "a statement without a counter is told"


@pytest.mark.parametrize("read, text, said", [
    (scope.read_scope, "mm/a.c\n", ":1: not `FILE PATTERN"), (scope.read_scope, "../a.c *\n", ":1: not `FILE PATTERN"),
    (scope.read_scope, "# nothing\n", "names no file"),
    (scope.read_exclusions, "lines  mm/a.c:f  text\n", ":1: not `lines|branches"),
    (scope.read_exclusions, "lines  mm/a.c:f  (  why\n", ":1: ("),
    (scope.read_exclusions, "lines with um  mm/a.c:f  text  why\n", ":1: not `lines|branches"),
    (scope.read_thresholds, "lines 95\n", ":1: not"), (scope.read_thresholds, "lines 99 95\n", ":1: not"),
    (scope.read_thresholds, "lines 90 95\n", "nothing about branches, series"),
    (scope.read_runs, "quick m68k\n", ":1: neither `loop|quick"), (scope.read_runs, "um\n", ":1: neither `loop|quick"),
    (scope.read_runs, "full boot\n", ":1: neither `loop|quick"), (scope.read_runs, "full boot no-such\n", "no such line"),
    (scope.read_runs, "", "names no run")])
def test_files_that_are_wrong_are_refused(read: Callable[[Path], object], text: str, said: str,
                                          tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(MhpError) as caught:
        read(path)
    assert caught.value.status == Exit.USAGE and said in str(caught.value)


def test_own_files_are_right() -> None:
    files = scope.read_scope(paths.COVERAGE / "scope")
    assert files.holds("mm/memory_hotplug.c", "offline_pages") and not files.holds("mm/page_alloc.c", "bad_page")
    assert scope.read_thresholds(paths.COVERAGE / "thresholds")[scope.SERIES].least == 100
    assert all(one.reason for one in scope.read_exclusions(paths.COVERAGE / "exclusions"))
    runs = scope.read_runs(paths.COVERAGE / "runs")
    assert runs[0].name == "um" and runs[0].words == ["--arch=um"] and runs[0].which == scope.LOOP
    assert "--boot=x86-la57" in [word for run in runs for word in run.words]
    for target in {run.target for run in runs} - {"um"}:
        assert directives(Arch(target).fragment(command.CONFIG))["gcov"], "a way out of the guest"
        assert (paths.REPO / "kunit/gcov" / f"{Arch(target).source}.c").is_file()


def test_runs_that_are_asked_for() -> None:
    runs = scope.read_runs(paths.COVERAGE / "runs")
    quick = command.chosen_runs(runs, command.Asked(which=scope.QUICK))
    assert {run.target for run in quick} >= {"um", "x86_64"} and len(quick) < len(runs)
    assert [run.name for run in command.chosen_runs(runs, command.Asked(which=scope.LOOP))] == ["um"]
    assert {run.target for run in command.chosen_runs(runs, command.Asked(targets=("um",)))} == {"um"}
    with pytest.raises(MhpError, match="no run for sparc"):
        command.chosen_runs(runs, command.Asked(targets=("um", "sparc")))
    assert command.Asked(which=scope.QUICK).enforced
    assert not command.Asked(which=scope.LOOP).enforced and not command.Asked("mhp_*").enforced


def test_objects_of_an_architecture() -> None:
    chosen = scope.Scope({name: ("*",) for name in ("mm/a.c", "arch/um/b.c", "arch/x86/c.c")})
    assert command.instrumented(chosen, ["mm/d.c", "mm/e.h"], Arch("x86_64")) == [
        "arch/x86/c.o", "mm/a.o", "mm/d.o", "mm/e.h"]
    assert command.instrumented(chosen, [], Arch("um")) == ["arch/um/b.o", "mm/a.o"]


def test_last_pattern_decides(tmp_path: Path) -> None:
    (tmp_path / "scope").write_text("mm/a.c * !boot_* # no comment here\nmm/a.c boot_but_wanted\n")
    found = scope.read_scope(tmp_path / "scope")
    assert [found.holds("mm/a.c", name) for name in ("any", "boot_x", "boot_but_wanted")] == [True, False, True]
    assert not found.holds("mm/b.c", "any")


@pytest.fixture(name="built")
def fixture_built(tmp_path: Path) -> Path:
    """A build directory of one instrumented program, not run yet."""
    if shutil.which("gcc") is None or shutil.which("gcov") is None:
        pytest.skip("gcc and gcov are not installed")
    write(tmp_path, {"linux/mm/a.c": "int main(int argc, char **argv)\n{\n\tif (argc > 1)\n\t\treturn 1;\n\treturn 0;\n}\n",
                     "um/mm/.a.o.cmd": "-ftest-coverage"})
    subprocess.run(["gcc", "--coverage", "-c", tmp_path / "linux/mm/a.c", "-o", "mm/a.o"], cwd=tmp_path / "um", check=True)
    subprocess.run(["gcc", "--coverage", "mm/a.o", "-o", "a"], cwd=tmp_path / "um", check=True)
    subprocess.run(["ar", "cDPrST", "vmlinux.a", "mm/a.o"], cwd=tmp_path / "um", check=True)
    return tmp_path / "um"


def test_counts_of_a_run(built: Path) -> None:
    subprocess.run([built / "a"], check=True)
    found = gcov.read(built, built.parent / "linux", "um", "gcov")["mm/a.c"]
    assert {number: line.count for number, line in found.items()} == {1: 1, 3: 1, 4: 0, 5: 1}
    assert sorted(found[3].taken) == [0, 1]
    assert gcov.remove(built) == 1 and gcov.remove(built) == 0


def test_no_data_is_an_error(built: Path) -> None:
    with pytest.raises(MhpError) as caught:
        gcov.read(built, built.parent / "linux", "um", "gcov")
    assert caught.value.status == Exit.NOTHING_RAN and "mm/a.o" in str(caught.value)
    (built / "mm/.a.o.cmd").write_text("without")
    with pytest.raises(MhpError, match="no object was instrumented"):
        gcov.read(built, built.parent / "linux", "um", "gcov")


def test_objects_of_another_configuration_do_not_count(built: Path) -> None:
    for suffix in (".gcno", ".o"):
        shutil.copy(built / f"mm/a{suffix}", built / f"mm/old{suffix}")
    shutil.copy(built / "mm/.a.o.cmd", built / "mm/.old.o.cmd")
    assert gcov.objects(built) == [built / "mm/a.gcno"]
    (built / "vmlinux.a").unlink()
    assert not gcov.objects(built)


def test_data_that_a_guest_hands_out(built: Path) -> None:
    subprocess.run([built / "a"], check=True)
    (counted,) = built.rglob("*.gcda")
    content, where, notes = counted.read_bytes(), BuildDir(built), gcov.objects(built)
    counted.unlink()
    head = f"gcda {len(content)} {counted}\n".encode()
    where.handed_out.write_bytes(head + content + b"end 1\n")
    handed.unpack(where, notes)
    assert counted.read_bytes() == content and handed.size(where) > len(content)
    assert gcov.read(built, built.parent / "linux", "x86_64", "gcov")["mm/a.c"][3].counts == {"x86_64": 1}
    for wrong in (b"", head, head + content, head + content[:-1] + b"end 1\n", head + content + b"end 2\n",
                  (head + content) * 2 + b"end 2\n", head + content + b"end 1\nmore", b"garbage\n",
                  head.replace(b"/mm/a", b"/mm/../mm/a") + content + b"end 1\n",
                  b"gcda 3 /etc/passwd\nabcend 1\n", b"gcda 3 a\0b\nabcend 1\n", b"gcda 99999999999 /a\n"):
        where.handed_out.write_bytes(wrong)
        with pytest.raises(MhpError) as caught:
            handed.unpack(where, notes)
        assert caught.value.status == Exit.NOTHING_RAN, wrong
    where.handed_out.unlink()
    with pytest.raises(MhpError, match="one that panicked or was stopped has none"):
        handed.unpack(where, notes)


def test_path_of_the_device_is_one_word() -> None:
    words = shlex.split(handed.device(Arch("x86_64"), command.CONFIG, Path("/a b/c,d;e")))
    assert words == ["-chardev", "file,id=gcov,path=/a b/c,,d;e", "-device", "isa-debugcon,chardev=gcov"]
    with pytest.raises(MhpError, match="no way out of the guest"):
        handed.device(Arch("um"), command.CONFIG, Path("/a"))


def test_targets_are_merged() -> None:
    one: Data = {"a.c": {1: Line({"um": 1}, {"um": (1, 0)}), 2: Line({"um": 0})}}
    other: Data = {"a.c": {1: Line({"x86_64": 0}, {"x86_64": (0, 2)}), 2: Line({"x86_64": 3})}, "b.c": lines({1: 0})}
    merged = model.merge([one, other])
    assert merged["a.c"][1].taken == (1, 2) and merged["a.c"][2].count == 3
    one["a.c"][1].branches["powerpc"] = ()
    assert one["a.c"][1].taken == (1, 0), "a condition that is constant on one target"
    assert model.targets(merged) == ["um", "x86_64"] and set(merged) == {"a.c", "b.c"}
    assert str(model.sum_lines([])).strip() == "-", "of nothing there is no percentage"


def judged_world(world: World, planted: str) -> tuple[judge.Judged, dict[str, list[str]]]:
    """A patch that adds `planted` to a function, of which only the lines with "seen" ran."""
    body = f"int more(int a)\n{{\n{planted}\treturn 0; /* seen */\n}}\n"
    world.patch(world.patches, "0001-mm-more.patch", {"mm/memory_hotplug.c": (
        "int hotplug_59(void)", f"{body}int hotplug_59(void)")}, "mm: more")
    tree = world.prepare()
    text = world.read("mm/memory_hotplug.c").splitlines()
    data = {"mm/memory_hotplug.c": lines({number: int("seen" in line) for number, line in enumerate(text, 1)
                                          if "return" in line or "call" in line})}
    below = read_state(tree).below_mm
    own = patches.attribute(tree, below, patches.touched(tree.git, below), data)
    everything = scope.Scope({"mm/memory_hotplug.c": ("*",)})
    return judge.judge(tree.path, data, own, everything, [], THRESHOLDS), {"mm/memory_hotplug.c": text}


def test_planted_line_that_never_runs_fails_with_file_and_line(world: World) -> None:
    found, texts = judged_world(world, "\tif (a)\n\t\tcall_nobody();\n")
    (number,) = [at for at, line in enumerate(texts["mm/memory_hotplug.c"], 1) if "call_nobody" in line]
    assert found.unreached == [("mm/memory_hotplug.c", number)]
    assert "executable lines of the series: 50.00 % are reached" in found.failures[0]
    printed = "\n".join(table.lines(found, texts))
    assert f"mm/memory_hotplug.c:{number}: patch 1: call_nobody();" in printed and "FAILED" in printed
    assert "call_nobody();" in page.page(found, texts, "a test") and 'class="miss"' in page.page(found, texts, "a test")


def test_series_that_runs_passes(world: World) -> None:
    found, _texts = judged_world(world, "")
    assert not found.failures and not found.unreached and str(found.series).split()[0] == "100.0"


def test_uncommitted_lines_are_counted(world: World) -> None:
    judged_world(world, "")
    edit(world.linux / "mm/memory_hotplug.c", "return 0; /* seen */", "return 1;")
    tree = world.prepare()
    number = 1 + world.read("mm/memory_hotplug.c").splitlines().index("\treturn 1;")
    own = patches.attribute(tree, read_state(tree).below_mm, ["mm/memory_hotplug.c"],
                            {"mm/memory_hotplug.c": lines({number: 0})})
    assert own[-1].patch.subject == "not committed" and own[-1].executable == {"mm/memory_hotplug.c": [number]}


@pytest.mark.parametrize("kind, counted", [("static inline", True), ("static __always_inline", False)])
def test_header_is_counted_for_functions_that_the_compiler_may_leave_out_of_line(world: World, kind: str, counted: bool) -> None:
    tree = world.prepare()
    header = next(name for name in tree.git.names("ls-files", "-z", "*.h"))
    text = world.read(header)
    (world.linux / header).write_text(f"{text}\n{kind} int more(int a)\n{{\n\treturn a;\n}}\n", encoding="utf-8")
    below = read_state(tree).below_mm
    names = patches.touched(tree.git, below)
    assert header in names
    assert (header in patches.with_counters(tree, below, names)) == counted


def excluded(tmp_path: Path, text: str, counts: dict[int, int]) -> judge.Judged:
    """A judgement with exclusions."""
    write(tmp_path, {"mm/a.c": SOURCE, "exclusions": text})
    return judge.judge(tmp_path, {"mm/a.c": lines(counts)}, [], scope.Scope({"mm/a.c": ("*",)}),
                       scope.read_exclusions(tmp_path / "exclusions"), THRESHOLDS)


def test_exclusions_take_out_lines_and_show_when_they_are_stale(tmp_path: Path) -> None:
    good = excluded(tmp_path, "lines  mm/a.c:first  return 1;  cannot be\n", {6: 1, 7: 0, 11: 1})
    assert str(good.total[0]).split() == ["100.0", "%", "2/2"] and not good.stale
    assert "cannot be" in "\n".join(table.lines(good, {}))
    assert good.files[0].uncompiled == ["never", "short_one"]
    bad = excluded(tmp_path, "lines  mm/a.c:first  return 1;  cannot be\nlines  mm/a.c:*  nothing  gone\n", {7: 2})
    assert bad.stale == ["exclusions:1: mm/a.c:7 is reached", "exclusions:2: fits no line"]


def test_exclusion_that_holds_without_an_architecture(tmp_path: Path) -> None:
    (tmp_path / "exclusions").write_text("lines without powerpc  mm/a.c:first  return 1;  powerpc does it\n")
    (found,) = scope.read_exclusions(tmp_path / "exclusions")
    assert found.what == "lines" and found.without == "powerpc"


def test_tracefile_and_cobertura(tmp_path: Path) -> None:
    data = {"mm/a.c": {**lines({3: 2, 6: 2, 11: 1}), 7: Line({"um": 0}), 6: Line({"um": 2}, {"um": (2, 0)})}}
    data["mm/a.c"][3].counts["x86_64"] = 0
    trace = list(output.info(tmp_path, data, {"mm/a.c": SOURCE.splitlines()}))
    other = trace.index("TN:x86_64")
    assert trace[other:][1:4] == [f"SF:{tmp_path}/mm/a.c", "FN:3,first", "FNDA:0,first"] and "DA:3,0" in trace[other:]
    trace = trace[:other]
    assert f"SF:{tmp_path}/mm/a.c" in trace and "FNDA:2,first" in trace and "DA:7,0" in trace
    assert "BRDA:6,0,0,2" in trace and "BRDA:6,0,1,0" in trace and "LH:3" in trace and trace[-1] == "end_of_record"
    root = xml.fromstring(output.cobertura(tmp_path, data))
    (one,) = root.iter("class")
    assert one.get("filename") == "mm/a.c" and root.get("lines-covered") == "3" and root.get("lines-valid") == "4"
    assert [row.get("condition-coverage") for row in one.iter("line")][1] == "50% (1/2)"

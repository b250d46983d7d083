# SPDX-License-Identifier: GPL-2.0
"""scripts/series as a program, and refresh: from commits to patches and back."""

import shutil
import subprocess
from pathlib import Path

import pytest
from small_world import World, edit, environ_without_linux, git, write

from mhp import series, tree
from mhp.exits import Exit, MhpError

SCRIPTS = Path(__file__).resolve().parents[1]


def command(world: World, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the project's own copy of a command, as a user would."""
    if not (world.project / "scripts").exists():
        shutil.copytree(SCRIPTS, world.project / "scripts", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    return subprocess.run([str(world.project / "scripts" / args[0]), *args[1:]], text=True, capture_output=True,
                          env=environ_without_linux(), cwd="/", check=False)


def test_commands_in_a_row(world: World) -> None:
    world.mm_patch(1)
    kdir = f"--kdir={world.kernel}"
    made = command(world, "series", "apply", kdir)
    assert made.returncode == 0, made.stderr
    assert "0001-mm-change-1.patch" in made.stdout
    assert command(world, "series", "path", kdir).stdout == f"{world.linux}\n"
    mine = world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mm: mine")
    listed = command(world, "series", "list", kdir).stdout
    assert f"yours   {mine[:12]}  mm: mine" in listed
    assert command(world, "series", "refresh", kdir).returncode == 0
    assert (world.patches / "series").read_text() == "0001-mm-change-1.patch\n0002-mm-mine.patch\n"
    assert "yours" not in command(world, "series", "list", kdir).stdout
    assert "mm-change-1" not in command(world, "series", "none", kdir).stdout
    refused = command(world, "series", "refresh", kdir)
    assert refused.returncode == Exit.USAGE and "switched off" in refused.stderr
    assert "mm-mine" in command(world, "series", "apply", kdir).stdout
    assert command(world, "series", "import", kdir, "--append", "/nowhere").returncode == Exit.USAGE
    edit(world.linux / "mm/page_alloc.c", "return 4;", "return 44;")
    stopped = command(world, "clean", "--all")
    assert stopped.returncode == Exit.UNEXPORTED and "mm/page_alloc.c" in stopped.stderr
    write(world.linux.parent, {"um/vmlinux": "x"})
    write(world.build, {"bench.json": "{}", "kvm.json": "{}"})
    assert command(world, "clean").returncode == 0
    assert not (world.linux.parent / "um").exists() and world.linux.exists()
    assert command(world, "clean", "--all", "--force").returncode == 0
    assert not world.build.exists()


def test_command_line_errors(world: World) -> None:
    assert command(world, "series").returncode == Exit.USAGE
    assert command(world, "series", "--help").returncode == 0
    shown = command(world, "series", "import", "--help")
    assert shown.returncode == 0 and "--kdir" in shown.stdout and "MBOX" in shown.stdout
    refused = command(world, "series", "apply", "--kdir=/nowhere")
    assert refused.returncode == Exit.USAGE and "no kernel tree" in refused.stderr


def test_linux_in_the_environment_is_the_default(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINUX", str(world.kernel))
    import argparse
    for value, expected in ((str(world.kernel), world.kernel), ("", None)):
        monkeypatch.setenv("LINUX", value)
        parser = argparse.ArgumentParser()
        tree.add_tree_arguments(parser)
        assert parser.parse_args([]).kdir == expected
        assert parser.parse_args(["--kdir", "x"]).kdir == Path("x")


def test_refresh_is_stable(world: World) -> None:
    world.mm_patch(1)
    world.mm_patch(2)
    write(world.patches, {"known-bad/x.patch": "x\n", "README.md": "x\n"})
    (world.patches / "series").write_text("# The series.\n\n" + (world.patches / "series").read_text())
    prepared = world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mm: mine")
    assert series.refresh(prepared) == Exit.PASS
    first = {path.name: path.read_bytes() for path in world.patches.rglob("*") if path.is_file()}
    assert first["series"].decode().splitlines() == [
        "# The series.", "", "0001-mm-change-1.patch", "0002-mm-change-2.patch", "0003-mm-mine.patch"]
    world.prepare()
    assert series.refresh(prepared) == Exit.PASS
    shutil.rmtree(world.build)
    world.prepare()
    git(world.linux, "commit", "-q", "--amend", "--no-edit", "--reset-author", date="1700000000 +0000")
    assert series.refresh(world.prepare()) == Exit.PASS
    assert {path.name: path.read_bytes() for path in world.patches.rglob("*") if path.is_file()} == first


def test_refresh_after_reorder_and_drop(world: World) -> None:
    for number in (1, 2, 3):
        world.mm_patch(number)
    prepared = world.prepare()
    one, _two, three = git(world.linux, "rev-list", "--reverse", "HEAD~3..HEAD").split()
    git(world.linux, "reset", "-q", "--hard", "HEAD~3")
    git(world.linux, "cherry-pick", three, one)
    series.refresh(prepared)
    assert sorted(path.name for path in world.patches.glob("*.patch")) == [
        "0001-mm-change-3.patch", "0002-mm-change-1.patch"]
    head = git(world.linux, "rev-parse", "HEAD")
    world.prepare()
    assert git(world.linux, "rev-parse", "HEAD") == head
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    world.prepare()
    assert world.subjects()[-2:] == ["mm: change 3", "mm: change 1"]


def test_refresh_with_renames_and_modes(world: World) -> None:
    prepared = world.prepare()
    git(world.linux, "mv", "mm/page_alloc.c", "mm/renamed.c")
    (world.linux / "mm/memory_hotplug.c").chmod(0o755)
    (world.linux / "include/linux/mm.h").unlink()
    write(world.linux, {"mm/a b.c": "int space;\n"})
    git(world.linux, "add", "-A")
    git(world.linux, "commit", "-q", "-m", "mm: move")
    mine = git(world.linux, "rev-parse", "HEAD^{tree}")
    series.refresh(prepared)
    shutil.rmtree(world.build)
    world.prepare()
    assert git(world.linux, "rev-parse", "HEAD^{tree}") == mine


def test_refresh_names_uncommitted_edits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = world.prepare()
    edit(world.linux / "mm/page_alloc.c", "return 3;", "return 33;")
    assert series.refresh(prepared) == Exit.UNEXPORTED
    said = capsys.readouterr().err
    assert "mm/page_alloc.c" in said and "commit" in said
    assert not list(world.patches.glob("*.patch"))


def test_refresh_takes_suite_edits_back(world: World) -> None:
    prepared = world.prepare()
    write(world.linux, {"mm/mhp_kunit/first_kunit.c": "int edited;\n", "mm/mhp_kunit/new_kunit.c": "int new;\n",
                        "arch/um/kernel/hotplug.c": "int um_edited;\n"})
    assert series.refresh(prepared) == Exit.PASS
    assert (world.kunit / "first_kunit.c").read_text() == "int edited;\n"
    assert (world.kunit / "new_kunit.c").read_text() == "int new;\n"
    assert (world.um / "kernel/hotplug.c").read_text() == "int um_edited;\n"
    world.prepare()
    assert git(world.linux, "status", "--porcelain") == ""


def test_refresh_leaves_a_suite_edited_in_both_places(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = world.prepare()
    write(world.linux, {"mm/mhp_kunit/first_kunit.c": "int there;\n"})
    write(world.kunit, {"first_kunit.c": "int here;\n"})
    assert series.refresh(prepared) == Exit.UNEXPORTED
    assert "by hand" in capsys.readouterr().err
    assert (world.kunit / "first_kunit.c").read_text() == "int here;\n"
    assert world.read("mm/mhp_kunit/first_kunit.c") == "int there;\n"


def test_refresh_refuses_a_commit_to_a_suite(world: World) -> None:
    prepared = world.prepare()
    world.commit("mm/mhp_kunit/first_kunit.c", "first", "mine", "mm: wrong place")
    with pytest.raises(MhpError, match="first_kunit.c"):
        series.refresh(prepared)


def test_refresh_refuses_merges_and_links(world: World) -> None:
    prepared = world.prepare()
    base = git(world.linux, "rev-parse", "HEAD")
    (world.linux / "mm/link").symlink_to("/etc/passwd")
    git(world.linux, "add", "-A")
    git(world.linux, "commit", "-q", "-m", "mm: a link")
    series.refresh(prepared)
    with pytest.raises(MhpError, match="symbolic link"):
        shutil.rmtree(world.build)
        world.prepare()
    (world.patches / "series").write_text("")
    world.prepare()
    git(world.linux, "checkout", "-q", "-b", "side", base)
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "side")
    git(world.linux, "switch", "-q", tree.BRANCH)
    git(world.linux, "merge", "-q", "--no-ff", "-m", "merge", "side")
    with pytest.raises(MhpError, match="merges"):
        series.refresh(prepared)

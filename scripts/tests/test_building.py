# SPDX-License-Identifier: GPL-2.0
"""What scripts/kunit.py builds, and when a boot is enough; with a stand-in for upstream's script."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_kunit import Kunit, change_edit
from small_world import edit, git, write

from mhp import building, guard, paths, unchanged, upstream
from mhp.builddir import BuildDir
from mhp.building import Fast
from mhp.exits import Exit
from mhp.repeat import VERDICT_FILE

# Longer than what a file system's clock is behind.
_TICK = 0.02
_CALL = upstream.call


def test_new_file_that_git_would_ignore_is_built(kunit: Kunit) -> None:
    write(kunit.world.kernel, {".gitignore": "/*\n"})
    git(kunit.world.kernel, "add", "-f", ".gitignore")
    git(kunit.world.kernel, "commit", "-q", "-m", "as Debian has it")
    kunit("run")
    assert kunit.calls
    for text in ("int new;\n", "int newer;\n"):
        write(kunit.world.linux, {"mm/new.h": text})
        kunit("run")
        assert kunit.calls[0][0] == "run"


def test_edit_behind_a_link_builds(kunit: Kunit) -> None:
    kunit("run")
    ours, theirs = kunit.world.linux / "mm/page_alloc.c", kunit.world.tmp / "wip.c"
    ours.rename(theirs)
    ours.symlink_to(theirs)
    for _ in range(2):
        kunit("run")
    edit(theirs, "return 7;", "return 77;")
    for _ in range(2):
        kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run", "exec", "run", "exec"]


def test_repository_within_the_tree_builds_always(kunit: Kunit) -> None:
    kunit("run")
    mine = kunit.world.linux / "drivers/mine"
    write(mine, {"mine.c": "int mine;\n"})
    git(mine, "init", "-q")
    for _ in range(2):
        kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run", "run"]
    assert "drivers/mine/ edited" in kunit.printed()


def test_nothing_changed_boots_only(kunit: Kunit) -> None:
    assert kunit("run", "--jobs", "2", "a.b") == Exit.PASS
    assert kunit("run", "--jobs", "2", "a.b") == Exit.PASS
    built, booted = kunit.calls
    assert (built[0], booted[0]) == ("run", "exec") and "--jobs" not in booted and booted[-1] == "a.b"
    assert "nothing has changed since the last build" in kunit.printed()


def change_new_file(kunit: Kunit) -> None:
    write(kunit.world.linux, {"mm/new.c": "int fresh;\n"})


def change_commit(kunit: Kunit) -> None:
    kunit.world.commit("mm/memory_hotplug.c", "return 8;", "return 88;", "mm: change")


def change_suite(kunit: Kunit) -> None:
    write(kunit.world.kunit, {"first_kunit.c": "int second;\n"})


def change_config(kunit: Kunit) -> None:
    edit(paths.KUNITCONFIG, "CONFIG_KUNIT=y", "CONFIG_KUNIT=y\nCONFIG_MORE=y")


def change_dot_config(kunit: Kunit) -> None:
    with (kunit.build / ".config").open("a") as file:
        file.write("CONFIG_BY_HAND=y\n")


def change_kernel(kunit: Kunit) -> None:
    (kunit.build / "linux").write_text("another")


def change_kernel_gone(kunit: Kunit) -> None:
    (kunit.build / "linux").unlink()


def change_environment(kunit: Kunit) -> None:
    kunit.monkeypatch.setenv("KCFLAGS", "-g")


def change_compiler(kunit: Kunit) -> None:
    tools = kunit.world.tmp / "tools"
    write(tools, {"gcc": "#!/bin/sh\n"})
    (tools / "gcc").chmod(0o755)
    kunit.monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")


def change_packages(kunit: Kunit) -> None:
    status = kunit.world.tmp / "packages"
    status.write_text("another one")
    kunit.monkeypatch.setattr(unchanged, "PACKAGES", status)


def change_stamp(kunit: Kunit) -> None:
    (kunit.build / "mhp-built-from.json").write_text('{"key": 3')


CHANGES = [change_edit, change_new_file, change_commit, change_suite, change_config, change_dot_config,
           change_kernel, change_kernel_gone, change_environment, change_compiler, change_packages, change_stamp]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_builds(kunit: Kunit, change) -> None:  # type: ignore[no-untyped-def]
    assert kunit("run") == kunit("run") == Exit.PASS
    change(kunit)
    assert kunit("run") == kunit("run") == Exit.PASS
    assert [call[0] for call in kunit.calls] == ["run", "exec", "run", "exec"]


def test_other_compiler_behind_ccaches_link_builds(kunit: Kunit) -> None:
    top = kunit.world.tmp
    write(top, {"links/ccache": "#!/bin/sh\n", "tools/gcc": "#!/bin/sh\n"})
    (top / "links/gcc").symlink_to("ccache")
    for name in ("links/ccache", "tools/gcc"):
        (top / name).chmod(0o755)
    kunit.monkeypatch.setenv("PATH", f"{top}/links:{top}/tools:{os.environ['PATH']}")
    kunit("run")
    edit(top / "tools/gcc", "#!/bin/sh", "#!/bin/bash")
    kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run"]


def test_each_edit_of_one_file_builds(kunit: Kunit) -> None:
    kunit("run")
    for number in (71, 72):
        edit(kunit.world.linux / "mm/memory_hotplug.c", "return 9;", f"return 9; /* {number} */")
        kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run", "run"]


def test_unknown_flag_builds_always(kunit: Kunit) -> None:
    for _ in range(2):
        kunit("run", "--brand_new_flag=1")
    assert [call[0] for call in kunit.calls] == ["run", "run"]


def test_users_machine_is_looked_at(kunit: Kunit) -> None:
    machine = kunit.world.tmp / "machine.py"
    for text in ("memory = 1\n", "memory = 2\n"):
        machine.write_text(text)
        for _ in range(2):
            kunit("run", f"--qemu_config={machine}")
    assert [call[0] for call in kunit.calls] == ["run", "exec", "run", "exec"]


@pytest.mark.parametrize(("lines", "second"), [
    (['INITRAMFS_SOURCE="/there/list"'], "run"), (['EXTRA_FIRMWARE="a.fw b.fw"', 'INITRAMFS_SOURCE=""'], "run"),
    (['INITRAMFS_SOURCE=""', 'EXTRA_FIRMWARE=""'], "exec")])
def test_files_from_anywhere_in_the_kernel_build_always(kunit: Kunit, lines: list[str], second: str) -> None:
    for _ in range(2):
        kunit("run", *(f"--kconfig_add=CONFIG_{line}" for line in lines))
    assert [call[0] for call in kunit.calls] == ["run", second]


def test_other_options_build(kunit: Kunit) -> None:
    for flags in ([], ["--kconfig_add=CONFIG_A=y"], ["--make_options=V=1"], ["--brand_new_flag=1"]):
        kunit("run", *flags)
    assert [call[0] for call in kunit.calls] == ["run"] * 4


def test_edit_taken_back_boots_only(kunit: Kunit) -> None:
    kunit("run")
    change_edit(kunit)
    git(kunit.world.linux, "checkout", "-q", "mm/memory_hotplug.c")
    kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "exec"]


def test_failed_build_is_built_again(kunit: Kunit) -> None:
    kunit("run")
    change_edit(kunit)
    kunit.mode("build_error")
    kunit.fails(Exit.BUILD_FAILED, "run")
    assert not (kunit.build / VERDICT_FILE).exists()
    kunit.fails(Exit.BUILD_FAILED, "run")
    kunit.mode("")
    git(kunit.world.linux, "checkout", "-q", "mm/memory_hotplug.c")
    kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run", "run", "run"]


def an_object(kunit: Kunit) -> Path:
    """What make would have compiled just now from mm/page_alloc.c."""
    write(kunit.build, {"mm/page_alloc.o": "object", "mm/.page_alloc.o.cmd": "source_mm/page_alloc.o := "
                        f"{kunit.world.linux}/mm/page_alloc.c\n"})
    return kunit.build / "mm/page_alloc.o"


def kept(kunit: Kunit) -> Callable[[], object]:
    """Edit mm/page_alloc.c; what is returned puts it back with its old time."""
    source, kept_as = kunit.world.linux / "mm/page_alloc.c", kunit.world.tmp / "kept.c"
    shutil.copy2(source, kept_as)
    edit(source, "return 7;", "return 77;")
    return lambda: shutil.move(kept_as, source)


def fails_to_build(kunit: Kunit) -> None:
    change_edit(kunit)
    kunit.mode("build_error")
    kunit.fails(Exit.BUILD_FAILED, "run")
    kunit.mode("")


def configures(kunit: Kunit) -> None:
    kunit("config")


def does_nothing(_kunit: Kunit) -> None:
    pass


@pytest.mark.parametrize(("between", "words"), [(fails_to_build, []), (configures, []),
                                                (does_nothing, ["--brand_new_flag=1"])])
def test_edit_taken_back_after_a_complete_build_is_made_again(  # type: ignore[no-untyped-def]
        kunit: Kunit, between, words: list[str]) -> None:
    kunit("run")
    put_back = kept(kunit)
    kunit("run")
    between(kunit)
    made = an_object(kunit)
    put_back()
    assert kunit("run", *words) == Exit.PASS
    assert not made.exists()


def test_edit_taken_back_after_a_build_that_failed_is_made_again(kunit: Kunit) -> None:
    kunit("run")
    put_back = kept(kunit)
    fails_to_build(kunit)
    made = an_object(kunit)
    put_back()
    assert kunit("run") == Exit.PASS
    assert not made.exists()
    assert [path.name for path in kunit.build.glob("mhp-b*-from.json")] == ["mhp-built-from.json"]


def test_commit_of_the_last_build_that_git_has_dropped(kunit: Kunit) -> None:
    kunit("run")
    stamp = BuildDir(kunit.build).stamp
    known = json.loads(stamp.read_bytes())
    known["key"]["tree"]["commit"] = "1" * 40
    stamp.write_text(json.dumps(known))
    made = an_object(kunit)
    assert kunit("run") == Exit.PASS
    assert not made.exists()
    assert kunit("run") == Exit.PASS
    assert "nothing has changed" in kunit.printed()


@pytest.mark.parametrize("there", [False, True])
def test_new_header_outdates_what_has_another_of_its_name(kunit: Kunit, there: bool) -> None:
    if there:
        kunit.world.prepare()
        write(kunit.world.linux, {"mm/mm.h": "old\n"})
    kunit("run")
    made = an_object(kunit)
    (made.parent / ".page_alloc.o.cmd").write_text(f"{kunit.world.linux}/include/linux/mm.h\n")
    write(kunit.world.linux, {"mm/mm.h": "new\n"})
    environments = []
    real = guard.supervise

    def seen(*args: Any, **more: Any) -> guard.Ended:
        environments.append(more["env"])
        return real(*args, **more)

    kunit.monkeypatch.setattr(guard, "supervise", seen)
    kunit("run")
    assert made.exists() == there
    # ccache would find the object again: nothing that it was made from has changed.
    assert ["CCACHE_RECACHE" in env for env in environments] == [not there]


def test_interrupt_before_make_leaves_no_complete_build(kunit: Kunit) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    kunit("run")
    write(kunit.world.linux, {"mm/new.c": "int fresh;\n"})
    with kunit.monkeypatch.context() as patched:
        patched.setattr(building, "outdate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kunit("run")
    (kunit.world.linux / "mm/new.c").unlink()
    kunit("run")
    assert [call[0] for call in kunit.calls] == ["run", "run"]


def test_build_that_was_cut_off_is_mended(kunit: Kunit) -> None:
    kunit("build")
    mm = kunit.build / "mm"
    old = time.time() - 100
    write(mm, {name: "x" for name in ("whole.o", ".whole.o.cmd", ".half.o.cmd", "half.o", "none.o", ".none.o.cmd")})
    (mm / "none.o").write_text("")
    os.utime(mm / "whole.o", (old, old))
    os.utime(mm / ".half.o.cmd", (old, old))
    (kunit.build / "mhp-build-under-way").touch()
    (kunit.build / "mhp-built-from.json").unlink()
    kunit("run")
    assert "the last build was cut off: 2 unfinished files removed" in kunit.printed()
    assert (mm / "whole.o").exists() and not (mm / "half.o").exists() and not (mm / "none.o").exists()
    assert not (kunit.build / "mhp-build-under-way").exists()


def test_file_saved_before_make_begins_counts_as_edited(kunit: Kunit) -> None:
    """It was looked at already, and it is as it was then when the build is over."""
    assert kunit("run") == Exit.PASS
    with kunit.monkeypatch.context() as patched:
        patched.setattr(building.seed, "plant", lambda *_args: write(kunit.world.linux, {"mm/page_alloc.c": "int other;\n"}))
        before = kunit.world.read("mm/page_alloc.c")
        assert kunit("run", "--kconfig_add=CONFIG_NEW=y") == Exit.PASS
    write(kunit.world.linux, {"mm/page_alloc.c": before})
    kunit.printed()
    assert kunit("run", "--kconfig_add=CONFIG_NEW=y") == Exit.PASS
    assert "building first: mm/page_alloc.c edited" in kunit.printed()


def test_file_saved_in_mid_build_counts_as_edited(kunit: Kunit) -> None:
    assert kunit("run") == Exit.PASS
    build = BuildDir(kunit.build)
    stamp = json.loads(build.stamp.read_bytes())
    unchanged.record(build, "um", unchanged.Key(stamp["key"], 0), ["mm/page_alloc.c"])
    kunit.printed()
    assert kunit("run") == Exit.PASS
    assert "building first: mm/page_alloc.c edited" in kunit.printed()
    assert kunit("run") == Exit.PASS
    assert "nothing has changed" in kunit.printed()


def test_new_time_that_make_needs_is_nobody_s_edit(kunit: Kunit) -> None:
    """make sees that an old file is another one now by the time that it gets from us, not by the user."""
    assert kunit("run") == Exit.PASS
    write(kunit.build, {"include/config/auto.conf": ""})
    path = kunit.world.linux / "mm/Kconfig"
    path.write_text("config OTHER\n\tbool\n")
    os.utime(path, (946684800, 946684800))
    assert kunit("run") == Exit.PASS
    assert path.stat().st_mtime > 946684800
    kunit.printed()
    assert kunit("run") == Exit.PASS
    assert "nothing has changed" in kunit.printed()


def saving(kunit: Kunit, name: str) -> None:
    """While upstream's script runs a file is saved, and put back."""
    path, call = kunit.world.linux / name, upstream.call

    def call_meanwhile(*args: Any, **more: Any) -> upstream.Finished:
        time.sleep(_TICK)
        text = path.read_text()
        path.write_text("int other;\n")
        path.write_text(text)
        return call(*args, **more)

    kunit.monkeypatch.setattr(upstream, "call", call_meanwhile)


@pytest.mark.parametrize("words", [["run"], ["build"], ["run", "--run_isolated=suite"]])
def test_file_put_back_in_mid_build_counts_as_edited(kunit: Kunit, words: list[str]) -> None:
    kunit("build")
    change_edit(kunit)
    saving(kunit, "mm/page_alloc.c")
    kunit(*words)
    kunit.printed()
    kunit.monkeypatch.setattr(upstream, "call", _CALL)
    kunit("run")
    assert "building first: mm/page_alloc.c edited" in kunit.printed()
    kunit("run")
    assert "nothing has changed" in kunit.printed()


def test_file_put_back_in_a_build_that_fails_is_made_again(kunit: Kunit) -> None:
    kunit("run")
    saving(kunit, "mm/page_alloc.c")
    fails_to_build(kunit)
    made = an_object(kunit)
    kunit.monkeypatch.setattr(upstream, "call", _CALL)
    assert kunit("run") == Exit.PASS
    assert not made.exists()


def test_header_put_back_while_ninja_builds_counts_as_edited(kunit: Kunit) -> None:
    kunit("run")
    an_object(kunit)
    (kunit.build / "mm/.page_alloc.o.cmd").write_text(
        "source_mm/page_alloc.o := ../linux/mm/page_alloc.c\ndeps_mm/page_alloc.o := \\\n"
        "    $(wildcard include/config/A) \\\n  ../linux/include/linux/mm.h \\\n")
    script = f'sleep {_TICK}; cp -p "$0" "$0.kept"; echo >>"$0"; mv "$0.kept" "$0"'
    header = str(kunit.world.linux / "include/linux/mm.h")
    kunit.monkeypatch.setattr(building, "fast", lambda _job, before, found: Fast(
        ("sh", "-c", script, header), os.environ, ("mm/page_alloc.o",), before, found.edited))
    edit(kunit.world.linux / "mm/page_alloc.c", "return 7;", "return 77;")
    assert kunit("run") == Exit.PASS
    assert json.loads(BuildDir(kunit.build).stamp.read_bytes())["pending"] == ["include/linux/mm.h"]

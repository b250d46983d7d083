# SPDX-License-Identifier: GPL-2.0
"""scripts/kunit.py from the command line to the exit status, with a stand-in for upstream's script."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small_world import World, edit, git, write
from test_guard import mentioning

from mhp import building, kunit_run, log, options, paths, unchanged, upstream
from mhp.builddir import BuildDir
from mhp.building import Fast
from mhp.exits import Exit, MhpError
from mhp.guard import Ended
from mhp.repeat import VERDICT_FILE

HERE = Path(__file__).parent
DATA = HERE / "test_data"
# Longer than what a file system's clock is behind.
_TICK = 0.02
_CALL = upstream.call


class Kunit:
    """A small project whose kernel has the stand-in, and the command."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self.monkeypatch = monkeypatch
        self.capfd = capfd
        self.calls_file = world.tmp / "calls"
        config = world.project / ".kunitconfig"
        config.write_text("# The suites\nCONFIG_KUNIT=y\nCONFIG_MHP_KUNIT=y\n# CONFIG_TTY is not set\n", encoding="utf-8")
        monkeypatch.setattr(paths, "KUNITCONFIG", config)
        monkeypatch.setenv("FAKE_CALLS", str(self.calls_file))
        monkeypatch.setattr(sys, "argv", ["scripts/kunit.py"])
        self.processors(1)
        script = world.kernel / upstream.SCRIPT
        script.parent.mkdir(parents=True)
        shutil.copy(HERE / "fake_kunit.py", script)
        git(world.kernel, "add", "-A")
        git(world.kernel, "commit", "-q", "-m", "kunit.py")
        self.logs("ok")

    def logs(self, *names: str) -> None:
        """The logs of the next boots."""
        self.monkeypatch.setenv("FAKE_LOG", ":".join(str(DATA / f"{name}.log") for name in names))

    def processors(self, number: int) -> None:
        """How many this machine has."""
        self.monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(number)))

    def mode(self, words: str) -> None:
        """What goes wrong."""
        self.monkeypatch.setenv("FAKE_MODE", words)

    def __call__(self, *argv: str) -> int:
        return kunit_run.command(options.parse([*argv, "--kdir", str(self.world.kernel)]))

    def fails(self, status: Exit, *argv: str) -> str:
        """The error of a command line that must end with `status`."""
        with pytest.raises(MhpError) as caught:
            self(*argv)
        assert caught.value.status == status
        return str(caught.value)

    @property
    def calls(self) -> list[list[str]]:
        """The command lines that upstream got since the last time."""
        lines = self.calls_file.read_text().splitlines()
        self.calls_file.unlink()
        return [json.loads(line) for line in lines]

    @property
    def build(self) -> Path:
        """The build directory for um."""
        return self.world.linux.parent / "um"

    def printed(self) -> str:
        """stdout and stderr since the last time."""
        out, err = self.capfd.readouterr()
        return out + err


@pytest.fixture(name="kunit")
def fixture_kunit(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Kunit:
    return Kunit(world, monkeypatch, capfd)


def test_run_passes_and_leaves_nothing(kunit: Kunit) -> None:
    assert kunit("run") == Exit.PASS
    printed = kunit.printed()
    assert "verdict: PASS (exit status 0); 3 passed, 0 failed, 0 skipped" in printed
    (call,) = kunit.calls
    assert f"$ cd {kunit.world.linux}" in printed.replace("'", "") and call[0] == "run"
    assert f"--build_dir={kunit.build}" in call and f"--kunitconfig={paths.KUNITCONFIG}" in call
    assert not list((kunit.world.build / "tmp").glob("guest-*"))
    assert json.loads((kunit.build / VERDICT_FILE).read_text())["cases"] == {
        "mhp_offline.movable_content_intact": "PASS", "mhp_offline.busy_page_refused": "PASS",
        "mhp_section.add_remove": "PASS"}


@pytest.mark.parametrize(("name", "status"), [
    ("failed_case", Exit.FINDINGS), ("no_ktap", Exit.NOTHING_RAN), ("unfinished", Exit.UNFINISHED),
    ("panic", Exit.PANIC), ("warn_in_ok_case", Exit.REPORT)])
def test_verdict_is_the_exit_status(kunit: Kunit, name: str, status: Exit) -> None:
    kunit.logs(name)
    assert kunit("run", "mhp_*") == status
    assert f"verdict: FAIL, {status.name} (exit status {int(status)})" in kunit.printed()


def test_failure_names_the_command_that_repeats_just_it(kunit: Kunit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINUX", "/a b")
    kunit.logs("failed_case")
    kunit("run", "--kernel_args=x y", "mhp_*")
    kernel = kunit.world.kernel
    assert (f"repeat: LINUX='/a b' MHP_BUILD={kunit.world.build} scripts/kunit.py run '--kernel_args=x y' "
            f"--kdir '{kernel}' mhp_offline.busy_page_refused\n") in kunit.printed()


def test_upstream_flags_go_on_untouched(kunit: Kunit) -> None:
    flags = ["--brand_new_flag", "word", "--kernel_args=a b", "--timeout", "77", "--jobs=3", "--filter=speed>slow",
             "--kconfig_add", "CONFIG_X=y", "gl*b"]
    assert kunit("run", *flags) == Exit.PASS
    (call,) = kunit.calls
    assert call[-len(flags):] == flags


def test_own_build_dir_and_config_are_from_where_the_user_is(kunit: Kunit, monkeypatch: pytest.MonkeyPatch,
                                                             tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"my.config": "CONFIG_MINE=y\n"})
    assert kunit("run", "--build_dir", "mine", "--kunitconfig=my.config", "--json=out.json") == Exit.PASS
    (first, *_) = kunit.calls
    assert first[-4:] == ["--build_dir", f"{tmp_path}/mine", f"--kunitconfig={tmp_path}/my.config",
                          f"--json={tmp_path}/out.json"]
    assert (tmp_path / "mine/.config").read_text() == "CONFIG_MINE=y\n" and (tmp_path / "out.json").exists()


def test_config_fragment_has_its_own_build_directory(kunit: Kunit) -> None:
    write(kunit.world.kunit, {"configs/quick.config": "# Quick\nCONFIG_BITS=21\n# CONFIG_TTY is not set\n"})
    assert kunit("run", "--config", "quick") == Exit.PASS
    (call,) = kunit.calls
    assert f"--build_dir={kunit.build}-quick" in call
    assert [word for word in call if word.startswith("--kconfig_add")] == [
        "--kconfig_add=CONFIG_BITS=21", "--kconfig_add=# CONFIG_TTY is not set"]


def test_config_is_told_whether_the_series_is_in_the_tree(kunit: Kunit) -> None:
    kunit.world.mm_patch(1)
    assert kunit("run", "--series") == Exit.PASS
    kunit.world.prepare(series=False)
    assert kunit("run") == Exit.PASS
    with_series, without = kunit.calls
    assert "--kconfig_add=CONFIG_MHP_SERIES=y" in with_series
    assert "--kconfig_add=CONFIG_MHP_SERIES=y" not in without


def test_unknown_config_is_refused(kunit: Kunit) -> None:
    for name in ("none", "../configs/quick", "a b"):
        assert "there are: quick" in kunit.fails(Exit.USAGE, "run", "--config", name)


@pytest.mark.parametrize("words", [[], ["--config", "quick"], ["nothing"], ["--kdir=x"]])
def test_missing_or_wrong_subcommand_is_usage(words: list[str]) -> None:
    with pytest.raises(MhpError) as caught:
        options.parse(words)
    assert caught.value.status == Exit.USAGE


def test_upstream_usage_error(kunit: Kunit) -> None:
    kunit.fails(Exit.USAGE, "run", "--no_such_flag=1")


@pytest.mark.parametrize("flag", ["--timeout=soon", "--jobs=x", "--jobs=0", "--jobs=-1"])
def test_bad_value_is_usage(kunit: Kunit, flag: str) -> None:
    kunit.fails(Exit.USAGE, "run", flag)


def test_vanished_option_is_named_with_its_reason(kunit: Kunit, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kunit.world.kernel
    edit(kernel / "mm/Kconfig", "\tbool\n", '\tbool "Hotplug"\n\tdepends on SPARSEMEM && 64BIT\n')
    git(kernel, "commit", "-q", "-a", "-m", "depends")
    monkeypatch.setenv("FAKE_LOST", "MEMORY_HOTPLUG")
    for subcommand in ("run", "build", "config"):
        said = kunit.fails(Exit.CONFIG, subcommand, "--kconfig_add=CONFIG_MEMORY_HOTPLUG=y")
        assert "CONFIG_MEMORY_HOTPLUG: asked for y, came out not set" in said
        assert "depends on SPARSEMEM && 64BIT   (SPARSEMEM=n, 64BIT=n)" in said


def test_build_error_shows_the_compilers_lines(kunit: Kunit) -> None:
    kunit.mode("build_error")
    said = kunit.fails(Exit.BUILD_FAILED, "run")
    assert "mm/memory_hotplug.c:12:5: error: expected ';' before 'return'" in said and "***" not in said
    assert "repeat: " in said


def test_exec_without_a_kernel_says_so(kunit: Kunit) -> None:
    assert "holds no kernel yet" in kunit.fails(Exit.USAGE, "exec")


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


def change_edit(kunit: Kunit) -> None:
    edit(kunit.world.linux / "mm/memory_hotplug.c", "return 7;", "return 77;")


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


def test_build_directory_is_locked(kunit: Kunit) -> None:
    seen: list[Path] = []

    @contextmanager
    def locked(directory: Path) -> Iterator[None]:
        seen.append(directory)
        assert not kunit.build.joinpath(".config").exists()
        yield

    kunit.monkeypatch.setattr(kunit_run, "locked", locked)
    assert kunit("run") == Exit.PASS
    assert seen == [kunit.build]


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
    kunit("run")
    assert made.exists() == there


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


def test_hanging_guest_is_a_timeout_and_is_gone(kunit: Kunit) -> None:
    kunit.logs("hung")
    kunit.mode("hang daemon")
    kunit.monkeypatch.setattr(upstream, "_EXTRA_SECONDS", 1)
    assert kunit("run", "--timeout=1") == Exit.TIMEOUT
    assert "did not end within 1 s; the last result came after mhp_offline.movable" in kunit.printed()
    assert not mentioning(str(kunit.calls_file), "environ")


@pytest.mark.parametrize(("seconds", "halted", "late"), [
    (29.0, False, False), (29.7, False, True), (29.7, True, False), (30.1, True, True)])
def test_time_out_by_the_clock(seconds: float, halted: bool, late: bool) -> None:
    finished = upstream.Finished(Ended(1, None, b""), True, seconds, "")
    assert upstream.timed_out(30, finished, halted) == late


def test_flooded_log_ends_the_guest(kunit: Kunit) -> None:
    kunit.monkeypatch.setattr(upstream, "LIMIT_BYTES", 1 << 20)
    kunit.monkeypatch.setattr(log, "LIMIT_BYTES", 1 << 20)
    kunit.mode("flood")
    assert kunit("run") == Exit.UNFINISHED
    assert "the guest was stopped: it had printed 1 MiB" in kunit.printed()


def test_daemon_of_a_passing_run_is_gone(kunit: Kunit) -> None:
    kunit.mode("daemon")
    assert kunit("run") == Exit.PASS
    assert not mentioning(str(kunit.calls_file), "environ")


def test_results_are_read_where_upstream_wrote_none(kunit: Kunit) -> None:
    kunit.mode("no_json")
    assert kunit("run") == Exit.PASS
    assert [call[0] for call in kunit.calls] == ["run", "parse"]


@pytest.mark.parametrize("flag", ["--json", "--raw_output", "--json=out.json"])
def test_output_flags_do_not_change_the_verdict(kunit: Kunit, flag: str, tmp_path: Path) -> None:
    kunit.monkeypatch.chdir(tmp_path)
    kunit.logs("warn_in_ok_case")
    assert kunit("run", flag) == Exit.REPORT


def test_list_tests_prints_the_list_only(kunit: Kunit) -> None:
    assert kunit("run", "--list_tests") == Exit.PASS
    assert "verdict" not in kunit.printed()
    kunit.logs("panic")
    assert kunit("exec", "--list_tests") == Exit.PANIC


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


def test_repeat_stops_at_the_first_difference(kunit: Kunit) -> None:
    kunit.logs("ok", "ok", "failed_case", "ok")
    assert kunit("run", "--repeat", "4") == Exit.FINDINGS
    assert ("boot 3 differs from boot 1: mhp_offline.busy_page_refused: PASS, then FAIL") in kunit.printed()
    assert [call[0] for call in kunit.calls] == ["run", "exec", "exec"]


def test_repeat_of_equal_failures_is_that_failure(kunit: Kunit) -> None:
    kunit.logs("warn_in_ok_case")
    assert kunit("run", "--repeat=3") == Exit.REPORT
    assert "3 boots, 3 equal verdicts" in kunit.printed()


def test_repeat_sees_a_report_in_another_case(kunit: Kunit) -> None:
    kunit.logs("ok", "warn_in_ok_case")
    assert kunit("run", "--repeat=2") == Exit.REPORT
    assert "boot 2 differs from boot 1: PASS, then REPORT" in kunit.printed()


def test_run_isolated_judges_every_log(kunit: Kunit) -> None:
    kunit.logs("ok", "warn_in_ok_case", "ok")
    assert kunit("run", "--run_isolated=suite", "*.one") == Exit.REPORT
    calls = kunit.calls
    assert [(call[0], call[-1]) for call in calls] == [
        ("run", "--list_tests"), ("exec", "first.one"), ("exec", "second.one")]
    kunit.logs("ok")
    assert kunit("run", "--run_isolated=test") == Exit.PASS
    assert [call[-1] for call in kunit.calls] == ["--list_tests", "first.one", "first.two", "second.one"]


def test_parse_judges_a_file(kunit: Kunit) -> None:
    assert kunit("parse", str(DATA / "ok.log")) == Exit.PASS
    assert kunit("parse", str(DATA / "warn_in_ok_case.log")) == Exit.REPORT
    assert "no such file" in kunit.fails(Exit.USAGE, "parse", "/no/such.log")


def test_make_above_us_is_not_seen_by_the_kernels_make(kunit: Kunit) -> None:
    kunit.monkeypatch.setenv("MAKEFLAGS", " -- LINUX=x")
    assert "MAKEFLAGS" not in upstream.environment()


def test_left_over_guest_directories_go(kunit: Kunit) -> None:
    top = kunit.world.build / "tmp"
    (top / "guest-999999999-dead").mkdir(parents=True)
    (top / f"guest-{os.getpid()}-alive").mkdir()
    kunit("run")
    assert [path.name for path in top.glob("guest-*")] == [f"guest-{os.getpid()}-alive"]

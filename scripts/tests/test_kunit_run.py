# SPDX-License-Identifier: GPL-2.0
"""scripts/kunit.py from the command line to the exit status, with a stand-in for upstream's script."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_kunit import DATA, Kunit
from small_world import edit, git, write
from test_guard import mentioning

from mhp import kunit_run, log, options, paths, upstream
from mhp.exits import Exit, MhpError
from mhp.guard import Ended
from mhp.repeat import VERDICT_FILE


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


def test_kernel_parameters_of_a_config_come_before_those_that_are_typed(kunit: Kunit) -> None:
    write(kunit.world.kunit, {"configs/quick.config": "# kernel_args: page_owner=on\nCONFIG_BITS=21\n"})
    assert kunit("run", "--config", "quick", "--kernel_args=page_owner=off") == Exit.PASS
    kunit("build", "--config", "quick")
    run, build = kunit.calls
    assert [word for word in run if "page_owner" in word] == ["--kernel_args=page_owner=on", "--kernel_args=page_owner=off"]
    assert not [word for word in build if "page_owner" in word]


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


def test_run_isolated_judges_the_listing(kunit: Kunit) -> None:
    """A guest that dies while it lists would leave cases out."""
    for name, status in (("warn_in_ok_case", Exit.REPORT), ("died", Exit.UNFINISHED), ("panic", Exit.PANIC)):
        kunit.logs(name)
        assert kunit("run", "--run_isolated=test") == status
        assert len(kunit.calls) == 1


def test_exec_of_a_kernel_that_is_not_of_its_config_is_refused(kunit: Kunit) -> None:
    assert kunit("run") == Exit.PASS
    assert kunit("exec") == Exit.PASS
    kunit("config", "--kconfig_add=CONFIG_NEW=y")
    assert "older than the .config" in kunit.fails(Exit.USAGE, "exec", "--kconfig_add=CONFIG_NEW=y")
    assert kunit("build", "--kconfig_add=CONFIG_NEW=y") == Exit.PASS
    assert kunit("exec", "--kconfig_add=CONFIG_NEW=y") == Exit.PASS
    kunit.mode("build_error")
    kunit.fails(Exit.BUILD_FAILED, "run", "--kconfig_add=CONFIG_OTHER=y")
    assert "older than" in kunit.fails(Exit.USAGE, "exec", "--kconfig_add=CONFIG_OTHER=y")


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

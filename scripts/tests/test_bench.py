# SPDX-License-Identifier: GPL-2.0
"""The benchmark's arithmetic, and that it leaves the edited file as it was."""

import sys
from pathlib import Path

import pytest

from small_world import World, git

from mhp import bench, steptimes, tree
from mhp.exits import Exit, MhpError
from mhp.measured import Limit, Measured, Ratio, Row, shown
from mhp.memory import Peak

TEXT = "int a;\n/* no newline at the end */"


def test_ratio_is_the_median_of_the_pairs() -> None:
    ratio = Ratio(Row("ours", [1.0, 2.0, 9.0]), Row("theirs", [4.0, 4.0, 10.0]), 0.5)
    assert ratio.median == 0.5 and ratio.ours.median == 2.0


def test_edits_differ_and_the_file_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "file.c"
    path.write_text(TEXT, encoding="utf-8")
    before = path.stat().st_mtime_ns
    with bench.editing(path) as edit:
        seen = set()
        for _ in range(3):
            edit()
            seen.add(path.read_text(encoding="utf-8"))
        assert len(seen) == 3 and all(text.startswith(TEXT) for text in seen)
    assert path.read_text(encoding="utf-8") == TEXT and path.stat().st_mtime_ns > before


def test_edit_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "file.c"
    path.write_text(TEXT, encoding="utf-8")
    with bench.editing(path) as edit:
        edit()
        left = path.read_text(encoding="utf-8")
    path.write_text(left, encoding="utf-8")
    with pytest.raises(RuntimeError), bench.editing(path) as edit:
        edit()
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == TEXT


def test_timed_reads_upstreams_split(tmp_path: Path) -> None:
    line = "Elapsed time: 3.750s total, 0.010s configuring, 3.500s building, 0.240s running"
    done = bench.timed([sys.executable, "-c", f"print('[00:00:00] {line}')"], tmp_path, tmp_path / "out")
    assert done.guest == 0.24 and 0 < done.seconds < 20
    done = bench.timed(["echo", "[00:00:00] Elapsed time: 2.483s"], tmp_path, tmp_path / "out")
    assert done.guest == 2.483
    assert bench.timed(["true"], tmp_path, tmp_path / "out").guest == 0


def test_failing_command_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(MhpError, match="cannot measure: this ended with status 3") as caught:
        bench.timed(["sh", "-c", "echo why; exit 3"], tmp_path, tmp_path / "out")
    assert caught.value.status == Exit.FINDINGS and "why" in str(caught.value)


def _times_log(*steps: str) -> str:
    return "\n".join(f"    # cycle_memmap_elsewhere: memmap elsewhere: {step} takes 2500 ns, median of 3" for step in steps)


def test_times_of_steps_are_read_from_the_log() -> None:
    times = steptimes.read(_times_log(*steptimes.STEPS) + "\n    # cycle_memmap_self_hosted: memmap self-hosted: "
                           "online takes 1000 ns, median of 3\n")
    assert steptimes.column([times, times], steptimes.ELSEWHERE, "remove") == [2.5, 2.5]
    assert steptimes.column([times], steptimes.SELF_HOSTED, "online") == [1.0]
    assert steptimes.column([times], steptimes.SELF_HOSTED, "add") == []


def test_log_without_a_step_is_an_error() -> None:
    with pytest.raises(MhpError, match="offline, remove") as caught:
        steptimes.read(_times_log("add", "online"))
    assert caught.value.status == Exit.NOTHING_RAN


def test_missed_limit_is_a_finding() -> None:
    found = Measured(limits=[Limit(Row("loop", [1.0, 3.0, 9.0]), 3.0)], peaks=[Peak("loop", 7)])
    assert not found.missed() and found.table({})[-2].endswith("at most 3.0 s, met)")
    found.limits = [Limit(Row("loop", [4.0]), 3.0)]
    assert found.missed() and found.table({})[-2].endswith("MISSED)")
    assert found.table({})[-1].endswith("loop: 7 MiB")
    assert found.record()["limits"] == [{"row": "loop", "median": 4.0, "wanted": 3.0}]


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(50 << 20); time.sleep(1.5)"
    both = ["sh", "-c", f"{sys.executable} -c '{hold}' & {sys.executable} -c '{hold}'; wait"]
    peak = Peak("two")
    bench.timed(both, tmp_path, tmp_path / "out", peak=peak)
    assert 100 <= peak.mib < 190


def test_short_times_are_shown_in_ms() -> None:
    assert (shown(12.345), shown(0.00095)) == ("   12.35", " 0.95 ms")


def test_findings_can_be_a_measurement(tmp_path: Path) -> None:
    argv = ["sh", "-c", f"exit {int(Exit.FINDINGS)}"]
    assert bench.timed(argv, tmp_path, tmp_path / "out", statuses=(Exit.PASS, Exit.FINDINGS)).seconds > 0
    with pytest.raises(MhpError):
        bench.timed(argv, tmp_path, tmp_path / "out")


def test_parts_are_measured_in_their_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.mm_patch(1)
    done: list[str] = []
    monkeypatch.setattr(bench, "prepare", lambda kdir, _series: tree.prepare(kdir or world.kernel, series=True))
    monkeypatch.setattr(bench.basetree, "ensure", lambda _tree: world.kernel)
    monkeypatch.setattr(bench.basetree, "build_dir", lambda _tree, _name: world.build / "base")
    for part in bench.PARTS:
        monkeypatch.setattr(bench.Bench, part, lambda _self, part=part: done.append(part))
    assert bench.run(None, 1, ["check", "loop"]) == Exit.PASS and done == ["loop", "check"]


def test_tiers_that_build_get_the_first_patches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        world.mm_patch(number)
    prepared = world.prepare()
    monkeypatch.setattr(bench, "CHECK_PATCHES", 2)
    monkeypatch.setattr(bench.basetree, "ensure", lambda _tree: world.kernel)
    monkeypatch.setattr(bench.basetree, "build_dir", lambda _tree, _name: world.build / "base")
    words = bench.Bench(prepared, [], 1)._first_patches()  # pylint: disable=protected-access
    assert git(world.linux, "log", "--reverse", "--format=%s", words).splitlines() == [
        f"mm: change {number}" for number in (1, 2)]

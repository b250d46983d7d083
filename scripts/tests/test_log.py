# SPDX-License-Identifier: GPL-2.0
"""What a guest's log says, and the verdict on it, for the logs in test_data/."""

import json
import subprocess
from pathlib import Path

import pytest

from mhp import known_reports, log, results, verdict
from mhp.exits import Exit, MhpError
from mhp.log import GuestLog
from mhp.paths import DEFAULT_BASE, build_root
from mhp.results import Case
from mhp.upstream import PYTHON, SCRIPT
from mhp.verdict import Boot, Verdict

DATA = Path(__file__).parent / "test_data"

# Each log: what the verdict must be, a text that must be shown for it, the glob that repeats just it.
VERDICTS = {
    "ok": (Exit.PASS, "3 passed, 0 failed, 0 skipped", None),
    "skipped_case": (Exit.PASS, "skipped: mhp_offline.busy_page_refused: needs CONFIG_NUMA", None),
    "parameters": (Exit.PASS, "2 passed, 0 failed, 1 skipped", None),
    "known_report": (Exit.PASS, "known report, not counted: WARNING: CPU: 0 PID: 1 at arch/um/", None),
    "announced_report": (Exit.PASS, "reports that a case had announced: 1", None),
    "failed_case": (Exit.FINDINGS, "mhp_offline.busy_page_refused failed at mm/mhp_kunit/offline_kunit.c:211",
                    "mhp_offline.busy_page_refused"),
    "all_skipped": (Exit.NOTHING_RAN, "every case was skipped", None),
    "no_ktap": (Exit.NOTHING_RAN, "KUnit did not start", None),
    "no_case": (Exit.NOTHING_RAN, "no test case matched", None),
    "died_before_ktap": (Exit.UNFINISHED, "the guest died without a word", None),
    "died": (Exit.UNFINISHED, "without a word after mhp_offline.movable_content_intact", "mhp_offline.*"),
    "unfinished": (Exit.UNFINISHED, "mhp_offline: 1 of 3 cases ended", "mhp_offline.*"),
    "lost_result": (Exit.UNFINISHED, "result 2 of mhp_offline is numbered 3", "mhp_offline.*"),
    "panic": (Exit.PANIC, "Segfault with no mm (line 20, mhp_offline)", "mhp_offline.*"),
    "not_text": (Exit.PANIC, r"Segf\xff\xfe\x00\x1b[31m\x9bault", "mhp_offline.*"),
    "warn_in_ok_case": (Exit.REPORT, "WARNING: CPU: 0 PID: 27 at mm/memory_hotplug.c:1168",
                        "mhp_offline.busy_page_refused"),
    "time_stamps": (Exit.REPORT, "WARNING: CPU: 0 PID: 27 at mm/memory_hotplug.c:1168",
                    "mhp_offline.busy_page_refused"),
    "warn_message_first": (Exit.REPORT, "    | Altmap not fully unmapped", "mhp_section.add_remove"),
    "warn_at_boot": (Exit.REPORT, "(line 11)", None),
    "warn_at_halt": (Exit.REPORT, "(line 26)", None),
    "announced_not_come": (Exit.REPORT, "announced a report that did not come: mm/memory_hotplug.c",
                           "mhp_offline.movable_content_intact"),
    "announced_but_other": (Exit.REPORT, "announced a report that did not come: mm/sparse.c",
                            "mhp_offline.movable_content_intact"),
    "kasan": (Exit.REPORT, "BUG: KASAN: slab-use-after-free in __remove_pages", "mhp_offline.busy_page_refused"),
    "lockdep": (Exit.REPORT, "possible circular locking dependency", "mhp_offline.busy_page_refused"),
    "ubsan": (Exit.REPORT, "UBSAN: shift-out-of-bounds in mm/sparse.c", "mhp_offline.busy_page_refused"),
    "kmemleak": (Exit.REPORT, "2 new suspected memory leaks", None),
    "bad_page": (Exit.REPORT, "BUG: Bad page state", "mhp_section.add_remove"),
    "rcu_stall": (Exit.REPORT, "self-detected stall", "mhp_section.add_remove"),
    "two_reports": (Exit.REPORT, "offline_pages+0x58", "mhp_section.add_remove"),
}
ONE_REPORT = [name for name, (status, _text, _glob) in VERDICTS.items()
              if status == Exit.REPORT and name not in ("two_reports", "announced_but_other")]


def upstream_parser() -> Path:
    """Upstream's kunit.py of a prepared tree; without one these tests cannot be."""
    found = sorted(build_root().glob(f"{DEFAULT_BASE}/linux/{SCRIPT}"))
    if not found:
        pytest.skip("no prepared tree; `scripts/series apply` makes one")
    return found[0]


def judged(path: Path, tmp_path: Path, boot: Boot = Boot()) -> Verdict:
    """The verdict on a log whose cases upstream's own parser has read."""
    json_path = tmp_path / "results.json"
    subprocess.run([PYTHON, "-B", upstream_parser(), "parse", f"--json={json_path}", path],
                   stdout=subprocess.DEVNULL, check=False)
    return verdict.judge(log.scan(*log.read(path)), results.read(json_path) or [], boot, known_reports.read())


def shown(decided: Verdict) -> str:
    return "\n".join(verdict.summary(decided, log_path="LOG", repeat="AGAIN"))


def test_every_log_has_its_verdict() -> None:
    assert {path.stem for path in DATA.glob("*.log")} == set(VERDICTS) | {"hung"}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict_on_log(name: str, tmp_path: Path) -> None:
    decided = judged(DATA / f"{name}.log", tmp_path)
    status, text, glob = VERDICTS[name]
    assert decided.status == status
    assert text in shown(decided)
    assert verdict.narrow_glob(decided) == glob
    assert ("repeat: AGAIN" in shown(decided)) == (status != Exit.PASS)


@pytest.mark.parametrize("name", ONE_REPORT)
def test_report_is_counted_once(name: str) -> None:
    said = log.scan(*log.read(DATA / f"{name}.log"))
    assert len(said.ktap.reports) == 1


def test_two_reports_in_a_row_are_two() -> None:
    assert len(log.scan(*log.read(DATA / "two_reports.log")).ktap.reports) == 2


def test_hung_guest_is_a_timeout(tmp_path: Path) -> None:
    decided = judged(DATA / "hung.log", tmp_path, Boot(status=1, timed_out=30))
    assert decided.status == Exit.TIMEOUT
    assert "did not end within 30 s; the last result came after mhp_offline.movable_content_intact" in shown(decided)


def test_part_of_a_log_needs_no_clean_end(tmp_path: Path) -> None:
    part = tmp_path / "part.log"
    part.write_bytes((DATA / "ok.log").read_bytes().replace(b"reboot: System halted\n", b""))
    assert judged(part, tmp_path, Boot(must_halt=False)).status == Exit.PASS
    assert judged(part, tmp_path).status == Exit.UNFINISHED


def test_endless_log_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LIMIT_BYTES", 4000)
    path = tmp_path / "huge.log"
    path.write_bytes((DATA / "ok.log").read_bytes() + b"again and again\n" * 10000)
    decided = verdict.judge(log.scan(*log.read(path)), [Case("a.b", "PASS")], Boot(), {})
    assert decided.status == Exit.UNFINISHED and "only its beginning was read" in shown(decided)


def test_many_lines_are_read_in_seconds(tmp_path: Path) -> None:
    lines = ["KTAP version 1", "1..1"] + ["    # case: some text of moderate length"] * 300_000
    assert log.scan(lines).ktap.gaps[0].title == "the run: 0 of 1 suites ended"


def test_shown_lines_are_harmless() -> None:
    assert log.printable("a\x1b]0;x\x07\u202eb") == r"a\x1b]0;x\x07\u202eb"
    assert len(log.printable("x" * 10000)) < 400


def test_missing_log_has_no_lines(tmp_path: Path) -> None:
    assert log.read(tmp_path / "none") == ([], False)


def test_upstream_failure_without_a_reason_is_a_failure() -> None:
    said = log.scan(*log.read(DATA / "ok.log"))
    assert verdict.judge(said, [Case("a.b", "PASS")], Boot(status=1), {}).status == Exit.FINDINGS


def test_worst_comes_first() -> None:
    both = (DATA / "warn_in_ok_case.log").read_bytes() + b"Kernel panic - not syncing: x\n"
    said = log.scan(both.decode().split("\n"))
    decided = verdict.judge(said, [Case("mhp_offline.movable_content_intact", "FAIL")], Boot(), {})
    assert decided.status == Exit.PANIC
    assert {finding.kind for finding in decided.findings} == {Exit.PANIC, Exit.REPORT, Exit.FINDINGS}
    assert verdict.judge(said, [], Boot(timed_out=5), {}).status == Exit.PANIC


def test_listing_must_end_well() -> None:
    said = log.scan(*log.read(DATA / "died.log"))
    assert verdict.judge_listing(said, Boot(), {}).status == Exit.UNFINISHED
    halted = "reboot: System halted"
    assert verdict.judge_listing(log.scan([halted]), Boot(), {}).status == Exit.PASS
    warned = log.scan(["WARNING: CPU: 0 PID: 1 at mm/sparse.c:1 x", halted])
    assert verdict.judge_listing(warned, Boot(), {}).status == Exit.REPORT
    assert verdict.judge_listing(warned, Boot(), {"mm/sparse.c": "known"}).status == Exit.PASS


@pytest.mark.parametrize("line", [
    "pagealloc: memory corruption", "pagealloc: single bit error",
    "BUG kmalloc-64 (Not tainted): Right Redzone overwritten",
    "BUG kmalloc-64 (Tainted: G    B            N): Freechain corrupt",
    "[ BUG: Invalid wait context ]", "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [kunit_try_catch:27]",
    "watchdog: Watchdog detected hard LOCKUP on cpu 0", "watchdog: CPU 0 self-detected hard LOCKUP @ x+0x1/0x2",
    "smp: csd: Detected non-responsive CSD lock (#1) on CPU#0", "INFO: task my task:27 blocked for more than 120 seconds.",
    "INFO: task x:27 blocked in I/O wait for more than 120 seconds.", "BUG: scheduling while atomic: x/1/0x2",
    "WARNING: mm/sparse.c:12 at sparse_add_section+0x1/0x2, CPU#0: x/27", "refcount_t: underflow; use-after-free.",
    "Oops: general protection fault, probably for non-canonical address 0x0: 0000 [#1]",
    "[   12.345678][   T27] pagealloc: memory corruption"])
def test_line_is_a_report(line: str) -> None:
    assert len(said_in_case(line).ktap.reports) == 1


def said_in_case(*lines: str) -> GuestLog:
    """ok.log with these lines in its first case."""
    text, _ = log.read(DATA / "ok.log")
    at = text.index("    ok 1 movable_content_intact")
    return log.scan([*text[:at], *lines, *text[at:]])


KNOWN = "kmemleak: Cannot allocate a scan area, scanning the full object"
TRACE = ["CPU: 0 UID: 0 PID: 27 Comm: kunit_try_catch", "Call Trace:", " [<60022f61>] show_stack+0x141/0x150"]


@pytest.mark.parametrize(("lines", "title"), [
    (["BUG: sleeping function called from invalid context at mm/x.c:1", *TRACE, KNOWN], "BUG: sleeping"),
    (["WARNING: possible recursive locking detected", *TRACE, KNOWN], "WARNING: possible"),
    ([KNOWN, *TRACE, "kmemleak: Cannot insert 0x1 into the object search tree (overlaps existing)"], "kmemleak: Cannot insert"),
    ([KNOWN, "Oops: general protection fault: 0000 [#1]", *TRACE, "---[ end trace 0 ]---"], "Oops: general"),
    ([KNOWN, "------------[ cut here ]------------", "WARNING: CPU: 0 PID: 1 at mm/x.c:1 x+1/2", *TRACE], "WARNING: CPU")])
def test_known_report_excuses_no_other(lines: list[str], title: str) -> None:
    decided = verdict.judge(said_in_case(*lines), [Case("a.b", "PASS")], Boot(), known_reports.read())
    assert decided.known and [finding.title[:len(title)] for finding in decided.findings] == [title]


def test_known_text_in_another_reports_trace_excuses_nothing() -> None:
    said = said_in_case("BUG: sleeping function called from invalid context at mm/x.c:1", *TRACE, "some text of mine")
    assert verdict.judge(said, [Case("a.b", "PASS")], Boot(), {"some text of mine": "known"}).status == Exit.REPORT


WARN = ["------------[ cut here ]------------", "WARNING: CPU: 0 PID: 27 at mm/memory_hotplug.c:9 __remove_pages+0x1/0x2"]


@pytest.mark.parametrize("lines", [
    ["BUG: KASAN: slab-use-after-free in __remove_pages+0x12/0x34", *TRACE],
    ["WARNING: possible circular locking dependency detected", *TRACE, " [<6002>] __remove_pages+0x1/0x2"],
    [WARN[0], "WARNING: CPU: 0 PID: 27 at mm/sparse.c:9 x+0x1/0x2", *TRACE, " [<6002>] __remove_pages+0x1/0x2"],
    [*WARN, *TRACE, "Oops: general protection fault: 0000 [#1]", *TRACE]])
def test_announcement_excuses_no_other_report(lines: list[str]) -> None:
    said = said_in_case("    # movable_content_intact: expect report: __remove_pages", *lines)
    assert verdict.judge(said, [Case("a.b", "PASS")], Boot(), {}).status == Exit.REPORT


@pytest.mark.parametrize("lines", [
    [*WARN, *TRACE, "---[ end trace 0 ]---"], [*WARN, "Misaligned start", "Modules linked in:", *TRACE],
    [WARN[0], "Altmap: __remove_pages", "WARNING: CPU: 0 PID: 27 at mm/x.c:9 x+0x1/0x2", *TRACE],
    [WARN[0], "WARNING: CPU: 0 PID: 27 at mm/x.c:9 x+0x1/0x2", "Altmap not fully unmapped: __remove_pages", *TRACE],
    ["WARNING: mm/x.c:9 at __remove_pages+0x1/0x2, CPU#0: x/27", *TRACE]])
def test_announced_warn_is_no_fault(lines: list[str]) -> None:
    said = said_in_case("    # movable_content_intact: expect report: __remove_pages", *lines)
    assert verdict.judge(said, [Case("a.b", "PASS")], Boot(), {}).status == Exit.PASS and said.ktap.expected == 1


def test_dropped_messages_make_a_log_incomplete() -> None:
    decided = verdict.judge(said_in_case("** 512 printk messages dropped **"), [Case("a.b", "PASS")], Boot(), {})
    assert decided.status == Exit.UNFINISHED and "512 printk messages" in shown(decided)


def test_not_ok_counts_where_no_case_failed() -> None:
    text = [line.replace("ok 1 mhp_offline", "not ok 1 mhp_offline") for line in log.read(DATA / "ok.log")[0]]
    decided = verdict.judge(log.scan(text), [Case("mhp_offline.busy_page_refused", "PASS")], Boot(), {})
    assert decided.status == Exit.FINDINGS and "mhp_offline is not ok" in shown(decided)
    decided = verdict.judge(log.scan(text), [Case("mhp_offline.busy_page_refused", "FAIL")], Boot(), {})
    assert len(decided.findings) == 1


def test_results_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for text in ("{", "[]", '{"sub_groups": 3}', json.dumps({"sub_groups": [], "test_cases": [{}]})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(MhpError, match="not the JSON of kunit.py"):
            results.read(path)
    assert results.read(tmp_path / "none") is None


def test_known_report_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "known"
    path.write_text("# no line\n\nsome text |\n", encoding="utf-8")
    with pytest.raises(MhpError, match="known:3"):
        known_reports.read(path)

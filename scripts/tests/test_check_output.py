# SPDX-License-Identifier: GPL-2.0
"""scripts/check as one types it, and what comes out: exit status, table, reports, b4's answers."""

import json
import os
import pty
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from dataclasses import replace
from pathlib import Path

import pytest
from small_check import a_check, read
from small_world import World

from mhp import paths
from mhp.check import b4, command, html, machine, registry, series, table
from mhp.check.model import Finding, Report, Result, Status, from_json, to_json
from mhp.check.runner import Runner, Unit, units
from mhp.exits import Exit
from mhp.tree import PreparedTree


HOSTILE = "<script>alert(1)</script> & \x1b[2J"


def test_report_survives_json() -> None:
    report = Report((Finding(Status.FAIL, "t", "w", "d"), Finding(Status.WARN, "u")), "s", "m", ("n",), True, left_out=("o",))
    assert from_json(json.loads(json.dumps(to_json(report)))) == report
    assert report.status == Status.FAIL and report.line == "t (and 1 more)"


def outcome(*statuses: Status, broken: bool = False) -> list[Result]:
    texts = {Status.FAIL: Report((Finding(Status.FAIL, HOSTILE, HOSTILE, HOSTILE),)),
             Status.WARN: Report((Finding(Status.WARN, HOSTILE),)),
             Status.SKIP: Report(skipped=HOSTILE, broken=broken), Status.PASS: Report(summary="fine")}
    return [Result("sample", number, texts[status], 0.1, False, "scripts/check --only=sample")
            for number, status in enumerate(statuses, 1)]


@pytest.mark.parametrize("results, status", [
    (outcome(Status.PASS, Status.WARN, Status.SKIP), Exit.PASS),
    (outcome(Status.PASS, Status.FAIL), Exit.FINDINGS),
    (outcome(Status.PASS, Status.SKIP, broken=True), Exit.BROKEN_BASE),
    (outcome(Status.SKIP, Status.SKIP), Exit.NOTHING_RAN),
    ([], Exit.NOTHING_RAN)])
def test_exit_status(results: list[Result], status: Exit) -> None:
    assert command.exit_status(results) == status


def test_broken_base_is_told_once_a_check() -> None:
    note = "um: the base is broken: mm/a.c does not compile\nerror: no such header"
    report = Report(summary="nothing new with x86_64", notes=("x86_64: 1 of 1 files compiled", note), broken=True)
    again = "scripts/check --only=arches --patch=1"
    results = [*outcome(Status.PASS), *(Result("arches", number, report, 0.1, False, again) for number in (1, 2))]
    assert table.broken(results) == [f"broken base: arches (2 patches): {note.splitlines()[0]}", f"  again: {again}"]
    assert table.broken(outcome(Status.PASS, Status.FAIL)) == []
    assert table.broken(outcome(Status.SKIP, broken=True))[0].startswith("broken base: sample: ")


def test_outputs_escape_what_is_not_ours(tree: PreparedTree) -> None:
    results = outcome(Status.FAIL, Status.WARN, Status.SKIP)
    found = read(tree)
    found = replace(found, what=HOSTILE, patches=tuple(
        replace(patch, mail=replace(patch.mail, message=HOSTILE)) for patch in found.patches))
    page = html.page(found, results, {"series": HOSTILE})
    assert "<script" not in page and "\x1b" not in page and page.count("&lt;script&gt;") >= 6
    suites = xml.fromstring(machine.as_junit(results).partition("\n")[2])
    (suite,) = suites
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    text = "\n".join([*table.findings(results), *table.skipped(results)])
    assert "\x1b" not in text and "scripts/check --only=sample" in text
    assert json.loads(machine.as_json(found, results, {}))["results"][0]["status"] == "fail"


def test_b4_gets_a_list_and_lines() -> None:
    results = outcome(Status.FAIL, Status.WARN, Status.SKIP, Status.PASS)
    entries = json.loads(b4.as_json(results))
    assert [entry["status"] for entry in entries] == ["fail", "warn", "pass"]
    assert all(set(entry) == {"tool", "status", "summary", "details"} for entry in entries)
    assert len(b4.as_lines(results).splitlines()) == 2 and b4.as_lines(outcome(Status.PASS)) == ""


def test_b4_mail_of_a_later_patch_and_a_cover_letter(tree: PreparedTree, world: World) -> None:
    data = (world.patches / "0003-mm-change-3.patch").read_bytes()
    single = series.read_single(tree, data.replace(b"[PATCH]", b"[PATCH 3/3]"))
    assert len(single.patches) == 1
    assert "applies" not in [check.name for check in b4.possible(registry.all_checks(), single)]
    cover = series.read_single(tree, data.partition(b"---\n")[0].replace(b"[PATCH]", b"[PATCH 0/3]"))
    assert not cover.patches and [check.name for check in b4.possible(registry.all_checks(), cover)] == ["cover"]


def program(world: World, tmp_path: Path, *words: str | Path, mail: str = "") -> subprocess.CompletedProcess[str]:
    """scripts/check as one types it, on the small kernel."""
    return subprocess.run([paths.SCRIPTS / "check", f"--kdir={world.kernel}", *words], check=False, timeout=60, text=True,
                          env={**os.environ, "MHP_BUILD": str(tmp_path / "build")}, capture_output=True, input=mail)


@pytest.mark.parametrize("named", [False, True])
def test_kernel_that_shims_and_own_series_do_not_fit_is_no_end(world: World, tmp_path: Path, named: bool) -> None:
    """The program knows our real ones, and none of them applies to the small kernel; a mail for it does."""
    box = tmp_path / "fine.mbox"
    box.write_text(world.mm_patch(1).read_text())
    out = tmp_path / "out.json"
    done = program(world, tmp_path, *([box] if named else []), "--only=applies", f"--json={out}")
    assert done.returncode == (Exit.PASS if named else Exit.FINDINGS), done.stderr
    assert json.loads(out.read_text())["results"][0]["status"] == ("pass" if named else "fail")


def test_program_answers_b4(world: World, tmp_path: Path) -> None:
    """Nothing but the answer is on standard output, and a mail that is refused has none."""
    text = world.mm_patch(1).read_text()
    words = ("--only=applies", "--only=changelog", "--only=subject")
    done = program(world, tmp_path, "--b4", *words, mail=text)
    assert done.returncode == Exit.PASS, done.stderr
    said = {row["tool"]: row["status"] for row in json.loads(done.stdout)}
    assert said["mhp-changelog"] == "fail" and "mhp-applies" not in said
    done = program(world, tmp_path, "--b4-lines", *words, mail=text)
    assert done.returncode == Exit.PASS and "ERROR: changelog: there is no changelog\n" in done.stdout
    done = program(world, tmp_path, "--b4", mail=text.replace("mm/memory_hotplug.c", "../memory_hotplug.c"))
    assert (done.returncode, done.stdout) == (Exit.USAGE, "") and "refused" in done.stderr


def test_program_writes_reports_where_they_are_wanted(world: World, tmp_path: Path) -> None:
    box, before = tmp_path / "v2.mbox", tmp_path / "v1.mbox"
    box.write_text(world.mm_patch(1).read_text())
    before.write_text(world.mm_patch(2).read_text())
    junit = tmp_path / "out.xml"
    done = program(world, tmp_path, box, "--only=applies", "--only=range-diff", f"--previous={before}", "--onto=HEAD^{commit}",
                   "--json=-", f"--junit={junit}")
    assert done.returncode == Exit.PASS, done.stderr
    rows = {row["check"]: row for row in json.loads(done.stdout)["results"]}
    assert rows["applies"]["status"] == "pass" and rows["range-diff"]["status"] in ("pass", "warn")
    assert f"--previous={before}" in rows["range-diff"]["repeat"]
    assert [suite.get("name") for suite in xml.parse(junit).getroot()] == ["applies", "range-diff"]
    (place,) = (tmp_path / "build").glob("*/check")
    assert {path.name for path in place.glob("report.*")} == {"report.html", "report.json", "report.xml"}
    assert program(world, tmp_path, box, "--only=applies", "--onto=nothing").returncode == Exit.USAGE
    assert program(world, tmp_path, box, "--only=sparse", f"--json={tmp_path}").returncode not in (Exit.PASS, Exit.FINDINGS)


def test_command_line() -> None:
    script = paths.SCRIPTS / "check"
    listed = subprocess.run([script, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "checkpatch" in listed
    done = subprocess.run([script, "--only=odd"], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE and "no such check" in done.stderr


def test_table_has_a_line_for_each_check_that_ended(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    check = a_check(tmp_path, lambda job: Report())
    shown = table.Table([check], [Unit(check, None)])
    shown.listener.start(Unit(check, None))
    shown.listener.end(replace(outcome(Status.FAIL)[0], patch=None))
    err = capsys.readouterr().err
    assert err.startswith("fail  sample") and "\x1b" not in err


def test_table_on_a_terminal_is_drawn_while_a_check_is_busy(tree: PreparedTree, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        check = a_check(tmp_path, lambda _job: time.sleep(1.5) or Report(summary="fine"), tier="build", scope="series", depends=("mails",))
        todo = units([check], read(tree), None)
        shown = table.Table([check], todo)
        Runner(tree, read(tree), tmp_path / "place", []).run(todo, shown.listener)
        shown.draw()
        said = b""
        while not said.endswith(b"fine\r\n"):
            said += os.read(ours, 4096)
    os.close(ours)
    assert len(set(re.findall(r"\.\.\.   sample +([\d.]+) s  0 of 1", said.decode()))) > 4, said
    assert b"\033[1A\r\033[K" in said


def test_what_is_left_out_is_said_once(tmp_path: Path) -> None:
    found = [replace(one, report=Report(summary="fine", left_out=("arm64: no compiler",))) for one in outcome(Status.PASS) * 2]
    assert table.skipped(found) == ["left out: sample (2 patches): arm64: no compiler"]
    assert "left out: arm64: no compiler" in machine.details(found[0].report)


def test_reason_of_several_lines_takes_one_line_of_the_table() -> None:
    found = [replace(one, report=Report(skipped="the base is broken\nwhy")) for one in outcome(Status.SKIP)]
    assert table.summary(found).splitlines() == ["the base is broken"]
    assert "why" in "\n".join(table.skipped(found))

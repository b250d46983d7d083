# SPDX-License-Identifier: GPL-2.0
"""Semantic patches on versions of files, with a spatch that is a script of ours."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import World, git

from mhp.check import cache, registry, semantic, series
from mhp.check.model import Job, Report, Status
from mhp.tree import using

# One line for each file that holds what the rule names in its second line.
SPATCH = """#!/bin/sh
echo "$@" >>"$SPATCH_CALLS"
while [ "$1" != --cocci-file ]; do shift; done
word=$(sed -n 2p "$2")
shift 2
[ "$word" != slow ] || exec sleep 5
[ "$word" != killed ] || kill -9 $$
[ "$word" != broken ] || { echo no OCaml >&2; exit 255; }
grep -Hn "$word" "$@" | sed "s/^\\([^:]*:[0-9]*\\):.*/\\1:1-2: WARNING $word/"
"""


class Spatch:
    """A series of two patches, and the calls of spatch."""

    def __init__(self, job: Job, calls: Path) -> None:
        self.job = job
        self._calls = calls
        (self.program,) = (one.program for one in registry.all_checks() if one.name == "coccicheck")

    def rule(self, name: str, word: str) -> None:
        """A semantic patch that warns of a word."""
        path = self.job.tree.path / "scripts/coccinelle/misc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"virtual patch report\n{word}\n")

    def report(self, number: int, fresh: bool = False) -> Report:
        """Of one patch of both, in a run of its own."""
        semantic._known = type(semantic._known)()  # pylint: disable=protected-access
        return self.again(number, fresh)

    def again(self, number: int, fresh: bool = False) -> Report:
        """Of one patch of both, in the same run."""
        scratch = self.job.scratch / f"{len(list(self.job.scratch.iterdir()))}"
        scratch.mkdir()
        return self.program(replace(self.job, patch=self.job.series.patches[number - 1], asked=(1, 2), fresh=fresh,
                                    scratch=scratch))

    def calls(self) -> list[str]:
        """Since the last time."""
        found = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return found


@pytest.fixture(name="spatch")
def fixture_spatch(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Spatch]:
    world.patch(world.patches, "0001-a.patch", {"mm/page_alloc.c": ("return 3;", "return bad;")}, "mm: a")
    world.patch(world.patches, "0002-b.patch", {"mm/page_alloc.c": ("return 40;", "return good;")}, "mm: b")
    program = tmp_path / "bin/spatch"
    program.parent.mkdir()
    program.write_text(SPATCH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SPATCH_CALLS", str(tmp_path / "calls"))
    tree = world.prepare()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with using(tree):
        found = series.read(tree, None, None)
        yield Spatch(Job(found, found.patches[0], tree, scratch), tmp_path / "calls")


def test_only_the_patch_that_brings_a_message_has_it(spatch: Spatch) -> None:
    spatch.rule("word.cocci", "bad")
    first, second = spatch.report(1), spatch.again(2)
    assert first.status == Status.WARN and second.status == Status.PASS
    assert [(one.text, one.where.partition(":")[0]) for one in first.findings] == [("WARNING bad", "mm/page_alloc.c")]


def test_moved_file_has_the_messages_that_it_had_before(spatch: Spatch, world: World) -> None:
    spatch.rule("word.cocci", "return 7;")
    git(world.kernel, "mv", "mm/page_alloc.c", "mm/pages.c")
    git(world.kernel, "commit", "-q", "-m", "mm: move")
    moved = series.read(spatch.job.tree, "HEAD^..HEAD", world.kernel)
    spatch.job = replace(spatch.job, series=moved)
    assert moved.patches[0].renamed and spatch.report(1).status == Status.PASS
    (call, *_before) = spatch.calls()
    assert "/mm/pages.c" in call


def test_one_call_is_about_all_versions(spatch: Spatch) -> None:
    spatch.rule("word.cocci", "nothing")
    spatch.report(1)
    spatch.again(2)
    (call,) = spatch.calls()
    assert call.count("/mm/page_alloc.c") == 2


def test_what_was_said_is_kept_for_the_next_run(spatch: Spatch) -> None:
    spatch.rule("word.cocci", "bad")
    before = spatch.report(1)
    spatch.calls()
    assert spatch.report(1) == before and len(spatch.calls()) == 1    # the version before the patch is not kept
    assert spatch.report(1, fresh=True) == before and len(spatch.calls()) == 2
    spatch.rule("word.cocci", "return")
    assert spatch.report(1).status == Status.PASS and len(spatch.calls()) == 2


def test_result_is_looked_for_again_when_rules_or_what_runs_them_change(spatch: Spatch, tmp_path: Path) -> None:
    spatch.rule("word.cocci", "bad")
    (check,) = (one for one in registry.all_checks() if one.name == "coccicheck")
    first = cache.key(check, spatch.job)
    assert cache.key(check, spatch.job) == first
    spatch.rule("word.cocci", "good")
    second = cache.key(check, spatch.job)
    (tmp_path / "bin/ocamlopt").write_text("#!/bin/sh\n")
    (tmp_path / "bin/ocamlopt").chmod(0o755)
    assert len({first, second, cache.key(check, spatch.job)}) == 3


def test_rule_that_takes_too_long_is_told(spatch: Spatch, monkeypatch: pytest.MonkeyPatch) -> None:
    spatch.rule("slow.cocci", "slow")
    spatch.rule("word.cocci", "bad")
    monkeypatch.setattr(semantic, "_LIMIT_SECONDS", 0.2)
    report = spatch.report(1)
    assert report.status == Status.WARN and report.left_out == ("misc/slow.cocci was not done in time",)
    spatch.calls()
    assert not report.keep and spatch.report(1).status == Status.WARN
    assert len(spatch.calls()) == 3     # what is not complete is not kept


def test_rule_that_cannot_be_run_is_told_and_not_counted(spatch: Spatch) -> None:
    spatch.rule("broken.cocci", "broken")
    spatch.rule("word.cocci", "nothing")
    report = spatch.report(1)
    assert report.line == "1 semantic patches, nothing new"
    assert report.left_out == ("misc/broken.cocci cannot be run: no OCaml",)
    spatch.calls()
    assert spatch.report(1) == report and not spatch.calls() and not report.keep


@pytest.mark.parametrize("word, why, calls", [("broken", "cannot be run: no OCaml", 0), ("killed", "was killed", 1)])
def test_no_rule_that_could_be_used_is_no_pass(spatch: Spatch, word: str, why: str, calls: int) -> None:
    spatch.rule("only.cocci", word)
    report = spatch.report(1)
    assert (report.status, report.keep) == (Status.SKIP, False) and f"misc/only.cocci {why}" in report.line
    spatch.calls()
    spatch.report(1)
    assert len(spatch.calls()) == calls

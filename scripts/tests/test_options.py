# SPDX-License-Identifier: GPL-2.0
"""The command line of scripts/kunit.py, and the table of exit statuses that README promises."""

import os
import re
from pathlib import Path

import pytest

from mhp import exits, options, paths
from mhp.exits import Exit, MhpError
from mhp.kunit_run import with_glob


@pytest.mark.parametrize(("word", "flag"), [
    ("--build_dir=x", "--build_dir"), ("--build_d", "--build_dir"), ("--js=1", "--json"),
    ("--k", ""), ("--kunit=a", "--kunitconfig"), ("--", ""), ("-x", ""), ("word", ""), ("--new", "")])
def test_abbreviations_are_those_of_upstream(word: str, flag: str) -> None:
    assert options.full_flag(word) == flag


def test_flag_is_changed_in_both_spellings() -> None:
    words = ["--json=a", "x", "--json", "b", "--jobs", "c", "--json"]
    assert options.map_flag(words, "--json", str.upper) == ["--json=A", "x", "--json", "B", "--jobs", "c", "--json"]


def test_flag_is_removed_in_both_spellings() -> None:
    assert options.without_flag(["--jobs=3", "a", "--jobs", "4", "--json"], "--jobs") == ["a", "--json"]


def test_relative_paths_are_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/.kunitconfig").touch()
    found = options.parse(["run", "--kunitconfig", "suite", "--kunitconfig=lib/kunit", "--build_d=b", "--json=stdout"])
    assert found.rest == ("--kunitconfig", f"{tmp_path}/suite", "--kunitconfig=lib/kunit", f"--build_d={tmp_path}/b",
                          "--json=stdout")
    assert found.seen.build_dir == f"{tmp_path}/b"


def test_bare_json_does_not_swallow_the_glob() -> None:
    found = options.parse(["run", "--json", "suite*"])
    assert (found.seen.json, found.seen.target) == ("stdout", "suite*")


def test_own_flags_stand_anywhere_and_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINUX", "")
    found = options.parse(["--repeat=3", "run", "a.b", "--kdir", "/k", "--timeout=5"])
    assert (found.rest, found.repeat, found.kdir) == (("a.b", "--timeout=5"), 3, Path("/k"))


@pytest.mark.parametrize("count", ["0", "-1", "x", "10001"])
def test_bad_repeat_is_refused(count: str) -> None:
    with pytest.raises(SystemExit) as caught:
        options.parse(["run", "--repeat", count])
    assert caught.value.code == Exit.USAGE


def test_repeat_without_a_boot_is_refused() -> None:
    with pytest.raises(MhpError, match="repeats the boot"):
        options.parse(["build", "--repeat", "2"])


def test_glob_is_replaced() -> None:
    assert with_glob(["run", "--filter", "a", "a", "--json"], "a", "b.c") == ["run", "--filter", "a", "--json", "b.c"]
    assert with_glob(["run"], "", "b.c") == ["run", "b.c"]


def test_help_has_examples_and_no_machine_of_ours() -> None:
    text = options.help_text()
    assert "examples:" in text and "--config NAME" in text and os.sep + "work" not in text


def test_exit_statuses_are_those_in_readme() -> None:
    source = Path(exits.__file__).read_text(encoding="utf-8")
    meanings = {found[1]: found[2] for found in re.finditer(r"^    ([A-Z_]+) = \d+ +# (.+)$", source, re.M)}
    readme = (paths.REPO / "README.md").read_text(encoding="utf-8")
    table = [(int(found[1]), found[2], found[3]) for found in
             re.finditer(r"^\| (\d+) \| ([A-Z_]+) \| (.+) \|$", readme, re.M)]
    assert table == [(int(status), status.name, meanings[status.name]) for status in Exit]

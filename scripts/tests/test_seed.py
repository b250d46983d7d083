# SPDX-License-Identifier: GPL-2.0
"""What a new build directory begins with."""

import os
import shutil
from pathlib import Path

import pytest

from mhp import options, seed, shares
from mhp.builddir import BuildDir
from mhp.lock import locked
from mhp.tree import PreparedTree
from mhp.upstream import Job, build_dir

_OLD = 1_600_000_000


def built(path: Path, complete: bool = True) -> BuildDir:
    """A build directory: an object, a tool with its record, the last run's log."""
    build = BuildDir(path)
    for name, text in {".config": "CONFIG_A=y\n", "mm/a.o": "object", "mm/.a.o.cmd": "savedcmd_mm/a.o := gcc\n",
                       "tools/objtool/.elf.o.cmd": f"cmd_{path}/tools/objtool/elf.o := gcc\n", "test.log": "ok 1",
                       "results.json": "{}", "mhp-fast/build.ninja": "rule", "include/config/A": ""}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="ascii")
        os.utime(path / name, (_OLD, _OLD))
    if complete:
        build.stamp.write_text("{}", encoding="ascii")
    return build


def empty(path: Path) -> BuildDir:
    """As locked() leaves it."""
    path.mkdir()
    (path / ".lock").touch()
    return BuildDir(path)


def test_new_directory_holds_objects_with_their_times(tmp_path: Path) -> None:
    base, build = built(tmp_path / "um"), empty(tmp_path / "um-gcov")
    shares.prepare(base.kernel("um"), base.system_map, shares.globs(2), True)
    assert seed.plant(build, [base]) == base
    copied = build.path / "mm/a.o"
    assert copied.read_text(encoding="ascii") == "object" and copied.stat().st_mtime == _OLD
    assert build.config.exists() and build.stamp.exists()
    assert not any((build.path / name).exists() for name in ("test.log", "results.json", "mhp-fast", "shares"))


def test_tools_records_name_the_new_directory(tmp_path: Path) -> None:
    base, build = built(tmp_path / "x86_64"), empty(tmp_path / "x86_64-gcov")
    seed.plant(build, [base])
    record = build.path / "tools/objtool/.elf.o.cmd"
    assert record.read_text(encoding="ascii") == f"cmd_{build.path}/tools/objtool/elf.o := gcc\n"
    assert record.stat().st_mtime == _OLD


def test_configured_directory_is_left_alone(tmp_path: Path) -> None:
    base, build = built(tmp_path / "um"), empty(tmp_path / "um-gcov")
    build.config.write_text("mine", encoding="ascii")
    assert seed.plant(build, [base]) is None
    assert build.config.read_text(encoding="ascii") == "mine" and not (build.path / "mm").exists()


def test_first_complete_build_is_taken(tmp_path: Path) -> None:
    half, base, build = built(tmp_path / "a", complete=False), built(tmp_path / "b"), empty(tmp_path / "c")
    assert seed.plant(build, [BuildDir(tmp_path / "none"), half, base]) == base


def test_build_in_use_is_passed_over(tmp_path: Path) -> None:
    base, build = built(tmp_path / "um"), empty(tmp_path / "um-gcov")
    with locked(base.path):
        assert seed.plant(build, [base]) is None
    assert not build.config.exists()


def test_copy_that_was_cut_off_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, build = built(tmp_path / "um"), empty(tmp_path / "um-gcov")
    with monkeypatch.context() as full:
        full.setattr(shutil, "copy2", lambda *_args: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            seed.plant(build, [base])
    (build.path / "mm").mkdir(exist_ok=True)
    (build.path / "mm/half.o").touch()
    assert not build.config.exists()
    assert seed.plant(build, [base]) == base
    assert build.config.exists() and not (build.path / "mm/half.o").exists()


@pytest.mark.parametrize("words, names", [
    ([], []),
    (["--config=gcov"], ["um"]),
    (["--config=debug", "--config=gcov"], ["um-debug", "um-gcov", "um"]),
    (["--config=gcov", "--build_dir=mine"], []),
])
def test_bases_have_fewer_fragments(tmp_path: Path, words: list[str], names: list[str]) -> None:
    tree = PreparedTree("v6.12", tmp_path / "linux", tmp_path, "v6.12", "a base")
    parsed = options.parse(["run", *words])
    assert [base.path.name for base in seed.bases(Job(parsed, tree, build_dir(parsed, tree)))] == names

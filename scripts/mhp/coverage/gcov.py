# SPDX-License-Identifier: GPL-2.0
"""gcov's data in a build directory: removing what is stale, and reading what a run wrote."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mhp.coverage.model import Data, Line
from mhp.exits import Exit, MhpError
from mhp.kbuild import VMLINUX_A
from mhp.run import check

_LIMIT_BYTES = 256 * 1024 * 1024
_SECONDS = 60


def remove(build: Path) -> int:
    """Remove the data of earlier runs, which a new run would add to; returns how many files there were."""
    # Not rglob(), which takes six times as long.
    old = [Path(top, name) for top, _names, files in os.walk(build) for name in files if name.endswith(".gcda")]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def objects(build: Path) -> list[Path]:
    """The notes that gcc wrote for the objects that are instrumented now, of those that the kernel is linked from: what
    another configuration had in it is left in the build directory."""
    if not (build / VMLINUX_A).exists():
        return []
    found = []
    for linked in sorted(check(["ar", "t", VMLINUX_A], cwd=build, timeout=_SECONDS).text.splitlines()):
        note = (build / linked).with_suffix(".gcno")
        record = note.with_name(f".{note.stem}.o.cmd")
        if note.exists() and record.exists() and b"-ftest-coverage" in record.read_bytes():
            found.append(note)
    return found


def read(build: Path, tree: Path, target: str, program: str) -> Data:
    """What the last run counted, in files of the tree.

    program: gcov, of the compiler that built the kernel. An object that was compiled and has no data was not run
    to its end, so that is an error: MhpError(NOTHING_RAN).
    """
    notes = objects(build)
    without = [note for note in notes if not note.with_suffix(".gcda").exists()]
    if not notes:
        raise MhpError(Exit.NOTHING_RAN, f"{build}: no object was instrumented: is CONFIG_GCOV set, and does "
                       "coverage/scope name files that are compiled?")
    if without:
        raise MhpError(Exit.NOTHING_RAN, f"{build}: {len(without)} of {len(notes)} objects have no gcov data, such as "
                       f"{without[0].relative_to(build).with_suffix('.o')}. It is written when a guest comes "
                       "to its end, and only then: one that panicked or was stopped leaves none")
    found: Data = {}
    for note in notes:
        done = check([program, "--json-format", "--stdout", "--branch-probabilities",
                      note.relative_to(build).with_suffix(".gcda")], cwd=build, timeout=_SECONDS)
        if len(done.stdout) > _LIMIT_BYTES:
            raise MhpError(Exit.INTERNAL, f"{note}: gcov printed {len(done.stdout)} bytes")
        _add(found, _parse(done.stdout, note), build, tree, target)
    return found


def _parse(raw: bytes, note: Path) -> Sequence[Mapping[str, Any]]:
    try:
        files = json.loads(raw)["files"]
        assert isinstance(files, list)
        return files
    except (ValueError, KeyError, TypeError, AssertionError) as err:
        raise MhpError(Exit.INTERNAL, f"{note}: what gcov printed cannot be read: {err}") from err


def _add(found: Data, files: Sequence[Mapping[str, Any]], build: Path, tree: Path, target: str) -> None:
    """Add one object's data, as far as it is about files of the tree."""
    for file in files:
        path = (build / str(file["file"])).resolve()
        if not path.is_relative_to(tree):
            continue
        lines = found.setdefault(str(path.relative_to(tree)), {})
        for entry in file["lines"]:
            taken = tuple(int(branch["count"]) for branch in entry["branches"])
            lines.setdefault(int(entry["line_number"]), Line()).add(target, int(entry["count"]), taken)

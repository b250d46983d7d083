# SPDX-License-Identifier: GPL-2.0
"""Replacing the patches of a series directory as a whole, so that a kill leaves the old or the new ones.

The new files are first written complete to build/ID/; from then on finish() carries the change through,
now or in the next run.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mhp.git import Git
from mhp.patches import SERIES_FILE, read_series
from mhp.state import write_whole

_STAGED = "new-mm-patches"


def pending(place: Path) -> bool:
    """Whether a change is staged below build/ID/."""
    return (place / _STAGED).is_dir()


def replace(place: Path, directory: Path, files: Mapping[str, bytes]) -> None:
    """Make `directory` hold these patches, in this order, and its series file name them.

    Other files and folders (README, known-bad/) and the comments at the head of the series file stay.
    """
    staged, half = place / _STAGED, place / f"{_STAGED}.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for name, data in files.items():
        (half / name).write_bytes(data)
    lines = _head(directory / SERIES_FILE) + list(files)
    (half / SERIES_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    half.rename(staged)
    finish(place, directory)


def finish(place: Path, directory: Path) -> None:
    """Carry a staged change through; nothing happens when there is none."""
    staged = place / _STAGED
    if not staged.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    fresh = read_series(staged)
    listed = directory / SERIES_FILE
    before = [line.partition("#")[0].strip() for line in
              listed.read_text(encoding="utf-8").splitlines()] if listed.exists() else []
    for path in fresh:
        _put(directory / path.name, path.read_bytes())
    _put(listed, (staged / SERIES_FILE).read_bytes())
    for name in set(before) - {path.name for path in fresh} - {""}:
        if "/" not in name:
            (directory / name).unlink(missing_ok=True)
    shutil.rmtree(staged)


def _put(path: Path, data: bytes) -> None:
    """Write a file unless it holds the data already, so that times of unchanged patches stay."""
    if not path.exists() or path.read_bytes() != data:
        write_whole(path, data)


def _head(series: Path) -> list[str]:
    """The comment and empty lines that a series file begins with."""
    lines = series.read_text(encoding="utf-8").splitlines() if series.exists() else []
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            return lines[:number]
    return lines


def format_patches(git: Git, revisions: Sequence[str],
                   env: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Commits as patch files, name to content, the same for the same commits with any version of git."""
    with git.scratch() as directory:
        git.check("-c", "core.abbrev=12", "-c", "diff.algorithm=myers", "-c", "diff.context=3",
                  "format-patch", "--quiet", "--no-numbered", "--zero-commit", "--no-signature", "--no-notes",
                  "--no-base", "--no-thread", "--no-attach", "--no-ext-diff", "--no-textconv", "--binary",
                  "--find-renames", "--filename-max-length=64", "--stat=72", "-o", directory,
                  *revisions, "--", env=env)
        return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}

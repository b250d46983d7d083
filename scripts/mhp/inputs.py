# SPDX-License-Identifier: GPL-2.0
"""What goes on top of a kernel: the shims, the suites and the mm patches, as steps in order."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mhp import paths
from mhp.exits import Exit, MhpError
from mhp.patches import read_patch, read_series

# What editors and Python leave beside sources.
_NOT_SOURCES = re.compile(r"\..*|.*~|#.*#|.*\.(orig|rej|bak|pyc|o|tmp)|__pycache__")
_MAX_FILE_BYTES = 4 << 20


@dataclass(frozen=True)
class Step:
    """One commit to be: a patch, or a set of new files.

    part: "shims", "suites" or "mm"; key: hash of the content. `patch` holds a patch's bytes, `files`
    maps a path in the kernel tree to (mode, bytes); one of the two is empty.
    """

    part: str
    name: str
    key: str
    patch: bytes
    files: dict[str, tuple[str, bytes]]


def steps(shims: str, series: bool) -> list[Step]:
    """All steps for the shims of one version, with or without the mm series."""
    um = _files(paths.ARCH_SHIMS / "um", paths.SHIMS_IN_TREE)
    suites = {path: file for path, file in _files(paths.KUNIT, paths.SUITES_IN_TREE).items()
              if not path.startswith(f"{paths.SUITES_IN_TREE / paths.KUNIT_CONFIGS.name}/")}
    found = []
    if um:
        found.append(_new_files("shims", "arch-shims: new files of um", um))
    found += _patches("shims", paths.ARCH_SHIMS / shims)
    found.append(_new_files("suites", "kunit: the suites", suites))
    if series:
        found += _patches("mm", paths.MM_PATCHES / shims)
    return found


def source_of(path: str) -> Path | None:
    """The file of this repository that lands at `path` in the prepared tree, were it one of ours.

    It need not exist; None for a path where none of our new files can land.
    """
    for top, lands in ((paths.KUNIT, paths.SUITES_IN_TREE), (paths.ARCH_SHIMS / "um", paths.SHIMS_IN_TREE)):
        if Path(path).is_relative_to(lands):
            return top / Path(path).relative_to(lands)
    return None


def digest(*words: str) -> str:
    """One hash over several strings."""
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()


def _patches(part: str, directory: Path) -> list[Step]:
    found = []
    for path in read_series(directory):
        data = read_patch(path)
        name = str(Path(*path.parts[-3:]))  # arch-shims/v6.12/NNNN-....patch
        found.append(Step(part, name, hashlib.sha256(data).hexdigest(), data, {}))
    return found


def _new_files(part: str, name: str, files: dict[str, tuple[str, bytes]]) -> Step:
    hashed = hashlib.sha256()
    for path, (mode, data) in sorted(files.items()):
        hashed.update(f"{path}\0{mode}\0{len(data)}\0".encode(errors="surrogateescape"))
        hashed.update(data)
    return Step(part, name, hashed.hexdigest(), b"", dict(sorted(files.items())))


def _files(top: Path, lands: Path) -> dict[str, tuple[str, bytes]]:
    return {str(lands / path.relative_to(top)): _content(path) for path in _walk(top)
            if path != top / "README.md"}


def _walk(top: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(top):
        names[:] = sorted(name for name in names if not _NOT_SOURCES.fullmatch(name))
        yield from (Path(directory, name) for name in sorted(files) if not _NOT_SOURCES.fullmatch(name))


def _content(path: Path) -> tuple[str, bytes]:
    if path.is_symlink() or not path.is_file():
        raise MhpError(Exit.USAGE, f"{path}: only plain files can go into the kernel tree")
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise MhpError(Exit.USAGE, f"{path}: larger than {_MAX_FILE_BYTES >> 20} MiB")
    return ("100755" if os.access(path, os.X_OK) else "100644"), data

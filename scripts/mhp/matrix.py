# SPDX-License-Identifier: GPL-2.0
"""scripts/matrix: boots of UML with other parameters, and of the architectures that run under QEMU, one a line."""

import functools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mhp import paths
from mhp.arch import Arch
from mhp.exits import Exit, MhpError

QUICK, FULL = "quick", "full"
SETS = (QUICK, FULL)
_FILE = paths.SCRIPTS / "matrix"
_COLUMNS = 7


@dataclass(frozen=True)
class Row:
    """One boot. qemu and kernel: words as they are typed; about: what it is for."""

    name: str
    arch: str
    set: str
    config: str
    qemu: str
    kernel: str
    about: str

    def words(self, boots: bool) -> list[str]:
        """The flags of scripts/kunit.py that it stands for; without a boot fewer."""
        words = [f"--arch={self.arch}"]
        words += [f"--config={self.config}"] if self.config else []
        if boots:
            words += [f"--qemu_args={self.qemu}"] if self.qemu else []
            words += [f"--kernel_args={arg}" for arg in shlex.split(self.kernel)]
        return words

    @property
    def build(self) -> str:
        """The name of its build directory."""
        return "-".join([self.arch, *([self.config] if self.config else [])])


def parse(text: str, name: str) -> list[Row]:
    """The rows of a matrix file `name`. Raises MhpError(USAGE) for a line that cannot be understood."""
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        try:
            if len(cells) != _COLUMNS:
                raise ValueError(f"{len(cells)} columns, not {_COLUMNS}")
            row = Row(*cells)
            _check(row)
            if row.name in {other.name for other in rows}:
                raise ValueError(f"{row.name}: there are two of them")
        except ValueError as err:
            raise MhpError(Exit.USAGE, f"{name}:{number}: {err}") from err
        rows.append(row)
    return rows


def _check(row: Row) -> None:
    if not re.fullmatch(r"\w[\w.-]*", row.name):
        raise ValueError(f"{row.name!r}: no name for a boot")
    if not re.fullmatch(r"\w+", row.arch) or not (row.arch == "um" or Arch(row.arch).known):
        raise ValueError(f"{row.arch!r}: no architecture in scripts/qemu/")
    if row.set not in SETS:
        raise ValueError(f"{row.set!r}: the set is one of {', '.join(SETS)}")
    if row.config and row.config not in Arch(row.arch).configs():
        raise ValueError(f"{row.config}.config is not in kunit/configs/ nor in kunit/configs/{row.arch}/")
    shlex.split(row.qemu)
    shlex.split(row.kernel)
    if not row.about:
        raise ValueError("say what it is for")


def rows() -> Sequence[Row]:
    """All of them, in the order of the file."""
    return _parsed(_FILE.read_text(encoding="utf-8"), str(_FILE))


# Those who look for one of them by name ask again and again.
@functools.lru_cache(maxsize=4)
def _parsed(text: str, name: str) -> Sequence[Row]:
    return tuple(parse(text, name))


def find(name: str) -> Row:
    """The row of that name. Raises MhpError(USAGE) when there is none."""
    found = rows()
    for row in found:
        if row.name == name:
            return row
    raise MhpError(Exit.USAGE, f"--boot {name}: no such line in scripts/matrix; there are: "
                   f"{', '.join(row.name for row in found)}")


def chosen(which: str, arch: str | None) -> list[Row]:
    """The rows of a set, of one architecture or of all. Raises MhpError(USAGE) when there are none."""
    found = [row for row in rows() if (which == FULL or row.set == QUICK) and arch in (None, row.arch)]
    if not found:
        raise MhpError(Exit.USAGE, f"--matrix {which}: scripts/matrix has no line for --arch={arch}")
    return found

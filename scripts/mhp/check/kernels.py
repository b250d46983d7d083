# SPDX-License-Identifier: GPL-2.0
"""The kernels of scripts/checks/kernels.toml, each in a build directory of its own."""

import platform
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mhp import inputs, unchanged, upstream
from mhp.arch import Arch
from mhp.check.registry import CHECKS
from mhp.exits import Exit, MhpError

_TABLE = CHECKS / "kernels.toml"
# ARCH= of make, for the host's own compiler.
_NATIVE = {"x86_64": ("x86_64", "i386", "um"), "aarch64": ("arm64",), "ppc64le": ("powerpc",),
           "s390x": ("s390",), "riscv64": ("riscv",)}
TOGGLED = "x86_64"


@dataclass(frozen=True)
class Kernel:
    """A kernel to compile objects of. options: "NAME=value", without CONFIG_; own: those that a toggle is about. cc: "gcc"
    or "clang"."""

    name: str
    kind: str
    arch: str
    cross: str
    package: str
    options: tuple[str, ...]
    cc: str = "gcc"
    own: tuple[str, ...] = ()

    @property
    def native(self) -> bool:
        """Whether the host's compiler makes its objects."""
        return self.arch in _NATIVE.get(platform.machine(), ())

    @property
    def compiler(self) -> str:
        """The program that compiles it."""
        return "clang" if self.cc == "clang" else f"{'' if self.native else self.cross}gcc"

    @property
    def make(self) -> list[str]:
        """make's variables that choose architecture and compiler."""
        cross = "" if self.native else self.cross
        ccache = "ccache " if shutil.which("ccache") else ""
        words = [f"ARCH={self.arch}", f"CC={ccache}{self.compiler}"]
        return [*words, f"CROSS_COMPILE={cross}"] if cross else words

    @property
    def needed(self) -> dict[str, str]:
        """The programs that compile it, each with its package."""
        needed = {self.compiler: "clang" if self.cc == "clang" else self.package}
        if self.cc == "clang" and not self.native:
            needed.update({f"{self.cross}{tool}": self.package.replace("gcc-", "binutils-", 1) for tool in ("as", "ld")})
        return needed

    @property
    def missing(self) -> str:
        """The program that is not installed to compile it, with its package; empty when all is there."""
        return next((f"{self.name}: {program} is not installed (Debian package {package})"
                     for program, package in self.needed.items() if not shutil.which(program)), "")

    @property
    def id(self) -> str:
        """Changes with anything that its .config is made from."""
        return inputs.digest(self.arch, self.cross, self.cc, *self.options)


@lru_cache
def kernels(kind: str, toggled: str = TOGGLED) -> tuple[Kernel, ...]:
    """All kernels of a kind; toggles are laid over the kernel of that name. Raises MhpError(INTERNAL) when the table cannot be understood."""
    try:
        raw = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
        common = raw["common"]["options"].split()
        base = raw["kernel"][toggled]
        found = []
        for name, row in raw["kernel"].items():
            if row["kind"] != kind:
                continue
            toggle = "arch" not in row
            of = base if toggle else row
            own = row["options"].split() if toggle else []
            options = [*common, *of["options"].split(), *own]
            last = {option.partition("=")[0]: option for option in options}
            if toggle and toggled != TOGGLED:
                name += f"-{toggled}"
            found.append(Kernel(name, row["kind"], of["arch"], of["cross"], of["package"], tuple(last.values()), own=tuple(own)))
        return tuple(found)
    except (OSError, KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError) as err:
        raise MhpError(Exit.INTERNAL, f"{_TABLE}: {err}") from err


def one(name: str, cc: str = "gcc") -> Kernel:
    """A kernel by its name, with that compiler."""
    (found,) = (kernel for kernel in kernels("arch") if kernel.name == name)
    return Kernel(f"{name}-{cc}" if cc != "gcc" else name, found.kind, found.arch, found.cross, found.package,
                  found.options, cc)


def environment() -> list[str]:
    """What make is told by the environment: KCFLAGS, LLVM, W and the like."""
    return [f"{name}={value}" for name, value in unchanged.environment(upstream.environment()).items()]


def touched(paths: Sequence[str]) -> list[str]:
    """The names of the kernel that toggles are about and, for files of other architectures, of the first one of each."""
    found = {Arch(one(TOGGLED).arch).source: TOGGLED}
    for kernel in kernels("arch"):
        source = Arch(kernel.arch).source
        if any(path.startswith(f"arch/{source}/") for path in paths):
            found.setdefault(source, kernel.name)
    return list(found.values())

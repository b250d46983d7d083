# SPDX-License-Identifier: GPL-2.0
"""Architectures that run under QEMU: what is needed besides upstream's own.

An architecture is two files: scripts/qemu/ARCH.py, the machine, and kunit/configs/ARCH/base.config, which is
laid over .kunitconfig and tells in its comments:

    # cross_compile: powerpc64le-linux-gnu-      prefix of the compiler; a fragment may say another one
    # qemu: qemu-system-ppc64                    the program
    # gcov: spapr-vty,reg=0x71000010             QEMU's device for what gcov counted; gcov.config says it

Its own fragments are beside that. um has neither; an architecture that we have no files for is left to
upstream altogether.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import kvm, paths
from mhp.exits import Exit, MhpError

BASE = "base"
_DIRECTIVE = re.compile(r"# (cross_compile|qemu|gcov|kernel_args|test): (.+)$")


@dataclass(frozen=True)
class Arch:
    """An architecture by its name in make's ARCH=."""

    name: str

    @property
    def source(self) -> str:
        """Its directory below arch/."""
        return {"i386": "x86", "x86_64": "x86"}.get(self.name, self.name)

    @property
    def base(self) -> Path:
        """What is laid over .kunitconfig."""
        return paths.KUNIT_CONFIGS / self.name / f"{BASE}.config"

    @property
    def machine(self) -> Path:
        """The file for upstream's --qemu_config."""
        return paths.SCRIPTS / "qemu" / f"{self.name}.py"

    @property
    def known(self) -> bool:
        """Whether it is one of ours."""
        return self.base.is_file() and self.machine.is_file()

    def fragment(self, config: str) -> Path:
        """The file for --config: this architecture's own, else the one for all."""
        own = paths.KUNIT_CONFIGS / self.name / f"{config}.config"
        return own if own.is_file() else paths.KUNIT_CONFIGS / f"{config}.config"

    def configs(self) -> list[str]:
        """The names that --config takes."""
        files = [*paths.KUNIT_CONFIGS.glob("*.config"), *(paths.KUNIT_CONFIGS / self.name).glob("*.config")]
        return sorted({path.stem for path in files} - {BASE})

    def cross_compile(self, configs: Sequence[str]) -> str:
        """The compiler's prefix; "" where the machine that we run on is of this architecture."""
        if not self.known:
            return ""
        prefix = directives(self.base).get("cross_compile", "")
        for config in configs:
            prefix = directives(self.fragment(config)).get("cross_compile", prefix)
        return "" if prefix.partition("-")[0] == os.uname().machine else prefix

    def accelerator(self, qemu_args: Sequence[str], kernel: Path) -> list[str]:
        """QEMU's arguments for KVM, where it works; a CPU model that was asked for is emulated.

        kernel: the one to boot; it need not be there yet.
        """
        chosen = any(re.search(r"(^|\s)-(cpu|accel|enable-kvm)\b", words) for words in qemu_args)
        if not self.known or chosen or self.name != os.uname().machine:
            return []
        program = directives(self.base).get("qemu", "")
        return ["-accel kvm"] if kvm.works(program, kernel) else []

    def check_tools(self, cross_compile: str, boots: bool) -> None:
        """Raise MhpError(MISSING_TOOL) when compiler or QEMU are not installed."""
        needs = [f"{cross_compile}gcc"]
        needs += [directives(self.base).get("qemu", "")] if boots else []
        missing = [need for need in needs if need and shutil.which(need) is None]
        if missing:
            raise MhpError(Exit.MISSING_TOOL, f"--arch={self.name} needs {' and '.join(missing)}: "
                           f"`scripts/setup {self.name}` installs what is missing")


def directives(config: Path) -> dict[str, str]:
    """What the comments of a config file say, beside the options."""
    lines = config.read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2].strip() for line in lines if (found := _DIRECTIVE.match(line))}

# SPDX-License-Identifier: GPL-2.0
"""What a kernel's Makefiles take in, without make: that takes seconds to say so."""

import re
from collections.abc import Sequence
from pathlib import Path

from mhp.arch import Arch
from mhp.check.kernels import Kernel

_VARIABLE = re.compile(r"\$\([^()]*\)")
_OBJECT = re.compile(rf"(?:{_VARIABLE.pattern}|[^\s:=#()])+\.o\b")
_MAKE_RULE = re.compile(r"^[\w-]+-(?:y|objs|\$\(CONFIG_(\w+)\))\s*[:+]?=\s*(.*)$")


def for_arch(names: Sequence[str], kernel: Kernel) -> list[str]:
    """Those of the files that can belong to a kernel of that architecture."""
    mine = Arch(kernel.arch).source
    return [name for name in names if not name.startswith("arch/") or name.startswith(f"arch/{mine}/")
            or mine == "um" and name.startswith("arch/x86/um/")]


def config(build: Path) -> dict[str, str]:
    """The .config: name without CONFIG_ to value."""
    lines = (build / ".config").read_text(encoding="utf-8", errors="replace").splitlines()
    return dict(line.removeprefix("CONFIG_").split("=", 1) for line in lines if line.startswith("CONFIG_"))


def names(text: str, name: str) -> bool:
    """Whether a Makefile says anything of a C file's object, perhaps with a variable in its name (init_$(BITS).o)."""
    target = f"{Path(name).stem}.o"
    return any(re.fullmatch(".*".join(map(re.escape, _VARIABLE.split(word.rpartition("/")[2]))), target)
               for word in _OBJECT.findall(text))


def enabled(path: Path, build: Path, name: str) -> bool:
    """Whether the Makefiles beside a file and above it take it in with this configuration."""
    settings = config(build)
    wanted = Path(name).with_suffix(".o")
    below = ""
    for directory in wanted.parents:
        if not _taken(path / directory / "Makefile", f"{wanted.name}{below}", settings):
            return False
        wanted, below = directory, "/"
    return True


def _taken(makefile: Path, target: str, settings: dict[str, str]) -> bool:
    """Whether a Makefile takes in an object, or a directory; also where it does not tell."""
    try:
        text = makefile.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    except OSError:
        return True
    options = [match[1] for line in text.splitlines() if (match := _MAKE_RULE.match(line))
               and target in match[2].split()]
    return not options or any(option is None or option in settings for option in options)

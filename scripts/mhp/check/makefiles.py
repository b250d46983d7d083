# SPDX-License-Identifier: GPL-2.0
"""What a kernel's Makefiles take in, without make: that takes seconds to say so."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mhp.arch import Arch
from mhp.check.kernels import Kernel

_VARIABLE = re.compile(r"\$\([^()]*\)")
_OBJECT = re.compile(rf"(?:{_VARIABLE.pattern}|[^\s:=#()])+\.o\b")
_LIST = re.compile(r"^\s*([\w-]+)-(y|m|objs|\$\(CONFIG_(\w+)\))\s*([:+?]?=)\s*(.*)$")
_CONDITION = re.compile(r"^\s*(?:else\s+)?(if(?:n?def|n?eq))\s+(?:CONFIG_(\w+)|\(\s*\$\(CONFIG_(\w+)\)\s*,\s*(\w*)\s*\))\s*(?:#.*)?$")
_BLOCK = re.compile(r"^\s*(ifn?def|ifn?eq|else|endif)\b")
_BITS = ("32", "64")
# Lists that kbuild takes as they are; those of other names are parts of an object, or stand in one of these.
_WHOLE = ("obj", "lib", "core", "libs", "drivers", "extra", "always")


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
        if not _taken(path / directory, f"{wanted.name}{below}", settings):
            return False
        wanted, below = directory, "/"
    return True


def _taken(directory: Path, target: str, settings: Mapping[str, str]) -> bool:
    """Whether a directory's Makefile takes in an object, or a directory; also where it does not tell."""
    makefile = next((path for name in ("Kbuild", "Makefile") if (path := directory / name).is_file()), None)
    if makefile is None:
        return True
    text = makefile.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    told = {word.replace("$(BITS)", bits) for line in text.splitlines() if (rule := _LIST.match(line))
            for word in rule[5].partition("#")[0].split() for bits in _BITS}
    return _in_lists(target, _lists(text.replace("$(BITS)", _BITS["64BIT" in settings]), settings), told)


def _in_lists(target: str, lists: Mapping[str, Collection[str]], told: Collection[str], above: Sequence[str] = ()) -> bool:
    """Whether an object, or one that it is a part of, is in a list that is used. told: all that is in any list."""
    found = [name for name, words in lists.items() if target in words]
    if not found:
        return target not in told
    return any(name in _WHOLE or name in above or _in_lists(f"{name}.o", lists, told, (*above, name)) for name in found)


def _lists(text: str, settings: Mapping[str, str]) -> dict[str, set[str]]:
    """What is in the lists of a Makefile that are not empty with this configuration: the list's name without its -y to
    its words. Where a condition is of another kind, both of its sides count."""
    values: dict[str, set[str]] = {}
    # Of each block that is open: whether its present side holds (None: unknown), and whether an earlier side did.
    blocks: list[tuple[bool | None, bool | None]] = []
    for line in text.splitlines():
        if block := _BLOCK.match(line):
            _enter(block[1], _holds(line, settings), " if" in line, blocks)
            continue
        rule = _LIST.match(line)
        if not rule or any(state is False for state, _earlier in blocks):
            continue
        suffix = settings.get(rule[3], "n") if rule[3] else rule[2]
        if suffix in ("y", "m", "objs"):
            name = f"{rule[1]} {suffix}"
            words = set(rule[5].partition("#")[0].split())
            sure = all(state for state, _earlier in blocks)
            anew = rule[4] in ("=", ":=") and sure and f"$({rule[1]}-" not in rule[5]
            values[name] = words if anew else values.get(name, set()) | words
    found: dict[str, set[str]] = {}
    for name, words in values.items():
        found.setdefault(name.split(" ")[0], set()).update(words)
    return found


def _holds(line: str, settings: Mapping[str, str]) -> bool | None:
    """Whether a condition holds; None for one that is not about an option."""
    match = _CONDITION.match(line)
    if not match:
        return None
    if match[1].endswith("def"):
        return None if match[2] is None else (match[2] in settings) == (match[1] == "ifdef")
    return None if match[3] is None else (settings.get(match[3], "") == match[4]) == (match[1] == "ifeq")


def _enter(word: str, holds: bool | None, conditional: bool, blocks: list[tuple[bool | None, bool | None]]) -> None:
    """Follow an if, else, else if or endif."""
    if word.startswith("if"):
        blocks.append((holds, False))
    elif blocks:
        state, earlier = blocks.pop()
        if word == "else":
            before = True if True in (state, earlier) else None if None in (state, earlier) else False
            now = holds if conditional else True
            # After a side that holds none does; after one that is unknown none is sure.
            side = False if before else None if before is None and now is not False else now
            blocks.append((side, before))

# SPDX-License-Identifier: GPL-2.0
"""The .config that came out, compared with the one that was asked for.

Kconfig drops an option whose dependencies are not met without a word, and a suite that is not
compiled fails nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp.exits import Exit, MhpError
from mhp.git import Git

_SET = re.compile(r"CONFIG_(\w+)=(.*)$")
_NOT_SET = re.compile(r"# CONFIG_(\w+) is not set$")
_SYMBOL = re.compile(r"\b(?=\w*[A-Z])[A-Z0-9_]+\b")
_CONFIG = re.compile(r"(?:menu)?config\s+(\w+)\s*$")
_OPENS = re.compile(r"(if|menu|choice)\b\s*(.*)$")
_CLOSES = {"endif": "if", "endmenu": "menu", "endchoice": "choice"}
_DEPENDS = re.compile(r"(?:depends on|visible if)\s+(.*)$")
_PROMPT = re.compile(r'(?:bool|tristate|int|hex|string|prompt)\s+"')
_SELECTORS_SHOWN = 5

Options = dict[str, str]


@dataclass(frozen=True)
class Lost:
    """An option that came out with another value; "n" stands for not set. why: lines for people."""

    name: str
    asked: str
    got: str
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        asked, got = (value if value != "n" else "not set" for value in (self.asked, self.got))
        return "\n".join([f"CONFIG_{self.name}: asked for {asked}, came out {got}",
                          *(f"    {line}" for line in self.why)])


def parse(lines: Iterable[str]) -> Options:
    """The options set, or said to be not set ("n"), in the lines of a .config or a fragment."""
    options: Options = {}
    for line in lines:
        line = line.strip()
        if found := _SET.match(line):
            options[found[1]] = found[2].strip()
        elif found := _NOT_SET.match(line):
            options[found[1]] = "n"
    return options


def read(path: Path) -> Options:
    """parse() of a file. Raises MhpError(USAGE) when it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8", errors="backslashreplace").splitlines())
    except OSError as err:
        raise MhpError(Exit.USAGE, f"{path}: {err.strerror}") from err


def fragment_lines(path: Path) -> list[str]:
    """The options of a fragment as single lines, the way --kconfig_add takes them."""
    return [f"CONFIG_{name}={value}" if value != "n" else f"# CONFIG_{name} is not set"
            for name, value in read(path).items()]


def lost(asked: Options, got: Options) -> list[Lost]:
    """What was asked for and did not come out."""
    return [Lost(name, value, got.get(name, "n")) for name, value in asked.items()
            if got.get(name, "n") != value]


def explain(items: Sequence[Lost], git: Git, arch: str, got: Options) -> list[Lost]:
    """The same with the reason, as far as the Kconfig files of the tree tell it.

    arch: as in make's ARCH=; files of other architectures are left out.
    """
    return [Lost(item.name, item.asked, item.got, tuple(_why(item, git, arch, got))) for item in items]


def _why(item: Lost, git: Git, arch: str, got: Options) -> Iterator[str]:
    if item.asked == "n":
        yield from _selectors(item.name, git, arch, got)
        return
    places = _grep(git, arch, rf"^\s*(menu)?config\s+{item.name}\s*$")
    if not places:
        yield "no Kconfig file for this architecture defines it: misspelt, or of another kernel version?"
    for file, number in places:
        conditions, prompt = _conditions(_lines(git, file), number)
        if not prompt:
            yield f"{file}:{number}: it has no prompt: only another option can select it"
        for condition in conditions:
            values = [f"{name}={got.get(name, 'n')}" for name in dict.fromkeys(_SYMBOL.findall(condition))]
            yield f"{file}:{number}: depends on {condition}   ({', '.join(values)})"


def _selectors(name: str, git: Git, arch: str, got: Options) -> Iterator[str]:
    """The options that are set and select this one."""
    shown = 0
    for file, number in _grep(git, arch, rf"^\s*select\s+{name}(\s|$)"):
        owner = _owner(_lines(git, file), number)
        if got.get(owner, "n") != "n" and shown < _SELECTORS_SHOWN:
            shown += 1
            yield f"{file}:{number}: CONFIG_{owner}={got[owner]} selects it"
    if not shown:
        yield "nothing that is set selects it: it is its default; has it a prompt?"


def _grep(git: Git, arch: str, pattern: str) -> list[tuple[str, int]]:
    """Where a pattern is in the Kconfig files that this architecture reads: (file, line)."""
    done = git.run("grep", "-n", "-z", "-E", pattern, "--", "*Kconfig*")
    found = []
    for line in done.text.splitlines():
        file, number, *_ = line.split("\0")
        parts = Path(file).parts
        if parts[0] == "arch" and len(parts) > 2 and parts[1] not in (arch, "x86" if arch in (
                "um", "x86_64", "i386") else arch):
            continue
        found.append((file, int(number)))
    return found


def _lines(git: Git, file: str) -> list[str]:
    """A Kconfig file's lines; what a backslash continues is joined to its first line."""
    assert git.worktree
    text = (git.worktree / file).read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    for i in range(len(lines) - 1, 0, -1):
        if lines[i - 1].endswith("\\"):
            lines[i - 1] = f"{lines[i - 1][:-1].rstrip()} {lines[i].strip()}"
            lines[i] = ""
    return lines


def _owner(lines: list[str], number: int) -> str:
    """The option in whose entry the line is."""
    for line in reversed(lines[:number]):
        if found := _CONFIG.match(line.strip()):
            return found[1]
    return ""


def _conditions(lines: list[str], number: int) -> tuple[list[str], bool]:
    """The conditions for the option defined in line `number`, and whether it has a prompt."""
    open_blocks: list[tuple[str, list[str]]] = []
    before = ""     # the keyword whose attributes follow
    for line in lines[:number - 1]:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word = line.strip()
        if found := _OPENS.match(line):
            open_blocks.append((found[1], [found[2]] if found[1] == "if" else []))
            before = found[1]
        elif word in _CLOSES:
            if open_blocks and open_blocks[-1][0] == _CLOSES[word]:
                open_blocks.pop()
            before = word
        elif _CONFIG.match(word):
            before = "config"
        elif before in ("menu", "choice") and open_blocks and (found := _DEPENDS.match(word)):
            open_blocks[-1][1].append(found[1])
    conditions = [condition for _kind, block in open_blocks for condition in block]
    prompt = False
    for line in lines[number:]:
        if line and not line[0].isspace() and not line.startswith("#"):
            break
        word = line.strip()
        if word in ("help", "---help---"):
            break
        if found := _DEPENDS.match(word):
            conditions.append(found[1])
        prompt = prompt or bool(_PROMPT.match(word))
    return conditions, prompt

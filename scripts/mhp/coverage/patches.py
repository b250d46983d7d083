# SPDX-License-Identifier: GPL-2.0
"""The series' own lines: which patch each is from, and whether it can run, and did."""

import functools
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mhp import unchanged
from mhp.check import regions
from mhp.coverage.functions import functions
from mhp.coverage.model import Lines
from mhp.git import Git
from mhp.state import write_whole
from mhp.tree import PreparedTree

_BLAMED = re.compile(r"^([0-9a-f]{40,64}) \d+ (\d+) (\d+)$", re.M)
# The beginning of a statement, not of a declaration.
_STATEMENT = re.compile(r"\s+(?:(?:return|goto|break|continue)\b|(?:if|while|for|switch) \(|\*?\w+\(|"
                        r"[\w.>\[\]-]+ (?:[-+*/%&|^]|<<|>>)?= |[\w.>\[\]-]+(?:\+\+|--);)")
_UNCOMMITTED = "not committed"
_KEPT = "coverage-blame.json"


@dataclass(frozen=True)
class Patch:
    """A commit of the series, or what is not committed yet; number counts from 1."""

    number: int
    commit: str
    subject: str


@dataclass
class Own:
    """A patch's lines by file: those that are executable, and code that no configuration compiles."""

    patch: Patch
    executable: dict[str, list[int]] = field(default_factory=dict)
    uncompiled: dict[str, list[int]] = field(default_factory=dict)


def patches(git: Git, below: str) -> list[Patch]:
    """The commits above `below`, and one more for what is not committed."""
    text = git.text("log", "--reverse", "--topo-order", "--format=%H %s", f"{below}..HEAD")
    rows = [line.partition(" ") for line in text.splitlines()]
    found = [Patch(number, commit, subject) for number, (commit, _space, subject) in enumerate(rows, 1)]
    return [*found, Patch(len(found) + 1, "0" * len(below), _UNCOMMITTED)]


def touched(git: Git, below: str) -> list[str]:
    """The source files that differ from `below`, with what is not committed."""
    names = git.names("diff", "-z", "--name-only", "--no-renames", "--diff-filter=AM", below)
    return sorted(name for name in names if name.endswith((".c", ".h")))


def with_counters(tree: PreparedTree, below: str, names: Sequence[str]) -> list[str]:
    """Those of the files that touched() gives in which functions must have counters of their own.

    Not a header whose new functions are __always_inline: those are counted where they are called. One page flag's
    header would have each page's other flags counted, too, which takes longer than all the rest.
    """
    blamed = _blames(tree, below, [name for name in names if not name.endswith(".c")])
    return [name for name in names if name not in blamed or _has_own_functions(tree, name, blamed[name])]


def _has_own_functions(tree: PreparedTree, name: str, new: Collection[int]) -> bool:
    text = (tree.path / name).read_text(encoding="utf-8", errors="replace")
    written = text.splitlines()
    return any(not set(range(function.first, function.last + 1)).isdisjoint(new)
               and "__always_inline" not in written[function.first - 1] for function in functions(text))


def blame(git: Git, below: str, name: str) -> dict[int, str]:
    """Line number to commit, for the lines of a file as it is on disk that came after `below`."""
    text = git.text("blame", "--incremental", "-w", f"^{below}", "--", name)
    found: dict[int, str] = {}
    for match in _BLAMED.finditer(text):
        commit, first, count = match[1], int(match[2]), int(match[3])
        if commit != below:
            found.update((number, commit) for number in range(first, first + count))
    return found


def _blames(tree: PreparedTree, below: str, names: Sequence[str]) -> dict[str, dict[int, str]]:
    """blame() of each file. What it was for the same commits and content is kept: git takes a second for them all."""
    store = tree.build / _KEPT
    head, content = tree.git.resolve("HEAD"), unchanged.contents(tree.path, names)
    try:
        kept = json.loads(store.read_bytes())
        known = kept["files"] if kept["commits"] == [below, head] else {}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    new = [name for name in names if known.get(name, {}).get("content") != content[name]]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        blamed = pool.map(functools.partial(blame, tree.git, below), new)
        known |= {name: {"content": content[name], "lines": list(lines.items())}
                  for name, lines in zip(new, blamed, strict=True)}
    if new:
        write_whole(store, json.dumps({"commits": [below, head], "files": known}).encode())
    return {name: dict(known[name]["lines"]) for name in names}


def uncompiled(text: str, lines: Lines) -> set[int]:
    """The lines of code in a file that no object has, to judge by what is executable around them.

    That is a function without an executable line, and what stands between two preprocessor conditionals in one
    without an executable line there; and a statement of which the compiler has left nothing, because its condition
    is constant. Code outside of functions declares, and never counts.
    """
    written = text.splitlines()
    said = regions.lines(text)
    found: set[int] = set()
    for function in functions(text):
        inside = range(function.first, function.last + 1)
        groups: dict[int, list[int]] = {}
        for number in inside:
            groups.setdefault(said[number - 1].region, []).append(number)
        for group in groups.values():
            if not any(number in lines for number in group):
                found.update(number for number in group if said[number - 1].code)
            found.update(number for number in group if number not in lines and said[number - 1].code
                         and _begins(written, number))
    return found


def _begins(written: list[str], number: int) -> bool:
    """Whether a statement begins in a line, and not only goes on."""
    before = written[number - 2].rstrip() if number > 1 else ""
    ended = before == "" or before.endswith((";", "{", "}", ")", ":", "*/", "else"))
    return ended and bool(_STATEMENT.match(written[number - 1]))


def attribute(tree: PreparedTree, below: str, names: Sequence[str], data: Mapping[str, Lines]) -> list[Own]:
    """Each patch with its lines. names: what touched() gives."""
    own = {patch.commit: Own(patch) for patch in patches(tree.git, below)}
    blamed = _blames(tree, below, names)
    for name in names:
        text = (tree.path / name).read_text(encoding="utf-8", errors="replace")
        lines = data.get(name, {})
        nothing = uncompiled(text, lines)
        for number, commit in sorted(blamed[name].items()):
            if number in lines:
                own[commit].executable.setdefault(name, []).append(number)
            elif number in nothing:
                own[commit].uncompiled.setdefault(name, []).append(number)
    return [one for one in own.values() if one.patch.subject != _UNCOMMITTED or one.executable or one.uncompiled]

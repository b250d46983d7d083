# SPDX-License-Identifier: GPL-2.0
"""HTML pages: the series, and the whole scope, function by function; which architecture reached each line."""

from collections.abc import Mapping, Sequence
from html import escape

from mhp.coverage.functions import functions
from mhp.coverage.judge import File, Judged
from mhp.coverage.model import Line, sum_branches, sum_lines, targets
from mhp.progress import plain

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --hit: #1a7f3722; --miss: #cf222e40; --off: #9a670033 }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 84em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em } h3 { font: 600 13px ui-monospace, monospace }
table { border-collapse: collapse } td, th { padding: .2em .6em; text-align: left }
table.sum td, table.sum th { border-bottom: 1px solid var(--line) } td.n { text-align: right }
table.code { font: 12.5px/1.35 ui-monospace, monospace; width: 100% } table.code td { padding: 0 .6em; white-space: pre }
td.src { width: 100% } tr.hit td.src { background: var(--hit) } tr.miss td.src { background: var(--miss) }
tr.off td.src { background: var(--off) } tr.own td.src { box-shadow: inset .3em 0 #0969da } summary { cursor: pointer }
summary h2 { display: inline; font-size: 1em } tr.other { opacity: .65 } .scroll { overflow-x: auto }
.key span { padding: 0 .4em; margin-right: 1em } .fail { color: #cf222e; font-weight: 600 }
"""


def page(judged: Judged, texts: Mapping[str, Sequence[str]], about: str) -> str:
    """The series: the functions that it changes. texts: the lines of the source files, by name."""
    problems = "".join(f'<p class="fail">{_text(problem)}</p>' for problem in judged.failures)
    notes = "".join(f"<p>Below the goal: {_text(problem)}</p>" for problem in judged.below)
    names = sorted({name for own in judged.own for name in (*own.executable, *own.uncompiled)})
    return _page("Coverage of the series", f"""<p>{_text(about)}. <a href="scope.html">The whole scope</a></p>
{problems}{notes}{_patches(judged)}
<p class="key">{_KEY}Lines of other origin are grey.</p>
{"".join(_file(judged, name, texts[name]) for name in names)}""")


def scope_page(judged: Judged, texts: Mapping[str, Sequence[str]], about: str) -> str:
    """The whole scope. texts: the lines of the source files, by name."""
    where = targets(judged.data)
    head = "".join(f"<th>lines on {_text(one)}</th><th>branches</th>" for one in where)
    files = [(file, _cells(file, where)) for file in judged.files]
    rows = "".join(f'<tr><td><a href="#{_text(file.name)}">{_text(file.name)}</a></td>{cells}</tr>' for file, cells in files)
    return _page("Coverage of memory hotplug", f"""<p>{_text(about)}. <a href="series.html">The series</a>,
<a href="html/index.html">genhtml's pages</a></p>
<table class=sum><tr><th></th><th>lines</th><th>branches</th><th>functions</th>{head}</tr>{rows}</table>
<p class="key">{_KEY}A blue edge: a line of the series, with the number of its patch.</p>
{"".join(_whole(judged, file, texts[file.name]) for file, _cells_of in files)}""")


_KEY = """<span style="background:var(--hit)">ran</span><span style="background:var(--miss)">never ran</span>
<span style="background:var(--off)">no counter: not compiled, constant or merged</span>"""


def _page(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>{body}
</body></html>
"""


def _cells(file: File, where: Sequence[str]) -> str:
    """A file's sums: on all targets, and on each."""
    sums = [f"{one}" for one in file.sums]
    for target in where:
        mine = [line.on(target) for line in file.lines.values() if target in line.counts]
        sums += [f"{sum_lines(mine)}", f"{sum_branches(mine)}"]
    return "".join(f"<td class=n>{_text(one)}</td>" for one in sums)


def _text(text: str) -> str:
    return escape(plain(text))


def _patches(judged: Judged) -> str:
    where = targets(judged.data)
    rows = []
    for own in judged.own:
        mine = [judged.data[name][number] for name, numbers in own.executable.items() for number in numbers]
        cells = "".join(f"<td class=n>{sum(bool(line.counts.get(one)) for line in mine)}</td>" for one in where)
        off = sum(map(len, own.uncompiled.values()))
        rows.append(f"<tr><td class=n>{own.patch.number}</td><td>{_text(own.patch.subject)}</td><td class=n>{len(mine)}"
                    f"</td><td class=n>{sum(line.count > 0 for line in mine)}</td>{cells}<td class=n>{off or ''}</td></tr>")
    head = "".join(f"<th>{_text(one)}</th>" for one in where)
    return ("<table class=sum><tr><th></th><th>patch</th><th>executable</th><th>reached</th>"
            f"{head}<th>no counter</th></tr>{''.join(rows)}</table>")


def _file(judged: Judged, name: str, text: Sequence[str]) -> str:
    """The functions of a file that the series has lines in."""
    ran = {number: own.patch.number for own in judged.own for number in own.executable.get(name, ())}
    off = {number: own.patch.number for own in judged.own for number in own.uncompiled.get(name, ())}
    parts = []
    for one in functions("\n".join(text)):
        inside = range(one.first, one.last + 1)
        if any(number in ran or number in off for number in inside):
            rows = "".join(_row(judged, name, number, text[number - 1], ran, off) for number in inside)
            parts.append(f'<h3>{_text(one.name)}()</h3><div class="scroll"><table class=code>{rows}</table></div>')
    return f"<h2>{_text(name)}</h2>{''.join(parts)}"


def _whole(judged: Judged, file: File, text: Sequence[str]) -> str:
    """The functions of a file that are in scope."""
    ran = {number: own.patch.number for own in judged.own for number in own.executable.get(file.name, ())}
    off = {number: own.patch.number for own in judged.own for number in own.uncompiled.get(file.name, ())}
    parts = []
    for one in file.functions:
        rows = []
        for number in range(one.first, one.last + 1):
            line = file.lines.get(number)
            kind = ("off" if number in off else "") if line is None else "hit" if line.count else "miss"
            patch = ran.get(number, off.get(number))
            rows.append(_cell_row(f"{kind} own" if patch else kind, number, patch or "", line, text[number - 1]))
        parts.append(f'<h3>{_text(one.name)}()</h3><div class="scroll"><table class=code>{"".join(rows)}</table></div>')
    lines, branches, _functions = file.sums
    return (f'<details id="{_text(file.name)}"><summary><h2>{_text(file.name)}</h2> {_text(f"{lines}")}, branches '
            f'{_text(f"{branches}")}</summary>{"".join(parts)}</details>')


def _row(judged: Judged, name: str, number: int, text: str, ran: Mapping[int, int], off: Mapping[int, int]) -> str:
    line = judged.data.get(name, {}).get(number)
    kind = "off" if number in off else "other" if number not in ran else "hit" if line and line.count else "miss"
    return _cell_row(kind, number, ran.get(number, off.get(number, "")), line, text)


def _cell_row(kind: str, number: int, patch: int | str, line: Line | None, text: str) -> str:
    counts = " ".join(f"{target} {count}" for target, count in sorted(line.counts.items())) if line else ""
    return (f'<tr class="{kind}"><td class=n>{number}</td><td class=n>{patch}</td><td class=n>{_text(counts)}</td>'
            f"<td class=src>{_text(text.expandtabs(8))}</td></tr>")

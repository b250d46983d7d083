# SPDX-License-Identifier: GPL-2.0
"""The report as one HTML page: no scripts, nothing loaded from elsewhere, everything escaped."""

import datetime
from collections.abc import Mapping, Sequence
from html import escape

from mhp.check import table
from mhp.check.model import Finding, Report, Result, Status
from mhp.check.series import Series
from mhp.progress import plain

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --pass: #1a7f37; --warn: #9a6700; --fail: #cf222e; --skip: #57606a }
@media (prefers-color-scheme: dark) { :root { --pass: #3fb950; --warn: #d29922; --fail: #f85149; --skip: #8b949e } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: .2em } h2 { font-size: 1.15em; margin: 1.8em 0 .5em }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1em; margin: 0 } dt { opacity: .7 } dd { margin: 0 }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600 }
td, th { padding: .25em .6em; border-bottom: 1px solid var(--line); vertical-align: top }
td.n { text-align: right; white-space: nowrap } td.grid { text-align: center }
.s { font-weight: 600 } .pass { color: var(--pass) } .warn { color: var(--warn) } .fail { color: var(--fail) }
.skip { color: var(--skip) } .verdict { font-size: 1.15em; margin: .6em 0 }
pre { overflow-x: auto; background: #8881; padding: .6em .8em; border-radius: 4px; margin: .4em 0; font-size: 13px }
code { font-size: 13px; overflow-wrap: anywhere } details { margin: .3em 0 } summary { cursor: pointer }
.finding { margin: .5em 0 .5em 1em } .scroll { overflow-x: auto }
"""
_WORDS = {Status.FAIL: "Not fit to post: a check fails.", Status.WARN: "Nothing fails; there are warnings to look at.",
          Status.PASS: "Nothing to complain of.", Status.SKIP: "Nothing could be checked."}


def page(series: Series, results: Sequence[Result], about: Mapping[str, str]) -> str:
    """The whole page."""
    status = table.worst(results) if results else Status.SKIP
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in
                   {**about, "checked": when, "results": table.counted(results)}.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>scripts/check: {_text(series.what)}</title><style>{_STYLE}</style></head><body>
<h1>Is this series fit to post?</h1>
<p class="verdict {status}">{_WORDS[status]}</p>
<dl>{rows}</dl>
{_checks(results)}
{_grid(series, results)}
{_details(results)}
</body></html>
"""


def _text(text: str) -> str:
    return escape(plain(text))


def _mark(status: Status) -> str:
    return f'<span class="s {status}">{status}</span>'


def _checks(results: Sequence[Result]) -> str:
    rows = []
    for name in dict.fromkeys(result.check for result in results):
        mine = [result for result in results if result.check == name]
        rows.append(f"<tr><td>{_mark(table.worst(mine))}</td><td>{_text(name)}</td><td class=n>"
                    f"{sum(one.seconds for one in mine):.1f} s</td><td>{_text(table.summary(mine))}</td></tr>")
    return ("<h2>Checks</h2><table><tr><th>status</th><th>check</th><th>time</th><th>summary</th></tr>"
            + "".join(rows) + "</table>")


def _grid(series: Series, results: Sequence[Result]) -> str:
    """Patches against checks."""
    found = {(result.check, result.patch): result for result in results if result.patch}
    names = list(dict.fromkeys(name for name, _patch in found))
    if not names:
        return ""
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    rows = []
    for patch in series.patches:
        cells = "".join(f'<td class="grid">{_mark(one.status) if (one := found.get((name, patch.number))) else ""}</td>'
                        for name in names)
        rows.append(f"<tr><td class=n>{patch.number}</td><td>{_text(patch.subject)}</td>{cells}</tr>")
    return (f'<h2>Patches</h2><div class="scroll"><table><tr><th></th><th>subject</th>{head}</tr>'
            + "".join(rows) + "</table></div>")


def _details(results: Sequence[Result]) -> str:
    parts = []
    for status in Status:
        for result in results:
            report = result.report
            if result.status == status and (report.findings or report.notes or report.left_out or status == Status.SKIP):
                parts.append(_result(result))
    return "<h2>Details</h2>" + ("".join(parts) or "<p>None.</p>")


def _result(result: Result) -> str:
    patch = f", patch {result.patch}" if result.patch else ""
    shown = " open" if result.status in (Status.FAIL, Status.WARN) else ""
    return (f"<details{shown}><summary>{_mark(result.status)} <b>{_text(result.check)}</b>{patch}: "
            f"{_text(result.report.line)}</summary>{_report(result.report)}"
            f"<div class=finding>again: <code>{_text(result.repeat)}</code></div></details>")


def _report(report: Report) -> str:
    found = "".join(_finding(finding) for finding in report.findings)
    more = [*(f"left out: {what}" for what in report.left_out), *report.notes]
    notes = f"<pre>{_text(chr(10).join(more))}</pre>" if more else ""
    return found + notes


def _finding(finding: Finding) -> str:
    where = f"<code>{_text(finding.where)}</code>: " if finding.where else ""
    more = f"<pre>{_text(finding.details)}</pre>" if finding.details else ""
    return f"<div class=finding>{_mark(finding.level)} {where}{_text(finding.text)}{more}</div>"

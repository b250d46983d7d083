# SPDX-License-Identifier: GPL-2.0
"""Answers for b4, which gives a check a mail on standard input.

`b4 review` reads a JSON list of {tool, status, summary, details}, status being pass, warn or fail;
`b4 prep --check` reads lines, and takes none for good.
"""

import json
from collections.abc import Sequence

from mhp.check.machine import details
from mhp.check.model import Check, Result, Status
from mhp.check.series import Series
from mhp.progress import plain

# A later patch of a series does not apply by itself, so that says nothing.
_WHOLE_SERIES = ("applies", "bases")


def possible(checks: Sequence[Check], series: Series) -> list[Check]:
    """The checks that say something about a single mail: a patch, or a cover letter."""
    if not series.patches:
        return [check for check in checks if check.name == "cover"]
    return [check for check in checks if check.scope == "patch" and check.name not in _WHOLE_SERIES]


def as_json(results: Sequence[Result]) -> str:
    """For b4.review-perpatch-check-cmd and b4.review-series-check-cmd. Skipped checks have no entry."""
    return json.dumps([{"tool": f"mhp-{result.check}", "status": str(result.status),
                        "summary": plain(result.report.line), "details": plain(details(result.report))}
                       for result in results if result.status != Status.SKIP], indent=1) + "\n"


def as_lines(results: Sequence[Result]) -> str:
    """For b4.prep-perpatch-check-cmd."""
    lines = []
    for result in results:
        for finding in result.report.findings:
            where = f"{finding.where}: " if finding.where else ""
            level = "ERROR" if finding.level == Status.FAIL else "WARNING"
            lines.append(plain(f"{where}{level}: {result.check}: {finding.text}").replace("\n", " "))
    return "".join(f"{line}\n" for line in lines)

# SPDX-License-Identifier: GPL-2.0
"""Who must get the series, and who does."""

import re

from mhp.check import trailers
from mhp.check.model import Finding, Job, Report, Status
from mhp.check.series import Patch, recipients
from mhp.git import clean_environment
from mhp.mails import header
from mhp.run import check as checked

_LINE = re.compile(r"^(?P<who>.*?)(?: \((?P<role>[^()]*(?:\([^()]*\)[^()]*)*)\))?$")
_TIMEOUT_SECONDS = 60
# It must get all mails, to read, keep and test them as one; other lists may want some.
_WHOLE_SERIES = "linux-mm@kvack.org"


def check(job: Job) -> Report:
    """FAIL for a mailing list that is left out, WARN for a person."""
    wanted = _wanted(job)
    notes = tuple(f"{address} ({role})" for address, role in wanted.items())
    # git send-email takes a patch's own Cc: as well, where it has an address at all.
    mails = {f"patch {patch.number}": to | _copied(patch) if (to := recipients(patch.head)) else to for patch in job.series.patches}
    if job.series.cover:
        mails["the cover letter"] = recipients(header(job.series.cover))
    got = {address for addresses in mails.values() for address in addresses}
    if not got:
        return Report(skipped="the patches have no To and Cc yet; who must get them is below", notes=notes)
    for patch in job.series.patches:
        got |= _copied(patch)
    findings = [Finding(Status.FAIL if "list" in role else Status.WARN, f"not among To and Cc: {address}", details=role)
                for address, role in wanted.items() if address.lower() not in got]
    # Where some mails have no addresses yet, nobody can tell.
    without = [mail for mail, addresses in mails.items() if _WHOLE_SERIES not in addresses]
    if _WHOLE_SERIES in wanted and without and _WHOLE_SERIES in got and all(mails.values()):
        findings.append(Finding(Status.FAIL, f"{_WHOLE_SERIES} does not get {', '.join(without)}"))
    return Report(tuple(findings), summary=f"all {len(wanted)} are there", notes=notes)


def _copied(patch: Patch) -> set[str]:
    """The addresses of Cc: lines in the commit message."""
    return {tag.address for tag in trailers.read(patch.mail.message) if tag.name == "Cc"}


def _wanted(job: Job) -> dict[str, str]:
    """Address to role, from get_maintainer.pl; the history is not asked."""
    files = []
    for patch in job.series.patches:
        file = job.scratch / f"{patch.number}.patch"
        file.write_bytes(patch.raw)
        files.append(file)
    done = checked([job.tree.path / "scripts/get_maintainer.pl", "--no-git", "--no-git-fallback", "--roles",
                    "--no-rolestats", "--email", "--no-n", *files], cwd=job.tree.path,
                   env={**clean_environment(), "HOME": str(job.scratch)}, timeout=_TIMEOUT_SECONDS)
    found = {}
    for line in done.text.splitlines():
        match = _LINE.match(line.strip())
        if match and "@" in match["who"]:
            found[match["who"].strip().strip("<>").rpartition("<")[2]] = match["role"] or ""
    return found

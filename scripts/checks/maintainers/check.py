# SPDX-License-Identifier: GPL-2.0
"""Who must get the series, and who does."""

import re

from mhp.check import trailers
from mhp.check.model import Finding, Job, Report, Status
from mhp.check.series import recipients
from mhp.git import clean_environment
from mhp.mails import header
from mhp.run import check as checked

_LINE = re.compile(r"^(?P<who>.*?)(?: \((?P<role>[^()]*(?:\([^()]*\)[^()]*)*)\))?$")
_TIMEOUT_SECONDS = 60


def check(job: Job) -> Report:
    """FAIL for a mailing list that is left out, WARN for a person."""
    wanted = _wanted(job)
    notes = tuple(f"{address} ({role})" for address, role in wanted.items())
    mails = {f"patch {patch.number}": recipients(patch.head) for patch in job.series.patches}
    if job.series.cover:
        mails["the cover letter"] = recipients(header(job.series.cover))
    got = {address for addresses in mails.values() for address in addresses}
    if not got:
        return Report(skipped="the patches have no To and Cc yet; who must get them is below", notes=notes)
    for patch in job.series.patches:
        got |= {tag.address for tag in trailers.read(patch.mail.message) if tag.name == "Cc"}
    findings = [Finding(Status.FAIL if "list" in role else Status.WARN, f"not among To and Cc: {address}", details=role)
                for address, role in wanted.items() if address.lower() not in got]
    # A list must get all mails: there they are read, kept and tested. Where some have no addresses yet, nobody can tell.
    for address, role in wanted.items():
        without = [mail for mail, addresses in mails.items() if address.lower() not in addresses]
        if "list" in role and address.lower() in got and without and all(mails.values()):
            findings.append(Finding(Status.FAIL, f"{address} does not get {', '.join(without)}", details=role))
    return Report(tuple(findings), summary=f"all {len(wanted)} are there", notes=notes)


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

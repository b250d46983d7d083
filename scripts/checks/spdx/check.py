# SPDX-License-Identifier: GPL-2.0
"""SPDX-License-Identifier in the files that a patch adds or touches."""

import re

from mhp.check import checkpatch
from mhp.check.model import Finding, Job, Report, Status

_TAG = b"SPDX-License-Identifier:"
_FIRST_LINES = 3
_WORDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_OPERATORS = {"AND", "OR", "WITH"}
# Of other files (a defconfig, a picture, test data) many have none, and need none.
_WITH_TAG = re.compile(r"\.(?:c|h|S|rs|s|lds|py|sh|pl|awk|rst|yaml|dtsi?|cocci|l|y)$|(?:^|/)(?:Kconfig[^/]*|Makefile[^/]*|Kbuild[^/]*)$")


def check(job: Job) -> Report:
    """FAIL for an added file without a tag or with an unknown licence, or a touched one that loses its tag."""
    patch = job.one
    assert patch.before and patch.after
    old, new = (job.git.entries(commit, patch.paths) for commit in (patch.before, patch.after))
    blobs = job.git.contents([entry.oid for entry in (*old.values(), *new.values())])
    known = {path.rpartition("/")[2] for path in
             job.git.names("ls-tree", "-r", "-z", "--name-only", patch.after, "--", "LICENSES/")}
    findings = list(checkpatch.messages(job, only=checkpatch.SPDX))
    for name, entry in new.items():
        tag = _tag(blobs[entry.oid])
        before = old.get(patch.renamed.get(name, name))
        if not before and not tag and _WITH_TAG.search(name) and not findings:
            findings.append(Finding(Status.FAIL, "an added file has no SPDX-License-Identifier", name))
        if before and not tag and _tag(blobs[before.oid]):
            findings.append(Finding(Status.FAIL, "its SPDX-License-Identifier is gone", name))
        unknown = [word for word in _WORDS.findall(tag) if word not in _OPERATORS and word not in known
                   and word.removesuffix("-only").removesuffix("-or-later").removesuffix("+") not in known]
        if not before and known and unknown:
            findings.append(Finding(Status.FAIL, f"LICENSES/ does not know {unknown[0]}", name))
    added = sum(patch.renamed.get(name, name) not in old for name in new)
    return Report(tuple(findings), summary=f"{added} new files" if added else "no new file")


def _tag(data: bytes) -> str:
    for line in data.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]:
        _before, tag, text = line.partition(_TAG)
        if tag and (words := text.strip().removesuffix(b"*/").removesuffix(b"-->").strip()):
            return words.decode(errors="replace")
    return ""

# SPDX-License-Identifier: GPL-2.0
"""Who signed off: the author first, whoever sends it last, each co-author right after being named."""

from collections import Counter
from email.utils import parseaddr

from mhp.check import checkpatch, trailers
from mhp.check.model import Finding, Job, Report, Status

_SIGNED = "Signed-off-by"
_BY_REVIEW = ("Reviewed-by", "Acked-by", "Tested-by")


def check(job: Job) -> Report:
    """checkpatch's messages about sign-offs, and the order of the chain."""
    patch = job.one
    found = trailers.read(patch.mail.message)
    signed = [trailer for trailer in found if trailer.name == _SIGNED]
    findings = list(checkpatch.messages(job, only=checkpatch.SIGNOFF))
    author = parseaddr(patch.mail.author or "")[1].lower()
    if signed and author and author in [one.address for one in signed]:
        developed = {one.address for one in found if one.name == "Co-developed-by"}
        before = [one for one in signed[:[one.address for one in signed].index(author)] if one.address not in developed]
        if before:
            findings.append(Finding(Status.WARN, f"{before[0].address} signed off before the author",
                                    details="the chain tells who handed the patch to whom, from the author on"))
    sender = parseaddr(str(patch.head.get("From", "")))[1].lower()
    if signed and sender and author and sender != author and signed[-1].address != sender:
        findings.append(Finding(Status.WARN, f"{sender} sends it, but is not the last to sign off",
                                details=str(signed[-1])))
    findings += [Finding(Status.WARN, f"there {'twice' if count == 2 else f'{count} times'}: {said}")
                 for said, count in Counter(map(str, found)).items() if count > 1]
    people = [one for one in found if one.name in (_SIGNED, "Co-developed-by", *_BY_REVIEW)]
    nobody = next((one for one in people if trailers.is_placeholder(one.address)), None)
    if nobody and not findings:
        return Report(skipped=f"{nobody.address} is a placeholder, nobody's address: a person must sign off before "
                      "it is posted; the form is right")
    return Report(tuple(findings), summary=" -> ".join(one.address for one in signed))

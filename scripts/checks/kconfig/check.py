# SPDX-License-Identifier: GPL-2.0
"""Configuration symbols in the lines that a patch adds, and definitions that it removes."""

import re

from mhp.check.model import Finding, Job, Report, Status

_USED = re.compile(r"\bCONFIG_([A-Z0-9][A-Z0-9_]*[A-Z0-9])\b")
_IN_KCONFIG = re.compile(r"^\s*(?:depends on|select|imply|visible if|if|default\b.*\bif)\b(.*)$")
_SYMBOL = re.compile(r"\b[A-Z][A-Z0-9_]*[A-Z0-9]\b")
_DEFINED = re.compile(r"^\s*(?:menu)?config\s+([A-Za-z0-9_]+)\s*$")
_FILES = re.compile(r"(?:^|/)(?:Kconfig[^/]*|Makefile[^/]*|Kbuild)$|\.(?:c|h|S|lds|rst|config)$")
# CONFIG_X_MODULE is defined where X is m.
_MODULE = "_MODULE"
# Configured by makefiles of its own.
_OWN = "tools/"
_SHOWN = 10


def check(job: Job) -> Report:
    """FAIL for a symbol that no Kconfig file defines, and for a removed one that is still used."""
    used, gone = _changed(job)
    if not used and not gone:
        return Report(summary="no configuration symbol in its lines")
    defined = _definitions(job, used | gone | {name.removesuffix(_MODULE) for name in used})
    findings = [Finding(Status.FAIL, f"CONFIG_{name} is used, but no Kconfig file defines it")
                for name in sorted(used - defined) if name.removesuffix(_MODULE) not in defined]
    for name in sorted(gone - defined):
        left = job.git.run("grep", "-l", "-w", "-F", f"CONFIG_{name}", job.one.after or "", "--", "*.c", "*.h",
                           "*Makefile", "*Kbuild", "*.S").text.splitlines()
        left += _in_kconfig(job, name)
        if left:
            files = [line.partition(":")[2] for line in left]
            findings.append(Finding(Status.FAIL, f"CONFIG_{name} is removed, but {len(files)} files still use it",
                                    details="\n".join(files[:_SHOWN])))
    return Report(tuple(findings), summary=f"{len(used)} used, {len(gone)} removed")


def _in_kconfig(job: Job, name: str) -> list[str]:
    """The Kconfig files, as `git grep -l` names them, with an expression that a symbol stands in."""
    done = job.git.run("grep", "-w", "-F", name, job.one.after or "", "--", "*Kconfig*")
    found = []
    for line in done.text.splitlines():
        commit, file, text = line.split(":", 2)
        inside = _IN_KCONFIG.match(text)
        if inside and name in _SYMBOL.findall(inside[1]):
            found.append(f"{commit}:{file}")
    return list(dict.fromkeys(found))


def _changed(job: Job) -> tuple[set[str], set[str]]:
    """The symbols that added lines use, and those whose definition is removed."""
    used: set[str] = set()
    gone: set[str] = set()
    name = ""
    for line in job.one.diff.decode(errors="replace").splitlines():
        if line.startswith("+++ "):
            name = line[4:].split("\t")[0].partition("/")[2]
        elif line.startswith("+") and _FILES.search(name) and not name.startswith(_OWN):
            used |= set(_USED.findall(line))
            inside = _IN_KCONFIG.match(line[1:]) if "Kconfig" in name else None
            if inside:
                used |= set(_SYMBOL.findall(re.sub(r'"[^"]*"|\$\(.*?\)', "", inside[1])))
        elif line.startswith("-") and "Kconfig" in name and (found := _DEFINED.match(line[1:])):
            gone.add(found[1])
    return used, gone


def _definitions(job: Job, names: set[str]) -> set[str]:
    """Those of these symbols that a Kconfig file defines after the patch."""
    words = [word for name in sorted(names) for word in ("-e", rf"^[[:space:]]*(menu)?config[[:space:]]+{name}$")]
    done = job.git.run("grep", "-h", "-E", *words, job.one.after or "", "--", "*Kconfig*")
    return {found[1] for line in done.text.splitlines() if (found := _DEFINED.match(line))}

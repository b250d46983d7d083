# SPDX-License-Identifier: GPL-2.0
"""Build what a few edits call for, by kbuild's own recorded commands, without make.

A make that has nothing to do takes seconds: it reads every Makefile and every record. When what changed
since the last complete build is known by content (unchanged.py), and is nothing but sources and headers
of objects of vmlinux, then the commands that kbuild recorded for these objects, their archives and the
link are all that it would run. ninja runs them here, and leaves files, records and times as make would:
a make afterwards finds nothing to do. Anything else is a NotFast, and is make's to build.
"""

import json
import os
import re
import shlex
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mhp import kconfig
from mhp.builddir import BuildDir
from mhp.kbuild import VMLINUX_A, Record, Records, dot_cmd
from mhp.state import write_whole

# Rules of kbuild that run commands which no record holds, as those that make sources of headers, or make something of
# vmlinux that we do not; the release holds the commit, and whether there are edits.
_REFUSED_OPTIONS = ("MODULES", "MODVERSIONS", "LTO_CLANG", "RUST", "TRIM_UNUSED_KSYMS", "BUILTIN_MODULE_RANGES",
                    "FTRACE_MCOUNT_USE_RECORDMCOUNT", "LOCALVERSION_AUTO", "IKHEADERS", "OID_REGISTRY", "SECURITY_APPARMOR")
_REFUSED_VARIABLES = ("KBUILD_CHECKSRC", "KBUILD_EXTRA_WARN", "KBUILD_NSDEPS", "KBUILD_SYMTYPES")
# Where make writes for itself what is true for that one make only.
_OF_ONE_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKE_TERMOUT", "MAKE_TERMERR",
                "KBUILD_RUN_COMMAND", "PWD", "OLDPWD", "SHLVL", "_")
_VERSION_OBJECT = "init/version-timestamp.o"
_UTS_HEADER = Path("include/generated/utsversion.h")
_UTS = re.compile(r'(#define UTS_VERSION "#)(\d+)(.*?)([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \w+ \d{4})"\n')
# What is made of vmlinux.a and vmlinux.o besides the kernel.
_BESIDES = {"vmlinux.o": VMLINUX_A, "vmlinux.symvers": "vmlinux.o", "modules.builtin.modinfo": "vmlinux.o",
            "modules.builtin": "modules.builtin.modinfo"}
_LINKER = "link-vmlinux.sh"
_SCRATCH = "mhp-fast"
# No build reads these; Documentation/ has a Kconfig and makefiles as well.
_DOCUMENT = re.compile(r"Documentation/.+\.(?:rst|txt)")
# The file in the build directory with the environment that make gives to commands.
ENVIRONMENT = "mhp-make-environment"


class NotFast(Exception):
    """Why only make can build this; the text is for people."""


@dataclass(frozen=True)
class Step:
    """One command of the plan, which makes `target` after the targets `after`."""

    target: str
    command: str
    after: tuple[str, ...] = ()


@dataclass
class Plan:
    """Steps in an order in which they can be run. objects: those that are compiled."""

    objects: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def check_config(options: kconfig.Options) -> None:
    """Raise NotFast when the configuration has rules that are not followed here."""
    for name in _REFUSED_OPTIONS:
        if options.get(name) == "y":
            raise NotFast(f"CONFIG_{name} is set")


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise NotFast when make was asked for more than a build."""
    for name in _REFUSED_VARIABLES:
        if environment.get(name, "0") not in ("", "0"):
            raise NotFast(f"{name}={environment[name]}")


def objects_of(records: Records, srctree: Path, edited: Collection[str]) -> set[str]:
    """The objects that are made from these files of the source tree, when nothing else is; else NotFast."""
    objects = set()
    for name in sorted(edited):
        if _DOCUMENT.fullmatch(name):
            continue
        path = srctree / name
        if path.is_symlink() or not path.is_file():
            raise NotFast(f"{name} is no file any more")
        users = records.made_from(name)
        if not users:
            raise NotFast(f"{name} is not known to be part of the kernel")
        for record in users:
            if not record.compiles:
                raise NotFast(f"{name} is also used for {record.target}")
            objects.add(record.target)
    return objects


@dataclass(frozen=True)
class Link:
    """How the kernel is linked.

    libraries: the archives that it is linked with besides vmlinux.a. from_object: of vmlinux.o and not of
    vmlinux.a. kernel: the name of a hard link to vmlinux that is booted, or "vmlinux". command: how, for an
    architecture whose step after the link takes the place of the link's record; "" when that is not known.
    """

    libraries: tuple[str, ...]
    from_object: bool
    kernel: str
    command: str = ""


def link_command(srctree: Path) -> str:
    """What scripts/Makefile.vmlinux links with, in make's environment and LDFLAGS_vmlinux; "" when it is another way."""
    makefile = srctree / "scripts/Makefile.vmlinux"
    known = '$< "$(LD)" "$(KBUILD_LDFLAGS)" "$(LDFLAGS_vmlinux)";'
    if not makefile.is_file() or known not in makefile.read_text(encoding="utf-8", errors="replace"):
        return ""
    return f'{shlex.quote(str(srctree / "scripts" / _LINKER))} "$LD" "$KBUILD_LDFLAGS" "$LDFLAGS_vmlinux"'


def plan(records: Records, changed: Collection[str], link: Link) -> Plan:
    """What must be run to make these objects anew, and the kernel of them. Raises NotFast."""
    made = Plan(sorted(changed))
    objects = set(changed)
    if _VERSION_OBJECT in records.by_target:
        objects.add(_VERSION_OBJECT)
    made.steps += [_compile(records.by_target[target]) for target in sorted(objects)]
    tops = {"built-in.a", *link.libraries}
    archives = _archives(records, made.objects, tops)
    for archive, after in archives.items():
        if lost := records.lost(archive, after):
            raise NotFast(f"{lost[0]} is not there, which {archive} is made of")
        made.steps.append(_again(records, archive, tuple(sorted(after))))
    made.steps += _link(records, tuple(sorted(tops & archives.keys())), link)
    return made


def _archives(records: Records, objects: Collection[str], tops: Collection[str]) -> dict[str, set[str]]:
    """The archives that hold the objects, inner ones first, each with its members that are made anew."""
    above = records.archives()
    found: dict[str, set[str]] = {}

    def climb(member: str) -> None:
        if member in tops:
            return
        parents = above.get(member, [])
        if not parents:
            raise NotFast(f"{member} is not simply linked into the kernel")
        for parent in parents:
            known = found.setdefault(parent, set())
            known.add(member)
            climb(parent)

    for target in objects:
        if users := records.naming(target):
            raise NotFast(f"{target} is also used for {users[0].target}")
        climb(target)
    return dict(sorted(found.items(), key=lambda item: -item[0].count("/")))


def _record(records: Records, target: str) -> Record:
    record = records.by_target.get(target)
    if record is None or not record.saved:
        raise NotFast(f"there is no record of how {target} is made")
    return record


def _compile(record: Record) -> Step:
    """kbuild's rule for an object: the compiler, then fixdep writes the record with its dependencies."""
    found = re.search(r"-Wp,-MMD,(\S+)", record.saved)
    if not found:
        raise NotFast(f"{record.target} was compiled without a list of its dependencies")
    # A record that is cut off would name too few files: it is there as a whole or as it was.
    dot = dot_cmd(record.target)
    depfile, half = shlex.quote(found[1]), shlex.quote(f"{dot}.half")
    command = (f"set -e; {record.command}; scripts/basic/fixdep {depfile} {shlex.quote(record.target)} "
               f"{shlex.quote(record.saved)} > {half}; ")
    for line in os.fsdecode(record.after_dependencies).splitlines():
        command += f"printf '%s\\n' {shlex.quote(line)} >> {half}; "
    return Step(record.target, f"{command}mv -f {half} {shlex.quote(dot)}; rm -f {depfile}")


def _again(records: Records, target: str, after: tuple[str, ...]) -> Step:
    """A recorded command. The record's time is new too: it is written after its target."""
    return Step(target, f"set -e; {_record(records, target).command}; touch {shlex.quote(dot_cmd(target))}", after)


def _link(records: Records, archives: tuple[str, ...], link: Link) -> list[Step]:
    """From the topmost archives to the kernel, and what kbuild makes besides."""
    steps = [_again(records, VMLINUX_A, archives)]
    version = (_VERSION_OBJECT,) if _VERSION_OBJECT in records.by_target else ()
    whole = ("vmlinux.o",) if link.from_object else ()
    linked = _record(records, "vmlinux").command
    if _LINKER not in linked:
        if not link.command:
            raise NotFast("the record of vmlinux is that of a step after its link")
        linked = f"{link.command}; {linked}"
    # It tells on stdout what it does.
    command = f"set -e; {{ {linked}; }} >/dev/null; rm -f .vmlinux.d"
    steps.append(Step("vmlinux", command, (VMLINUX_A, *version, *whole)))
    for target, source in _BESIDES.items():
        steps.append(_again(records, target, (source, *archives)))
    # make wants vmlinux to be newer than vmlinux.o. The list of commands is the same as it was.
    last = ["touch -c compile_commands.json", "touch vmlinux .vmlinux.cmd"]
    last += [f"ln -f vmlinux {shlex.quote(link.kernel)}"] if link.kernel != "vmlinux" else []
    steps.append(Step(f"{_SCRATCH}/done", "set -e; " + "; ".join(last), tuple(step.target for step in steps)))
    return steps


def new_version(objtree: Path, environment: Mapping[str, str]) -> None:
    """A new number and time for `uname -v`, as kbuild gives each link."""
    header, number = objtree / _UTS_HEADER, objtree / ".version"
    found = _UTS.fullmatch(header.read_text(encoding="utf-8")) if header.exists() else None
    if not found or any(environment.get(f"KBUILD_BUILD_{name}") for name in ("VERSION", "TIMESTAMP",
                                                                          "VERSION_TIMESTAMP")):
        return
    count = str(int(found[2]) + 1)
    now = time.strftime("%a %b %e %H:%M:%S %Z %Y")
    header.write_text(f'{found[1]}{count}{found[3]}{now}"\n', encoding="utf-8")
    number.write_text(f"{count}\n", encoding="ascii")


def ninja(made: Plan) -> str:
    """The plan as a ninja file. Without ninja's own log, each step in it is run.

    A step's command is in a file of its own: ninja shows the command of what failed, and that would be
    kilobytes.
    """
    lines = [f"builddir = {_SCRATCH}", "rule run", f"  command = sh {_SCRATCH}/$step"]
    for number, step in enumerate(made.steps):
        after = " ".join(_escaped(target) for target in step.after)
        lines += [f"build {_escaped(step.target)}: run | {after}".rstrip(" |"), f"  step = {number}"]
    return "\n".join(lines) + "\n"


def _escaped(path: str) -> str:
    return re.sub(r"([$ :])", r"$\1", path)


def write(build: BuildDir, made: Plan, environment: Mapping[str, str], jobs: int) -> tuple[list[str], dict[str, str]]:
    """Write the plan below the build directory: ninja's command line for it, and its environment.

    environment: make's.
    """
    scratch = build.path / _SCRATCH
    scratch.mkdir(exist_ok=True)
    (scratch / ".ninja_log").unlink(missing_ok=True)
    new_version(build.path, environment)
    for number, step in enumerate(made.steps):
        (scratch / str(number)).write_text(step.command, encoding="utf-8", errors="surrogateescape")
    (scratch / "build.ninja").write_text(ninja(made), encoding="utf-8", errors="surrogateescape")
    # link-vmlinux.sh would call make for the object with the time, which is among our steps.
    # ccache stays in between, as its relative paths show in the objects, but without a preprocessor's run
    # of its own: an edit is mostly new to the cache.
    env = {**environment, "MAKE": "true", "CCACHE_DEPEND": "1"}
    # ninja tells on stdout what failed, and what the compiler said.
    script = 'exec ninja --quiet -C "$0" -j "$1" -f "$2" 1>&2'
    return ["/bin/sh", "-c", script, str(build.path), str(jobs), f"{_SCRATCH}/build.ninja"], env


def save_environment(path: Path, raw: bytes, ours: Mapping[str, str]) -> None:
    """Keep make's environment (`env -0`) beside the build: what it has and we have not."""
    variables = dict(os.fsdecode(entry).split("=", 1) for entry in raw.split(b"\0") if b"=" in entry)
    added = {name: value for name, value in variables.items()
             if name not in _OF_ONE_MAKE and ours.get(name) != value}
    write_whole(path, json.dumps(added).encode(errors="surrogateescape"))


def load_environment(path: Path, ours: Mapping[str, str]) -> dict[str, str] | None:
    """What save_environment() kept, on top of ours; None when there is none."""
    try:
        added = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return {**ours, **added}

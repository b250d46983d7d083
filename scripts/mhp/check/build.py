# SPDX-License-Identifier: GPL-2.0
"""Compiling objects of single commits: build/ID/check/linux moves from commit to commit, and each kernel
has its build directory build/ID/check/obj/NAME.

What a compilation said is remembered by commit, so that a patch's "after" is the next one's "before".
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mhp import guard, inputs, kconfig, upstream
from mhp.builddir import BuildDir
from mhp.check import compare, makefiles, regions
from mhp.check.compare import Message
from mhp.check.kernels import Kernel
from mhp.check.model import Job
from mhp.check.store import program_identity
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.progress import say
from mhp.run import shown
from mhp.state import write_whole
from mhp.tree import PreparedTree

_LIMIT_SECONDS = 900
_STAMP = "mhp-config-of"
_KEPT_CONFIGS = "mhp-configs"
_TAIL_LINES = 15
# kbuild's line about a step, and make's own about a target that failed, behind which another target's output begins.
_STEP = re.compile(r"^  [A-Z]+(?: \[M\])? +(\S+)$")
_END = re.compile(r"^make(?:\[\d+\])?: ")


@dataclass(frozen=True)
class Built:
    """What make said about one file: its messages, whether it failed, all that was printed; and for a
    preprocessed file (file, line) of the patch's files that are left in it."""

    messages: tuple[Message, ...]
    failed: bool
    output: str = ""
    lines: frozenset[tuple[str, int]] = frozenset()


@dataclass
class _Memory:
    """What has been built in this run."""

    known: dict[tuple[str, str, str, str], Built] = field(default_factory=dict)
    kept: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    at: dict[Path, str] = field(default_factory=dict)
    kconfig: dict[str, str] = field(default_factory=dict)


_memory = _Memory()


def tree_dir(tree: PreparedTree) -> Path:
    """The work tree that checks move."""
    return tree.build / "check/linux"


def build_dir(tree: PreparedTree, kernel: Kernel) -> Path:
    """A kernel's build directory."""
    return tree.build / "check/obj" / kernel.name


def checkout(tree: PreparedTree, commit: str) -> Path:
    """Move the work tree to a commit (it is made when missing); only files that differ are written."""
    path = tree_dir(tree)
    if _memory.at.get(path) == commit:
        return path
    git = Git(path / ".git", worktree=path)
    if (path / ".git").is_file() and git.resolve("HEAD"):
        for left_over in (path / ".git").read_text(encoding="utf-8").removeprefix("gitdir:").split():
            Path(left_over, "index.lock").unlink(missing_ok=True)
        git.check("checkout", "--quiet", "--force", "--detach", commit)
    else:
        shutil.rmtree(path, ignore_errors=True)
        tree.git.check("worktree", "prune")
        tree.git.check("worktree", "add", "--quiet", "--force", "--force", "--detach", path, commit)
    _memory.at[path] = commit
    return path


def configured(job: Job, kernels: Sequence[Kernel], commit: str) -> tuple[list[Kernel], list[str], list[str]]:
    """Configure kernels for a commit: those of them that are what they are called; in words the others, and the options
    that Kconfig does not give. A toggle none of whose options takes would be the kernel without it again."""
    path = checkout(job.tree, commit)
    found, others, notes = [], [], []
    for kernel in kernels:
        build = build_dir(job.tree, kernel)
        _configure(job, kernel, path, build)
        got = kconfig.read(build / ".config")
        own, asked = (kconfig.parse(f"CONFIG_{option}" for option in options) for options in (kernel.own, kernel.options))
        # An option that can be switched off, and is, is said not to be set; else it is not named at all.
        if own and not any(got.get(name) == value for name, value in own.items()):
            others.append(f"{kernel.name}: Kconfig does not give {', '.join(kernel.own)}")
            continue
        found.append(kernel)
        if lost := kconfig.lost(asked, got):
            names = (one.name if one.asked != "n" else f"{one.name}=n" for one in lost)
            notes.append(f"{kernel.name}: Kconfig does not give {', '.join(names)}")
    return found, others, notes


def objects(job: Job, kernels: Sequence[Kernel], commit: str, names: Sequence[str], *words: str,
            suffix: str = ".o", anew: bool = False) -> dict[str, dict[str, Built]]:
    """Compile files of a commit in each kernel, all anew and side by side: kernel's name to file to outcome.

    What a configuration leaves out is left out. words: further words for make (W=1, C=1). suffix: ".i"
    for the preprocessed file. anew: what is remembered does not count, so that the objects are
    there. Raises MhpError when a kernel cannot be configured: BROKEN_BASE for the base's fault, NOTHING_RAN for that of
    an earlier patch of the series, BUILD_FAILED for that of the patch.

    A make takes seconds before it compiles anything, so there is one for all files of a kernel.
    """
    path = checkout(job.tree, commit)
    mode = " ".join([*words, suffix])
    wanted = {}
    todo: dict[Kernel, list[str]] = {}
    for kernel in kernels:
        build = build_dir(job.tree, kernel)
        _configure(job, kernel, path, build)
        wanted[kernel] = [name for name in makefiles.for_arch(names, kernel)
                          if (path / name).is_file() and makefiles.enabled(path, build, name)]
        for name in wanted[kernel]:
            if anew or (kernel.name, commit, name, mode) not in _memory.known:
                (build / name).with_suffix(suffix).unlink(missing_ok=True)
                todo.setdefault(kernel, []).append(name)
    if todo:
        say(f"{commit[:12]}: {' '.join([*words, ''])}{suffix} of {', '.join(dict.fromkeys(sum(todo.values(), [])))}")
    said = _make(job, path, [(kernel, ["-k", "-O", *words, *(str(Path(name).with_suffix(suffix)) for name in names)])
                             for kernel, names in todo.items()])
    for (kernel, names), (whole, _status) in zip(todo.items(), said, strict=True):
        build = build_dir(job.tree, kernel)
        # Seen from the build directory, or, as sparse is given them, from the root.
        whole = whole.replace(f"{os.path.relpath(path, build)}/", "").replace(f"{path}/", "")
        parts = by_target(whole)
        for name in names:
            made = (build / name).with_suffix(suffix)
            # Without words of its own, a file that was not made was kept from it by another.
            output = parts.get(str(Path(name).with_suffix("")), parts[""] if made.exists() else whole)
            left: set[tuple[str, int]] = set()
            if suffix == ".i" and made.exists():
                left = regions.emitted(made.read_text(encoding="utf-8", errors="replace"), job.one.paths)
            messages = tuple(message for message in compare.read(output, str(path)) if _is_message(message))
            _memory.known[kernel.name, commit, name, mode] = Built(messages, not made.exists(), output, frozenset(left))
    return {kernel.name: {name: _memory.known[kernel.name, commit, name, mode] for name in mine}
            for kernel, mine in wanted.items()}


def fails(job: Job, kernel: Kernel, commit: str, name: str, *words: str) -> bool:
    """Whether a file does not compile at a commit; the work tree stays where it is when that is known."""
    built = _memory.known.get((kernel.name, commit, name, " ".join([*words, ".o"])))
    built = built or objects(job, [kernel], commit, [name], *words)[kernel.name].get(name)
    return built is not None and built.failed


def kept(job: Job, kernel: Kernel, commit: str, names: Sequence[str], more: Sequence[str] = ()) -> dict[str, Path]:
    """Objects of a commit, by file; copies that stay for this run, not there for what does not compile. What a
    configuration leaves out is left out. more: files whose objects will be asked for next."""
    place = job.tree.build / "check/kept"
    if not _memory.kept:
        shutil.rmtree(place, ignore_errors=True)
    missing = [name for name in names if (kernel.name, commit, name) not in _memory.kept]
    if missing:
        wanted = [*missing, *(name for name in more if (kernel.name, commit, name) not in _memory.kept)]
        for name, built in objects(job, [kernel], commit, wanted, anew=True)[kernel.name].items():
            copy = place / kernel.name / commit / Path(name).with_suffix(".o")
            if not built.failed:
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile((build_dir(job.tree, kernel) / name).with_suffix(".o"), copy)
            _memory.kept[kernel.name, commit, name] = copy
        for name in wanted:
            _memory.kept.setdefault((kernel.name, commit, name), place)
    return {name: path for name in names if (path := _memory.kept[kernel.name, commit, name]) != place}


def vmlinux(job: Job, kernel: Kernel, commit: str) -> Path | str:
    """The whole kernel of a commit; make's last words when it does not build. It is there until the next call."""
    path = checkout(job.tree, commit)
    build = build_dir(job.tree, kernel)
    _configure(job, kernel, path, build)
    say(f"{commit[:12]}: vmlinux for {kernel.name}")
    ((output, status),) = _make(job, path, [(kernel, ["vmlinux"])])
    return "\n".join(output.splitlines()[-_TAIL_LINES:]) if status else build / "vmlinux"


def by_target(output: str) -> dict[str, str]:
    """What make printed, by the file it was about, without its suffix; "" is what came before the first.

    make -O keeps together what a target's commands print, and kbuild begins it with "  CC      mm/a.o".
    """
    found = {"": ""}
    at = ""
    for line in output.splitlines(keepends=True):
        if match := _STEP.match(line):
            at = str(Path(match[1]).with_suffix(""))
        elif _END.match(line):
            at = ""
        found[at] = found.get(at, "") + line
    return found


def taken_in(job: Job, kernels: Sequence[Kernel], commit: str, name: str) -> bool:
    """Whether the configuration of any of these kernels compiles a file; nothing is compiled to find out."""
    path = checkout(job.tree, commit)
    for kernel in kernels:
        _configure(job, kernel, path, build_dir(job.tree, kernel))
    return any(makefiles.for_arch([name], kernel) and makefiles.enabled(path, build_dir(job.tree, kernel), name)
               for kernel in kernels)


def _is_message(message: Message) -> bool:
    return message.text.startswith(("warning:", "error:", "fatal error:")) or " warning: " in message.text


def _make(job: Job, path: Path, calls: Sequence[tuple[Kernel, Sequence[str]]]) -> list[tuple[str, int]]:
    """Output and exit status of each of these calls of the kernel's make.

    A makefile of ours runs them under one make, which shares out the processors. Calls for the same kernel
    wait for each other: they share a build directory.
    """
    if not calls:
        return []
    last: dict[str, int] = {}
    rules = []
    for number, (kernel, words) in enumerate(calls):
        build = build_dir(job.tree, kernel)
        BuildDir(build).begin()
        line = shown(["make", "-C", path, f"O={build}", "--no-print-directory", *kernel.make, *words])
        rules.append(f"all: {number}\n{number}: {last.get(kernel.name, '')}\n"
                     f"\t+@{line.replace('$', '$$')} >{number}.out 2>&1; echo $$? >{number}.status\n")
        last[kernel.name] = number
    with tempfile.TemporaryDirectory(dir=job.scratch) as name:
        place = Path(name)
        (place / "Makefile").write_text("".join(rules), encoding="utf-8")
        # Not -s: the kernel's make would take it over, and not say which target its messages are about.
        ended = guard.supervise(["make", f"-j{len(os.sched_getaffinity(0))}", "all"], cwd=place,
                                env={**upstream.environment(), "LC_ALL": "C.UTF-8"}, stdout=subprocess.DEVNULL,
                                watch=upstream.time_limit(_LIMIT_SECONDS))
        if ended.stopped or not all((place / f"{number}.status").exists() for number in range(len(calls))):
            raise MhpError(Exit.TIMEOUT, f"compiling was stopped: {ended.stopped or ended.errors.decode()}")
        for kernel, _words in calls:
            BuildDir(build_dir(job.tree, kernel)).finished()
        return [((place / f"{number}.out").read_text(encoding="utf-8", errors="backslashreplace"),
                 int((place / f"{number}.status").read_text(encoding="ascii"))) for number in range(len(calls))]


def _configure(job: Job, kernel: Kernel, path: Path, build: Path) -> None:
    """Put the .config there that the commit's Kconfig files and the compiler make of the kernel's options; each is made
    once and kept."""
    made_from = inputs.digest(kernel.id, program_identity(kernel.compiler), _kconfig(job, _memory.at[path]))
    stamp, config, kept = build / _STAMP, build / ".config", build / _KEPT_CONFIGS / made_from
    if stamp.exists() and stamp.read_text(encoding="utf-8") == made_from:
        return
    stamp.unlink(missing_ok=True)
    if kept.exists():
        write_whole(config, kept.read_bytes())
    else:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fragment = job.scratch / f"{kernel.name}.config"
        fragment.write_text("".join(f"CONFIG_{option}\n" for option in kernel.options), encoding="utf-8")
        _make_config(job, kernel, path, [f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig"])
        write_whole(kept, config.read_bytes())
    stamp.write_text(made_from, encoding="utf-8")


def _kconfig(job: Job, commit: str) -> str:
    """A hash of all Kconfig files of a commit."""
    if commit not in _memory.kconfig:
        lines = job.git.text("ls-tree", "-r", "--full-tree", commit).splitlines()
        _memory.kconfig[commit] = inputs.digest(*(line for line in lines if line.rpartition("/")[2].startswith("Kconfig")
                                                  or line.partition("\t")[2].startswith("Kconfig")))
    return _memory.kconfig[commit]


def _make_config(job: Job, kernel: Kernel, path: Path, words: Sequence[str]) -> None:
    """Raises MhpError when that fails; at fault is the first commit, from the base on, with which it does."""
    commit = _memory.at[path]
    ((output, status),) = _make(job, path, [(kernel, words)])
    if not status:
        return
    before = job.patch.before if job.patch else None
    at_fault = next(one for one in (job.series.base, before, commit)
                    if one and (one == commit or _make(job, checkout(job.tree, one), [(kernel, words)])[0][1]))
    said = f"{kernel.name} cannot be configured:\n{output[-2000:]}"
    if at_fault == job.series.base:
        raise MhpError(Exit.BROKEN_BASE, said)
    if at_fault == before:
        raise MhpError(Exit.NOTHING_RAN, f"an earlier patch of the series broke it: {said}")
    raise MhpError(Exit.BUILD_FAILED, said)

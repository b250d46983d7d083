# SPDX-License-Identifier: GPL-2.0
"""Drive the prepared tree's own tools/testing/kunit/kunit.py: what it is given, and watching it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mhp import compiler, guard, kconfig, paths, shares
from mhp.arch import Arch
from mhp.builddir import BuildDir
from mhp.coverage import handed
from mhp.exits import MhpError
from mhp.log import LIMIT_BYTES, printable
from mhp.options import Options, map_flag
from mhp.progress import Progress, say
from mhp.run import shown
from mhp.shares import Share
from mhp.tree import PreparedTree, read_state

PYTHON = "/usr/bin/python3"
SCRIPT = Path("tools/testing/kunit/kunit.py")

# Beyond upstream's own time-out, which only asks the guest to end.
_EXTRA_SECONDS = 10
# Upstream measures from when it starts the guest, we from when we see the log.
_TIMER_SLACK = 0.5
_TIME_OUT = "time-out"
_SILENT_SECONDS = 3.0
_COUNT_EVERY_SECONDS = 2.0
_GUEST_DIR = "guest-"
# The delay loop need not be measured at each boot, half of what a boot takes: delays may be too long, and are few.
# Boot memory is what the suites need, and no whole number of sections: each further one is looked at by each validation.
UML_ARGUMENTS = ("uml_keep_memory", "lpj=40000000", "uml_boot_memory=600M")

# What a `make` above us would hand down to the kernel's own make.
_MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS", "MAKE_TERMOUT",
                   "MAKE_TERMERR", "MAKEFILES")


@dataclass(frozen=True)
class Job:
    """One command line at work: tree, build directory, and what was asked for."""

    options: Options
    tree: PreparedTree
    build: BuildDir

    @property
    def arch(self) -> str:
        """As in make's ARCH=."""
        return str(self.options.seen.arch)

    @property
    def target(self) -> Arch:
        """The architecture, and what we know of it."""
        return Arch(self.arch)

    @property
    def cross_compile(self) -> str:
        """The compiler's prefix: the user's, else the architecture's; "" for the native one."""
        given = self.options.seen.cross_compile
        return str(given) if given is not None else self.target.cross_compile(self.options.configs)

    @property
    def machine(self) -> Path | None:
        """Our file for --qemu_config, when the user has none."""
        return self.target.machine if self.target.known and not self.options.seen.qemu_config else None

    @property
    def make_options(self) -> list[str]:
        """The user's options for make, and ours that choose the compiler."""
        source = os.path.relpath(self.tree.path.resolve(), self.build.path.resolve())
        return compiler.make_options(self.options.seen.make_options, self.cross_compile, source)

    @property
    def kunitconfigs(self) -> list[Path]:
        """The config files that are asked for; empty when it is upstream's default."""
        seen = self.options.seen
        if seen.kunitconfig or seen.alltests:
            named = [self.tree.path / name for name in seen.kunitconfig]
            return [path / ".kunitconfig" if path.is_dir() else path for path in named]
        return [paths.KUNITCONFIG] if self.arch == "um" or self.target.known else []

    @property
    def kconfig_lines(self) -> list[str]:
        """Lines that go over the config files, the later ones win: ours, then the user's.

        Ours are the architecture's, the fragments, and that the tree holds the series: the cases that need it then run.
        """
        ours = self.kunitconfigs == [paths.KUNITCONFIG]
        made_from = read_state(self.tree)
        lines = ["CONFIG_MHP_SERIES=y"] if ours and made_from.series and made_from.part("mm") else []
        if ours and self.target.known:
            lines += kconfig.fragment_lines(self.target.base)
        for name in self.options.configs:
            lines += kconfig.fragment_lines(self.target.fragment(name))
        return lines + list(self.options.seen.kconfig_add)

    def asked(self) -> kconfig.Options:
        """Every option that is asked for."""
        asked: kconfig.Options = {}
        for path in self.kunitconfigs:
            asked.update(kconfig.read(path))
        asked.update(kconfig.parse(self.kconfig_lines))
        return asked


def build_dir(options: Options, tree: PreparedTree) -> BuildDir:
    """The user's --build_dir, or build/ID/ARCH with a name for each --config."""
    if options.seen.build_dir:
        return BuildDir(Path(options.seen.build_dir))
    return BuildDir(tree.build / "-".join([str(options.seen.arch), *options.configs]))


def environment() -> dict[str, str]:
    """The environment for upstream: as ours, without what a make above us adds."""
    env = {name: value for name, value in os.environ.items() if name not in _MAKE_VARIABLES}
    env["PYTHONUNBUFFERED"] = "1"
    return compiler.environment(env)


@contextmanager
def guest_directory() -> Iterator[Path]:
    """A directory for the files that UML makes for each guest, instead of ~/.uml."""
    top = paths.build_root() / "tmp"
    top.mkdir(parents=True, exist_ok=True)
    for left in top.glob(f"{_GUEST_DIR}*"):
        owner = left.name[len(_GUEST_DIR):].partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{_GUEST_DIR}{os.getpid()}-", dir=top))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def relative(guest: Path, tree: Path) -> str:
    """A guest's directory as UML gets it: short, and without spaces, which end a kernel parameter."""
    return os.path.relpath(guest, tree)


def time_limit(seconds: float) -> Callable[[], str | None]:
    """A watch for guard.supervise() that stops what takes longer."""
    end = time.monotonic() + seconds
    return lambda: f"not done within {seconds:g} s" if time.monotonic() > end else None


def arguments(job: Job, subcommand: str, rest: Sequence[str], guest: Path, json: Path | None) -> list[str]:
    """Upstream's command line. json: where its results go, None when the user has them elsewhere."""
    seen = job.options.seen
    words = [PYTHON, str(SCRIPT), subcommand]
    if not seen.build_dir:
        words.append(f"--build_dir={job.build.path}")
    if not seen.kunitconfig and not seen.alltests:
        words += [f"--kunitconfig={path}" for path in job.kunitconfigs]
    for line in job.kconfig_lines[:len(job.kconfig_lines) - len(seen.kconfig_add)]:
        words.append(f"--kconfig_add={line}")
    words += [f"--make_options={option}" for option in job.make_options]
    if job.cross_compile and seen.cross_compile is None:
        words.append(f"--cross_compile={job.cross_compile}")
    if job.machine:
        words.append(f"--qemu_config={job.machine}")
    if subcommand in ("run", "exec"):
        if json is not None:
            words.append(f"--json={json}")
        words += [f"--qemu_args={arg}" for arg in job.target.accelerator(seen.qemu_args, job.build.kernel(job.arch))]
        if job.arch == "um":
            words += [f"--kernel_args={arg}" for arg in (f"uml_dir={relative(guest, job.tree.path)}", *UML_ARGUMENTS)]
    return [*words, *map_flag(list(rest), "--qemu_args", job.build.named)]


@dataclass
class Watch:
    """Looks ten times a second at what upstream is doing: building, or running guests.

    logs: of the guests.
    """

    job: Job
    building: bool
    logs: Sequence[Path]
    started: float = 0.0        # when the first guest's log appeared
    seconds: float = 0.0        # how long the guests have run
    progress: Progress | None = None
    _begun: float = field(default_factory=time.monotonic)
    _counted: float = 0.0
    _objects: int = 0
    _since: float = field(default_factory=time.time)

    def __call__(self) -> str | None:
        now = time.monotonic()
        sizes = [log.stat().st_size for log in self.logs if log.exists()]
        if not sizes:
            self.build(now)
            return None
        if not self.started:
            self.started = now
            self.done()
        self.seconds = now - self.started
        if max(sizes) > LIMIT_BYTES:
            return f"the guest was stopped: it had printed {LIMIT_BYTES >> 20} MiB"
        if handed.size(self.job.build) > handed.LIMIT_BYTES:
            return f"the guest was stopped: it had handed out {handed.LIMIT_BYTES >> 20} MiB of gcov's data"
        if self.seconds > self.job.options.seen.timeout + _EXTRA_SECONDS:
            return _TIME_OUT
        return None

    def build(self, now: float | None = None) -> None:
        """Say how far the build is, once it takes long enough to wonder."""
        now = time.monotonic() if now is None else now
        if not self.building or now - self._begun < _SILENT_SECONDS:
            return
        if self.progress is None:
            self.progress = Progress("building", None, "objects compiled")
            self.progress.__enter__()  # pylint: disable=unnecessary-dunder-call
        if now - self._counted > _COUNT_EVERY_SECONDS:
            self._counted = now
            self._objects = self.job.build.objects(self._since)
        self.progress.at(self._objects)

    def done(self, failed: type[BaseException] | None = None) -> None:
        """The build is over, or the whole command; well, unless `failed`."""
        if self.progress is not None:
            self.progress.__exit__(failed, None, None)
            self.progress = None


@dataclass(frozen=True)
class Finished:
    """How a call of upstream ended. booted: it came to start a guest, which ran `seconds`."""

    ended: guard.Ended
    booted: bool
    seconds: float
    command: str


def call(job: Job, subcommand: str, rest: Sequence[str], *, stdout: int | None = None,
         json: Path | None = None, more: Mapping[str, str] | None = None) -> Finished:
    """Run upstream to its end, and nothing of it survives.

    stdout: a descriptor for its stdout when that is not ours. json: where its results go. more: of its environment.
    """
    job.build.log.unlink(missing_ok=True)
    watch = Watch(job, subcommand in ("run", "build"), [job.build.log])
    with guest_directory() as guest:
        words = arguments(job, subcommand, rest, guest, json)
        ended = _supervise(watch, words, [words], guest, stdout, more)
    return Finished(ended, job.build.log.exists(), watch.seconds, shown(words))


def call_shared(job: Job, parts: Sequence[Share], rest: Sequence[str], *, stdout: int | None = None,
                first: tuple[Sequence[str], Mapping[str, str]] | None = None) -> list[Finished]:
    """`exec` once for each share, side by side, with results in its directory; as call() otherwise.

    first: a command and its environment, see shares.command(). None is booted when that failed.
    """
    jobs = [replace(job, build=BuildDir(part.path)) for part in parts]
    watch = Watch(job, False, [one.build.log for one in jobs])
    if first:
        ours = environment()
        first = first[0], {name: value for name, value in first[1].items() if ours.get(name) != value}
    with guest_directory() as guest:
        commands = [arguments(one, "exec", [*rest, part.glob], guest, one.build.results)
                    for one, part in zip(jobs, parts, strict=True)]
        ended = _supervise(watch, shares.command(parts, commands, PYTHON, first), commands, guest, stdout)
    found = []
    built = first is None or shares.first_status(parts) == 0
    for one, words, alone in zip(jobs, commands, shares.ended(parts), strict=True):
        status, seconds = alone or (ended.status, watch.seconds)
        how = guard.Ended(status, None if alone else ended.stopped, ended.errors)
        found.append(Finished(how, built and one.build.log.exists(), seconds, shown(words)))
    return found


def _supervise(watch: Watch, argv: Sequence[str], commands: Sequence[Sequence[str]], guest: Path,
               stdout: int | None, more: Mapping[str, str] | None = None) -> guard.Ended:
    """Run `argv`, which is or runs these commands of upstream's; they are shown unless stdout is elsewhere."""
    job = watch.job
    for words in commands if stdout is None else ():
        say(f"$ cd {job.tree.path} && {shown(words)}")
    sys.stdout.flush()
    ended = None
    try:
        # UML adds what randomisation leaves free behind the program to boot memory: up to 1 GiB, another at each boot.
        ended = guard.supervise(argv, cwd=job.tree.path, env={**environment(), **(more or {})}, stdout=stdout, watch=watch,
                                remove=guest, randomize=job.arch != "um")
    finally:
        watch.done(None if ended and not ended.status else MhpError)
    return ended


def timed_out(seconds: int, finished: Finished, halted: bool) -> bool:
    """Whether the guest ran for its whole time (`seconds`), and not only nearly so to a clean end."""
    late = seconds if halted else seconds - _TIMER_SLACK
    return finished.ended.stopped == _TIME_OUT or finished.seconds >= late


def parse(tree: PreparedTree, words: Sequence[str]) -> guard.Ended:
    """Upstream's `parse`, as the user typed it."""
    sys.stdout.flush()
    return guard.supervise([PYTHON, str(SCRIPT), "parse", *words], cwd=tree.path, env=environment())


def parse_log(tree: PreparedTree, log: Path, json: Path, stdout: int | None = subprocess.DEVNULL,
              rest: Sequence[str] = ()) -> guard.Ended:
    """Upstream's parser on a log; its results go to `json`."""
    json.unlink(missing_ok=True)
    words = [PYTHON, str(SCRIPT), "parse", f"--json={json}", *rest, str(log)]
    sys.stdout.flush()
    return guard.supervise(words, cwd=tree.path, env=environment(), stdout=stdout)


_ERROR = re.compile(r"\b(?:fatal )?error:|undefined reference|multiple definition|No space left"
                    r"|cannot find |: syntax error")
_MAKE_ERROR = re.compile(r"make.*\*\*\* ")
_LINES_OF_AN_ERROR = 3
_ERRORS_SHOWN = 10


def error_lines(errors: bytes) -> list[str]:
    """The lines of a failed build that matter: the first errors of compiler and linker with what they
    point at, each once; else those of make; else the last ones."""
    text = errors.decode(errors="backslashreplace").splitlines()
    lines = [line for line in text if not _MAKE_ERROR.match(line)]
    shown: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        if _ERROR.search(line):
            shown.setdefault(line, lines[i:i + _LINES_OF_AN_ERROR])
    if shown:
        found = [line for part in list(shown.values())[:_ERRORS_SHOWN] for line in part]
        more = len(shown) - _ERRORS_SHOWN
        return found + ([f"{more} more errors"] if more > 0 else [])
    return ([line for line in text if _MAKE_ERROR.match(line)] or lines)[-_ERRORS_SHOWN:]


def shown_errors(errors: bytes) -> str:
    """error_lines() as they are shown to people."""
    return "\n".join(f"    | {printable(line)}" for line in error_lines(errors))

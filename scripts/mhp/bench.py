# SPDX-License-Identifier: GPL-2.0
"""`make bench`: how long the loop takes, against upstream's kunit.py, on this machine, in one run.

Both are measured in turn, so that whatever else the machine does meets both; ratios are medians of
pairs. The edit is a real one each time, with a number that no cache has seen.
"""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mhp import basetree, guard, paths, upstream
from mhp.exits import Exit, MhpError
from mhp.progress import say
from mhp.state import write_whole
from mhp.tree import PreparedTree, prepare

EDITED = "mm/memory_hotplug.c"
TARGET_RATIO = 0.5
_MARK = "mhp_bench_edit"
_EDIT = re.compile(rf"\nstatic int __maybe_unused {_MARK}\(void\) {{ return \d+; }}\n")
_ELAPSED = re.compile(r"Elapsed time: ([\d.]+)s total, ([\d.]+)s configuring, ([\d.]+)s building, ([\d.]+)s running")
_LIMIT_SECONDS = 3600
_JSON = "bench.json"


@dataclass
class Row:
    """One measured thing: seconds of each run."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """Ours against theirs, pair by pair."""

    ours: Row
    theirs: Row

    @property
    def median(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(a / b for a, b in zip(self.ours.seconds, self.theirs.seconds, strict=True))


@dataclass(frozen=True)
class Timed:
    """A command's wall time in seconds, and upstream's own split: configuring, building, running."""

    seconds: float
    split: tuple[float, float, float] | None


def timed(argv: Sequence[str | Path], cwd: Path, output: Path, env: dict[str, str] | None = None) -> Timed:
    """Run a command that must succeed. Raises MhpError(FINDINGS) when it does not."""
    with output.open("wb") as file:
        start = time.monotonic()
        ended = guard.supervise([str(word) for word in argv], cwd=cwd, env=env, stdout=file.fileno(),
                                errors_to=file.fileno(), watch=upstream.time_limit(_LIMIT_SECONDS))
        seconds = time.monotonic() - start
    text = output.read_bytes().decode(errors="backslashreplace")
    if ended.status:
        tail = "\n".join(text.splitlines()[-20:])
        raise MhpError(Exit.FINDINGS, f"cannot measure: this ended with status {ended.status}, see {output}\n{tail}")
    found = _ELAPSED.search(text)
    return Timed(seconds, (float(found[2]), float(found[3]), float(found[4])) if found else None)


@contextmanager
def editing(path: Path) -> Iterator[Callable[[], None]]:
    """Gives a function that makes a new edit in a file; afterwards the file is as it was.

    Only the content is put back: its time stays new, so that make compiles it again. What an earlier
    run that was killed left is removed.
    """
    original = _EDIT.sub("", path.read_text(encoding="utf-8"))

    def edit() -> None:
        path.write_text(f"{original}\nstatic int __maybe_unused {_MARK}(void) "
                        f"{{ return {time.time_ns() % 2**31}; }}\n", encoding="utf-8")

    try:
        yield edit
    finally:
        path.write_text(original, encoding="utf-8")


class Bench:
    """The measurements, in the order in which they are taken."""

    def __init__(self, tree: PreparedTree, flags: Sequence[str], runs: int) -> None:
        self.tree = tree
        self.runs = runs
        self.rows: list[Row] = []
        self.ratios: list[Ratio] = []
        self._flags = list(flags)
        self._output = tree.build / "bench"
        self._output.mkdir(exist_ok=True)
        self._base = basetree.ensure(tree)
        self._base_build = basetree.build_dir(tree, "um-bench")

    def _row(self, name: str) -> Row:
        self.rows.append(Row(name))
        return self.rows[-1]

    def ours(self, *words: str, env: dict[str, str] | None = None) -> Timed:
        """scripts/kunit.py."""
        return timed([upstream.PYTHON, "-B", paths.SCRIPTS / "kunit.py", *words, *self._flags], paths.REPO,
                     self._output / "ours.log", env)

    def theirs(self) -> Timed:
        """Upstream's kunit.py as one types it, on the base without shims."""
        with upstream.guest_directory() as guest:
            return timed([upstream.PYTHON, "-B", upstream.SCRIPT, "run", f"--build_dir={self._base_build}",
                          f"--kernel_args=uml_dir={upstream.relative(guest, self._base)}"], self._base,
                         self._output / "theirs.log", upstream.environment())

    def from_scratch(self) -> None:
        """Empty build directories, once each: a build takes minutes."""
        cache, build = self._output / "ccache", self._output / "um"
        env = {**os.environ, "CCACHE_DIR": str(cache)}
        for place in (cache, build, self._base_build):
            shutil.rmtree(place, ignore_errors=True)
        say("from scratch, upstream")
        self._row("from scratch: upstream, default config").seconds.append(self.theirs().seconds)
        for name in ("cold", "warm"):
            say(f"from scratch, ours, {name} ccache")
            shutil.rmtree(build, ignore_errors=True)
            self._row(f"from scratch: ours, {name} ccache").seconds.append(
                self.ours("run", f"--build_dir={build}", env=env).seconds)
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(build, ignore_errors=True)

    def loop(self) -> None:
        """Edit to verdict, in pairs; then where the seconds of ours go."""
        say("builds that the measurements start from")
        self.ours("run")
        self.theirs()
        ours, theirs = self._row(f"edit {EDITED}: ours"), self._row(f"edit {EDITED}: upstream, default config")
        parts = {name: Row(f"  of ours: {name}") for name in (
            "preparing, stamps and verdict", "upstream's configuring", "make, compiler and linker", "boot and suites")}
        with editing(self.tree.path / EDITED) as edit_ours, editing(self._base / EDITED) as edit_theirs:
            for number in range(1, self.runs + 1):
                say(f"edit to verdict, pair {number} of {self.runs}")
                edit_ours()
                mine = self.ours("run")
                edit_theirs()
                ours.seconds.append(mine.seconds)
                theirs.seconds.append(self.theirs().seconds)
                if mine.split:
                    for row, seconds in zip(parts.values(), (mine.seconds - sum(mine.split), *mine.split)):
                        row.seconds.append(seconds)
        self.rows += [row for row in parts.values() if row.seconds]
        self.ratios.append(Ratio(ours, theirs))

    def steps(self) -> None:
        """What is left when nothing has changed, and single steps."""
        say("single steps")
        self.ours("run")
        unchanged, boot, made, prepared = (self._row(name) for name in (
            "nothing changed: ours", "boot and suites alone (exec)", "make with nothing to do (build)",
            "prepare the tree, nothing to do"))
        for _ in range(self.runs):
            unchanged.seconds.append(self.ours("run").seconds)
            boot.seconds.append(self.ours("exec").seconds)
            made.seconds.append(self.ours("build").seconds)
            start = time.monotonic()
            prepare(Path(self._flags[0].partition("=")[2]) if self._flags else None)
            prepared.seconds.append(time.monotonic() - start)


def machine() -> dict[str, str]:
    """What it was measured on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    compiler = subprocess.run(["gcc", "--version"], stdout=subprocess.PIPE, check=False, text=True).stdout
    return {"processors": str(len(os.sched_getaffinity(0))), "model": model[1] if model else platform.machine(),
            "compiler": compiler.split("\n", maxsplit=1)[0],
            "load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg())}


def table(bench: Bench, about: dict[str, str]) -> list[str]:
    """The rows for people."""
    lines = [f"{name}: {value}" for name, value in about.items()] + [""]
    lines.append(f"{'seconds':52} {'median':>8} {'least':>8} {'most':>8} {'runs':>5}")
    lines += [f"{row.name:52} {row.median:8.2f} {min(row.seconds):8.2f} {max(row.seconds):8.2f} "
              f"{len(row.seconds):5}" for row in bench.rows]
    lines.append("")
    for ratio in bench.ratios:
        met = "met" if ratio.median <= TARGET_RATIO else "MISSED"
        lines.append(f"{ratio.ours.name} / {ratio.theirs.name}: {ratio.median:.2f} "
                     f"(median of {len(ratio.ours.seconds)} pairs; wanted: at most {TARGET_RATIO}, {met})")
    return lines


def run(kdir: Path | None, runs: int, quick: bool) -> int:
    """Measure, print the table and write build/bench.json; FINDINGS when the ratio is missed."""
    about = machine()
    tree = prepare(kdir)
    bench = Bench(tree, [f"--kdir={kdir.absolute()}"] if kdir else [], runs)
    if not quick:
        bench.from_scratch()
    bench.loop()
    bench.steps()
    print("\n".join(table(bench, about)))
    result = paths.build_root() / _JSON
    write_whole(result, json.dumps({
        "machine": about, "kernel": tree.origin, "rows": [{**asdict(row), "median": row.median} for row in bench.rows],
        "ratios": [{"ours": ratio.ours.name, "theirs": ratio.theirs.name, "median": ratio.median}
                   for ratio in bench.ratios]}, indent=1).encode())
    print(f"written to {result}")
    return Exit.PASS if all(ratio.median <= TARGET_RATIO for ratio in bench.ratios) else Exit.FINDINGS

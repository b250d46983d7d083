# SPDX-License-Identifier: GPL-2.0
"""The parts of `make test`: what each runs, and how its cases are counted.

A KUnit run is a part for each file in kunit/configs/ that does not say `# test: no, REASON`.

A quick boot of scripts/matrix is one, too. A guest that must die, or must be refused, is a line in scripts/tests/deaths.toml.
"""

import json
import os
import re
import tempfile
import tomllib
import xml.etree.ElementTree as xml
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import guard, known_bad, log, matrix, paths, repeat, stock, upstream
from mhp.arch import directives
from mhp.check import registry
from mhp.coverage import command as coverage
from mhp.exits import Exit, MhpError
from mhp.progress import Progress, say
from mhp.results import Counts
from mhp.tree import PreparedTree

BOOTS = 40
_LIMIT_SECONDS = 3 * 3600
_OUTPUT_LINES = 40
_COVERAGE_CASES = 4


@dataclass(frozen=True)
class Outcome:
    """What a part gave. problems: a line or more for each failure; skips: "case: reason"."""

    counts: Counts
    problems: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A part: its name, its group ("pytest", "checks", "guests", "qemu" or "long"), one line about it, and what it does.

    Those of the group "long" run when they are asked for by name or group.
    """

    name: str
    group: str
    about: str
    work: Callable[["Context"], Outcome]


@dataclass(frozen=True)
class Context:
    """Where the parts work. flags: for kunit.py; output: the directory for what the parts print."""

    tree: PreparedTree
    flags: tuple[str, ...]
    output: Path
    verbose: bool


def _run(context: Context, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None,
         remove: Path | None = None) -> tuple[int, str]:
    """Run a command of ours: its exit status, and the end of what it printed.

    env: variables that it gets more. remove: a directory that goes with it, even when we are killed.
    """
    path = context.output / f"{name}.log"
    with path.open("wb") as file, Progress(name, None, "bytes printed") as progress:
        def watch() -> str | None:
            progress.at(path.stat().st_size)
            return late()

        late = upstream.time_limit(_LIMIT_SECONDS)
        ended = guard.supervise([str(word) for word in argv], cwd=paths.REPO, stdout=file.fileno(),
                                env={**os.environ, **(env or {})}, errors_to=file.fileno(), watch=watch, remove=remove)
    lines = path.read_bytes().decode(errors="backslashreplace").splitlines()
    if context.verbose:
        print("\n".join(log.printable(line) for line in lines))
    tail = "\n".join(f"    | {log.printable(line)}" for line in lines[-_OUTPUT_LINES:])
    return ended.status, f"{tail}\n    all of it: {path}"


def _pytest(directory: Path, ignore: Sequence[Path] = (), workers: str = "auto",
            env: Mapping[str, str] | None = None) -> Callable[[Context], Outcome]:
    """The tests of a directory, or of one file. workers: for pytest-xdist; "0" where tests share a build directory."""
    def work(context: Context) -> Outcome:
        report = context.output / f"{directory.stem}.xml"
        report.unlink(missing_ok=True)
        # pytest would leave the directories of its last three runs.
        with tempfile.TemporaryDirectory(prefix="mhp-test-", ignore_cleanup_errors=True) as scratch:
            status, tail = _run(context, f"pytest-{directory.stem}", [
                "/usr/bin/python3", "-u", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers,
                f"--rootdir={paths.SCRIPTS / 'tests'}", f"--junitxml={report}", f"--basetemp={scratch}/t",
                *(f"--ignore={path}" for path in ignore), directory], env, Path(scratch))
        if not report.exists():
            return Outcome(Counts(0, 1), (f"pytest ended with status {status}:\n{tail}",))
        return _pytest_outcome(report, status, tail)
    return work


def _pytest_outcome(report: Path, status: int, tail: str) -> Outcome:
    passed = failed = 0
    problems, skips = [], []
    for case in xml.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            problems.append(name)
        elif (skip := case.find("skipped")) is not None:
            skips.append(f"{name}: {skip.get('message', '')}")
        else:
            passed += 1
    if status and not failed:
        failed = 1
        problems.append(f"pytest ended with status {status}")
    if problems:
        problems.append(tail)
    return Outcome(Counts(passed, failed, len(skips)), tuple(problems), tuple(skips))


def _kunit_argv(context: Context, *words: str) -> list[str | Path]:
    return ["/usr/bin/python3", "-B", paths.SCRIPTS / "kunit.py", *words, *context.flags]


def _read_verdict(build: Path) -> dict[str, object] | None:
    try:
        found = json.loads((build / repeat.VERDICT_FILE).read_bytes())
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None


def _kunit(name: str, *words: str) -> Callable[[Context], Outcome]:
    """A KUnit run; the cases count, and one failure more when the run as a whole is not right."""
    def work(context: Context) -> Outcome:
        build = context.tree.build / name
        (build / repeat.VERDICT_FILE).unlink(missing_ok=True)
        status, tail = _run(context, name, _kunit_argv(context, "run", *words))
        found = _read_verdict(build)
        if found is None:
            return Outcome(Counts(0, 1), (f"{Exit(status).name if status in list(Exit) else status}:\n{tail}",))
        counts = Counts(int(str(found["passed"])), int(str(found["failed"])), int(str(found["skipped"])))
        if status and not counts.failed:
            counts += Counts(failed=1)
        skips = found["skips"] if isinstance(found["skips"], dict) else {}
        return Outcome(counts, (tail,) if status else (),
                       tuple(f"{case}: {reason or 'no reason given'}" for case, reason in skips.items()))
    return work


def _repeated(context: Context) -> Outcome:
    status, tail = _run(context, "boots", _kunit_argv(context, "exec", "--repeat", str(BOOTS)))
    return Outcome(Counts(failed=1), (tail,)) if status else Outcome(Counts(passed=1))


@dataclass(frozen=True)
class Death:
    """A guest with a known end.

    status: the exit status that scripts/kunit.py must give. log: patterns that its log must hold, in
    this order; never: patterns that it must not hold.
    """

    name: str
    config: str
    kernel_args: tuple[str, ...]
    status: Exit
    log: tuple[str, ...]
    never: tuple[str, ...]


def read_deaths(path: Path) -> list[Death]:
    """The table of guests that must die. Raises MhpError(USAGE) when it cannot be understood."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        deaths = [Death(row["name"], row.get("config", ""), tuple(row["kernel_args"]), Exit[row["status"]],
                        tuple(row["log"]), tuple(row.get("never", ()))) for row in table.get("death", [])]
        for death in deaths:
            for pattern in (*death.log, *death.never):
                re.compile(pattern)
        return deaths
    except (OSError, KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError, re.error) as err:
        raise MhpError(Exit.USAGE, f"{path}: {err}") from err


def death_problem(death: Death, status: int, text: str) -> str | None:
    """Why a guest did not die as it should, or None."""
    if status != death.status:
        return f"{death.name}: exit status {status}, not {int(death.status)} ({death.status.name})"
    at = 0
    for pattern in death.log:
        found = re.compile(pattern, re.M).search(text, at)
        if found is None:
            return f"{death.name}: not in the log: {pattern}"
        at = found.end()
    for pattern in death.never:
        if re.search(pattern, text, re.M):
            return f"{death.name}: in the log, where it must not be: {pattern}"
    return None


def _deaths(table: Path) -> Callable[[Context], Outcome]:
    def work(context: Context) -> Outcome:
        passed, problems = 0, []
        for death in read_deaths(table):
            config = [f"--config={death.config}"] if death.config else []
            args = [f"--kernel_args={arg}" for arg in death.kernel_args]
            status, tail = _run(context, f"death-{death.name}",
                                _kunit_argv(context, "run", *config, *args, "--timeout=60"))
            build = context.tree.build / "-".join(["um", *([death.config] if death.config else [])])
            text = "\n".join(log.read(build / "test.log")[0])
            problem = death_problem(death, status, text)
            passed += problem is None
            problems += [f"{problem}\n{tail}"] if problem else []
        return Outcome(Counts(passed, len(problems)), tuple(problems))
    return work


def _coverage(context: Context) -> Outcome:
    """A case for each threshold, and one for the exclusions and the run itself."""
    report = context.tree.build / "coverage" / coverage.SUMMARY
    report.unlink(missing_ok=True)
    status, tail = _run(context, "coverage", ["/usr/bin/python3", "-B", paths.SCRIPTS / "coverage", "--quick", *context.flags])
    if not report.exists():
        return Outcome(Counts(failed=1), (tail,))
    problems = json.loads(report.read_bytes())["problems"]
    if status and not problems:
        problems = [f"exit status {status}"]
    return Outcome(Counts(max(0, _COVERAGE_CASES - len(problems)), len(problems)), (*problems, tail) if problems else ())


def _known_bad(context: Context) -> Outcome:
    tried = known_bad.check(context.tree, tell=say, quick=True)
    return Outcome(tried.counts, tried.problems, tried.skips)


def _stock(context: Context) -> Outcome:
    counts, problems = stock.compare(context.tree)
    return Outcome(counts, tuple(problems))


def _own_series(context: Context) -> Outcome:
    """The quick checks on our own series: a warning counts as a failure here."""
    report = context.output / "check.json"
    report.unlink(missing_ok=True)
    kdir = [flag for flag in context.flags if flag.startswith("--kdir=")]
    _status, tail = _run(context, "check", ["/usr/bin/python3", "-B", paths.SCRIPTS / "check", *kdir,
                                            f"--json={report}"])
    if not report.exists():
        return Outcome(Counts(failed=1), (tail,))
    rows = json.loads(report.read_bytes())["results"]
    names = [f"{row['check']}, patch {row['patch'] or 'all'}: {row['line']}" for row in rows]
    bad = [name for name, row in zip(names, rows) if row["status"] in ("fail", "warn")]
    skips = [name for name, row in zip(names, rows) if row["status"] == "skip"]
    return Outcome(Counts(len(rows) - len(bad) - len(skips), len(bad), len(skips)),
                   (*bad, tail) if bad else (), tuple(skips))


def _config_parts() -> list[Part]:
    parts = []
    for config in sorted(paths.KUNIT_CONFIGS.glob("*.config")):
        if directives(config).get("test", "").startswith("no"):
            continue
        parts.append(Part(f"kunit-{config.stem}", "guests", f"the suites with kunit/configs/{config.name}",
                          _kunit(f"um-{config.stem}", f"--config={config.stem}")))
    return parts


def _matrix_parts() -> list[Part]:
    return [Part(f"boot-{row.name}", "guests" if row.arch == "um" else "qemu", f"{row.arch}: {row.about}",
                 _kunit(row.build, f"--boot={row.name}"))
            for row in matrix.rows() if row.set == matrix.QUICK]


def parts() -> list[Part]:
    """All parts in the order in which they run: what is quick to fail comes first."""
    tests = paths.SCRIPTS / "tests"
    guests, kernel = tests / "guest", tests / "kernel"
    found = [Part("pytest", "pytest", "the tests of scripts/", _pytest(tests, [guests, kernel])),
             Part("checks", "checks", "the samples of scripts/checks/, on the kernel", _pytest(kernel)),
             Part("check", "checks", "scripts/check on the series of mm-patches/", _own_series),
             Part("kunit", "guests", "the suites with .kunitconfig alone", _kunit("um")),
             Part("deaths", "guests", "guests that must die, and of what", _deaths(tests / "deaths.toml")),
             Part("boots", "guests", f"{BOOTS} boots give {BOOTS} equal verdicts", _repeated)]
    # Behind the builds of all architectures: some tests are for each build that there is.
    return [*found, *_config_parts(), *_matrix_parts(),
            Part("coverage", "guests", "gcov: what the suites reach of the scope and of the series", _coverage),
            Part("guest", "guests", "tests that need a built kernel", _pytest(guests, workers="0")),
            *(Part(f"checks-{tier}", "long", f"the samples of scripts/checks/, {tier} tier", _pytest(
                kernel / "test_check_samples.py", workers="0", env={"MHP_CHECK_TIERS": tier})) for tier in registry.TIERS[1:]),
            Part("known-bad", "guests", "faults put back, one by one: the suites catch each", _known_bad),
            Part("stock", "guests", "upstream's default run, with and without the shims", _stock)]



# SPDX-License-Identifier: GPL-2.0
"""The command line of scripts/kunit.py: our own flags, and upstream's, which are passed on.

Upstream's flags are only looked at (`seen`), never re-made: what the user typed goes on as it is,
also a flag that this file has never heard of. The only change is that a relative path means what it
means to the user: relative to where they are, not to the kernel tree.
"""

import argparse
import dataclasses
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import matrix
from mhp.arch import Arch, directives
from mhp.exits import Exit, MhpError
from mhp.tree import PreparedTree, add_tree_arguments, prepare

SUBCOMMANDS = ("run", "config", "build", "exec", "parse")
_BUILDING = ("run", "config", "build")
_BOOTING = ("run", "exec")

_DESCRIPTION = """\
KUnit with real memory hotplug: upstream's kunit.py of the prepared kernel tree with our defaults.
Subcommands and flags are upstream's, all of them are passed on; upstream's own help is printed
below. What is added: the tree is prepared first, the .config is compared with the one asked for,
and the guest's whole log decides the exit status (table in README.md)."""

_EXAMPLES = """\
examples:
  scripts/kunit.py run                              prepare, build, run all suites
  scripts/kunit.py run 'mhp_offline.*'              only what matches
  scripts/kunit.py run --config quick               with kunit/configs/quick.config on top
  scripts/kunit.py run --kconfig_add CONFIG_KASAN=y --kernel_args=loglevel=8
  scripts/kunit.py run --watch 'mhp_offline*'       again at each save of a file, until Ctrl-C
  scripts/kunit.py exec --repeat 40                 40 boots, which must give 40 equal verdicts
  scripts/kunit.py run --list_tests
  scripts/kunit.py parse console.log                what does a log from elsewhere say?
  scripts/kunit.py run --arch=x86_64                under QEMU
  scripts/kunit.py run --matrix quick               several boots, of UML and under QEMU, see scripts/matrix
  scripts/kunit.py exec --boot x86-la57             one of them
  LINUX=~/linux scripts/kunit.py run                on your own kernel tree, which is not touched
  LINUX=~/linux scripts/kunit.py run --series       the same with the series of mm-patches/ on top
"""


@dataclass(frozen=True)
class Options:
    """One command line, taken apart.

    rest: upstream's arguments after the subcommand, ours removed, paths absolute. seen: upstream's
    flags by name as far as we know them. unknown: arguments that we do not know.
    """

    subcommand: str
    kdir: Path | None
    series: bool
    configs: tuple[str, ...]
    repeat: int
    matrix: str | None
    watch: bool
    guests: int | None
    rest: tuple[str, ...]
    seen: argparse.Namespace
    unknown: tuple[str, ...]
    typed: tuple[str, ...]

    def prepare(self) -> PreparedTree:
        """The prepared tree that this command line is about, brought up to date."""
        return prepare(self.kdir, True if self.series else None, look=self.subcommand == "run")

    @property
    def builds(self) -> bool:
        """Whether this subcommand makes a .config."""
        return self.subcommand in _BUILDING

    @property
    def boots(self) -> bool:
        """Whether this subcommand starts a guest."""
        return self.subcommand in _BOOTING

    @property
    def lists(self) -> bool:
        """Whether the guest only lists its tests."""
        return bool(self.seen.list_tests or self.seen.list_tests_attr)


def _own_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/kunit.py", description=_DESCRIPTION, epilog=_EXAMPLES, add_help=False,
        usage="%(prog)s {run,config,build,exec,parse} [our flags] [upstream's flags] [glob]",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add_tree_arguments(parser)
    parser.add_argument("--series", action="store_true", help="on a kernel of yours: put the series of mm-patches/ on "
                        "top; that is remembered until `scripts/series none`. Debian's has it from the start")
    parser.add_argument("--config", action="append", default=[], metavar="NAME",
                        help="lay kunit/configs/NAME.config over .kunitconfig, in a build directory "
                        "of its own, and boot with the kernel parameters it names; can be repeated")
    parser.add_argument("--boot", metavar="NAME", help="a line of scripts/matrix: its architecture, config, CPU "
                        "model and kernel parameters")
    parser.add_argument("--matrix", choices=matrix.SETS, help="one boot for each line of scripts/matrix, of "
                        "--arch=ARCH only when that is given; reported together")
    parser.add_argument("--repeat", type=_count, default=1, metavar="N",
                        help="boot N times; a verdict or a case that differs is a failure")
    parser.add_argument("--guests", type=_count, metavar="N", help="share the suites among N guests at a time, 1, 2 or "
                        "4; as many as there are processors when it is not given. For um and whole runs")
    parser.add_argument("--watch", action="store_true",
                        help="with run: do it again at each save, until Ctrl-C")
    return parser


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 10000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return number


def _upstream_parser() -> argparse.ArgumentParser:
    """Upstream's flags that we have to look at; it accepts abbreviations, so we do."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    for flag in ("build_dir", "cross_compile", "qemu_config", "filter", "filter_action",
                 "run_isolated"):
        parser.add_argument(f"--{flag}")
    parser.add_argument("--jobs", type=_count)
    parser.add_argument("--arch", default="um")
    parser.add_argument("--timeout", type=int, default=300)
    for flag in ("make_options", "kunitconfig", "kconfig_add", "kernel_args", "qemu_args"):
        parser.add_argument(f"--{flag}", action="append", default=[])
    for flag in ("alltests", "list_tests", "list_tests_attr"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--json", nargs="?", const="stdout")
    parser.add_argument("--raw_output", nargs="?", const="all")
    parser.add_argument("target", nargs="?", default="")
    return parser


_FLAGS = tuple(action.option_strings[0] for action in _upstream_parser()._actions  # pylint: disable=protected-access
               if action.option_strings)

# Upstream reads these two without a value when the next word could be one; so do we.
_BARE = {"--json": "--json=stdout", "--raw_output": "--raw_output=kunit"}


def full_flag(word: str) -> str:
    """The upstream flag that a word of the command line stands for; "" when none, or not only one."""
    name = word.partition("=")[0]
    if not name.startswith("--") or len(name) < 3:
        return ""
    if name in _FLAGS:
        return name
    found = [flag for flag in _FLAGS if flag.startswith(name)]
    return found[0] if len(found) == 1 else ""


def map_flag(words: list[str], flag: str, change: Callable[[str], str]) -> list[str]:
    """`words` with the value of each `flag` changed, spelt `--flag=VALUE` or `--flag VALUE`."""
    out = list(words)
    for i, word in enumerate(words):
        if full_flag(word) != flag:
            continue
        if "=" in word:
            name, _, value = word.partition("=")
            out[i] = f"{name}={change(value)}"
        elif i + 1 < len(words):
            out[i + 1] = change(words[i + 1])
    return out


def without_flag(words: list[str], flag: str) -> list[str]:
    """`words` without a flag and its value."""
    out: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif full_flag(word) == flag:
            skip = "=" not in word
        else:
            out.append(word)
    return out


def _absolute(value: str) -> str:
    return str(Path(value).absolute())


def _absolute_kunitconfig(value: str) -> str:
    """A path from where the user is; else it is upstream's to find in the kernel tree."""
    path = Path(value)
    if path.is_file() or (path / ".kunitconfig").is_file():
        return _absolute(value)
    return value


def _absolute_if_there(value: str) -> str:
    return _absolute(value) if Path(value).exists() else value


def _check_configs(names: list[str], arch: str) -> None:
    known = Arch(arch).configs()
    for name in names:
        if not re.fullmatch(r"[\w.+-]+", name) or name not in known:
            raise MhpError(Exit.USAGE, f"--config {name}: kunit/configs/ holds no {name}.config; "
                           f"there are: {', '.join(known) or 'none yet'}")


def _kernel_args(configs: Sequence[str], arch: str) -> list[str]:
    """Flags for the kernel parameters that these configurations name; those that are typed come behind them."""
    return [f"--kernel_args={arg}" for name in configs
            for arg in shlex.split(directives(Arch(arch).fragment(name)).get("kernel_args", ""))]


def help_text() -> str:
    """Our part of --help."""
    return _own_parser().format_help()


def wants_help(argv: list[str]) -> bool:
    """Whether the command line asks for help rather than for work."""
    return not argv or any(word in ("-h", "--help") for word in argv)


def parse(argv: list[str]) -> Options:
    """Take a command line apart. Raises MhpError(USAGE) when no subcommand is on it.

    Faults in our own flags end the program the way argparse does it: usage on stderr, status 2.
    """
    own, words = _own_parser().parse_known_args(argv)
    if not words or words[0].startswith("-"):
        raise MhpError(Exit.USAGE, f"say what to do first: one of {', '.join(SUBCOMMANDS)}\n"
                       "for example: scripts/kunit.py run\n`scripts/kunit.py --help` tells more")
    subcommand, *rest = words
    if subcommand not in SUBCOMMANDS:
        raise MhpError(Exit.USAGE, f"{subcommand}: no such subcommand; there are: "
                       f"{', '.join(SUBCOMMANDS)}")
    rest = [_BARE.get(word, word) for word in rest]
    if own.boot:
        return _parse_boot(own, subcommand, rest, argv)
    if own.repeat > 1 and subcommand not in _BOOTING:
        raise MhpError(Exit.USAGE, "--repeat goes with run or exec: it repeats the boot")
    if own.watch and subcommand != "run":
        raise MhpError(Exit.USAGE, "--watch goes with run: it repeats the run at each save")
    for flag, change in (("--build_dir", _absolute), ("--kunitconfig", _absolute_kunitconfig),
                         ("--qemu_config", _absolute_if_there),
                         ("--json", lambda v: v if v == "stdout" else _absolute(v))):
        rest = map_flag(rest, flag, change)
    try:
        seen, unknown = _upstream_parser().parse_known_args(rest)
    except argparse.ArgumentError as err:
        raise MhpError(Exit.USAGE, str(err)) from err
    _check_configs(own.config, seen.arch)
    if subcommand in _BOOTING:
        rest[:0] = _kernel_args(own.config, seen.arch)
    _check_matrix(own, subcommand, seen)
    if subcommand == "parse" and seen.target:
        path = _absolute(seen.target)
        rest = [path if word == seen.target else word for word in rest]
        seen.target = path
    return Options(subcommand, own.kdir, own.series, tuple(own.config), own.repeat, own.matrix, own.watch, own.guests,
                   tuple(rest), seen, tuple(unknown), tuple(argv))


def again(typed: Sequence[str]) -> str:
    """The shell command that repeats a command line."""
    settings = [f"{name}={shlex.quote(os.environ[name])}" for name in ("LINUX", "MHP_BUILD", "MHP_CC")
                if os.environ.get(name)]
    return " ".join([*settings, shlex.join([sys.argv[0], *typed])])


def _parse_boot(own: argparse.Namespace, subcommand: str, rest: list[str], argv: list[str]) -> Options:
    """A command line with --boot, as if the flags that it stands for had been typed."""
    if own.matrix:
        raise MhpError(Exit.USAGE, "--boot is one line of scripts/matrix, --matrix is several: not both")
    words = [subcommand, *matrix.find(own.boot).words(subcommand in _BOOTING), *rest]
    words += [f"--kdir={own.kdir}"] if own.kdir else []
    words += ["--series"] if own.series else []
    words += [f"--config={name}" for name in own.config]
    words += [f"--repeat={own.repeat}"] if own.repeat > 1 else []
    words += ["--watch"] if own.watch else []
    return dataclasses.replace(parse(words), typed=tuple(argv))


def _check_matrix(own: argparse.Namespace, subcommand: str, seen: argparse.Namespace) -> None:
    if own.matrix and (subcommand not in _BOOTING or own.config or own.repeat > 1 or seen.run_isolated
                       or seen.build_dir or seen.json or seen.raw_output or seen.list_tests
                       or seen.list_tests_attr):
        raise MhpError(Exit.USAGE, "--matrix goes with run or exec, and not with --config, --repeat, "
                       "--run_isolated, --build_dir, --json, --raw_output or --list_tests; --boot NAME does")
